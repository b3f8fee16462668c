/* pontoon lock: a program under a lock. */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "main/command.h"
#include "main/hold.h"

static const char text[] =
    "pontoon lock runs a program while it holds a lock that all clients of the cluster share.\n"
    "\n"
    "  pontoon lock backup -- ./backup.sh\n"
    "  pontoon lock build --limit 3 --wait 10m -- make         three at a time\n"
    "  pontoon lock backup                                     until Ctrl-C, or its input ends\n"
    "\n"
    "Who waits is served in turn. The lock is renewed while the program runs; should that fail "
    "for\n"
    "--ttl, or somebody take the lock away, the program gets SIGTERM, and SIGKILL after --grace.\n"
    "Its environment has PONTOON_FENCE, which \"pontoon put --fence\" wants: a write with it is\n"
    "refused once the lock has a newer holder. Also PONTOON_TOKEN, PONTOON_LEASE, PONTOON_LOCK.\n"
    "\n"
    "Signals go on to the program. The status is the program's; 4: the lock was lost, or not to "
    "be\n"
    "had within --wait; 126, 127: the program cannot be run. Without a program the lock's token "
    "is\n"
    "printed.\n";

struct lock_settings {
    struct hold_settings hold;
    const char *owner;
};

static const struct flag lock_flags[] = {
    {"ttl", 0, FLAG_DURATION, offsetof(struct lock_settings, hold.ttl_ms), NULL, "TIME",
     "it goes so long after the last renewal (15s)"},
    {"wait", 'w', FLAG_DURATION, offsetof(struct lock_settings, hold.wait_ms), NULL, "TIME",
     "how long it is waited for (30s)"},
    {"limit", 0, FLAG_U64, offsetof(struct lock_settings, hold.limit), NULL, "N",
     "how many may hold it at a time (1)"},
    {"grace", 0, FLAG_DURATION, offsetof(struct lock_settings, hold.grace_ms), NULL, "TIME",
     "from SIGTERM to SIGKILL when it is lost (10s)"},
    {"owner", 0, FLAG_TEXT, offsetof(struct lock_settings, owner), NULL, "TEXT",
     "what others are told of the holder (host and process)"},
    {NULL, 0, FLAG_TEXT, 0, NULL, NULL, NULL},
};

const struct command_form main_form_lock = {
    .synopsis = "NAME [-- PROGRAM...]",
    .text = text,
    .flags = lock_flags,
    .timeout_ms = CLIENT_DATA_TIMEOUT_MS,
    .takes_program = true,
};

static enum exit_status lock(struct call *call)
{
    static const struct hold_kind kind = {
        .noun = "lock", .path = "/locks/", .variable = "PONTOON_LOCK"};
    const struct lock_settings *settings = call->settings;
    struct hold_settings hold = settings->hold;
    char host[HOST_NAME_MAX + 1] = "";
    char owner[HOST_NAME_MAX + 32];
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(owner, sizeof(owner), "%s pid %d", host, (int)getpid());
    hold.body = settings->owner == NULL ? owner : settings->owner;
    return main_hold(call, &kind, &hold);
}

enum exit_status main_cmd_lock(struct env *env, int count, char *const *arguments)
{
    struct lock_settings settings = {
        .hold = {.ttl_ms = HOLD_TTL_MS, .wait_ms = HOLD_WAIT_MS, .grace_ms = HOLD_GRACE_MS}};
    struct call call = {.name = "lock", .form = &main_form_lock, .env = env, .settings = &settings};
    static const struct call_rules rules = {.words_min = 1, .words_max = 1, .run = lock};
    return main_call(&call, &rules, count, arguments);
}
