/*
 * Byte streams over TCP.
 *
 * S1  A stream and its socket are two blocks: the stream's goes at once when its owner closes it,
 *     the socket's when libuv has let go of it. A socket without a stream calls nobody.
 * S2  After any call of a handler the stream may be gone: nothing touches it then.
 * S3  What is queued in one turn leaves at its end in one writev (U2). If the kernel does not take
 *     all of it, one uv_write waits with the front of the queue, and the rest follows from its
 *     callback.
 * S4  `ended` or a failed `connected` is the last call of a handler; bytes queued after it are
 *     dropped.
 * S5  A stream that its owner closes has offered its queue to the kernel before.
 *
 * A stream is dialled (resolving, then connecting, one address after the other) or accepted; then
 * open; then ended. There is no half-closed stream: peers speak both ways or not at all.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/address.h"
#include "env/errno.h"
#include "env/uv_int.h"

#define KEEPALIVE_DELAY_S 15
/*
 * Unacknowledged bytes (or an unanswered SYN) for so long end the stream. The kernel's own patience
 * is a quarter of an hour, with retries up to two minutes apart: after a partition heals, a new
 * connection is there much sooner than the old one's next retry.
 */
#define UNACKNOWLEDGED_MS_MAX 10000u

struct socket {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct env_stream *stream; /* NULL: closed (S1) */
};

struct look_up {
    uv_getaddrinfo_t request;
    struct env_stream *stream; /* NULL: closed */
};

enum stream_state {
    STREAM_DIALLING,
    STREAM_OPEN,
    STREAM_ENDED,
};

/* Buffers to be sent: those of `list` from `head` up to `count`. */
struct queue {
    struct buf **list;
    size_t head;
    size_t count;
    size_t capacity;
    size_t sent;  /* bytes of the first one that the kernel has */
    size_t bytes; /* to be sent, in all */
};

struct env_stream {
    struct env *env;
    const struct env_stream_handler *handler;
    void *ctx;
    enum stream_state state;
    struct socket *socket;      /* NULL: none yet, or none any more */
    struct look_up *look_up;    /* while names are resolved */
    struct addrinfo *addresses; /* what came out, while connecting */
    struct addrinfo *address;   /* the next one to try */
    err dial_error;             /* of the last attempt */
    struct queue queue;
    size_t writing_bytes;   /* of the queue's front, handed to uv_write; 0: none under way */
    struct list flush_link; /* in to_flush, in to_fail, or in none */
    char peer[ADDRESS_SIZE_MAX + 1];
};

/* ---- the queue ---- */

static void queue_push(struct queue *queue, struct buf *buf)
{
    if (queue->count == queue->capacity && queue->head > queue->count / 2) {
        memmove(queue->list, queue->list + queue->head,
                (queue->count - queue->head) * sizeof(struct buf *));
        queue->count -= queue->head;
        queue->head = 0;
    }
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity > 0 ? queue->capacity * 2 : 16;
        queue->list = mem_realloc(queue->list, queue->capacity, sizeof(struct buf *));
    }
    queue->list[queue->count] = buf_ref(buf);
    queue->count++;
    queue->bytes += buf->size;
}

/* The front of the queue as at most `target_max` pieces; *out_bytes is their size. */
static unsigned queue_gather(const struct queue *queue, uv_buf_t *target, size_t target_max,
                             size_t *out_bytes)
{
    size_t bytes = 0;
    size_t count = 0;
    size_t skipped = queue->sent;
    for (size_t i = queue->head; i < queue->count && count < target_max; i++) {
        struct buf *buf = queue->list[i];
        target[count].base = (char *)buf->data + skipped;
        target[count].len = buf->size - skipped;
        bytes += target[count].len;
        skipped = 0;
        count++;
    }
    *out_bytes = bytes;
    return (unsigned)count;
}

/* Takes `size` bytes, which the kernel has, off the front. */
static void queue_advance(struct queue *queue, size_t size)
{
    ASSERT(size <= queue->bytes);
    queue->bytes -= size;
    queue->sent += size;
    while (queue->head < queue->count && queue->sent >= queue->list[queue->head]->size) {
        queue->sent -= queue->list[queue->head]->size;
        buf_unref(queue->list[queue->head]);
        queue->head++;
    }
    if (queue->head == queue->count) {
        ASSERT(queue->bytes == 0);
        queue->head = 0;
        queue->count = 0;
    }
}

static void queue_deinit(struct queue *queue)
{
    for (size_t i = queue->head; i < queue->count; i++) {
        buf_unref(queue->list[i]);
    }
    mem_free(queue->list);
    *queue = (struct queue){0};
}

/* ---- sockets ---- */

static void on_socket_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF(handle, struct socket, tcp));
}

