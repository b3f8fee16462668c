/*
 * What /watch and /watch/KEY are asked for: what to watch, from where on, in which form.
 */
#ifndef API_WATCH_PARAMS_H
#define API_WATCH_PARAMS_H

#include "api/exchange.h"
#include "api/watch_format.h"

struct watch_params {
    struct slice pattern; /* borrowed from the request's memory */
    bool is_prefix;
    bool has_since;
    uint64_t since; /* the last revision that the client has */
    bool is_initial;
    unsigned kinds; /* bits of enum store_change_kind */
    struct watch_style style;
    enum read_consistency consistency;
    uint64_t timeout_ms;
    bool has_key; /* while it is read */
    bool has_form;
};

/*
 * Reads them out of the request's path, query and header. ERR_BAD_REQUEST, ERR_KEY_TOO_LONG, set in
 * `problem`.
 */
MUST_USE err api_watch_params_read(struct exchange *x, struct watch_params *params,
                                   struct problem *problem);

#endif
