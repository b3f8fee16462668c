#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "main/form.h"

static const struct flag flags[] = {
    {"lines", 'n', FLAG_U64, 0, NULL, "N", "how many"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

/* The caller frees it. */
static char *print(const struct command_form *form)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    main_form_print(form, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void the_text_stands_above_the_flags(void **state)
{
    (void)state;
    char *bare = print(&(struct command_form){.text = "It does.\n"});
    assert_string_equal(bare, "It does.\n");
    free(bare);
    char *own = print(&(struct command_form){.text = "It does.\n", .flags = flags});
    assert_string_equal(own, "It does.\n\nFlags:\n"
                             "  -n, --lines N                  how many\n");
    free(own);
}

/* Each command has a --timeout of its own: the help tells that one. */
static void flags_of_clients_come_behind_a_commands_own(void **state)
{
    (void)state;
    const struct command_form form = {.text = "", .flags = flags, .timeout_ms = 35000};
    char *text = print(&form);
    const char *own = strstr(text, "--lines");
    const char *clients = strstr(text, "--endpoints");
    assert_true(own != NULL && clients != NULL && own < clients);
    assert_non_null(strstr(text, "(35s)\n"));
    assert_non_null(strstr(text, "--show-curl"));
    free(text);
}

struct seen {
    int count;
    bool has_choice;
    bool has_switch;
};

static void see(void *ctx, const struct flag *flag)
{
    struct seen *seen = ctx;
    seen->count++;
    if (strcmp(flag->name, "log-level") == 0) {
        seen->has_choice = flag->type == FLAG_CHOICE && strcmp(flag->choices[0], "error") == 0;
    }
    if (strcmp(flag->name, "access-log") == 0) {
        seen->has_switch = flag->type == FLAG_SWITCH && flag->placeholder == NULL;
    }
}

static void settings_are_flags_too(void **state)
{
    (void)state;
    struct seen seen = {0};
    main_form_each_flag(&(struct command_form){.text = "", .has_settings = true}, see, &seen);
    assert_true(seen.count > 20 && seen.has_choice && seen.has_switch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_stands_above_the_flags),
        cmocka_unit_test(flags_of_clients_come_behind_a_commands_own),
        cmocka_unit_test(settings_are_flags_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
