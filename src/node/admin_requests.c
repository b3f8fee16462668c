#include "node/admin_requests.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/admin_plan.h"
#include "node/node_int.h"

/* How long a transfer may take before it is tried again, in election timeouts: the core gives it
 * one. */
#define TRANSFER_TIMEOUTS 2u
/* A leader gets a little less time than the client gave, as forward.c's writes do (F2). */
#define MARGIN_MS_MAX 500u

enum stage {
    STAGE_WAITING,   /* to be tried */
    STAGE_PROPOSED,  /* a change of ours is under way (changes.c) */
    STAGE_PASSED_ON, /* to `asked` */
    STAGE_HANDED,    /* a transfer has begun: whether it worked shows by who leads */
};

/* A request of a peer's client. */
struct guest {
    struct node_admin request;
    node_id from;
    uint64_t number;
};

/* ---- answering ---- */

static void finish(struct node_admin *request, err e, struct slice text)
{
    list_remove(&request->link);
    request->done(request, e, text);
}

static void refuse(struct node_admin *request, err e, const char *text)
{
    finish(request, e, slice_from_text(text));
}

/* It has to be tried again, and will be. Of a peer's: by the node that asked. But who asks for the
 * list while nobody leads is not to wait for it (A6). */
static void put_off(struct node_admin *request, err why)
{
    request->stage = STAGE_WAITING;
    request->asked = 0;
    request->last = why;
    if (request->is_passed_on) {
        refuse(request, why, "");
    } else if (request->spec.op == ADMIN_LIST) {
        refuse(request, ERR_NO_LEADER, "");
    }
}

static void time_is_up(struct node_admin *request)
{
    if (request->spec.op == ADMIN_LIST) {
        refuse(request, ERR_NO_LEADER, "the leader has not answered in time");
    } else if (request->stage != STAGE_WAITING || request->spec.is_again) {
        refuse(request, ERR_OUTCOME_UNKNOWN,
               "it was begun, and its end was not seen in time: look at the members, or ask again");
    } else if (request->last == ERR_BUSY) {
        refuse(request, ERR_CONFLICT,
               "another change of members, or of the leader, was under way all the time");
    } else {
        refuse(request, ERR_NO_LEADER, "no leader with a quorum was there in time");
    }
}

/* ---- on the leader ---- */

static bool has_caught_up(void *ctx, node_id id)
{
    return changes_has_caught_up(ctx, id);
}

static bool was_met(void *ctx, node_id id)
{
    const struct replica *replica = ctx;
    return identity_instance_of(&replica->node->identity, id) != 0;
}

static const char *own_address(const struct node *node)
{
    return node->options.peer_listen != NULL ? node->options.peer_listen
                                             : node->options.peer_default;
}

static void change_done(struct node_change *change, err e)
{
    struct node_admin *request = CONTAINER_OF(change, struct node_admin, change);
    if (e == ERR_BUSY || e == ERR_NOT_LEADER || e == ERR_NO_LEADER || e == ERR_PROPOSAL_DROPPED) {
        put_off(request, e);
    } else if (e == ERR_ADDRESS) {
        refuse(request, ERR_CONFLICT, "a member has no address that peers could dial");
    } else if (e == ERR_CONFLICT) {
        refuse(request, e, "the members have changed meanwhile, and it does not fit any more");
    } else if (e == ERR_OUTCOME_UNKNOWN && !request->is_passed_on &&
               env_now_ms(request->replica->node->env) < request->deadline_ms) {
        request->spec.is_again = true; /* A2 */
        put_off(request, ERR_NO_LEADER);
    } else {
        refuse(request, e, "");
    }
}

static void change_members(struct replica *replica, struct node_admin *request)
{
    struct node *node = replica->node;
    struct admin_view view = {
        .self = node->identity.node,
        .own_address = own_address(node),
        .membership = &replica->membership,
        .contact = &replica->contact,
        .now_ms = env_now_ms(node->env),
        .window_ms = node->options.election_timeout_ms,
        .has_caught_up = has_caught_up,
        .was_met = was_met,
        .ctx = replica,
    };
    struct admin_plan plan;
    err e = admin_plan(&view, &request->spec, &plan);
    if (plan.lacks_quorum && !replica_has_listened(replica)) {
        put_off(request, ERR_BUSY);
        return;
    }
    if (e != OK) {
        refuse(request, e, plan.why);
        return;
    }
    request->id = plan.id;
    if (plan.is_done) {
        finish(request, OK, SLICE_EMPTY);
        return;
    }
    request->stage = STAGE_PROPOSED;
    request->change = (struct node_change){
        .change = plan.change,
        .members = plan.members,
        .member_count = plan.member_count,
        .is_forced = request->spec.is_forced,
        .deadline_ms = request->deadline_ms,
        .done = change_done,
    };
    changes_begin(replica, &request->change);
}

