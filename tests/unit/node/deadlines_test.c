#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "node/deadlines.h"

#define MANY 4096u

static void they_come_due_in_order_however_they_were_added(void **state)
{
    (void)state;
    const uint64_t times[] = {50, 10, 50, 30, 90, 1};
    const uint64_t sorted[] = {1, 10, 30, 50, 50, 90};
    struct deadline items[6] = {{0}};
    struct deadlines deadlines = {0};
    for (int i = 0; i < 6; i++) {
        items[i].at_ms = times[i];
        deadlines_add(&deadlines, &items[i]);
    }
    assert_null(deadlines_due(&deadlines, 0));
    for (int i = 0; i < 6; i++) {
        struct deadline *due = deadlines_due(&deadlines, 100);
        assert_non_null(due);
        assert_int_equal(due->at_ms, sorted[i]);
        assert_null(deadlines_due(&deadlines, sorted[i] - 1));
        deadlines_remove(&deadlines, due);
    }
    assert_null(deadlines_due(&deadlines, UINT64_MAX));
}

static void equal_deadlines_keep_the_order_of_arrival(void **state)
{
    (void)state;
    struct deadline items[9] = {{0}};
    struct deadlines deadlines = {0};
    for (size_t i = 0; i < ARRAY_COUNT(items); i++) {
        items[i].at_ms = 5;
        deadlines_add(&deadlines, &items[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(items); i++) {
        assert_ptr_equal(deadlines_due(&deadlines, 5), &items[i]);
        deadlines_remove(&deadlines, &items[i]);
    }
}

static void one_that_is_in_none_is_removed_without_harm(void **state)
{
    (void)state;
    struct deadline one = {.at_ms = 5};
    struct deadline other = {.at_ms = 6};
    struct deadlines deadlines = {0};
    deadlines_remove(&deadlines, &one);
    deadlines_add(&deadlines, &one);
    deadlines_add(&deadlines, &other);
    deadlines_remove(&deadlines, &one);
    deadlines_remove(&deadlines, &one);
    assert_ptr_equal(deadlines_due(&deadlines, 6), &other);
}

/* Most requests are answered long before: whatever is taken out, the rest stay in order. */
static void any_may_be_removed_at_any_time(void **state)
{
    (void)state;
    static struct deadline items[MANY];
    struct deadlines deadlines = {0};
    struct prng prng;
    prng_init(&prng, 7);
    for (size_t i = 0; i < MANY; i++) {
        items[i] = (struct deadline){.at_ms = 1 + prng_next(&prng) % 1000};
        deadlines_add(&deadlines, &items[i]);
        if (i % 3 == 2) {
            deadlines_remove(&deadlines, &items[prng_next(&prng) % i]);
        }
    }
    size_t left = 0;
    for (size_t i = 0; i < MANY; i++) {
        left += items[i].prev != NULL || deadlines.root == &items[i] ? 1 : 0;
    }
    const struct deadline *last = NULL;
    for (size_t i = 0; i < left; i++) {
        struct deadline *due = deadlines_due(&deadlines, 1000);
        assert_non_null(due);
        if (last != NULL) {
            assert_true(last->at_ms <= due->at_ms);
            assert_true(last->at_ms < due->at_ms || last->arrival < due->arrival);
        }
        last = due;
        deadlines_remove(&deadlines, due);
    }
    assert_null(deadlines.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_due_in_order_however_they_were_added),
        cmocka_unit_test(equal_deadlines_keep_the_order_of_arrival),
        cmocka_unit_test(one_that_is_in_none_is_removed_without_harm),
        cmocka_unit_test(any_may_be_removed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
