/*
 * Dispatch: from a request's header to its route, and the checks that all routes share, in this
 * order: Host (G2), path, method, origin (G1), then the route's own. What can be refused is refused
 * before the body is read.
 */
#include "api/api.h"

#include <inttypes.h>
#include <string.h>

#include "api/exchange.h"
#include "api/guard.h"
#include "api/kv_intent.h"
#include "api/system_call.h"
#include "api/watch_cache.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"

#define BODY_OTHER_BYTES_MAX 65536u /* of a body that is no value */

static const struct route routes[] = {
    {.id = ROUTE_KV,
     .path = SLICE_INIT("/kv/"),
     .is_prefix = true,
     .body = BODY_VALUE,
     .methods = METHODS_READ | METHODS_WRITE | METHOD(PATCH),
     .prepare = api_kv_prepare,
     .answer = api_kv_answer},
    {.id = ROUTE_KV_COLLECTION,
     .path = SLICE_INIT("/kv/"),
     .methods = METHODS_READ | METHOD(DELETE),
     .prepare = api_list_prepare,
     .answer = api_list_answer},
    {.id = ROUTE_KV_COLLECTION,
     .path = SLICE_INIT("/kv"),
     .methods = METHODS_READ | METHOD(DELETE),
     .prepare = api_list_prepare,
     .answer = api_list_answer},
    {.id = ROUTE_EXPORT,
     .path = SLICE_INIT("/export"),
     .methods = METHODS_READ,
     .prepare = api_export_prepare,
     .answer = api_export_answer},
    {.id = ROUTE_IMPORT,
     .path = SLICE_INIT("/import"),
     .body = BODY_TXN,
     .methods = METHOD(POST),
     .prepare = api_import_prepare,
     .answer = api_import_answer},
    {.id = ROUTE_WATCH,
     .path = SLICE_INIT("/watch/"),
     .is_prefix = true,
     .methods = METHOD(GET),
     .prepare = api_watch_prepare,
     .answer = api_watch_answer},
    {.id = ROUTE_WATCH,
     .path = SLICE_INIT("/watch"),
     .methods = METHOD(GET),
     .prepare = api_watch_prepare,
     .answer = api_watch_answer},
    {.id = ROUTE_TXN,
     .path = SLICE_INIT("/txn"),
     .body = BODY_TXN,
     .methods = METHOD(POST),
     .prepare = api_txn_prepare,
     .answer = api_txn_answer},
    {.id = ROUTE_BATCH,
     .path = SLICE_INIT("/batch"),
     .body = BODY_TXN,
     .methods = METHOD(POST),
     .prepare = api_batch_prepare,
     .answer = api_batch_answer},
    {.id = ROUTE_ROOT, .path = SLICE_INIT("/"), .methods = METHODS_READ, .answer = api_root_answer},
    {.id = ROUTE_STATS,
     .path = SLICE_INIT("/stats"),
     .methods = METHODS_READ,
     .answer = api_stats_answer},
    {.id = ROUTE_LEADER,
     .path = SLICE_INIT("/leader"),
     .methods = METHODS_READ,
     .answer = api_leader_answer},
    {.id = ROUTE_FOLLOWER,
     .path = SLICE_INIT("/follower"),
     .methods = METHODS_READ,
     .answer = api_follower_answer},
    {.id = ROUTE_HEALTH,
     .path = SLICE_INIT("/health"),
     .methods = METHODS_READ,
     .answer = api_health_answer},
    {.id = ROUTE_LIVEZ,
     .path = SLICE_INIT("/livez"),
     .methods = METHODS_READ,
     .answer = api_livez_answer},
    {.id = ROUTE_READYZ,
     .path = SLICE_INIT("/readyz"),
     .methods = METHODS_READ,
     .prepare = api_readyz_prepare,
     .answer = api_readyz_answer},
    {.id = ROUTE_VERSION,
     .path = SLICE_INIT("/version"),
     .methods = METHODS_READ,
     .answer = api_version_answer},
    {.id = ROUTE_METRICS,
     .path = SLICE_INIT("/metrics"),
     .methods = METHODS_READ,
     .answer = api_metrics_answer},
    {.id = ROUTE_MEMBERS,
     .path = SLICE_INIT("/admin/members"),
     .methods = METHODS_READ | METHOD(POST),
     .prepare = api_members_prepare,
     .answer = api_members_answer},
    {.id = ROUTE_MEMBERS,
     .path = SLICE_INIT("/admin/members/"),
     .is_prefix = true,
     .methods = METHOD(POST) | METHOD(DELETE) | METHOD(PATCH),
     .prepare = api_members_prepare,
     .answer = api_members_answer},
    {.id = ROUTE_ADMIN_LEADER,
     .path = SLICE_INIT("/admin/leader"),
     .methods = METHOD(POST),
     .prepare = api_admin_leader_prepare,
     .answer = api_admin_leader_answer},
    {.id = ROUTE_DRAIN,
     .path = SLICE_INIT("/admin/drain"),
     .methods = METHOD(POST) | METHOD(DELETE),
     .prepare = api_admin_bare_prepare,
     .answer = api_drain_answer},
    {.id = ROUTE_SNAPSHOT,
     .path = SLICE_INIT("/admin/snapshot"),
     .methods = METHODS_READ,
     .prepare = api_admin_bare_prepare,
     .answer = api_snapshot_answer},
    {.id = ROUTE_LEASES,
     .path = SLICE_INIT("/leases"),
     .methods = METHODS_READ | METHOD(POST),
     .prepare = api_leases_prepare,
     .answer = api_leases_answer},
    {.id = ROUTE_LEASES,
     .path = SLICE_INIT("/leases/"),
     .is_prefix = true,
     .methods = METHODS_READ | METHOD(POST) | METHOD(DELETE),
     .prepare = api_leases_prepare,
     .answer = api_leases_answer},
    {.id = ROUTE_LOCKS,
     .path = SLICE_INIT("/locks/"),
     .is_prefix = true,
     .methods = METHODS_READ | METHODS_WRITE | METHOD(LOCK) | METHOD(UNLOCK),
     .prepare = api_locks_prepare,
     .answer = api_locks_answer},
    {.id = ROUTE_ELECTIONS,
     .path = SLICE_INIT("/elections/"),
     .is_prefix = true,
     .methods = METHODS_READ | METHODS_WRITE,
     .prepare = api_elections_prepare,
     .answer = api_elections_answer},
    {.id = ROUTE_PROBLEMS,
     .path = SLICE_INIT("/problems/"),
     .is_prefix = true,
     .methods = METHODS_READ,
     .answer = api_problem_page_answer},
    {.id = ROUTE_PROBLEMS,
     .path = SLICE_INIT("/problems/"),
     .methods = METHODS_READ,
     .answer = api_problem_list_answer},
    {.id = ROUTE_PROBLEMS,
     .path = SLICE_INIT("/problems"),
     .methods = METHODS_READ,
     .answer = api_problem_list_answer},
    {.id = ROUTE_OPENAPI,
     .path = SLICE_INIT("/openapi.json"),
     .methods = METHODS_READ,
     .answer = api_openapi_answer},
    {.id = ROUTE_SERVER, .path = SLICE_INIT("*")},
};

