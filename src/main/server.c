#include "main/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/assert.h"
#include "base/mem.h"
#include "env/stderr_sink.h"
#include "main/fault.h"
#include "main/join.h"
#include "main/members.h"
#include "main/process.h"

/* Not settings: nobody has asked to move them. */
#define ENTRY_CACHE_BYTES_MAX (UINT64_C(64) << 20)
#define FILES_BESIDE_CONNECTIONS 256u /* log, store, peers, and some to spare */

struct server {
    struct env *env;
    const struct options *options;
    struct join_place place; /* with --join; else empty */
    struct env_stderr_sink *sink;
    struct log *log;
    struct metrics *metrics;
    struct node *node;
    struct api *api;
    struct http_server *http;
    struct node_drain drain;
    struct gauge build_info;
    char build_labels[128];
    bool is_draining;
    bool is_drained; /* everything is answered */
};

/* ---- opening ---- */

static uint64_t wall_clock(void *ctx)
{
    return env_wall_ms(ctx);
}

/* Who joins is told its number, unless --id asks for one: until then it has none. */
static node_id known_id(const struct options *options)
{
    bool is_known = options->join == NULL || main_options_is_given(options, "id");
    return is_known ? options->id : 0;
}

static void open_log(struct server *server)
{
    const struct options *options = server->options;
    server->sink = env_stderr_sink_open(server->env, STDERR_FILENO);
    server->log = log_new(&(struct log_options){
        .level = (enum log_level)options->log_level,
        .format = (enum log_format)options->log_format,
        .node_id = known_id(options),
        .sink = env_stderr_sink_write,
        .sink_ctx = server->sink,
        .clock = wall_clock,
        .clock_ctx = server->env,
    });
    env_stderr_sink_set_log(server->sink, server->log);
}

static void open_metrics(struct server *server)
{
    server->metrics = metrics_new();
    server->build_info.value = 1;
    (void)snprintf(server->build_labels, sizeof(server->build_labels), "version=\"%s\"",
                   PONTOON_VERSION);
    metrics_add_gauge(server->metrics, "pontoon_build_info", "Always 1; the version is a label.",
                      server->build_labels, &server->build_info);
    metrics_add_counter(server->metrics, "pontoon_log_lines_dropped_total",
                        "Log lines dropped as standard error did not take them.", NULL,
                        env_stderr_sink_dropped(server->sink));
    metrics_add_histogram(server->metrics, "pontoon_loop_turn_seconds",
                          "How long turns of the loop are: heartbeats wait for a turn's end.", NULL,
                          env_uv_turn_us(server->env), 1e-6);
    main_process_add_metrics(server->metrics, server->env);
}

static err open_http(struct server *server, struct err_note *note)
{
    const struct options *options = server->options;
    server->api = api_new(&(struct api_options){
        .env = server->env,
        .log = server->log,
        .metrics = server->metrics,
        .version = PONTOON_VERSION,
        .value_bytes_max = options->max_value_bytes,
        .txn_bytes_max = options->max_txn_bytes,
        .request_timeout_ms = options->request_timeout_ms,
        .watchers_max = options->max_watchers,
        .access_log = options->access_log,
        .is_loopback = options->is_loopback,
    });
    const struct http_options http_options = {
        .env = server->env,
        .log = server->log,
        .listen_address = options->listen,
        .body_bytes_max = options->max_value_bytes,
        .connections_max = (uint32_t)options->max_connections,
    };
    err e = http_server_open(&server->http, &http_options, api_http_handler(), server->api, note);
    if (e != OK) {
        struct err_note why = *note;
        return err_note_set(note, e, "%s; stop what uses it, or take another --listen", why.text);
    }
    api_show_http_stats(server->api, http_stats(server->http));
    return OK;
}

static void on_removed(void *ctx);

