#include "node/changes.h"

#include <string.h>

#include "base/assert.h"
#include "env/address.h"
#include "node/node_int.h"
#include "raft/conf_change.h"

/* A learner that is so few entries behind has caught up: they are on their way to it. */
#define PROMOTION_LAG_MAX 256u

static void finish(struct node_change *change, err e, node_id leader)
{
    change->leader = leader;
    change->done(change, e);
}

/* ---- whether it makes sense ---- */

static const struct member *find(const struct node_change *change, node_id id)
{
    for (uint32_t i = 0; i < change->member_count; i++) {
        if (change->members[i].id == id) {
            return &change->members[i];
        }
    }
    return NULL;
}

static bool has(const struct conf_change *change, enum conf_change_type type, node_id id)
{
    for (uint32_t i = 0; i < change->count; i++) {
        if (change->changes[i].id == id && change->changes[i].type == type) {
            return true;
        }
    }
    return false;
}

static bool keeps(const struct conf_change *change, node_id id)
{
    return has(change, CONF_CHANGE_ADD_VOTER, id) || has(change, CONF_CHANGE_ADD_LEARNER, id) ||
           has(change, CONF_CHANGE_UPDATE, id);
}

/* The addresses as they will be: of those there are, without who goes, with who comes. */
static err plan_book(const struct membership *membership, const struct node_change *change,
                     struct membership *out_book)
{
    *out_book = *membership;
    for (uint32_t i = 0; i < change->change.count; i++) {
        const struct conf_change_single *single = &change->change.changes[i];
        if (single->id == 0) {
            return ERR_BAD_REQUEST;
        }
        if (single->type == CONF_CHANGE_REMOVE) {
            membership_remove(out_book, single->id);
        }
    }
    for (uint32_t i = 0; i < change->member_count; i++) {
        const struct member *member = &change->members[i];
        if (!keeps(&change->change, member->id)) {
            return ERR_BAD_REQUEST;
        }
        if (!membership_put(out_book, member)) {
            return ERR_CONFLICT;
        }
    }
    return OK;
}

/* Everybody in a group of several is reached somewhere, and nobody where another one is. */
static err check_book(const struct membership *book)
{
    for (uint32_t i = 0; i < book->member_count && book->member_count > 1; i++) {
        struct env_address address;
        err e = env_address_parse(book->members[i].peer_address, &address, NULL);
        if (e != OK) {
            return e;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(book->members[i].peer_address, book->members[j].peer_address) == 0) {
                return ERR_CONFLICT;
            }
        }
    }
    return OK;
}

static err check(const struct replica *replica, const struct node_change *change)
{
    const struct conf_change *conf = &change->change;
    ASSERT(conf->count <= MEMBERS_MAX && change->member_count <= MEMBERS_MAX);
    ASSERT(conf->context.size == 0);
    struct membership book;
    err e = plan_book(&replica->membership, change, &book);
    for (uint32_t i = 0; i < conf->count && e == OK; i++) {
        bool is_known = membership_find(&book, conf->changes[i].id) != NULL;
        if (conf->changes[i].type != CONF_CHANGE_REMOVE && !is_known) {
            e = ERR_ADDRESS; /* added, and nobody said where it is */
        }
    }
    return e == OK ? check_book(&book) : e;
}

/* C4. What does not fit at all, the core refuses. */
static bool leaves_a_quorum(const struct replica *replica, const struct conf_change *change)
{
    const struct conf_state *present = &replica->membership.conf;
    struct raft_conf_plan plan;
    if (change->count == 0 || raft_conf_apply(present, change, &plan) != RAFT_CONF_OK) {
        return true;
    }
    const struct node *node = replica->node;
    const struct id_set *voters = &plan.conf.voters;
    uint32_t count = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        bool can_vote = voters->ids[i] == node->identity.node ||
                        !conf_state_has(present, voters->ids[i]) ||
                        !contact_is_lost(&replica->contact, voters->ids[i], env_now_ms(node->env),
                                         node->options.election_timeout_ms);
        count += can_vote ? 1 : 0;
    }
    return count > voters->count / 2;
}

/* ---- proposing ---- */

/* Fills `context` with the members that the change brings along, if there are any. */
static void encode_context(const struct node_change *change, struct writer *context)
{
    struct membership added = {.member_count = 0};
    for (uint32_t i = 0; i < change->change.count; i++) {
        const struct member *member = find(change, change->change.changes[i].id);
        if (member != NULL) {
            bool is_put = membership_put(&added, member);
            ASSERT(is_put); /* as many places as changes */
        }
    }
    if (added.member_count > 0) {
        membership_encode(&added, context);
    }
}

