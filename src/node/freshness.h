/*
 * How long ago this node heard from its leader: what an answer of its own state says of itself, and
 * what decides whether a read may be local.
 *
 * F1  What comes after this node was held up is not counted for an election timeout: it may have
 *     been on its way for as long. Then the staleness is unknown.
 * F2  What is heard counts once it is carried out: a MSG_APP when what it says to be committed is
 *     applied; a heartbeat, which says no more than what the leader knows this node to have, when
 *     all that is in the log is.
 * F3  A leader is as fresh as a quorum of its members was heard: one that was deposed without
 *     knowing it ages.
 */
#ifndef NODE_FRESHNESS_H
#define NODE_FRESHNESS_H

#include "node/node.h"
#include "proto/message.h"

struct replica;

struct freshness {
    uint64_t heard_ms;     /* a leader's core, or, leading, a quorum; 0: never */
    uint64_t pending_ms;   /* when what does not count yet (F2) came; 0: there is none */
    uint64_t wanted_index; /* it counts once this is applied; 0: all that is in the log */
};

/* `message` has come, at `now_ms`. */
void freshness_heard(struct replica *replica, const struct message *message, uint64_t now_ms);
/* The end of a turn: what has been carried out counts (F2). */
void freshness_settle(struct replica *replica);
/* One heartbeat interval has passed. */
void freshness_tick(struct replica *replica, uint64_t now_ms);
/* Milliseconds; leading, the last two heartbeats count as 0. NODE_STALENESS_UNKNOWN. Cheap. */
uint64_t freshness_staleness_ms(const struct replica *replica);
/* Whether it has heard so lately, exactly, and has applied all that it knows to be committed. */
bool freshness_is_within(const struct replica *replica, uint64_t staleness_ms_max);

#endif
