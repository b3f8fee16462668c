#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/log_age.h"

#define AGE_MS 31000u

static void nothing_is_old_at_first(void **state)
{
    (void)state;
    struct log_age age = {.count = 0};
    assert_int_equal(log_age_older(&age, 1000000, AGE_MS, 500), 0);
    assert_int_equal(log_age_older(&age, 1000000 + AGE_MS, AGE_MS, 600), 0);
    assert_int_equal(log_age_older(&age, 1000000 + AGE_MS + 1, AGE_MS, 600), 500);
}

/* One entry each 10 ms, looked at each 100 ms. */
static void what_is_old_is_told_late_by_a_share_of_the_age_and_never_early(void **state)
{
    (void)state;
    struct log_age age = {.count = 0};
    for (uint64_t now_ms = 0; now_ms < 10 * AGE_MS; now_ms += 100) {
        uint64_t older = log_age_older(&age, now_ms, AGE_MS, now_ms / 10);
        uint64_t exact = now_ms < AGE_MS ? 0 : (now_ms - AGE_MS) / 10;
        uint64_t late = (AGE_MS / (LOG_AGE_MARKS - 1) + 200) / 10;
        assert_true(older <= exact);
        assert_true(older + late >= exact);
    }
}

static void after_a_long_pause_all_that_was_there_is_old(void **state)
{
    (void)state;
    struct log_age age = {.count = 0};
    for (uint64_t now_ms = 0; now_ms < AGE_MS; now_ms += 500) {
        assert_int_equal(log_age_older(&age, now_ms, AGE_MS, 100 + now_ms), 0);
    }
    assert_in_range(log_age_older(&age, 10 * AGE_MS, AGE_MS, 200000), 100 + AGE_MS - 2000,
                    100 + AGE_MS);
}

/* As short an age as can be: no step between marks. */
static void an_age_below_the_number_of_marks_works(void **state)
{
    (void)state;
    struct log_age age = {.count = 0};
    for (uint64_t now_ms = 0; now_ms < 100; now_ms++) {
        uint64_t older = log_age_older(&age, now_ms, 1, now_ms);
        assert_int_equal(older, now_ms < 2 ? 0 : now_ms - 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_old_at_first),
        cmocka_unit_test(what_is_old_is_told_late_by_a_share_of_the_age_and_never_early),
        cmocka_unit_test(after_a_long_pause_all_that_was_there_is_old),
        cmocka_unit_test(an_age_below_the_number_of_marks_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
