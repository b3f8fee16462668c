#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "main/latency.h"

static void what_is_read_is_within_four_thousandths(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < UINT64_C(1000000000000); ns += 1 + ns / 27) {
        static struct latency latency;
        latency = (struct latency){0};
        main_latency_add(&latency, 0);
        main_latency_add(&latency, ns);
        main_latency_add(&latency, UINT64_MAX); /* or the extremes would be the answer */
        double read = (double)main_latency_quantile(&latency, 0.5);
        assert_true(fabs(read - (double)ns) <= (double)ns * 0.004);
    }
}

static void quantiles_are_ranks(void **state)
{
    (void)state;
    static struct latency latency;
    for (uint64_t i = 1; i <= 100; i++) {
        main_latency_add(&latency, i);
    }
    assert_int_equal(main_latency_quantile(&latency, 0.5), 50);
    assert_int_equal(main_latency_quantile(&latency, 0.99), 99);
    assert_int_equal(main_latency_quantile(&latency, 1), 100);
    assert_int_equal(main_latency_quantile(&latency, 0.001), 1);
    assert_int_equal(latency.count, 100);
    assert_int_equal(latency.min_ns, 1);
    assert_int_equal(latency.max_ns, 100);
}

static void quantiles_are_between_the_extremes(void **state)
{
    (void)state;
    static struct latency latency;
    main_latency_add(&latency, 1000001); /* not the middle of its bucket */
    assert_int_equal(main_latency_quantile(&latency, 0.5), 1000001);
    assert_int_equal(main_latency_quantile(&latency, 0.999), 1000001);
}

static void counts_are_up_to_a_time(void **state)
{
    (void)state;
    static struct latency latency;
    main_latency_add(&latency, 50);
    main_latency_add(&latency, 2000000);
    main_latency_add(&latency, 3000000);
    assert_int_equal(main_latency_count_to(&latency, 49), 0);
    assert_int_equal(main_latency_count_to(&latency, 50), 1);
    assert_int_equal(main_latency_count_to(&latency, 1900000), 1);
    assert_int_equal(main_latency_count_to(&latency, 2100000), 2);
    assert_int_equal(main_latency_count_to(&latency, UINT64_MAX), 3);
}

static void nothing_took_no_time(void **state)
{
    (void)state;
    static const struct latency latency;
    assert_int_equal(main_latency_quantile(&latency, 0.5), 0);
    assert_int_equal(main_latency_count_to(&latency, UINT64_MAX), 0);
}

static void what_is_too_long_counts_as_the_longest(void **state)
{
    (void)state;
    static struct latency latency;
    main_latency_add(&latency, 1);
    main_latency_add(&latency, UINT64_MAX);
    assert_true(main_latency_quantile(&latency, 1) > UINT64_C(3600) * 1000000000);
    assert_true(latency.max_ns == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_within_four_thousandths),
        cmocka_unit_test(quantiles_are_ranks),
        cmocka_unit_test(quantiles_are_between_the_extremes),
        cmocka_unit_test(counts_are_up_to_a_time),
        cmocka_unit_test(nothing_took_no_time),
        cmocka_unit_test(what_is_too_long_counts_as_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
