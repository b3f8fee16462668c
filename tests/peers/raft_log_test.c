/* The log as the core sees it: matching, appending, committing, handing out for applying. More:
 * tests/unit/raft/log_test.c. */
#include "base_testing.h"
#include "network.h"

struct setup {
    struct memlog memlog;
    struct raft_storage storage;
    struct raft_log log;
};

static struct raft_pos at(uint64_t term, uint64_t index)
{
    return (struct raft_pos){.term = term, .index = index};
}

/* A stable log after `compacted` with entries of these terms. */
static void set_up(struct setup *setup, struct raft_pos compacted, const uint64_t *terms,
                   uint32_t count)
{
    *setup = (struct setup){.memlog.compacted = compacted};
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry = make_entry(terms[i], compacted.index + 1 + i);
        raft_entries_push(&setup->memlog.entries, &entry);
    }
    setup->storage = memlog_storage(&setup->memlog);
    raft_log_init(&setup->log, &setup->storage, UINT64_MAX);
}

static void tear_down(struct setup *setup)
{
    raft_log_deinit(&setup->log);
    raft_entries_deinit(&setup->memlog.entries);
}

/* Fills entries from `first` on with terms up to the first 0. Their number. */
static uint32_t fill(struct entry *entries, uint64_t first, const uint64_t *terms)
{
    uint32_t count = 0;
    for (; terms[count] != 0; count++) {
        entries[count] = make_entry(terms[count], first + count);
    }
    return count;
}

static void append(struct setup *setup, uint64_t first, const uint64_t *terms)
{
    struct entry entries[8];
    uint32_t count = fill(entries, first, terms);
    raft_log_append(&setup->log, entries, count);
}

static void expect_log(const struct raft_log *log, uint64_t first, const uint64_t *terms)
{
    uint64_t index = first;
    for (; *terms != 0; terms++, index++) {
        assert_true(raft_log_matches(log, at(*terms, index)));
    }
    assert_int_equal(raft_log_last_index(log), index - 1);
}

static const uint64_t one_two_three[] = {1, 2, 3, 0};

/* peers: etcd/TestFindConflict, raftrs/test_find_conflict */
static void appending_replaces_from_the_first_entry_that_differs(void **state)
{
    (void)state;
    static const struct {
        uint64_t first;
        uint64_t terms[6];
        uint64_t replaced_from; /* 0: nothing is taken */
    } table[] = {
        {1, {0}, 0},       {1, {1, 2, 3}, 0},       {2, {2, 3}, 0},
        {3, {3}, 0},       {1, {1, 2, 3, 4, 4}, 4}, {2, {2, 3, 4, 5}, 4},
        {3, {3, 4, 4}, 4}, {4, {4, 4}, 4},          {1, {4, 4}, 1},
        {2, {1, 4, 4}, 2}, {3, {1, 2, 4, 4}, 3},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct setup setup;
        set_up(&setup, at(0, 0), one_two_three, 3);
        struct entry entries[8];
        uint32_t count = fill(entries, table[i].first, table[i].terms);
        struct raft_pos prev = at(table[i].first - 1, table[i].first - 1);
        assert_true(raft_log_try_append(&setup.log, prev, entries, count, 0));
        uint32_t taken = 0;
        (void)raft_unstable_next_entries(&setup.log.unstable, &taken);
        assert_int_equal(taken > 0, table[i].replaced_from > 0);
        if (taken > 0) {
            assert_int_equal(setup.log.unstable.offset, table[i].replaced_from);
        }
        tear_down(&setup);
    }
}

