#include "node/drain.h"

#include "base/assert.h"
#include "node/node_int.h"

/* Whether there is something to hand over, and somebody who could take it. */
static bool can_hand_over(const struct replica *replica)
{
    return replica->role == RAFT_LEADER && replica->membership.conf.voters.count > 1 &&
           replica_has_quorum(replica);
}

/* D5: before anything is handed over. */
static void tell(struct node *node)
{
    condition_tick(node->replica, env_now_ms(node->env));
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

static void answer(struct node_drain *request, err e)
{
    list_remove(&request->link);
    request->done(request, e);
}

static void answer_all(struct drain *drain, err e)
{
    /* Who is answered may ask again: that one is no part of it. */
    struct list waiting;
    list_init(&waiting);
    list_splice_back(&waiting, &drain->waiting);
    while (!list_is_empty(&waiting)) {
        answer(CONTAINER_OF(waiting.next, struct node_drain, link), e);
    }
}

void drain_init(struct drain *drain)
{
    *drain = (struct drain){.is_begun = false};
    list_init(&drain->waiting);
}

void drain_begin(struct node *node, struct node_drain *request)
{
    struct drain *drain = &node->drain;
    if (!drain->is_begun) {
        LOG_INFO(node->log, "draining");
    }
    drain->is_begun = true;
    drain->is_final = drain->is_final || request->is_final;
    request->end_ms = env_now_ms(node->env) + node->options.election_timeout_ms;
    list_push_back(&drain->waiting, &request->link);
    tell(node);
    hand_over(node);
    drain_check(node);
}

err drain_undo(struct node *node)
{
    struct drain *drain = &node->drain;
    if (drain->is_final) {
        return ERR_DRAINING;
    }
    if (drain->is_begun) {
        LOG_INFO(node->log, "not draining any more: requests are taken");
    }
    drain->is_begun = false;
    drain->is_over = false;
    drain->has_led = false;
    tell(node);
    answer_all(drain, ERR_CONFLICT);
    return OK;
}

const char *drain_explain(const struct node *node)
{
    /* While it closes it has no replica any more, and promises nothing. */
    bool has_others = node->replica != NULL && node->replica->membership.member_count > 1;
    if (!node->drain.is_begun || node->drain.is_final) {
        return has_others ? "this node is shutting down: ask another member"
                          : "this node is shutting down: ask again once it is started again";
    }
    return has_others ? "this node is draining, as it was told to, and takes nothing new: ask "
                        "another member, or end that here with DELETE /admin/drain (pontoon drain "
                        "--undo)"
                      : "this node is draining, as it was told to, and takes nothing new: end that "
                        "with DELETE /admin/drain (pontoon drain --undo)";
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
    if (list_is_empty(&drain->waiting)) {
        return;
    }
    struct node_drain *first = CONTAINER_OF(drain->waiting.next, struct node_drain, link);
    if (!is_to_wait(node) || env_now_ms(node->env) >= first->end_ms) {
        drain->is_over = true;
        answer_all(drain, OK);
    }
}

void drain_settle(struct node *node)
{
    struct drain *drain = &node->drain;
    struct replica *replica = node->replica;
    if (LIKELY(!drain->is_over || !drain->is_final) || drain->is_still) {
        return;
    }
    drain->is_still =
        replica->writes.count == 0 && replica->reads.count == 0 && members_settle(replica);
}

bool drain_is_still(const struct node *node)
{
    const struct replica *replica = node->replica;
    bool leads_others = replica->role == RAFT_LEADER && replica->membership.conf.voters.count > 1;
    return node->drain.is_still && !leads_others;
}

err drain_of_watches(const struct node *node)
{
    const struct drain *drain = &node->drain;
    return drain->is_over && (!drain->is_final || drain->is_still) ? ERR_DRAINING : OK;
}

void drain_close(struct node *node)
{
    answer_all(&node->drain, ERR_DRAINING);
}