/* The two calls of etcd's raftexample: a number, right below the root. They have anything else that
 * is sent there, too: it says what it should be. */
static const struct route route_member = {
    .id = ROUTE_MEMBER,
    .path = SLICE_INIT("/"),
    .methods = METHOD(POST) | METHOD(DELETE),
    .prepare = api_member_prepare,
    .answer = api_member_answer,
};

static bool is_member_call(struct slice path, enum http_method method)
{
    bool is_one_segment =
        path.size > 1 && path.data[0] == '/' && memchr(path.data + 1, '/', path.size - 1) == NULL;
    return is_one_segment &&
           ((path.data[1] >= '0' && path.data[1] <= '9') ||
            (method != HTTP_METHOD_OTHER && (route_member.methods & 1u << method) != 0));
}

static const struct route route_none = {.id = ROUTE_NONE, .path = SLICE_INIT("")};

const struct route *api_route_none(void)
{
    return &route_none;
}

const struct route *api_route_at(size_t i)
{
    return i < ARRAY_COUNT(routes) ? &routes[i] : i == ARRAY_COUNT(routes) ? &route_member : NULL;
}

const struct route *api_route_find(struct slice path, enum http_method method)
{
    for (size_t i = 0; i < ARRAY_COUNT(routes); i++) {
        struct slice own = routes[i].path;
        bool fits = routes[i].is_prefix ? path.size > own.size : path.size == own.size;
        if (fits && memcmp(path.data, own.data, own.size) == 0) {
            return &routes[i];
        }
    }
    return is_member_call(path, method) ? &route_member : &route_none;
}

