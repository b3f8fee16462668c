#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/progress.h"

struct fixture {
    struct env *env;
    FILE *out;
    char *text;
    size_t size;
    struct progress progress;
};

static void start(struct fixture *f, const char *unit)
{
    *f = (struct fixture){.env = env_uv_open()};
    f->out = open_memstream(&f->text, &f->size);
    assert_non_null(f->out);
    main_progress_begin(&f->progress, f->env, f->out, "import", unit);
}

static void stop(struct fixture *f)
{
    (void)fclose(f->out);
    free(f->text);
    env_uv_close(f->env);
}

/* As if so much time had passed since it was begun, and it was time for a line. */
static void pass(struct fixture *f, uint64_t seconds)
{
    f->progress.begun_ns -= seconds * UINT64_C(1000000000);
    f->progress.next_ns = env_now_ns(f->env);
}

static void short_work_says_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, "keys");
    assert_false(f.progress.is_terminal);
    assert_true(f.progress.next_ns - f.progress.begun_ns == UINT64_C(10000000000));
    for (uint64_t i = 0; i < 1000; i++) {
        main_progress_tell(&f.progress, i, 1000);
    }
    main_progress_end(&f.progress);
    (void)fflush(f.out);
    assert_int_equal(f.size, 0);
    stop(&f);
}

static void long_work_says_a_line_now_and_then(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, "keys");
    pass(&f, 10);
    main_progress_tell(&f.progress, 5000, 20000);
    main_progress_tell(&f.progress, 5001, 20000);
    main_progress_end(&f.progress);
    (void)fflush(f.out);
    assert_string_equal(f.text, "import: 5000 of 20000 keys, 500/s, 10 s\n");
    stop(&f);
}

static void a_terminals_line_is_written_over(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, NULL);
    f.progress.is_terminal = true;
    pass(&f, 2);
    main_progress_tell(&f.progress, 7u << 20, 0);
    main_progress_end(&f.progress);
    main_progress_end(&f.progress);
    (void)fflush(f.out);
    assert_string_equal(f.text, "\r\033[Kimport: 7 MiB, 3/s, 2 s\r\033[K");
    assert_true(f.progress.next_ns - env_now_ns(f.env) <= UINT64_C(1000000000));
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_work_says_nothing),
        cmocka_unit_test(long_work_says_a_line_now_and_then),
        cmocka_unit_test(a_terminals_line_is_written_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
