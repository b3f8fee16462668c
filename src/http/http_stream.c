/* The answer that comes in pieces: chunked, or until the connection ends (HTTP/1.0). */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_int.h"

/* A writer that does not wait for `writable` is cut off here. */
#define STREAM_OVERRUN_MAX (16u << 20)

/* One piece in three parts: its size line, itself, the CR LF behind it. */
struct piece {
    struct http_part size_part;
    struct http_part content_part;
    struct http_part end_part;
    char size_line[20];
};

static struct http_request *request_of(struct http_stream *stream)
{
    struct http_request *request = CONTAINER_OF(stream, struct http_request, stream);
    ASSERT(request->state == HTTP_REQUEST_STREAMING);
    return request;
}

static uint64_t size_max(const struct http_request *request)
{
    uint64_t own = request->stream.size_max;
    uint64_t bound = request->conn->server->options.connection_bytes_max;
    uint64_t usual = bound < HTTP_STREAM_SIZE_MAX ? bound : HTTP_STREAM_SIZE_MAX;
    return own > 0 && own < usual ? own : usual;
}

struct http_stream *http_respond_stream(struct http_request *request,
                                        const struct http_response *head,
                                        const struct http_stream_handler *handler, void *ctx)
{
    ASSERT(handler->writable != NULL);
    ASSERT(handler->closed != NULL);
    ASSERT(head->body == NULL && head->content.size == 0);
    struct http_conn *conn = request->conn;
    if (!http_conn_is_writable(conn)) {
        http_request_finish(request);
        http_request_free(request);
        http_conn_release(conn);
        return NULL;
    }
    http_conn_answer_begins(request);
    request->stream = (struct http_stream){
        .handler = handler,
        .ctx = ctx,
        .is_chunked = !request->is_http_1_0,
        .is_bodiless = request->method == HTTP_METHOD_HEAD,
    };
    struct http_response response = *head;
    response.close = head->close || request->is_http_1_0;
    http_response_queue_head(request, &response, true);
    http_request_move(request, HTTP_REQUEST_STREAMING);
    http_request_body_drop(request);
    http_conn_schedule(conn);
    return &request->stream;
}

static void queue_piece(struct http_request *request, struct buf *bytes)
{
    struct piece *piece = mem_calloc(1, sizeof(*piece));
    piece->content_part.owner = buf_ref(bytes);
    if (!request->stream.is_chunked) {
        piece->content_part.block = piece;
        http_output_push(request, &piece->content_part, buf_slice(bytes));
        return;
    }
    int size = snprintf(piece->size_line, sizeof(piece->size_line), "%zx\r\n", bytes->size);
    ASSERT(size > 0 && (size_t)size < sizeof(piece->size_line));
    struct slice line = {(const uint8_t *)piece->size_line, (size_t)size};
    http_output_push(request, &piece->size_part, line);
    http_output_push(request, &piece->content_part, buf_slice(bytes));
    piece->end_part.block = piece;
    http_output_push(request, &piece->end_part, SLICE_LITERAL("\r\n"));
}

void http_stream_limit(struct http_stream *stream, uint64_t bytes)
{
    ASSERT(bytes > 0);
    request_of(stream)->stream.size_max = bytes;
}

bool http_stream_write(struct http_stream *stream, struct buf *piece)
{
    struct http_request *request = request_of(stream);
    if (stream->is_bodiless || piece->size == 0) {
        return !stream->is_blocked;
    }
    if (stream->is_blocked && request->out.size > STREAM_OVERRUN_MAX) {
        request->must_cut = true;
    } else {
        queue_piece(request, piece);
    }
    if (request->out.size >= size_max(request)) {
        stream->is_blocked = true;
    }
    http_conn_schedule(request->conn);
    return !stream->is_blocked;
}

bool http_stream_is_abandoned(struct http_stream *stream)
{
    return http_is_abandoned(request_of(stream));
}

void http_stream_end(struct http_stream *stream, bool ok)
{
    struct http_request *request = request_of(stream);
    if (!ok) {
        request->must_cut = true;
    } else if (stream->is_chunked && !stream->is_bodiless) {
        http_output_push(request, &request->content_part, SLICE_LITERAL("0\r\n\r\n"));
    }
    http_request_finish(request);
    http_conn_schedule(request->conn);
}

void http_stream_close(struct http_request *request)
{
    ASSERT(request->state == HTTP_REQUEST_STREAMING);
    request->stream.handler->closed(request->stream.ctx, &request->stream);
    http_request_finish(request);
    http_request_free(request);
}

void http_stream_resume(struct http_request *request)
{
    struct http_stream *stream = &request->stream;
    if (request->state != HTTP_REQUEST_STREAMING || !stream->is_blocked ||
        request->out.size > size_max(request) / 2) {
        return;
    }
    stream->is_blocked = false;
    stream->handler->writable(stream->ctx, stream);
}
