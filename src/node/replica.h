/*
 * One region's replica on this node: its consensus core, and everything that stands around it. It
 * takes what came in during a turn (proposals, reads, messages, ticks, what the disk has finished),
 * lets the core decide, and carries out what raft_ready says: log, send, apply, answer. One owner
 * for all of a region's running state.
 *
 * R1  What raft_ready gave to persist goes to the log in that order; the messages that wait for it
 *     go only when it is durable (persists.h).
 * R2  Committed entries are applied in order, each once, and answered when applied.
 * R3  The core is called only from here.
 */
#ifndef NODE_REPLICA_H
#define NODE_REPLICA_H

#include "node/admin_requests.h"
#include "node/changes.h"
#include "node/condition.h"
#include "node/contact.h"
#include "node/divergence.h"
#include "node/expiry.h"
#include "node/freshness.h"
#include "node/gather.h"
#include "node/history.h"
#include "node/install.h"
#include "node/log_age.h"
#include "node/members.h"
#include "node/mends.h"
#include "node/node.h"
#include "node/persists.h"
#include "node/quota.h"
#include "node/reads.h"
#include "node/repair.h"
#include "node/space.h"
#include "node/stall.h"
#include "node/suspicion.h"
#include "node/watches.h"
#include "node/writes.h"
#include "wal/wal.h"

struct replica {
    struct node *node;
    region_id region;
    struct raft *raft;            /* NULL until the bootstrap entry is durable, or what is lost is
                                     repaired */
    uint64_t bootstrap_ticket;    /* 0: nothing to wait for */
    struct hard_state hard_state; /* the core's newest */
    bool
        hard_state_unlogged; /* only its commit index is newer than the log's: a hint, not synced */
    node_id leader;
    enum raft_role role;
    uint64_t term;
    uint64_t applied;
    uint64_t last_ticket; /* of what the core gave to persist */
    uint64_t ticks;
    uint64_t ticked_ms;       /* the last one */
    uint64_t listens_from_ms; /* since it leads, or was held up (replica_has_listened) */
    struct freshness freshness;
    struct membership membership; /* as applied */
    struct members members;
    struct changes changes;
    struct admin_requests requests;
    struct install install;
    struct repair repair;
    struct contact contact;
    struct suspicion suspicion;
    struct stall stall;
    struct space space;
    struct condition condition;
    struct quota quota;
    struct expiry expiry;
    struct divergence divergence;
    struct mends mends;
    struct history *history; /* what was applied lately; borrowed */
    struct watches *watches; /* who is told of it */
    struct persists persists;
    struct writes writes;
    struct gather gather_writes;
    struct env_timer gather_writes_end; /* runs while writes wait for more of them */
    struct gather gather_reads;
    struct env_timer gather_reads_end;
    bool is_backed_up; /* the last write that was to leave the queue found no room */
    struct reads reads;
    struct raft_entries backlog; /* committed, not applied yet; from backlog_next on */
    uint32_t backlog_next;
    uint64_t keep_index;    /* what the leader says every member has: the log below it can go */
    struct id_set given_up; /* members for which the leader does not keep the log any more */
    struct log_age log_age;
    struct counter elections; /* leaders seen come */
    struct counter stall_handovers;
    struct counter proposed;
    struct counter applied_entries;
    struct histogram batch_writes; /* proposals of one turn */
};

/*
 * Whether log and store belong together: what the store has not applied, the log must have, and
 * they must agree on the entry that was applied last ({0,0}: none). ERR_DAMAGED, with a note.
 */
MUST_USE err replica_check_fit(const struct wal *wal, region_id region, struct raft_pos applied,
                               struct err_note *note);

/* ---- replica_start.c ---- */

/* Makes the core, of a log and a store that fit together. ERR_DAMAGED, with a note. */
MUST_USE err replica_start(struct replica *replica, struct err_note *note);

/*
 * Makes the core from what log and store have (replica_new says the rest), or begins a repair.
 * There is none yet.
 */
MUST_USE err replica_recover(struct replica *replica, const struct membership *founders,
                             struct err_note *note);