/* peers: etcd/TestFindConflictByTerm */
static void a_hint_goes_back_to_the_last_entry_of_no_later_term(void **state)
{
    (void)state;
    static const struct {
        bool is_compacted;
        struct raft_pos from;
        struct raft_pos hint;
    } table[] = {
        {false, {2, 100}, {0, 100}}, {false, {6, 5}, {5, 5}},  {false, {5, 5}, {5, 5}},
        {false, {4, 5}, {2, 2}},     {false, {2, 5}, {2, 2}},  {false, {1, 5}, {0, 0}},
        {false, {2, 1}, {2, 1}},     {false, {1, 1}, {0, 0}},  {false, {0, 0}, {0, 0}},
        {true, {3, 30}, {0, 30}},    {true, {9, 14}, {4, 14}}, {true, {4, 14}, {4, 14}},
        {true, {3, 14}, {3, 12}},    {true, {2, 14}, {0, 9}},  {true, {5, 11}, {3, 11}},
        {true, {5, 10}, {3, 10}},    {true, {3, 10}, {3, 10}}, {true, {2, 10}, {0, 9}},
        {true, {2, 9}, {0, 9}},      {true, {2, 4}, {0, 4}},   {true, {0, 0}, {0, 0}},
    };
    static const uint64_t whole[] = {2, 2, 5, 5, 5};
    static const uint64_t rest[] = {3, 3, 4, 4, 4};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct setup setup;
        bool is_compacted = table[i].is_compacted;
        set_up(&setup, is_compacted ? at(3, 10) : at(0, 0), is_compacted ? rest : whole, 5);
        struct raft_pos hint = raft_log_find_conflict(&setup.log, table[i].from);
        assert_int_equal(hint.index, table[i].hint.index);
        assert_int_equal(hint.term, table[i].hint.term);
        tear_down(&setup);
    }
}

/* peers: etcd/TestAppend, raftrs/test_append */
static void what_is_appended_lies_over_what_is_stable(void **state)
{
    (void)state;
    static const struct {
        uint64_t first;
        uint64_t terms[3];
        uint64_t log[4];
        uint64_t offset;
    } table[] = {
        {3, {0}, {1, 2}, 3},
        {3, {2}, {1, 2, 2}, 3},
        {1, {2}, {2}, 1},
        {2, {3, 3}, {1, 3, 3}, 2},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct setup setup;
        set_up(&setup, at(0, 0), one_two_three, 2);
        append(&setup, table[i].first, table[i].terms);
        expect_log(&setup.log, 1, table[i].log);
        assert_int_equal(setup.log.unstable.offset, table[i].offset);
        tear_down(&setup);
    }
}

/* One append to a log of terms 1 2 3, committed up to 1. */
struct attempt {
    struct raft_pos prev;
    uint64_t terms[4];
    uint64_t leader_commit;
    bool taken;
    uint64_t committed;
    uint64_t log[6];
};

