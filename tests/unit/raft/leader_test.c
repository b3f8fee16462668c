#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static void a_full_window_stops_the_stream_and_an_answer_opens_it(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_inflight_messages = 2;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group->blocked[1][3] = true;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(group_propose(group, 1, "x"), OK);
    }
    struct raft_progress *progress = raft_tracker_find(&group_raft(group, 1)->tracker, 2);
    assert_int_equal(progress->inflights.count, 2);
    assert_true(raft_progress_is_paused(progress));
    group_settle(group);
    assert_int_equal(progress->match, raft_log_last_index(&group_raft(group, 1)->log));
    assert_int_equal(raft_tracker_find(&group_raft(group, 1)->tracker, 3)->inflights.count, 2);
    group_free(group);
}

static void a_window_in_bytes_stops_the_stream_too(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_inflight_bytes = 10;
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo_lead(&solo);
    struct message ack = {.type = MSG_APP_RESP, .from = 2, .to = 1, .term = 3, .index = 4};
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    (void)solo_ready(&solo);
    uint32_t sent = 0;
    for (int i = 0; i < 10; i++) {
        struct entry entry = {.data = buf_copy(SLICE_LITERAL("four"))};
        assert_int_equal(raft_propose(solo.raft, &entry, 1, NULL), OK);
        buf_unref(entry.data);
        sent += solo_ready(&solo)->message_count;
    }
    assert_int_equal(sent, 3);
    assert_int_equal(raft_tracker_find(&solo.raft->tracker, 2)->inflights.bytes, 12);
    solo_deinit(&solo);
}

static void messages_are_bounded_in_size(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_size_per_message = 2 * RAFT_ENTRY_OVERHEAD;
    struct solo solo;
    static const uint64_t many[] = {1, 1, 1, 1, 1, 1, 1};
    solo_init(&solo, &config, 2, 1, many, 7);
    solo_lead(&solo);
    struct message no = {.type = MSG_APP_RESP,
                         .from = 2,
                         .to = 1,
                         .term = 3,
                         .index = 7,
                         .reject = true,
                         .reject_hint = 0};
    assert_int_equal(raft_step(solo.raft, &no), OK);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_int_equal(ready->message_count, 1); /* a probe: one bounded message */
    assert_int_equal(ready->messages[0].index, 0);
    assert_int_equal(ready->messages[0].entry_count, 2);
    solo_deinit(&solo);
}

static void who_is_behind_the_log_gets_a_snapshot(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_isolate(group, 3, true);
    group_elect(group, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(group_propose(group, 1, "x"), OK);
        group_settle(group);
    }
    memlog_compact(&group->peers[1].log, group->peers[1].applied);
    group_isolate(group, 3, false);
    raft_tick(group_raft(group, 1));
    group_settle(group);
    assert_int_equal(group->peers[3].log.compacted.index, 6);
    assert_int_equal(group_raft(group, 3)->log.applied, 6);
    assert_int_equal(raft_tracker_find(&group_raft(group, 1)->tracker, 3)->state,
                     RAFT_PROGRESS_REPLICATE);
    group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_window_stops_the_stream_and_an_answer_opens_it),
        cmocka_unit_test(a_window_in_bytes_stops_the_stream_too),
        cmocka_unit_test(messages_are_bounded_in_size),
        cmocka_unit_test(who_is_behind_the_log_gets_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
