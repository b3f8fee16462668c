/*
 * Who the members are, and changing that (docs/api.md, section 10). Any node takes it; the leader
 * does it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/admin_body.h"
#include "api/document.h"
#include "api/exchange.h"
#include "base/assert.h"
#include "base/decimal.h"

/* Beside its exchange, which every request has: this is as large as all the rest of one. */
struct admin_call {
    struct exchange *x;
    struct node_admin node;
};

#define MEMBERS_PATH "/admin/members"
#define TIMEOUT_MS 30000u     /* without ?timeout: an election and a change may come first */
#define LIST_TIMEOUT_MS 1000u /* likewise, of the list: then it is what this node knows */

/* ---- the query ---- */

static err take_timeout(void *ctx, struct slice value, struct problem *problem)
{
    struct exchange *x = ctx;
    return api_params_take_timeout(value, &x->params.timeout_ms, problem);
}

static err take_force(void *ctx, struct slice value, struct problem *problem)
{
    struct exchange *x = ctx;
    x->op.admin->node.spec.is_forced = true;
    return value.size == 0 || slice_equal(value, SLICE_LITERAL("true"))
               ? OK
               : api_problem_set(problem, ERR_BAD_REQUEST, "?force takes no value, or true");
}

static err take_to(void *ctx, struct slice value, struct problem *problem)
{
    struct exchange *x = ctx;
    return api_admin_parse_id(value, false, &x->op.admin->node.spec.id, problem);
}

static err take_rows(struct exchange *x, const struct param_own *rows, size_t row_count,
                     struct problem *problem)
{
    struct slice text = http_query(x->request);
    return text.size == 0 ? OK
                          : api_params_parse_own(text, http_alloc(x->request, text.size), rows,
                                                 row_count, x, problem);
}

static struct admin_spec *new_spec(struct exchange *x, enum admin_op op)
{
    struct admin_call *call = http_alloc(x->request, sizeof(*call));
    *call = (struct admin_call){.x = x, .node.spec.op = op};
    x->op.admin = call;
    return &call->node.spec;
}

static err take_query(struct exchange *x, struct problem *problem)
{
    static const struct param_own rows[] = {
        {"timeout", take_timeout}, {"force", take_force}, {"to", take_to}};
    x->params.timeout_ms = x->op.admin->node.spec.op == ADMIN_LIST ? LIST_TIMEOUT_MS : TIMEOUT_MS;
    bool has_to = x->op.admin->node.spec.op == ADMIN_TRANSFER;
    return take_rows(x, rows, ARRAY_COUNT(rows) - (has_to ? 0 : 1), problem);
}

err api_admin_bare_prepare(struct exchange *x, struct problem *problem)
{
    return take_rows(x, NULL, 0, problem);
}

/* ---- the list ---- */

struct member_row {
    node_id id;
    bool is_self;
    bool wants_vote;
    const char *role;
    const char *peer_address;
    const char *client_address;
    const char *version;
    /* By this node's own connection. */
    bool is_reachable;
    uint64_t round_trip_us;
};

static const struct admin_figure *figure_of(const struct admin_figures *figures, node_id id)
{
    for (uint32_t i = 0; i < figures->count; i++) {
        if (figures->rows[i].id == id) {
            return &figures->rows[i];
        }
    }
    return NULL;
}

/* NULL: it is the leader itself, which sends itself nothing. */
static const char *progress_name(enum admin_progress progress)
{
    static const char *const names[] = {NULL, "probe", "replicate", "snapshot"};
    ASSERT(progress < ARRAY_COUNT(names));
    return names[progress];
}

/* How far a member is, only the leader knows; without it, whether this node reaches it. */
static void add_figures(struct json_object *document, const struct member_row *row,
                        const struct admin_figures *figures)
{
    const struct admin_figure *figure = figures != NULL ? figure_of(figures, row->id) : NULL;
    const char *progress = NULL;
    if (figure != NULL) {
        ASSERT(figure->match <= figures->last_index);
        progress = progress_name(figure->progress);
        api_document_add_bool(document, "is_reachable", figure->is_reachable);
        api_document_add_u64(document, "match_index", figure->match);
        api_document_add_u64(document, "lag_entries", figures->last_index - figure->match);
        api_document_add_u64(document, "round_trip_us", figure->round_trip_us);
    } else {
        api_document_add_bool(document, "is_reachable", row->is_reachable);
        api_document_add_null(document, "match_index");
        api_document_add_null(document, "lag_entries");
        api_document_add_u64(document, "round_trip_us", row->round_trip_us);
    }
    if (progress != NULL) {
        api_document_add_text(document, "progress", progress);
    } else {
        api_document_add_null(document, "progress");
    }
}

static struct json_object *new_row(const struct member_row *row,
                                   const struct admin_figures *figures)
{
    struct json_object *document = json_object_new_object();
    api_document_add_u64(document, "id", row->id);
    api_document_add_text(document, "role", row->role);
    api_document_add_bool(document, "becomes_voter", row->wants_vote);
    api_document_add_bool(document, "is_self", row->is_self);
    api_document_add_text(document, "peer_address", row->peer_address);
    if (row->client_address[0] != '\0') {
        char url[sizeof("http://") + ADDRESS_SIZE_MAX];
        (void)snprintf(url, sizeof(url), "http://%s", row->client_address);
        api_document_add_text(document, "client_address", url);
    } else {
        api_document_add_null(document, "client_address");
    }
    api_document_add_text(document, "version", row->version);
    add_figures(document, row, figures);
    return document;
}

