/*
 * The routes of the REST interface onto the node (docs/api.md): checks limits, encodes commands,
 * words every answer and every error. Keeps no state but what requests at work need and what it
 * counts.
 */
#ifndef API_API_H
#define API_API_H

#include "http/http.h"
#include "node/node.h"

struct api;

struct api_options {
    struct env *env;
    struct log *log;
    struct metrics *metrics;
    const char *version;
    uint64_t value_bytes_max;    /* --max-value-bytes */
    uint64_t txn_bytes_max;      /* --max-txn-bytes: of the body of /txn and /batch */
    uint64_t request_timeout_ms; /* --request-timeout: default of ?timeout= */
    uint64_t watchers_max;       /* --max-watchers; 0: 20000 */
    bool access_log;             /* --access-log: a line per request */
    bool is_loopback; /* the listener is bound to loopback: Host is checked (DNS rebinding) */
};

/* Borrows what `options` points to. Caller frees, after the HTTP server is closed. */
struct api *api_new(const struct api_options *options);
/* From now on requests can be served: by `node`, which is borrowed. Before the loop turns first. */
void api_serve(struct api *api, struct node *node);
/*
 * The HTTP server is closed and the node is about to be: answers what waits and asks nothing of the
 * node, and asks it nothing more.
 */
void api_end(struct api *api);
void api_free(struct api *api); /* NULL: no-op */

/*
 * Shows the HTTP server's figures in /stats and /metrics. At most once; borrows `stats` until
 * api_free, and the metrics' registry must not be rendered after that.
 */
void api_show_http_stats(struct api *api, const struct http_stats *stats);

/* The handler to open an HTTP server with; its ctx is the api. Static storage. */
const struct http_handler *api_http_handler(void);

#endif
