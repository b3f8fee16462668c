/*
 * Listening, accepting, the turn's flush, the sweep over the timeouts, and the end.
 *
 * The sweep: connections have deadlines, not timers. Every HTTP_SWEEP_MS a quarter of them, or a
 * few dozen if that is more, is looked at in turn, so that each is within a second, and ten
 * thousand cost nothing that could be felt between two requests.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/errno.h"
#include "http/http_int.h"

#define ACCEPTS_PER_TURN_MAX 64
#define ACCEPT_PAUSE_MS 1000u
#define SWEEP_COUNT_MIN 64u
#define KEEPALIVE_IDLE_SECONDS 60
#define HELD_SIZE_MIN (HTTP_CHUNK_OVERHEAD_MAX + 2)

_Static_assert(HELD_SIZE_MIN > HTTP_CHUNK_LINE_SIZE_MAX + 2, "any unfinished line can be held");
_Static_assert(sizeof(struct http_conn) <= 4096, "an idle connection costs at most 4 KiB");

/* ---- options ---- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static struct http_options fill_in(const struct http_options *given)
{
    struct http_options options = *given;
    options.listen_address = NULL; /* borrowed, and not needed again */
    options.header_bytes_max = or_default(given->header_bytes_max, 16u << 10);
    options.target_bytes_max = or_default(given->target_bytes_max, HTTP_TARGET_SIZE_DEFAULT);
    options.body_bytes_max = or_default(given->body_bytes_max, VALUE_SIZE_DEFAULT_MAX);
    options.connections_max = (uint32_t)or_default(given->connections_max, 10000);
    options.requests_max = (uint32_t)or_default(given->requests_max, 32768);
    options.reply_bytes_total_max = or_default(given->reply_bytes_total_max, 256u << 20);
    options.turn_requests_max = (uint32_t)or_default(given->turn_requests_max, 1024);
    options.turn_bytes_max = or_default(given->turn_bytes_max, 4u << 20);
    options.pipeline_max = (uint32_t)or_default(given->pipeline_max, 64);
    options.connection_bytes_max = or_default(given->connection_bytes_max, 4u << 20);
    options.body_bytes_total_max = or_default(given->body_bytes_total_max, 256u << 20);
    options.header_timeout_ms = or_default(given->header_timeout_ms, 5000);
    options.idle_timeout_ms = or_default(given->idle_timeout_ms, 75000);
    options.body_rate_min = or_default(given->body_rate_min, 1024);
    options.body_grace_ms = or_default(given->body_grace_ms, 5000);
    options.write_stall_timeout_ms = or_default(given->write_stall_timeout_ms, 30000);
    return options;
}

/* ---- accepting ---- */

static void pause_accepting(struct http_server *server, int errno_value)
{
    LOG_WARN(server->options.log, "cannot accept connections for now",
             LOG_TEXT("reason", env_status_text(-errno_value)),
             LOG_I64("connections", server->stats.connections.value));
    (void)uv_poll_stop(&server->listen_poll);
    server->is_accepting = false;
    server->accept_again_ms = env_now_ms(server->options.env) + ACCEPT_PAUSE_MS;
}

static bool is_out_of_resources(int errno_value)
{
    return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS ||
           errno_value == ENOMEM;
}

static void welcome(struct http_server *server, int fd, const struct sockaddr *peer)
{
    uint64_t count = (uint64_t)server->stats.connections.value;
    bool is_full = count >= server->options.connections_max;
    counter_add(is_full ? &server->stats.connections_refused : &server->stats.connections_accepted,
                1);
    if (count >= (uint64_t)server->options.connections_max + HTTP_REFUSED_CONNECTIONS_MAX) {
        (void)close(fd);
        return;
    }
    struct http_conn *conn = http_conn_open(server, fd, peer);
    conn->started_ns = env_now_ns(server->options.env);
    if (is_full) {
        http_conn_refuse(conn, ERR_OVERLOADED, "too many connections");
    }
    http_conn_settle(conn);
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
    struct http_server *server = CONTAINER_OF(handle, struct http_server, listen_poll);
    (void)status; /* accept4 will say it, too */
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        int fd = accept4(server->listen_fd, (struct sockaddr *)&peer, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(server, fd, (const struct sockaddr *)&peer);
        } else if (is_out_of_resources(errno)) {
            pause_accepting(server, errno);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
        /* Anything else is one connection that failed before it was accepted: on to the next. */
    }
}

