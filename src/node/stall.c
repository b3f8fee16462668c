#include "node/stall.h"

#include "base/assert.h"
#include "node/node_int.h"

#define STALL_MS 2000u
#define STALL_TIMEOUTS 2u

static bool is_stalled(const struct node *node)
{
    uint64_t patience_ms = (uint64_t)STALL_TIMEOUTS * node->options.election_timeout_ms;
    return wal_write_age_ms(node->wal) >= (patience_ms > STALL_MS ? patience_ms : STALL_MS);
}

void stall_tick(struct replica *replica)
{
    const struct node *node = replica->node;
    ASSERT(replica->raft != NULL);
    if (replica->role == RAFT_LEADER && is_stalled(node) && changes_hand_over(replica)) {
        LOG_WARN(node->log, "the log's disk does not answer: another node is to lead",
                 LOG_U64("region", replica->region),
                 LOG_U64("waiting_ms", wal_write_age_ms(node->wal)));
    }
}
