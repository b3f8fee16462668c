/*
 * How a node ends without being missed: it hands over what it leads, and finishes what other nodes
 * have given to it.
 *
 * D1  Requests are taken until somebody else leads: before that no other node could do better.
 * D2  Who leads nothing, or has nobody to hand over to (it is alone, or has no quorum), does not
 *     wait; nor does anybody for longer than an election timeout, which is what a handover has.
 * D3  Afterwards new requests are refused. Should this node be elected once more, it hands over
 *     again: its members' writes must not wait for its last client.
 */
#ifndef NODE_DRAIN_H
#define NODE_DRAIN_H

#include "node/node.h"

/* All zero at first. */
struct drain {
    bool is_begun;
    bool is_over; /* refuses */
    bool has_led; /* waits until it knows the next leader */
    uint64_t end_ms;
    void (*done)(void *ctx); /* called when it is over */
    void *ctx;
};

/* As node_drain. */
void drain_begin(struct node *node, void (*done)(void *ctx), void *ctx);
/*
 * Hands over if it leads (D3); nothing if it has not begun. Every tick, right behind the core's: a
 * handover whose time is up goes on then, before anything is proposed in between.
 */
void drain_tick(struct node *node);
/* Looks whether it is over. Every turn. */
void drain_check(struct node *node);

#endif
