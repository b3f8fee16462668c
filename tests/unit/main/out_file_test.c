#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "env/uv.h"
#include "main/out_file.h"

struct fixture {
    struct env *env;
    char directory[64];
    char path[80];
    char tmp_path[80];
};

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->env = env_uv_open();
    snprintf(f->directory, sizeof(f->directory), "/tmp/pontoon-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof(f->path), "%s/a", f->directory);
    snprintf(f->tmp_path, sizeof(f->tmp_path), "%s/a.tmp", f->directory);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->path);
    assert_int_equal(rmdir(f->directory), 0); /* nothing else is left in it */
    env_uv_close(f->env);
    free(f);
    return 0;
}

static bool has_text(const char *path, const char *text)
{
    uint8_t bytes[64];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    return slice_equal((struct slice){bytes, size}, slice_from_text(text));
}

static void it_is_there_once_it_is_whole(void **state)
{
    struct fixture *f = *state;
    struct out_file *file;
    struct err_note note = {""};
    assert_int_equal(main_out_file_open(&file, f->env, f->path, &note), OK);
    assert_string_equal(main_out_file_name(file), f->path);
    assert_int_equal(main_out_file_put(file, SLICE_LITERAL("one ")), OK);
    assert_int_equal(main_out_file_put(file, SLICE_LITERAL("two")), OK);
    assert_int_not_equal(access(f->path, F_OK), 0);
    assert_int_equal(main_out_file_finish(file), OK);
    main_out_file_close(file);
    assert_true(has_text(f->path, "one two"));
}

static void one_that_is_not_finished_leaves_what_was_there(void **state)
{
    struct fixture *f = *state;
    struct out_file *file;
    struct err_note note = {""};
    assert_int_equal(main_out_file_open(&file, f->env, f->path, &note), OK);
    assert_int_equal(main_out_file_put(file, SLICE_LITERAL("old")), OK);
    assert_int_equal(main_out_file_finish(file), OK);
    main_out_file_close(file);
    assert_int_equal(main_out_file_open(&file, f->env, f->path, &note), OK);
    assert_int_equal(main_out_file_put(file, SLICE_LITERAL("new")), OK);
    assert_int_equal(access(f->tmp_path, F_OK), 0);
    main_out_file_close(file);
    assert_true(has_text(f->path, "old"));
}

static void a_place_that_is_not_there_is_told(void **state)
{
    struct fixture *f = *state;
    struct out_file *file;
    struct err_note note = {""};
    assert_int_equal(main_out_file_open(&file, f->env, "/nowhere/a", &note), ERR_NO_FILE);
    assert_int_not_equal(note.text[0], '\0');
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(it_is_there_once_it_is_whole),
        TEST(one_that_is_not_finished_leaves_what_was_there),
        TEST(a_place_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
