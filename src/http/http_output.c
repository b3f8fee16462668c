/* What goes out: the parts of a connection's answers, gathered into one send a turn (H1). */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_int.h"

#define GATHER_MAX 256 /* parts of one send; what is more waits for the next turn */

void http_output_push(struct http_request *request, struct http_part *part, struct slice bytes)
{
    ASSERT(bytes.size > 0);
    struct http_output *out = &request->out;
    part->next = NULL;
    part->bytes = bytes;
    if (out->last != NULL) {
        out->last->next = part;
    } else {
        out->first = part;
    }
    out->last = part;
    out->size += bytes.size;
    request->conn->queued_bytes += bytes.size;
    request->conn->server->stats.reply_bytes.value += (int64_t)bytes.size;
}

/* Takes the first part, sent or not, out of the queue. */
static void pop(struct http_request *request)
{
    struct http_output *out = &request->out;
    struct http_part *part = out->first;
    ASSERT(part != NULL);
    ASSERT(request->conn->queued_bytes >= part->bytes.size);
    ASSERT(out->size >= part->bytes.size);
    out->size -= part->bytes.size;
    request->conn->queued_bytes -= part->bytes.size;
    request->conn->server->stats.reply_bytes.value -= (int64_t)part->bytes.size;
    out->first = part->next;
    if (out->first == NULL) {
        out->last = NULL;
    }
    buf_drop(&part->owner);
    mem_free(part->block); /* may hold `part` itself */
}

void http_output_drop(struct http_request *request)
{
    while (request->out.first != NULL) {
        pop(request);
    }
    ASSERT(request->out.size == 0);
}

static bool ends_gathering(const struct http_request *request)
{
    return request->state != HTTP_REQUEST_ANSWERED || request->is_last || request->must_cut;
}

/* The longest run of parts that is due: up to the first answer that is not complete. */
static int gather(struct http_conn *conn, struct iovec parts[GATHER_MAX], size_t *out_size)
{
    int count = 0;
    size_t size = 0;
    LIST_FOREACH (node, &conn->requests) {
        struct http_request *request = CONTAINER_OF(node, struct http_request, link);
        struct http_part *part = request->out.first;
        while (part != NULL && count < GATHER_MAX) {
            /* sendmsg does not write to it; the interface is older than const. */
            void *data = (void *)(uintptr_t)part->bytes.data;
            parts[count] = (struct iovec){.iov_base = data, .iov_len = part->bytes.size};
            size += part->bytes.size;
            count++;
            part = part->next;
        }
        if (part != NULL || ends_gathering(request)) {
            break;
        }
    }
    *out_size = size;
    return count;
}

/* The kernel has taken the first `size` bytes of what is queued. */
static void advance(struct http_conn *conn, size_t size)
{
    while (size > 0) {
        ASSERT(!list_is_empty(&conn->requests));
        struct http_request *request = CONTAINER_OF(conn->requests.next, struct http_request, link);
        struct http_part *part = request->out.first;
        if (part == NULL) {
            http_request_free(request);
            continue;
        }
        size_t taken = size < part->bytes.size ? size : part->bytes.size;
        part->bytes = (struct slice){part->bytes.data + taken, part->bytes.size - taken};
        request->out.size -= taken;
        conn->queued_bytes -= taken;
        conn->server->stats.reply_bytes.value -= (int64_t)taken;
        size -= taken;
        if (part->bytes.size == 0) {
            pop(request);
        }
    }
}

bool http_output_send(struct http_conn *conn)
{
    ASSERT(!conn->is_blocked);
    struct iovec parts[GATHER_MAX];
    size_t size = 0;
    int count = gather(conn, parts, &size);
    if (count == 0) {
        return true;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    ssize_t sent;
    do {
        sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) {
        return false;
    }
    conn->progress_ms = env_now_ms(conn->server->options.env);
    if (sent > 0) {
        counter_add(&conn->server->stats.sent_bytes, (uint64_t)sent);
        advance(conn, (size_t)sent);
    }
    conn->is_blocked = sent < (ssize_t)size;
    return true;
}
