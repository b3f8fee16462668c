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
#include "main/export.h"
#include "main/import_source.h"

static bool count_record(void *ctx, const struct export_parser *parser)
{
    unsigned *count = ctx;
    (*count)++;
    assert_int_equal(parser->revision, 9);
    return true;
}

static void what_is_added_is_read_again(void **state)
{
    (void)state;
    char path[] = "/tmp/pontoon-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    struct env *env = env_uv_open();
    struct store_region region = {.revision = 9, .keys = 2};
    struct store_record record = {.value = SLICE_LITERAL("value")};
    struct err_note note = {""};
    struct export export;
    assert_int_equal(main_export_open(&export, env, path, &note), OK);
    main_export_add(&export, &region, SLICE_LITERAL("a"), &record);
    size_t size = export.lines.size;
    assert_int_equal(main_export_flush(&export, size + 1), OK);
    assert_int_equal(export.lines.size, size); /* not yet */
    assert_int_equal(main_export_flush(&export, size), OK);
    assert_int_equal(export.lines.size, 0);
    main_export_add(&export, &region, SLICE_LITERAL("b"), &record);
    assert_int_equal(main_export_end(&export, &region), OK);
    main_export_close(&export);
    struct import_source *source = NULL;
    unsigned count = 0;
    assert_int_equal(main_import_source_open(&source, path, &note), OK);
    assert_int_equal(main_import_source_each(source, count_record, &count, &note), OK);
    assert_int_equal(count, 2);
    main_import_source_close(source);
    (void)unlink(path);
    env_uv_close(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