static void socket_close(struct socket *socket)
{
    if (socket != NULL) {
        socket->stream = NULL;
        uv_close((uv_handle_t *)&socket->tcp, on_socket_closed);
    }
}

/* Gives the stream a new socket; with a `family` it has its descriptor at once. */
static int stream_socket_open(struct env_stream *stream, unsigned family)
{
    ASSERT(stream->socket == NULL);
    struct socket *socket = mem_calloc(1, sizeof(*socket));
    int status = uv_tcp_init_ex(&stream->env->loop, &socket->tcp, family);
    if (status != 0) {
        mem_free(socket);
        return status;
    }
    socket->stream = stream;
    stream->socket = socket;
    return 0;
}

/* Small frames at once, and an end to connections whose other side has vanished. */
static int socket_tune(struct socket *socket)
{
    int fd;
    int status = uv_tcp_nodelay(&socket->tcp, 1);
    if (status == 0) {
        status = uv_tcp_keepalive(&socket->tcp, 1, KEEPALIVE_DELAY_S);
    }
    if (status == 0) {
        status = uv_fileno((const uv_handle_t *)&socket->tcp, &fd);
    }
    if (status == 0) {
        unsigned milliseconds = UNACKNOWLEDGED_MS_MAX;
        if (setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds)) !=
            0) {
            status = -errno;
        }
    }
    return status;
}

/* ---- the end of a stream ---- */

/* Gives everything but the struct itself back. */
static void stream_release(struct env_stream *stream)
{
    if (stream->look_up != NULL) {
        stream->look_up->stream = NULL;
        (void)uv_cancel((uv_req_t *)&stream->look_up->request); /* if it has begun, it goes on */
        stream->look_up = NULL;
    }
    uv_freeaddrinfo(stream->addresses);
    stream->addresses = NULL;
    stream->address = NULL;
    socket_close(stream->socket);
    stream->socket = NULL;
    queue_deinit(&stream->queue);
    stream->writing_bytes = 0;
    list_remove(&stream->flush_link);
}

/* S4 */
static void stream_end(struct env_stream *stream)
{
    ASSERT(stream->state == STREAM_OPEN);
    stream->state = STREAM_ENDED;
    stream_release(stream);
    stream->handler->ended(stream->ctx, stream);
}

/* S4 */
static void stream_fail_dial(struct env_stream *stream)
{
    ASSERT(stream->state == STREAM_DIALLING);
    ASSERT(stream->dial_error != OK);
    stream->state = STREAM_ENDED;
    stream_release(stream);
    stream->handler->connected(stream->ctx, stream, stream->dial_error);
}

/* ---- sending ---- */

static void stream_mark_to_flush(struct env_stream *stream)
{
    if (list_is_empty(&stream->flush_link)) {
        list_push_back(&stream->env->to_flush, &stream->flush_link);
    }
}

static bool stream_flush(struct env_stream *stream);

static void on_written(uv_write_t *request, int status)
{
    struct socket *socket = CONTAINER_OF(request, struct socket, write);
    struct env_stream *stream = socket->stream;
    if (stream == NULL) {
        return;
    }
    if (status != 0) {
        stream_end(stream);
        return;
    }
    queue_advance(&stream->queue, stream->writing_bytes);
    stream->writing_bytes = 0;
    (void)stream_flush(stream);
}

/* Offers the whole queue to the kernel, without waiting; how that ended: 0, UV_EAGAIN, an error. */
static int stream_try_write(struct env_stream *stream)
{
    uv_buf_t pieces[IOV_MAX];
    while (stream->queue.bytes > 0) {
        size_t bytes;
        unsigned count = queue_gather(&stream->queue, pieces, IOV_MAX, &bytes);
        int written = uv_try_write((uv_stream_t *)&stream->socket->tcp, pieces, count);
        if (written < 0) {
            return written;
        }
        queue_advance(&stream->queue, (size_t)written);
        if ((size_t)written < bytes) {
            return UV_EAGAIN;
        }
    }
    return 0;
}

/* Leaves the front of the queue with libuv, until the kernel takes bytes again. */
static int stream_write_later(struct env_stream *stream)
{
    uv_buf_t pieces[IOV_MAX];
    struct socket *socket = stream->socket;
    unsigned count = queue_gather(&stream->queue, pieces, IOV_MAX, &stream->writing_bytes);
    return uv_write(&socket->write, (uv_stream_t *)&socket->tcp, pieces, count, on_written);
}

