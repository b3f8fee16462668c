#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "main/import_source.h"

struct fixture {
    char path[64];
    struct writer bytes;
    struct err_note note;
    unsigned records;
    unsigned wanted; /* then it stops */
};

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct export_sums sums = {0};
    struct store_region region = {.revision = 7, .keys = 3};
    struct store_record record = {.value = SLICE_LITERAL("value")};
    api_export_put_head(&sums, &region, &f->bytes);
    api_export_put_record(&sums, SLICE_LITERAL("a"), &record, &f->bytes);
    uint8_t *large = calloc(1, 1u << 20);
    record.value = (struct slice){large, 1u << 20}; /* more than a block */
    api_export_put_record(&sums, SLICE_LITERAL("b"), &record, &f->bytes);
    free(large);
    record.value = SLICE_EMPTY;
    api_export_put_record(&sums, SLICE_LITERAL("c"), &record, &f->bytes);
    api_export_put_end(&sums, &f->bytes);
    f->wanted = 100;
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    (void)unlink(f->path);
    writer_deinit(&f->bytes);
    free(f);
    return 0;
}

/* The first `size` bytes into the file. */
static void put_file(struct fixture *f, size_t size)
{
    snprintf(f->path, sizeof(f->path), "/tmp/pontoon-test-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, f->bytes.data, size), (ssize_t)size);
    (void)close(fd);
}

static bool on_record(void *ctx, const struct export_parser *parser)
{
    struct fixture *f = ctx;
    f->records++;
    assert_int_equal(parser->sums.records, f->records);
    return f->records < f->wanted;
}

static void every_record_is_handed_out(void **state)
{
    struct fixture *f = *state;
    struct import_source *source;
    put_file(f, f->bytes.size);
    assert_int_equal(main_import_source_open(&source, f->path, &f->note), OK);
    assert_int_equal(main_import_source_each(source, on_record, f, &f->note), OK);
    assert_int_equal(f->records, 3);
    main_import_source_close(source);
}

static void it_stops_when_it_is_told_to(void **state)
{
    struct fixture *f = *state;
    struct import_source *source;
    f->wanted = 2;
    put_file(f, f->bytes.size);
    assert_int_equal(main_import_source_open(&source, f->path, &f->note), OK);
    assert_int_equal(main_import_source_each(source, on_record, f, &f->note), OK);
    assert_int_equal(f->records, 2);
    main_import_source_close(source);
}

static void a_file_that_is_not_whole_is_not_begun(void **state)
{
    struct fixture *f = *state;
    struct import_source *source;
    put_file(f, f->bytes.size - 1);
    assert_int_equal(main_import_source_open(&source, f->path, &f->note), ERR_MALFORMED);
    assert_non_null(strstr(f->note.text, ": line 5: it was cut short"));
    (void)unlink(f->path);
    put_file(f, 0);
    assert_int_equal(main_import_source_open(&source, f->path, &f->note), ERR_DAMAGED);
    (void)unlink(f->path);
    f->bytes.data[200] ^= 1;
    put_file(f, f->bytes.size);
    assert_int_not_equal(main_import_source_open(&source, f->path, &f->note), OK);
    assert_non_null(strstr(f->note.text, ": line "));
    assert_int_equal(main_import_source_open(&source, "/nowhere", &f->note), ERR_NO_FILE);
}

static void one_that_changes_meanwhile_is_refused(void **state)
{
    struct fixture *f = *state;
    struct import_source *source;
    put_file(f, f->bytes.size);
    assert_int_equal(main_import_source_open(&source, f->path, &f->note), OK);
    assert_int_equal(truncate(f->path, 300), 0);
    assert_int_not_equal(main_import_source_each(source, on_record, f, &f->note), OK);
    main_import_source_close(source);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(every_record_is_handed_out),
        TEST(it_stops_when_it_is_told_to),
        TEST(a_file_that_is_not_whole_is_not_begun),
        TEST(one_that_changes_meanwhile_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
