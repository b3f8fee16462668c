#include "fixture.h"
#include "raft/outbox.h"

static void a_message_owns_what_it_points_to(void **state)
{
    (void)state;
    struct raft_outbox outbox = {0};
    struct entry entry = {.data = buf_copy(SLICE_LITERAL("x"))};
    struct snapshot snapshot = {.pos = {1, 1}, .data = buf_ref(entry.data)};
    for (node_id to = 1; to <= 20; to++) {
        struct raft_entries entries = {0};
        raft_entries_push(&entries, &entry);
        struct message message = {.type = MSG_SNAP, .to = to, .snapshot = &snapshot};
        raft_outbox_push(&outbox, &message, &entries);
        assert_int_equal(entries.count, 0);
    }
    assert_int_equal(entry.data->ref_count, 42);
    assert_int_equal(outbox.messages[0].to, 1);
    assert_int_equal(outbox.messages[19].entry_count, 1);
    assert_ptr_not_equal(outbox.messages[19].snapshot, &snapshot);
    raft_outbox_clear(&outbox);
    assert_int_equal(entry.data->ref_count, 2);
    raft_outbox_deinit(&outbox);
    buf_unref(entry.data);
    buf_unref(entry.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_owns_what_it_points_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
