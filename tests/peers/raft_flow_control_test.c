/* The window of what is under way to a follower: filling it, and moving it on. */
#include "one_core.h"

#define WINDOW 64u

/* Proposes one entry; how many messages that sent. */
static uint32_t propose_and_count(struct solo *solo, struct trail *trail)
{
    assert_int_equal(solo_propose(solo, "some data"), OK);
    solo_run(solo, trail);
    for (uint32_t i = 0; i < trail->sent.count; i++) {
        assert_int_equal(trail->sent.messages[i].type, MSG_APP);
    }
    return trail->sent.count;
}

/* Node 1 leads `size` nodes, which are sent streams; nothing is under way to them. */
static struct raft_progress *lead_streaming(struct solo *solo, uint32_t size, struct trail *trail)
{
    struct raft_config config = config_of(size);
    config.max_inflight_messages = WINDOW;
    solo_open_with(solo, &config, NULL, 0);
    solo_win(solo, trail);
    for (node_id id = 2; id <= size; id++) {
        raft_progress_become_replicate(raft_tracker_find(&solo->raft->tracker, id));
    }
    return raft_tracker_find(&solo->raft->tracker, 2);
}

/* The same with two nodes, the window of node 2 full: entries 2 to WINDOW + 1 are in it. */
static struct raft_progress *lead_with_full_window(struct solo *solo, struct trail *trail)
{
    struct raft_progress *progress = lead_streaming(solo, 2, trail);
    for (uint32_t i = 0; i < WINDOW; i++) {
        assert_false(raft_progress_is_paused(progress));
        assert_int_equal(propose_and_count(solo, trail), 1);
    }
    assert_true(raft_progress_is_paused(progress));
    return progress;
}

/* peers: etcd/TestMsgAppFlowControlFull, raftrs/test_msg_app_flow_control_full */
static void a_full_window_takes_no_more_messages(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *progress = lead_with_full_window(&solo, &trail);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(propose_and_count(&solo, &trail), 0);
    }
    assert_true(raft_inflights_is_full(&progress->inflights));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestMsgAppFlowControlMoveForward, raftrs/test_msg_app_flow_control_move_forward */
static void an_acknowledgement_moves_the_window_and_an_old_one_does_not(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *progress = lead_with_full_window(&solo, &trail);
    for (uint64_t index = 2; index < WINDOW; index++) {
        solo_ack(&solo, 2, index);
        solo_run(&solo, &trail);
        assert_int_equal(propose_and_count(&solo, &trail), 1);
        assert_true(raft_progress_is_paused(progress));
        for (uint64_t old = 0; old < index; old++) {
            solo_ack(&solo, 2, old);
            assert_true(raft_progress_is_paused(progress));
        }
    }
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestMsgAppFlowControlRecvHeartbeat,
 * raftrs/test_msg_app_flow_control_recv_heartbeat */
static void each_heartbeats_answer_lets_one_message_into_a_full_window(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *progress = lead_with_full_window(&solo, &trail);
    /* raft-rs frees a slot of the window, for one proposal; this core, as etcd's, asks with an
     * empty message, whose answer frees all that has arrived. */
    for (int round = 1; round < 5; round++) {
        for (int i = 0; i < round; i++) {
            assert_true(raft_progress_is_paused(progress));
            solo_hear(&solo, (struct message){.type = MSG_HEARTBEAT_RESP, .from = 2});
            solo_run(&solo, &trail);
            assert_int_equal(trail.sent.count, 1);
            assert_int_equal(trail.sent.messages[0].type, MSG_APP);
            assert_int_equal(trail.sent.messages[0].entry_count, 0);
        }
        for (int i = 0; i < 10; i++) {
            assert_true(raft_progress_is_paused(progress));
            assert_int_equal(propose_and_count(&solo, &trail), 0);
        }
    }
    /* The answer to such a message is what opens the window. */
    solo_ack(&solo, 2, WINDOW + 1);
    solo_run(&solo, &trail);
    assert_true(trail.sent.count > 0);
    assert_true(trail.sent.messages[trail.sent.count - 1].entry_count > 0);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: raftrs/test_msg_app_flow_control_with_freeing_resources */
static void each_followers_window_counts_on_its_own_and_costs_nothing_unused(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *second = lead_streaming(&solo, 3, &trail);
    struct raft_progress *third = raft_tracker_find(&solo.raft->tracker, 3);
    struct raft_progress *self = raft_tracker_find(&solo.raft->tracker, 1);
    assert_int_equal(propose_and_count(&solo, &trail), 2);
    assert_int_equal(second->inflights.count, 1);
    assert_int_equal(third->inflights.count, 1);
    solo_ack(&solo, 2, raft_log_last_index(&solo.raft->log));
    solo_run(&solo, &trail);
    assert_int_equal(second->inflights.count, 0);
    assert_int_equal(propose_and_count(&solo, &trail), 2);
    assert_int_equal(second->inflights.count, 1);
    assert_int_equal(third->inflights.count, 2);
    solo_ack(&solo, 2, raft_log_last_index(&solo.raft->log));
    assert_int_equal(second->inflights.count, 0);
    assert_int_equal(third->inflights.count, 2);
    assert_int_equal(self->inflights.capacity, 0); /* nothing is sent to ourselves */
    trail_deinit(&trail);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_window_takes_no_more_messages),
        cmocka_unit_test(an_acknowledgement_moves_the_window_and_an_old_one_does_not),
        cmocka_unit_test(each_heartbeats_answer_lets_one_message_into_a_full_window),
        cmocka_unit_test(each_followers_window_counts_on_its_own_and_costs_nothing_unused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
