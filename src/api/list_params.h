/*
 * The parameters of a list of keys, of its count, and of DELETE of many keys. Nobody else's are
 * expected here: what is not known is refused.
 */
#ifndef API_LIST_PARAMS_H
#define API_LIST_PARAMS_H

#include "api/list_filter.h"
#include "api/problem.h"
#include "node/node.h"

#define LIST_LIMIT_DEFAULT 1000u
#define LIST_LIMIT_MAX 10000u /* of a page; more is made this */

enum list_format {
    LIST_JSON,
    LIST_NDJSON,
    LIST_TEXT,
};

/* Texts that were not given are empty. */
struct list_params {
    struct slice prefix;
    struct slice start; /* inclusive */
    struct slice end;   /* exclusive, as are the next two */
    struct slice after;
    struct slice before;
    struct slice delimiter;
    struct slice match;
    struct slice cursor;
    struct list_filter filter;
    bool is_reverse;
    bool wants_values;
    bool is_count;
    bool has_limit;
    uint64_t limit;
    uint64_t at; /* a revision; 0: now */
    bool has_format;
    enum list_format format;
    enum read_consistency consistency;
    uint64_t timeout_ms;
    bool has_consistency;
    bool has_staleness;
    uint64_t staleness_ms_max; /* READ_BOUNDED */
    uint64_t revision_min;     /* 0: whatever there is */
    /* DELETE alone: */
    bool is_all;
    bool is_dry_run;
};

/*
 * Fills `params`, which holds the defaults, from `query`, the one of a GET or HEAD, or if
 * `is_delete` of a DELETE. Borrows `memory`, which has query.size bytes, for the texts.
 * ERR_BAD_REQUEST, ERR_KEY_TOO_LONG, set in `problem`.
 */
MUST_USE err api_list_params_parse(struct slice query, uint8_t *memory, bool is_delete,
                                   struct list_params *params, struct problem *problem);

/* Which of the formats an Accept field would rather have; JSON where it likes none of them. */
enum list_format api_list_format_of(struct slice accept);

#endif
