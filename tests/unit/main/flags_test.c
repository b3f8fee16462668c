#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "main/flags.h"

struct settings {
    const char *data;
    bool force;
    uint64_t id;
    uint64_t wait_ms;
    uint64_t color;
    uint64_t room;
};

static const char *const colors[] = {"red", "green", NULL};

static const struct flag first[] = {
    {"data", 'd', FLAG_TEXT, offsetof(struct settings, data), NULL, "DIR", "where"},
    {"force", 0, FLAG_SWITCH, offsetof(struct settings, force), NULL, NULL, "do it"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

static const struct flag second[] = {
    {"id", 0, FLAG_U64, offsetof(struct settings, id), NULL, "N", "who"},
    {"wait", 0, FLAG_DURATION, offsetof(struct settings, wait_ms), NULL, "TIME", "how long"},
    {"room", 0, FLAG_SIZE, offsetof(struct settings, room), NULL, "SIZE", "how much"},
    {"color", 'c', FLAG_CHOICE, offsetof(struct settings, color), colors, "red|green", "which"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

struct parsed {
    err e;
    struct settings settings;
    struct flag_words words;
    struct err_note note;
};

/* `line`: arguments with a space between them. */
static struct parsed parse(const char *line, size_t words_max)
{
    static char text[200];
    char *arguments[20] = {NULL};
    int count = 0;
    snprintf(text, sizeof(text), "%s", line);
    for (char *word = text; word != NULL && word[0] != '\0'; count++) {
        char *end = strchr(word, ' ');
        arguments[count] = word;
        word = end == NULL ? NULL : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
    }
    struct parsed parsed = {.settings.id = 7};
    const struct flag_group groups[] = {
        {first, &parsed.settings}, {second, &parsed.settings}, {NULL, NULL}};
    parsed.e = main_flags_parse(groups, count, arguments, words_max, &parsed.words, &parsed.note);
    return parsed;
}

static void every_form_of_a_flag_is_taken(void **state)
{
    (void)state;
    struct parsed o = parse("-d here --force --id=12 --wait 2s -c green --room 3KiB", 0);
    assert_int_equal(o.e, OK);
    assert_string_equal(o.settings.data, "here");
    assert_true(o.settings.force);
    assert_int_equal(o.settings.id, 12);
    assert_int_equal(o.settings.wait_ms, 2000);
    assert_int_equal(o.settings.color, 1);
    assert_int_equal(o.settings.room, 3072);
}

static void what_is_not_given_keeps_its_default(void **state)
{
    (void)state;
    struct parsed o = parse("", 0);
    assert_int_equal(o.e, OK);
    assert_int_equal(o.settings.id, 7);
    assert_null(o.settings.data);
    assert_int_equal(o.words.count, 0);
}

static void words_stand_between_flags_and_behind_the_dashes(void **state)
{
    (void)state;
    struct parsed o = parse("one --force - -1 -- --id", 4);
    assert_int_equal(o.e, OK);
    assert_int_equal(o.words.count, 4);
    assert_string_equal(o.words.items[0], "one");
    assert_string_equal(o.words.items[1], "-");
    assert_string_equal(o.words.items[2], "-1");
    assert_string_equal(o.words.items[3], "--id");
}

static void nothing_is_ignored(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *said;
    } rows[] = {
        {"--dta x", "unknown flag --dta: did you mean --data?"},
        {"--col red", "unknown flag --col: did you mean --color?"},
        {"--nothing", "unknown flag --nothing"},
        {"-x", "unknown flag -x"},
        {"-dx", "unknown flag -dx"},
        {"--id", "--id needs a value: --id N"},
        {"--id x", "--id: \"x\" is not a number"},
        {"--wait 5", "--wait: \"5\" is not a duration like 500ms, 5s or 2m"},
        {"--room 5s", "--room: \"5s\" is not a size like 4096, 64KiB or 8MiB"},
        {"--color blue", "--color: \"blue\" is not red|green"},
        {"--force=yes", "--force takes no value"},
        {"--id 1 --id 2", "--id is given twice"},
        {"-d a --data b", "--data is given twice"},
        {"one two", "unexpected argument \"two\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed o = parse(rows[i].line, 1);
        assert_int_equal(o.e, ERR_BAD_REQUEST);
        assert_string_equal(o.note.text, rows[i].said);
    }
}

static void the_help_has_a_line_a_flag(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    main_flags_print_one(&first[0], out);
    main_flags_print_one(&first[1], out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "  -d, --data DIR                 where\n"
                              "      --force                    do it\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_flag_is_taken),
        cmocka_unit_test(what_is_not_given_keeps_its_default),
        cmocka_unit_test(words_stand_between_flags_and_behind_the_dashes),
        cmocka_unit_test(nothing_is_ignored),
        cmocka_unit_test(the_help_has_a_line_a_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