static void start_accepting(struct http_server *server)
{
    int status = uv_poll_start(&server->listen_poll, UV_READABLE, on_acceptable);
    ASSERT(status == 0);
    server->is_accepting = true;
}

static void on_listener_closed(uv_handle_t *handle)
{
    http_server_unref(CONTAINER_OF((uv_poll_t *)handle, struct http_server, listen_poll));
}

static void stop_listening(struct http_server *server)
{
    if (server->listen_fd >= 0) {
        uv_close((uv_handle_t *)&server->listen_poll, on_listener_closed);
        (void)close(server->listen_fd);
        server->listen_fd = -1;
        server->is_accepting = false;
    }
}

/* ---- turns and time ---- */

/* Last in a turn and in a sweep: `drained` may close the server. */
static void check_drained(struct http_server *server)
{
    if (server->drained != NULL && list_is_empty(&server->conns)) {
        void (*drained)(void *ctx) = server->drained;
        server->drained = NULL;
        drained(server->drained_ctx);
    }
}

bool http_server_has_turn(const struct http_server *server)
{
    return server->turn_requests < server->options.turn_requests_max &&
           server->turn_bytes < server->options.turn_bytes_max;
}

void http_server_wait(struct http_server *server, struct http_conn *conn)
{
    if (list_is_empty(&conn->wait_link)) {
        list_push_back(&server->waiting, &conn->wait_link);
        env_turn_wake(server->options.env);
    }
}

/*
 * Those that had to wait come first: the kernel would name the same ones first in each turn, and a
 * few that never stop sending would keep out all others.
 */
static void receive_waiting(struct http_server *server)
{
    while (!list_is_empty(&server->waiting) && http_server_has_turn(server)) {
        struct http_conn *conn = CONTAINER_OF(server->waiting.next, struct http_conn, wait_link);
        list_remove(&conn->wait_link);
        http_conn_receive(conn);
        http_conn_settle(conn);
    }
    if (!list_is_empty(&server->waiting)) {
        env_turn_wake(server->options.env);
    }
}

static void on_turn(struct env_turn *turn)
{
    struct http_server *server = CONTAINER_OF(turn, struct http_server, turn);
    server->turn_requests = 0;
    server->turn_bytes = 0;
    struct list due;
    list_init(&due);
    list_splice_back(&due, &server->flush);
    while (!list_is_empty(&due)) {
        struct list *node = due.next;
        list_remove(node);
        http_conn_flush(CONTAINER_OF(node, struct http_conn, flush_link));
    }
    receive_waiting(server);
    check_drained(server);
}

static void cut_all(struct http_server *server)
{
    while (!list_is_empty(&server->conns)) {
        http_conn_cut(CONTAINER_OF(server->conns.next, struct http_conn, link));
    }
}

static void on_sweep(struct env_timer *timer)
{
    struct http_server *server = CONTAINER_OF(timer, struct http_server, sweep);
    uint64_t now_ms = env_now_ms(server->options.env);
    if (!server->is_accepting && server->listen_fd >= 0 && now_ms >= server->accept_again_ms) {
        start_accepting(server);
    }
    if (server->is_draining && now_ms >= server->drain_end_ms) {
        cut_all(server);
    }
    uint64_t count = (uint64_t)server->stats.connections.value;
    uint64_t share = count / 4 > SWEEP_COUNT_MIN ? count / 4 + 1 : SWEEP_COUNT_MIN;
    for (uint64_t i = 0; i < count && i < share && !list_is_empty(&server->conns); i++) {
        struct list *node = server->conns.next;
        list_remove(node);
        list_push_back(&server->conns, node);
        http_conn_check_time(CONTAINER_OF(node, struct http_conn, link), now_ms);
    }
    check_drained(server);
}

struct slice http_server_date(struct http_server *server)
{
    uint64_t now_ms = env_now_ms(server->options.env);
    if (now_ms >= server->date_end_ms) {
        uint64_t wall_ms = env_wall_ms(server->options.env);
        http_date_format(wall_ms, server->date);
        server->date_end_ms = now_ms + 1000 - wall_ms % 1000;
    }
    return (struct slice){(const uint8_t *)server->date, HTTP_DATE_SIZE};
}

/* ---- opening ---- */

/* What accepted sockets inherit is set here, once. */
static err listen_on(int fd, const struct addrinfo *address)
{
    int on = 1;
    int idle_seconds = KEEPALIVE_IDLE_SECONDS;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        return env_err_of_errno(errno);
    }
    return OK;
}

