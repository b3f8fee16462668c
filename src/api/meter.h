/*
 * What the routes count: requests by method, route and status, and their durations by route. Labels
 * are of fixed sets, never keys: the number of series is bounded.
 */
#ifndef API_METER_H
#define API_METER_H

#include "base/metrics.h"
#include "http/http.h"

enum route_id {
    ROUTE_KV,
    ROUTE_KV_COLLECTION,
    ROUTE_EXPORT,
    ROUTE_IMPORT,
    ROUTE_WATCH, /* /watch, and what is below it */
    ROUTE_TXN,
    ROUTE_BATCH,
    ROUTE_ROOT,
    ROUTE_STATS,
    ROUTE_LEADER,
    ROUTE_FOLLOWER,
    ROUTE_HEALTH,
    ROUTE_LIVEZ,
    ROUTE_READYZ,
    ROUTE_VERSION,
    ROUTE_METRICS,
    ROUTE_MEMBERS,      /* /admin/members, and what is below it */
    ROUTE_ADMIN_LEADER, /* /admin/leader */
    ROUTE_MEMBER,       /* /4: as in etcd's raftexample */
    ROUTE_DRAIN,        /* /admin/drain */
    ROUTE_SNAPSHOT,     /* /admin/snapshot */
    ROUTE_LEASES,       /* /leases, and what is below it */
    ROUTE_LOCKS,        /* /locks/NAME */
    ROUTE_ELECTIONS,    /* /elections/NAME, and its watch */
    ROUTE_PROBLEMS,     /* /problems/, and what is below it */
    ROUTE_OPENAPI,      /* /openapi.json */
    ROUTE_SERVER,       /* "*": OPTIONS of the server as a whole */
    ROUTE_NONE,         /* nothing is there, or the request was refused before its path was known */
    ROUTE_COUNT
};

#define METER_STATUS_COUNT 34u

struct meter_cell;

struct meter {
    struct metrics *metrics;
    struct meter_cell *cells[ROUTE_COUNT][HTTP_METHOD_COUNT][METER_STATUS_COUNT];
    struct histogram duration_us[ROUTE_COUNT];
};

/* Fills caller's storage and registers with `metrics`, which is borrowed for the meter's life. */
void api_meter_init(struct meter *meter, struct metrics *metrics);
/* The registry must not be rendered any more. */
void api_meter_deinit(struct meter *meter);
/* Counts one answered request. */
void api_meter_count(struct meter *meter, enum route_id route, enum http_method method, int status,
                     uint64_t duration_us);
/* Registers what the HTTP layer counts. Borrows `stats` for the registry's life. */
void api_meter_add_http(struct metrics *metrics, const struct http_stats *stats);
/* The label of a route; static storage. */
const char *api_meter_route_name(enum route_id route);

#endif