void api_route_allow(const struct route *route, char target[ALLOW_SIZE])
{
    size_t size = 0;
    for (unsigned method = 0; method < HTTP_METHOD_COUNT; method++) {
        if (((route->methods | METHOD(OPTIONS)) & 1u << method) == 0) {
            continue;
        }
        const char *name = http_method_name((enum http_method)method);
        size_t name_size = strlen(name);
        ASSERT(size + name_size + 3 <= ALLOW_SIZE);
        if (size > 0) {
            memcpy(target + size, ", ", 2);
            size += 2;
        }
        memcpy(target + size, name, name_size);
        size += name_size;
    }
    target[size] = '\0';
}

/* ---- the checks that all routes share ---- */

static err check_method(const struct exchange *x, struct problem *problem)
{
    const struct route *route = x->route;
    unsigned bit = 1u << x->method;
    if (route->id == ROUTE_NONE) {
        return api_problem_set(problem, ERR_NOT_FOUND,
                               "there is nothing at this path; keys are under /kv/, and GET / "
                               "lists what else there is");
    }
    if (((route->methods | METHOD(OPTIONS)) & bit) == 0) {
        char allow[ALLOW_SIZE];
        api_route_allow(route, allow);
        return api_problem_set(problem, ERR_METHOD_NOT_ALLOWED, "%s is not allowed here; %s %s",
                               x->method == HTTP_METHOD_OTHER ? "this method"
                                                              : http_method_name(x->method),
                               allow, route->methods == 0 ? "is" : "are");
    }
    return OK;
}

static err admit(struct exchange *x, struct problem *problem)
{
    struct guard guard = {
        .memory = &x->api->guard_memory,
        .is_loopback = x->api->options.is_loopback,
        .is_unsafe = api_method_is_unsafe(x->method),
        .authority = http_header(x->request, "host"),
        .origin = http_header(x->request, "origin"),
        .fetch_site = http_header(x->request, "sec-fetch-site"),
    };
    x->route = api_route_find(http_path(x->request), x->method);
    err e = api_guard_check(&guard, problem);
    if (e == OK) {
        e = check_method(x, problem);
    }
    if (e == OK) {
        e = api_kv_intent_check_once(x->request, problem);
    }
    if (e == OK && x->route->prepare != NULL && x->method != HTTP_METHOD_OPTIONS) {
        e = x->route->prepare(x, problem);
    }
    return e;
}

/* ---- what the HTTP layer calls ---- */

/* The largest body, and the flag that moves it, or NULL. */
static uint64_t body_limit(const struct exchange *x, const char **out_setting)
{
    bool has_value = x->method == HTTP_METHOD_PUT || x->method == HTTP_METHOD_POST ||
                     x->method == HTTP_METHOD_PATCH;
    *out_setting = NULL;
    if (x->route->body == BODY_VALUE && has_value) {
        *out_setting = "max-value-bytes";
        return x->api->options.value_bytes_max;
    }
    if (x->route->body == BODY_TXN) {
        *out_setting = "max-txn-bytes";
        return x->api->options.txn_bytes_max;
    }
    return BODY_OTHER_BYTES_MAX;
}

static void begin(void *ctx, struct http_request *request)
{
    struct api *api = ctx;
    struct exchange *x = api_exchange_new(api, request);
    http_set_user(request, x);
    struct problem problem;
    api_problem_init(&problem);
    if (admit(x, &problem) != OK) {
        api_exchange_respond_problem(x, &problem);
        return;
    }
    const char *setting;
    http_limit_body(request, body_limit(x, &setting));
}

