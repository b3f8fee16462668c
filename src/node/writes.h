/*
 * The writes of one region on their way. Each is in exactly one stage, and leaves by being
 * answered:
 *
 *     QUEUED ──propose──> PROPOSED ──leadership lost──> ORPHANED
 *       │ ^                  │                             │
 *       │ └──────overwritten─┴──────────overwritten────────┘     committed at its place: answered
 *       └──forward──> FORWARDED ──the leader's answer──>         (or back to QUEUED: not applied)
 *
 * W1  QUEUED: it can be refused for sure. A write that is put back there can never happen by its
 *     earlier proposal: another entry was committed at its place, or the leader said so.
 * W2  PROPOSED, ORPHANED and FORWARDED: its outcome is open until its place in the log is committed
 *     or the leader answers; past its deadline it is answered ERR_OUTCOME_UNKNOWN.
 * W3  PROPOSED and ORPHANED are in the order of the indexes: one leadership proposes upwards, and
 *     what several have left behind is merged.
 */
#ifndef NODE_WRITES_H
#define NODE_WRITES_H

#include "node/node.h"
#include "node/stages.h"
#include "proto/frame.h"

/* Ids are given one after the other, so a bucket has few of them. */
#define WRITES_FORWARD_BUCKETS 1024u

struct writes {
    struct list queued;
    struct list deferred; /* QUEUED, but tried again only at the next tick, or leader */
    struct list proposed;
    struct list orphaned;
    struct list forwarded;
    struct list forwarded_by_id[WRITES_FORWARD_BUCKETS]; /* the same ones, by forward_id */
    struct deadlines deadlines;                          /* all of them */
    uint64_t count;
    uint64_t proposed_count;  /* of those in PROPOSED */
    uint64_t bytes;           /* of their commands */
    uint64_t forwarded_bytes; /* of those in FORWARDED */
    uint64_t next_forward_id;
    struct counter finished;
    struct counter overloaded; /* refused for that, before they were taken, too */
    struct counter unknown;
    uint64_t now_ns; /* writes_set_clock */
    struct stages synced;
    struct stages committed;
    struct histogram commit_us; /* from the proposal to the applied entry */
    struct histogram queue_us;  /* the others: struct write_times */
    struct histogram fsync_us;
    struct histogram replicate_us;
    struct histogram apply_us;
};

/* An empty one; forwarded writes are numbered from `first_forward_id` on. */
void writes_init(struct writes *writes, uint64_t first_forward_id);

/* Monotonic time for what is proposed and answered from here on: one look at the clock a chunk. */
void writes_set_clock(struct writes *writes, uint64_t now_ns);

/* Of a leader: from now on (writes_set_clock) the entries up to `index` are on its disk, or are
 * committed. */
void writes_synced(struct writes *writes, uint64_t index);
void writes_committed(struct writes *writes, uint64_t index);

/* Takes `write` (its command, deadline and done set), which comes at `now_ms`, into QUEUED. */
void writes_add(struct writes *writes, struct node_write *write, uint64_t now_ms);

/*
 * Takes the next of QUEUED for a proposal, or NULL. The caller proposes it and calls either
 * writes_proposed, or writes_unproposed to put it back first in the queue.
 */
struct node_write *writes_next(struct writes *writes);
void writes_proposed(struct writes *writes, struct node_write *write, struct raft_pos pos);
void writes_unproposed(struct writes *writes, struct node_write *write);
/* Or it is refused for sure: answers it. */
void writes_refuse(struct writes *writes, struct node_write *write, err refusal);
/* FORWARDED to `leader`; write->forward_id is set for the frame. */
void writes_forwarding(struct writes *writes, struct node_write *write, node_id leader);
/* The frame was not sent: back to the front of QUEUED. */
void writes_unforwarded(struct writes *writes, struct node_write *write);

/*
 * The entry at `pos` is committed and was applied with `result` (NULL: it was no write). Answers
 * the write that stands there; puts back those that were proposed at that index under another term
 * (W1).
 */
void writes_applied(struct writes *writes, struct raft_pos pos,
                    const struct command_result *result);

/* A snapshot was installed: what became of the entries up to `index` is not told. */
void writes_passed(struct writes *writes, uint64_t index);

/* PROPOSED becomes ORPHANED: this node does not lead any more. */
void writes_orphan(struct writes *writes);

/* The leader's answer to a forwarded write; an unknown id is ignored (it was answered by then). */
void writes_forward_answer(struct writes *writes, node_id from, uint64_t forward_id,
                           const struct command_result *result);
/* A connection to or from `peer` is lost: what was forwarded to it has an unknown outcome. */
void writes_peer_lost(struct writes *writes, node_id peer);

/*
 * This node is no member any more, and hears nothing more of the log: what was proposed and is not
 * committed has an unknown outcome, what is queued is refused. What was forwarded may still be
 * answered.
 */
void writes_part(struct writes *writes);

/* There is another leader: DEFERRED need not wait for the next tick. */
void writes_resume(struct writes *writes);

/*
 * Tries DEFERRED again and answers what is past its deadline: what is QUEUED with `refusal`. Every
 * tick.
 */
void writes_tick(struct writes *writes, uint64_t now_ms, err refusal);

/* Refuses what came before `since_ms` and is still first in the queue: ERR_OVERLOADED. */
void writes_shed(struct writes *writes, uint64_t since_ms);

/* Answers all of them: what cannot happen with `refusal`, the rest with ERR_OUTCOME_UNKNOWN. */
void writes_close(struct writes *writes, err refusal);

#endif
