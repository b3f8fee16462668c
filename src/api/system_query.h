/* What the queries of /leases, /locks and /elections may say. Nobody else's parameters are expected
 * there: each unknown one is refused. */
#ifndef API_SYSTEM_QUERY_H
#define API_SYSTEM_QUERY_H

#include "api/exchange.h"

#define SYSTEM_TTL_MS_MIN 100u /* a commit takes its time, and so does a renewal */
#define SYSTEM_WAIT_MS_MAX 600000u
#define SYSTEM_HOLDERS_MAX 10000u
#define SYSTEM_ROWS_MAX 10000u
#define SYSTEM_ROWS_DEFAULT 1000u

enum system_parameter {
    SYSTEM_TTL = 1,
    SYSTEM_WAIT = 2,
    SYSTEM_HOLDERS = 4, /* limit, of a lock */
    SYSTEM_ROWS = 8,    /* limit, of a list */
    SYSTEM_ID = 16,
    SYSTEM_HOLD = 32,
    SYSTEM_KEYS = 64,
    SYSTEM_AFTER = 128,
    SYSTEM_FORCE = 256,
    SYSTEM_READ = 512, /* consistency, min-revision */
};

struct system_query {
    uint64_t ttl_ms; /* has_ttl */
    uint64_t wait_ms;
    uint64_t limit; /* 0: not given */
    uint64_t id;    /* 0: not given */
    struct slice after;
    uint64_t min_revision;
    uint64_t timeout_ms;
    enum read_consistency consistency;
    bool has_ttl;
    bool holds;
    bool wants_keys;
    bool is_forced;
};

/* Fills `out_query` from the request's query, in which those of `allowed`, bits of enum
 * system_parameter, may stand, and timeout. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_system_query_parse(struct exchange *x, unsigned allowed,
                                    struct system_query *out_query, struct problem *problem);

#endif
