/*
 * Snapshots between nodes: a member that is behind the log's beginning gets the checkpoint instead.
 * Out: snapshots_out.c. In: snapshots_in.c; what the core then wants installed: install.h.
 *
 * S1  A MSG_SNAP of the core's does not travel by itself. It goes with the first chunk of what it
 *     stands for, and is stepped into the other core only when all of it is there, verified and
 *     durable. There is no other way in for one, but for a core that has all of it already: it only
 *     answers.
 * S2  Chunks have a connection of their own, so that raft's frames do not wait behind them
 *     (net_bulk_open), and a pace (node->pace), since reading one holds up the loop. What is sent
 *     and not acknowledged is kept (snapshot_window.h).
 * S3  Every transfer ends by telling the core how (raft_report_snapshot), unless this node does not
 *     lead that term any more. A connection that breaks does not end it: on the next one it goes on
 *     behind the last chunk that the receiver has verified. It ends once nothing was heard for
 *     SNAPSHOT_SILENCE_MS, or if the receiver has lost it, or the source is gone or too old; then
 *     the core asks for another.
 * S4  The log after a snapshot that was sent is kept until its receiver has gone on from there, or
 *     for SNAPSHOT_KEEP_MS: else it would need another one at once, and so on for ever.
 * S5  It is delivered when the receiver has taken it in, not when it is there: until then that one
 *     says so again and again, and the core would only repeat what cannot be answered.
 * S6  A node in repair (repair.h) asks any member for its state, and has no core that wants it:
 *     what it gets goes by its position alone, and to repair_receive. Term and leadership do not
 *     matter. No core asks it again when a sender is gone: so it does not wait long for one.
 * S7  That a sender is gone is told by its connection, not by its chunks: between two of them there
 *     may be as long as all who share its pace need for their largest. It pings meanwhile. Nor does
 *     a sender wait for an answer to what its own queue still has: as long as that shrinks, the
 *     other side is there, and a copy would only make the queue longer.
 */
#ifndef NODE_SNAPSHOTS_H
#define NODE_SNAPSHOTS_H

#include "base/buf.h"
#include "base/metrics.h"
#include "env/env.h"
#include "node/pace.h"
#include "node/snapshot_window.h"
#include "proto/message.h"
#include "raft/raft.h"
#include "store/snapshot.h"

struct node;
struct replica;

#define SNAPSHOTS_OUT_MAX 2u
#define SNAPSHOT_SILENCE_MS 60000u /* without a word of the other side (S7): it ends */
/* Without a chunk and without a connection: who is in repair asks somebody else (S7). That is time
 * for many redials, and little beside what it takes to begin anew. */
#define SNAPSHOT_PATIENCE_MS 15000u
#define SNAPSHOT_REPEAT_MS 3000u /* without progress: what is not acknowledged is sent again */
#define SNAPSHOT_QUEUE_LEAST (4u << 10) /* bytes: less may be a ping, and is no matter of seconds */
#define SNAPSHOT_REDIAL_MS 500u
#define SNAPSHOT_STAGED_REPEAT_MS 250u
#define SNAPSHOT_STAGED_SILENCE_MS 2000u /* then it counts as taken in: a probe will tell */
/* It pins pages of the sender's store: it ends once it is slower than this, after a while. */
#define SNAPSHOT_GRACE_MS 60000u
#define SNAPSHOT_RATE_MIN (256u << 10) /* bytes a second: a gigabyte may take 70 minutes */
#define SNAPSHOT_KEEP_MS 300000u
#define SNAPSHOT_RETRY_MS 1000u /* after one that was refused or failed: there is a reason for it */

_Static_assert(
    SNAPSHOT_SILENCE_MS >=
        (SNAPSHOTS_OUT_MAX + UINT64_C(1)) * STORE_SNAPSHOT_CHUNK_MAX / (PACE_RATE_LEAST / 1000),
    "the longest pause at the least pace, beside the others and a backup, is no silence");

struct snapshot_out {
    node_id peer;      /* 0: free */
    uint64_t transfer; /* its number on the wire */
    uint64_t term;     /* that this node led when it began */
    bool is_asked_for; /* by a node in repair (S6), whoever leads */
    struct raft_pos pos;
    struct store_snapshot *source; /* NULL once it is staged */
    struct writer message;         /* the MSG_SNAP; empty once it is sent */
    struct snapshot_window window;
    bool is_last_sent;
    bool is_staged; /* the receiver has all of it (S5) */
    uint64_t sent_bytes;
    uint64_t begun_ms;
    uint64_t heard_ms;  /* an answer, or the queue got shorter (S7) */
    uint64_t moved_ms;  /* when it last got on, or sent again what is not acknowledged */
    size_t queued;      /* bytes, at the last tick; 0: less than SNAPSHOT_QUEUE_LEAST */
    uint64_t redial_ms; /* when to, if there is no connection */
    uint64_t due_us;    /* of env_now_ms: when the next chunk is */
};

