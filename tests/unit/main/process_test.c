#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/process.h"

/* The value of metric `name` on its page. */
static double read_metric(const char *name)
{
    struct env *env = env_uv_open();
    struct metrics *metrics = metrics_new();
    struct writer out = {0};
    double value = -1;
    char pattern[64];
    main_process_add_metrics(metrics, env);
    metrics_render(metrics, &out);
    writer_u8(&out, 0);
    (void)snprintf(pattern, sizeof(pattern), "\n%s ", name);
    const char *found = strstr((const char *)out.data, pattern);
    assert_non_null(found);
    assert_int_equal(sscanf(found + strlen(pattern), "%lf", &value), 1);
    writer_deinit(&out);
    metrics_free(metrics);
    env_uv_close(env);
    return value;
}

static void the_process_is_measured(void **state)
{
    (void)state;
    double resident = read_metric("process_resident_memory_bytes");
    assert_true(resident >= 1 << 16);
    assert_true(read_metric("process_virtual_memory_bytes") >= resident);
    assert_true(read_metric("process_cpu_seconds_total") >= 0);
    assert_true(read_metric("process_start_time_seconds") > 1.6e9); /* after 2020 */
    assert_true(read_metric("process_max_fds") >= 3);
}

static void open_files_are_counted_without_the_counting(void **state)
{
    (void)state;
    double before = read_metric("process_open_fds");
    int file = dup(STDERR_FILENO);
    assert_true(file >= 0);
    assert_true(read_metric("process_open_fds") - before == 1.0);
    (void)close(file);
    assert_true(before >= 1);
}

static void a_limit_that_is_high_enough_stays(void **state)
{
    (void)state;
    double before = read_metric("process_max_fds");
    assert_true((double)main_process_raise_files(1) == before);
    assert_true((double)main_process_raise_files(UINT64_MAX) >= before);
    assert_true(read_metric("process_max_fds") >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_is_measured),
        cmocka_unit_test(open_files_are_counted_without_the_counting),
        cmocka_unit_test(a_limit_that_is_high_enough_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