/* S3. True: a handler was called. */
static bool stream_flush(struct env_stream *stream)
{
    ASSERT(stream->state == STREAM_OPEN);
    ASSERT(stream->writing_bytes == 0);
    int status = stream_try_write(stream);
    if (status == UV_EAGAIN) {
        status = stream_write_later(stream);
        if (status == 0) {
            return false;
        }
    }
    if (status != 0) {
        stream_end(stream);
        return true;
    }
    if (stream->handler->drained == NULL) {
        return false;
    }
    stream->handler->drained(stream->ctx, stream);
    return true;
}

void env_uv_flush_streams(struct env *env)
{
    /* Streams that get something to send meanwhile wait for the next turn: one that is drained at
     * once, and always has more, must not keep the loop. */
    struct list now;
    list_init(&now);
    list_splice_back(&now, &env->to_flush);
    while (!list_is_empty(&now)) {
        struct env_stream *stream = CONTAINER_OF(now.next, struct env_stream, flush_link);
        list_remove(&stream->flush_link);
        if (stream->writing_bytes == 0 && stream_flush(stream)) {
            env_turn_wake(env);
        }
    }
}

void env_stream_write(struct env_stream *stream, struct buf *const *parts, size_t part_count)
{
    if (stream->state == STREAM_ENDED) {
        return;
    }
    for (size_t i = 0; i < part_count; i++) {
        ASSERT(parts[i] != NULL);
        if (parts[i]->size > 0) {
            queue_push(&stream->queue, parts[i]);
        }
    }
    if (stream->state == STREAM_OPEN && stream->queue.bytes > 0) {
        stream_mark_to_flush(stream);
    }
}

size_t env_stream_queued(const struct env_stream *stream)
{
    if (stream->writing_bytes == 0) {
        return stream->queue.bytes;
    }
    size_t left = uv_stream_get_write_queue_size((const uv_stream_t *)&stream->socket->tcp);
    ASSERT(left <= stream->writing_bytes);
    return stream->queue.bytes - (stream->writing_bytes - left);
}

/* ---- receiving ---- */

static void on_read_buffer(uv_handle_t *handle, size_t suggested_size, uv_buf_t *out_buffer)
{
    (void)suggested_size;
    struct env *env = CONTAINER_OF(handle->loop, struct env, loop);
    *out_buffer = uv_buf_init(env->read_buffer, sizeof(env->read_buffer));
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct socket *socket = CONTAINER_OF(handle, struct socket, tcp);
    struct env_stream *stream = socket->stream;
    ASSERT(stream != NULL);
    if (size < 0) {
        stream_end(stream);
    } else if (size > 0) {
        const struct slice bytes = {(const uint8_t *)buffer->base, (size_t)size};
        stream->handler->received(stream->ctx, stream, bytes);
    }
}

static int stream_read_start(struct env_stream *stream)
{
    return uv_read_start((uv_stream_t *)&stream->socket->tcp, on_read_buffer, on_read);
}

/* ---- dialling ---- */

static struct env_stream *stream_new(struct env *env)
{
    struct env_stream *stream = mem_calloc(1, sizeof(*stream));
    stream->env = env;
    list_init(&stream->flush_link);
    return stream;
}

static bool stream_connect_next(struct env_stream *stream);

static void on_connected(uv_connect_t *request, int status)
{
    struct socket *socket = CONTAINER_OF(request, struct socket, connect);
    struct env_stream *stream = socket->stream;
    if (stream == NULL) {
        return;
    }
    if (status == 0) {
        status = stream_read_start(stream);
    }
    if (status != 0) {
        stream->dial_error = env_err_of_uv(status);
        socket_close(socket);
        stream->socket = NULL;
        if (!stream_connect_next(stream)) {
            stream_fail_dial(stream);
        }
        return;
    }
    uv_freeaddrinfo(stream->addresses);
    stream->addresses = NULL;
    stream->state = STREAM_OPEN;
    if (stream->queue.bytes > 0) {
        stream_mark_to_flush(stream);
    }
    stream->handler->connected(stream->ctx, stream, OK);
}

/* Begins to connect to one address. */
static int stream_connect(struct env_stream *stream, const struct sockaddr *address)
{
    int status = stream_socket_open(stream, address->sa_family);
    if (status != 0) {
        return status;
    }
    struct socket *socket = stream->socket;
    status = socket_tune(socket);
    if (status == 0) {
        status = uv_tcp_connect(&socket->connect, &socket->tcp, address, on_connected);
    }
    if (status != 0) {
        socket_close(socket);
        stream->socket = NULL;
    }
    return status;
}

