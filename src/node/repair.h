/*
 * A node whose own disk does not suffice is mended from its peers, without an operator, while the
 * others serve (docs/adr/0023).
 *
 * What is not there is a part of the applied state: the checkpoint is damaged, marked as not to be
 * trusted (store/distrust.h), or gone, and the log does not reach back to where it would have to
 * begin. The log, the hard state and the identity are whole: so nothing that this node has promised
 * is forgotten.
 *
 * G1  Until its state is whole a replica has no core: it neither votes nor acknowledges, applies,
 *     serves or is read from. To the others it is down.
 * G2  Any member that has a core is asked for its state, in turn, not the leader alone: two of
 *     three may be in repair, then there is none. What it sends is applied there, so it is
 *     committed.
 * G3  What is taken stands at `index_min` at least, where this node's log begins: with less there
 *     would be a gap. If the log has that very entry, it stays, and is replayed from there. Else it
 *     is reset to the state's position, as with any snapshot: then what it had acknowledged is
 *     before that, or was never committed. Term and vote stay.
 * G4  No step has to be remembered: a start finds the same lack again, and a complete snapshot that
 *     was announced (install.h) takes it over.
 * G5  Nothing is set aside before it is clear that something can take its place: the own log, or a
 *     peer. A node that is alone refuses to start, as it must.
 */
#ifndef NODE_REPAIR_H
#define NODE_REPAIR_H

#include "base/err.h"
#include "base/metrics.h"
#include "proto/entry.h"
#include "proto/membership.h"

struct node;
struct replica;

#define REPAIR_ASK_MS 1000u /* between two questions: each goes to the next peer */

/* All zero at first. */
struct repair {
    bool is_waiting;    /* G1 */
    bool is_installing; /* it has come, and is being taken in */
    uint64_t index_min; /* G3 */
    uint64_t begun_ms;
    uint64_t asked_ms;
    uint32_t asked_count;
    struct counter stores; /* rebuilt, since this process runs */
};

/* ---- at a start ---- */

/*
 * The store could not be opened, as `note` says: sets its file aside, so that it can be made anew.
 * The log is open. ERR_DAMAGED, the note says that nobody has what is lost (G5); errors of
 * store_set_aside.
 */
MUST_USE err repair_set_store_aside(struct node *node, struct err_note *note);

/* The log begins behind what the store has `applied`, and there are peers to be asked. */
bool repair_is_needed(const struct replica *replica, struct raft_pos applied);
/* Begins to wait for a state. `told` are the members to ask, as far as this node was told. */
void repair_begin(struct replica *replica, const struct membership *told);

/* ---- while it waits ---- */

/* Asks the next peer, if it is time. Every tick. */
void repair_tick(struct replica *replica, uint64_t now_ms);
/* Whether a snapshot at `pos` would do, and is waited for. */
bool repair_wants(const struct replica *replica, struct raft_pos pos);
/* The one that was wanted is complete (snapshots_take): takes it in, and goes on from there. */
void repair_receive(struct replica *replica, struct raft_pos pos);

/* ---- on the other side ---- */

/* FRAME_REPAIR: `from` asks for this node's state. */
void repair_asked(struct replica *replica, node_id from, struct slice payload);

#endif
