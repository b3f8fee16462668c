/*
 * A connection: bytes in, requests to the handler, and when it ends.
 *
 * Happy path: on_poll -> receive -> consume -> handler->begin, ->ready -> http_respond -> schedule;
 * at the end of the turn http_conn_flush sends what is due.
 *
 * K1  While a connection is paused nothing is received; what was received stays in `held` and is
 *     parsed when the replies have gone out (resume), whether or not more comes.
 * K2  `held` is empty, or the unfinished front of a line or head, or the connection is paused.
 * K3  Nothing here runs inside a handler's call: an answer only queues and schedules.
 * K4  At the bounds of all connections together no more is read from one that waits for an answer:
 *     each may have one request, whatever the others have. What a turn takes in is bounded, too, or
 *     those that wait for the turn's end, heartbeats among them, would wait for all clients.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_int.h"

#define DRAIN_LINGER_MS 500u

/* ---- what is held back ---- */

static void drop_held(struct http_conn *conn)
{
    mem_free(conn->held);
    conn->held = NULL;
    conn->held_size = 0;
}

/* Keeps a copy of `rest`; nothing may be held. */
static void hold(struct http_conn *conn, struct slice rest)
{
    ASSERT(conn->held == NULL);
    if (rest.size > 0) {
        conn->held = mem_alloc(rest.size);
        memcpy(conn->held, rest.data, rest.size);
        conn->held_size = rest.size;
    }
}

/* ---- from bytes to the handler ---- */

static bool is_over(const struct http_conn *conn, uint32_t divisor)
{
    const struct http_options *options = &conn->server->options;
    const struct http_stats *stats = &conn->server->stats;
    /* K4 */
    bool is_crowded =
        (uint64_t)stats->requests_held.value >= options->requests_max / divisor ||
        (uint64_t)stats->reply_bytes.value >= options->reply_bytes_total_max / divisor;
    return conn->request_count >= (options->pipeline_max + divisor - 1) / divisor ||
           conn->queued_bytes >= options->connection_bytes_max / divisor ||
           (conn->request_count > 0 && is_crowded);
}

void http_conn_refuse(struct http_conn *conn, err e, const char *detail)
{
    ASSERT(conn->phase == HTTP_CONN_OPEN);
    struct http_server *server = conn->server;
    struct http_request *request = conn->reading;
    counter_add(&server->stats.refusals, 1);
    conn->phase = HTTP_CONN_LAST;
    conn->reading = NULL;
    drop_held(conn);
    if (conn->is_skipping) {
        conn->is_skipping = false; /* answered already */
        return;
    }
    if (request == NULL) {
        request = http_request_new(conn, NULL, SLICE_EMPTY);
    }
    http_request_body_drop(request);
    request->keep_alive = false;
    request->wants_continue = false;
    http_request_move(request, HTTP_REQUEST_AT_WORK);
    server->handler.refuse(server->ctx, request, e, detail);
}

void http_conn_answer_begins(struct http_request *request)
{
    struct http_conn *conn = request->conn;
    ASSERT(http_conn_is_writable(conn));
    if (conn->reading != request) {
        return;
    }
    /*
     * A client that was not told to continue may or may not send its body: that cannot be skipped.
     */
    bool is_short = !request->wants_continue && request->content_length <= HTTP_SKIP_SIZE_MAX;
    conn->reading = NULL;
    conn->is_skipping = is_short;
    if (!is_short) {
        conn->phase = HTTP_CONN_LAST;
    }
}

static void refuse_body(struct http_conn *conn, err e)
{
    http_conn_refuse(conn, e,
                     e == ERR_TOO_LARGE ? "the body is too large"
                                        : "too many bytes of requests are in flight");
}

