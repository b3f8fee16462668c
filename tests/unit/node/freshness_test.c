/* Whole nodes in one process and one loop: what they promise to whoever writes and reads. */
#include "node/node_int.h"
#include "node_testing.h"

/* A reading of "key" that has not begun. */
static struct reading reading_of(const struct cluster *cluster)
{
    return (struct reading){.read = {.key = SLICE_LITERAL("key"),
                                     .deadline_ms = env_now_ms(cluster->env) + PATIENCE_MS,
                                     .done = read_done}};
}

/* A node that has just started has been held up, as far as it can tell (F1). */
static bool is_known(void *ctx)
{
    struct node_standing standing;
    node_standing(ctx, &standing);
    return standing.staleness_ms != NODE_STALENESS_UNKNOWN;
}

static bool is_leaderless(void *ctx)
{
    struct node_standing standing;
    node_standing(ctx, &standing);
    return standing.leader == 0;
}

static void a_node_knows_how_long_ago_it_heard_from_its_leader(void **state)
{
    (void)state;
    struct cluster cluster;
    struct node_standing standing;
    char address[ADDRESS_SIZE_MAX + 1];
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    assert_int_equal(put(&cluster, 0, "key", "value").e, OK);
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    node_standing(cluster.nodes[leader], &standing);
    assert_int_equal(standing.leader, leader + 1);
    assert_int_equal(standing.staleness_ms, 0);
    assert_true(node_leader_address(cluster.nodes[leader], address));
    assert_string_equal(address, cluster.clients[leader]);
    assert_true(turn_until(&cluster, is_known, cluster.nodes[follower]));
    node_standing(cluster.nodes[follower], &standing);
    assert_int_equal(standing.leader, leader + 1);
    assert_in_range(standing.staleness_ms, 0, PATIENCE_MS);
    assert_false(node_leader_address(cluster.nodes[follower], address));
    assert_string_equal(address, cluster.clients[leader]);
    stop_node(&cluster, leader);
    stop_node(&cluster, (leader + 2) % 3);
    assert_true(turn_until(&cluster, is_leaderless, cluster.nodes[follower]));
    assert_false(node_leader_address(cluster.nodes[follower], address));
    assert_string_equal(address, "");
    cluster_deinit(&cluster);
}

static void a_bounded_read_is_local_only_while_the_leader_is_heard(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    assert_int_equal(put(&cluster, 0, "key", "value").e, OK);
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    assert_value(&cluster, follower, "key", "value"); /* it has applied that */
    assert_true(turn_until(&cluster, is_known, cluster.nodes[follower]));
    for (uint32_t i = 0; i < 2; i++) {
        struct reading reading = reading_of(&cluster);
        reading.read.consistency = READ_BOUNDED;
        reading.read.staleness_ms_max = PATIENCE_MS;
        node_read(cluster.nodes[i == 0 ? leader : follower], &reading.read);
        assert_int_equal(reading.answers, 1); /* within the call */
        assert_int_equal(reading.e, OK);
        assert_int_equal(reading.read.consistency, READ_STALE);
    }
    stop_node(&cluster, leader);
    stop_node(&cluster, (leader + 2) % 3);
    struct node_standing standing;
    do {
        env_uv_run_once(cluster.env, true);
        node_standing(cluster.nodes[follower], &standing);
    } while (standing.staleness_ms < 2 || standing.leader != 0);
    struct reading late = reading_of(&cluster);
    late.read.consistency = READ_BOUNDED;
    late.read.staleness_ms_max = 1;
    late.read.deadline_ms = env_now_ms(cluster.env) + 50;
    node_read(cluster.nodes[follower], &late.read);
    assert_int_equal(late.read.consistency, READ_LINEARIZABLE);
    assert_true(turn_until(&cluster, is_read, &late));
    assert_int_equal(late.e, ERR_NO_LEADER);
    cluster_deinit(&cluster);
}

/* Of a cluster of three: the node behind the leader. */
static struct node *a_follower_that_has_heard(struct cluster *cluster)
{
    cluster_init(cluster, 3);
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    struct node *follower = cluster->nodes[(leader_of(cluster) + 1) % 3];
    assert_true(turn_until(cluster, is_known, follower));
    return follower;
}

static bool knows_no_leader(void *ctx)
{
    const struct node *node = ctx;
    return node->replica->leader == 0;
}

static void what_comes_after_a_hold_up_counts_only_later(void **state)
{
    (void)state;
    struct cluster cluster;
    struct node_standing standing;
    struct node *follower = a_follower_that_has_heard(&cluster);
    follower->replica->listens_from_ms = env_now_ms(cluster.env); /* as a late tick says it */
    node_standing(follower, &standing);
    assert_int_equal(standing.staleness_ms, NODE_STALENESS_UNKNOWN); /* F1 */
    assert_false(freshness_is_within(follower->replica, PATIENCE_MS));
    cluster_deinit(&cluster);
}

static void what_was_heard_counts_while_nobody_leads(void **state)
{
    (void)state;
    struct cluster cluster;
    struct node *follower = a_follower_that_has_heard(&cluster);
    uint32_t leader = leader_of(&cluster);
    stop_node(&cluster, leader);
    stop_node(&cluster, (leader + 2) % 3);
    assert_true(turn_until(&cluster, knows_no_leader, follower));
    assert_true(freshness_is_within(follower->replica, PATIENCE_MS));
    assert_false(freshness_is_within(follower->replica, 0));
    cluster_deinit(&cluster);
}

static void what_was_heard_counts_once_it_is_applied(void **state)
{
    (void)state;
    struct cluster cluster;
    struct node *follower = a_follower_that_has_heard(&cluster);
    uint32_t leader = leader_of(&cluster);
    struct replica *replica = follower->replica;
    freshness_settle(replica);
    assert_int_equal(replica->freshness.pending_ms, 0);
    uint64_t then_ms = replica->freshness.heard_ms;
    uint64_t now_ms = env_now_ms(cluster.env) + 1;
    struct message message = {
        .type = MSG_APP, .from = leader + 1, .term = replica->term, .commit = replica->applied + 1};
    freshness_heard(replica, &message, now_ms);
    freshness_settle(replica);
    assert_int_equal(replica->freshness.heard_ms, then_ms); /* F2 */
    message.type = MSG_HEARTBEAT;
    freshness_heard(replica, &message, now_ms); /* it does not take the other's place */
    freshness_settle(replica);
    assert_int_equal(replica->freshness.heard_ms, then_ms);
    message.type = MSG_APP;
    message.commit = replica->applied;
    freshness_heard(replica, &message, now_ms);
    freshness_settle(replica);
    assert_int_equal(replica->freshness.heard_ms, now_ms);
    message.from = leader + 2; /* nor is it the leader's */
    freshness_heard(replica, &message, now_ms + 1);
    assert_int_equal(replica->freshness.pending_ms, 0);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_knows_how_long_ago_it_heard_from_its_leader),
        cmocka_unit_test(a_bounded_read_is_local_only_while_the_leader_is_heard),
        cmocka_unit_test(what_comes_after_a_hold_up_counts_only_later),
        cmocka_unit_test(what_was_heard_counts_while_nobody_leads),
        cmocka_unit_test(what_was_heard_counts_once_it_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
