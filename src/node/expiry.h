/*
 * Time for the state machine, and what is due by it (docs/adr/0032). The leader says with each
 * transaction how much time has passed; what is due goes by a command of its own, so that every
 * replica removes it at the same entry.
 *
 * E1  A leader's time begins where the state's stood once an entry of its own term is applied, and
 *     goes on by its monotonic clock. So it is never ahead of what really passed since anything was
 *     put: no key goes early, whatever wall clocks say and whoever leads next.
 * E2  One such command is under way at a time, and removes a bounded number of keys with a time of
 *     their own, leases and places in queues: the next follows it.
 */
#ifndef NODE_EXPIRY_H
#define NODE_EXPIRY_H

#include "node/node.h"

struct replica;

struct expiry {
    struct replica *replica;
    bool is_known;       /* this node leads, and has its time (E1) */
    uint64_t base_ms;    /* the state's elapsed time, */
    uint64_t since_ms;   /* and env_now_ms then */
    uint64_t again_ms;   /* after a command that was refused: not before */
    uint64_t seen_ms;    /* what the state's elapsed time was when it was looked at last, */
    uint64_t seen_at_ms; /* and env_now_ms when it had become so */
    bool is_proposed;    /* E2 */
    struct node_write write;
    struct env_timer due; /* runs to when something is */
    uint64_t due_at_ms;   /* env_now_ms then; 0: it does not run */
    struct counter commands;
    struct counter removed; /* by them */
};

/* A stopped one. */
void expiry_init(struct expiry *expiry, struct replica *replica);
void expiry_deinit(struct expiry *expiry);

/* The time to stamp a command with; 0: it is not known. */
uint64_t expiry_elapsed_ms(const struct expiry *expiry);

/* What time it is, for people: of a node that does not lead, the state's and what has passed since
 * that moved. */
uint64_t expiry_guess_ms(const struct expiry *expiry);

/* After applying: takes the time, asks for what is due, or waits for it. Cheap. */
void expiry_turn(struct expiry *expiry);

#endif
