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
        assert_non_null(command->run);
        assert_ptr_equal(main_command_find(command->name), command);
    }
    assert_null(main_command_find("sevre"));
    free(text);
}

/* In the first lines: what somebody in a hurry copies. */
static void every_help_of_a_command_begins_with_an_example(void **state)
{
    (void)state;
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        if (command->form == NULL) {
            continue;
        }
        char example[64];
        snprintf(example, sizeof(example), "\n  pontoon %s", command->name);
        const char *place = strstr(command->form->text, example);
        assert_non_null(place);
        assert_true(place - command->form->text < 400);
        assert_null(strstr(command->form->text, "Flags:"));
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