static void on_head(struct http_conn *conn, struct slice bytes)
{
    struct http_server *server = conn->server;
    struct http_request *request = http_request_new(conn, &server->head, bytes);
    counter_add(&server->stats.requests, 1);
    server->turn_requests++;
    conn->reading = request;
    conn->keep_alive = request->keep_alive;
    conn->message_bytes = 0;
    conn->wait = HTTP_WAIT_NOTHING; /* whatever is waited for next begins now */
    server->handler.begin(server->ctx, request);
    if (conn->reading != request) {
        return; /* answered already */
    }
    bool is_known = request->content_length != HTTP_LENGTH_CHUNKED;
    uint64_t length = is_known ? request->content_length : 0;
    if (length > request->body_limit) {
        refuse_body(conn, ERR_TOO_LARGE);
    } else if (length > server->options.body_bytes_total_max - server->body_bytes) {
        refuse_body(conn, ERR_OVERLOADED);
    } else if (request->wants_continue) {
        http_conn_schedule(conn);
    }
}

static void on_body(struct http_conn *conn, struct slice piece)
{
    conn->message_bytes += piece.size;
    if (conn->is_skipping) {
        return;
    }
    ASSERT(conn->reading != NULL);
    conn->reading->wants_continue = false;
    err e = http_request_body_append(conn->reading, piece);
    if (e != OK) {
        refuse_body(conn, e);
    }
}

/* A chunk that is too large by its own word is refused before a byte of it has come. */
static void on_more(struct http_conn *conn)
{
    const struct http_request *request = conn->reading;
    if (request != NULL && conn->parser.state == HTTP_PARSER_CHUNK_DATA &&
        conn->parser.left > request->body_limit - request->body_size) {
        refuse_body(conn, ERR_TOO_LARGE);
    }
}

static void on_end(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    struct http_request *request = conn->reading;
    conn->reading = NULL;
    conn->is_skipping = false;
    conn->started_ns = conn->received_ns;
    if (!conn->keep_alive || server->is_draining) {
        conn->phase = HTTP_CONN_LAST;
    }
    if (request != NULL) {
        request->wants_continue = false;
        http_request_body_end(request);
        http_request_move(request, HTTP_REQUEST_AT_WORK);
        server->handler.ready(server->ctx, request);
    }
}

/*
 * H1: hands on every request in `input`; what is left waits for more bytes, or for replies to go.
 */
static struct slice consume(struct http_conn *conn, struct slice input)
{
    while (conn->phase == HTTP_CONN_OPEN) {
        if (http_parser_is_between(&conn->parser) && is_over(conn, 1)) {
            conn->is_paused = true;
            return input;
        }
        struct slice bytes = SLICE_EMPTY;
        switch (http_parser_next(&conn->parser, &input, &conn->server->head, &bytes)) {
        case HTTP_EVENT_MORE:
            on_more(conn);
            return conn->phase == HTTP_CONN_OPEN ? input : SLICE_EMPTY;
        case HTTP_EVENT_HEAD:
            on_head(conn, bytes);
            break;
        case HTTP_EVENT_BODY:
            on_body(conn, bytes);
            break;
        case HTTP_EVENT_END:
            on_end(conn);
            break;
        case HTTP_EVENT_REFUSED:
            http_conn_refuse(conn, conn->parser.refusal, conn->parser.detail);
            break;
        }
    }
    return SLICE_EMPTY; /* H3: nobody reads on */
}

static void resume(struct http_conn *conn)
{
    if (!conn->is_paused || conn->phase != HTTP_CONN_OPEN || is_over(conn, 2)) {
        return;
    }
    conn->is_paused = false;
    uint8_t *block = conn->held;
    struct slice input = {block, conn->held_size};
    conn->held = NULL;
    conn->held_size = 0;
    hold(conn, consume(conn, input));
    mem_free(block);
}

/* ---- receiving ---- */

/* The client has said all it will; what it has asked for is still answered. */
static void on_eof(struct http_conn *conn)
{
    conn->has_eof = true;
    bool is_within = conn->reading != NULL || conn->is_skipping || conn->held_size > 0;
    if (is_within) {
        http_conn_refuse(conn, ERR_BAD_REQUEST, "the connection ended within the request");
    }
    conn->phase = HTTP_CONN_LAST;
}

