#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "main/command.h"
#include "main/manual.h"

/* The caller frees it. */
static char *print(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    main_manual_print(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void find_flag(void *ctx, const struct flag *flag)
{
    char wanted[80] = "\\fB\\-\\-";
    size_t size = strlen(wanted);
    for (const char *byte = flag->name; *byte != '\0'; byte++) {
        size += (size_t)snprintf(wanted + size, sizeof(wanted) - size, "%s%c",
                                 *byte == '-' ? "\\" : "", *byte);
    }
    if (strstr(ctx, wanted) == NULL) {
        fail_msg("%s is not there", wanted);
    }
}

static void every_command_and_flag_is_there(void **state)
{
    (void)state;
    char *text = print();
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        char begin[80];
        snprintf(begin, sizeof(begin), "\n.SS \"pontoon %s", command->name);
        char *part = strstr(text, begin);
        assert_non_null(part);
        if (command->form != NULL) {
            main_form_each_flag(command->form, find_flag, part);
        }
    }
    free(text);
}

static void every_status_and_variable_is_told(void **state)
{
    (void)state;
    char *text = print();
    assert_non_null(strstr(text, "\n.TP\n.B 6\n"));
    assert_non_null(strstr(text, "\n.B PONTOON_ENDPOINTS\n"));
    assert_non_null(strstr(text, "\n.B PONTOON_MAX_VALUE_BYTES\n"));
    free(text);
}

/* What a text says is no request to roff, and no other character. */
static void text_is_escaped(void **state)
{
    (void)state;
    char *text = print();
    assert_non_null(strstr(text, "pontoon put app/name Ada \\-\\-if\\-none\\-match \\(aq*\\(aq"));
    assert_non_null(strstr(text, "min \\[u2026] max"));
    for (const char *byte = text; *byte != '\0'; byte++) {
        assert_true(*byte == '\n' || (*byte >= ' ' && *byte <= '~'));
    }
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        assert_true(line[0] != '\'');
        assert_true(line[0] != '.' || (line[1] >= 'A' && line[1] <= 'Z') ||
                    strncmp(line, ".nf\n", 4) == 0 || strncmp(line, ".fi\n", 4) == 0);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_and_flag_is_there),
        cmocka_unit_test(every_status_and_variable_is_told),
        cmocka_unit_test(text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
