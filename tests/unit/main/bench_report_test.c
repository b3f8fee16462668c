#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "main/bench_report.h"

#define MS UINT64_C(1000000)

/* Two seconds of mixed load: 100 puts of 1 to 100 ms, one get, three failures. */
static const struct bench_result *example(void)
{
    static struct bench_result result;
    result = (struct bench_result){
        .phase = BENCH_MIXED, .begin_ns = 5000 * MS, .end_ns = 7000 * MS, .cpu_seconds = 0.5};
    for (uint64_t i = 1; i <= 100; i++) {
        main_bench_tally_add(&result.tallies[BENCH_OPERATION_PUT], i * MS, 40000);
    }
    main_bench_tally_add(&result.tallies[BENCH_OPERATION_GET], 3 * MS, 40000);
    for (int i = 0; i < 3; i++) {
        main_bench_tally_fail(&result.tallies[BENCH_OPERATION_GET], SLICE_LITERAL("503 No leader"));
    }
    return &result;
}

static void assert_says(const struct bench_result *result, const char *words, bool is_said)
{
    struct writer out = {0};
    main_bench_report_text(result, &out);
    writer_u8(&out, '\0');
    if ((strstr((const char *)out.data, words) != NULL) != is_said) {
        fail_msg("\"%s\" %s in:\n%s", words, is_said ? "is not" : "is", (const char *)out.data);
    }
    writer_deinit(&out);
}

static void each_operation_has_its_figures(void **state)
{
    (void)state;
    const struct bench_result *result = example();
    assert_says(result, "mixed put 100 requests in 2.0 s: 50/s, 2.00 MB/s\n", true);
    assert_says(result, "min 1.000 ms, p50 49.9 ms", true);
    assert_says(result, "max 100.0 ms\n", true);
    assert_says(result, "mixed get 1 requests in 2.0 s: 0/s", true);
    assert_says(result, "failed: 3 times 503 No leader\n", true);
    assert_says(result, "delete", false);
    assert_says(result, "the tool itself", false);
}

static void the_histogram_has_a_row_a_bound(void **state)
{
    (void)state;
    const struct bench_result *result = example();
    assert_says(result, "<=      1 ms |                                        |   1.0 %\n", true);
    assert_says(result, "<=     10 ms |##                                      |   5.0 %\n", true);
    assert_says(result, "<=     50 ms |############                            |  30.0 %\n", true);
    assert_says(result, "<=    100 ms |####################                    |  50.0 %\n", true);
    assert_says(result, "<=    0.5 ms", false);
    assert_says(result, "<=    200 ms", false);
}

static void a_tool_that_was_busy_says_so(void **state)
{
    (void)state;
    struct bench_result *result = (struct bench_result *)(uintptr_t)example();
    result->cpu_seconds = 1.79;
    assert_says(result, "the tool itself", false);
    result->cpu_seconds = 1.81;
    assert_says(result, "the tool itself was the limit: it took 90 % of a core", true);
}

static double number(struct json_object *document, const char *name)
{
    struct json_object *value = NULL;
    assert_true(json_object_object_get_ex(document, name, &value));
    return json_object_get_double(value);
}

static void json_has_the_same(void **state)
{
    (void)state;
    struct json_object *document = main_bench_report_json(example());
    struct json_object *put = json_object_object_get(document, "put");
    struct json_object *get = json_object_object_get(document, "get");
    assert_string_equal(json_object_get_string(json_object_object_get(document, "phase")), "mixed");
    assert_true(number(document, "seconds") == 2);
    assert_true(number(document, "tool_cpu_share") == 0.25);
    assert_false(json_object_get_boolean(json_object_object_get(document, "is_tool_the_limit")));
    assert_true(number(put, "requests") == 100);
    assert_true(number(put, "rate") == 50);
    assert_true(number(put, "mb_per_second") == 2);
    assert_true(number(json_object_object_get(put, "latency_us"), "min") == 1000);
    assert_true(number(json_object_object_get(put, "latency_us"), "max") == 100000);
    assert_true(number(get, "failed") == 3);
    assert_true(number(json_object_object_get(get, "failures"), "503 No leader") == 3);
    struct json_object *rows = json_object_object_get(put, "histogram");
    double count = 0;
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        count += number(json_object_array_get_idx(rows, i), "count");
    }
    assert_true(count == 100);
    assert_null(json_object_object_get(document, "delete"));
    assert_int_equal(json_object_put(document), 1);
}

static void nothing_at_all_divides_by_nothing(void **state)
{
    (void)state;
    static const struct bench_result nothing = {.phase = BENCH_PUT};
    struct json_object *document = main_bench_report_json(&nothing);
    assert_true(number(document, "tool_cpu_share") == 0);
    assert_true(number(document, "tool_cpu_us_per_request") == 0);
    assert_int_equal(json_object_put(document), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_has_its_figures),
        cmocka_unit_test(the_histogram_has_a_row_a_bound),
        cmocka_unit_test(a_tool_that_was_busy_says_so),
        cmocka_unit_test(json_has_the_same),
        cmocka_unit_test(nothing_at_all_divides_by_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
