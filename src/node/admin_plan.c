#include "node/admin_plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "env/address.h"

/* So many are named in a refusal: it has to fit into ADMIN_WHY_SIZE. */
#define ABSENT_NAMED_MAX 2u

static PRINTF_LIKE(3, 4) err refuse(struct admin_plan *plan, err e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(plan->why, sizeof(plan->why), format, args);
    va_end(args);
    return e;
}

static err no_such_member(struct admin_plan *plan, node_id id)
{
    return refuse(plan, ERR_NOT_FOUND, "there is no member %" PRIu64, id);
}

static void add_single(struct admin_plan *plan, enum conf_change_type type, node_id id)
{
    ASSERT(plan->change.count < MEMBERS_MAX);
    plan->change.changes[plan->change.count] = (struct conf_change_single){type, id};
    plan->change.count++;
}

static void bring(struct admin_plan *plan, node_id id, const char *address, bool wants_vote)
{
    ASSERT(plan->member_count < ARRAY_COUNT(plan->members));
    struct member *member = &plan->members[plan->member_count];
    plan->member_count++;
    *member = (struct member){.id = id, .wants_vote = wants_vote};
    (void)snprintf(member->peer_address, sizeof(member->peer_address), "%s", address);
}

/* A member that was alone has no address yet: the first who comes has to be able to reach it. */
static err bring_self(const struct admin_view *view, struct admin_plan *plan)
{
    const struct member *self = membership_find(view->membership, view->self);
    if (self == NULL || self->peer_address[0] != '\0') {
        return OK;
    }
    if (view->own_address == NULL) {
        return refuse(plan, ERR_CONFLICT,
                      "member %" PRIu64 " has no address for peers: start it with --peer-listen "
                      "HOST:PORT first",
                      view->self);
    }
    bring(plan, view->self, view->own_address, false);
    add_single(plan, CONF_CHANGE_UPDATE, view->self);
    return OK;
}

/* ---- what is there ---- */

static const struct member *find_address(const struct membership *membership, const char *address)
{
    for (uint32_t i = 0; i < membership->member_count; i++) {
        if (strcmp(membership->members[i].peer_address, address) == 0) {
            return &membership->members[i];
        }
    }
    return NULL;
}

static err check_address(const struct admin_spec *spec, struct admin_plan *plan)
{
    struct env_address address;
    struct err_note note;
    return env_address_parse_remote(spec->address, &address, &note) == OK
               ? OK
               : refuse(plan, ERR_BAD_REQUEST, "it is no address of a member: %s", note.text);
}

static const char *why_absent(const struct admin_view *view, node_id id, node_id moving)
{
    if (id == moving) {
        return "is moving";
    }
    return contact_is_mending(view->contact, id) ? "is mending its data" : "is not heard";
}

/* Who cannot vote now, as part of a sentence. */
static void name_absent(const struct admin_view *view, const struct id_set *absent, node_id moving,
                        char text[ADMIN_WHY_SIZE])
{
    size_t size = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < absent->count && i < ABSENT_NAMED_MAX; i++) {
        node_id id = absent->ids[i];
        size += (size_t)snprintf(text + size, ADMIN_WHY_SIZE - size, "%smember %" PRIu64 " %s",
                                 i == 0 ? "" : ", ", id, why_absent(view, id, moving));
    }
    if (absent->count > ABSENT_NAMED_MAX) {
        (void)snprintf(text + size, ADMIN_WHY_SIZE - size, " and %" PRIu32 " more",
                       absent->count - ABSENT_NAMED_MAX);
    } else if (absent->count == 0) {
        (void)snprintf(text, ADMIN_WHY_SIZE, "who is new does not count yet");
    }
}

static const char *what_to_do(const struct id_set *absent, node_id moving)
{
    if (absent->count == 0) {
        return "add it first";
    }
    bool is_it_alone = absent->count == 1 && absent->ids[0] == moving;
    return is_it_alone ? "see that it gets there" : "wait until one is back";
}

/* What a change does to the voters that there are. 0: to nobody. */
struct effect {
    node_id gone;
    node_id moving;
    node_id promoted; /* a learner so far */
    uint32_t comes;   /* so many more, who are new */
};

static bool is_heard(const struct admin_view *view, node_id id)
{
    return id == view->self || !contact_is_lost(view->contact, id, view->now_ms, view->window_ms);
}

/* A3 */
static err check_quorum(const struct admin_view *view, const struct admin_spec *spec,
                        struct effect effect, struct admin_plan *plan)
{
    struct id_set voters = view->membership->conf.voters;
    struct id_set absent = {.count = 0};
    uint32_t present = 0;
    id_set_remove(&voters, effect.gone);
    if (effect.promoted != 0) {
        bool is_added = id_set_add(&voters, effect.promoted);
        ASSERT(is_added); /* there are as many places as members */
    }
    for (uint32_t i = 0; i < voters.count; i++) {
        if (is_heard(view, voters.ids[i]) && voters.ids[i] != effect.moving) {
            present++;
        } else {
            absent.ids[absent.count++] = voters.ids[i];
        }
    }
    uint32_t total = voters.count + effect.comes;
    if (total == 0) {
        return refuse(plan, ERR_CONFLICT, "it is the last voter: add another one first");
    }
    if (!spec->is_forced && present <= total / 2) {
        char who[ADMIN_WHY_SIZE];
        name_absent(view, &absent, effect.moving, who);
        plan->lacks_quorum = true;
        return refuse(plan, ERR_CONFLICT,
                      "of the %" PRIu32 " voters that there would be only %" PRIu32
                      " can vote now: %s; that is no majority: %s, or force it",
                      total, present, who, what_to_do(&absent, effect.moving));
    }
    return OK;
}

