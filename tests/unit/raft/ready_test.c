#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static void each_thing_is_handed_out_once(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    assert_int_equal(solo_ready(&solo)->committed_count, 1);
    assert_false(raft_has_ready(solo.raft));
    assert_int_equal(raft_campaign(solo.raft), OK);
    raft_ready(solo.raft, &solo.ready);
    assert_true(solo.ready.has_soft_state);
    assert_true(solo.ready.has_hard_state);
    assert_true(solo.ready.must_sync);
    assert_false(raft_has_ready(solo.raft));
    raft_ready(solo.raft, &solo.ready);
    assert_false(solo.ready.has_soft_state);
    assert_false(solo.ready.has_hard_state);
    assert_int_equal(solo.ready.after_persist_count, 0);
    solo_deinit(&solo);
}

static void what_a_ready_points_to_outlives_other_calls(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct entry entry = {.pos = {3, 4}, .data = buf_copy(SLICE_LITERAL("abc"))};
    struct message append = {.type = MSG_APP,
                             .from = 2,
                             .to = 1,
                             .term = 3,
                             .log_term = 2,
                             .index = 3,
                             .entries = &entry,
                             .entry_count = 1};
    assert_int_equal(raft_step(solo.raft, &append), OK);
    buf_unref(entry.data);
    struct raft_ready ready;
    raft_ready(solo.raft, &ready);
    entry = make_entry(5, 4); /* replaces it */
    append.term = 5;
    assert_int_equal(raft_step(solo.raft, &append), OK);
    assert_memory_equal(ready.entries[0].data->data, "abc", 3);
    assert_int_equal(ready.messages_after_persist[0].index, 4);
    solo_deinit(&solo);
}

static void only_the_commit_index_needs_no_sync(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    (void)solo_ready(&solo);
    struct message beat = {.type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = 2, .commit = 3};
    assert_int_equal(raft_step(solo.raft, &beat), OK);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_true(ready->has_hard_state);
    assert_false(ready->must_sync);
    assert_int_equal(ready->committed_count, 2);
    solo_deinit(&solo);
}

static void a_vote_in_a_term_that_is_durable_needs_a_sync(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    (void)solo_ready(&solo);
    struct message ask = {
        .type = MSG_VOTE, .from = 2, .to = 1, .term = 2, .log_term = 2, .index = 3};
    assert_int_equal(raft_step(solo.raft, &ask), OK);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_int_equal(ready->hard_state.vote, 2);
    assert_true(ready->must_sync);
    assert_int_equal(ready->after_persist_count, 1);
    assert_int_equal(ready->message_count, 0);
    solo_deinit(&solo);
}

static void entries_are_applied_only_when_durable_if_appends_are_asynchronous(void **state)
{
    (void)state;
    for (int async = 0; async <= 1; async++) {
        struct raft_config config = default_config();
        config.async_storage_writes = async == 1;
        struct solo solo;
        solo_init(&solo, &config, 2, 3, log_terms, 3);
        (void)solo_ready(&solo);
        struct entry entry = make_entry(2, 4);
        struct message append = {.type = MSG_APP,
                                 .from = 2,
                                 .to = 1,
                                 .term = 2,
                                 .log_term = 2,
                                 .index = 3,
                                 .commit = 4,
                                 .entries = &entry,
                                 .entry_count = 1};
        assert_int_equal(raft_step(solo.raft, &append), OK);
        const struct raft_ready *ready = solo_ready(&solo);
        assert_int_equal(ready->committed_count, async == 1 ? 0 : 1);
        assert_int_equal(raft_has_ready(solo.raft), async == 1);
        solo_deinit(&solo);
    }
}

static void committed_entries_come_in_pages_that_wait_for_each_other(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_committed_size_per_ready = 1;
    struct solo solo;
    solo_init(&solo, &config, 2, 3, log_terms, 3);
    for (uint64_t index = 1; index <= 3; index++) {
        raft_ready(solo.raft, &solo.ready);
        assert_int_equal(solo.ready.committed_count, 1);
        assert_int_equal(solo.ready.committed[0].pos.index, index);
        assert_false(raft_has_ready(solo.raft));
        raft_applied(solo.raft, index);
    }
    assert_false(raft_has_ready(solo.raft));
    solo_deinit(&solo);
}

static void a_restart_loses_no_page_of_committed_entries(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.conf.voters = ids_to(1);
    config.max_committed_size_per_ready = 1;
    config.applied = 1;
    struct solo solo;
    solo_init(&solo, &config, 2, 3, log_terms, 3);
    assert_int_equal(raft_campaign(solo.raft), OK);
    uint64_t applied = 1;
    while (raft_has_ready(solo.raft)) {
        const struct raft_ready *ready = solo_ready(&solo);
        for (uint32_t i = 0; i < ready->committed_count; i++) {
            applied++;
            assert_int_equal(ready->committed[i].pos.index, applied);
        }
    }
    assert_int_equal(applied, 4); /* the new term's entry does not overtake what is left */
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_thing_is_handed_out_once),
        cmocka_unit_test(what_a_ready_points_to_outlives_other_calls),
        cmocka_unit_test(only_the_commit_index_needs_no_sync),
        cmocka_unit_test(a_vote_in_a_term_that_is_durable_needs_a_sync),
        cmocka_unit_test(entries_are_applied_only_when_durable_if_appends_are_asynchronous),
        cmocka_unit_test(committed_entries_come_in_pages_that_wait_for_each_other),
        cmocka_unit_test(a_restart_loses_no_page_of_committed_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
