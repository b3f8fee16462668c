/*
 * What stays for long: requests that wait for something, streams that tell events.
 *
 * L1  Each is visited every LINGER_TICK_MS: so it notices that its client has gone, that the node
 *     drains, or what else no event tells. While nothing lingers, nothing is visited.
 * L2  There are LINGERS_MAX of them at most.
 */
#ifndef API_LINGER_H
#define API_LINGER_H

#include "base/err.h"
#include "env/env.h"

#define LINGERS_MAX 10000u
#define LINGER_TICK_MS 250u

struct api;

enum linger_reason {
    LINGER_TICK,
    LINGER_DRAIN, /* the node drains: at every tick, in place of TICK */
    LINGER_END,   /* the node is about to be closed: what waits for nothing at the node has to be
                     answered now, and nothing more asked */
};

struct lingerer {
    void (*visit)(struct lingerer *linger, enum linger_reason reason);
    struct list link; /* its own, as all of it is zero before it starts */
};

struct lingers {
    struct env_timer timer;
    struct list all;
    uint32_t count;
};

/* None. */
void api_lingers_init(struct api *api);
/* There are none any more. */
void api_lingers_deinit(struct api *api);
/* Visits all of them for the last time. */
void api_lingers_end(struct api *api);

/* From now on it is visited. ERR_OVERLOADED (L2). */
MUST_USE err api_linger_start(struct api *api, struct lingerer *linger);
/* Idempotent; also from within a visit. */
void api_linger_stop(struct api *api, struct lingerer *linger);

#endif
