/* pontoon touch: a key's time to live anew. */
#include <stddef.h>

#include "main/call.h"
#include "main/command.h"
#include "main/meta.h"

static const char text[] = "pontoon touch gives a key another time to live. Its value stays.\n"
                           "\n"
                           "  pontoon touch app/seen --ttl 30s\n"
                           "\n"
                           "Status 3: there is no such key.\n";

struct touch_settings {
    uint64_t ttl_ms;
};

static const struct flag touch_flags[] = {
    {"ttl", 0, FLAG_DURATION, offsetof(struct touch_settings, ttl_ms), NULL, "TIME",
     "it expires so long after this"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_touch = {
    .synopsis = "KEY --ttl TIME",
    .text = text,
    .flags = touch_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
};

static enum exit_status touch(struct call *call)
{
    const struct touch_settings *settings = call->settings;
    if (settings->ttl_ms == 0) {
        return main_call_usage(call);
    }
    enum exit_status status = main_call_draft_key(call, call->words.items[0]);
    if (status != EXIT_OK) {
        return status;
    }
    main_draft_param(&call->draft, "touch", NULL);
    main_draft_param_ms(&call->draft, "ttl", settings->ttl_ms);
    main_draft_field_once(&call->draft, call->env);
    status = main_call_send(call, "POST", false);
    if (status == EXIT_OK && main_call_wants_json(call)) {
        main_call_print_change(call);
    }
    return status;
}

enum exit_status main_cmd_touch(struct env *env, int count, char *const *arguments)
{
    struct touch_settings settings = {.ttl_ms = 0};
    struct call call = {
        .name = "touch", .form = &main_form_touch, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 1, .words_max = 1, .run = touch};
    return main_call(&call, &rules, count, arguments);
}
