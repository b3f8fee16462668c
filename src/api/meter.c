#include "api/meter.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

struct meter_cell {
    struct counter counter;
    char labels[96];
};

/* The label value and the whole label, in the order of enum route_id. */
static const struct {
    const char *name;
    const char *label;
} route_names[ROUTE_COUNT] = {
    [ROUTE_KV] = {"kv", "route=\"kv\""},
    [ROUTE_KV_COLLECTION] = {"kv_collection", "route=\"kv_collection\""},
    [ROUTE_IMPORT] = {"import", "route=\"import\""},
    [ROUTE_EXPORT] = {"export", "route=\"export\""},
    [ROUTE_TXN] = {"txn", "route=\"txn\""},
    [ROUTE_BATCH] = {"batch", "route=\"batch\""},
    [ROUTE_ROOT] = {"root", "route=\"root\""},
    [ROUTE_WATCH] = {"watch", "route=\"watch\""},
    [ROUTE_STATS] = {"stats", "route=\"stats\""},
    [ROUTE_LEADER] = {"leader", "route=\"leader\""},
    [ROUTE_FOLLOWER] = {"follower", "route=\"follower\""},
    [ROUTE_HEALTH] = {"health", "route=\"health\""},
    [ROUTE_LIVEZ] = {"livez", "route=\"livez\""},
    [ROUTE_READYZ] = {"readyz", "route=\"readyz\""},
    [ROUTE_VERSION] = {"version", "route=\"version\""},
    [ROUTE_METRICS] = {"metrics", "route=\"metrics\""},
    [ROUTE_MEMBERS] = {"members", "route=\"members\""},
    [ROUTE_ADMIN_LEADER] = {"admin_leader", "route=\"admin_leader\""},
    [ROUTE_MEMBER] = {"member", "route=\"member\""},
    [ROUTE_DRAIN] = {"drain", "route=\"drain\""},
    [ROUTE_SNAPSHOT] = {"snapshot", "route=\"snapshot\""},
    [ROUTE_LEASES] = {"leases", "route=\"leases\""},
    [ROUTE_LOCKS] = {"locks", "route=\"locks\""},
    [ROUTE_ELECTIONS] = {"elections", "route=\"elections\""},
    [ROUTE_PROBLEMS] = {"problems", "route=\"problems\""},
    [ROUTE_OPENAPI] = {"openapi", "route=\"openapi\""},
    [ROUTE_SERVER] = {"server", "route=\"server\""},
    [ROUTE_NONE] = {"none", "route=\"none\""},
};

/* Every status that can be answered, the frequent ones first; 0 stands for any other. */
static const int statuses[METER_STATUS_COUNT] = {
    200, 201, 404, 204, 304, 412, 503, 504, 206, 202, 307, 400, 401, 403, 405, 406, 408,
    409, 410, 411, 413, 414, 415, 416, 417, 422, 423, 429, 431, 500, 501, 505, 507, 0};

static size_t status_index(int status)
{
    size_t i = 0;
    while (statuses[i] != status && statuses[i] != 0) {
        i++;
    }
    ASSERT(i < METER_STATUS_COUNT);
    return i;
}

const char *api_meter_route_name(enum route_id route)
{
    ASSERT(route < ROUTE_COUNT);
    return route_names[route].name;
}

void api_meter_init(struct meter *meter, struct metrics *metrics)
{
    *meter = (struct meter){.metrics = metrics};
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        ASSERT(route_names[i].label != NULL);
        metrics_add_histogram(metrics, "pontoon_http_request_duration_seconds",
                              "From a request's first byte to its answer, by route.",
                              route_names[i].label, &meter->duration_us[i], 1e-6);
    }
}

void api_meter_deinit(struct meter *meter)
{
    for (size_t route = 0; route < ROUTE_COUNT; route++) {
        for (size_t method = 0; method < HTTP_METHOD_COUNT; method++) {
            for (size_t status = 0; status < METER_STATUS_COUNT; status++) {
                mem_free(meter->cells[route][method][status]);
            }
        }
    }
    meter->metrics = NULL;
}

/* Series are made when they first count: most of the combinations never happen. */
static struct meter_cell *cell_new(struct meter *meter, enum route_id route,
                                   enum http_method method, int status)
{
    struct meter_cell *cell = mem_calloc(1, sizeof(*cell));
    int size = snprintf(cell->labels, sizeof(cell->labels), "method=\"%s\",%s,code=\"%d\"",
                        http_method_name(method), route_names[route].label, status);
    ASSERT(size > 0);
    ASSERT((size_t)size < sizeof(cell->labels));
    metrics_add_counter(meter->metrics, "pontoon_http_requests_total",
                        "Answered requests by method, route and status.", cell->labels,
                        &cell->counter);
    return cell;
}

void api_meter_count(struct meter *meter, enum route_id route, enum http_method method, int status,
                     uint64_t duration_us)
{
    ASSERT(route < ROUTE_COUNT);
    ASSERT(method < HTTP_METHOD_COUNT);
    size_t index = status_index(status);
    struct meter_cell **cell = &meter->cells[route][method][index];
    if (*cell == NULL) {
        *cell = cell_new(meter, route, method, statuses[index]);
    }
    counter_add(&(*cell)->counter, 1);
    histogram_observe(&meter->duration_us[route], duration_us);
}

void api_meter_add_http(struct metrics *metrics, const struct http_stats *stats)
{
    metrics_add_gauge(metrics, "pontoon_http_in_flight", "Requests that are being answered.", NULL,
                      &stats->in_flight);
    metrics_add_gauge(metrics, "pontoon_http_requests_held",
                      "Requests from their first byte until their answer is sent.", NULL,
                      &stats->requests_held);
    metrics_add_gauge(metrics, "pontoon_http_body_bytes", "Memory of requests' bodies.", NULL,
                      &stats->body_bytes);
    metrics_add_gauge(metrics, "pontoon_http_reply_bytes",
                      "Bytes of answers that clients have not taken yet.", NULL,
                      &stats->reply_bytes);
    metrics_add_gauge(metrics, "pontoon_http_connections", "Open client connections.", NULL,
                      &stats->connections);
    metrics_add_counter(metrics, "pontoon_http_connections_accepted_total",
                        "Client connections accepted.", NULL, &stats->connections_accepted);
    metrics_add_counter(metrics, "pontoon_http_connections_refused_total",
                        "Client connections refused at --max-connections.", NULL,
                        &stats->connections_refused);
    metrics_add_counter(metrics, "pontoon_http_refusals_total",
                        "Requests refused before any route saw them: framing, sizes, time limits.",
                        NULL, &stats->refusals);
    metrics_add_counter(metrics, "pontoon_http_timeouts_total",
                        "Connections ended at a time limit.", NULL, &stats->timeouts);
    metrics_add_counter(metrics, "pontoon_http_received_bytes_total", "Bytes read from clients.",
                        NULL, &stats->received_bytes);
    metrics_add_counter(metrics, "pontoon_http_sent_bytes_total", "Bytes sent to clients.", NULL,
                        &stats->sent_bytes);
}