/* A transfer under way is over within an election timeout: then it can be tried again. */
static err propose(struct replica *replica, const struct conf_change *change,
                   struct raft_pos *out_pos)
{
    err e = raft_check_conf_change(replica->raft, change);
    if (e == OK) {
        e = raft_propose_conf_change(replica->raft, change, false, out_pos);
    }
    return e == ERR_PROPOSAL_DROPPED ? ERR_BUSY : e;
}

/* OK, or why no change at all is taken here and now. */
static err admit(const struct replica *replica)
{
    if (replica->node->drain.is_begun) {
        return ERR_DRAINING;
    }
    if (replica->raft == NULL || replica->role != RAFT_LEADER) {
        return replica->leader == 0 ? ERR_NO_LEADER : ERR_NOT_LEADER;
    }
    if (replica->changes.waiting != NULL) {
        return ERR_BUSY;
    }
    return replica_has_quorum(replica) ? OK : ERR_NO_LEADER;
}

/* ---- a leader that is to go ---- */

static bool takes_vote_of(const struct conf_change *change, node_id id)
{
    return has(change, CONF_CHANGE_REMOVE, id) || has(change, CONF_CHANGE_ADD_LEARNER, id);
}

/* Who would hand over again, or cannot take over. */
#define UNFIT (CONDITION_DRAINING | CONDITION_STALLED)

/* The voter that has most of the log, of those that say nothing of `unfit`; 0: there is none. */
static node_id find_successor(const struct replica *replica, const struct conf_change *change,
                              unsigned unfit)
{
    const struct node *node = replica->node;
    struct raft_status status;
    raft_status(replica->raft, &status);
    node_id successor = 0;
    uint64_t match = 0;
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct raft_member_status *member = &status.members[i];
        bool is_there =
            member->recent_active && node->net != NULL && net_is_up(node->net, member->id);
        bool stays = (change == NULL || !takes_vote_of(change, member->id)) &&
                     !condition_is(replica, member->id, unfit);
        if (member->id != status.id && !member->is_learner && is_there && stays &&
            member->match > match) {
            successor = member->id;
            match = member->match;
        }
    }
    return successor;
}

node_id changes_successor(const struct replica *replica, const struct conf_change *change)
{
    static const unsigned unfit[] = {UNFIT, CONDITION_STALLED, 0};
    node_id successor = 0;
    for (size_t i = 0; i < ARRAY_COUNT(unfit) && successor == 0; i++) {
        successor = find_successor(replica, change, unfit[i]);
    }
    return successor;
}

/*
 * A leader that loses its vote steps down as soon as it has applied that. If those that stay have
 * not heard by then that it is committed, they still need its vote to elect another one, and it is
 * about to be switched off. So somebody else has to lead first, and to be asked again.
 */
static err hand_over_first(struct replica *replica, const struct conf_change *change)
{
    node_id self = replica->node->identity.node;
    if (!id_set_has(&replica->membership.conf.voters, self) || !takes_vote_of(change, self)) {
        return OK;
    }
    node_id successor = changes_successor(replica, change);
    if (successor == 0) {
        return OK;
    }
    err e = raft_transfer_leader(replica->raft, successor);
    return e == OK ? ERR_BUSY : e;
}

bool changes_hand_over(struct replica *replica)
{
    struct raft_status status;
    raft_status(replica->raft, &status);
    /* Whoever is being asked has its time: to ask another one now would have both of them stand. */
    node_id successor = status.transfer_target == 0 ? find_successor(replica, NULL, UNFIT) : 0;
    return successor != 0 && raft_transfer_leader(replica->raft, successor) == OK;
}

void changes_begin(struct replica *replica, struct node_change *change)
{
    struct writer context = {0};
    err e = admit(replica);
    if (e == OK) {
        e = check(replica, change);
    }
    if (e == OK && !change->is_forced && !leaves_a_quorum(replica, &change->change)) {
        e = replica_has_listened(replica) ? ERR_CONFLICT : ERR_BUSY;
    }
    if (e == OK) {
        e = hand_over_first(replica, &change->change);
    }
    if (e == OK) {
        struct conf_change conf = change->change;
        encode_context(change, &context);
        conf.context = writer_slice(&context);
        e = propose(replica, &conf, &change->pos);
    }
    writer_deinit(&context);
    if (e != OK) {
        finish(change, e, e == ERR_NOT_LEADER ? replica->leader : 0);
        return;
    }
    ASSERT(change->pos.index > replica->applied);
    replica->changes.waiting = change;
}

/* ---- the end ---- */

