#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "main/bench_tally.h"

static void good_ones_have_times_and_bytes(void **state)
{
    (void)state;
    static struct bench_tally tally;
    main_bench_tally_add(&tally, 1000, 256);
    main_bench_tally_add(&tally, 2000, 256);
    assert_int_equal(tally.latency.count, 2);
    assert_int_equal(tally.bytes, 512);
    assert_int_equal(tally.failed, 0);
}

static void failures_are_counted_by_cause(void **state)
{
    (void)state;
    static struct bench_tally tally;
    main_bench_tally_fail(&tally, SLICE_LITERAL("503 No leader"));
    main_bench_tally_fail(&tally, SLICE_LITERAL("wrong value"));
    main_bench_tally_fail(&tally, SLICE_LITERAL("503 No leader"));
    assert_int_equal(tally.failed, 3);
    assert_int_equal(tally.latency.count, 0);
    assert_int_equal(tally.cause_count, 2);
    assert_string_equal(tally.causes[0].text, "503 No leader");
    assert_int_equal(tally.causes[0].count, 2);
    assert_int_equal(tally.causes[1].count, 1);
}

static void too_many_causes_are_one(void **state)
{
    (void)state;
    static struct bench_tally tally;
    for (int i = 0; i < 20; i++) {
        char text[200];
        snprintf(text, sizeof(text), "%d-%0100d", i, 0);
        main_bench_tally_fail(&tally, slice_from_text(text));
    }
    assert_int_equal(tally.failed, 20);
    assert_int_equal(tally.cause_count, BENCH_CAUSES_MAX);
    assert_int_equal(strlen(tally.causes[0].text), BENCH_CAUSE_SIZE - 1);
    assert_string_equal(tally.causes[BENCH_CAUSES_MAX - 1].text, "other");
    assert_int_equal(tally.causes[BENCH_CAUSES_MAX - 1].count, 20 - (BENCH_CAUSES_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_have_times_and_bytes),
        cmocka_unit_test(failures_are_counted_by_cause),
        cmocka_unit_test(too_many_causes_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
