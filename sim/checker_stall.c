/* K11: who has to do without its disk neither stands nor clings to the lead. */
#include <inttypes.h>

#include "node/node_int.h"
#include "raft/raft_int.h"
#include "sim/checker_int.h"

/* A handover that did not succeed is over for a tick before the next one begins. */
#define IDLE_TICKS_MAX 2u

/* From how many ticks on its disk counts as stalled (node/stall.h, Z1). */
static uint64_t patience_ticks(const struct plan *plan)
{
    uint64_t patience_ms = plan->election_timeout_ms > 1000 ? plan->election_timeout_ms : 1000;
    return patience_ms / plan->heartbeat_ms + 1;
}

/* Whether another voter is there and has the whole log durably. */
static bool has_successor(const struct host *host, const struct raft *raft)
{
    uint64_t last = raft_log_last_index(&raft->log);
    for (uint32_t i = 0; i < raft->tracker.count; i++) {
        const struct raft_progress *member = &raft->tracker.members[i];
        if (member->id != raft->id && !member->is_learner && member->recent_active &&
            member->match == last && host->node->net != NULL &&
            net_is_up(host->node->net, member->id)) {
            return true;
        }
    }
    return false;
}

static void check_leader(struct checker *checker, const struct host *host, const struct raft *raft,
                         struct life *life, uint64_t tick)
{
    if (raft->transfer_target != 0) {
        bool is_news = !life->is_leader || life->transfer_target != raft->transfer_target;
        sim_count(checker->sim, SIM_STALL_HANDOVER, is_news ? 1 : 0);
    }
    if (raft->transfer_target != 0 || !has_successor(host, raft)) {
        life->idle_tick = 0;
        return;
    }
    life->idle_tick = life->idle_tick == 0 ? tick : life->idle_tick;
    if (tick - life->idle_tick > IDLE_TICKS_MAX) {
        sim_fail(checker->sim,
                 "node %u leads term %" PRIu64 ", its disk has not answered for %" PRIu64
                 " ticks, and it does not hand over",
                 host->number, raft->term, tick - life->batch_tick);
    }
}

void checker_check_stall(struct checker *checker, const struct host *host, const struct raft *raft,
                         struct life *life)
{
    uint64_t batch = wal_writing(host->node->wal);
    uint64_t tick = host->node->replica->ticks;
    if (batch != life->batch || !life->is_recovered) {
        life->batch = batch;
        life->batch_tick = tick;
        life->idle_tick = 0;
    }
    bool is_stalled = batch != 0 && tick - life->batch_tick >= patience_ticks(&checker->sim->plan);
    bool is_candidate = raft->role == RAFT_CANDIDATE || raft->role == RAFT_PRE_CANDIDATE;
    if (is_stalled && is_candidate && !life->is_candidate) {
        sim_fail(checker->sim,
                 "node %u stands in term %" PRIu64 ", and its disk has not answered for %" PRIu64
                 " ticks",
                 host->number, raft->term, tick - life->batch_tick);
    }
    if (is_stalled && raft->role == RAFT_LEADER) {
        check_leader(checker, host, raft, life, tick);
    } else {
        life->idle_tick = 0;
    }
}
