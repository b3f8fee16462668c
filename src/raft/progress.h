/*
 * What a leader knows of one member's log, and how fast it may send to it.
 *
 *            acknowledges what was probed             falls behind the log's start
 *   PROBE ------------------------------> REPLICATE --------------------------> SNAPSHOT
 *     ^  <-------------------------------     |      (from PROBE, too)             |
 *     |     rejects, or is unreachable        |                                    |
 *     +-------------------------------------------------- delivered or failed -----+
 *
 * P1  match < next: the member's log agrees with ours up to `match`, is not known to beyond.
 * P2  PROBE: one message with entries, then paused until an answer, or until a heartbeat is
 *     answered; with pace_probes, in a later heartbeat interval. For heartbeats that were held up
 *     are answered all at once, and each would be worth all that the member lacks.
 * P3  REPLICATE: `next` runs ahead of the answers, as far as the window (inflights.h) allows.
 * P4  SNAPSHOT: nothing is sent; next == pending_snapshot + 1 on entry.
 */
#ifndef RAFT_PROGRESS_H
#define RAFT_PROGRESS_H

#include "raft/inflights.h"
#include "raft/quorum.h"
#include "raft/raft.h"

struct raft_progress {
    node_id id;
    bool is_learner;
    enum raft_progress_state state;
    uint64_t match;
    uint64_t next;
    uint64_t sent_commit; /* highest commit index on its way to the member */
    uint64_t pending_snapshot;
    bool recent_active;    /* answered since the last check of the quorum */
    bool is_append_paused; /* P2, or the window is full */
    bool is_probe_fresh;   /* P2: it was sent in this interval */
    enum raft_vote vote;   /* in the election under way */
    uint64_t read_round;   /* the newest it answered (read_only.h, O1) */
    struct raft_inflights inflights;
};

/* Everything as for a member of whom nothing is known but where to start. Keeps id and is_learner.
 */
void raft_progress_reset(struct raft_progress *progress, uint64_t match, uint64_t next);

/* To PROBE, from where the member is known to be. */
void raft_progress_become_probe(struct raft_progress *progress);
void raft_progress_become_replicate(struct raft_progress *progress);
void raft_progress_become_snapshot(struct raft_progress *progress, uint64_t snapshot_index);

/* Whether nothing may be sent to the member now. */
bool raft_progress_is_paused(const struct raft_progress *progress);

/* The member has answered a heartbeat: what was sent to it may be lost. Sending goes on, if P2 lets
 * it. */
void raft_progress_heard(struct raft_progress *progress);

/* A heartbeat interval begins. */
void raft_progress_interval(struct raft_progress *progress);

/* A message with `count` entries of `bytes` has been sent from `next` on. */
void raft_progress_sent_entries(struct raft_progress *progress, uint32_t count, uint64_t bytes);

/* Whether telling the member of `commit` now would make it commit something more. */
bool raft_progress_can_bump_commit(const struct raft_progress *progress, uint64_t commit);

/* The member has acknowledged `index`: true if that is news. */
bool raft_progress_maybe_update(struct raft_progress *progress, uint64_t index);

/*
 * The member has rejected a message whose previous entry was at `rejected`; it may agree at
 * `match_hint`. False if the answer is stale; then nothing changes.
 */
bool raft_progress_maybe_decrease(struct raft_progress *progress, uint64_t rejected,
                                  uint64_t match_hint);

#endif
