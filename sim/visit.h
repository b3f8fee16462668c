/*
 * One visit of a client at a node to read of the past there: it arrives, as a stale read that waits
 * for a revision, and then looks for itself. No message is sent for it: who reads the past leaves
 * the dice of everything else where they are.
 */
#ifndef SIM_VISIT_H
#define SIM_VISIT_H

#include "node/node.h"
#include "sim/host.h"
#include "sim/past.h"

/* A field of its owner, who is not freed before `done`, nor ever if the life ends with it. */
struct visit {
    struct host *host; /* NULL: it has ended, or never began */
    bool is_taken;     /* by the node, which has not answered */
    /* OK: the state may be read, within this call. Else why not; ERR_NO_LEADER also if nobody
     * listened. */
    void (*done)(struct visit *visit, err e);
    /* Its own: */
    struct world_event arrival;
    struct node_read read;
    uint64_t revision;
};

/* Begins one at `host`, which is up: `done` is set. It waits until `revision` is applied there. */
void visit_begin(struct visit *visit, struct host *host, uint64_t revision);
/* The life of its host is over: `done` will not be called. */
void visit_lost(struct visit *visit);

/*
 * Reads the next keys of a list, at most `count_max`, at a node whose state may be read; what is
 * wrong with them ends the simulation (K13). ERR_NOT_FOUND: that was all of it. ERR_GONE: the node
 * has that revision no more. ERR_DIVERGED, ERR_MENDING, ERR_CORRUPT.
 */
MUST_USE err visit_list(struct host *host, struct past_list *list, uint32_t count_max);

#endif
