/*
 * A server on the real loop in this process, and clients on real loopback sockets, driven turn by
 * turn. What the handler does is in the path:
 *
 *     /now      200 with the request's body at `ready`
 *     /early    200 "early" at `begin`
 *     /hold     nothing: fixture.held has it, the test answers
 *     /small    a body of 4 bytes at most
 *     /stream   fixture.stream has it
 */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_int.h"
#include "http_test.h"

#define FIXTURE_HELD_MAX 2048
#define FIXTURE_PATIENCE_MS 5000

struct fixture {
    struct env *env;
    struct http_server *server;
    struct http_options options;
    struct http_request *held[FIXTURE_HELD_MAX];
    size_t held_count;
    size_t begin_count;
    size_t ready_count;
    size_t refuse_count;
    err refusal;
    struct http_stream *stream;
    size_t writable_count;
    size_t closed_count;
    bool is_drained;
};

/* ---- the handler ---- */

static inline void respond_text(struct http_request *request, int status, const char *text)
{
    struct http_response response = {.status = status, .content = slice_from_text(text)};
    http_respond(request, &response);
}

static inline bool is_path(const struct http_request *request, const char *path)
{
    return slice_equal(http_path(request), slice_from_text(path));
}

static inline void fixture_begin(void *ctx, struct http_request *request)
{
    struct fixture *fixture = ctx;
    fixture->begin_count++;
    assert_null(http_body(request));
    if (is_path(request, "/early")) {
        respond_text(request, 200, "early");
    } else if (is_path(request, "/small")) {
        http_limit_body(request, 4);
    }
}

static inline void fixture_writable(void *ctx, struct http_stream *stream)
{
    struct fixture *fixture = ctx;
    assert_ptr_equal(stream, fixture->stream);
    fixture->writable_count++;
}

static inline void fixture_closed(void *ctx, struct http_stream *stream)
{
    struct fixture *fixture = ctx;
    assert_ptr_equal(stream, fixture->stream);
    fixture->stream = NULL;
    fixture->closed_count++;
}

static const struct http_stream_handler fixture_stream_handler = {
    .writable = fixture_writable,
    .closed = fixture_closed,
};

static inline void fixture_ready(void *ctx, struct http_request *request)
{
    struct fixture *fixture = ctx;
    fixture->ready_count++;
    if (is_path(request, "/hold")) {
        assert_true(fixture->held_count < FIXTURE_HELD_MAX);
        fixture->held[fixture->held_count] = request;
        fixture->held_count++;
    } else if (is_path(request, "/stream")) {
        struct http_response head = {.status = 200};
        fixture->stream = http_respond_stream(request, &head, &fixture_stream_handler, fixture);
    } else {
        struct buf *body = http_body(request);
        struct http_response response = {.status = 200, .body = body, .content = buf_slice(body)};
        http_respond(request, &response);
    }
}

static inline void fixture_refuse(void *ctx, struct http_request *request, err e,
                                  const char *detail)
{
    struct fixture *fixture = ctx;
    fixture->refuse_count++;
    fixture->refusal = e;
    respond_text(request, err_http_status(e), detail);
}

/* ---- the server ---- */

static const struct http_handler fixture_handler = {
    .begin = fixture_begin,
    .ready = fixture_ready,
    .refuse = fixture_refuse,
};

/* A server with `options`, of which environment and address are filled in. */
static inline void fixture_open(struct fixture *fixture, const struct http_options *options)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->env = env_uv_open();
    fixture->options = *options;
    fixture->options.env = fixture->env;
    fixture->options.listen_address = "127.0.0.1:0";
    struct err_note note = {{0}};
    err e = http_server_open(&fixture->server, &fixture->options, &fixture_handler, fixture, &note);
    if (e != OK) {
        fail_msg("%s", note.text);
    }
}

