#include "fixture.h"
#include "raft/unstable.h"

/* Entries of `term` from `first` on. */
static void append(struct raft_unstable *unstable, uint64_t term, uint64_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry = make_entry(term, first + i);
        raft_unstable_append(unstable, &entry, 1);
    }
}

static uint32_t pending(const struct raft_unstable *unstable)
{
    uint32_t count = 0;
    (void)raft_unstable_next_entries(unstable, &count);
    return count;
}

static void each_entry_is_handed_out_once(void **state)
{
    (void)state;
    struct raft_unstable unstable;
    raft_unstable_init(&unstable, 4);
    append(&unstable, 1, 5, 2);
    assert_int_equal(pending(&unstable), 2);
    raft_unstable_accept(&unstable);
    assert_int_equal(pending(&unstable), 0);
    append(&unstable, 1, 7, 1);
    assert_int_equal(pending(&unstable), 1);
    raft_unstable_deinit(&unstable);
}

static void replaced_entries_are_handed_out_anew(void **state)
{
    (void)state;
    struct raft_unstable unstable;
    raft_unstable_init(&unstable, 4);
    append(&unstable, 1, 5, 4);
    raft_unstable_accept(&unstable);
    append(&unstable, 2, 7, 1);
    assert_int_equal(raft_unstable_end(&unstable), 8);
    assert_int_equal(pending(&unstable), 1);
    raft_unstable_accept(&unstable);
    append(&unstable, 3, 3, 1); /* before the tail: what is stable there is replaced, too */
    assert_int_equal(unstable.offset, 3);
    assert_int_equal(pending(&unstable), 1);
    raft_unstable_deinit(&unstable);
}

static void only_the_very_entry_that_was_written_becomes_stable(void **state)
{
    (void)state;
    struct raft_unstable unstable;
    raft_unstable_init(&unstable, 4);
    append(&unstable, 2, 5, 3);
    raft_unstable_accept(&unstable);
    raft_unstable_stable_to(&unstable, (struct raft_pos){.term = 1, .index = 6}); /* ABA */
    assert_int_equal(unstable.entries.count, 3);
    raft_unstable_stable_to(&unstable, (struct raft_pos){.term = 2, .index = 9}); /* truncated */
    assert_int_equal(unstable.entries.count, 3);
    raft_unstable_stable_to(&unstable, (struct raft_pos){.term = 2, .index = 6});
    assert_int_equal(unstable.offset, 7);
    assert_int_equal(unstable.entries.count, 1);
    raft_unstable_stable_to(&unstable, (struct raft_pos){.term = 2, .index = 6}); /* again */
    assert_int_equal(unstable.entries.count, 1);
    raft_unstable_deinit(&unstable);
}

static void a_snapshot_replaces_the_tail_and_gives_its_term(void **state)
{
    (void)state;
    struct raft_unstable unstable;
    raft_unstable_init(&unstable, 4);
    append(&unstable, 1, 5, 2);
    struct snapshot snapshot = {.pos = {.term = 3, .index = 20},
                                .data = buf_copy(SLICE_LITERAL("s"))};
    raft_unstable_restore(&unstable, &snapshot);
    assert_int_equal(snapshot.data->ref_count, 2);
    uint64_t term = 0;
    assert_true(raft_unstable_term(&unstable, 20, &term));
    assert_int_equal(term, 3);
    assert_false(raft_unstable_term(&unstable, 21, &term));
    assert_non_null(raft_unstable_next_snapshot(&unstable));
    raft_unstable_accept(&unstable);
    assert_null(raft_unstable_next_snapshot(&unstable));
    raft_unstable_snapshot_stable_to(&unstable, 19);
    assert_true(unstable.has_snapshot);
    raft_unstable_snapshot_stable_to(&unstable, 20);
    assert_false(unstable.has_snapshot);
    assert_int_equal(snapshot.data->ref_count, 1);
    buf_unref(snapshot.data);
    raft_unstable_deinit(&unstable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_entry_is_handed_out_once),
        cmocka_unit_test(replaced_entries_are_handed_out_anew),
        cmocka_unit_test(only_the_very_entry_that_was_written_becomes_stable),
        cmocka_unit_test(a_snapshot_replaces_the_tail_and_gives_its_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
