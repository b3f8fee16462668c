#include "fixture.h"
#include "raft/progress.h"

static struct raft_progress make(uint64_t match, uint64_t next, uint32_t window)
{
    struct raft_progress progress = {.id = 2};
    raft_inflights_init(&progress.inflights, window, 0);
    raft_progress_reset(&progress, match, next);
    return progress;
}

static void a_probe_pauses_after_one_message_with_entries(void **state)
{
    (void)state;
    struct raft_progress progress = make(0, 5, 0);
    raft_progress_sent_entries(&progress, 0, 0);
    assert_false(raft_progress_is_paused(&progress));
    raft_progress_sent_entries(&progress, 3, 30);
    assert_true(raft_progress_is_paused(&progress));
    assert_int_equal(progress.next, 5);
}

static void a_probe_is_worth_one_message_in_a_heartbeat_interval(void **state)
{
    (void)state;
    struct raft_progress progress = make(0, 5, 0);
    raft_progress_sent_entries(&progress, 3, 30);
    for (unsigned i = 0; i < 3; i++) {
        raft_progress_heard(&progress);
        assert_true(raft_progress_is_paused(&progress));
    }
    raft_progress_interval(&progress);
    assert_true(raft_progress_is_paused(&progress));
    raft_progress_heard(&progress);
    assert_false(raft_progress_is_paused(&progress));
    raft_progress_sent_entries(&progress, 3, 30);
    assert_true(raft_progress_maybe_decrease(&progress, 4, 2)); /* an answer opens it at once */
    assert_false(raft_progress_is_paused(&progress));
}

static void replicating_runs_ahead_until_the_window_is_full(void **state)
{
    (void)state;
    struct raft_progress progress = make(4, 5, 2);
    raft_progress_become_replicate(&progress);
    raft_progress_sent_entries(&progress, 2, 10);
    assert_int_equal(progress.next, 7);
    assert_false(raft_progress_is_paused(&progress));
    raft_progress_sent_entries(&progress, 1, 10);
    assert_true(raft_progress_is_paused(&progress));
    raft_inflights_free_to(&progress.inflights, 6);
    assert_true(raft_progress_maybe_update(&progress, 6));
    assert_false(raft_progress_is_paused(&progress));
    raft_inflights_deinit(&progress.inflights);
}

static void only_a_higher_index_is_news(void **state)
{
    (void)state;
    struct raft_progress progress = make(4, 5, 0);
    assert_false(raft_progress_maybe_update(&progress, 3));
    assert_false(raft_progress_maybe_update(&progress, 4));
    assert_true(raft_progress_maybe_update(&progress, 9));
    assert_int_equal(progress.match, 9);
    assert_int_equal(progress.next, 10);
}

static void a_rejection_moves_next_back_unless_it_is_stale(void **state)
{
    (void)state;
    static const struct {
        enum raft_progress_state mode;
        uint64_t match, next, rejected, hint;
        bool taken;
        uint64_t next_after;
    } table[] = {
        {RAFT_PROGRESS_REPLICATE, 5, 10, 5, 5, false, 10}, /* already acknowledged */
        {RAFT_PROGRESS_REPLICATE, 5, 10, 4, 4, false, 10},
        {RAFT_PROGRESS_REPLICATE, 5, 10, 9, 9, true, 6},
        {RAFT_PROGRESS_PROBE, 0, 0 + 1, 3, 0, false, 1}, /* not what was probed */
        {RAFT_PROGRESS_PROBE, 0, 10, 5, 5, false, 10},
        {RAFT_PROGRESS_PROBE, 0, 10, 9, 9, true, 9},
        {RAFT_PROGRESS_PROBE, 0, 2, 1, 1, true, 1},
        {RAFT_PROGRESS_PROBE, 0, 10, 9, 2, true, 3},
        {RAFT_PROGRESS_PROBE, 0, 10, 9, UINT64_MAX, true, 9}, /* a hint beyond everything */
        {RAFT_PROGRESS_PROBE, 5, 10, 9, 2, true, 6},          /* never below what is known */
        {RAFT_PROGRESS_PROBE, 0, 1, 0, 0, true, 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_progress progress = make(table[i].match, table[i].next, 0);
        progress.state = table[i].mode;
        progress.sent_commit = table[i].next - 1;
        bool taken = raft_progress_maybe_decrease(&progress, table[i].rejected, table[i].hint);
        assert_int_equal(taken, table[i].taken);
        assert_int_equal(progress.next, table[i].next_after);
        assert_true(progress.sent_commit < progress.next);
        assert_true(progress.match < progress.next);
    }
}

static void a_delivered_snapshot_is_probed_after_its_index(void **state)
{
    (void)state;
    struct raft_progress progress = make(1, 2, 0);
    raft_progress_become_snapshot(&progress, 10);
    assert_true(raft_progress_is_paused(&progress));
    assert_int_equal(progress.next, 11);
    raft_progress_become_probe(&progress);
    assert_int_equal(progress.next, 11);
    assert_int_equal(progress.pending_snapshot, 0);
}

static void a_failed_snapshot_is_probed_after_what_is_known(void **state)
{
    (void)state;
    struct raft_progress progress = make(1, 2, 0);
    raft_progress_become_snapshot(&progress, 10);
    progress.pending_snapshot = 0;
    raft_progress_become_probe(&progress);
    assert_int_equal(progress.next, 2);
}

static void a_commit_is_worth_telling_if_it_covers_what_was_sent(void **state)
{
    (void)state;
    struct raft_progress progress = make(4, 8, 0);
    progress.sent_commit = 5;
    assert_false(raft_progress_can_bump_commit(&progress, 5));
    assert_true(raft_progress_can_bump_commit(&progress, 6));
    progress.sent_commit = 7; /* all that was sent */
    assert_false(raft_progress_can_bump_commit(&progress, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_pauses_after_one_message_with_entries),
        cmocka_unit_test(a_probe_is_worth_one_message_in_a_heartbeat_interval),
        cmocka_unit_test(replicating_runs_ahead_until_the_window_is_full),
        cmocka_unit_test(only_a_higher_index_is_news),
        cmocka_unit_test(a_rejection_moves_next_back_unless_it_is_stale),
        cmocka_unit_test(a_delivered_snapshot_is_probed_after_its_index),
        cmocka_unit_test(a_failed_snapshot_is_probed_after_what_is_known),
        cmocka_unit_test(a_commit_is_worth_telling_if_it_covers_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
