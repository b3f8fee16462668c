#include "fixture.h"
#include "raft/entries_int.h"

static void a_list_holds_a_reference_on_each_entry(void **state)
{
    (void)state;
    struct entry entry = {.data = buf_copy(SLICE_LITERAL("x"))};
    struct raft_entries list = {0};
    for (uint64_t index = 1; index <= 20; index++) {
        entry.pos.index = index;
        raft_entries_push(&list, &entry);
    }
    assert_int_equal(entry.data->ref_count, 21);
    raft_entries_truncate(&list, 15);
    raft_entries_drop_front(&list, 5);
    assert_int_equal(entry.data->ref_count, 11);
    assert_int_equal(list.items[0].pos.index, 6);
    assert_int_equal(list.items[9].pos.index, 15);
    raft_entries_deinit(&list);
    assert_int_equal(entry.data->ref_count, 1);
    buf_unref(entry.data);
}

static void an_entry_weighs_its_data_and_a_constant(void **state)
{
    (void)state;
    struct entry entry = {0};
    assert_int_equal(raft_entry_weight(&entry), RAFT_ENTRY_OVERHEAD);
    entry.data = buf_copy(SLICE_LITERAL("four"));
    assert_int_equal(raft_entry_weight(&entry), RAFT_ENTRY_OVERHEAD + 4);
    buf_unref(entry.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_holds_a_reference_on_each_entry),
        cmocka_unit_test(an_entry_weighs_its_data_and_a_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
