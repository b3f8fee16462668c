#include "api/event_stream.h"

#include "base/assert.h"

struct http_stream *api_event_stream_begin(struct exchange *x,
                                           const struct http_stream_handler *handler, void *ctx)
{
    api_exchange_add_lines(x, SLICE_LITERAL("Content-Type: text/event-stream\r\n"
                                            "Cache-Control: no-store\r\n"
                                            "X-Accel-Buffering: no\r\n"
                                            "X-Content-Type-Options: nosniff\r\n"));
    return api_exchange_respond_stream(x, handler, ctx);
}

static bool write_all(struct http_stream *stream, struct writer *text)
{
    struct buf *piece = writer_to_buf(text);
    bool has_room = http_stream_write(stream, piece);
    buf_unref(piece);
    writer_deinit(text);
    return has_room;
}

bool api_event_stream_write(struct http_stream *stream, const char *event, struct slice data)
{
    struct writer text = {0};
    ASSERT(data.size == 0 || memchr(data.data, '\n', data.size) == NULL);
    writer_format(&text, "event: %s\ndata: ", event);
    writer_bytes(&text, data);
    writer_bytes(&text, SLICE_LITERAL("\n\n"));
    return write_all(stream, &text);
}

bool api_event_stream_beat(struct http_stream *stream)
{
    struct writer text = {0};
    writer_bytes(&text, SLICE_LITERAL(":\n\n"));
    return write_all(stream, &text);
}