/* peers: etcd/TestLogMaybeAppend, raftrs/test_log_maybe_append */
static void an_append_that_matches_is_taken_and_commits_what_was_compared(void **state)
{
    (void)state;
    /* The peers also replace what is committed, and panic: with us must_10 in
     * tests/unit/raft/must_haves_test.c. */
    static const struct attempt table[] = {
        {{2, 3}, {4}, 3, false, 1, {1, 2, 3}},   {{3, 4}, {4}, 3, false, 1, {1, 2, 3}},
        {{3, 3}, {0}, 3, true, 3, {1, 2, 3}},    {{3, 3}, {0}, 4, true, 3, {1, 2, 3}},
        {{3, 3}, {0}, 2, true, 2, {1, 2, 3}},    {{3, 3}, {0}, 0, true, 1, {1, 2, 3}},
        {{3, 3}, {4}, 3, true, 3, {1, 2, 3, 4}}, {{3, 3}, {4}, 4, true, 4, {1, 2, 3, 4}},
        {{3, 3}, {4}, 5, true, 4, {1, 2, 3, 4}}, {{3, 3}, {4, 4}, 5, true, 5, {1, 2, 3, 4, 4}},
        {{2, 2}, {4}, 3, true, 3, {1, 2, 4}},    {{1, 1}, {4}, 3, true, 2, {1, 4}},
        {{1, 1}, {4, 4}, 3, true, 3, {1, 4, 4}}, {{1, 1}, {2, 4, 4}, 5, true, 4, {1, 2, 4, 4}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        const struct attempt *row = &table[i];
        struct setup setup;
        set_up(&setup, at(0, 0), one_two_three, 3);
        raft_log_commit_to(&setup.log, 1);
        struct entry entries[8];
        uint32_t count = fill(entries, row->prev.index + 1, row->terms);
        bool taken = raft_log_try_append(&setup.log, row->prev, entries, count, row->leader_commit);
        assert_int_equal(taken, row->taken);
        assert_int_equal(setup.log.committed, row->committed);
        expect_log(&setup.log, 1, row->log);
        tear_down(&setup);
    }
}

/*
 * peers: etcd/TestCompactionSideEffects, raftrs/test_compaction_side_effects,
 * etcd/TestCompaction, raftrs/test_compaction
 */
static void a_log_goes_on_after_its_beginning_is_compacted(void **state)
{
    (void)state;
    static uint64_t terms[750];
    for (uint64_t i = 0; i < 750; i++) {
        terms[i] = i + 1;
    }
    struct setup setup;
    set_up(&setup, at(0, 0), terms, 750);
    for (uint64_t index = 751; index <= 1000; index++) {
        struct entry entry = make_entry(index, index);
        raft_log_append(&setup.log, &entry, 1);
    }
    assert_true(raft_log_maybe_commit(&setup.log, at(1000, 1000)));
    static const uint64_t cuts[] = {300, 500};
    for (size_t i = 0; i < ARRAY_COUNT(cuts); i++) {
        memlog_compact(&setup.memlog, cuts[i]);
        assert_int_equal(raft_log_first_index(&setup.log), cuts[i] + 1);
        assert_int_equal(raft_log_last_index(&setup.log), 1000);
        struct raft_entries all = {0};
        assert_int_equal(raft_log_entries(&setup.log, cuts[i] + 1, UINT64_MAX, &all), OK);
        assert_int_equal(all.count, 1000 - cuts[i]);
        raft_entries_deinit(&all);
        for (uint64_t index = cuts[i]; index <= 1000; index++) {
            assert_true(raft_log_matches(&setup.log, at(index, index)));
        }
    }
    uint32_t count = 0;
    const struct entry *next = raft_unstable_next_entries(&setup.log.unstable, &count);
    assert_int_equal(count, 250);
    assert_int_equal(next[0].pos.index, 751);
    struct entry more = make_entry(1001, 1001);
    raft_log_append(&setup.log, &more, 1);
    assert_int_equal(raft_log_last_index(&setup.log), 1001);
    tear_down(&setup);
}

/* After a snapshot at 3: entry 4 stable, 5 and 6 not, committed up to 5. */
static void set_up_applying(struct setup *setup, uint64_t applied, uint64_t applying)
{
    static const uint64_t more[] = {1, 1, 0};
    set_up(setup, at(1, 3), (const uint64_t[]){1}, 1);
    append(setup, 5, more);
    assert_true(raft_log_maybe_commit(&setup->log, at(1, 5)));
    (void)raft_log_applied_to(&setup->log, applied);
    setup->log.applying = applying;
}

/*
 * peers: etcd/TestHasNextCommittedEnts, etcd/TestNextCommittedEnts,
 * raftrs/test_has_next_ents_and_next_ents
 */
static void what_is_committed_goes_out_once_and_durable_only_if_asked(void **state)
{
    (void)state;
    for (uint64_t applied = 3; applied <= 5; applied++) {
        for (uint64_t applying = applied; applying <= 5; applying++) {
            for (int unstable = 0; unstable <= 1; unstable++) {
                struct setup setup;
                set_up_applying(&setup, applied, applying);
                uint64_t end = unstable == 1 ? 5 : 4;
                uint64_t count = end > applying ? end - applying : 0;
                assert_int_equal(raft_log_has_committed(&setup.log, unstable == 1), count > 0);
                struct raft_entries out = {0};
                raft_log_take_committed(&setup.log, unstable == 1, &out);
                assert_int_equal(out.count, count);
                if (count > 0) {
                    assert_int_equal(out.items[0].pos.index, applying + 1);
                }
                assert_false(raft_log_has_committed(&setup.log, unstable == 1));
                raft_entries_deinit(&out);
                tear_down(&setup);
            }
        }
    }
}

/* Two more rows of the same tests. */
static void nothing_goes_out_while_paused_or_before_a_snapshot_is_installed(void **state)
{
    (void)state;
    struct setup setup;
    set_up_applying(&setup, 3, 3);
    assert_true(raft_log_has_committed(&setup.log, true));
    setup.log.applying_paused = true;
    assert_false(raft_log_has_committed(&setup.log, true));
    setup.log.applying_paused = false;
    struct snapshot snapshot = {.pos = at(1, 6)};
    raft_log_restore(&setup.log, &snapshot);
    assert_false(raft_log_has_committed(&setup.log, true));
    tear_down(&setup);
}

/* peers: etcd/TestAcceptApplying, etcd/TestAppliedTo */
static void applying_pauses_at_its_limit_until_a_whole_batch_is_through(void **state)
{
    (void)state;
    for (uint64_t limit = 1; limit <= 3; limit++) { /* in entries */
        struct setup setup;
        set_up_applying(&setup, 3, 3);
        setup.log.max_applying_size = limit * RAFT_ENTRY_OVERHEAD;
        struct raft_entries out = {0};
        raft_log_take_committed(&setup.log, true, &out);
        assert_int_equal(out.count, limit < 2 ? limit : 2);
        assert_int_equal(setup.log.applying, 3 + out.count);
        assert_int_equal(setup.log.applying_size, out.count * RAFT_ENTRY_OVERHEAD);
        assert_int_equal(setup.log.applying_paused, limit < 3);
        (void)raft_log_applied_to(&setup.log, 4);
        bool is_through = out.count == 1;
        assert_int_equal(setup.log.applied, 4);
        assert_int_equal(setup.log.applying_size, is_through ? 0 : 2 * RAFT_ENTRY_OVERHEAD);
        assert_int_equal(setup.log.applying_paused, !is_through && limit < 3);
        (void)raft_log_applied_to(&setup.log, 3 + out.count);
        assert_int_equal(setup.log.applying_size, 0);
        assert_false(setup.log.applying_paused);
        raft_entries_deinit(&out);
        tear_down(&setup);
    }
}

static void commit_beyond_the_log(void)
{
    struct setup setup;
    set_up(&setup, at(0, 0), one_two_three, 3);
    raft_log_commit_to(&setup.log, 4);
}

/* peers: etcd/TestCommitTo, raftrs/test_commit_to */
static void the_commit_index_goes_forward_and_not_beyond_the_log(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, at(0, 0), one_two_three, 3);
    raft_log_commit_to(&setup.log, 2);
    raft_log_commit_to(&setup.log, 1);
    assert_int_equal(setup.log.committed, 2);
    raft_log_commit_to(&setup.log, 3);
    assert_int_equal(setup.log.committed, 3);
    tear_down(&setup);
    static struct death death;
    death_of(commit_beyond_the_log, &death);
    assert_true(WIFSIGNALED(death.status));
    assert_non_null(strstr(death.text, "assert failed"));
}

