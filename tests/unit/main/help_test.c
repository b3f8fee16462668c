#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "main/help.h"

/* The command whose help is asked for; "": the program's; "-": none is. */
static const char *topic_of(const char *first, const char *second, const char *third)
{
    const char *const words[] = {"pontoon", first, second, third, NULL};
    char *arguments[5];
    memcpy(arguments, words, sizeof(arguments));
    int count = 1;
    while (arguments[count] != NULL) {
        count++;
    }
    const struct main_command *command = NULL;
    if (!main_help_is_asked(count, arguments, &command)) {
        return "-";
    }
    return command == NULL ? "" : command->name;
}

static void help_is_found_wherever_it_is_asked_for(void **state)
{
    (void)state;
    assert_string_equal(topic_of(NULL, NULL, NULL), "-");
    assert_string_equal(topic_of("serve", NULL, NULL), "-");
    assert_string_equal(topic_of("serve", "--data", "x"), "-");
    assert_string_equal(topic_of("--help", NULL, NULL), "");
    assert_string_equal(topic_of("-h", NULL, NULL), "");
    assert_string_equal(topic_of("serve", "--help", NULL), "serve");
    assert_string_equal(topic_of("serve", "--data=x", "-h"), "serve");
    assert_string_equal(topic_of("version", "--help", NULL), "version");
}

static void the_help_begins_with_examples_and_names_every_setting(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    main_help_print(main_command_find("serve"), out);
    assert_int_equal(fclose(out), 0);
    const char *example = strstr(text, "pontoon serve --id 1 --cluster");
    const char *setting =
        strstr(text, "--max-value-bytes SIZE  (default 8MiB, PONTOON_MAX_VALUE_BYTES)");
    assert_non_null(example);
    assert_non_null(setting);
    assert_true(example < setting);
    assert_non_null(strstr(text, "--log-level LEVEL  (error|warn|info|debug, default info,"));
    for (struct slice rest = {(const uint8_t *)text, size}; rest.size > 0;) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        assert_non_null(end);
        assert_true(end - rest.data <= 80); /* a terminal's width */
        rest.size -= (size_t)(end + 1 - rest.data);
        rest.data = end + 1;
    }
    free(text);
}

static void an_unknown_command_is_refused_with_the_one_that_was_meant(void **state)
{
    (void)state;
    struct err_note note;
    main_help_refuse("sevre", &note);
    assert_string_equal(note.text, "unknown command \"sevre\": did you mean \"serve\"?");
    main_help_refuse("snapshot", &note);
    assert_null(strstr(note.text, "did you mean"));
    main_help_refuse("rest", &note);
    assert_string_equal(note.text, "unknown command \"rest\": did you mean \"restore\"?");
    main_help_refuse("frobnicate", &note);
    assert_non_null(strstr(note.text, "there are serve, "));
    main_help_refuse("--data=d", &note);
    assert_non_null(strstr(note.text, "as in \"pontoon serve --data=d\""));
    main_help_refuse("", &note);
    assert_non_null(strstr(note.text, "\"pontoon serve\" runs a node"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_found_wherever_it_is_asked_for),
        cmocka_unit_test(the_help_begins_with_examples_and_names_every_setting),
        cmocka_unit_test(an_unknown_command_is_refused_with_the_one_that_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
