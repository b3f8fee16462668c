/* A leader and a member that is behind the start of its log. */
#include "one_core.h"

#define AT 11u /* index and term of the snapshot in which everybody's log begins */

/* Node 1 leads nodes 1 and 2; the log before its own first entry is a snapshot. */
static struct raft_progress *lead_after_snapshot(struct solo *solo, struct trail *trail)
{
    struct raft_config config = config_of(2);
    config.hard_state = (struct hard_state){.term = AT, .commit = AT};
    config.applied = AT;
    *solo = (struct solo){.log.compacted = {AT, AT}};
    solo->log.snapshot.pos = solo->log.compacted;
    solo->log.snapshot.conf = config.conf;
    solo_open(solo, &config);
    solo_win(solo, trail);
    return raft_tracker_find(&solo->raft->tracker, 2);
}

/* The same, with the snapshot on its way to node 2. */
static struct raft_progress *lead_while_sending(struct solo *solo, struct trail *trail)
{
    struct raft_progress *progress = lead_after_snapshot(solo, trail);
    raft_progress_become_snapshot(progress, AT);
    return progress;
}

/* peers: etcd/TestSendingSnapshotSetPendingSnapshot,
 * raftrs/test_sending_snapshot_set_pending_snapshot */
static void a_member_behind_the_log_is_sent_a_snapshot_and_that_is_noted(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *progress = lead_after_snapshot(&solo, &trail);
    assert_int_equal(progress->next, AT + 1);
    solo_hear(&solo,
              (struct message){.type = MSG_APP_RESP, .from = 2, .index = AT, .reject = true});
    assert_int_equal(progress->state, RAFT_PROGRESS_SNAPSHOT);
    assert_int_equal(progress->pending_snapshot, AT);
    solo_run(&solo, &trail);
    assert_int_equal(trail.sent.count, 1);
    assert_int_equal(trail.sent.messages[0].type, MSG_SNAP);
    assert_int_equal(trail.sent.messages[0].snapshot->pos.index, AT);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestPendingSnapshotPauseReplication,
 * raftrs/test_pending_snapshot_pause_replication */
static void nothing_is_appended_while_a_snapshot_is_under_way(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    (void)lead_while_sending(&solo, &trail);
    assert_int_equal(solo_propose(&solo, "some data"), OK);
    solo_run(&solo, &trail);
    assert_int_equal(trail.sent.count, 0);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestSnapshotFailure, raftrs/test_snapshot_failure */
static void after_a_failed_snapshot_the_member_is_probed_from_the_start(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *progress = lead_while_sending(&solo, &trail);
    raft_report_snapshot(solo.raft, 2, false);
    assert_int_equal(progress->state, RAFT_PROGRESS_PROBE);
    assert_int_equal(progress->pending_snapshot, 0);
    assert_int_equal(progress->next, 1);
    assert_true(progress->is_append_paused); /* not at once: until it is heard of */
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestSnapshotSucceed, raftrs/test_snapshot_succeed */
static void after_a_delivered_snapshot_the_member_is_probed_behind_it(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *progress = lead_while_sending(&solo, &trail);
    raft_report_snapshot(solo.raft, 2, true);
    assert_int_equal(progress->state, RAFT_PROGRESS_PROBE);
    assert_int_equal(progress->pending_snapshot, 0);
    assert_int_equal(progress->next, AT + 1);
    assert_true(progress->is_append_paused);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestSnapshotAbort, raftrs/test_snapshot_abort */
static void an_acknowledgement_at_the_snapshot_ends_the_wait_for_it(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    struct raft_progress *progress = lead_while_sending(&solo, &trail);
    solo_ack(&solo, 2, AT);
    assert_int_equal(progress->state, RAFT_PROGRESS_REPLICATE);
    assert_int_equal(progress->pending_snapshot, 0);
    /* The leader's first entry went out at once. */
    assert_int_equal(progress->next, AT + 2);
    assert_int_equal(progress->inflights.count, 1);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: raftrs/test_snapshot_with_min_term */
static void a_blank_member_is_brought_in_by_a_snapshot_of_the_first_term(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = default_config();
        config.pre_vote = pre_vote == 1;
        struct group *group = group_new(2, &config);
        group_crash(group, 1);
        struct peer *first = &group->peers[1];
        first->log.compacted = (struct raft_pos){1, 1};
        first->log.snapshot.pos = first->log.compacted;
        first->log.snapshot.conf = first->config.conf;
        first->durable = (struct hard_state){.term = 1, .commit = 1};
        first->applied = 1;
        group_start(group, 1);
        group_crash(group, 2);
        group->peers[2].config.conf = (struct conf_state){0};
        group_start(group, 2);
        group_elect(group, 1);
        assert_int_equal(raft_log_first_index(&group_raft(group, 2)->log), 2);
        assert_int_equal(raft_log_last_index(&group_raft(group, 2)->log), 2);
        assert_int_equal(group->peers[2].applied, 2);
        group_free(group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_behind_the_log_is_sent_a_snapshot_and_that_is_noted),
        cmocka_unit_test(nothing_is_appended_while_a_snapshot_is_under_way),
        cmocka_unit_test(after_a_failed_snapshot_the_member_is_probed_from_the_start),
        cmocka_unit_test(after_a_delivered_snapshot_the_member_is_probed_behind_it),
        cmocka_unit_test(an_acknowledgement_at_the_snapshot_ends_the_wait_for_it),
        cmocka_unit_test(a_blank_member_is_brought_in_by_a_snapshot_of_the_first_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
