/*
 * What a follower makes of it when its leader's process is gone: it need not wait for the election
 * timeout, which is there for leaders of whom nothing is known.
 *
 * G1  A leader is suspected only if its connection to us has ended and its machine refuses ours
 *     (net.h, handler->gone). A cut, a pause or a machine that is off look otherwise, and leave it
 *     to the timeout.
 * G2  It is forgotten at once, so that this node's vote is free; each follower does so by what it
 *     has seen itself. It asks for votes only after a pause by chance, so that not all do so at one
 *     time, and for pre-votes first: if others still hear the leader, nothing comes of it.
 * G3  Each pause is twice as long as the one before. Behind one of an election timeout the core's
 *     own timeouts are left to it.
 * G4  Whoever leads then, the old one too, ends it.
 */
#ifndef NODE_SUSPICION_H
#define NODE_SUSPICION_H

#include "env/env.h"

struct replica;

struct suspicion {
    struct env_timer pause;
    uint32_t pause_ms; /* the present one at most; 0: nobody is suspected */
};

/* None yet. */
void suspicion_init(struct replica *replica);
void suspicion_deinit(struct replica *replica);

/* The leader that the replica follows is gone. */
void suspicion_begin(struct replica *replica);

#endif
