/*
 * Query parameters. Those of others are ignored (some tools append their own), but a near miss of
 * one of ours or a bad value is refused: a typing mistake must not turn a condition into an
 * unconditional write. Under /admin/
 * others have none: there each unknown one is refused.
 */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "api/problem.h"
#include "http/http_query.h"
#include "node/node.h"

#define PARAMS_TIMEOUT_MS_MIN 1u
#define PARAMS_TIMEOUT_MS_MAX 60000u
#define PARAMS_STALENESS_MS_MAX 86400000u

/* What a write does to its key. */
enum kv_op {
    KV_OP_SET,
    KV_OP_INCR,
    KV_OP_APPEND,
    KV_OP_TOUCH, /* its time alone */
};

/* What /kv/KEY knows. Slices borrow from the query's memory. */
struct kv_params {
    enum read_consistency consistency;
    uint64_t timeout_ms;
    enum kv_op op;
    int64_t by;        /* INCR; 1 unless it is said */
    struct slice prev; /* has_prev: the value that has to be there */
    uint64_t cas;      /* has_cas: the revision, or 0 for a key that is not there */
    uint64_t ttl_ms;   /* has_ttl; 0: none */
    uint64_t lease;    /* 0: none */
    bool has_by;
    bool has_prev;
    bool has_cas;
    bool has_ttl;
    bool keeps_ttl;
    bool is_special;           /* one of those that make a write more than a plain one was given */
    uint64_t staleness_ms_max; /* BOUNDED */
    uint64_t revision_min;     /* 0: none */
    bool is_redirect;          /* who does not lead names the leader instead of asking it */
    uint64_t at;               /* the revision to read; 0: now */
    uint64_t index;            /* has_index: the revision that the client has */
    uint64_t wait_ms;          /* has_wait: how long an answer may be held for a change */
    bool has_index;
    bool has_wait;
    bool is_meta; /* what is known of the value, in place of it */
};

/*
 * Fills `params`, which holds the defaults, from what is left of `query`. `is_write` tells which of
 * the parameters to come would change what the request means. ERR_BAD_REQUEST,
 * set in `problem`, which borrows from the query's memory.
 */
MUST_USE err api_params_parse_kv(struct http_query *query, bool is_write, struct kv_params *params,
                                 struct problem *problem);

/* The name of the parameter at place `i` of those that /kv/KEY knows, or NULL behind the last. */
const char *api_params_kv_name(size_t i);

/* A parameter of a path where nobody else's are expected. */
struct param_own {
    const char *name; /* static */
    /* Takes what it is given, with api_params_parse_own's `ctx`. ERR_BAD_REQUEST, set in
     * `problem`. */
    err (*take)(void *ctx, struct slice value, struct problem *problem);
};

/*
 * Hands each parameter of `text`, a query, to its row among `rows`. One that is not among them, or
 * comes twice, is refused: an administrator's typing mistake must not be carried out. `memory` as
 * http_query_of. ERR_BAD_REQUEST, set in `problem`.
 */
MUST_USE err api_params_parse_own(struct slice text, uint8_t *memory, const struct param_own *rows,
                                  size_t row_count, void *ctx, struct problem *problem);

/* The value of ?consistency. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_params_take_consistency(struct slice value, enum read_consistency *out_consistency,
                                         struct problem *problem);

/* The values of ?max-staleness, ?min-revision and ?at. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_params_take_staleness(struct slice value, uint64_t *out_ms,
                                       struct problem *problem);
/* As above. */
MUST_USE err api_params_take_revision(struct slice value, uint64_t *out_revision,
                                      struct problem *problem);
/* As above. */
MUST_USE err api_params_take_at(struct slice value, uint64_t *out_revision,
                                struct problem *problem);

/* The value of ?timeout. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_params_take_timeout(struct slice value, uint64_t *out_ms, struct problem *problem);

#endif
