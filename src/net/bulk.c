/*
 * The second connection that we dial to a peer, for what is long: its frames do not hold up the
 * others, which go over the first. Dialled when it is wanted and once; whoever wants it again after
 * it was lost asks again.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/net_int.h"

static struct log *log_of(const struct net_bulk *bulk)
{
    return bulk->link.net->options.log;
}

static void count_sent(struct net_bulk *bulk, size_t size)
{
    bulk->peer->info.frames_sent++;
    bulk->peer->info.bytes_sent += size;
}

/* The memory goes when the turn ends (N5). */
static void close_quietly(struct net_bulk *bulk)
{
    struct net *net = bulk->link.net;
    ASSERT(bulk->state != NET_BULK_CLOSED);
    ASSERT(bulk->peer->bulk == bulk);
    bulk->peer->bulk = NULL;
    bulk->state = NET_BULK_CLOSED;
    bulk->link.info = NULL;
    net_link_close(&bulk->link);
    list_push_back(&net->dead_bulks, &bulk->grave);
    env_turn_wake(net->options.env);
}

/* `reason` is for the log. */
static void fail(struct net_bulk *bulk, const char *reason)
{
    struct net *net = bulk->link.net;
    node_id id = bulk->peer->id;
    LOG_INFO(log_of(bulk), "connection for snapshots lost", LOG_U64("peer", id),
             LOG_TEXT("reason", reason));
    close_quietly(bulk);
    if (net->handler->bulk_down != NULL) {
        net->handler->bulk_down(net->ctx, id);
    }
}

/* ---- what comes back ---- */

static err on_welcome(struct net_bulk *bulk, struct slice payload)
{
    struct net *net = bulk->link.net;
    struct frame_hello hello;
    err e = frame_hello_decode(payload, &hello);
    if (e != OK) {
        return e;
    }
    if (hello.to != net->options.id || net_peer_is_other(bulk->peer, &hello)) {
        return ERR_IDENTITY;
    }
    bulk->state = NET_BULK_UP;
    if (net->handler->bulk_up != NULL) {
        net->handler->bulk_up(net->ctx, bulk->peer->id);
    }
    return bulk->state == NET_BULK_UP ? OK : ERR_CLOSED;
}

static err on_refuse(struct net_bulk *bulk, struct slice payload)
{
    struct frame_refuse refuse;
    err e = frame_refuse_decode(payload, &refuse);
    if (e != OK) {
        return e;
    }
    fail(bulk, frame_refusal_name(refuse.reason));
    return ERR_CLOSED;
}

static err on_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    struct net_bulk *bulk = ctx;
    if (header->type == FRAME_REFUSE && bulk->state == NET_BULK_GREETING) {
        return on_refuse(bulk, payload);
    }
    if (header->cluster_id != bulk->link.net->options.cluster_id ||
        header->from != bulk->peer->id) {
        return ERR_IDENTITY;
    }
    if (header->type == FRAME_WELCOME && bulk->state == NET_BULK_GREETING) {
        return on_welcome(bulk, payload);
    }
    bool is_pong = header->type == FRAME_PONG && bulk->state == NET_BULK_UP;
    return is_pong ? OK : ERR_MALFORMED;
}

/* ---- the stream ---- */

static void on_connected(void *ctx, struct env_stream *stream, err e)
{
    struct net_bulk *bulk = ctx;
    ASSERT(stream == bulk->link.stream);
    if (e != OK) {
        fail(bulk, err_name(e));
        return;
    }
    bulk->state = NET_BULK_GREETING;
    count_sent(bulk, net_link_write_hello(&bulk->link, FRAME_HELLO_BULK, bulk->peer->id));
}

static void on_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    struct net_bulk *bulk = ctx;
    ASSERT(stream == bulk->link.stream);
    err e = net_link_feed(&bulk->link, bytes, on_frame, bulk);
    if (e != OK && e != ERR_CLOSED) {
        fail(bulk, err_name(e));
    }
}

static void on_ended(void *ctx, struct env_stream *stream)
{
    struct net_bulk *bulk = ctx;
    ASSERT(stream == bulk->link.stream);
    fail(bulk, "closed");
}

static const struct env_stream_handler stream_handler = {
    .connected = on_connected,
    .received = on_received,
    .ended = on_ended,
};

/* ---- for everybody ---- */

err net_bulk_open(struct net *net, node_id id)
{
    struct net_peer *peer = net_peer_find(net, id);
    if (peer == NULL || peer->state != NET_DIAL_UP) {
        return ERR_UNAVAILABLE;
    }
    if (peer->bulk != NULL) {
        return OK;
    }
    struct net_bulk *bulk = mem_calloc(1, sizeof(*bulk));
    bulk->peer = peer;
    bulk->state = NET_BULK_CONNECTING;
    bulk->link.net = net;
    bulk->link.info = &peer->info;
    list_init(&bulk->grave);
    struct env_stream *stream =
        env_stream_dial(net->options.env, peer->address, &stream_handler, bulk);
    net_link_open(&bulk->link, stream, NET_HANDSHAKE_SIZE_MAX);
    peer->bulk = bulk;
    return OK;
}

void net_bulk_close(struct net *net, node_id id)
{
    struct net_peer *peer = net_peer_find(net, id);
    if (peer != NULL && peer->bulk != NULL) {
        close_quietly(peer->bulk);
    }
}

bool net_bulk_is_up(const struct net *net, node_id id)
{
    const struct net_peer *peer = net_peer_find(net, id);
    return peer != NULL && peer->bulk != NULL && peer->bulk->state == NET_BULK_UP;
}

bool net_bulk_comes_from(const struct net *net, node_id id)
{
    const struct net_peer *peer = net_peer_find(net, id);
    return peer != NULL && peer->bulk_inbound != NULL;
}

err net_bulk_send(struct net *net, node_id id, region_id region, struct slice payload)
{
    struct net_peer *peer = net_peer_find(net, id);
    if (peer == NULL || peer->bulk == NULL || peer->bulk->state != NET_BULK_UP) {
        return ERR_UNAVAILABLE;
    }
    struct net_bulk *bulk = peer->bulk;
    size_t queued = env_stream_queued(bulk->link.stream);
    if (queued > 0 && queued + FRAME_HEADER_SIZE + payload.size > net->options.queue_bytes_max) {
        peer->info.send_failures++;
        return ERR_OVERLOADED;
    }
    count_sent(bulk, net_link_write(&bulk->link, FRAME_SNAPSHOT, region, payload));
    return OK;
}

size_t net_bulk_queued(const struct net *net, node_id id)
{
    return net_bulk_is_up(net, id) ? env_stream_queued(net_peer_find(net, id)->bulk->link.stream)
                                   : 0;
}

/* ---- for net.c ---- */

void net_bulk_tick(struct net_bulk *bulk)
{
    bool is_up = bulk->state == NET_BULK_UP;
    bulk->link.silent_ticks++;
    if (bulk->link.silent_ticks > NET_DIALLED_SILENCE_TICKS_MAX) {
        fail(bulk, is_up ? "silent" : "no answer to the handshake");
    } else if (is_up) {
        uint64_t now_ns = env_now_ns(bulk->link.net->options.env);
        count_sent(bulk, net_link_write_u64(&bulk->link, FRAME_PING, now_ns));
    }
}

void net_bulk_free(struct net_bulk *bulk)
{
    ASSERT(bulk->state == NET_BULK_CLOSED);
    list_remove(&bulk->grave);
    net_link_deinit(&bulk->link);
    mem_free(bulk);
}
