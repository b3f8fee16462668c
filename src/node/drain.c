#include "node/drain.h"

#include "base/assert.h"
#include "node/node_int.h"

/* Whether leadership is on its way to somebody else, or can be again as soon as one answers. */
static bool is_handing_over(struct replica *replica)
{
    if (replica->role != RAFT_LEADER || replica->membership.conf.voters.count < 2 ||
        !replica_has_quorum(replica)) {
        return false;
    }
    if (changes_hand_over(replica)) {
        LOG_INFO(replica->node->log, "handing over leadership", LOG_U64("region", replica->region));
    }
    return true;
}

/* D1, D2 */
static bool is_to_wait(struct node *node)
{
    struct drain *drain = &node->drain;
    struct replica *replica = node->replica;
    if (is_handing_over(replica)) {
        drain->has_led = true;
        return true;
    }
    bool is_leaderless = drain->has_led && replica->role != RAFT_LEADER && replica->leader == 0;
    return is_leaderless || node->forwarded_count > 0;
}

void drain_begin(struct node *node, void (*done)(void *ctx), void *ctx)
{
    struct drain *drain = &node->drain;
    ASSERT(done != NULL);
    ASSERT(!drain->is_begun);
    *drain = (struct drain){
        .is_begun = true,
        .end_ms = env_now_ms(node->env) + node->options.election_timeout_ms,
        .done = done,
        .ctx = ctx,
    };
    drain_check(node);
}

void drain_check(struct node *node)
{
    struct drain *drain = &node->drain;
    if (!drain->is_begun) {
        return;
    }
    bool is_waiting = is_to_wait(node); /* also when it is over: D3 */
    if (!drain->is_over && (!is_waiting || env_now_ms(node->env) >= drain->end_ms)) {
        drain->is_over = true;
        drain->done(drain->ctx);
    }
}