/* One is coming in, or is all there, as long as `incoming` is not NULL. */
struct snapshot_in {
    node_id from;
    uint64_t transfer;
    uint32_t received;
    uint64_t seen_ms;     /* its sender was there (S7) */
    uint64_t staged_from; /* who is told that the last one is being taken in (S5); 0: nobody */
    uint64_t staged_transfer;
    uint32_t staged_chunks;
    uint64_t staged_told_ms;
    bool is_complete; /* and stepped into the core, which takes it within this turn, or never */
    struct store_incoming *incoming;
    struct owned_message message;
};

/* What is remembered of the last one to a peer. */
struct snapshot_past {
    node_id peer;           /* 0: free */
    uint64_t index;         /* S4, until keep_until_ms */
    uint64_t keep_until_ms; /* 0: it was not delivered */
    uint64_t retry_at_ms;
};

struct snapshots {
    struct snapshot_out out[SNAPSHOTS_OUT_MAX];
    struct snapshot_past past[MEMBERS_MAX];
    struct snapshot_in in;
    uint64_t first_transfer; /* a random one: another process has others */
    uint64_t next_transfer;
    struct env_timer timer; /* until the next chunk is due */
    struct counter sent;    /* delivered */
    struct counter failed;  /* begun and not delivered */
    struct counter resumed; /* breaks that one has survived */
    struct counter sent_bytes;
    struct counter received; /* complete, and verified as a whole */
};

_Static_assert(MEMBERS_MAX >= SNAPSHOTS_OUT_MAX, "every one that ends can be remembered");

/* None, of a node's (node->snapshots); they are numbered from `first_transfer` on, without 0. */
void snapshots_init(struct snapshots *snapshots, struct env *env, uint64_t first_transfer);
/* Ends everything without telling anyone. Before the store is closed. */
void snapshots_deinit(struct snapshots *snapshots);

/* ---- out ---- */

/* Position of what would be sent now; ERR_UNAVAILABLE: nothing yet. */
MUST_USE err snapshots_offer(const struct replica *replica, struct snapshot *out_snapshot);
/* The core wants `message` sent, a MSG_SNAP: begins a transfer, or reports that there is none. */
void snapshots_send(struct replica *replica, const struct message *message);
/* Begins to send `peer`, which asks for it, this node's state (S6); or does not, then it asks
 * again. */
void snapshots_send_state(struct replica *replica, node_id peer);
/* Whether this process has begun that transfer: it goes on, or has ended for a reason. */
bool snapshots_has_begun(const struct replica *replica, uint64_t transfer);
/* FRAME_SNAPSHOT_ACK. */
void snapshots_acked(struct replica *replica, node_id from, struct slice payload);
/* The connection for chunks to `peer` is there, or lost. */
void snapshots_bulk_up(struct replica *replica, node_id peer);
void snapshots_bulk_down(struct replica *replica, node_id peer);
/* The other connection to `peer` is lost. */
void snapshots_peer_down(struct replica *replica, node_id peer);
/* Up to where the log may go for the sake of those who get or got a snapshot (S4). */
uint64_t snapshots_floor(struct replica *replica, const struct raft_status *status);

/* ---- in ---- */

/* Whether one is coming in, and its sender is there or was so within SNAPSHOT_PATIENCE_MS (S7). */
bool snapshots_is_coming(const struct replica *replica);
/* FRAME_SNAPSHOT. */
void snapshots_receive(struct replica *replica, node_id from, struct slice payload);
/* The complete one that is to be installed, which is the one at `pos`; the caller owns it. */
struct store_incoming *snapshots_take(struct replica *replica, struct raft_pos pos);
/* The turn ends: what is complete and was not taken is not wanted. */
void snapshots_settle(struct replica *replica);

/* ---- between the two files ---- */

/* Ends transfers that are silent, too old, or of an earlier term of this node's. */
void snapshots_tick_out(struct replica *replica, uint64_t now_ms);
/* The timer of those that go out. */
void snapshots_due(struct env_timer *timer);
/* Ends all of them without telling anyone. */
void snapshots_deinit_out(struct snapshots *snapshots);

/* ---- both ---- */

/* Ends what is silent or too old. Every tick. */
void snapshots_tick(struct replica *replica, uint64_t now_ms);

#endif
