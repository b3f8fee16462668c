/* Writes that travel, and connections that end under them. */
#include "node/node_int.h"
#include "node_testing.h"

static bool is_forwarded(void *ctx)
{
    return ((struct replica *)ctx)->writes.forwarded_bytes > 0;
}

static void whoever_does_not_hear_the_leader_any_more_knows_no_outcome(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing writing;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    struct net *net = cluster.nodes[leader]->net;
    put_at_least_once(&cluster, follower, "a", "1");
    begin_put(&cluster, follower, &writing, "a", "2", 10 * (uint64_t)PATIENCE_MS);
    assert_true(turn_until(&cluster, is_forwarded, cluster.nodes[follower]->replica));
    assert_int_equal(net_peer_set(net, follower + 1, "127.0.0.1:1"), OK);
    assert_true(turn_until(&cluster, is_written, &writing));
    assert_int_equal(writing.result.e, ERR_OUTCOME_UNKNOWN);
    /* Nor does it send another one: the answer could not come. */
    begin_put(&cluster, follower, &writing, "a", "3", 20);
    assert_true(turn_until(&cluster, is_written, &writing));
    assert_int_not_equal(writing.result.e, ERR_OUTCOME_UNKNOWN);
    const char *address = cluster.members[follower].peer_address;
    assert_int_equal(net_peer_set(net, follower + 1, address), OK);
    put_at_least_once(&cluster, follower, "a", "4");
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_does_not_hear_the_leader_any_more_knows_no_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
