#include "main/help.h"

#include <string.h>

#include "api/suggest.h"
#include "base/assert.h"
#include "main/options.h"

static const char *const commands[] = {"serve", "version", "help"};

static const char program_text[] =
    "pontoon keeps keys and values on one machine or on several, and speaks plain HTTP.\n"
    "\n"
    "  pontoon serve                            one node on 127.0.0.1:3000\n"
    "  curl -d bar localhost:3000/kv/foo        write a key\n"
    "  curl localhost:3000/kv/foo               read it\n"
    "  curl -X DELETE localhost:3000/kv/foo     remove it\n"
    "\n"
    "Commands:\n"
    "  serve      run a node; \"pontoon serve --help\" has every setting\n"
    "  version    print the version\n"
    "  help       print this, or \"pontoon help serve\"\n";

static const char serve_text[] =
    "pontoon serve runs a node until SIGTERM or Ctrl-C.\n"
    "\n"
    "One node, its data in ./pontoon-data:\n"
    "  pontoon serve\n"
    "\n"
    "Three nodes, here on one machine; each gets the same --cluster and its own --id:\n"
    "  C=1=127.0.0.1:4001,2=127.0.0.1:4002,3=127.0.0.1:4003\n"
    "  pontoon serve --id 1 --cluster $C --listen 127.0.0.1:3001 --data one\n"
    "  pontoon serve --id 2 --cluster $C --listen 127.0.0.1:3002 --data two\n"
    "  pontoon serve --id 3 --cluster $C --listen 127.0.0.1:3003 --data three\n"
    "\n"
    "From a file; what stands in the environment or on the command line wins over it:\n"
    "  pontoon serve --config pontoon.conf\n"
    "\n"
    "Settings (--name VALUE or --name=VALUE; \"name = value\" in the file):\n";

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

enum help_topic main_help_topic(int count, char *const *arguments)
{
    if (count < 2) {
        return HELP_NONE;
    }
    bool is_serve = strcmp(arguments[1], "serve") == 0;
    if (strcmp(arguments[1], "help") == 0) {
        return count > 2 && strcmp(arguments[2], "serve") == 0 ? HELP_SERVE : HELP_PROGRAM;
    }
    for (int i = 1; i < count; i++) {
        if (is_help(arguments[i])) {
            return is_serve ? HELP_SERVE : HELP_PROGRAM;
        }
    }
    return HELP_NONE;
}

void main_help_print(enum help_topic topic, FILE *out)
{
    ASSERT(topic != HELP_NONE);
    if (topic == HELP_PROGRAM) {
        (void)fputs(program_text, out);
        return;
    }
    (void)fputs(serve_text, out);
    main_options_print(out);
}

void main_help_refuse(const char *command, struct err_note *note)
{
    if (command[0] == '\0') {
        (void)err_note_set(note, ERR_BAD_REQUEST,
                           "say what to do: \"pontoon serve\" runs a node, \"pontoon help\" tells "
                           "more");
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        struct slice known = slice_from_text(commands[i]);
        if (api_suggest_distance(slice_from_text(command), known) <= 2) {
            (void)err_note_set(note, ERR_BAD_REQUEST,
                               "unknown command \"%s\": did you mean \"%s\"?", command,
                               commands[i]);
            return;
        }
    }
    (void)err_note_set(note, ERR_BAD_REQUEST,
                       "unknown command \"%s\": there are serve, version and help", command);
}
