#include "fixture.h"
#include "raft/log.h"

/* Terms 1 2 2 3 3 at indexes 1 to 5 in the storage. */
struct setup {
    struct memlog memlog;
    struct raft_storage storage;
    struct raft_log log;
};

static void set_up(struct setup *setup, uint64_t max_applying_size)
{
    static const uint64_t log_terms[] = {1, 2, 2, 3, 3};
    *setup = (struct setup){0};
    memlog_fill(&setup->memlog, log_terms, 5);
    setup->storage = memlog_storage(&setup->memlog);
    raft_log_init(&setup->log, &setup->storage, max_applying_size);
}

static void tear_down(struct setup *setup)
{
    raft_log_deinit(&setup->log);
    raft_entries_deinit(&setup->memlog.entries);
}

static struct raft_pos at(uint64_t term, uint64_t index)
{
    return (struct raft_pos){.term = term, .index = index};
}

static void up_to_date_is_the_later_term_then_the_longer_log(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    assert_true(raft_log_is_up_to_date(&setup.log, at(3, 5)));
    assert_true(raft_log_is_up_to_date(&setup.log, at(4, 1)));
    assert_false(raft_log_is_up_to_date(&setup.log, at(3, 4)));
    assert_false(raft_log_is_up_to_date(&setup.log, at(2, 100)));
    tear_down(&setup);
}

static void a_hint_is_the_last_entry_of_no_later_term(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    struct raft_pos hint = raft_log_find_conflict(&setup.log, at(2, 5));
    assert_int_equal(hint.index, 3);
    assert_int_equal(hint.term, 2);
    hint = raft_log_find_conflict(&setup.log, at(9, 4));
    assert_int_equal(hint.index, 4);
    hint = raft_log_find_conflict(&setup.log, at(0, 5));
    assert_int_equal(hint.index, 0);
    memlog_compact(&setup.memlog, 3);
    hint = raft_log_find_conflict(&setup.log, at(1, 5)); /* not there any more: cannot know */
    assert_int_equal(hint.index, 2);
    assert_int_equal(hint.term, 0);
    tear_down(&setup);
}

static void an_append_needs_its_previous_entry(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    struct entry entry = make_entry(4, 6);
    assert_false(raft_log_try_append(&setup.log, at(2, 5), &entry, 1, 0));
    assert_false(raft_log_try_append(&setup.log, at(3, 6), &entry, 1, 0));
    assert_true(raft_log_try_append(&setup.log, at(3, 5), &entry, 1, 0));
    assert_int_equal(raft_log_last_index(&setup.log), 6);
    tear_down(&setup);
}

static void only_a_conflict_cuts_the_log(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    struct entry known = make_entry(2, 2);
    assert_true(raft_log_try_append(&setup.log, at(1, 1), &known, 1, 0));
    assert_int_equal(raft_log_last_index(&setup.log), 5); /* an old message cuts nothing off */
    struct entry other = make_entry(4, 4);
    assert_true(raft_log_try_append(&setup.log, at(2, 3), &other, 1, 0));
    assert_int_equal(raft_log_last_index(&setup.log), 4);
    tear_down(&setup);
}

static void reading_joins_the_stable_and_the_unstable_part_within_a_limit(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    struct entry more[2] = {make_entry(3, 6), make_entry(3, 7)};
    raft_log_append(&setup.log, more, 2);
    for (uint64_t limit = 0; limit <= 8; limit++) {
        struct raft_entries out = {0};
        uint64_t size_max = limit * RAFT_ENTRY_OVERHEAD;
        assert_int_equal(raft_log_entries(&setup.log, 2, size_max, &out), OK);
        uint64_t expected = limit == 0 ? 1 : limit > 6 ? 6 : limit;
        assert_int_equal(out.count, expected);
        for (uint32_t i = 0; i < out.count; i++) {
            assert_int_equal(out.items[i].pos.index, 2 + i);
        }
        raft_entries_deinit(&out);
    }
    tear_down(&setup);
}

