/*
 * The configuration in force and the progress of each of its members.
 *
 * T1  There is exactly one progress for each member of `conf`, sorted by id; is_learner says
 *     whether it is in conf.learners.
 */
#ifndef RAFT_TRACKER_H
#define RAFT_TRACKER_H

#include "raft/conf_change.h"
#include "raft/progress.h"

struct raft_tracker {
    struct conf_state conf;
    struct raft_progress members[MEMBERS_MAX];
    uint32_t count;
    uint32_t inflight_count_max;
    uint64_t inflight_bytes_max;
};

/* A tracker without members; the limits are those of each member's window (inflights.h). */
void raft_tracker_init(struct raft_tracker *tracker, uint32_t inflight_count_max,
                       uint64_t inflight_bytes_max);
void raft_tracker_deinit(struct raft_tracker *tracker);

/* NULL if `id` is no member. Borrowed until the configuration changes. */
struct raft_progress *raft_tracker_find(struct raft_tracker *tracker, node_id id);
const struct raft_progress *raft_tracker_get(const struct raft_tracker *tracker, node_id id);

/*
 * Takes over a configuration. Members that stay keep their progress, except those in `renewed` (may
 * be NULL); new ones are probed from `last_index` on and count as recently active, so that checking
 * the quorum does not blame them before they could answer.
 */
void raft_tracker_adopt(struct raft_tracker *tracker, const struct conf_state *conf,
                        const struct id_set *renewed, uint64_t last_index);

/* The highest index that the configuration has acknowledged. */
uint64_t raft_tracker_committed(const struct raft_tracker *tracker);

/* One voter, and not joint. */
bool raft_tracker_is_singleton(const struct raft_tracker *tracker);

/* Forgets all votes: an election begins. */
void raft_tracker_reset_votes(struct raft_tracker *tracker);
/* A member's first vote counts, later ones do not. */
void raft_tracker_record_vote(struct raft_tracker *tracker, node_id id, bool granted);
enum raft_vote_result raft_tracker_tally(const struct raft_tracker *tracker);

/* Whether the voters heard of since the last check are a quorum. */
bool raft_tracker_quorum_active(const struct raft_tracker *tracker);

#endif