/*
 * Python's clients send header and body apart and wait for our ACK in between, which the kernel
 * would hold back for 40 ms in the hope of an answer to send it with.
 */
static void acknowledge_at_once(struct http_conn *conn)
{
    if (conn->reading != NULL && conn->message_bytes == 0) {
        int on = 1;
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }
}

static bool has_failed(ssize_t size)
{
    return size < 0 && errno != EAGAIN && errno != EINTR;
}

/*
 * Prepares the two places of a receive: the body's own room, if one of known length is coming in,
 * and the server's scratch, behind what is held. Returns how many bytes the former takes.
 */
static size_t prepare_parts(struct http_conn *conn, struct iovec parts[2])
{
    struct http_server *server = conn->server;
    ASSERT(conn->held_size + HTTP_RECEIVE_SIZE <= server->receive_size); /* K2 */
    if (conn->held_size > 0) {
        memcpy(server->receive, conn->held, conn->held_size);
    }
    parts[0] = (struct iovec){NULL, 0};
    parts[1] = (struct iovec){server->receive + conn->held_size, HTTP_RECEIVE_SIZE};
    if (conn->reading == NULL || http_parser_body_left(&conn->parser) == 0) {
        return 0;
    }
    uint8_t *target = NULL;
    size_t room = 0;
    err e = http_request_body_room(conn->reading, &target, &room);
    if (e != OK) {
        refuse_body(conn, e);
        return 0;
    }
    ASSERT(room <= http_parser_body_left(&conn->parser));
    parts[0] = (struct iovec){target, room};
    return room;
}

/* `size` bytes have come: first into the body's room, the rest into the scratch. */
static void take(struct http_conn *conn, size_t size, size_t room)
{
    uint64_t now_ns = env_now_ns(conn->server->options.env);
    if (http_parser_is_between(&conn->parser) && conn->held_size == 0) {
        conn->started_ns = now_ns;
    }
    conn->received_ns = now_ns;
    size_t direct = size < room ? size : room;
    if (direct > 0) {
        conn->reading->body_size += direct;
        conn->reading->wants_continue = false;
        conn->message_bytes += direct;
        http_parser_body_taken(&conn->parser, direct);
    }
    struct slice input = {conn->server->receive, conn->held_size + size - direct};
    drop_held(conn);
    hold(conn, consume(conn, input));
    acknowledge_at_once(conn);
}

void http_conn_receive(struct http_conn *conn)
{
    if (conn->phase != HTTP_CONN_OPEN || conn->is_paused || conn->has_eof) {
        return; /* the event is older than the decision */
    }
    struct iovec parts[2];
    size_t room = prepare_parts(conn, parts);
    if (conn->phase != HTTP_CONN_OPEN) {
        return;
    }
    ssize_t size = readv(conn->fd, parts, 2);
    if (has_failed(size)) {
        http_conn_cut(conn);
    } else if (size == 0) {
        on_eof(conn);
    } else if (size > 0) {
        counter_add(&conn->server->stats.received_bytes, (uint64_t)size);
        conn->server->turn_bytes += (uint64_t)size;
        take(conn, (size_t)size, room);
    }
}

/*
 * Throws away what comes after the last answer: a reset now could still take that from the client.
 */