static const char *role_of(const struct node_status *status, node_id id, bool is_voter)
{
    if (id == status->leader) {
        return "leader";
    }
    return is_voter ? "follower" : "learner";
}

static struct json_object *own_row(const struct exchange *x, const struct node_status *status,
                                   const struct admin_figures *figures)
{
    const struct member_row row = {
        .id = status->id,
        .is_self = true,
        .wants_vote = status->wants_vote,
        .role = role_of(status, status->id, status->is_voter),
        .peer_address = status->peer_address,
        .client_address = status->client_address,
        .version = x->api->options.version,
        .is_reachable = true,
    };
    return new_row(&row, figures);
}

static struct json_object *peer_row(const struct node_status *status,
                                    const struct node_peer_status *peer,
                                    const struct admin_figures *figures)
{
    const struct member_row row = {
        .id = peer->id,
        .wants_vote = peer->wants_vote,
        .role = role_of(status, peer->id, peer->is_voter),
        .peer_address = peer->peer_address,
        .client_address = peer->client_address,
        .version = peer->version,
        .is_reachable = peer->is_connected,
        .round_trip_us = peer->round_trip_us,
    };
    return new_row(&row, figures);
}

/* The members as this node has them, with the figures of `from`, who leads; NULL: without. */
static void add_members(struct json_object *document, const struct exchange *x,
                        const struct admin_figures *figures, node_id from)
{
    struct node_status status;
    node_status(x->api->node, &status);
    api_document_add_id(document, "cluster_id", status.cluster_id);
    api_document_add_u64(document, "node_id", status.id);
    api_document_add_u64(document, "leader_id", status.leader);
    if (figures != NULL) {
        api_document_add_u64(document, "figures_from", from);
    } else {
        api_document_add_null(document, "figures_from");
    }
    api_document_add_bool(document, "is_joint", status.is_joint);
    struct json_object *members = json_object_new_array();
    if (!status.is_removed && !status.is_joining) {
        (void)json_object_array_add(members, own_row(x, &status, figures));
    }
    for (uint32_t i = 0; i < status.peer_count; i++) {
        (void)json_object_array_add(members, peer_row(&status, &status.peers[i], figures));
    }
    api_document_add(document, "members", members);
}

static void respond_list(struct exchange *x, const struct admin_figures *figures, node_id from)
{
    struct json_object *document = json_object_new_object();
    add_members(document, x, figures, from);
    api_exchange_respond_json(x, 200, document, true);
}

/* ---- doing it ---- */

static const char *explain(const struct exchange *x, err e)
{
    switch ((int)e) {
    case ERR_NO_LEADER:
        return "no leader with a quorum was there in time: nothing was changed, try again";
    case ERR_DRAINING:
        return node_explain_draining(x->api->node);
    case ERR_OVERLOADED:
        return "more is waiting than this node may hold: nothing was changed, try again later";
    case ERR_OUTCOME_UNKNOWN:
        return "it was begun, and its end was not seen in time: GET " MEMBERS_PATH " tells";
    default:
        return "it does not fit the members there are; GET " MEMBERS_PATH " lists them";
    }
}

static void refuse(struct exchange *x, err e, struct slice text)
{
    struct problem problem = {.e = OK};
    const char *prefix = "";
    if (x->route->id == ROUTE_MEMBER && e == ERR_BAD_REQUEST) {
        prefix = x->method == HTTP_METHOD_POST ? "Failed on POST: " : "Failed on DELETE: ";
    }
    struct slice why = text.size > 0 ? text : slice_from_text(explain(x, e));
    err set = api_problem_set(&problem, e, "%s%.*s", prefix, (int)why.size, (const char *)why.data);
    ASSERT(set == e);
    api_exchange_respond_problem(x, &problem);
}

static void respond_added(struct exchange *x, node_id id)
{
    struct json_object *document = json_object_new_object();
    api_document_add_u64(document, "id", id);
    add_members(document, x, NULL, 0);
    size_t size = sizeof(MEMBERS_PATH "/") + DECIMAL_SIZE_MAX;
    char *location = http_alloc(x->request, size);
    (void)snprintf(location, size, MEMBERS_PATH "/%" PRIu64, id);
    api_exchange_field_text(x, "Location", location);
    api_exchange_respond_json(x, 201, document, true);
}