static inline void fixture_close(struct fixture *fixture)
{
    http_server_close(fixture->server);
    env_uv_close(fixture->env);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture_open(fixture, &(struct http_options){0});
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

/* Another server, with other options, for a test that needs them. */
static inline void fixture_reopen(struct fixture *fixture, const struct http_options *options)
{
    fixture_close(fixture);
    fixture_open(fixture, options);
}

/* ---- clients ---- */

struct client {
    struct fixture *fixture;
    int fd;
    bool is_ended; /* the server has shut its side */
    bool is_reset;
    struct writer received;
};

static inline uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline struct sockaddr_in fixture_address(const struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strrchr(http_server_address(fixture->server), ':');
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return address;
}

static inline void client_open(struct client *client, struct fixture *fixture)
{
    struct sockaddr_in address = fixture_address(fixture);
    *client = (struct client){.fixture = fixture};
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client->fd >= 0);
    int on = 1;
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static inline void client_close(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
    writer_deinit(&client->received);
}

/* Takes what has come; waits for a millisecond if nothing has. */
static inline void client_read(struct client *client)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    if (client->is_ended || client->is_reset || poll(&wait, 1, 1) <= 0) {
        return;
    }
    uint8_t bytes[65536];
    ssize_t size = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    client->is_ended = size == 0;
    client->is_reset = size < 0 && errno != EAGAIN;
    if (size > 0) {
        writer_bytes(&client->received, (struct slice){bytes, (size_t)size});
    }
}

/* Runs turns, without waiting in any, until `condition` is true. */
#define UNTIL(fixture_, condition_)                                                                \
    do {                                                                                           \
        uint64_t until_end_ms = now_ms() + FIXTURE_PATIENCE_MS;                                    \
        while (!(condition_)) {                                                                    \
            if (now_ms() > until_end_ms) {                                                         \
                fail_msg("not in time: %s", #condition_);                                          \
            }                                                                                      \
            env_uv_run_once((fixture_)->env, false);                                               \
        }                                                                                          \
    } while (0)

/* A few turns in which nothing is expected to happen. */
static inline void fixture_turns(struct fixture *fixture, int count)
{
    for (int i = 0; i < count; i++) {
        env_uv_run_once(fixture->env, false);
    }
}

static inline void client_send_bytes(struct client *client, struct slice bytes)
{
    uint64_t end_ms = now_ms() + FIXTURE_PATIENCE_MS;
    while (bytes.size > 0) {
        assert_true(now_ms() < end_ms);
        ssize_t size = send(client->fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size > 0) {
            bytes = (struct slice){bytes.data + size, bytes.size - (size_t)size};
        } else {
            assert_int_equal(errno, EAGAIN);
        }
        env_uv_run_once(client->fixture->env, false);
    }
}

static inline void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, slice_from_text(text));
}

static inline bool client_has(struct client *client, const char *text)
{
    client_read(client);
    return client->received.size > 0 &&
           memmem(client->received.data, client->received.size, text, strlen(text)) != NULL;
}

static inline bool client_has_size(struct client *client, size_t size)
{
    client_read(client);
    return client->received.size >= size;
}

static inline bool client_is_ended(struct client *client)
{
    client_read(client);
    return client->is_ended || client->is_reset;
}

/* Forgets what has come so far. */
static inline void client_forget(struct client *client)
{
    writer_reset(&client->received);
}

/* How often `text` has come. */
static inline size_t client_count(struct client *client, const char *text)
{
    client_read(client);
    size_t count = 0;
    size_t size = strlen(text);
    for (size_t i = 0; i + size <= client->received.size; i++) {
        count += memcmp(client->received.data + i, text, size) == 0 ? 1 : 0;
    }
    return count;
}

/* The only connection that the server has. */
static inline struct http_conn *fixture_conn(struct fixture *fixture)
{
    assert_false(list_is_empty(&fixture->server->conns));
    return CONTAINER_OF(fixture->server->conns.next, struct http_conn, link);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
