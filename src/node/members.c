#include "node/members.h"

#include "base/assert.h"
#include "node/node_int.h"

/* How long a stranger is taken for a member (M5), in election timeouts; then it may dial again. */
#define STRANGER_TIMEOUTS 20u
/* How long who leaves keeps its connection, in election timeouts. */
#define FAREWELL_TIMEOUTS 2u
/* Between two attempts to listen at an address that is taken. */
#define LISTEN_RETRY_TICKS 10u

static node_id self_of(const struct replica *replica)
{
    return replica->node->identity.node;
}

static uint64_t farewell_ms(const struct replica *replica)
{
    return (uint64_t)FAREWELL_TIMEOUTS * replica->node->options.election_timeout_ms;
}

/* M3 */
static bool is_still_joining(const struct replica *replica)
{
    return replica->node->options.is_joining &&
           membership_find(&replica->membership, self_of(replica)) == NULL;
}

/* ---- the address book ---- */

void members_update(struct membership *membership, const struct membership *added)
{
    for (uint32_t i = membership->member_count; i > 0; i--) {
        node_id id = membership->members[i - 1].id;
        if (!conf_state_has(&membership->conf, id)) {
            membership_remove(membership, id);
        }
    }
    for (uint32_t i = 0; i < added->member_count; i++) {
        if (conf_state_has(&membership->conf, added->members[i].id)) {
            bool is_put = membership_put(membership, &added->members[i]);
            ASSERT(is_put); /* the core allows as many members as there are places */
        }
    }
    for (uint32_t i = 0; i < membership->member_count; i++) {
        struct member *member = &membership->members[i];
        member->wants_vote =
            member->wants_vote && id_set_has(&membership->conf.learners, member->id);
    }
}

/* ---- connections ---- */

static void part_from(struct replica *replica, node_id peer)
{
    struct node *node = replica->node;
    if (node->net != NULL) {
        net_peer_remove(node->net, peer);
    }
    replica_peer_down(replica, peer);
    id_set_remove(&replica->given_up, peer);
    bool is_history = replica->members.replayed_index != 0; /* it may have come back since (M7) */
    if (!is_history && identity_forget(&node->identity, peer)) {
        node_save_identity(node);
    }
}

/* Ends the farewells that are due at `now_ms`, and in any case that of `also` (0: nobody). */
static void end_farewells(struct replica *replica, uint64_t now_ms, node_id also)
{
    struct members *members = &replica->members;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < members->leaving_count; i++) {
        struct members_leaving leaving = members->leaving[i];
        if (leaving.id == also || leaving.until_ms <= now_ms) {
            part_from(replica, leaving.id);
        } else {
            members->leaving[kept] = leaving;
            kept++;
        }
    }
    members->leaving_count = kept;
}

static void begin_farewell(struct replica *replica, node_id peer, uint64_t span_ms)
{
    struct members *members = &replica->members;
    if (members->leaving_count == MEMBERS_MAX) {
        end_farewells(replica, UINT64_MAX, 0);
    }
    members->leaving[members->leaving_count] = (struct members_leaving){
        .id = peer,
        .until_ms = env_now_ms(replica->node->env) + span_ms,
    };
    members->leaving_count++;
}

static bool is_among(const struct member *members, uint32_t count, node_id id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].id == id) {
            return true;
        }
    }
    return false;
}

static void connect_to(struct replica *replica, const struct member *member)
{
    struct node *node = replica->node;
    err e = node_peer_set(node, member->id, member->peer_address);
    if (e == ERR_OVERLOADED) {
        end_farewells(replica, UINT64_MAX, 0); /* as many places as members */
        e = node_peer_set(node, member->id, member->peer_address);
    }
    if (e != OK) {
        LOG_WARN(node->log, "a member has no usable address", LOG_U64("member", member->id),
                 LOG_TEXT("address", member->peer_address));
    }
}

static void connect_members(struct replica *replica)
{
    const struct node_options *options = &replica->node->options;
    bool is_joining = is_still_joining(replica);
    for (uint32_t i = 0; i < replica->membership.member_count; i++) {
        const struct member *member = &replica->membership.members[i];
        if (member->id == self_of(replica) ||
            (is_joining && is_among(options->members, options->member_count, member->id))) {
            continue;
        }
        end_farewells(replica, 0, member->id); /* it is back, perhaps with another directory */
        connect_to(replica, member);
    }
}

static void part_from_former(struct replica *replica, const struct member *former, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        node_id id = former[i].id;
        if (id != self_of(replica) && membership_find(&replica->membership, id) == NULL) {
            begin_farewell(replica, id, farewell_ms(replica));
        }
    }
}

/* ---- what it means for this node ---- */

static void note_removal(struct replica *replica, uint64_t index)
{
    if (replica->members.is_removed) {
        return;
    }
    replica->members.is_removed = true;
    replica->members.removed_index = index;
    LOG_WARN(replica->node->log,
             "this node was removed from the cluster and takes no part any more: it can be "
             "stopped, its data directory is not needed",
             LOG_U64("region", replica->region), LOG_U64("index", index));
}

static void note_own_place(struct replica *replica, bool was_member, uint64_t index)
{
    struct node *node = replica->node;
    struct members *members = &replica->members;
    bool is_in = membership_find(&replica->membership, self_of(replica)) != NULL;
    /* In between it may have been removed, within a snapshot. */
    bool is_back = is_in && members->is_removed && index > members->removed_index;
    if (is_in && (!was_member || is_back)) {
        members->is_removed = false;
        members->is_cut_off = false;
        members->joined_index = index;
        if (node->options.is_joining) {
            LOG_INFO(node->log, "taken into the cluster", LOG_U64("region", replica->region),
                     LOG_U64("index", index));
            part_from_former(replica, node->options.members, node->options.member_count);
        }
    } else if (was_member && !is_in && !node->identity.is_joining) {
        note_removal(replica, index);
    }
}