/*
 * Makes the replica of `region` from what log and store have; with neither, from `founders` by a
 * bootstrap entry, or with no membership at all if this node has joined (`founders` is empty).
 * What the store lacks and the log does not have is asked of peers (repair.h). Caller frees.
 * ERR_DAMAGED with a note: log and store do not fit together.
 */
MUST_USE err replica_new(struct replica **out_replica, struct node *node, region_id region,
                         const struct membership *founders, struct err_note *note);
/* Answers what is left with `refusal` or ERR_OUTCOME_UNKNOWN. NULL: no-op. */
void replica_free(struct replica *replica, err refusal);

/* One heartbeat interval has passed. */
void replica_tick(struct replica *replica);
/* Everything up to `ticket` of the log is durable. */
void replica_persisted(struct replica *replica, uint64_t ticket);
/* A raft message from a peer. */
void replica_step(struct replica *replica, const struct message *message);
/* The end of a turn: propose, ask, persist, send, apply, answer. */
void replica_turn(struct replica *replica);
/* What was sent to `peer` was not taken by its connection. */
void replica_peer_unreachable(struct replica *replica, node_id peer);
/* The connection to `peer` is lost. */
void replica_peer_down(struct replica *replica, node_id peer);
/* The one from `peer` is: what it has answered may be lost. */
void replica_peer_unheard(struct replica *replica, node_id peer);

/* It sends or takes a long frame, behind which its messages wait: as good as one for the clocks. */
void replica_peer_alive(struct replica *replica, node_id peer);
/* Its process is gone, as far as can be seen. */
void replica_peer_gone(struct replica *replica, node_id peer);

/* The snapshot for `peer` was delivered, or not (snapshots.h). */
void replica_report_snapshot(struct replica *replica, node_id peer, bool ok);

/* Takes a write (node_write) or a read (node_read) for the next turn. */
void replica_write(struct replica *replica, struct node_write *write);
/* As above. */
void replica_read(struct replica *replica, struct node_read *read);

/* Takes a change of the membership (node_change_membership). */
void replica_change(struct replica *replica, struct node_change *change);
/* As node_transfer_leader. */
MUST_USE err replica_transfer_leader(struct replica *replica, node_id target);
/* As node_forget_leader. */
void replica_forget_leader(struct replica *replica);
/* As node_campaign. */
MUST_USE err replica_campaign(struct replica *replica);

/* It leads, and a quorum was heard from within a few heartbeats: it may propose (docs/adr/0015). */
bool replica_has_quorum(const struct replica *replica);
/*
 * Whether this node is a voter of the incoming configuration. A leader that is not is about to lose
 * its vote: an entry of its own behind the one that takes it would make its log longer than anybody
 * else's, and those that stay may still need its vote, which it could not give them then.
 */
bool replica_stays(const struct replica *replica);
/*
 * Of a leader: whether all that are there have had the time to be heard by it. It leads for an
 * election timeout, and was not held up meanwhile: who is not in contact is away.
 */
bool replica_has_listened(const struct replica *replica);
/* It has a quorum, or reaches the leader, who may. */
bool replica_reaches_quorum(const struct replica *replica);

/* ---- replica_log.c ---- */

/* The stable log as the core sees it. */
struct raft_storage replica_storage(struct replica *replica);

/* ---- replica_compact.c ---- */

/*
 * The store's checkpoint or the peers have moved on: cuts the log where nobody needs it any more.
 */
void replica_compact(struct replica *replica);
/* The leader says that every member it keeps the log for has it up to `floor`. */
void replica_keep_from(struct replica *replica, uint64_t floor);

/* ---- replica_apply.c ---- */

/* How much is applied in one turn at most, so that a long replay lets the loop breathe. */
struct apply_budget {
    uint32_t entries;
    size_t bytes;
};

/* Takes committed entries into the backlog; shares their data. */
void replica_take_committed(struct replica *replica, const struct entry *entries, uint32_t count);
/*
 * Applies from the backlog, within `budget`, and answers the writes. True if it applied anything.
 * While the store cannot take more (store_health) it applies nothing: the core then hands out no
 * more.
 */
bool replica_apply(struct replica *replica, struct apply_budget *budget);
/* There is something to apply. */
bool replica_has_backlog(const struct replica *replica);

#endif
