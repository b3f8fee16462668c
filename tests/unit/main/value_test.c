#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "main/value.h"

static void a_word_is_itself_or_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/pontoon-value-XXXXXX";
    char word[sizeof(path) + 1];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a\0b\n", 4), 4);
    close(fd);
    struct writer out = {0};
    const char *file = NULL;
    snprintf(word, sizeof(word), "@%s", path);
    assert_int_equal(main_value_read(word, &out, &file, NULL), OK);
    assert_true(slice_equal(writer_slice(&out), SLICE_LITERAL("a\0b\n")));
    assert_string_equal(file, path);
    writer_reset(&out);
    assert_int_equal(main_value_read("x@y", &out, &file, NULL), OK);
    assert_true(slice_equal(writer_slice(&out), SLICE_LITERAL("x@y")));
    assert_null(file);
    writer_deinit(&out);
    unlink(path);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct writer out = {0};
    struct err_note note = {""};
    assert_int_equal(main_value_read("@/nowhere/at/all", &out, NULL, &note), ERR_NO_FILE);
    assert_string_equal(note.text, "open /nowhere/at/all: No such file or directory");
    assert_int_equal(main_value_read_file("/", &out, &note), ERR_IO);
    writer_deinit(&out);
}

static void more_than_any_node_takes_is_refused(void **state)
{
    (void)state;
    struct writer out = {0};
    struct err_note note = {""};
    assert_int_equal(main_value_read_file("/dev/zero", &out, &note), ERR_TOO_LARGE);
    writer_deinit(&out);
}

/* A terminal alone gets a line's end. */
static void what_is_printed_is_the_value(void **state)
{
    (void)state;
    FILE *out = tmpfile();
    assert_non_null(out);
    main_value_print(SLICE_LITERAL("a\0b"), out);
    main_value_print(SLICE_EMPTY, out);
    assert_int_equal(ftell(out), 3);
    (void)fclose(out);
}

static void an_escaped_value_is_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *line;
    } rows[] = {
        {"", ""},
        {"plain text", "plain text"},
        {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa2", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa2"},
        {"a\nb\tc\rd\\e", "a\\nb\\tc\\rd\\\\e"},
        {"\x1b[2J\x7f", "\\x1b[2J\\x7f"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc2\x9b", "\\xc2\\x9b"}, /* a control of ECMA-48 */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct writer out = {0};
        main_value_escape(slice_from_text(rows[i].value), &out);
        assert_true(slice_equal(writer_slice(&out), slice_from_text(rows[i].line)));
        writer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_itself_or_a_file),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(more_than_any_node_takes_is_refused),
        cmocka_unit_test(what_is_printed_is_the_value),
        cmocka_unit_test(an_escaped_value_is_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