static void answer(struct replica *replica, err e, node_id leader)
{
    struct node_change *change = replica->changes.waiting;
    replica->changes = (struct changes){.waiting = NULL};
    finish(change, e, leader);
}

/* The entry of the change itself. */
static void change_applied(struct replica *replica, struct raft_pos pos, err e)
{
    const struct node_change *change = replica->changes.waiting;
    ASSERT(change->pos.index == pos.index); /* entries are applied one by one */
    if (change->pos.term != pos.term) {
        answer(replica, ERR_NOT_LEADER, replica->leader); /* another leader's entry is there now */
    } else if (e != OK) {
        answer(replica, e, 0);
    } else {
        replica->changes.is_applied = true;
    }
}

void changes_applied(struct replica *replica, struct raft_pos pos, err e)
{
    const struct changes *changes = &replica->changes;
    if (changes->waiting == NULL) {
        return;
    }
    if (!changes->is_applied) {
        if (changes->waiting->pos.index <= pos.index) {
            change_applied(replica, pos, e);
        }
    } else if (changes->seal.index != 0 && changes->seal.index <= pos.index) {
        answer(replica, changes->seal.term == pos.term ? OK : ERR_OUTCOME_UNKNOWN, 0);
    }
}

void changes_passed(struct replica *replica, uint64_t index)
{
    if (replica->changes.waiting != NULL && replica->changes.waiting->pos.index <= index) {
        answer(replica, ERR_OUTCOME_UNKNOWN, 0);
    }
}

/* C3. Refused for now: at the next tick. */
static void seal(struct replica *replica)
{
    struct changes *changes = &replica->changes;
    const struct conf_state *conf = &replica->membership.conf;
    bool is_to_be_left = conf->voters_outgoing.count > 0 && conf->auto_leave;
    struct entry empty = {.type = ENTRY_NORMAL};
    if (replica->role != RAFT_LEADER || (!is_to_be_left && !replica_stays(replica))) {
        answer(replica, ERR_OUTCOME_UNKNOWN, 0);
    } else if (changes->seal.index == 0 && !is_to_be_left &&
               raft_propose(replica->raft, &empty, 1, NULL) == OK) {
        changes->seal = empty.pos;
        env_turn_wake(replica->node->env);
    }
}

/* ---- promotion ---- */

static bool has_caught_up(const struct replica *replica, const struct raft_status *status,
                          node_id id, uint64_t now_ms)
{
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct raft_member_status *member = &status->members[i];
        if (member->id == id) {
            return member->state == RAFT_PROGRESS_REPLICATE && member->recent_active &&
                   member->match + PROMOTION_LAG_MAX >= status->last_index &&
                   !contact_is_lost(&replica->contact, id, now_ms,
                                    replica->node->options.election_timeout_ms);
        }
    }
    return false;
}

bool changes_has_caught_up(const struct replica *replica, node_id id)
{
    struct raft_status status;
    raft_status(replica->raft, &status);
    return has_caught_up(replica, &status, id, env_now_ms(replica->node->env));
}

/* One at a time: each is a change of its own. Lost with leadership, it is the next leader's. */
static void promote(struct replica *replica, uint64_t now_ms)
{
    const struct membership *membership = &replica->membership;
    for (uint32_t i = 0; i < membership->member_count; i++) {
        const struct member *member = &membership->members[i];
        if (!member->wants_vote) {
            continue;
        }
        struct raft_status status;
        raft_status(replica->raft, &status);
        struct conf_change change = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, member->id}}};
        struct raft_pos pos;
        if (has_caught_up(replica, &status, member->id, now_ms) &&
            propose(replica, &change, &pos) == OK) {
            LOG_INFO(replica->node->log, "a learner has caught up and becomes a voter",
                     LOG_U64("region", replica->region), LOG_U64("member", member->id),
                     LOG_U64("index", pos.index));
            return;
        }
    }
}

void changes_tick(struct replica *replica, uint64_t now_ms)
{
    if (replica->changes.waiting != NULL && replica->changes.waiting->deadline_ms <= now_ms) {
        answer(replica, ERR_OUTCOME_UNKNOWN, 0);
    }
    if (replica->changes.waiting != NULL && replica->changes.is_applied) {
        seal(replica);
    }
    if (replica->role == RAFT_LEADER && replica_stays(replica) && replica_has_quorum(replica)) {
        promote(replica, now_ms);
    }
}

void changes_close(struct replica *replica)
{
    if (replica->changes.waiting != NULL) {
        answer(replica, ERR_OUTCOME_UNKNOWN, 0);
    }
}
