/* pontoon elect: a program on the one that is elected. */
#include <stddef.h>

#include "main/command.h"
#include "main/hold.h"

static const char text[] =
    "pontoon elect runs a program once this candidate is elected, and as long as it stays so. All\n"
    "others that call it with the same NAME stand by.\n"
    "\n"
    "  pontoon elect scheduler \"$(hostname)\" -- ./scheduler\n"
    "  pontoon elect scheduler --who              the value of who is elected\n"
    "\n"
    "VALUE is what others read of the elected one. The election is renewed while the program "
    "runs;\n"
    "should that fail for --ttl, the program gets SIGTERM, and SIGKILL after --grace. Its\n"
    "environment has PONTOON_FENCE (as of \"pontoon lock\"), PONTOON_TOKEN, PONTOON_LEASE and\n"
    "PONTOON_ELECTION.\n"
    "\n"
    "Signals go on to the program. The status is the program's; 4: the election was lost; 126,\n"
    "127: the program cannot be run. Without a program the token is printed, and the election "
    "held\n"
    "until Ctrl-C, or the end of standard input.\n";

struct elect_settings {
    struct hold_settings hold;
    bool asks_who;
};

static const struct flag elect_flags[] = {
    {"ttl", 0, FLAG_DURATION, offsetof(struct elect_settings, hold.ttl_ms), NULL, "TIME",
     "it goes so long after the last renewal (15s)"},
    {"grace", 0, FLAG_DURATION, offsetof(struct elect_settings, hold.grace_ms), NULL, "TIME",
     "from SIGTERM to SIGKILL when it is lost (10s)"},
    {"who", 0, FLAG_SWITCH, offsetof(struct elect_settings, asks_who), NULL, NULL,
     "print who is elected, and do not stand"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_elect = {
    .synopsis = "NAME [VALUE] [-- PROGRAM...]",
    .text = text,
    .flags = elect_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
    .takes_program = true,
};

static enum exit_status who(struct call *call)
{
    if (call->words.count > 1 || call->program != NULL) {
        (void)err_note_set(call->note, ERR_BAD_REQUEST, "--who asks about NAME and nothing else");
        return EXIT_USAGE;
    }
    main_call_draft(call, "/elections/");
    main_draft_segment(&call->draft, call->words.items[0]);
    enum exit_status status = main_call_send(call, "GET", false);
    if (status == EXIT_OK) {
        main_call_print_answer(call);
    }
    return status;
}

static enum exit_status elect(struct call *call)
{
    static const struct hold_kind kind = {
        .noun = "election",
        .path = "/elections/",
        .variable = "PONTOON_ELECTION",
        .waits_on = true,
    };
    const struct elect_settings *settings = call->settings;
    struct hold_settings hold = settings->hold;
    if (settings->asks_who) {
        return who(call);
    }
    hold.body = call->words.count > 1 ? call->words.items[1] : "";
    return main_hold(call, &kind, &hold);
}

enum exit_status main_cmd_elect(struct env *env, int count, char *const *arguments)
{
    struct elect_settings settings = {
        .hold = {.ttl_ms = HOLD_TTL_MS, .wait_ms = HOLD_WAIT_MS, .grace_ms = HOLD_GRACE_MS}};
    struct call call = {
        .name = "elect", .form = &main_form_elect, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 1, .words_max = 2, .run = elect};
    return main_call(&call, &rules, count, arguments);
}
