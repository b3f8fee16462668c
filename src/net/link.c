#include <string.h>

#include "base/assert.h"
#include "net/net_int.h"

void net_link_open(struct net_link *link, struct env_stream *stream, size_t gather_max)
{
    ASSERT(link->stream == NULL);
    ASSERT(stream != NULL);
    frame_parser_deinit(&link->parser);
    link->stream = stream;
    link->gather_max = gather_max;
    link->silent_ticks = 0;
    link->coming = 0;
    link->sent = 0;
    link->received = 0;
}

void net_link_close(struct net_link *link)
{
    env_stream_close(link->stream);
    link->stream = NULL;
}

void net_link_deinit(struct net_link *link)
{
    net_link_close(link);
    frame_parser_deinit(&link->parser);
}

size_t net_link_write(struct net_link *link, enum frame_type type, region_id region,
                      struct slice payload)
{
    ASSERT(link->stream != NULL);
    const struct net_options *options = &link->net->options;
    struct frame_header header = {
        .type = type,
        .sequence = ++link->sent,
        .cluster_id = options->cluster_id,
        .from = options->id,
        .region = region,
    };
    struct buf *frame = frame_build(&header, payload);
    size_t size = frame->size;
    env_stream_write(link->stream, &frame, 1);
    buf_unref(frame);
    return size;
}

size_t net_link_write_u64(struct net_link *link, enum frame_type type, uint64_t value)
{
    uint8_t payload[sizeof(value)];
    store_u64(payload, value);
    return net_link_write(link, type, 0, (struct slice){payload, sizeof(payload)});
}

size_t net_link_write_hello(struct net_link *link, enum frame_type type, node_id to)
{
    ASSERT(type == FRAME_HELLO || type == FRAME_HELLO_BULK || type == FRAME_WELCOME);
    const struct net_options *options = &link->net->options;
    struct frame_hello hello = {
        .protocol = FRAME_PROTOCOL,
        .to = to,
        .instance = options->instance,
        .client_address = slice_from_text(options->client_address),
        .peer_address = slice_from_text(options->peer_address),
        .version = slice_from_text(options->version),
    };
    struct writer payload = {0};
    frame_hello_encode(&hello, &payload);
    size_t size = net_link_write(link, type, 0, writer_slice(&payload));
    writer_deinit(&payload);
    return size;
}

/* ---- taking ---- */

/* What net_link_feed hands through the parser. */
struct feeding {
    struct net_link *link;
    frame_handler_fn *handler;
    void *ctx;
};

static err on_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    struct feeding *feeding = ctx;
    struct net_link *link = feeding->link;
    if (header->sequence <= link->received) {
        if (link->info != NULL) {
            link->info->frames_dropped++;
        }
        return OK;
    }
    if (link->info != NULL) {
        link->info->frames_missed += header->sequence - link->received - 1;
    }
    link->received = header->sequence;
    return feeding->handler(feeding->ctx, header, payload);
}

err net_link_feed(struct net_link *link, struct slice bytes, frame_handler_fn *handler, void *ctx)
{
    ASSERT(link->stream != NULL);
    link->silent_ticks = 0;
    struct feeding feeding = {.link = link, .handler = handler, .ctx = ctx};
    err e = frame_parser_feed(&link->parser, bytes, on_frame, &feeding);
    if (e == OK && link->parser.pending.size > link->gather_max) {
        e = ERR_MALFORMED;
    }
    if (e == ERR_MALFORMED && link->info != NULL) {
        link->info->frames_malformed++;
    }
    ASSERT(e != OK || link->stream != NULL);
    return e;
}

size_t net_link_advance(struct net_link *link)
{
    size_t before = link->coming;
    link->coming = link->parser.pending.size;
    return link->coming > before ? link->coming - before : 0;
}