/* peers: etcd/TestStableTo, etcd/TestStableToWithSnap, raftrs/test_maybe_persist_with_snap */
static void only_an_entry_that_is_there_becomes_stable(void **state)
{
    (void)state;
    static const struct {
        struct raft_pos start;
        uint64_t terms[3]; /* unstable, after `start` */
        struct raft_pos stable;
        uint64_t offset;
    } table[] = {
        {{0, 0}, {1, 2}, {1, 1}, 2}, {{0, 0}, {1, 2}, {2, 2}, 3}, {{0, 0}, {1, 2}, {1, 2}, 1},
        {{0, 0}, {1, 2}, {1, 3}, 1}, {{2, 5}, {0}, {2, 6}, 6},    {{2, 5}, {0}, {2, 5}, 6},
        {{2, 5}, {0}, {2, 4}, 6},    {{2, 5}, {0}, {3, 6}, 6},    {{2, 5}, {0}, {3, 5}, 6},
        {{2, 5}, {0}, {3, 4}, 6},    {{2, 5}, {2}, {2, 6}, 7},    {{2, 5}, {2}, {2, 5}, 6},
        {{2, 5}, {2}, {2, 4}, 6},    {{2, 5}, {2}, {3, 6}, 6},    {{2, 5}, {2}, {3, 5}, 6},
        {{2, 5}, {2}, {3, 4}, 6},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct setup setup;
        set_up(&setup, table[i].start, NULL, 0);
        append(&setup, table[i].start.index + 1, table[i].terms);
        raft_unstable_stable_to(&setup.log.unstable, table[i].stable);
        assert_int_equal(setup.log.unstable.offset, table[i].offset);
        tear_down(&setup);
    }
}