static void ready(void *ctx, struct http_request *request)
{
    struct exchange *x = http_user(request);
    ASSERT(x != NULL);
    const struct api *api = x->api;
    ASSERT(api == ctx);
    if (x->method != HTTP_METHOD_OPTIONS) {
        ASSERT(x->route->answer != NULL);
        x->route->answer(x);
        return;
    }
    char allow[ALLOW_SIZE];
    api_route_allow(x->route, allow);
    api_exchange_field_text(x, "Allow", allow);
    if (x->route->id == ROUTE_KV) { /* what a request to a key may be */
        api_exchange_field_u64(x, "KV-Max-Value-Bytes", api->options.value_bytes_max);
        api_exchange_field_u64(x, "KV-Max-Key-Bytes", KEY_SIZE_MAX);
        api_exchange_field_text(x, "Accept-Encoding", "gzip, deflate");
        api_exchange_field_text(x, "Accept-Ranges", "bytes");
    }
    api_exchange_respond(x, 204, NULL, SLICE_EMPTY);
}

static err refuse_body(const struct exchange *x, struct problem *problem)
{
    uint64_t limit = body_limit(x, &problem->setting);
    uint64_t size = http_content_length(x->request);
    bool is_txn = x->route->body == BODY_TXN;
    const char *what = is_txn                     ? "the body of a transaction or a batch"
                       : problem->setting != NULL ? "a value"
                                                  : "a body here";
    if (x->route->id == ROUTE_IMPORT) {
        what = "a larger export is for \"pontoon import\": the body of an import";
    }
    problem->limit = limit;
    if (size == UINT64_MAX) { /* it came in chunks */
        return api_problem_set(problem, ERR_TOO_LARGE,
                               "%s is at most %" PRIu64 " bytes, this one has more", what, limit);
    }
    return api_problem_set(problem, ERR_TOO_LARGE,
                           "%s is at most %" PRIu64 " bytes, this one has %" PRIu64, what, limit,
                           size);
}

static void refuse(void *ctx, struct http_request *request, err e, const char *detail)
{
    struct api *api = ctx;
    struct exchange *x = http_user(request);
    if (x == NULL) { /* refused before its header was complete */
        x = api_exchange_new(api, request);
    }
    struct problem problem = {.e = OK};
    err set = e == ERR_TOO_LARGE && x->route->body != BODY_OTHER
                  ? refuse_body(x, &problem)
                  : api_problem_set(&problem, e, "%s", detail);
    ASSERT(set == e);
    api_exchange_respond_problem(x, &problem);
}

const struct http_handler *api_http_handler(void)
{
    static const struct http_handler handler = {begin, ready, refuse};
    return &handler;
}

/* ---- the object ---- */

struct api *api_new(const struct api_options *options)
{
    ASSERT(options->env != NULL);
    struct api *api = mem_calloc(1, sizeof(*api));
    api->options = *options;
    api->started_ms = env_now_ms(options->env);
    prng_init(&api->request_ids, env_random(options->env));
    api_inflight_init(&api->inflight, env_random(options->env));
    api_meter_init(&api->meter, options->metrics);
    api_lingers_init(api);
    list_init(&api->paused_calls);
    api->watch_cache = api_watch_cache_new();
    api_list_queue_init(api);
    return api;
}

void api_serve(struct api *api, struct node *node)
{
    ASSERT(api->node == NULL);
    ASSERT(node != NULL);
    api->node = node;
}

void api_show_http_stats(struct api *api, const struct http_stats *stats)
{
    ASSERT(api->http_stats == NULL);
    api->http_stats = stats;
    api_meter_add_http(api->options.metrics, stats);
}

void api_end(struct api *api)
{
    api_lingers_end(api);
    api_system_calls_end(api);
    api_list_queue_stop(api);
}

void api_free(struct api *api)
{
    if (api != NULL) {
        api_lingers_deinit(api);
        api_watch_cache_free(api->watch_cache);
        api_list_queue_deinit(api);
        api_meter_deinit(&api->meter);
        mem_free(api);
    }
}
