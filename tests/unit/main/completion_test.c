#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "main/command.h"
#include "main/completion.h"

/* The caller frees it. */
static char *print(void (*script)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    script(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

struct search {
    const char *text;
    const char *before; /* the name of a flag */
};

static void find_flag(void *ctx, const struct flag *flag)
{
    const struct search *search = ctx;
    char wanted[80];
    snprintf(wanted, sizeof(wanted), "%s%s", search->before, flag->name);
    if (strstr(search->text, wanted) == NULL) {
        fail_msg("%s is not there", wanted);
    }
}

/* From the table of commands: what is added there is here. */
static void every_command_and_flag_is_there(void **state)
{
    (void)state;
    static const struct {
        void (*script)(FILE *out);
        const char *before;
    } rows[] = {
        {main_completion_bash, " --"},
        {main_completion_zsh, "--"},
        {main_completion_fish, " -l "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = print(rows[i].script);
        for (const struct main_command *command = main_commands; command->name != NULL; command++) {
            char begin[80];
            snprintf(begin, sizeof(begin), i < 2 ? "\n    %s)\n" : " -a %s -d ", command->name);
            const char *part = strstr(text, begin);
            assert_non_null(part);
            struct search search = {part, rows[i].before};
            if (command->form != NULL) {
                main_form_each_flag(command->form, find_flag, &search);
            }
        }
        free(text);
    }
}

static void values_are_choices_files_or_free(void **state)
{
    (void)state;
    char *bash = print(main_completion_bash);
    assert_non_null(strstr(bash, "--consistency) words=\"linearizable stale\" kind=words ;;"));
    assert_non_null(strstr(bash, "-O | --out) kind=files ;;"));
    assert_non_null(strstr(bash, "--range) kind=value ;;"));
    assert_non_null(strstr(bash, "verbs=\"bash zsh fish\""));
    free(bash);
    char *zsh = print(main_completion_zsh);
    assert_non_null(strstr(zsh, "'(-O --out)'{-O,--out}['write the value there\\: all of it or "
                                "nothing']:'FILE':_files"));
    assert_non_null(strstr(zsh, ":'(linearizable stale)'"));
    free(zsh);
    char *fish = print(main_completion_fish);
    assert_non_null(strstr(fish, " -l out -s O -r -F -d "));
    assert_non_null(strstr(fish, " -l consistency -x -a 'linearizable stale' -d "));
    assert_non_null(strstr(fish, " -l range -x -d "));
    free(fish);
}

/* An apostrophe in a help text does not end what stands in quotes. */
static void quotes_are_even(void **state)
{
    (void)state;
    void (*const scripts[])(FILE *) = {main_completion_bash, main_completion_zsh,
                                       main_completion_fish};
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        char *text = print(scripts[i]);
        for (char *line = text; *line != '\0';) {
            size_t size = strcspn(line, "\n");
            size_t quotes = 0;
            for (size_t at = 0; at < size; at++) {
                quotes += line[at] == '\'' && (at == 0 || line[at - 1] != '\\');
            }
            assert_int_equal(quotes % 2, 0);
            line += size + (line[size] == '\n');
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_and_flag_is_there),
        cmocka_unit_test(values_are_choices_files_or_free),
        cmocka_unit_test(quotes_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
