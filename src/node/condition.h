/*
 * What a member says of itself that the others should know, and no log tells: its disk is full
 * (space.h), it is being drained (drain.h), its disk does not answer (stall.h).
 *
 * O1  It says so once a second (FRAME_CONDITION), and at once when that changes; the last time,
 *     that there is nothing; and to who is reached again. It is believed for three seconds, and no
 *     longer than its connection is there: what is behind the next one may have begun anew.
 * O2  It is a hint. Nothing that has to be right rests on it: a member's word may be late.
 */
#ifndef NODE_CONDITION_H
#define NODE_CONDITION_H

#include "base/codec.h"
#include "base/limits.h"
#include "proto/conf.h"

struct replica;

enum condition_flag {
    CONDITION_FULL = 1u,
    CONDITION_DRAINING = 2u,
    CONDITION_STALLED = 4u,
};

/* All zero at first. */
struct condition {
    uint8_t told;     /* flags, as the others were told last */
    uint64_t told_ms; /* when */
    uint32_t peer_count;
    struct condition_peer {
        node_id id;
        uint8_t flags; /* not 0 */
        uint64_t until_ms;
    } peers[MEMBERS_MAX]; /* who said something */
};

/* Tells the others what is to be told by now; forgets what is too old. Every tick, and when
 * something changes. */
void condition_tick(struct replica *replica, uint64_t now_ms);
/* The payload of a FRAME_CONDITION. */
void condition_receive(struct replica *replica, node_id from, struct slice payload);
/* The connection from `peer` has ended, or that to it is welcomed. */
void condition_peer_lost(struct replica *replica, node_id peer);
void condition_peer_found(struct replica *replica);
/* Whether a member, this node or another, is one of `flags` (enum condition_flag). */
bool condition_is(const struct replica *replica, node_id id, unsigned flags);

#endif