/* The members to begin with, and who it is: as --cluster says, or as --join was answered. */
static err find_place(struct server *server, struct node_options *node_options,
                      struct err_note *note)
{
    const struct options *options = server->options;
    const struct join_place *place = &server->place;
    if (options->join == NULL) {
        return OK;
    }
    err e = main_join(server->env, server->log, options, &server->place, note);
    node_options->id = place->id;
    node_options->is_joining = place->is_joining;
    node_options->cluster_id = place->cluster_id;
    node_options->members = place->members;
    node_options->member_count = place->member_count;
    node_options->peer_listen =
        options->peer_listen != NULL ? options->peer_listen : options->peer_default;
    log_set_node_id(server->log, place->id);
    return e;
}

/*
 * After the listener: a port that is taken must not leave a data directory behind that was just
 * made. Requests that come in meanwhile wait in their sockets, the loop does not turn yet.
 */
static err open_node(struct server *server, struct err_note *note)
{
    const struct options *options = server->options;
    struct node_options node_options = {
        .removed = on_removed,
        .ctx = server,
        .env = server->env,
        .log = server->log,
        .metrics = server->metrics,
        .data_directory = options->data,
        .version = PONTOON_VERSION,
        .id = options->id,
        .cluster_name = options->cluster_name,
        .members = options->members,
        .member_count = options->member_count,
        .peer_listen = options->peer_listen,
        .peer_default = options->peer_default[0] != '\0' ? options->peer_default : NULL,
        .client_address = options->advertise,
        .heartbeat_ms = (uint32_t)options->heartbeat_interval_ms,
        .election_timeout_ms = (uint32_t)options->election_timeout_ms,
        .tail_bytes_max = options->tail_bytes,
        .checkpoint_age_ms_max = options->checkpoint_interval_ms,
        .segment_size_bytes = options->segment_size_bytes,
        .entry_cache_bytes_max = ENTRY_CACHE_BYTES_MAX,
        .log_keep_bytes_max = options->log_keep_bytes,
        .log_keep_entries_max = options->log_keep_entries,
        .log_keep_age_ms_max = options->log_keep_age_ms,
        .history_bytes_max = options->history_bytes,
        .history_revisions_max = options->history_revisions,
        .history_age_ms_max = options->history_age_ms,
        .snapshot_rate_bytes = options->snapshot_rate_bytes,
        .quota_bytes = options->quota_bytes,
        .idempotency_age_ms = options->idempotency_age_ms,
        .idempotency_count = options->idempotency_keys,
        .scrub_rate_bytes = options->scrub_rate_bytes,
        .pending_bytes_max = options->max_pending_bytes,
        .pending_count_max = options->max_pending_requests,
    };
    err e = find_place(server, &node_options, note);
    if (e == OK) {
        e = node_open(&server->node, &node_options, note);
    }
    if (e == OK) {
        api_serve(server->api, server->node);
    }
    return e;
}

/* ---- ending (V2) ---- */

static void finished(void *ctx)
{
    struct server *server = ctx;
    env_uv_stop(server->env);
}

static void drained(void *ctx)
{
    struct server *server = ctx;
    LOG_INFO(server->log, "drained");
    server->is_drained = true;
    node_finish(server->node, finished, server);
}

static void handed_over(struct node_drain *drain, err e)
{
    struct server *server = CONTAINER_OF(drain, struct server, drain);
    ASSERT(e == OK); /* nobody can undo it, and the node is closed after this */
    http_server_drain(server->http, server->options->shutdown_timeout_ms, drained, server);
}

static void drain(struct server *server)
{
    server->is_draining = true;
    server->drain = (struct node_drain){.is_final = true, .done = handed_over};
    node_drain(server->node, &server->drain);
}

static void on_signal(void *ctx, int number)
{
    struct server *server = ctx;
    if (server->is_drained) {
        env_uv_stop(server->env); /* with 0: all that it cuts short is the checkpoint */
        return;
    }
    if (server->is_draining) {
        fatal(0, "a second signal (%s): ended before every request was answered",
              number == SIGTERM ? "SIGTERM" : "SIGINT");
    }
    LOG_INFO(server->log, "signal: finishing what is at work",
             LOG_TEXT("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"),
             LOG_U64("timeout_ms", server->options->shutdown_timeout_ms));
    drain(server);
}

