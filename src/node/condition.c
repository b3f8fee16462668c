#include "node/condition.h"

#include "node/node_int.h"

#define TELL_MS 1000u
#define BELIEVE_MS (UINT64_C(3) * TELL_MS)
#define CONDITION_KNOWN (CONDITION_FULL | CONDITION_DRAINING | CONDITION_STALLED)

static struct condition_peer *find(struct condition *condition, node_id id)
{
    for (uint32_t i = 0; i < condition->peer_count; i++) {
        if (condition->peers[i].id == id) {
            return &condition->peers[i];
        }
    }
    return NULL;
}

static uint8_t own_flags(const struct replica *replica)
{
    unsigned flags = replica->space.is_short ? CONDITION_FULL : 0;
    flags |= replica->node->drain.is_begun ? CONDITION_DRAINING : 0;
    flags |= replica->stall.is_stalled ? CONDITION_STALLED : 0;
    return (uint8_t)flags;
}

static void tell(struct replica *replica, uint8_t flags, uint64_t now_ms)
{
    struct node *node = replica->node;
    replica->condition.told = flags;
    replica->condition.told_ms = now_ms;
    for (uint32_t i = 0; i < replica->membership.member_count && node->net != NULL; i++) {
        node_id peer = replica->membership.members[i].id;
        if (peer != node->identity.node) {
            /* Lost: it is told again, or not believed any more. */
            (void)!net_send(node->net, peer, FRAME_CONDITION, replica->region,
                            (struct slice){&flags, sizeof(flags)});
        }
    }
}

static void forget_old(struct condition *condition, uint64_t now_ms)
{
    for (uint32_t i = condition->peer_count; i > 0; i--) {
        if (condition->peers[i - 1].until_ms <= now_ms) {
            condition->peer_count--;
            condition->peers[i - 1] = condition->peers[condition->peer_count];
        }
    }
}

void condition_tick(struct replica *replica, uint64_t now_ms)
{
    struct condition *condition = &replica->condition;
    uint8_t flags = own_flags(replica);
    forget_old(condition, now_ms);
    if (flags != condition->told || (flags != 0 && now_ms - condition->told_ms >= TELL_MS)) {
        tell(replica, flags, now_ms);
    }
}

static void forget(struct condition *condition, struct condition_peer *peer)
{
    condition->peer_count--;
    *peer = condition->peers[condition->peer_count];
}

void condition_peer_lost(struct replica *replica, node_id peer)
{
    struct condition_peer *known = find(&replica->condition, peer);
    if (known != NULL) {
        forget(&replica->condition, known);
    }
}

void condition_peer_found(struct replica *replica)
{
    replica->condition.told_ms = 0; /* at the next tick, if there is anything */
}

void condition_receive(struct replica *replica, node_id from, struct slice payload)
{
    struct condition *condition = &replica->condition;
    if (payload.size != 1) {
        return;
    }
    struct condition_peer *peer = find(condition, from);
    uint8_t flags = payload.data[0] & CONDITION_KNOWN; /* of a newer one's the rest is not */
    if (flags != 0 && peer == NULL && condition->peer_count < MEMBERS_MAX) {
        peer = &condition->peers[condition->peer_count];
        condition->peer_count++;
        peer->id = from;
    }
    if (flags != 0 && peer != NULL) {
        peer->flags = flags;
        peer->until_ms = env_now_ms(replica->node->env) + BELIEVE_MS;
    } else if (peer != NULL) {
        forget(condition, peer);
    }
}

bool condition_is(const struct replica *replica, node_id id, unsigned flags)
{
    const struct condition *condition = &replica->condition;
    if (id == replica->node->identity.node) {
        return (own_flags(replica) & flags) != 0;
    }
    for (uint32_t i = 0; i < condition->peer_count; i++) {
        if (condition->peers[i].id == id) {
            return (condition->peers[i].flags & flags) != 0;
        }
    }
    return false;
}
