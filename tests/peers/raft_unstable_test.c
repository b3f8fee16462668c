/* The tail of the log that is not durable yet. More: tests/unit/raft/unstable_test.c. */
#include "network.h"

/* Entries from `offset` on with terms up to the first 0, and a snapshot (index 0: none). */
struct tail {
    uint64_t offset;
    uint64_t terms[4];
    struct raft_pos snapshot;
    uint64_t in_progress;
};

static void make(struct raft_unstable *unstable, const struct tail *tail)
{
    raft_unstable_init(unstable, tail->offset - 1);
    if (tail->snapshot.index > 0) {
        struct snapshot snapshot = {.pos = tail->snapshot};
        raft_unstable_restore(unstable, &snapshot);
        assert_int_equal(unstable->offset, tail->offset);
    }
    for (uint32_t i = 0; tail->terms[i] != 0; i++) {
        struct entry entry = make_entry(tail->terms[i], tail->offset + i);
        raft_unstable_append(unstable, &entry, 1);
    }
    if (tail->in_progress != 0) {
        unstable->in_progress = tail->in_progress;
    }
}

/*
 * peers: etcd/TestUnstableMaybeFirstIndex, raftrs/test_maybe_first_index,
 * etcd/TestMaybeLastIndex, raftrs/test_maybe_last_index
 */
static void the_tail_tells_where_the_log_begins_and_ends_if_it_knows(void **state)
{
    (void)state;
    static const struct {
        struct tail tail;
        uint64_t first;
        uint64_t last;
    } table[] = {
        {{5, {1}, {0, 0}, 0}, 1, 5}, /* the beginning is in the stable log */
        {{5, {0}, {0, 0}, 0}, 1, 4},
        {{5, {1}, {1, 4}, 0}, 5, 5},
        {{5, {0}, {1, 4}, 0}, 5, 4},
    };
    static const uint64_t stable[] = {1, 1, 1, 1};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct memlog memlog = {0};
        memlog_fill(&memlog, stable, 4);
        struct raft_storage storage = memlog_storage(&memlog);
        struct raft_log log;
        raft_log_init(&log, &storage, UINT64_MAX);
        raft_unstable_deinit(&log.unstable);
        make(&log.unstable, &table[i].tail);
        assert_int_equal(raft_log_first_index(&log), table[i].first);
        assert_int_equal(raft_log_last_index(&log), table[i].last);
        raft_log_deinit(&log);
        raft_entries_deinit(&memlog.entries);
    }
}