/* peers: etcd/TestLogRestore, raftrs/test_log_restore */
static void a_log_begins_after_its_snapshot(void **state)
{
    (void)state;
    struct setup setup;
    static const uint64_t terms[] = {1000, 1001};
    for (uint32_t count = 0; count <= 2; count++) {
        set_up(&setup, at(1000, 1000), terms, count);
        assert_int_equal(raft_log_first_index(&setup.log), 1001);
        assert_int_equal(raft_log_last_index(&setup.log), 1000 + count);
        assert_int_equal(setup.log.committed, 1000);
        assert_int_equal(setup.log.unstable.offset, 1001 + count);
        assert_true(raft_log_matches(&setup.log, at(1000, 1000)));
        tear_down(&setup);
    }
}

static void expect_term(const struct raft_log *log, uint64_t index, err expected, uint64_t term)
{
    uint64_t found = 0;
    assert_int_equal(raft_log_term(log, index, &found), expected);
    assert_int_equal(found, term);
}

/*
 * peers: etcd/TestTerm, raftrs/test_term, etcd/TestTermWithUnstableSnapshot,
 * raftrs/test_term_with_unstable_snapshot
 */
static void a_term_is_known_from_the_snapshot_to_the_end(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, at(1, 100), NULL, 0);
    for (uint64_t i = 1; i < 100; i++) {
        struct entry entry = make_entry(i, 100 + i);
        raft_log_append(&setup.log, &entry, 1);
    }
    expect_term(&setup.log, 99, ERR_COMPACTED, 0);
    expect_term(&setup.log, 100, OK, 1);
    expect_term(&setup.log, 150, OK, 50);
    expect_term(&setup.log, 199, OK, 99);
    expect_term(&setup.log, 200, ERR_UNAVAILABLE, 0);
    tear_down(&setup);

    set_up(&setup, at(1, 100), NULL, 0);
    struct snapshot snapshot = {.pos = at(1, 105)};
    raft_log_restore(&setup.log, &snapshot);
    assert_int_equal(setup.log.committed, 105);
    expect_term(&setup.log, 100, ERR_COMPACTED, 0);
    expect_term(&setup.log, 101, ERR_COMPACTED, 0);
    expect_term(&setup.log, 104, ERR_COMPACTED, 0);
    expect_term(&setup.log, 105, OK, 1);
    expect_term(&setup.log, 106, ERR_UNAVAILABLE, 0);
    tear_down(&setup);
}