/* Tries the addresses that are left; false: none can even be tried, and dial_error says why. */
static bool stream_connect_next(struct env_stream *stream)
{
    while (stream->address != NULL) {
        const struct addrinfo *address = stream->address;
        stream->address = address->ai_next;
        int status = stream_connect(stream, address->ai_addr);
        if (status == 0) {
            return true;
        }
        stream->dial_error = env_err_of_uv(status);
    }
    return false;
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct look_up *look_up = CONTAINER_OF(request, struct look_up, request);
    struct env_stream *stream = look_up->stream;
    mem_free(look_up);
    if (stream == NULL) {
        uv_freeaddrinfo(addresses);
        return;
    }
    stream->look_up = NULL;
    stream->addresses = addresses;
    stream->address = addresses;
    if (status != 0) {
        stream->dial_error = env_err_of_uv(status);
    }
    if (!stream_connect_next(stream)) {
        stream_fail_dial(stream);
    }
}

/* Has the resolver find the addresses, on a thread of libuv's pool. */
static int stream_look_up(struct env_stream *stream, const struct env_address *address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct look_up *look_up = mem_calloc(1, sizeof(*look_up));
    int status = uv_getaddrinfo(&stream->env->loop, &look_up->request, on_looked_up, address->host,
                                address->port, &hints);
    if (status != 0) {
        mem_free(look_up);
        return status;
    }
    look_up->stream = stream;
    stream->look_up = look_up;
    return 0;
}

/* A numeric address does not wait behind names whose server does not answer. */
static err stream_dial(struct env_stream *stream, const char *text)
{
    struct env_address address;
    err e = env_address_parse(text, &address, NULL);
    if (e != OK) {
        return e;
    }
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    int status;
    if (uv_ip4_addr(address.host, address.port_number, &v4) == 0) {
        status = stream_connect(stream, (const struct sockaddr *)&v4);
    } else if (uv_ip6_addr(address.host, address.port_number, &v6) == 0) {
        status = stream_connect(stream, (const struct sockaddr *)&v6);
    } else {
        status = stream_look_up(stream, &address);
    }
    return status == 0 ? OK : env_err_of_uv(status);
}

struct env_stream *env_stream_dial(struct env *env, const char *address,
                                   const struct env_stream_handler *handler, void *ctx)
{
    struct env_stream *stream = stream_new(env);
    stream->state = STREAM_DIALLING;
    stream->handler = handler;
    stream->ctx = ctx;
    (void)snprintf(stream->peer, sizeof(stream->peer), "%s", address);
    stream->dial_error = stream_dial(stream, address);
    if (stream->dial_error != OK) {
        list_push_back(&env->to_fail, &stream->flush_link);
        env_turn_wake(env);
    }
    return stream;
}

void env_uv_fail_dials(struct env *env)
{
    while (!list_is_empty(&env->to_fail)) {
        stream_fail_dial(CONTAINER_OF(env->to_fail.next, struct env_stream, flush_link));
    }
}

/* ---- accepting ---- */

static void stream_name_peer(struct env_stream *stream)
{
    struct sockaddr_storage address;
    int size = sizeof(address);
    int status = uv_tcp_getpeername(&stream->socket->tcp, (struct sockaddr *)&address, &size);
    if (status == 0) {
        char text[ENV_ADDRESS_TEXT_SIZE];
        env_address_format((const struct sockaddr *)&address, text);
        (void)snprintf(stream->peer, sizeof(stream->peer), "%s", text);
    } else {
        (void)snprintf(stream->peer, sizeof(stream->peer), "?"); /* already gone: ended follows */
    }
}

void env_uv_stream_accept(struct env *env, uv_stream_t *listener,
                          void (*accepted)(void *ctx, struct env_stream *stream), void *ctx)
{
    struct env_stream *stream = stream_new(env);
    stream->state = STREAM_OPEN;
    int status = stream_socket_open(stream, AF_UNSPEC);
    if (status == 0) {
        status = uv_accept(listener, (uv_stream_t *)&stream->socket->tcp);
    }
    if (status == 0) {
        status = socket_tune(stream->socket);
    }
    if (status != 0) {
        env_stream_close(stream);
        return;
    }
    stream_name_peer(stream);
    const struct socket *socket = stream->socket;
    accepted(ctx, stream);
    if (socket->stream == NULL) {
        return; /* its new owner has closed it (S2) */
    }
    ASSERT(stream->handler != NULL);
    if (stream_read_start(stream) != 0) {
        stream_end(stream);
    }
}

/* ---- what owners do ---- */

void env_stream_set_handler(struct env_stream *stream, const struct env_stream_handler *handler,
                            void *ctx)
{
    ASSERT(handler != NULL);
    stream->handler = handler;
    stream->ctx = ctx;
}

const char *env_stream_peer(const struct env_stream *stream)
{
    return stream->peer;
}

void env_stream_close(struct env_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->state == STREAM_OPEN && stream->writing_bytes == 0) {
        (void)stream_try_write(stream); /* what it refuses would have been lost anyhow */
    }
    stream_release(stream);
    mem_free(stream);
}
