#include "node/freshness.h"

#include "base/assert.h"
#include "node/node_int.h"

void freshness_heard(struct replica *replica, const struct message *message, uint64_t now_ms)
{
    struct freshness *freshness = &replica->freshness;
    if (message->from != replica->leader || message->term < replica->term) {
        return;
    }
    if (message->type == MSG_APP) {
        freshness->pending_ms = now_ms;
        freshness->wanted_index = message->commit;
    } else if (message->type == MSG_HEARTBEAT && freshness->pending_ms == 0) {
        freshness->pending_ms = now_ms;
        freshness->wanted_index = 0;
    }
}

void freshness_settle(struct replica *replica)
{
    struct freshness *freshness = &replica->freshness;
    if (freshness->pending_ms == 0) {
        return;
    }
    uint64_t wanted = freshness->wanted_index;
    if (wanted == 0) {
        wanted = wal_bounds(replica->node->wal, replica->region).last_index;
    }
    if (replica->applied >= wanted) {
        freshness->heard_ms = freshness->pending_ms;
        freshness->pending_ms = 0;
    }
}

void freshness_tick(struct replica *replica, uint64_t now_ms)
{
    if (replica_has_quorum(replica)) {
        replica->freshness.heard_ms = now_ms;
    }
}

uint64_t freshness_staleness_ms(const struct replica *replica)
{
    bool leads = replica->role == RAFT_LEADER;
    uint64_t heard_ms = replica->freshness.heard_ms;
    if (leads && heard_ms == 0) {
        return 0; /* it has been elected before its first tick */
    }
    if (heard_ms == 0 || (!leads && !replica_has_listened(replica))) { /* F1 */
        return NODE_STALENESS_UNKNOWN;
    }
    uint64_t now_ms = env_now_ms(replica->node->env);
    ASSERT(now_ms >= heard_ms);
    uint64_t age_ms = now_ms - heard_ms;
    return leads && age_ms <= 2ull * replica->node->options.heartbeat_ms ? 0 : age_ms;
}

bool freshness_is_within(const struct replica *replica, uint64_t staleness_ms_max)
{
    if (replica_has_backlog(replica)) {
        return false;
    }
    if (replica->role != RAFT_LEADER) {
        return freshness_staleness_ms(replica) <= staleness_ms_max; /* whoever leads by now */
    }
    return contact_has_quorum(&replica->contact, &replica->membership.conf,
                              replica->node->identity.node, env_now_ms(replica->node->env),
                              staleness_ms_max); /* F3 */
}