void members_adopt(struct replica *replica, const struct membership *membership, uint64_t index)
{
    struct membership before = replica->membership;
    replica->membership = *membership;
    if (replica->node->net == NULL) {
        node_listen(replica->node);
    } else {
        if (!is_still_joining(replica)) {
            part_from_former(replica, before.members, before.member_count);
        }
        connect_members(replica);
    }
    note_own_place(replica, membership_find(&before, self_of(replica)) != NULL, index);
}

void members_told_of_removal(struct replica *replica, uint64_t as_of)
{
    bool was_member = membership_find(&replica->membership, self_of(replica)) != NULL;
    if (replica->raft == NULL) {
        return; /* it does not know as of when it is a member: it is told again */
    }
    if (was_member && as_of >= replica->applied && !replica->node->identity.is_joining) {
        note_removal(replica, as_of);
    }
}

/* M5 */
static bool hears_a_leader(const struct replica *replica)
{
    uint64_t window_ms = replica->node->options.election_timeout_ms;
    return replica->leader != 0 && (replica->role == RAFT_LEADER ||
                                    !contact_is_lost(&replica->contact, replica->leader,
                                                     env_now_ms(replica->node->env), window_ms));
}

bool members_take_stranger(struct replica *replica, node_id id, const char *address,
                           uint64_t *out_as_of)
{
    struct node *node = replica->node;
    *out_as_of = membership_find(&replica->membership, id) == NULL ? replica->applied : 0;
    if (hears_a_leader(replica) || replica->members.leaving_count == MEMBERS_MAX ||
        node_peer_set(node, id, address) != OK) {
        return false;
    }
    uint64_t election_ms = node->options.election_timeout_ms;
    begin_farewell(replica, id, STRANGER_TIMEOUTS * election_ms);
    LOG_INFO(node->log, "taken for a member that this node has not heard of yet",
             LOG_U64("peer", id), LOG_TEXT("address", address));
    return true;
}

void members_start(struct replica *replica)
{
    bool is_in = membership_find(&replica->membership, self_of(replica)) != NULL;
    replica->members.is_removed =
        !is_in && replica->membership.member_count > 0 && !replica->node->identity.is_joining;
    replica->members.is_cut_off = replica->members.is_removed && !replica->node->options.is_joining;
    replica->members.replayed_index = wal_bounds(replica->node->wal, replica->region).last_index;
}

/* M7 */
static void forget_former(struct replica *replica)
{
    const struct node_options *options = &replica->node->options;
    struct identity *identity = &replica->node->identity;
    bool is_any = false;
    replica->members.replayed_index = 0;
    for (uint32_t i = identity->peer_count; i > 0; i--) {
        node_id id = identity->peers[i - 1].id;
        bool is_told = options->is_joining && is_among(options->members, options->member_count, id);
        if (!is_told && membership_find(&replica->membership, id) == NULL) {
            is_any = identity_forget(identity, id) || is_any;
        }
    }
    if (is_any) {
        node_save_identity(replica->node);
    }
}

/* M4 */
bool members_settle(struct replica *replica)
{
    struct node *node = replica->node;
    const struct store_region *state = store_region(node->store, replica->region);
    if (!node->identity.is_joining) {
        return true;
    }
    if (state == NULL || membership_find(&replica->membership, self_of(replica)) == NULL) {
        return false;
    }
    if (state->checkpoint.index == 0 || state->checkpoint.index < replica->members.joined_index) {
        store_checkpoint_soon(node->store);
        return false;
    }
    node->identity.is_joining = false;
    node_save_identity(node);
    LOG_INFO(node->log, "joined: from now on this node can be started without being told whom",
             LOG_U64("region", replica->region));
    return true;
}

/* A removed node hears nobody any more once its farewell is over: then it dials nobody either. */
static void cut_off(struct replica *replica, uint64_t now_ms)
{
    struct members *members = &replica->members;
    if (!members->is_removed || members->is_cut_off || replica->node->options.is_joining ||
        !contact_is_quiet(&replica->contact, now_ms, farewell_ms(replica))) {
        return;
    }
    members->is_cut_off = true;
    for (uint32_t i = 0; i < replica->membership.member_count; i++) {
        part_from(replica, replica->membership.members[i].id);
    }
    end_farewells(replica, UINT64_MAX, 0);
    (void)!raft_forget_leader(replica->raft); /* not refused: reads are not by lease */
}

/* M8 */
static void let_go(struct replica *replica, uint64_t now_ms)
{
    struct node *node = replica->node;
    if (!replica->members.is_removed || replica->members.is_let_go ||
        node->options.removed == NULL ||
        !contact_is_quiet(&replica->contact, now_ms, farewell_ms(replica))) {
        return;
    }
    replica->members.is_let_go = true;
    node->identity.is_removed = true;
    node_save_identity(node);
    node->options.removed(node->options.ctx);
}

void members_tick(struct replica *replica, uint64_t now_ms)
{
    if (replica->members.replayed_index != 0 &&
        replica->applied >= replica->members.replayed_index) {
        forget_former(replica);
    }
    if (replica->members.leaving_count > 0) {
        end_farewells(replica, now_ms, 0);
    }
    cut_off(replica, now_ms);
    let_go(replica, now_ms);
    (void)members_settle(replica);
    if (replica->node->net == NULL && replica->membership.member_count > 1 &&
        replica->ticks % LISTEN_RETRY_TICKS == 0) {
        node_listen(replica->node);
    }
}