/* peers: etcd/TestUnstableMaybeTerm, raftrs/test_maybe_term */
static void the_tail_knows_the_terms_of_its_entries_and_of_its_snapshot(void **state)
{
    (void)state;
    static const struct {
        struct tail tail;
        uint64_t index;
        uint64_t term; /* 0: does not know */
    } table[] = {
        {{5, {1}, {0, 0}, 0}, 5, 1}, {{5, {1}, {0, 0}, 0}, 6, 0}, {{5, {1}, {0, 0}, 0}, 4, 0},
        {{5, {1}, {1, 4}, 0}, 5, 1}, {{5, {1}, {1, 4}, 0}, 6, 0}, {{5, {1}, {1, 4}, 0}, 4, 1},
        {{5, {1}, {1, 4}, 0}, 3, 0}, {{5, {0}, {1, 4}, 0}, 5, 0}, {{5, {0}, {1, 4}, 0}, 4, 1},
        {{1, {0}, {0, 0}, 0}, 5, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_unstable unstable;
        make(&unstable, &table[i].tail);
        uint64_t term = 0;
        bool known = raft_unstable_term(&unstable, table[i].index, &term);
        assert_int_equal(known, table[i].term != 0);
        assert_int_equal(term, table[i].term);
        raft_unstable_deinit(&unstable);
    }
}

/*
 * peers: etcd/TestUnstableRestore, raftrs/log_unstable/test_restore,
 * etcd/TestUnstableNextSnapshot, raftrs/test_stable_snapshot_and_entries
 */
static void a_new_snapshot_replaces_all_and_is_handed_out_once(void **state)
{
    (void)state;
    struct raft_unstable unstable;
    make(&unstable, &(struct tail){5, {1}, {1, 4}, 6});
    unstable.snapshot_in_progress = true;
    struct snapshot snapshot = {.pos = {.term = 2, .index = 6}};
    raft_unstable_restore(&unstable, &snapshot);
    assert_int_equal(unstable.offset, 7);
    assert_int_equal(unstable.in_progress, 7);
    assert_int_equal(unstable.entries.count, 0);
    assert_int_equal(raft_unstable_next_snapshot(&unstable)->pos.index, 6);
    raft_unstable_accept(&unstable);
    assert_null(raft_unstable_next_snapshot(&unstable));

    static const uint64_t terms[] = {2, 3};
    for (uint32_t i = 0; i < 2; i++) {
        struct entry entry = make_entry(terms[i], 7 + i);
        raft_unstable_append(&unstable, &entry, 1);
    }
    raft_unstable_snapshot_stable_to(&unstable, 6);
    assert_false(unstable.has_snapshot);
    assert_null(raft_unstable_next_snapshot(&unstable));
    raft_unstable_stable_to(&unstable, (struct raft_pos){.term = 3, .index = 8});
    assert_int_equal(unstable.entries.count, 0);
    assert_int_equal(unstable.offset, 9);
    raft_unstable_deinit(&unstable);
}

/*
 * peers: etcd/TestUnstableNextEntries, etcd/TestUnstableAcceptInProgress,
 * etcd/TestNextUnstableEnts, raftrs/test_unstable_ents
 */
static void entries_and_snapshot_are_handed_out_until_they_are_on_their_way(void **state)
{
    (void)state;
    for (uint64_t in_progress = 5; in_progress <= 7; in_progress++) {
        for (int with_snapshot = 0; with_snapshot <= 2; with_snapshot++) { /* 2: on its way */
            struct tail tail = {5, {1, 1}, {1, with_snapshot > 0 ? 4 : 0}, in_progress};
            struct raft_unstable unstable;
            make(&unstable, &tail);
            unstable.snapshot_in_progress = with_snapshot == 2;
            uint32_t count = 0;
            const struct entry *next = raft_unstable_next_entries(&unstable, &count);
            assert_int_equal(count, 7 - in_progress);
            assert_int_equal(next == NULL ? 7 : next->pos.index, in_progress);
            assert_int_equal(raft_unstable_next_snapshot(&unstable) != NULL, with_snapshot == 1);
            raft_unstable_accept(&unstable);
            assert_int_equal(unstable.in_progress, 7);
            assert_null(raft_unstable_next_entries(&unstable, &count));
            assert_null(raft_unstable_next_snapshot(&unstable));
            raft_unstable_stable_to(&unstable, (struct raft_pos){.term = 1, .index = 6});
            assert_int_equal(unstable.offset, 7);
            raft_unstable_deinit(&unstable);
        }
    }
}

/* peers: etcd/TestUnstableStableTo */
static void what_is_durable_leaves_the_tail_if_it_is_what_is_there(void **state)
{
    (void)state;
    static const struct {
        struct tail tail;
        struct raft_pos stable;
        uint64_t offset;
        uint64_t in_progress;
        uint32_t count;
    } table[] = {
        {{1, {0}, {0, 0}, 1}, {1, 5}, 1, 1, 0},    {{5, {1}, {0, 0}, 6}, {1, 5}, 6, 6, 0},
        {{5, {1, 1}, {0, 0}, 6}, {1, 5}, 6, 6, 1}, {{5, {1, 1}, {0, 0}, 7}, {1, 5}, 6, 7, 1},
        {{6, {2}, {0, 0}, 7}, {1, 6}, 6, 7, 1},    {{5, {1}, {0, 0}, 6}, {1, 4}, 5, 6, 1},
        {{5, {1}, {0, 0}, 6}, {2, 4}, 5, 6, 1},    {{5, {1}, {1, 4}, 6}, {1, 5}, 6, 6, 0},
        {{5, {1, 1}, {1, 4}, 6}, {1, 5}, 6, 6, 1}, {{5, {1, 1}, {1, 4}, 7}, {1, 5}, 6, 7, 1},
        {{6, {2}, {1, 5}, 7}, {1, 6}, 6, 7, 1},    {{5, {1}, {1, 4}, 6}, {1, 4}, 5, 6, 1},
        {{5, {2}, {2, 4}, 6}, {1, 4}, 5, 6, 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_unstable unstable;
        make(&unstable, &table[i].tail);
        raft_unstable_stable_to(&unstable, table[i].stable);
        assert_int_equal(unstable.offset, table[i].offset);
        assert_int_equal(unstable.in_progress, table[i].in_progress);
        assert_int_equal(unstable.entries.count, table[i].count);
        raft_unstable_deinit(&unstable);
    }
}

/* peers: etcd/TestUnstableTruncateAndAppend, raftrs/test_truncate_and_append */
static void appending_replaces_from_its_first_index_on(void **state)
{
    (void)state;
    static const struct {
        struct tail tail;
        uint64_t first;
        uint64_t terms[4];
        uint64_t offset;
        uint64_t in_progress;
        uint64_t after[5];
    } table[] = {
        {{5, {1}, {0, 0}, 5}, 6, {1, 1}, 5, 5, {1, 1, 1}},
        {{5, {1}, {0, 0}, 6}, 6, {1, 1}, 5, 6, {1, 1, 1}},
        {{5, {1}, {0, 0}, 5}, 5, {2, 2}, 5, 5, {2, 2}},
        {{5, {1}, {0, 0}, 5}, 4, {2, 2, 2}, 4, 4, {2, 2, 2}},
        {{5, {1}, {0, 0}, 6}, 5, {2, 2}, 5, 5, {2, 2}},
        {{5, {1, 1, 1}, {0, 0}, 5}, 6, {2}, 5, 5, {1, 2}},
        {{5, {1, 1, 1}, {0, 0}, 5}, 7, {2, 2}, 5, 5, {1, 1, 2, 2}},
        {{5, {1, 1, 1}, {0, 0}, 6}, 6, {2}, 5, 6, {1, 2}},
        {{5, {1, 1, 1}, {0, 0}, 7}, 6, {2}, 5, 6, {1, 2}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_unstable unstable;
        make(&unstable, &table[i].tail);
        struct entry entries[4];
        uint32_t count = 0;
        for (; count < 4 && table[i].terms[count] != 0; count++) {
            entries[count] = make_entry(table[i].terms[count], table[i].first + count);
        }
        raft_unstable_append(&unstable, entries, count);
        assert_int_equal(unstable.offset, table[i].offset);
        assert_int_equal(unstable.in_progress, table[i].in_progress);
        for (uint32_t n = 0; n < unstable.entries.count; n++) {
            assert_int_equal(unstable.entries.items[n].pos.index, table[i].offset + n);
            assert_int_equal(unstable.entries.items[n].pos.term, table[i].after[n]);
        }
        assert_int_equal(table[i].after[unstable.entries.count], 0);
        raft_unstable_deinit(&unstable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tail_tells_where_the_log_begins_and_ends_if_it_knows),
        cmocka_unit_test(the_tail_knows_the_terms_of_its_entries_and_of_its_snapshot),
        cmocka_unit_test(a_new_snapshot_replaces_all_and_is_handed_out_once),
        cmocka_unit_test(entries_and_snapshot_are_handed_out_until_they_are_on_their_way),
        cmocka_unit_test(what_is_durable_leaves_the_tail_if_it_is_what_is_there),
        cmocka_unit_test(appending_replaces_from_its_first_index_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
