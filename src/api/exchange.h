/*
 * One request on its way through the routes, from its header to its answer.
 *
 * X1  It lives in its request's memory: it is gone with api_exchange_respond… and needs no freeing.
 * X2  Exactly one api_exchange_respond… is called for each. Every answer passes through there,
 *     so that each carries KV-Revision and KV-Request-Id, is counted, and is logged if it was slow.
 */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include <json-c/json_object.h>

#include "api/api_int.h"
#include "api/params.h"
#include "api/prefer.h"
#include "api/problem.h"
#include "api/standing.h"
#include "api/text.h"

#define EXCHANGE_FIELDS_MAX 16u
#define EXCHANGE_TEXT_SIZE 256u /* of the numbers and dates among the header fields */

/* What /readyz looks at. */
enum check {
    CHECK_LEADER,
    CHECK_DRAINING,
    CHECK_STATE,
    CHECK_APPLIED,
    CHECK_COUNT
};

struct probe_query {
    bool is_verbose;
    bool excludes[CHECK_COUNT];
};

struct admin_call;
struct watch_params;
struct kv_intent;
struct import_query;
struct kv_wait;
struct list_params;
struct lease_call;
struct lock_call;
struct txn_call;

struct exchange {
    struct api *api;
    struct http_request *request;
    const struct route *route; /* never NULL */
    enum http_method method;
    struct slice request_id;
    struct slice key;               /* kv routes; else empty */
    struct kv_params params;        /* kv routes */
    bool is_patient;                /* it asked to wait: however long it takes, it is not slow */
    struct kv_intent *intent;       /* of a write that is more than a plain one, else NULL */
    struct kv_wait *wait;           /* of a long poll, in the request's memory; else NULL */
    struct prefer prefer;           /* what the client would like */
    enum standing_kind given;       /* kv routes: how consistent the answer is */
    struct txn_call *txn;           /* /txn, /batch */
    struct inflight_entry inflight; /* its idempotency key, until the answer */
    struct import_query *import;    /* /import, in the request's memory */
    struct probe_query probe;       /* /readyz */
    struct watch_params *watch;     /* /watch, in the request's memory */
    union {
        struct node_write write;
        struct node_read read;
        struct admin_call *admin; /* route_admin.c */
        struct node_drain drain;
        struct list_params *list; /* route_list.c */
        struct lease_call *lease;
        struct lock_call *lock;
    } op;
    bool has_revision; /* `revision` is this answer's; else the node's at the time of the answer */
    uint64_t revision;
    size_t field_count;
    size_t text_size;
    struct http_field fields[EXCHANGE_FIELDS_MAX]; /* these two last: as they come, not zeroed */
    char text[EXCHANGE_TEXT_SIZE];
};

/* A new exchange in `request`'s memory, of no route yet, with its request id. */
struct exchange *api_exchange_new(struct api *api, struct http_request *request);

/* From now on `key`, an idempotency key that lives as long as `x`, is at work; empty: there is
 * none. ERR_IDEMPOTENCY_IN_PROGRESS: it is already. */
MUST_USE err api_exchange_begin_key(struct exchange *x, struct slice key, struct problem *problem);

/* ---- header fields of the answer ---- */

/* Adds one: `name` is static, `value` lives until the answer. */
void api_exchange_add(struct exchange *x, struct slice name, struct slice value);
/* The same for a number in decimal. */
void api_exchange_add_u64(struct exchange *x, struct slice name, uint64_t value);
/* Adds lines of our own, each a whole field with its CR LF, that live until the answer. */
void api_exchange_add_lines(struct exchange *x, struct slice lines);
/* Room for `size` bytes of a field's value. */
char *api_exchange_text(struct exchange *x, size_t size);

/* The same for NUL-terminated names and values: those of literals are counted by the compiler. */
static inline void api_exchange_field(struct exchange *x, const char *name, struct slice value)
{
    api_exchange_add(x, slice_from_text(name), value);
}

static inline void api_exchange_field_text(struct exchange *x, const char *name, const char *value)
{
    api_exchange_add(x, slice_from_text(name), slice_from_text(value));
}

static inline void api_exchange_field_u64(struct exchange *x, const char *name, uint64_t value)
{
    api_exchange_add_u64(x, slice_from_text(name), value);
}

/*
 * The answer is of the revision at which the command was carried out, or refused by what was there:
 * on a node that follows another than its own. What never got so far has none, and the answer then
 * the node's.
 */
void api_exchange_take_revision(struct exchange *x, const struct command_result *result);

/* ---- answers: `x` is gone afterwards ---- */

/* `content` lies in `body`, which is shared; or `body` is NULL and `content` is copied. */
void api_exchange_respond(struct exchange *x, int status, struct buf *body, struct slice content);
/*
 * Status 200 and a body in pieces; its length is not known. As http_respond_stream, whose result it
 * returns: NULL: the connection is gone.
 */
struct http_stream *api_exchange_respond_stream(struct exchange *x,
                                                const struct http_stream_handler *handler,
                                                void *ctx);
/* Status 200 to a HEAD of what is streamed: without a length. */
void api_exchange_respond_stream_head(struct exchange *x);
/* Takes `document`. With line breaks and indentation if `is_pretty`: for people. */
void api_exchange_respond_json(struct exchange *x, int status, struct json_object *document,
                               bool is_pretty);
/* The error document for `problem`, with its own fields after those gathered so far. */
void api_exchange_respond_problem(struct exchange *x, const struct problem *problem);

/* The same, for an error that has words and no more. */
void api_exchange_refuse(struct exchange *x, err e, const char *detail);

#endif
