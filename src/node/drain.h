/*
 * How a node is taken out of service without being missed, before its end or for a while: it hands
 * over what it leads, and finishes what other nodes have given to it. It goes on as a member: it
 * follows, acknowledges and votes.
 *
 * D1  Requests are taken until somebody else leads: before that no other node could do better.
 * D2  Who leads nothing, or has nobody to hand over to (it is alone, or has no quorum), does not
 *     wait; nor does anybody for longer than an election timeout, which is what a handover has.
 * D3  Afterwards new requests are refused. Should this node be elected once more, it hands over
 *     again: its members' writes must not wait for its last client.
 * D4  Each who asked is answered once. It can be undone until somebody asked who ends the node.
 * D5  The others are told (condition.h), and do not hand over to it: two that drain would hand the
 *     lead to and fro. If all do, whoever leads goes on leading.
 * D6  Who ends the node has its watches end last: once what this node was asked is answered, it
 *     applies nothing more, and they are told how far they have seen. So their readers can go on
 *     from there even at this node's next life, whose history begins with the last checkpoint.
 */
#ifndef NODE_DRAIN_H
#define NODE_DRAIN_H

#include "node/node.h"

struct drain {
    bool is_begun;
    bool is_over;  /* refuses */
    bool is_final; /* D4 */
    bool is_still; /* D6 */
    bool has_led;  /* waits until it knows the next leader */
    struct list waiting;
};

/* Fills caller's storage: not draining. */
void drain_init(struct drain *drain);
/* As node_drain. */
void drain_begin(struct node *node, struct node_drain *request);
/* As node_undrain. */
MUST_USE err drain_undo(struct node *node);
/* As node_explain_draining. */
const char *drain_explain(const struct node *node);
/*
 * Hands over if it leads (D3); nothing if it has not begun. Every tick, right behind the core's: a
 * handover whose time is up goes on then, before anything is proposed in between.
 */
void drain_tick(struct node *node);
/* Looks whether it is over. Every turn. */
void drain_check(struct node *node);
/* Looks whether what was asked is answered (D6). Every turn, before the watches are told. */
void drain_settle(struct node *node);
/* Whether nothing is applied any more, but by a leader: its members wait for it. */
bool drain_is_still(const struct node *node);
/* Why watches are to end now: ERR_DRAINING; OK: not yet. */
MUST_USE err drain_of_watches(const struct node *node);
/* Answers who waits: the node ends. */
void drain_close(struct node *node);

#endif
