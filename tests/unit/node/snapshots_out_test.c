/* Members that are behind the log's beginning get a snapshot. */
#include "snapshots_testing.h"

static void who_is_behind_the_log_catches_up_by_a_snapshot_and_goes_on_from_there(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 600, 1024);
    start_node(&cluster, behind);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_true(first_index(&cluster, behind) > 100); /* its log begins after the snapshot */
    assert_value(&cluster, behind, "first", "1");
    put_at_least_once(&cluster, behind, "second", "2");
    stop_node(&cluster, behind);
    start_node(&cluster, behind);
    assert_value(&cluster, behind, "second", "2");
    /* All of them, also together. */
    for (uint32_t i = 0; i < 3; i++) {
        stop_node(&cluster, i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        start_node(&cluster, i);
    }
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_value(&cluster, behind, "second", "2");
    assert_int_equal(cluster.nodes[behind]->identity.installing_region, 0);
    cluster_deinit(&cluster);
}

static void a_new_node_joins_by_a_snapshot(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    write_much(&cluster, leader, 400);
    wait_for_cut(&cluster, leader, 100);
    start_joining(&cluster, 3);
    add_learner(&cluster, 3, true);
    struct wait wait = {&cluster, 3, 0};
    assert_true(turn_until(&cluster, is_voter_itself, &wait));
    assert_true(turn_until(&cluster, has_settled, &wait));
    assert_true(first_index(&cluster, 3) > 100);
    stop_node(&cluster, 3);
    start_joined(&cluster, 3);
    assert_value(&cluster, 3, "first", "1");
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void a_transfer_that_breaks_off_begins_anew(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 100, 64u << 10);
    start_node(&cluster, behind);
    struct progress progress = {cluster.nodes[behind], 2};
    assert_true(turn_until(&cluster, has_chunks, &progress));
    stop_node(&cluster, behind);
    start_node(&cluster, behind);
    progress = (struct progress){cluster.nodes[behind], 1};
    assert_true(turn_until(&cluster, has_chunks, &progress));
    /* Now the sender goes. */
    uint32_t leader = leader_of(&cluster);
    stop_node(&cluster, leader);
    start_node(&cluster, leader);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_behind_the_log_catches_up_by_a_snapshot_and_goes_on_from_there),
        cmocka_unit_test(a_new_node_joins_by_a_snapshot),
        cmocka_unit_test(a_transfer_that_breaks_off_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