static void drain(struct http_conn *conn)
{
    ssize_t size = read(conn->fd, conn->server->receive, conn->server->receive_size);
    if (size > 0) {
        conn->message_bytes += (uint64_t)size;
    }
    if (size == 0 || has_failed(size) || conn->message_bytes > HTTP_LINGER_SIZE_MAX) {
        http_conn_cut(conn);
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct http_conn *conn = CONTAINER_OF(handle, struct http_conn, poll);
    ASSERT(conn->phase != HTTP_CONN_GONE);
    /*
     * UV_PRIORITIZED is only asked for in order to hear of hang-ups while nothing is to be read.
     */
    if (status < 0 || (events & (UV_READABLE | UV_WRITABLE | UV_DISCONNECT)) == 0) {
        http_conn_cut(conn);
        return;
    }
    conn->has_hung_up = conn->has_hung_up || (events & UV_DISCONNECT) != 0;
    if ((events & UV_WRITABLE) != 0) {
        conn->is_blocked = false;
        http_conn_schedule(conn);
    }
    if ((events & UV_READABLE) != 0) {
        if (conn->phase == HTTP_CONN_LINGER) {
            drain(conn);
        } else if (list_is_empty(&conn->server->waiting) && http_server_has_turn(conn->server)) {
            http_conn_receive(conn);
        } else {
            http_server_wait(conn->server, conn);
        }
    }
    http_conn_settle(conn);
}

/* ---- sending ---- */

bool http_conn_is_writable(const struct http_conn *conn)
{
    return conn->phase == HTTP_CONN_OPEN || conn->phase == HTTP_CONN_LAST;
}

void http_conn_schedule(struct http_conn *conn)
{
    if (list_is_empty(&conn->flush_link)) {
        list_push_back(&conn->server->flush, &conn->flush_link);
        env_turn_wake(conn->server->options.env);
    }
}

static struct http_request *front(struct http_conn *conn)
{
    return list_is_empty(&conn->requests)
               ? NULL
               : CONTAINER_OF(conn->requests.next, struct http_request, link);
}

/* "100 Continue" stands in the order of the answers: only the oldest request may have it. */
static bool is_continue_due(struct http_conn *conn)
{
    struct http_request *request = front(conn);
    return request != NULL && request == conn->reading && request->wants_continue;
}

/* Due after a send: what that one had no room for, or a 100 that has come to its turn. */
static bool is_more_due(struct http_conn *conn)
{
    struct http_request *request = front(conn);
    bool has_parts = request != NULL && request->out.first != NULL;
    return (has_parts && !conn->is_blocked) || is_continue_due(conn);
}

static void queue_continue(struct http_conn *conn)
{
    if (is_continue_due(conn)) {
        struct http_request *request = front(conn);
        request->wants_continue = false;
        http_output_push(request, &request->continue_part,
                         SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

/* Frees the answers that are sent. False: one of them ended the connection. */
static bool retire(struct http_conn *conn)
{
    for (;;) {
        struct http_request *request = front(conn);
        bool is_sent = request != NULL && request->out.first == NULL;
        bool is_overrun = request != NULL && request->state == HTTP_REQUEST_STREAMING;
        if (request != NULL && request->must_cut && (is_sent || is_overrun)) {
            /* Without chunks only a reset tells a broken end from a whole one. */
            struct linger reset = {.l_onoff = request->stream.is_chunked ? 0 : 1};
            (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            http_conn_cut(conn);
            return false;
        }
        if (!is_sent || request->state != HTTP_REQUEST_ANSWERED) {
            return true;
        }
        bool is_last = request->is_last;
        http_request_free(request);
        if (is_last) {
            http_conn_end(conn);
            return false;
        }
    }
}

void http_conn_flush(struct http_conn *conn)
{
    if (http_conn_is_writable(conn)) {
        queue_continue(conn);
        if (!conn->is_blocked && !http_output_send(conn)) {
            http_conn_cut(conn);
        } else if (retire(conn)) {
            struct http_request *request = front(conn);
            if (request != NULL) {
                http_stream_resume(request);
            }
            resume(conn);
            if (is_more_due(conn)) {
                http_conn_schedule(conn);
            }
        }
    }
    http_conn_settle(conn);
}

/* ---- ends ---- */

static struct http_request *find(struct http_conn *conn, enum http_request_state state)
{
    LIST_FOREACH (node, &conn->requests) {
        struct http_request *request = CONTAINER_OF(node, struct http_request, link);
        if (request->state == state) {
            return request;
        }
    }
    return NULL;
}

/* Nothing will be sent any more: what is answered goes, who still writes or waits is told. */
static void abandon(struct http_conn *conn)
{
    struct http_request *reading = conn->reading;
    struct http_request *request;
    conn->reading = NULL;
    conn->is_skipping = false;
    drop_held(conn);
    while ((request = find(conn, HTTP_REQUEST_ANSWERED)) != NULL) {
        http_request_free(request);
    }
    while ((request = find(conn, HTTP_REQUEST_STREAMING)) != NULL) {
        http_stream_close(request);
    }
    if (reading != NULL) {
        struct http_server *server = conn->server;
        http_request_body_drop(reading);
        http_request_move(reading, HTTP_REQUEST_AT_WORK);
        server->handler.refuse(server->ctx, reading, ERR_BAD_REQUEST,
                               "the connection ended within the request");
    }
}

void http_conn_release(struct http_conn *conn)
{
    if (conn->phase == HTTP_CONN_GONE && conn->is_poll_closed && list_is_empty(&conn->requests)) {
        struct http_server *server = conn->server;
        mem_free(conn);
        http_server_unref(server);
    }
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct http_conn *conn = CONTAINER_OF((uv_poll_t *)handle, struct http_conn, poll);
    conn->is_poll_closed = true;
    http_conn_release(conn);
}

void http_conn_cut(struct http_conn *conn)
{
    ASSERT(conn->phase != HTTP_CONN_GONE);
    struct http_server *server = conn->server;
    conn->phase = HTTP_CONN_GONE;
    list_remove(&conn->link);
    list_remove(&conn->flush_link);
    list_remove(&conn->wait_link);
    uv_close((uv_handle_t *)&conn->poll, on_poll_closed);
    (void)close(conn->fd);
    conn->fd = -1;
    server->stats.connections.value--;
    abandon(conn);
    if (server->is_draining) {
        env_turn_wake(server->options.env);
    }
}

void http_conn_end(struct http_conn *conn)
{
    ASSERT(http_conn_is_writable(conn));
    if (conn->has_eof || shutdown(conn->fd, SHUT_WR) != 0) {
        http_conn_cut(conn);
        return;
    }
    conn->phase = HTTP_CONN_LINGER;
    conn->is_blocked = false;
    conn->message_bytes = 0;
    abandon(conn);
}

/* ---- what is waited for ---- */

static enum http_conn_wait wait_of(const struct http_conn *conn)
{
    if (conn->phase == HTTP_CONN_LINGER) {
        return HTTP_WAIT_END;
    }
    if (conn->phase == HTTP_CONN_LAST) {
        return HTTP_WAIT_NOTHING;
    }
    if (conn->is_skipping) {
        return HTTP_WAIT_BODY;
    }
    if (conn->reading != NULL) {
        return conn->reading->wants_continue ? HTTP_WAIT_NOTHING : HTTP_WAIT_BODY;
    }
    if (conn->held_size > 0) {
        return conn->is_paused ? HTTP_WAIT_NOTHING : HTTP_WAIT_HEAD;
    }
    return conn->request_count == 0 ? HTTP_WAIT_REQUEST : HTTP_WAIT_NOTHING;
}

static void poll_for(struct http_conn *conn)
{
    bool is_reading = conn->phase == HTTP_CONN_OPEN && !conn->is_paused && !conn->has_eof;
    int events = is_reading || conn->phase == HTTP_CONN_LINGER ? UV_READABLE : 0;
    events |= conn->is_blocked ? UV_WRITABLE : 0;
    bool may_leave = conn->phase == HTTP_CONN_LAST && !http_conn_has_left(conn);
    events |= may_leave ? UV_DISCONNECT | UV_PRIORITIZED : 0;
    events = events != 0 ? events : UV_PRIORITIZED;
    if (events != conn->polled) {
        int status = uv_poll_start(&conn->poll, events, on_poll);
        ASSERT(status == 0);
        conn->polled = events;
    }
}

void http_conn_settle(struct http_conn *conn)
{
    if (conn->phase == HTTP_CONN_GONE) {
        return;
    }
    enum http_conn_wait wait = wait_of(conn);
    if (wait == HTTP_WAIT_REQUEST && conn->server->is_draining) {
        http_conn_cut(conn);
        return;
    }
    if (conn->phase == HTTP_CONN_LAST && conn->request_count == 0) {
        http_conn_end(conn);
        if (conn->phase == HTTP_CONN_GONE) {
            return;
        }
        wait = wait_of(conn);
    }
    if (wait != conn->wait) {
        conn->wait = wait;
        conn->wait_since_ms = env_now_ms(conn->server->options.env);
    }
    poll_for(conn);
}

/* True if the body comes slower than the least rate, after the grace. */
static bool is_too_slow(const struct http_conn *conn, uint64_t waited_ms)
{
    const struct http_options *options = &conn->server->options;
    if (waited_ms <= options->body_grace_ms) {
        return false;
    }
    uint64_t due = (waited_ms - options->body_grace_ms) * options->body_rate_min / 1000;
    return conn->message_bytes < due;
}

static bool has_timed_out(const struct http_conn *conn, uint64_t waited_ms)
{
    const struct http_options *options = &conn->server->options;
    switch (conn->wait) {
    case HTTP_WAIT_REQUEST:
        return waited_ms >= options->idle_timeout_ms;
    case HTTP_WAIT_HEAD:
        return waited_ms >= options->header_timeout_ms;
    case HTTP_WAIT_BODY:
        return is_too_slow(conn, waited_ms);
    case HTTP_WAIT_END:
        return waited_ms >= (conn->server->is_draining ? DRAIN_LINGER_MS : HTTP_LINGER_MS);
    case HTTP_WAIT_NOTHING:
        return false;
    }
    UNREACHABLE();
}

void http_conn_check_time(struct http_conn *conn, uint64_t now_ms)
{
    ASSERT(conn->phase != HTTP_CONN_GONE);
    const struct http_options *options = &conn->server->options;
    struct http_stats *stats = &conn->server->stats;
    if (conn->is_blocked && now_ms - conn->progress_ms >= options->write_stall_timeout_ms) {
        counter_add(&stats->timeouts, 1);
        http_conn_cut(conn);
        return;
    }
    if (!has_timed_out(conn, now_ms - conn->wait_since_ms)) {
        return;
    }
    counter_add(&stats->timeouts, 1);
    if (conn->wait == HTTP_WAIT_HEAD) {
        http_conn_refuse(conn, ERR_REQUEST_TIMEOUT, "the header took too long");
    } else if (conn->wait == HTTP_WAIT_BODY) {
        http_conn_refuse(conn, ERR_REQUEST_TIMEOUT, "the body came too slowly");
    } else {
        http_conn_cut(conn);
    }
    http_conn_settle(conn);
}

struct http_conn *http_conn_open(struct http_server *server, int fd, const struct sockaddr *peer)
{
    struct http_conn *conn = mem_calloc(1, sizeof(*conn));
    conn->server = server;
    conn->fd = fd;
    list_init(&conn->flush_link);
    list_init(&conn->wait_link);
    list_init(&conn->requests);
    http_parser_init(&conn->parser, &server->limits);
    env_address_format(peer, conn->peer);
    conn->wait = HTTP_WAIT_NOTHING;
    int status = uv_poll_init_socket(env_uv_loop(server->options.env), &conn->poll, fd);
    if (status != 0) {
        fatal(-status, "watch a connection");
    }
    list_push_back(&server->conns, &conn->link);
    server->ref_count++;
    server->stats.connections.value++;
    return conn;
}
