/*
 * A node whose own disk does not suffice is mended from its peers, without an operator, while the
 * others serve (docs/adr/0023).
 *
 * Either a part of the applied state is not there: the checkpoint is damaged, marked as not to be
 * trusted (store/distrust.h), or gone, and the log does not reach back to where it would have to
 * begin. Then nothing that this node has promised is forgotten. Or the log is damaged, and cannot
 * be mended in place (log_mend.h): then what it had acknowledged is not known any more, and perhaps
 * neither is its vote.
 *
 * G1  Until it is whole a replica has no core: it neither votes nor acknowledges, applies, serves
 *     or is read from. To the others it is down, and it tells all of them so, again and again: for
 *     its connection alone it might be taken for one that can vote (admin_requests.h, A3).
 * G2  Any member that has a core is asked for its state, in turn, not the leader alone: two of
 *     three may be in repair, then there is none. Those whose log reaches far enough come first;
 *     and while one sends, it alone is asked to begin anew if it was restarted meanwhile: who has
 *     given up may be too slow, so after a while the next is asked. What it sends is applied
 *     there, so it is committed. The question tells up to where this node knows it to be (it has
 *     cut its log there): who has that entry, and could not commit it without this node's vote,
 *     now can.
 * G3  What is taken stands at `index_min` at least, where this node's log begins: with less there
 *     would be a gap. If the log has that very entry, it stays, and is replayed from there. Else it
 *     is reset to the state's position, as with any snapshot: then what it had acknowledged is
 *     before that, or was never committed. Term and vote stay.
 * G4  Of a lost store no step has to be remembered: a start finds the same lack again, and a
 *     complete snapshot that was announced (install.h) takes it over. Of a lost log, term and vote
 *     are, in the identity file, from before it is set aside until a new one is durable; nothing
 *     that the new one promises is told to anybody before that.
 * G5  Nothing is set aside before it is clear that something can take its place: the own log, or a
 *     peer. A node that is alone refuses to start, as it must.
 * G6  Without its log, index_min is the last index of a leader of this node's term or a later one,
 *     said after the loss. A committed entry that this node has helped to commit is not behind
 *     that: of the leader's own term, the leader has sent it; of an earlier one, it had it when it
 *     was elected. All else that was acknowledged, up to there, is decided by a state at index_min.
 * G7  Without its vote, this node's term is the highest of all peers that it has met (each of them
 *     must say so), and its vote there is taken to be given: whoever asked it for a vote was in
 *     that term itself, durably, before it asked. So it is in no term before the one that it may
 *     have voted in, and votes in none of those again.
 */
#ifndef NODE_REPAIR_H
#define NODE_REPAIR_H

#include "base/err.h"
#include "base/metrics.h"
#include "proto/entry.h"
#include "proto/membership.h"

struct node;
struct replica;

#define REPAIR_ASK_MS 1000u   /* between two questions to all, and two for a state to one */
#define REPAIR_TELL_MS 10000u /* between two lines of the log about what is still waited for */

/* What a peer has said of itself. */
struct repair_heard {
    node_id peer;
    uint64_t term;
    uint64_t last_index;
    bool leads;
};

/* All zero at first. */
struct repair {
    bool is_waiting;    /* G1 */
    bool is_installing; /* it has come, and is being taken in */
    bool is_log_lost;   /* it was set aside; the next two are found out first */
    bool has_index_min;
    uint64_t index_min;      /* G3, G6 */
    uint64_t index_min_term; /* of the entry there, if it is known to be committed; 0: it is not */
    uint64_t begun_ms;
    uint64_t asked_ms;
    uint64_t told_ms; /* REPAIR_TELL_MS */
    uint32_t asked_count;
    uint32_t heard_count;
    struct repair_heard heard[MEMBERS_MAX]; /* since the loss */
    struct counter stores;                  /* rebuilt, since this process runs */
    struct counter logs;                    /* likewise */
};

/* ---- at a start ---- */

/*
 * The store could not be opened, as `note` says: sets its file aside, so that it can be made anew.
 * The log is open. ERR_DAMAGED, the note says that nobody has what is lost (G5); errors of
 * store_set_aside.
 */
MUST_USE err repair_set_store_aside(struct node *node, struct err_note *note);

/*
 * The log is damaged, as `note` says: notes term and vote in the identity (G4), and sets it aside,
 * so that it can be made anew. ERR_DAMAGED: nobody has what is lost (G5). Other errors with a note.
 */
MUST_USE err repair_set_log_aside(struct node *node, struct err_note *note);
/* Somebody else is there, or was. */
bool repair_has_peers(const struct node *node);
/* An earlier start has begun that: what there is of a log is not the node's. */
MUST_USE err repair_drop_log(struct node *node, struct err_note *note);

/*
 * The log begins behind what the store has `applied`, and there are peers to be asked; or the log
 * was set aside, and what takes its place is not there yet.
 */
bool repair_is_needed(const struct replica *replica, struct raft_pos applied);
/*
 * The log was set aside, and the store's state at `applied` is enough to begin a new one (G6):
 * resets it to that. False: it was not set aside.
 */
bool repair_reset_log(struct replica *replica, struct raft_pos applied);
/* The log that was reset is durable. */
void repair_log_persisted(struct replica *replica);
/* Begins to wait for a state. `told` are the members to ask, as far as this node was told. */
void repair_begin(struct replica *replica, const struct membership *told);

/* Begins to wait until the log is mended (log_mend.h): it is not open. `told` as above. */
void repair_await_log(struct replica *replica, const struct membership *told);
/* It is open now: goes on as a start does, perhaps with waiting for a state. */
void repair_log_opened(struct replica *replica);

/* ---- while it waits ---- */

/* Asks the next peer, if it is time. Every tick. */
void repair_tick(struct replica *replica, uint64_t now_ms);
/* Whether a snapshot at `pos` would do, and is waited for. */
bool repair_wants(const struct replica *replica, struct raft_pos pos);
/* The one that was wanted is complete (snapshots_take): takes it in, and goes on from there. */
void repair_receive(struct replica *replica, struct raft_pos pos);

/* ---- on the other side ---- */

/* FRAME_REPAIR: `from` asks for this node's state, or how far it is, or says it. */
void repair_heard(struct replica *replica, node_id from, struct slice payload);

#endif
