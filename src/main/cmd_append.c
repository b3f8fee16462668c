/* pontoon append: adds bytes to a key's value. */
#include <stddef.h>

#include "main/call.h"
#include "main/command.h"
#include "main/guards.h"
#include "main/value.h"

static const char text[] = "pontoon append adds bytes to the end of a key's value, and prints how "
                           "many it has then. VALUE\n"
                           "is as of \"pontoon put\".\n"
                           "\n"
                           "  pontoon append log/today 'door opened '\n"
                           "  date | pontoon append log/today -\n";

struct append_settings {
    struct guards guards;
};

static const struct flag append_flags[] = {
    {"fence", 0, FLAG_TEXT, offsetof(struct append_settings, guards.fence), NULL, "NAME:TOKEN",
     "only while that lock is held (PONTOON_FENCE under \"pontoon lock\")"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_append = {
    .synopsis = "KEY VALUE|-|@FILE",
    .text = text,
    .flags = append_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
};

static enum exit_status append(struct call *call)
{
    const struct append_settings *settings = call->settings;
    enum exit_status status = main_call_draft_key(call, call->words.items[0]);
    if (status != EXIT_OK) {
        return status;
    }
    if (main_value_read(call->words.items[1], &call->body, &call->body_file, call->note) != OK) {
        return EXIT_FAILED;
    }
    main_draft_param(&call->draft, "op", "append");
    main_guards_draft(&settings->guards, &call->draft);
    main_draft_field_once(&call->draft, call->env);
    status = main_call_send(call, "POST", true);
    if (status == EXIT_OK) {
        main_call_print_change(call);
    }
    return status;
}

enum exit_status main_cmd_append(struct env *env, int count, char *const *arguments)
{
    struct append_settings settings = {.guards = {0}};
    struct call call = {
        .name = "append", .form = &main_form_append, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 2, .words_max = 2, .run = append};
    return main_call(&call, &rules, count, arguments);
}
