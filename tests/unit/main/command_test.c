#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "main/command.h"
#include "main/help.h"

static void every_command_has_a_line_and_a_help(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    main_help_print(NULL, out);
    assert_int_equal(fclose(out), 0);
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        char line[64];
        snprintf(line, sizeof(line), "  %-10s ", command->name);
        assert_non_null(strstr(text, line));
        assert_true(strlen(command->summary) <= 66);
        assert_non_null(command->help);
        assert_ptr_equal(main_command_find(command->name), command);
    }
    assert_null(main_command_find("sevre"));
    free(text);
}

/* In the first lines: what somebody in a hurry copies. */
static void every_help_of_a_command_begins_with_an_example(void **state)
{
    (void)state;
    static const char *const names[] = {"serve", "check", "log", "store"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[4096] = "";
        FILE *out = fmemopen(text, sizeof(text), "w");
        assert_non_null(out);
        main_command_find(names[i])->help(out);
        (void)fclose(out);
        char example[64];
        snprintf(example, sizeof(example), "\n  pontoon %s", names[i]);
        const char *place = strstr(text, example);
        assert_non_null(place);
        assert_true(place - text < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_a_line_and_a_help),
        cmocka_unit_test(every_help_of_a_command_begins_with_an_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