/* ---- leadership ---- */

static bool has_moved(const struct replica *replica, const struct node_admin *request)
{
    node_id target = request->spec.id;
    return replica->leader != 0 &&
           (target == 0 ? replica->leader != request->spec.old : replica->leader == target);
}

/* A5: a handover stops writes until it is given up, and to who is away it would be, each time. */
static void refuse_absent(struct replica *replica, struct node_admin *request)
{
    if (!replica_has_listened(replica)) {
        put_off(request, ERR_BUSY);
        return;
    }
    node_id target = request->spec.id;
    char why[ADMIN_WHY_SIZE];
    (void)snprintf(why, sizeof(why),
                   "member %" PRIu64 " %s, so it cannot take over: name another one, or none, or "
                   "try again once it is back",
                   target,
                   contact_is_mending(&replica->contact, target) ? "is mending its data"
                                                                 : "is not reached by the leader");
    refuse(request, ERR_CONFLICT, why);
}

static bool is_absent(const struct replica *replica, node_id id, uint64_t now_ms)
{
    const struct node *node = replica->node;
    return node->net == NULL || !net_is_up(node->net, id) ||
           contact_is_lost(&replica->contact, id, now_ms, node->options.election_timeout_ms);
}

/* Of the leader. To somebody who can, if nobody is named: that it knows best. */
static void transfer(struct replica *replica, struct node_admin *request, uint64_t now_ms)
{
    node_id target = request->spec.id;
    const struct conf_state *conf = &replica->membership.conf;
    if (request->spec.old == 0) {
        request->spec.old = replica->leader; /* who leads now, and is not to */
    }
    if (has_moved(replica, request)) {
        request->id = replica->leader;
        finish(request, OK, SLICE_EMPTY);
        return;
    }
    if (target != 0 && membership_find(&replica->membership, target) == NULL) {
        refuse(request, ERR_NOT_FOUND, "there is no such member");
        return;
    }
    if (target != 0 && !id_set_has(&conf->voters, target)) {
        refuse(request, ERR_CONFLICT, "a learner cannot lead: promote it first");
        return;
    }
    if (conf->voters.count < 2 && target == 0) {
        refuse(request, ERR_CONFLICT, "there is no other voter that could lead");
        return;
    }
    if (!replica_has_quorum(replica)) {
        put_off(request, ERR_NO_LEADER); /* nobody can be asked; who is away, it may be itself */
        return;
    }
    if (target != 0 && is_absent(replica, target, now_ms)) {
        refuse_absent(replica, request);
        return;
    }
    if (target != 0 && condition_is(replica, target, CONDITION_DRAINING)) {
        refuse(request, ERR_CONFLICT,
               "that member is being drained, and would hand over again: name another one, or end "
               "that first");
        return;
    }
    err e = target != 0                  ? replica_transfer_leader(replica, target)
            : changes_hand_over(replica) ? OK
                                         : ERR_BUSY;
    request->last = e;
    if (e == OK) {
        request->stage = STAGE_HANDED;
        request->again_ms =
            now_ms + (uint64_t)TRANSFER_TIMEOUTS * replica->node->options.election_timeout_ms;
    }
}

static void watch_transfer(struct replica *replica, struct node_admin *request, uint64_t now_ms)
{
    if (has_moved(replica, request)) {
        request->id = replica->leader;
        finish(request, OK, SLICE_EMPTY);
    } else if (now_ms >= request->again_ms) {
        put_off(request, ERR_BUSY);
    }
}

/* ---- the list ---- */

static enum admin_progress progress_of(enum raft_progress_state state)
{
    switch (state) {
    case RAFT_PROGRESS_PROBE:
        return ADMIN_PROGRESS_PROBE;
    case RAFT_PROGRESS_REPLICATE:
        return ADMIN_PROGRESS_REPLICATE;
    case RAFT_PROGRESS_SNAPSHOT:
        return ADMIN_PROGRESS_SNAPSHOT;
    }
    UNREACHABLE();
}