static err open_socket(const char *text, int *out_fd, struct err_note *note)
{
    struct env_address parsed;
    err e = env_address_parse(text, &parsed, note);
    if (e != OK) {
        return e;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int status = getaddrinfo(parsed.host, parsed.port, &hints, &found);
    if (status != 0) {
        return err_note_set(note, ERR_ADDRESS, "listen on %s: %s", text, gai_strerror(status));
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    e = fd >= 0 ? listen_on(fd, found) : env_err_of_errno(errno);
    if (e != OK) {
        (void)err_note_set(note, e, "listen on %s: %s", text, env_status_text(-errno));
    }
    freeaddrinfo(found);
    if (e != OK && fd >= 0) {
        (void)close(fd);
    } else if (e == OK) {
        *out_fd = fd;
    }
    return e;
}

static void note_address(struct http_server *server)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    if (getsockname(server->listen_fd, (struct sockaddr *)&bound, &size) != 0) {
        fatal(errno, "ask for the bound address");
    }
    env_address_format((const struct sockaddr *)&bound, server->address);
}

err http_server_open(struct http_server **out_server, const struct http_options *options,
                     const struct http_handler *handler, void *ctx, struct err_note *note)
{
    ASSERT(options->env != NULL);
    ASSERT(handler->begin != NULL && handler->ready != NULL && handler->refuse != NULL);
    int fd = -1;
    err e = open_socket(options->listen_address, &fd, note);
    if (e != OK) {
        return e;
    }
    struct http_server *server = mem_calloc(1, sizeof(*server));
    server->options = fill_in(options);
    server->limits = (struct http_parser_limits){
        .head_size_max = server->options.header_bytes_max,
        .target_size_max = server->options.target_bytes_max,
    };
    server->handler = *handler;
    server->ctx = ctx;
    server->listen_fd = fd;
    server->is_open = true;
    server->ref_count = 2; /* the caller, and the listener's handle */
    list_init(&server->conns);
    list_init(&server->flush);
    list_init(&server->waiting);
    list_init(&server->pool);
    size_t held_max = server->limits.head_size_max;
    server->receive_size =
        HTTP_RECEIVE_SIZE + (held_max > HELD_SIZE_MIN ? held_max : HELD_SIZE_MIN);
    server->receive = mem_alloc(server->receive_size);
    note_address(server);
    server->turn.run = on_turn;
    env_turn_add(options->env, &server->turn);
    env_timer_init(options->env, &server->sweep, on_sweep);
    env_timer_start(&server->sweep, HTTP_SWEEP_MS, HTTP_SWEEP_MS);
    int status = uv_poll_init_socket(env_uv_loop(options->env), &server->listen_poll, fd);
    if (status != 0) {
        fatal(-status, "watch the listening socket");
    }
    start_accepting(server);
    *out_server = server;
    return OK;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

const struct http_stats *http_stats(const struct http_server *server)
{
    return &server->stats;
}

/* ---- the end ---- */

void http_server_drain(struct http_server *server, uint64_t timeout_ms, void (*done)(void *ctx),
                       void *ctx)
{
    ASSERT(done != NULL);
    ASSERT(!server->is_draining);
    stop_listening(server);
    server->is_draining = true;
    server->drain_end_ms = env_now_ms(server->options.env) + timeout_ms;
    server->drained = done;
    server->drained_ctx = ctx;
    LIST_FOREACH (node, &server->conns) {
        struct http_conn *conn = CONTAINER_OF(node, struct http_conn, link);
        bool is_within = conn->reading != NULL || conn->is_skipping || conn->held_size > 0;
        if (conn->phase == HTTP_CONN_OPEN && conn->request_count > 0 && !is_within) {
            conn->phase = HTTP_CONN_LAST;
        }
        http_conn_settle(conn);
    }
    env_turn_wake(server->options.env); /* nothing may be left already */
}

void http_server_unref(struct http_server *server)
{
    ASSERT(server->ref_count > 0);
    server->ref_count--;
    if (server->ref_count == 0) {
        ASSERT(!server->is_open);
        ASSERT(list_is_empty(&server->conns));
        ASSERT(server->body_bytes == 0);
        mem_free(server->receive);
        mem_free(server);
    }
}

void http_server_close(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    ASSERT(server->is_open);
    stop_listening(server);
    server->drained = NULL;
    cut_all(server);
    env_turn_remove(server->options.env, &server->turn);
    env_timer_deinit(&server->sweep);
    server->is_open = false;
    http_request_free_pool(server);
    http_server_unref(server);
}
