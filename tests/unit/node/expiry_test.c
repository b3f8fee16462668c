/* Time, and what is due by it, in whole nodes. */
#include "node/expiry.h"
#include "node/node_int.h"
#include "txn_testing.h"

#define TTL_MS 400u

static void put_with_ttl(struct cluster *cluster, uint32_t i, const char *key, uint64_t ttl_ms)
{
    const struct txn_op op = {.type = TXN_PUT,
                              .key = slice_from_text(key),
                              .value = SLICE_LITERAL("v"),
                              .ttl_ms = ttl_ms};
    assert_int_equal(apply_op(cluster, i, &op).e, OK);
}

static uint64_t keys_of(const struct node *node)
{
    const struct store_region *state = store_region(node->store, REGION_FIRST);
    return state != NULL ? state->keys : 0;
}

static bool are_all_empty(void *ctx)
{
    const struct cluster *cluster = ctx;
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i] != NULL && keys_of(cluster->nodes[i]) > 0) {
            return false;
        }
    }
    return true;
}

static const struct expiry *expiry_of(const struct cluster *cluster, uint32_t i)
{
    return &cluster->nodes[i]->replica->expiry;
}

static void a_key_goes_everywhere_and_not_before_its_time(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    uint64_t begin_ms = env_now_ms(cluster.env);
    put_with_ttl(&cluster, (leader + 1) % 3, "a", TTL_MS);
    assert_true(turn_until(&cluster, are_all_empty, &cluster));
    assert_true(env_now_ms(cluster.env) >= begin_ms + TTL_MS);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void what_is_due_at_once_goes_in_bounded_commands(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    struct txn_builder builder = {0};
    for (int i = 0; i < 2500; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%d", i);
        const struct txn_op op = {.type = TXN_PUT, .key = slice_from_text(key), .ttl_ms = TTL_MS};
        txn_add_op(&builder, &op, false);
    }
    struct txn txn = txn_builder_result(&builder);
    const struct command command = {.type = COMMAND_TXN, .key = SLICE_LITERAL("x"), .txn = &txn};
    struct operation operation = {.write = {.command = command_encode(&command),
                                            .deadline_ms = env_now_ms(cluster.env) + 10000,
                                            .done = operation_done}};
    txn_builder_deinit(&builder);
    node_write(cluster.nodes[0], command.key, &operation.write);
    assert_true(turn_until(&cluster, is_operated, &operation));
    uint64_t revision = node_revision(cluster.nodes[0]);
    assert_int_equal(keys_of(cluster.nodes[0]), 2500);
    assert_true(turn_until(&cluster, are_all_empty, &cluster));
    assert_int_equal(expiry_of(&cluster, 0)->removed.value, 2500);
    assert_int_equal(expiry_of(&cluster, 0)->commands.value, 3);
    assert_int_equal(node_revision(cluster.nodes[0]), revision + 3);
    cluster_deinit(&cluster);
}

/* E1 */
static void another_leader_goes_on_with_the_states_time(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    uint64_t begin_ms = env_now_ms(cluster.env);
    put_with_ttl(&cluster, leader, "a", 1000);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    stop_node(&cluster, leader);
    uint32_t next = leader_of(&cluster);
    assert_int_not_equal(next, leader);
    assert_int_equal(keys_of(cluster.nodes[next]), 1);
    assert_true(turn_until(&cluster, are_all_empty, &cluster));
    assert_true(env_now_ms(cluster.env) >= begin_ms + 1000);
    cluster_deinit(&cluster);
}

static void who_does_not_lead_claims_no_time_and_guesses_it(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    uint64_t end_ms = env_now_ms(cluster.env) + 50; /* some time has passed */
    while (env_now_ms(cluster.env) < end_ms) {
        env_uv_run_once(cluster.env, true);
    }
    put_with_ttl(&cluster, leader, "a", 60000);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    const struct store_region *applied = store_region(cluster.nodes[follower]->store, REGION_FIRST);
    assert_int_equal(expiry_elapsed_ms(expiry_of(&cluster, follower)), 0);
    assert_true(expiry_elapsed_ms(expiry_of(&cluster, leader)) >= applied->elapsed_ms);
    end_ms = env_now_ms(cluster.env) + 200;
    while (env_now_ms(cluster.env) < end_ms) {
        env_uv_run_once(cluster.env, true);
    }
    uint64_t guess_ms = expiry_guess_ms(expiry_of(&cluster, follower));
    uint64_t real_ms = expiry_guess_ms(expiry_of(&cluster, leader));
    assert_true(guess_ms >= applied->elapsed_ms + 150);
    assert_true(guess_ms <= real_ms + 50);
    /* An entry that was applied since the state was looked at: a read in the same turn knows it. */
    struct expiry *expiry = &cluster.nodes[follower]->replica->expiry;
    expiry->seen_ms = applied->elapsed_ms - 20;
    expiry->seen_at_ms = env_now_ms(cluster.env);
    assert_true(expiry_guess_ms(expiry) >= applied->elapsed_ms);
    cluster_deinit(&cluster);
}

/* As when what it was proposed with first is on its way to the disk still. */
static void a_write_that_somebody_else_has_yet_is_stamped_anew(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing writing;
    struct command command;
    cluster_init(&cluster, 1);
    begin_put(&cluster, 0, &writing, "a", "v", 10000);
    struct buf *first = buf_ref(writing.write.command);
    assert_true(turn_until(&cluster, is_written, &writing));
    assert_int_equal(writing.result.e, OK);
    assert_true(writing.result.modified_ms > 0);
    assert_int_equal(command_decode(buf_slice(first), &command), OK);
    assert_int_equal(command.stamp_ms, 0); /* whoever has it sees no change */
    buf_unref(first);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_somebody_else_has_yet_is_stamped_anew),
        cmocka_unit_test(a_key_goes_everywhere_and_not_before_its_time),
        cmocka_unit_test(what_is_due_at_once_goes_in_bounded_commands),
        cmocka_unit_test(another_leader_goes_on_with_the_states_time),
        cmocka_unit_test(who_does_not_lead_claims_no_time_and_guesses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
