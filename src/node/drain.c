#include "node/drain.h"

#include "base/assert.h"
#include "node/node_int.h"

/* Whether there is something to hand over, and somebody who could take it. */
static bool can_hand_over(const struct replica *replica)
{
    return replica->role == RAFT_LEADER && replica->membership.conf.voters.count > 1 &&
           replica_has_quorum(replica);
}

/* Nothing if it is under way. */
static void hand_over(struct node *node)
{
    struct replica *replica = node->replica;
    if (can_hand_over(replica)) {
        node->drain.has_led = true;
        if (changes_hand_over(replica)) {
            LOG_INFO(node->log, "handing over leadership", LOG_U64("region", replica->region));
            env_turn_wake(node->env);
        }
    }
}

/* D1, D2 */
static bool is_to_wait(const struct node *node)
{
    const struct replica *replica = node->replica;
    bool is_leaderless =
        node->drain.has_led && replica->role != RAFT_LEADER && replica->leader == 0;
    return can_hand_over(replica) || is_leaderless || node->forwarded_count > 0;
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
    hand_over(node);
    drain_check(node);
}

void drain_tick(struct node *node)
{
    if (node->drain.is_begun) {
        hand_over(node);
    }
}

void drain_check(struct node *node)
{
    struct drain *drain = &node->drain;
    bool is_under_way = drain->is_begun && !drain->is_over;
    if (is_under_way && (!is_to_wait(node) || env_now_ms(node->env) >= drain->end_ms)) {
        drain->is_over = true;
        drain->done(drain->ctx);
    }
}
