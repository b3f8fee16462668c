/*
 * Snapshots between nodes: a member that is behind the log's beginning gets the checkpoint instead.
 * Out: snapshots_out.c. In: snapshots_in.c; what the core then wants installed: install.h.
 *
 * S1  A MSG_SNAP of the core's does not travel by itself. It goes with the first chunk of what it
 *     stands for, and is stepped into the other core only when all of it is there, verified and
 *     durable. There is no other way in for one, but for a core that has all of it already: it only
 *     answers.
 * S2  At most SNAPSHOT_WINDOW chunks are unacknowledged, so that raft's own frames, on the same
 *     connection, do not wait long behind them. Little here would change on a connection of its
 *     own.
 * S3  Every transfer ends by telling the core how (raft_report_snapshot), unless this node does not
 *     lead that term any more. It is not resumed: the core asks for another.
 * S4  The log after a snapshot that was sent is kept until its receiver has gone on from there, or
 *     for SNAPSHOT_KEEP_MS: else it would need another one at once, and so on for ever.
 */
#ifndef NODE_SNAPSHOTS_H
#define NODE_SNAPSHOTS_H

#include "base/buf.h"
#include "proto/message.h"
#include "raft/raft.h"
#include "store/snapshot.h"

struct node;
struct replica;

#define SNAPSHOTS_OUT_MAX 2u
#define SNAPSHOT_WINDOW 2u
#define SNAPSHOT_CHUNK_SIZE (256u << 10)
#define SNAPSHOT_SILENCE_MS 15000u  /* without a word from the other side: it ends */
#define SNAPSHOT_AGE_MS_MAX 900000u /* it pins pages of the sender's store */
#define SNAPSHOT_KEEP_MS 300000u
#define SNAPSHOT_RETRY_MS 1000u /* after one that was refused or failed: there is a reason for it */

struct snapshot_out {
    node_id peer;      /* 0: free */
    uint64_t transfer; /* its number on the wire */
    uint64_t term;     /* that this node led when it began */
    struct raft_pos pos;
    struct store_snapshot *source;
    struct writer message; /* the MSG_SNAP; empty once it is sent */
    uint32_t sent;         /* chunks */
    uint32_t acked;
    bool is_last_sent;
    uint64_t begun_ms;
    uint64_t heard_ms;
};

/* One is coming in, or is all there, as long as `incoming` is not NULL. */
struct snapshot_in {
    node_id from;
    uint64_t transfer;
    uint32_t received;
    uint64_t heard_ms;
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
    uint64_t next_transfer;
};

_Static_assert(MEMBERS_MAX >= SNAPSHOTS_OUT_MAX, "every one that ends can be remembered");

/* None; transfers are numbered from `first_transfer` on (0 is left out). */
void snapshots_init(struct snapshots *snapshots, uint64_t first_transfer);
/* Ends everything without telling anyone. Before the store is closed. */
void snapshots_deinit(struct snapshots *snapshots);

/* ---- out ---- */

/* Position of what would be sent now; ERR_UNAVAILABLE: nothing yet. */
MUST_USE err snapshots_offer(const struct replica *replica, struct snapshot *out_snapshot);
/* The core wants `message` sent, a MSG_SNAP: begins a transfer, or reports that there is none. */
void snapshots_send(struct replica *replica, const struct message *message);
/* FRAME_SNAPSHOT_ACK. */
void snapshots_acked(struct replica *replica, node_id from, struct slice payload);
/* The connection to `peer` is lost. */
void snapshots_peer_down(struct replica *replica, node_id peer);
/* Up to where the log may go for the sake of those who get or got a snapshot (S4). */
uint64_t snapshots_floor(struct replica *replica, const struct raft_status *status);

/* ---- in ---- */

/* FRAME_SNAPSHOT. */
void snapshots_receive(struct replica *replica, node_id from, struct slice payload);
/* The complete one that the core wants installed, which is the one at `pos`; the caller owns it. */
struct store_incoming *snapshots_take(struct replica *replica, struct raft_pos pos);
/* The turn ends: what is complete and was not taken is not wanted. */
void snapshots_settle(struct replica *replica);

/* ---- between the two files ---- */

/* Ends transfers that are silent, too old, or of an earlier term of this node's. */
void snapshots_tick_out(struct replica *replica, uint64_t now_ms);
/* Ends all of them without telling anyone. */
void snapshots_deinit_out(struct snapshots *snapshots);

/* ---- both ---- */

/* Ends what is silent or too old. Every tick. */
void snapshots_tick(struct replica *replica, uint64_t now_ms);

#endif