/* ---- each operation ---- */

/* The id that who comes gets (A4), or why it does not. */
static err choose_id(const struct admin_view *view, const struct admin_spec *spec,
                     struct admin_plan *plan)
{
    const struct membership *membership = view->membership;
    if (spec->id > NODE_ID_MAX) {
        return refuse(plan, ERR_BAD_REQUEST, "id %" PRIu64 " is above %" PRIu64, spec->id,
                      NODE_ID_MAX);
    }
    if (spec->id == 0 && membership->id_max >= NODE_ID_MAX) {
        return refuse(plan, ERR_CONFLICT,
                      "there are no ids left above %" PRIu64
                      ", which was a member's, and ids are not used again: this cluster takes "
                      "nobody in any more, restore a backup as a new one",
                      membership->id_max);
    }
    plan->id = spec->id == 0 ? membership->id_max + 1 : spec->id;
    if (membership_find(membership, plan->id) != NULL) {
        return refuse(plan, ERR_CONFLICT, "id %" PRIu64 " is another member's", plan->id);
    }
    if (plan->id <= membership->id_max) {
        return refuse(plan, ERR_CONFLICT,
                      "id %" PRIu64 " may have been a member's before, and ids are not used again: "
                      "take one above %" PRIu64 ", or none",
                      plan->id, membership->id_max);
    }
    if (membership->member_count == MEMBERS_MAX) {
        return refuse(plan, ERR_CONFLICT, "there are %u members already, and no place for more",
                      MEMBERS_MAX);
    }
    return OK;
}

/*
 * The address is there already: who asks again may have it, and so may a node that asked and died
 * before it heard the answer. But a node that was met under the id has lost its data if it has to
 * ask who it is. Whoever joins does not know whether it is to vote, and does not say; who says is
 * told if it is otherwise.
 */
static err take_known(const struct admin_view *view, const struct admin_spec *spec,
                      const struct member *known, struct admin_plan *plan)
{
    plan->id = known->id;
    bool has_vote = known->wants_vote || id_set_has(&view->membership->conf.voters, known->id);
    if (spec->wants_vote && !has_vote) {
        return refuse(plan, ERR_CONFLICT,
                      "the address is member %" PRIu64 "'s, which stays a learner until it is "
                      "promoted: POST /admin/members/%" PRIu64 "/promote",
                      known->id, known->id);
    }
    if (spec->is_learner && has_vote && !spec->is_again) {
        return refuse(plan, ERR_CONFLICT,
                      "the address is member %" PRIu64 "'s, which is a voter, or becomes one; it "
                      "would have to be removed first, and to come as a new member",
                      known->id);
    }
    bool is_same =
        spec->id == known->id || spec->is_again ||
        (spec->id == 0 && known->id != view->self && !view->was_met(view->ctx, known->id));
    if (is_same) {
        plan->is_done = true;
        return OK;
    }
    return refuse(plan, ERR_CONFLICT,
                  "the address is member %" PRIu64 "'s; if that node has lost its data, remove it "
                  "first",
                  known->id);
}

static err plan_add(const struct admin_view *view, const struct admin_spec *spec,
                    struct admin_plan *plan)
{
    err e = check_address(spec, plan);
    const struct member *known = find_address(view->membership, spec->address);
    if (e == OK && known != NULL) {
        return take_known(view, spec, known, plan);
    }
    if (e == OK) {
        e = choose_id(view, spec, plan);
    }
    if (e == OK) {
        bring(plan, plan->id, spec->address, !spec->is_learner);
        add_single(plan, CONF_CHANGE_ADD_LEARNER, plan->id);
        e = bring_self(view, plan);
    }
    return e;
}

static err plan_remove(const struct admin_view *view, const struct admin_spec *spec,
                       struct admin_plan *plan)
{
    const struct membership *membership = view->membership;
    plan->id = spec->id;
    if (membership_find(membership, spec->id) == NULL) {
        plan->is_done = spec->is_again && spec->id <= membership->id_max;
        return plan->is_done ? OK : no_such_member(plan, spec->id);
    }
    if (id_set_has(&membership->conf.voters, spec->id)) {
        err e = check_quorum(view, spec, (struct effect){.gone = spec->id}, plan);
        if (e != OK) {
            return e;
        }
    }
    add_single(plan, CONF_CHANGE_REMOVE, spec->id);
    return OK;
}

