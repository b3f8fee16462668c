#include "main/help.h"

#include <string.h>

#include "api/suggest.h"
#include "base/assert.h"
#include "base/codec.h"

static const char program_text[] =
    "pontoon keeps keys and values on one machine or on several, and speaks plain HTTP.\n"
    "\n"
    "  pontoon serve                            one node on 127.0.0.1:3000\n"
    "  curl -d bar localhost:3000/kv/foo        write a key\n"
    "  curl localhost:3000/kv/foo               read it\n"
    "  curl -X DELETE localhost:3000/kv/foo     remove it\n"
    "\n"
    "Commands (\"pontoon COMMAND --help\" tells more):\n";

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

bool main_help_is_asked(int count, char *const *arguments, const struct main_command **out_command)
{
    *out_command = count > 1 ? main_command_find(arguments[1]) : NULL;
    for (int i = 1; i < count && strcmp(arguments[i], "--") != 0; i++) {
        if (is_help(arguments[i])) {
            return true;
        }
    }
    return false;
}

void main_help_print(const struct main_command *command, FILE *out)
{
    if (command == NULL || command->form == NULL) {
        main_help_program(out);
    } else {
        main_form_print(command->form, out);
    }
}

void main_help_program(FILE *out)
{
    (void)fputs(program_text, out);
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        (void)fprintf(out, "  %-10s %s\n", command->name, command->summary);
    }
}

/* "serve, version and help" */
static void list_commands(struct writer *out)
{
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        bool is_last = command[1].name == NULL;
        const char *before = command == main_commands ? "" : is_last ? " and " : ", ";
        writer_format(out, "%s%s", before, command->name);
    }
}

void main_help_refuse(const char *name, struct err_note *note)
{
    if (name[0] == '\0') {
        (void)err_note_set(note, ERR_BAD_REQUEST,
                           "say what to do: \"pontoon serve\" runs a node, \"pontoon help\" tells "
                           "more");
        return;
    }
    if (name[0] == '-') {
        (void)err_note_set(note, ERR_BAD_REQUEST,
                           "the command comes before its flags, as in \"pontoon serve %s\"", name);
        return;
    }
    struct suggest suggest = {.name = slice_from_text(name)};
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        api_suggest_offer(&suggest, command->name);
    }
    const char *meant = api_suggest_meant(&suggest);
    if (meant != NULL) {
        (void)err_note_set(note, ERR_BAD_REQUEST, "unknown command \"%s\": did you mean \"%s\"?",
                           name, meant);
        return;
    }
    struct writer list = {0};
    list_commands(&list);
    (void)err_note_set(note, ERR_BAD_REQUEST, "unknown command \"%s\": there are %.*s", name,
                       (int)list.size, (const char *)list.data);
    writer_deinit(&list);
}
