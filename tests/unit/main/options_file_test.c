#include "main_testing.h"

static void lines_comments_quotes_and_underscores_are_taken(void **state)
{
    (void)state;
    struct outcome_of_options out;
    load(&out, &(struct given){.file = "# a comment\n"
                                       "; another\n"
                                       "\n"
                                       "max_value_bytes = \"1MiB\"\r\n"
                                       "data=/var/lib/pontoon ; where it is\n"
                                       "access-log = true"});
    assert_int_equal(out.e, OK);
    assert_int_equal(out.options.max_value_bytes, 1 << 20);
    assert_string_equal(out.options.data, "/var/lib/pontoon");
    assert_true(out.options.access_log);
    outcome_deinit(&out);
}

static void mistakes_are_refused_with_file_and_line(void **state)
{
    (void)state;
    assert_refused(
        &(struct given){.file = "data = x\n\nmax-value-byte = 1\n"},
        "a.conf:3: unknown setting \"max-value-byte\": did you mean \"max-value-bytes\"?");
    assert_refused(&(struct given){.file = "colour = blue\n"},
                   "a.conf:1: unknown setting \"colour\"");
    assert_refused(&(struct given){.file = "id = 1\nid = 2\n"}, "a.conf:1: id is given twice");
    assert_refused(&(struct given){.file = "\nid = none\n"},
                   "a.conf:2: id: \"none\" is not a number");
    assert_refused(&(struct given){.file = "[server]\nid = 1\n"},
                   "a.conf:2: settings stand in no section");
    assert_refused(&(struct given){.file = "config = b.conf\n"},
                   "a.conf:1: a file cannot name another");
    assert_refused(&(struct given){.file = "id = 1\nnonsense\n"},
                   "a.conf:2: not a line like name = value");
}

static void a_line_that_is_too_long_is_not_two_lines(void **state)
{
    (void)state;
    char text[4096] = "data = ";
    memset(text + 7, 'd', sizeof(text) - 8);
    assert_refused(&(struct given){.file = text}, "a.conf:1: the line is too long");
}

static void a_nul_byte_is_refused(void **state)
{
    (void)state;
    struct options options;
    struct err_note note;
    main_options_init(&options);
    assert_int_equal(
        main_options_take_file(&options, "a.conf", SLICE_LITERAL("data = a\0b\n"), &note),
        ERR_BAD_REQUEST);
    assert_non_null(strstr(note.text, "a.conf:1: a NUL byte"));
    main_options_deinit(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_comments_quotes_and_underscores_are_taken),
        cmocka_unit_test(mistakes_are_refused_with_file_and_line),
        cmocka_unit_test(a_line_that_is_too_long_is_not_two_lines),
        cmocka_unit_test(a_nul_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
