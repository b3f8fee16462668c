/*
 * Who wants to hear when something of the system's space changes: a request that waits in a lock's
 * queue, a stream that tells who leads. They hear that something may have happened and look for
 * themselves.
 *
 * T1  Each is told once a turn at most, when all that the turn applies is applied.
 * T2  Nothing is told after node_notice_stop, which may be called from within a call.
 * T3  A snapshot that was taken in tells all.
 */
#ifndef NODE_NOTICES_H
#define NODE_NOTICES_H

#include "node/node.h"

#define NOTICES_BUCKETS 1024u /* by the hash of the key */

struct node_notice {
    /* In: */
    void (*changed)(struct node_notice *notice);
    /* The node's own: */
    struct list link;
    uint64_t hash;
};

struct notices {
    struct list buckets[NOTICES_BUCKETS];
    struct list due;
    uint64_t count;
};

/* Nobody is there. */
void notices_init(struct notices *notices);
/* The key was put or deleted. Cheap where nobody waits. */
void notices_note(struct notices *notices, struct slice key);
/* All of it may have changed (T3). */
void notices_note_all(struct notices *notices);
/* Tells (T1). */
void notices_turn(struct notices *notices);

/*
 * From now on `notice`, a field of its owner, hears of the system's key (store/system.h), until it
 * is stopped: before the node is closed.
 */
void node_notice_start(struct node *node, struct node_notice *notice, struct slice key);
/* Idempotent; one that was never started is all zero. */
void node_notice_stop(struct node *node, struct node_notice *notice);

/* The state of the first region, to be read at once. */
struct node_state {
    struct store *store;
    uint64_t elapsed_ms; /* by this node: of one that does not lead, a good guess */
};

/* ERR_DIVERGED: this node reads nothing out of its state; ERR_NO_LEADER: there is none yet. */
MUST_USE err node_state_look(struct node *node, struct node_state *out_state);

#endif
