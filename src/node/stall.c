#include "node/stall.h"

#include "base/assert.h"
#include "node/node_int.h"

#define STALL_MS 1000u

static uint32_t ticks_max(const struct node_options *options)
{
    uint32_t patience_ms =
        options->election_timeout_ms > STALL_MS ? options->election_timeout_ms : STALL_MS;
    return patience_ms / options->heartbeat_ms + 1;
}

/* Z1 */
static void count_tick(struct stall *stall, uint64_t batch)
{
    if (batch == 0 || batch != stall->batch) {
        stall->ticks = 0;
    }
    stall->batch = batch;
    stall->ticks += batch != 0 ? 1 : 0;
}

/* Whether what `successor` has durably shows that its disk is better than ours (Z2). */
static bool is_ahead(const struct raft_status *status, node_id successor)
{
    uint64_t own = 0;
    uint64_t match = 0;
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct raft_member_status *member = &status->members[i];
        own = member->id == status->id ? member->match : own;
        match = member->id == successor ? member->match : match;
    }
    return match == status->last_index || match > own;
}

static void hand_over(struct replica *replica)
{
    struct raft_status status;
    raft_status(replica->raft, &status);
    node_id successor = status.transfer_target == 0 ? changes_successor(replica, NULL) : 0;
    if (successor != 0 && is_ahead(&status, successor) &&
        raft_transfer_leader(replica->raft, successor) == OK) {
        counter_add(&replica->stall_handovers, 1);
        LOG_WARN(replica->node->log, "the log's disk does not answer: another node is to lead",
                 LOG_U64("region", replica->region), LOG_U64("successor", successor));
    }
}

void stall_tick(struct replica *replica)
{
    const struct node *node = replica->node;
    struct stall *stall = &replica->stall;
    ASSERT(replica->raft != NULL);
    count_tick(stall, wal_writing(node->wal));
    bool is_stalled = stall->ticks >= ticks_max(&node->options);
    if (is_stalled != stall->is_stalled) {
        stall->is_stalled = is_stalled;
        raft_stand_back(replica->raft, is_stalled); /* Z3 */
        if (is_stalled) {
            LOG_WARN(node->log, "the log's disk does not answer",
                     LOG_U64("region", replica->region));
        } else {
            LOG_INFO(node->log, "the log's disk answers again", LOG_U64("region", replica->region));
        }
    }
    if (is_stalled && replica->role == RAFT_LEADER) {
        hand_over(replica);
    }
}
