#include "node/condition.h"

#include "node/node_int.h"

#define TELL_MS 1000u
#define BELIEVE_MS (UINT64_C(3) * TELL_MS)
#define CONDITION_KNOWN (CONDITION_FULL | CONDITION_DRAINING | CONDITION_STALLED)

/* Its place among those that said something; their count: it is none of them. */
static uint32_t find(const struct condition *condition, node_id id)
{
    uint32_t place = 0;
    while (place < condition->peer_count && condition->peers[place].id != id) {
        place++;
    }
    return place;
}

static void forget(struct condition *condition, uint32_t place)
{
    condition->peer_count--;
    condition->peers[place] = condition->peers[condition->peer_count];
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
            forget(condition, i - 1);
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

void condition_peer_lost(struct replica *replica, node_id peer)
{
    uint32_t place = find(&replica->condition, peer);
    if (place < replica->condition.peer_count) {
        forget(&replica->condition, place);
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
    uint32_t place = find(condition, from);
    uint8_t flags = payload.data[0] & CONDITION_KNOWN; /* of a newer one's the rest is not */
    if (flags != 0 && place == condition->peer_count && place < MEMBERS_MAX) {
        condition->peers[place].id = from;
        condition->peer_count++;
    }
    if (place == condition->peer_count) {
        return; /* there is nothing to forget, or no room */
    }
    if (flags == 0) {
        forget(condition, place);
        return;
    }
    condition->peers[place].flags = flags;
    condition->peers[place].until_ms = env_now_ms(replica->node->env) + BELIEVE_MS;
}

bool condition_is(const struct replica *replica, node_id id, unsigned flags)
{
    const struct condition *condition = &replica->condition;
    if (id == replica->node->identity.node) {
        return (own_flags(replica) & flags) != 0;
    }
    uint32_t place = find(condition, id);
    return place < condition->peer_count && (condition->peers[place].flags & flags) != 0;
}
