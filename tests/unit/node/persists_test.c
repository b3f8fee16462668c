#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "node/persists.h"

static void records_leave_in_order_once_their_ticket_is_durable(void **state)
{
    (void)state;
    struct persists persists;
    struct message messages[] = {
        {.type = MSG_APP_RESP, .to = 2, .index = 5},
        {.type = MSG_APP_RESP, .to = 1, .index = 5},
    };
    struct raft_ready ready = {
        .messages_after_persist = messages,
        .after_persist_count = 2,
        .has_mark = true,
        .mark = {.term = 3, .last = {.term = 3, .index = 5}},
    };
    struct raft_ready without = {.has_mark = false};
    persists_init(&persists);
    assert_true(persists_is_empty(&persists));
    persists_push(&persists, 7, &ready);
    persists_push(&persists, 7, &without);
    persists_push(&persists, 9, &without);
    messages[0].index = 0; /* what was pushed is a copy */
    assert_null(persists_pop(&persists, 6));
    struct persist *record = persists_pop(&persists, 8);
    assert_non_null(record);
    assert_int_equal(record->message_count, 2);
    assert_int_equal(record->messages[0].index, 5);
    assert_int_equal(record->mark.last.index, 5);
    assert_true(record->has_mark);
    mem_free(record);
    record = persists_pop(&persists, 8);
    assert_non_null(record);
    assert_false(record->has_mark);
    mem_free(record);
    assert_null(persists_pop(&persists, 8));
    assert_false(persists_is_empty(&persists));
    persists_deinit(&persists);
    assert_true(persists_is_empty(&persists));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_leave_in_order_once_their_ticket_is_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