/* peers: etcd/TestSlice, raftrs/test_slice, etcd/TestIsOutOfBounds, raftrs/test_is_outofbounds */
static void reading_crosses_from_stable_to_unstable_within_its_limit(void **state)
{
    (void)state;
    struct setup setup;
    static uint64_t terms[49];
    for (uint64_t i = 0; i < 49; i++) {
        terms[i] = 101 + i;
    }
    set_up(&setup, at(100, 100), terms, 49); /* 101 to 149 stable, 150 to 199 not */
    for (uint64_t index = 150; index < 200; index++) {
        struct entry entry = make_entry(index, index);
        raft_log_append(&setup.log, &entry, 1);
    }
    static const struct {
        uint64_t low;
        uint64_t limit; /* in entries */
        err result;
        uint32_t count;
    } table[] = {
        {99, 1000, ERR_COMPACTED, 0},
        {100, 1000, ERR_COMPACTED, 0},
        {101, 1000, OK, 99},
        {149, 0, OK, 1},
        {149, 1, OK, 1},
        {149, 2, OK, 2},
        {149, 3, OK, 3},
        {150, 0, OK, 1},
        {150, 1000, OK, 50},
        {140, 9, OK, 9},
        {140, 10, OK, 10},
        {140, 11, OK, 11},
        {199, 1000, OK, 1},
        {200, 1000, OK, 0},
        {201, 1000, OK, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_entries out = {0};
        uint64_t size_max = table[i].limit * RAFT_ENTRY_OVERHEAD;
        err e = raft_log_entries(&setup.log, table[i].low, size_max, &out);
        assert_int_equal(e, table[i].result);
        assert_int_equal(out.count, table[i].count);
        for (uint32_t n = 0; n < out.count; n++) {
            assert_int_equal(out.items[n].pos.index, table[i].low + n);
            assert_int_equal(out.items[n].pos.term, table[i].low + n);
        }
        raft_entries_deinit(&out);
    }
    tear_down(&setup);
}

static void restore_what_is_committed(void)
{
    struct setup setup;
    set_up(&setup, at(1, 205), NULL, 0);
    struct snapshot snapshot = {.pos = at(1, 204)};
    raft_log_restore(&setup.log, &snapshot);
}

/* peers: raftrs/test_restore_snap */
static void a_snapshot_over_a_longer_log_leaves_nothing_of_it(void **state)
{
    (void)state;
    struct setup setup;
    set_up(&setup, at(1, 100), NULL, 0);
    struct snapshot snapshot = {.pos = at(1, 200)};
    raft_log_restore(&setup.log, &snapshot);
    assert_int_equal(setup.log.committed, 200);
    for (uint64_t index = 201; index < 210; index++) {
        struct entry entry = make_entry(1, index);
        raft_log_append(&setup.log, &entry, 1);
    }
    snapshot.pos = at(1, 205);
    raft_log_restore(&setup.log, &snapshot);
    assert_int_equal(setup.log.committed, 205);
    assert_int_equal(raft_log_last_index(&setup.log), 205);
    raft_unstable_stable_to(&setup.log.unstable, at(1, 209)); /* late: they are none any more */
    assert_int_equal(setup.log.unstable.offset, 206);
    struct entry hidden = make_entry(1, 101); /* what the storage still has */
    raft_entries_push(&setup.memlog.entries, &hidden);
    struct raft_entries out = {0};
    assert_int_equal(raft_log_entries(&setup.log, 101, 0, &out), ERR_COMPACTED);
    tear_down(&setup);
    static struct death death;
    death_of(restore_what_is_committed, &death);
    assert_true(WIFSIGNALED(death.status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_replaces_from_the_first_entry_that_differs),
        cmocka_unit_test(a_hint_goes_back_to_the_last_entry_of_no_later_term),
        cmocka_unit_test(what_is_appended_lies_over_what_is_stable),
        cmocka_unit_test(an_append_that_matches_is_taken_and_commits_what_was_compared),
        cmocka_unit_test(a_log_goes_on_after_its_beginning_is_compacted),
        cmocka_unit_test(what_is_committed_goes_out_once_and_durable_only_if_asked),
        cmocka_unit_test(nothing_goes_out_while_paused_or_before_a_snapshot_is_installed),
        cmocka_unit_test(applying_pauses_at_its_limit_until_a_whole_batch_is_through),
        cmocka_unit_test(the_commit_index_goes_forward_and_not_beyond_the_log),
        cmocka_unit_test(only_an_entry_that_is_there_becomes_stable),
        cmocka_unit_test(a_log_begins_after_its_snapshot),
        cmocka_unit_test(a_term_is_known_from_the_snapshot_to_the_end),
        cmocka_unit_test(reading_crosses_from_stable_to_unstable_within_its_limit),
        cmocka_unit_test(a_snapshot_over_a_longer_log_leaves_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
