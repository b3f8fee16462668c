/* pontoon incr: adds to the number that a key holds. */
#include <stddef.h>
#include <string.h>

#include "main/call.h"
#include "main/command.h"
#include "main/guards.h"
#include "main/meta.h"

static const char text[] = "pontoon incr adds to the number that a key holds, and prints the sum. "
                           "A key that is not there\n"
                           "counts as 0.\n"
                           "\n"
                           "  pontoon incr visits\n"
                           "  pontoon incr visits 10\n"
                           "  pontoon incr stock -1\n";

struct incr_settings {
    struct guards guards;
    uint64_t ttl_ms; /* 0: not given */
};

static const struct flag incr_flags[] = {
    {"ttl", 0, FLAG_DURATION, offsetof(struct incr_settings, ttl_ms), NULL, "TIME",
     "it expires so long after this"},
    {"fence", 0, FLAG_TEXT, offsetof(struct incr_settings, guards.fence), NULL, "NAME:TOKEN",
     "only while that lock is held (PONTOON_FENCE under \"pontoon lock\")"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_incr = {
    .synopsis = "KEY [BY]",
    .text = text,
    .flags = incr_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
};

static bool is_number(const char *word)
{
    const char *digits = word[0] == '-' ? word + 1 : word;
    return digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

static enum exit_status incr(struct call *call)
{
    const struct incr_settings *settings = call->settings;
    const char *by = call->words.count > 1 ? call->words.items[1] : "1";
    if (!is_number(by)) {
        (void)err_note_set(call->note, ERR_BAD_REQUEST, "BY is a number like 10 or -1, not \"%s\"",
                           by);
        return EXIT_USAGE;
    }
    enum exit_status status = main_call_draft_key(call, call->words.items[0]);
    if (status != EXIT_OK) {
        return status;
    }
    main_draft_param(&call->draft, "op", "incr");
    main_draft_param(&call->draft, "by", by);
    if (settings->ttl_ms != 0) {
        main_draft_param_ms(&call->draft, "ttl", settings->ttl_ms);
    }
    main_guards_draft(&settings->guards, &call->draft);
    main_draft_field_once(&call->draft, call->env);
    status = main_call_send(call, "POST", false);
    if (status == EXIT_OK) {
        main_call_print_change(call);
    }
    return status;
}

enum exit_status main_cmd_incr(struct env *env, int count, char *const *arguments)
{
    struct incr_settings settings = {.ttl_ms = 0};
    struct call call = {.name = "incr", .form = &main_form_incr, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 1, .words_max = 2, .run = incr};
    return main_call(&call, &rules, count, arguments);
}
