#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/deadlines.h"

static void they_come_due_in_order_however_they_were_added(void **state)
{
    (void)state;
    const uint64_t times[] = {50, 10, 50, 30, 90, 1};
    const uint64_t sorted[] = {1, 10, 30, 50, 50, 90};
    struct deadline deadlines[6];
    struct list list;
    list_init(&list);
    for (int i = 0; i < 6; i++) {
        deadlines[i].at_ms = times[i];
        deadline_add(&list, &deadlines[i]);
    }
    assert_null(deadline_due(&list, 0));
    for (int i = 0; i < 6; i++) {
        struct deadline *due = deadline_due(&list, 100);
        assert_non_null(due);
        assert_int_equal(due->at_ms, sorted[i]);
        assert_null(deadline_due(&list, sorted[i] - 1));
        list_remove(&due->link);
    }
    assert_true(list_is_empty(&list));
}

static void equal_deadlines_keep_the_order_of_arrival(void **state)
{
    (void)state;
    struct deadline first = {.at_ms = 5};
    struct deadline second = {.at_ms = 5};
    struct list list;
    list_init(&list);
    deadline_add(&list, &first);
    deadline_add(&list, &second);
    assert_ptr_equal(deadline_due(&list, 5), &first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_due_in_order_however_they_were_added),
        cmocka_unit_test(equal_deadlines_keep_the_order_of_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
