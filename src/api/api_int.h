/* What the files of this layer share: the API object and the table of routes. */
#ifndef API_API_INT_H
#define API_API_INT_H

#include "api/api.h"
#include "api/guard.h"
#include "api/inflight.h"
#include "api/linger.h"
#include "api/meter.h"
#include "api/problem.h"
#include "api/standing.h"
#include "base/prng.h"

struct exchange;
struct watch_cache;

/* A set of methods: bits of enum http_method. */
#define METHOD(name) (1u << HTTP_METHOD_##name)
#define METHODS_READ (METHOD(GET) | METHOD(HEAD))
#define METHODS_WRITE (METHOD(PUT) | METHOD(POST) | METHOD(DELETE))

#define API_BATCH_BYTES_MAX (256u << 20) /* batch_bytes is at most this */

/* What the body of a request to a route is: how large it may be. */
enum body_kind {
    BODY_OTHER, /* a few parameters, if anything */
    BODY_VALUE, /* PUT, POST and PATCH: --max-value-bytes */
    BODY_TXN,   /* --max-txn-bytes */
};

/* One row of the table of routes. */
struct route {
    enum route_id id;
    struct slice path; /* exactly, or as a prefix of something longer */
    bool is_prefix;
    enum body_kind body;
    unsigned methods; /* besides OPTIONS, which every route has */
    /* The header is there: checks what can be checked before the body comes. NULL: nothing. */
    MUST_USE err (*prepare)(struct exchange *x, struct problem *problem);
    /* The request is complete: answers it, now or later. */
    void (*answer)(struct exchange *x);
};

struct api {
    struct api_options options;
    struct node *node; /* from api_serve on */
    struct prng request_ids;
    uint64_t started_ms;
    struct guard_memory guard_memory;
    struct standing standings[STANDING_KINDS];
    struct meter meter;
    struct list list_pieces; /* list_queue.c */
    struct env_timer list_timer;
    uint64_t batch_bytes;     /* of the bodies of batches and imports that are worked at */
    struct inflight inflight; /* idempotency keys at work */
    const struct http_stats *http_stats; /* NULL: not told */
    struct lingers lingers;
    struct list paused_calls; /* system_call.h */
    bool is_ending;           /* nothing more is asked of the node */
    struct watch_cache *watch_cache;
};

/* "GET, HEAD, OPTIONS": static storage would need one per route, so into caller's. */
#define ALLOW_SIZE 80u
void api_route_allow(const struct route *route, char target[ALLOW_SIZE]);
/* The row that a request belongs to; that for what is nowhere if there is none. */
const struct route *api_route_find(struct slice path, enum http_method method);
/* Every row there is, from 0 on, then NULL: what tells of the table must tell of all of it. */
const struct route *api_route_at(size_t i);
/* The row for what is not in the table. */
const struct route *api_route_none(void);

static inline bool api_method_is_unsafe(enum http_method method)
{
    return method != HTTP_METHOD_GET && method != HTTP_METHOD_HEAD && method != HTTP_METHOD_OPTIONS;
}

/* ---- the routes ---- */

/* /kv/KEY */
MUST_USE err api_kv_prepare(struct exchange *x, struct problem *problem);
void api_kv_answer(struct exchange *x);

/* /kv and /kv/ */
MUST_USE err api_list_prepare(struct exchange *x, struct problem *problem);
void api_list_answer(struct exchange *x);

/* Lists that go on later; stop answers those that wait for that, and so does deinit. */
void api_list_queue_init(struct api *api);
void api_list_queue_stop(struct api *api);
void api_list_queue_deinit(struct api *api);

/* /export */
MUST_USE err api_export_prepare(struct exchange *x, struct problem *problem);
void api_export_answer(struct exchange *x);
/* /import */
MUST_USE err api_import_prepare(struct exchange *x, struct problem *problem);
void api_import_answer(struct exchange *x);
/* /watch, /watch/KEY */
MUST_USE err api_watch_prepare(struct exchange *x, struct problem *problem);
void api_watch_answer(struct exchange *x);
/* Whether one more may watch. ERR_OVERLOADED, set in `problem`. */
MUST_USE err api_watch_check_room(const struct api *api, struct problem *problem);

/* /txn */
MUST_USE err api_txn_prepare(struct exchange *x, struct problem *problem);
void api_txn_answer(struct exchange *x);

/* /batch */
MUST_USE err api_batch_prepare(struct exchange *x, struct problem *problem);
void api_batch_answer(struct exchange *x);

/* /admin/drain */
void api_drain_answer(struct exchange *x);

/* /admin/snapshot */
void api_snapshot_answer(struct exchange *x);

/* About this node and its cluster. */
void api_root_answer(struct exchange *x);
void api_version_answer(struct exchange *x);
void api_stats_answer(struct exchange *x);
void api_metrics_answer(struct exchange *x);
void api_leader_answer(struct exchange *x);
void api_follower_answer(struct exchange *x);
void api_health_answer(struct exchange *x);
void api_livez_answer(struct exchange *x);
MUST_USE err api_readyz_prepare(struct exchange *x, struct problem *problem);
void api_readyz_answer(struct exchange *x);

/* /problems/: route_problems.c. */
void api_problem_page_answer(struct exchange *x);
void api_problem_list_answer(struct exchange *x);

/* /openapi.json */
void api_openapi_answer(struct exchange *x);

/* /leases, and what is below it: route_leases.c. */
MUST_USE err api_leases_prepare(struct exchange *x, struct problem *problem);
void api_leases_answer(struct exchange *x);

/* /locks/NAME: route_locks.c. */
MUST_USE err api_locks_prepare(struct exchange *x, struct problem *problem);
void api_locks_answer(struct exchange *x);

/* /elections/NAME, and …/watch: route_elections.c. */
MUST_USE err api_elections_prepare(struct exchange *x, struct problem *problem);
void api_elections_answer(struct exchange *x);

/* Who the members are, and changing that: route_admin.c. */
MUST_USE err api_members_prepare(struct exchange *x, struct problem *problem);
void api_members_answer(struct exchange *x);
MUST_USE err api_admin_leader_prepare(struct exchange *x, struct problem *problem);
void api_admin_leader_answer(struct exchange *x);
MUST_USE err api_member_prepare(struct exchange *x, struct problem *problem);
void api_member_answer(struct exchange *x);

/* Of any path under /admin/ that has no parameters: refuses all. */
MUST_USE err api_admin_bare_prepare(struct exchange *x, struct problem *problem);

#endif