static void on_removed(void *ctx)
{
    struct server *server = ctx;
    if (!server->is_draining) {
        /* The first two sentences are those of etcd's raftexample. */
        LOG_WARN(server->log, "I've been removed from the cluster! Shutting down. This node's data "
                              "directory is of no use any more");
        drain(server);
    }
}

/* ---- what a person sees first ---- */

static void warn_of_exposure(const struct server *server)
{
    const struct options *options = server->options;
    if (!options->is_loopback) {
        LOG_WARN(server->log,
                 "ANYONE WHO REACHES THIS ADDRESS CAN READ AND WRITE EVERYTHING: there is no "
                 "authentication and no TLS yet; use a private network or --listen 127.0.0.1:3000",
                 LOG_TEXT("listen", options->listen));
    }
}

/* The limit must hold the connections promised, or accepting fails under load. */
static void raise_files(const struct server *server)
{
    uint64_t needed = server->options->max_connections + FILES_BESIDE_CONNECTIONS;
    uint64_t files = main_process_raise_files(needed);
    if (files < needed) {
        LOG_WARN(server->log,
                 "the limit of open files is below --max-connections: raise it "
                 "(ulimit -n, LimitNOFILE=)",
                 LOG_U64("files", files), LOG_U64("needed", needed));
    }
}

static void greet(const struct server *server)
{
    struct node_status status;
    node_status(server->node, &status);
    char cluster[17];
    char url[ADDRESS_SIZE_MAX + 16];
    char example[2 * sizeof(url) + 64];
    const char *address = http_server_address(server->http);
    (void)snprintf(cluster, sizeof(cluster), "%016" PRIx64, status.cluster_id);
    (void)snprintf(url, sizeof(url), "http://%s", address);
    (void)snprintf(example, sizeof(example), "curl -d bar %s/kv/foo; curl %s/kv/foo", url, url);
    LOG_INFO(server->log, "serving", LOG_TEXT("url", url), LOG_TEXT("cluster", cluster),
             LOG_U64("members", status.peer_count + 1), LOG_TEXT("data", server->options->data));
    if (isatty(STDERR_FILENO) != 0) {
        LOG_INFO(server->log, "try it", LOG_TEXT("command", example));
    }
}

/* ---- the object ---- */

err main_server_open(struct server **out_server, struct env *env, const struct options *options,
                     struct err_note *note)
{
    ASSERT(options->member_count > 0);
    struct server *server = mem_calloc(1, sizeof(*server));
    server->env = env;
    server->options = options;
    open_log(server);
    open_metrics(server);
    LOG_INFO(server->log, "pontoon starts", LOG_TEXT("version", PONTOON_VERSION),
             LOG_TEXT("data", options->data));
    warn_of_exposure(server);
    raise_files(server);
    main_fault_watch(options->data);
    err e = open_http(server, note);
    if (e == OK) {
        e = open_node(server, note);
    }
    if (e != OK) {
        main_server_close(server);
        return e;
    }
    env_uv_on_signal(env, SIGTERM, on_signal, server);
    env_uv_on_signal(env, SIGINT, on_signal, server);
    greet(server);
    *out_server = server;
    return OK;
}

void main_server_run(struct server *server)
{
    env_uv_run(server->env);
    ASSERT(server->is_draining);
}

void main_server_close(struct server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->http != NULL) {
        http_server_close(server->http);
    }
    if (server->node != NULL) {
        api_end(server->api);
    }
    node_close(server->node);
    api_free(server->api);
    metrics_free(server->metrics);
    LOG_INFO(server->log, "pontoon ends");
    env_stderr_sink_set_log(server->sink, NULL);
    log_free(server->log);
    env_stderr_sink_close(server->sink);
    mem_free(server);
}