static struct admin_figure figure_of(const struct node *node,
                                     const struct raft_member_status *member)
{
    struct net_peer_info info;
    struct admin_figure figure = {
        .id = member->id, .match = member->match, .progress = progress_of(member->state)};
    if (node->net != NULL && net_peer_info(node->net, member->id, &info)) {
        figure.is_reachable = info.is_up;
        figure.round_trip_us = info.rtt_us < UINT32_MAX ? (uint32_t)info.rtt_us : UINT32_MAX;
    }
    return figure;
}

/* Of the leader. How much of its own log is durable is not how far it is: it lags behind nobody. */
static void list_members(struct replica *replica, struct node_admin *request)
{
    const struct node *node = replica->node;
    struct admin_figures *figures = &replica->requests.figures;
    struct raft_status status;
    raft_status(replica->raft, &status);
    *figures = (struct admin_figures){.last_index = status.last_index};
    for (uint32_t i = 0; i < status.member_count; i++) {
        struct admin_figure *figure = &figures->rows[figures->count];
        figures->count++;
        *figure = figure_of(node, &status.members[i]);
        if (figure->id == status.id) {
            *figure = (struct admin_figure){
                .id = status.id, .match = status.last_index, .is_reachable = true};
        }
    }
    request->id = status.id;
    request->figures = figures;
    finish(request, OK, SLICE_EMPTY);
}

/* ---- one attempt ---- */

static void pass_on(struct replica *replica, struct node_admin *request, uint64_t now_ms)
{
    struct node *node = replica->node;
    struct admin_requests *requests = &replica->requests;
    uint64_t left_ms = request->deadline_ms > now_ms ? request->deadline_ms - now_ms : 1;
    left_ms -= left_ms / 8 < MARGIN_MS_MAX ? left_ms / 8 : MARGIN_MS_MAX;
    request->number = requests->next_number++;
    struct admin_request asked = {
        .number = request->number,
        .left_ms = left_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)left_ms,
        .spec = request->spec,
    };
    writer_reset(&node->scratch);
    admin_request_encode(&asked, &node->scratch);
    /* As with writes: without the leader's own connection no answer could come (forward.c, F3). */
    bool is_sent = node->net != NULL && net_is_heard(node->net, replica->leader) &&
                   net_send(node->net, replica->leader, FRAME_ADMIN, replica->region,
                            writer_slice(&node->scratch)) == OK;
    if (is_sent) {
        request->stage = STAGE_PASSED_ON;
        request->asked = replica->leader;
    } else {
        put_off(request, ERR_NO_LEADER);
    }
}

static void attempt(struct replica *replica, struct node_admin *request, uint64_t now_ms)
{
    enum admin_op op = request->spec.op;
    bool is_leader = replica->raft != NULL && replica->role == RAFT_LEADER;
    request->last = ERR_NO_LEADER;
    if (replica->leader == 0 || replica->raft == NULL) {
        put_off(request, ERR_NO_LEADER);
    } else if (op == ADMIN_LIST && is_leader) {
        list_members(replica, request);
    } else if (op == ADMIN_TRANSFER && is_leader) {
        transfer(replica, request, now_ms); /* a follower's core could pass it on, but not A5 */
    } else if (is_leader) {
        change_members(replica, request);
    } else if (request->is_passed_on) {
        put_off(request, ERR_NOT_LEADER);
    } else {
        pass_on(replica, request, now_ms);
    }
}

void admin_requests_begin(struct replica *replica, struct node_admin *request)
{
    request->replica = replica;
    request->stage = STAGE_WAITING;
    request->asked = 0;
    request->id = 0;
    request->figures = NULL;
    list_push_back(&replica->requests.waiting, &request->link);
    bool changes_members = request->spec.op != ADMIN_TRANSFER && request->spec.op != ADMIN_LIST;
    if (replica->node->drain.is_begun && changes_members) {
        refuse(request, ERR_DRAINING, drain_explain(replica->node));
        return;
    }
    attempt(replica, request, env_now_ms(replica->node->env));
}

