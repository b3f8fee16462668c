#include "node/suspicion.h"

#include "base/assert.h"
#include "node/node_int.h"

static uint64_t draw_pause(struct env *env, uint32_t shortest_ms, uint32_t longest_ms)
{
    ASSERT(shortest_ms < longest_ms);
    return shortest_ms + env_random(env) % (longest_ms - shortest_ms);
}

static bool has_leader(const struct replica *replica)
{
    struct raft_status status; /* replica->leader is as of the last turn */
    raft_status(replica->raft, &status);
    return status.leader != 0;
}

static void on_pause(struct env_timer *timer)
{
    struct suspicion *suspicion = CONTAINER_OF(timer, struct suspicion, pause);
    struct replica *replica = CONTAINER_OF(suspicion, struct replica, suspicion);
    const struct node_options *options = &replica->node->options;
    if (has_leader(replica) || suspicion->pause_ms > options->election_timeout_ms) {
        suspicion->pause_ms = 0; /* G3, G4 */
        return;
    }
    if (raft_campaign(replica->raft) == OK) { /* else it may not lead: somebody else will */
        env_turn_wake(replica->node->env);
    }
    uint32_t shortest_ms = suspicion->pause_ms;
    suspicion->pause_ms *= 2;
    env_timer_start(timer, draw_pause(replica->node->env, shortest_ms, suspicion->pause_ms), 0);
}

void suspicion_init(struct replica *replica)
{
    env_timer_init(replica->node->env, &replica->suspicion.pause, on_pause);
}

void suspicion_deinit(struct replica *replica)
{
    env_timer_deinit(&replica->suspicion.pause);
}

void suspicion_begin(struct replica *replica)
{
    struct suspicion *suspicion = &replica->suspicion;
    struct node *node = replica->node;
    ASSERT(replica->raft != NULL);
    if (replica->role != RAFT_FOLLOWER || suspicion->pause_ms != 0) {
        return;
    }
    LOG_WARN(node->log, "the leader's process is gone", LOG_U64("region", replica->region),
             LOG_U64("leader", replica->leader));
    replica_forget_leader(replica);
    suspicion->pause_ms = node->options.heartbeat_ms;
    env_timer_start(&suspicion->pause, draw_pause(node->env, 0, suspicion->pause_ms), 0);
    env_turn_wake(node->env);
}
