/*
 * The roles and the ways between them (paper, figure 4; pre-candidate: dissertation, section 9.6).
 *
 *                    timeout             pre-votes won          votes won
 *     FOLLOWER ---------------> PRE_CANDIDATE -------> CANDIDATE -------> LEADER
 *        ^   \____________________ (pre_vote off) ________^  |              |
 *        |                 |                                 |              |
 *        +-----------------+---------------------------------+--------------+
 *              a leader or a higher term is heard of, the vote is lost, the quorum is silent
 */
#include "base/assert.h"
#include "raft/raft_int.h"

static void enter(struct raft *raft, enum raft_role role)
{
    /* Bit `to` of moves[from]: whether the move exists. */
    static const uint8_t moves[] = {
        [RAFT_FOLLOWER] = 1 << RAFT_FOLLOWER | 1 << RAFT_PRE_CANDIDATE | 1 << RAFT_CANDIDATE,
        [RAFT_PRE_CANDIDATE] = 1 << RAFT_FOLLOWER | 1 << RAFT_PRE_CANDIDATE | 1 << RAFT_CANDIDATE,
        [RAFT_CANDIDATE] =
            1 << RAFT_FOLLOWER | 1 << RAFT_PRE_CANDIDATE | 1 << RAFT_CANDIDATE | 1 << RAFT_LEADER,
        [RAFT_LEADER] = 1 << RAFT_FOLLOWER,
    };
    ASSERT((moves[raft->role] >> role & 1) != 0);
    raft->role = role;
}

void raft_abort_transfer(struct raft *raft)
{
    raft->transfer_target = 0;
}

/* What every role but the pre-candidate starts with. */
static void reset(struct raft *raft, uint64_t term)
{
    ASSERT(term >= raft->term); /* C1 */
    if (raft->term != term) {
        raft->term = term;
        raft->vote = 0;
    }
    raft->leader = 0;
    raft->election_elapsed = 0;
    raft->heartbeat_elapsed = 0;
    uint32_t ticks = raft->config.election_ticks;
    raft->randomized_election_ticks = ticks + (uint32_t)prng_below(&raft->prng, ticks);
    raft_abort_transfer(raft);
    uint64_t last_index = raft_log_last_index(&raft->log);
    for (uint32_t i = 0; i < raft->tracker.count; i++) {
        struct raft_progress *progress = &raft->tracker.members[i];
        raft_progress_reset(progress, 0, last_index + 1);
        if (progress->id == raft->id) {
            progress->match = last_index;
        }
    }
    raft->pending_conf_index = 0;
    raft->uncommitted_size = 0;
    raft_read_queue_clear(&raft->reads);
    raft->reads_confirmed = 0;
    raft_read_queue_clear(&raft->early_reads);
}

void raft_become_follower(struct raft *raft, uint64_t term, node_id leader)
{
    reset(raft, term);
    enter(raft, RAFT_FOLLOWER);
    raft->leader = leader;
}

void raft_become_pre_candidate(struct raft *raft)
{
    /* Neither term nor vote: being refused must leave no trace, here and elsewhere. */
    enter(raft, RAFT_PRE_CANDIDATE);
    raft_tracker_reset_votes(&raft->tracker);
    raft->leader = 0;
}

void raft_become_candidate(struct raft *raft)
{
    reset(raft, raft->term + 1);
    enter(raft, RAFT_CANDIDATE);
    raft->vote = raft->id;
}

void raft_become_leader(struct raft *raft)
{
    reset(raft, raft->term);
    enter(raft, RAFT_LEADER);
    raft->leader = raft->id;
    struct raft_progress *self = raft_tracker_find(&raft->tracker, raft->id);
    ASSERT(self != NULL); /* only members campaign, and changes wait for the election's end */
    /* Our own log is written, not sent; what of it is durable is counted like a follower's (C3). */
    raft_progress_become_replicate(self);
    self->recent_active = true;
    /* There may be a change in what is not applied yet: no other before that (C4). */
    raft->pending_conf_index = raft_log_last_index(&raft->log);
    struct entry empty = {.type = ENTRY_NORMAL};
    bool taken = raft_leader_append(raft, &empty, 1); /* C2 */
    ASSERT(taken);
}