void admin_requests_tick(struct replica *replica, uint64_t now_ms)
{
    LIST_FOREACH (node, &replica->requests.waiting) {
        struct node_admin *request = CONTAINER_OF(node, struct node_admin, link);
        if (request->stage == STAGE_PROPOSED) {
            continue; /* changes.c answers it by its deadline */
        }
        if (request->deadline_ms <= now_ms) {
            time_is_up(request);
        } else if (request->stage == STAGE_HANDED) {
            watch_transfer(replica, request, now_ms);
        } else if (request->stage == STAGE_WAITING) {
            attempt(replica, request, now_ms);
        }
    }
}

void admin_requests_peer_lost(struct replica *replica, node_id peer)
{
    LIST_FOREACH (node, &replica->requests.waiting) {
        struct node_admin *request = CONTAINER_OF(node, struct node_admin, link);
        if (request->stage == STAGE_PASSED_ON && request->asked == peer) {
            request->spec.is_again = true; /* A2 */
            put_off(request, ERR_NO_LEADER);
        }
    }
}

/* ---- between nodes ---- */

static void guest_done(struct node_admin *request, err e, struct slice text)
{
    struct guest *guest = CONTAINER_OF(request, struct guest, request);
    struct replica *replica = request->replica;
    struct node *node = replica->node;
    struct admin_result result = {.number = guest->number, .e = e, .id = request->id, .text = text};
    if (request->figures != NULL) {
        result.figures = *request->figures;
    }
    writer_reset(&node->scratch);
    admin_result_encode(&result, &node->scratch);
    /* Lost, the other node asks again, or says that it does not know. */
    if (node->net != NULL) {
        (void)!net_send(node->net, guest->from, FRAME_ADMIN_RESULT, replica->region,
                        writer_slice(&node->scratch));
    }
    mem_free(guest);
}

void admin_requests_receive(struct replica *replica, node_id from, struct slice payload)
{
    struct node *node = replica->node;
    struct admin_request asked;
    if (admin_request_decode(payload, &asked) != OK) {
        LOG_WARN(node->log, "malformed request about members", LOG_U64("from", from));
        return; /* the other node says that it does not know */
    }
    struct guest *guest = mem_calloc(1, sizeof(*guest));
    guest->from = from;
    guest->number = asked.number;
    guest->request.spec = asked.spec;
    guest->request.deadline_ms = env_now_ms(node->env) + asked.left_ms + 1;
    guest->request.done = guest_done;
    guest->request.is_passed_on = true;
    admin_requests_begin(replica, &guest->request);
    env_turn_wake(node->env);
}

static struct node_admin *find(const struct admin_requests *requests, node_id from, uint64_t number)
{
    LIST_FOREACH (node, &requests->waiting) {
        struct node_admin *request = CONTAINER_OF(node, struct node_admin, link);
        if (request->stage == STAGE_PASSED_ON && request->asked == from &&
            request->number == number) {
            return request;
        }
    }
    return NULL;
}

void admin_requests_receive_result(struct replica *replica, node_id from, struct slice payload)
{
    struct admin_result result;
    if (admin_result_decode(payload, &result) != OK) {
        LOG_WARN(replica->node->log, "malformed answer about members", LOG_U64("from", from));
        return;
    }
    struct node_admin *request = find(&replica->requests, from, result.number);
    if (request == NULL) {
        return; /* too late */
    }
    request->id = result.id;
    if (result.e == ERR_BUSY || result.e == ERR_NOT_LEADER || result.e == ERR_NO_LEADER) {
        put_off(request, result.e);
    } else if (result.e == ERR_OUTCOME_UNKNOWN || result.e == ERR_DRAINING) {
        request->spec.is_again = request->spec.is_again || result.e == ERR_OUTCOME_UNKNOWN; /* A2 */
        put_off(request, ERR_NO_LEADER);
    } else {
        replica->requests.figures = result.figures;
        request->figures = &replica->requests.figures;
        finish(request, result.e, result.text);
    }
}

/* ---- the object ---- */

void admin_requests_init(struct admin_requests *requests, uint64_t first)
{
    list_init(&requests->waiting);
    requests->next_number = first;
}

void admin_requests_close(struct admin_requests *requests)
{
    LIST_FOREACH (node, &requests->waiting) {
        struct node_admin *request = CONTAINER_OF(node, struct node_admin, link);
        bool is_open = request->spec.op != ADMIN_LIST &&
                       (request->stage != STAGE_WAITING || request->spec.is_again);
        refuse(request, is_open ? ERR_OUTCOME_UNKNOWN : ERR_DRAINING, "this node is shutting down");
    }
}
