#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "latency.h"

static void what_is_read_is_within_a_percent(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < UINT64_C(1000000000000); ns += 1 + ns / 27) {
        static struct latency latency;
        latency = (struct latency){0};
        latency_add(&latency, ns);
        latency_add(&latency, UINT64_MAX); /* or the maximum would be the answer */
        double exact = (double)ns / 1000;
        double read = latency_quantile_us(&latency, 0.5);
        assert_true(fabs(read - exact) <= exact / 100);
    }
}

static void quantiles_are_ranks(void **state)
{
    (void)state;
    static struct latency latency;
    for (uint64_t i = 1; i <= 100; i++) {
        latency_add(&latency, i);
    }
    assert_true(latency_quantile_us(&latency, 0.5) == 0.050);
    assert_true(latency_quantile_us(&latency, 0.99) == 0.099);
    assert_true(latency_quantile_us(&latency, 1) == 0.100);
    assert_true(latency_quantile_us(&latency, 0.001) == 0.001);
    assert_int_equal(latency.count, 100);
    assert_int_equal(latency.max_ns, 100);
}

static void nothing_took_no_time(void **state)
{
    (void)state;
    static const struct latency latency;
    assert_true(latency_quantile_us(&latency, 0.5) == 0);
}

static void what_is_too_long_counts_as_the_longest(void **state)
{
    (void)state;
    static struct latency latency;
    latency_add(&latency, UINT64_MAX);
    assert_true(latency_quantile_us(&latency, 0.5) > 1e9);
    assert_true(latency.max_ns == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_within_a_percent),
        cmocka_unit_test(quantiles_are_ranks),
        cmocka_unit_test(nothing_took_no_time),
        cmocka_unit_test(what_is_too_long_counts_as_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