static void done(struct node_admin *request, err e, struct slice text)
{
    struct exchange *x = CONTAINER_OF(request, struct admin_call, node)->x;
    enum admin_op op = request->spec.op;
    if (op == ADMIN_LIST && e != ERR_DRAINING) { /* else the node is closing: it has no status */
        respond_list(x, e == OK ? request->figures : NULL, request->id);
    } else if (e != OK) {
        refuse(x, e, text);
    } else if (x->route->id == ROUTE_MEMBERS && (op == ADMIN_ADD || op == ADMIN_REPLACE)) {
        respond_added(x, request->id);
    } else if (op == ADMIN_TRANSFER) {
        struct json_object *document = json_object_new_object();
        api_document_add_u64(document, "leader_id", request->id);
        api_exchange_respond_json(x, 200, document, true);
    } else {
        api_exchange_respond(x, 204, NULL, SLICE_EMPTY);
    }
}

static void begin(struct exchange *x)
{
    struct node_admin *request = &x->op.admin->node;
    request->deadline_ms = env_now_ms(x->api->options.env) + x->params.timeout_ms;
    request->done = done;
    node_admin(x->api->node, request);
}

/* ---- /admin/members ---- */

static err no_such_path(struct problem *problem)
{
    return api_problem_set(problem, ERR_NOT_FOUND,
                           "there are " MEMBERS_PATH ", " MEMBERS_PATH "/ID, " MEMBERS_PATH
                           "/ID/promote and " MEMBERS_PATH "/replace");
}

/* What the path asks for: `tail` is what comes after "/admin/members/". */
static err take_tail(struct exchange *x, struct slice tail, struct problem *problem)
{
    struct admin_spec *spec = &x->op.admin->node.spec;
    if (x->method == HTTP_METHOD_POST && slice_equal(tail, SLICE_LITERAL("replace"))) {
        spec->op = ADMIN_REPLACE;
        return OK;
    }
    struct slice id = api_text_split(&tail, '/');
    if (x->method == HTTP_METHOD_POST && slice_equal(tail, SLICE_LITERAL("promote"))) {
        spec->op = ADMIN_PROMOTE;
    } else if (x->method != HTTP_METHOD_POST && tail.size == 0) {
        spec->op = x->method == HTTP_METHOD_DELETE ? ADMIN_REMOVE : ADMIN_MOVE;
    } else {
        return no_such_path(problem);
    }
    return api_admin_parse_id(id, false, &spec->id, problem);
}

err api_members_prepare(struct exchange *x, struct problem *problem)
{
    struct slice path = http_path(x->request);
    size_t prefix = strlen(MEMBERS_PATH "/");
    err e = OK;
    (void)new_spec(x, api_method_is_unsafe(x->method) ? ADMIN_ADD : ADMIN_LIST);
    if (path.size > prefix) {
        e = take_tail(x, (struct slice){path.data + prefix, path.size - prefix}, problem);
    }
    return e == OK ? take_query(x, problem) : e;
}

void api_members_answer(struct exchange *x)
{
    struct admin_spec *spec = &x->op.admin->node.spec;
    struct slice body = buf_slice(http_body(x->request));
    struct problem problem = {.e = OK};
    err e = OK;
    if (spec->op == ADMIN_ADD) {
        e = api_admin_parse_body(body, ADMIN_FIELD_ADDR | ADMIN_FIELD_ID | ADMIN_FIELD_LEARNER,
                                 ADMIN_FIELD_ADDR, spec, &problem);
    } else if (spec->op == ADMIN_MOVE) {
        e = api_admin_parse_body(body, ADMIN_FIELD_ADDR, ADMIN_FIELD_ADDR, spec, &problem);
    } else if (spec->op == ADMIN_REPLACE) {
        e = api_admin_parse_body(body, ADMIN_FIELD_ADDR | ADMIN_FIELD_ID | ADMIN_FIELD_OLD,
                                 ADMIN_FIELD_ADDR | ADMIN_FIELD_OLD, spec, &problem);
    }
    if (e != OK) {
        api_exchange_respond_problem(x, &problem);
        return;
    }
    begin(x);
}

/* ---- /admin/leader ---- */

err api_admin_leader_prepare(struct exchange *x, struct problem *problem)
{
    (void)new_spec(x, ADMIN_TRANSFER);
    return take_query(x, problem);
}

void api_admin_leader_answer(struct exchange *x)
{
    begin(x);
}

/* ---- as in etcd's raftexample: POST /4 with a URL, DELETE /3 ---- */

err api_member_prepare(struct exchange *x, struct problem *problem)
{
    struct admin_spec *spec = new_spec(x, x->method == HTTP_METHOD_POST ? ADMIN_ADD : ADMIN_REMOVE);
    struct slice path = http_path(x->request);
    struct slice id = {path.data + 1, path.size - 1};
    struct problem why = {.e = OK};
    if (api_admin_parse_id(id, true, &spec->id, &why) != OK) {
        return api_problem_set(problem, ERR_BAD_REQUEST,
                               "Failed on %s: %s; at this path are members (keys are under /kv/)",
                               http_method_name(x->method), why.detail);
    }
    return take_query(x, problem);
}

void api_member_answer(struct exchange *x)
{
    struct problem problem = {.e = OK};
    err e = OK;
    if (x->method == HTTP_METHOD_POST) {
        e = api_admin_parse_address(buf_slice(http_body(x->request)), &x->op.admin->node.spec,
                                    &problem);
    }
    if (e != OK) {
        refuse(x, e, slice_from_text(problem.detail));
        return;
    }
    begin(x);
}