static void what_is_compacted_is_said_to_be(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    memlog_compact(&setup.memlog, 3);
    struct raft_entries out = {0};
    uint64_t term = 0;
    assert_int_equal(raft_log_entries(&setup.log, 3, 1000, &out), ERR_COMPACTED);
    assert_int_equal(raft_log_term(&setup.log, 2, &term), ERR_COMPACTED);
    assert_int_equal(raft_log_term(&setup.log, 3, &term), OK);
    assert_int_equal(raft_log_term(&setup.log, 6, &term), ERR_UNAVAILABLE);
    raft_entries_deinit(&out);
    tear_down(&setup);
}

static void applying_is_paged_and_waits_for_what_is_under_way(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, 2 * RAFT_ENTRY_OVERHEAD);
    raft_log_commit_to(&setup.log, 5);
    struct raft_entries page = {0};
    raft_log_take_committed(&setup.log, false, &page);
    assert_int_equal(page.count, 2);
    assert_false(raft_log_has_committed(&setup.log, false));
    raft_entries_clear(&page);
    (void)raft_log_applied_to(&setup.log, 2);
    raft_log_take_committed(&setup.log, false, &page);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.items[0].pos.index, 3);
    assert_int_equal(setup.log.applying_size, 2 * RAFT_ENTRY_OVERHEAD);
    raft_entries_clear(&page);
    (void)raft_log_applied_to(&setup.log, 4);
    raft_log_take_committed(&setup.log, false, &page);
    assert_int_equal(page.count, 1);
    (void)raft_log_applied_to(&setup.log, 5);
    assert_int_equal(setup.log.applying_size, 0);
    raft_entries_deinit(&page);
    tear_down(&setup);
}

static void a_snapshot_does_not_lose_track_of_what_is_being_applied(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    raft_log_commit_to(&setup.log, 3);
    struct raft_entries page = {0};
    raft_log_take_committed(&setup.log, true, &page);
    struct snapshot snapshot = {.pos = at(4, 9)};
    raft_log_restore(&setup.log, &snapshot);
    assert_false(raft_log_has_committed(&setup.log, true));
    raft_unstable_snapshot_stable_to(&setup.log.unstable, 9);
    (void)raft_log_applied_to(&setup.log, 9);
    assert_int_equal(setup.log.applied, 9);
    (void)raft_log_applied_to(&setup.log, 3); /* the state machine's late answer */
    assert_int_equal(setup.log.applied, 9);
    assert_int_equal(setup.log.applying_size, 0);
    raft_entries_deinit(&page);
    tear_down(&setup);
}

static void a_committed_conf_change_is_found_until_it_is_applied(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, UINT64_MAX);
    setup.memlog.entries.items[3].type = ENTRY_CONF_CHANGE_V2;
    raft_log_commit_to(&setup.log, 3);
    assert_false(raft_log_has_unapplied_conf_change(&setup.log));
    raft_log_commit_to(&setup.log, 5);
    assert_true(raft_log_has_unapplied_conf_change(&setup.log));
    struct raft_entries page = {0};
    raft_log_take_committed(&setup.log, false, &page);
    raft_entries_deinit(&page);
    (void)raft_log_applied_to(&setup.log, 5);
    assert_false(raft_log_has_unapplied_conf_change(&setup.log));
    tear_down(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_date_is_the_later_term_then_the_longer_log),
        cmocka_unit_test(a_hint_is_the_last_entry_of_no_later_term),
        cmocka_unit_test(an_append_needs_its_previous_entry),
        cmocka_unit_test(only_a_conflict_cuts_the_log),
        cmocka_unit_test(reading_joins_the_stable_and_the_unstable_part_within_a_limit),
        cmocka_unit_test(what_is_compacted_is_said_to_be),
        cmocka_unit_test(applying_is_paged_and_waits_for_what_is_under_way),
        cmocka_unit_test(a_snapshot_does_not_lose_track_of_what_is_being_applied),
        cmocka_unit_test(a_committed_conf_change_is_found_until_it_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
