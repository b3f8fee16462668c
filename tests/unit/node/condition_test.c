/* What members say of themselves: told, believed, and not for long. */
#include "node/node_int.h"
#include "node_testing.h"

#define BOTH "\3"

struct known {
    const struct replica *replica;
    node_id id;
    unsigned flag;
};

static bool is_known(void *ctx)
{
    const struct known *known = ctx;
    return condition_is(known->replica, known->id, known->flag);
}

static bool is_forgotten(void *ctx)
{
    return !is_known(ctx);
}

static void the_others_hear_of_it_and_of_its_end(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t i = (leader_of(&cluster) + 1) % 3;
    struct drained drained;
    drain(cluster.nodes[i], &drained);
    assert_true(condition_is(cluster.nodes[i]->replica, i + 1, CONDITION_DRAINING));
    for (uint32_t other = 0; other < 3; other++) {
        struct known known = {cluster.nodes[other]->replica, i + 1, CONDITION_DRAINING};
        assert_true(turn_until(&cluster, is_known, &known));
        known.flag = CONDITION_FULL;
        assert_false(is_known(&known));
    }
    /* Who did not hear it at first does so a second later. */
    struct replica *replica = cluster.nodes[(i + 1) % 3]->replica;
    replica->condition.peer_count = 0;
    struct known again = {replica, i + 1, CONDITION_DRAINING};
    assert_true(turn_until(&cluster, is_known, &again));
    assert_int_equal(node_undrain(cluster.nodes[i]), OK);
    for (uint32_t other = 0; other < 3; other++) {
        struct known known = {cluster.nodes[other]->replica, i + 1, CONDITION_DRAINING};
        assert_true(turn_until(&cluster, is_forgotten, &known));
    }
    cluster_deinit(&cluster);
}

static void a_restart_is_a_new_beginning(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    uint32_t i = (leader + 1) % 3;
    uint32_t other = (leader + 2) % 3;
    struct drained drained;
    struct known known = {cluster.nodes[other]->replica, i + 1, CONDITION_DRAINING};
    drain(cluster.nodes[i], &drained);
    assert_true(turn_until(&cluster, is_known, &known));
    stop_node(&cluster, i);
    cluster.nodes[other]->replica->condition.peers[0].until_ms = UINT64_MAX;
    assert_true(turn_until(&cluster, is_forgotten, &known));
    /* And who begins anew hears of the others'. */
    drain(cluster.nodes[other], &drained);
    start_node(&cluster, i);
    known = (struct known){cluster.nodes[i]->replica, other + 1, CONDITION_DRAINING};
    assert_true(turn_until(&cluster, is_known, &known));
    cluster_deinit(&cluster);
}

static void what_is_not_said_again_is_not_believed_for_long(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    struct replica *replica = cluster.nodes[0]->replica;
    uint64_t now_ms = env_now_ms(cluster.env);
    condition_receive(replica, 7, SLICE_LITERAL(BOTH));
    condition_receive(replica, 8, SLICE_LITERAL("\1"));
    condition_receive(replica, 8, SLICE_LITERAL("\1more")); /* malformed */
    condition_receive(replica, 9, SLICE_LITERAL("\xf0"));   /* of a newer one */
    assert_int_equal(replica->condition.peer_count, 2);
    assert_true(condition_is(replica, 7, CONDITION_FULL));
    assert_true(condition_is(replica, 7, CONDITION_DRAINING));
    assert_false(condition_is(replica, 8, CONDITION_DRAINING));
    assert_false(condition_is(replica, 9, CONDITION_FULL));
    condition_tick(replica, now_ms + 2500);
    assert_int_equal(replica->condition.peer_count, 2);
    condition_receive(replica, 8, SLICE_LITERAL("\0"));
    assert_int_equal(replica->condition.peer_count, 1);
    condition_tick(replica, now_ms + 10000);
    assert_int_equal(replica->condition.peer_count, 0);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_others_hear_of_it_and_of_its_end),
        cmocka_unit_test(a_restart_is_a_new_beginning),
        cmocka_unit_test(what_is_not_said_again_is_not_believed_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
