/*
 * What `pontoon lock` and `pontoon elect` share: something is acquired, renewed for as long as a
 * program runs, and given back.
 *
 * H1  The program runs only while it is held: as long as --ttl has not passed since the last
 *     renewal was *asked for* that succeeded. The node counts from when it had it, so later.
 * H2  When it is lost, the program gets SIGTERM, and SIGKILL once --grace has passed.
 * H3  It is given back once the program has ended, and not before.
 */
#ifndef MAIN_HOLD_H
#define MAIN_HOLD_H

#include "main/call.h"

#define HOLD_TTL_MS 15000u
#define HOLD_WAIT_MS 30000u
#define HOLD_GRACE_MS 10000u

/* What is held: a lock or an election. */
struct hold_kind {
    const char *noun;     /* "lock" */
    const char *path;     /* "/locks/" */
    const char *variable; /* of the program, with the name: "PONTOON_LOCK" */
    bool waits_on;        /* asks anew when --wait has passed */
};

struct hold_settings {
    uint64_t ttl_ms;
    uint64_t wait_ms;
    uint64_t grace_ms;
    uint64_t limit;   /* of holders; 0: one */
    const char *body; /* who holds it, or the value */
};

/*
 * Acquires what the first word names, and runs call->program under it; without one, prints the
 * token and holds it until standard input ends or a signal comes. Returns the program's status;
 * EXIT_PRECONDITION: it was not to be had in time, or was lost. The note says why where it is ours.
 */
enum exit_status main_hold(struct call *call, const struct hold_kind *kind,
                           const struct hold_settings *settings);

#endif
