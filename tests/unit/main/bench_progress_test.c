#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "main/bench_progress.h"

/* What is printed in so many seconds of a phase, with ten requests in each; caller frees. */
static char *printed(bool is_terminal, enum bench_phase phase, int seconds)
{
    static struct bench_result result;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct bench_progress progress = {
        .out = out, .is_terminal = is_terminal, .keys = 500, .duration_ms = 9500};
    result = (struct bench_result){.phase = phase};
    main_bench_progress_begin(&progress);
    for (int i = 0; i < seconds; i++) {
        for (int j = 0; j < 10; j++) {
            main_bench_tally_add(&result.tallies[BENCH_OPERATION_PUT], 1, 1);
        }
        main_bench_progress_tick(&progress, &result);
    }
    main_bench_tally_fail(&result.tallies[BENCH_OPERATION_PUT], SLICE_LITERAL("why"));
    main_bench_progress_clear(&progress);
    fclose(out);
    return text;
}

static void a_terminal_has_one_line_a_second(void **state)
{
    (void)state;
    char *text = printed(true, BENCH_PUT, 2);
    assert_string_equal(text, "\r\033[Kput: 1 s of 10 s, 10/s\r\033[Kput: 2 s of 10 s, 10/s"
                              "\r\033[K");
    free(text);
}

static void a_file_has_a_line_now_and_then(void **state)
{
    (void)state;
    char *text = printed(false, BENCH_FILL, 12);
    assert_string_equal(text, "fill: 50 of 500 keys, 10/s\nfill: 100 of 500 keys, 10/s\n");
    free(text);
}

static void failures_are_told(void **state)
{
    (void)state;
    static struct bench_result result;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct bench_progress progress = {.out = out, .is_terminal = true, .duration_ms = 1000};
    main_bench_tally_fail(&result.tallies[BENCH_OPERATION_GET], SLICE_LITERAL("why"));
    result.phase = BENCH_GET;
    main_bench_progress_tick(&progress, &result);
    fclose(out);
    assert_string_equal(text, "\r\033[Kget: 1 s of 1 s, 0/s, 1 failed");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_has_one_line_a_second),
        cmocka_unit_test(a_file_has_a_line_now_and_then),
        cmocka_unit_test(failures_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