static err plan_move(const struct admin_view *view, const struct admin_spec *spec,
                     struct admin_plan *plan)
{
    const struct member *member = membership_find(view->membership, spec->id);
    if (member == NULL) {
        return no_such_member(plan, spec->id);
    }
    err e = check_address(spec, plan);
    const struct member *known = find_address(view->membership, spec->address);
    if (e == OK && known != NULL && known != member) {
        e = refuse(plan, ERR_CONFLICT, "the address is member %" PRIu64 "'s", known->id);
    }
    const struct id_set *voters = &view->membership->conf.voters;
    if (e == OK && known == NULL && voters->count > 1 && id_set_has(voters, spec->id)) {
        e = check_quorum(view, spec, (struct effect){.moving = spec->id}, plan);
    }
    if (e == OK) {
        plan->id = spec->id;
        bring(plan, spec->id, spec->address, member->wants_vote);
        plan->is_done = known == member;
        add_single(plan, CONF_CHANGE_UPDATE, spec->id);
    }
    return e;
}

static err not_caught_up(struct admin_plan *plan, node_id id)
{
    return refuse(plan, ERR_CONFLICT,
                  "member %" PRIu64 " has not caught up with the log yet: try again later, or "
                  "force it",
                  id);
}

static err plan_promote(const struct admin_view *view, const struct admin_spec *spec,
                        struct admin_plan *plan)
{
    const struct membership *membership = view->membership;
    plan->id = spec->id;
    if (membership_find(membership, spec->id) == NULL) {
        return no_such_member(plan, spec->id);
    }
    if (id_set_has(&membership->conf.voters, spec->id)) {
        plan->is_done = true;
        return OK;
    }
    if (!spec->is_forced && !view->has_caught_up(view->ctx, spec->id)) {
        return not_caught_up(plan, spec->id);
    }
    add_single(plan, CONF_CHANGE_ADD_VOTER, spec->id);
    return OK;
}

/* What it takes to put somebody at `plan->id` in the place of the voter `old`. */
static err check_replacement(const struct admin_view *view, const struct admin_spec *spec,
                             const struct member *known, struct admin_plan *plan)
{
    struct effect effect = {.gone = spec->old};
    if (known == NULL) {
        effect.comes = 1;
    } else {
        effect.promoted = known->id;
    }
    err e = check_quorum(view, spec, effect, plan);
    if (e != OK || spec->is_forced) {
        return e;
    }
    if (known != NULL && !view->has_caught_up(view->ctx, known->id)) {
        return not_caught_up(plan, known->id);
    }
    if (known == NULL && is_heard(view, spec->old)) {
        return refuse(plan, ERR_CONFLICT,
                      "member %" PRIu64
                      " is there, and who is new cannot vote before it has caught "
                      "up: add it as a learner first and then replace by its address, or force it",
                      spec->old);
    }
    return OK;
}

static err plan_replace(const struct admin_view *view, const struct admin_spec *spec,
                        struct admin_plan *plan)
{
    const struct membership *membership = view->membership;
    const struct member *known = find_address(membership, spec->address);
    const struct member *old = membership_find(membership, spec->old);
    if (old == NULL && known != NULL && spec->is_again) {
        plan->id = known->id;
        plan->is_done = true;
        return OK;
    }
    if (old == NULL) {
        return no_such_member(plan, spec->old);
    }
    bool is_voter = id_set_has(&membership->conf.voters, spec->old);
    bool is_promotion = is_voter && known != NULL &&
                        id_set_has(&membership->conf.learners, known->id) &&
                        (spec->id == 0 || spec->id == known->id);
    err e = check_address(spec, plan);
    if (e == OK && known != NULL && known != old && !is_promotion) {
        e = refuse(plan, ERR_CONFLICT, "the address is member %" PRIu64 "'s", known->id);
    }
    if (e == OK && is_promotion) {
        plan->id = known->id;
    } else if (e == OK) {
        e = choose_id(view, spec, plan);
    }
    if (e == OK && is_voter) {
        e = check_replacement(view, spec, is_promotion ? known : NULL, plan);
    }
    if (e == OK) {
        add_single(plan, is_voter ? CONF_CHANGE_ADD_VOTER : CONF_CHANGE_ADD_LEARNER, plan->id);
        add_single(plan, CONF_CHANGE_REMOVE, spec->old);
    }
    if (e == OK && !is_promotion) {
        bring(plan, plan->id, spec->address, false);
        e = spec->old == view->self ? OK : bring_self(view, plan);
    }
    return e;
}

err admin_plan(const struct admin_view *view, const struct admin_spec *spec,
               struct admin_plan *out_plan)
{
    *out_plan = (struct admin_plan){.is_done = false};
    switch (spec->op) {
    case ADMIN_ADD:
        return plan_add(view, spec, out_plan);
    case ADMIN_REMOVE:
        return plan_remove(view, spec, out_plan);
    case ADMIN_MOVE:
        return plan_move(view, spec, out_plan);
    case ADMIN_PROMOTE:
        return plan_promote(view, spec, out_plan);
    case ADMIN_REPLACE:
        return plan_replace(view, spec, out_plan);
    case ADMIN_TRANSFER:
    case ADMIN_LIST:
        break;
    }
    UNREACHABLE();
}
