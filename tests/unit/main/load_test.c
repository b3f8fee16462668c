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
#include "main/load.h"

struct fixture {
    struct env *env;
    struct options options;
    struct err_note note;
    char path[64];
};

static int open_fixture(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.env = env_uv_open(), .path = "/tmp/pontoon-test-XXXXXX"};
    int file = mkstemp(fixture.path);
    assert_true(file >= 0);
    const char text[] = "id = 7\nmax-value-bytes = 64KiB\n";
    assert_int_equal(write(file, text, sizeof(text) - 1), sizeof(text) - 1);
    (void)close(file);
    main_options_init(&fixture.options);
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    main_options_deinit(&fixture->options);
    env_uv_close(fixture->env);
    (void)unlink(fixture->path);
    return 0;
}

static err load(struct fixture *f, const char *flag, const char *variable)
{
    const char *const words[] = {flag, variable, NULL};
    char *lists[3];
    memcpy(lists, words, sizeof(lists));
    return main_load(&f->options, f->env, 1, lists, lists + 1, &f->note);
}

static void the_file_is_read_and_the_environment_wins_over_it(void **state)
{
    struct fixture *f = *state;
    char flag[80];
    (void)snprintf(flag, sizeof(flag), "--config=%s", f->path);
    assert_int_equal(load(f, flag, "PONTOON_ID=3"), OK);
    assert_int_equal(f->options.id, 3);
    assert_int_equal(f->options.max_value_bytes, 65536);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, "--config=/nonexistent/a.conf", NULL), ERR_NO_FILE);
    assert_non_null(strstr(f->note.text, "/nonexistent/a.conf"));
}

static void a_file_that_is_too_large_is_no_file_of_settings(void **state)
{
    struct fixture *f = *state;
    char flag[80];
    (void)snprintf(flag, sizeof(flag), "--config=%s", f->path);
    assert_int_equal(truncate(f->path, LOAD_FILE_SIZE_MAX + 1), 0);
    assert_int_equal(load(f, flag, NULL), ERR_BAD_REQUEST);
    assert_non_null(strstr(f->note.text, "1 MiB"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(the_file_is_read_and_the_environment_wins_over_it),
        TEST(a_file_that_is_not_there_is_named),
        TEST(a_file_that_is_too_large_is_no_file_of_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
