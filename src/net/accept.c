/*
 * Connections that peers dial to us: who may, and taking their frames.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/net_int.h"

static struct log *log_of(const struct net_inbound *inbound)
{
    return inbound->link.net->options.log;
}

static bool is_waiting(const struct net_inbound *inbound)
{
    return inbound->state == NET_INBOUND_WAITING || inbound->state == NET_INBOUND_REFUSED;
}

static void stop_waiting(struct net_inbound *inbound)
{
    struct net *net = inbound->link.net;
    ASSERT(is_waiting(inbound));
    ASSERT(net->waiting_count > 0);
    list_remove(&inbound->siblings);
    net->waiting_count--;
}

/* Where its peer has it. */
static struct net_inbound **place_of(const struct net_inbound *inbound)
{
    ASSERT(inbound->peer != NULL);
    return inbound->is_bulk ? &inbound->peer->bulk_inbound : &inbound->peer->inbound;
}

void net_accept_close(struct net_inbound *inbound)
{
    struct net *net = inbound->link.net;
    if (inbound->state == NET_INBOUND_CLOSED) {
        return;
    }
    if (is_waiting(inbound)) {
        stop_waiting(inbound);
    } else {
        ASSERT(*place_of(inbound) == inbound);
        *place_of(inbound) = NULL;
        inbound->peer = NULL;
        inbound->link.info = NULL;
    }
    inbound->state = NET_INBOUND_CLOSED;
    net_link_close(&inbound->link);
    list_push_back(&net->dead_inbounds, &inbound->siblings);
    env_turn_wake(net->options.env);
}

static void tell_unheard(struct net *net, const struct net_peer *peer)
{
    if (net->handler->unheard != NULL) {
        net->handler->unheard(net->ctx, peer->id);
    }
}

/* Closes it, and tells the owner if it was a peer's for messages. */
static void lose(struct net_inbound *inbound)
{
    struct net *net = inbound->link.net;
    const struct net_peer *peer = inbound->is_bulk ? NULL : inbound->peer;
    net_accept_close(inbound);
    if (peer != NULL) {
        tell_unheard(net, peer);
    }
}

/* For the log. */
static const char *purpose_of(const struct net_inbound *inbound)
{
    return inbound->is_bulk ? "snapshots" : "messages";
}

/* ---- the handshake ---- */

/* Says why not, on both sides, and leaves it to the dialler to close, so that it can read that. */
static err refuse_as_of(struct net_inbound *inbound, node_id from, enum frame_refusal reason,
                        uint64_t as_of, const char *text)
{
    ASSERT(inbound->state == NET_INBOUND_WAITING);
    LOG_WARN(log_of(inbound), "peer connection refused", LOG_U64("peer", from),
             LOG_TEXT("remote", env_stream_peer(inbound->link.stream)),
             LOG_TEXT("reason", frame_refusal_name(reason)), LOG_TEXT("text", text));
    struct frame_refuse payload = {
        .reason = reason,
        .as_of = as_of,
        .text = slice_from_text(text),
    };
    struct writer encoded = {0};
    frame_refuse_encode(&payload, &encoded);
    net_link_write(&inbound->link, FRAME_REFUSE, 0, writer_slice(&encoded));
    writer_deinit(&encoded);
    inbound->state = NET_INBOUND_REFUSED;
    return OK;
}

static err refuse(struct net_inbound *inbound, node_id from, enum frame_refusal reason,
                  const char *text)
{
    return refuse_as_of(inbound, from, reason, 0, text);
}

static void welcome(struct net_inbound *inbound, struct net_peer *peer,
                    const struct frame_hello *hello)
{
    stop_waiting(inbound);
    inbound->peer = peer;
    struct net_inbound **place = place_of(inbound);
    bool is_replacing = *place != NULL;
    if (is_replacing) {
        net_accept_close(*place);
    }
    *place = inbound;
    inbound->state = NET_INBOUND_WELCOMED;
    inbound->link.gather_max = FRAME_HEADER_SIZE + FRAME_SIZE_MAX;
    inbound->link.info = &peer->info;
    net_peer_told(peer, hello);
    net_link_write_hello(&inbound->link, FRAME_WELCOME, peer->id);
    LOG_INFO(log_of(inbound), "connection from peer", LOG_U64("peer", peer->id),
             LOG_TEXT("remote", env_stream_peer(inbound->link.stream)),
             LOG_TEXT("version", peer->info.version), LOG_TEXT("for", purpose_of(inbound)));
    if (!inbound->is_bulk) {
        net_dial_hint(peer);
    }
    if (!inbound->is_bulk && is_replacing) {
        tell_unheard(inbound->link.net, peer);
    }
}

/* Whether the owner takes a node that is no peer of ours yet. */
static struct net_peer *take_stranger(struct net *net, node_id id, const struct frame_hello *hello,
                                      uint64_t *out_as_of)
{
    char address[ADDRESS_SIZE_MAX + 1];
    if (net->handler->stranger == NULL) {
        return NULL;
    }
    (void)snprintf(address, sizeof(address), "%.*s", (int)hello->peer_address.size,
                   (const char *)hello->peer_address.data);
    bool is_taken = net->handler->stranger(net->ctx, id, address, out_as_of);
    return is_taken ? net_peer_find(net, id) : NULL;
}

static err on_hello(struct net_inbound *inbound, const struct frame_header *header,
                    struct slice payload)
{
    struct net *net = inbound->link.net;
    node_id from = header->from;
    char text[FRAME_REFUSE_TEXT_SIZE_MAX];
    if (header->cluster_id != net->options.cluster_id) {
        (void)snprintf(text, sizeof(text), "this is cluster %016" PRIx64 ", not %016" PRIx64,
                       net->options.cluster_id, header->cluster_id);
        return refuse(inbound, from, FRAME_REFUSAL_CLUSTER, text);
    }
    struct frame_hello hello;
    err e = frame_hello_decode(payload, &hello);
    if (e == ERR_VERSION) {
        return refuse(inbound, from, FRAME_REFUSAL_VERSION, "this node speaks protocol 1");
    }
    if (e != OK) {
        return e;
    }
    if (hello.to != net->options.id) {
        (void)snprintf(text, sizeof(text), "this is node %" PRIu64 ", not %" PRIu64,
                       net->options.id, hello.to);
        return refuse(inbound, from, FRAME_REFUSAL_UNKNOWN, text);
    }
    if (from == net->options.id) {
        return refuse(inbound, from, FRAME_REFUSAL_ID_TAKEN, "the id is this node's own");
    }
    inbound->is_bulk = header->type == FRAME_HELLO_BULK;
    struct net_peer *peer = net_peer_find(net, from);
    uint64_t as_of = 0;
    if (peer == NULL && !inbound->is_bulk) {
        peer = take_stranger(net, from, &hello, &as_of);
    }
    if (peer == NULL) {
        return refuse_as_of(inbound, from, FRAME_REFUSAL_UNKNOWN, as_of,
                            "no member with this id is known");
    }
    if (net_peer_is_other(peer, &hello)) {
        return refuse(
            inbound, from, FRAME_REFUSAL_ID_TAKEN,
            peer->inbound != NULL
                ? "another node with this id is connected"
                : "another data directory had this id: a node that has lost its data must "
                  "not come back under its old id");
    }
    welcome(inbound, peer, &hello);
    return inbound->state == NET_INBOUND_CLOSED ? ERR_CLOSED : OK;
}

/* ---- a welcomed peer's frames ---- */

static err on_ping(struct net_inbound *inbound, struct slice payload)
{
    struct reader in = reader_of(payload);
    uint64_t value = reader_u64(&in);
    if (reader_finish(&in) != OK ||
        env_stream_queued(inbound->link.stream) > NET_ANSWERS_QUEUE_MAX) {
        return ERR_MALFORMED;
    }
    net_link_write_u64(&inbound->link, FRAME_PONG, value);
    inbound->is_answered = true;
    return OK;
}

static err on_peer_frame(struct net_inbound *inbound, const struct frame_header *header,
                         struct slice payload)
{
    struct net *net = inbound->link.net;
    struct net_peer *peer = inbound->peer;
    if (header->cluster_id != net->options.cluster_id || header->from != peer->id) {
        return ERR_IDENTITY;
    }
    peer->info.frames_received++;
    if (header->type == FRAME_PING) {
        return on_ping(inbound, payload);
    }
    bool is_its_kind =
        inbound->is_bulk ? header->type == FRAME_SNAPSHOT : net_carries(header->type);
    if (!is_its_kind) {
        return ERR_MALFORMED;
    }
    net->handler->frame(net->ctx, peer->id, header->type, header->region, payload);
    return inbound->state == NET_INBOUND_CLOSED ? ERR_CLOSED : OK;
}

static err on_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    struct net_inbound *inbound = ctx;
    switch (inbound->state) {
    case NET_INBOUND_WAITING:
        if (header->type != FRAME_HELLO && header->type != FRAME_HELLO_BULK) {
            return ERR_MALFORMED;
        }
        return on_hello(inbound, header, payload);
    case NET_INBOUND_WELCOMED:
        return on_peer_frame(inbound, header, payload);
    case NET_INBOUND_REFUSED:
        return OK;
    case NET_INBOUND_CLOSED:
        break;
    }
    UNREACHABLE();
}

/* ---- the stream ---- */

static void on_connected(void *ctx, struct env_stream *stream, err e)
{
    (void)ctx;
    (void)stream;
    (void)e;
    UNREACHABLE(); /* only dialled streams tell that */
}

static void on_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    struct net_inbound *inbound = ctx;
    ASSERT(stream == inbound->link.stream);
    if (inbound->peer != NULL) {
        inbound->peer->info.bytes_received += bytes.size;
    }
    err e = net_link_feed(&inbound->link, bytes, on_frame, inbound);
    if (e == OK || e == ERR_CLOSED) {
        return;
    }
    LOG_WARN(log_of(inbound), "malformed frame, closing",
             LOG_U64("peer", inbound->peer == NULL ? 0 : inbound->peer->id),
             LOG_TEXT("remote", env_stream_peer(stream)), LOG_ERR(e));
    lose(inbound);
}

static void on_ended(void *ctx, struct env_stream *stream)
{
    struct net_inbound *inbound = ctx;
    ASSERT(stream == inbound->link.stream);
    if (inbound->peer != NULL) {
        LOG_INFO(log_of(inbound), "connection from peer ended", LOG_U64("peer", inbound->peer->id),
                 LOG_TEXT("remote", env_stream_peer(stream)), LOG_TEXT("for", purpose_of(inbound)));
    }
    lose(inbound);
}

static const struct env_stream_handler stream_handler = {
    .connected = on_connected,
    .received = on_received,
    .ended = on_ended,
};

void net_accept_stream(struct net *net, struct env_stream *stream)
{
    if (net->waiting_count == NET_WAITING_MAX) {
        struct list *oldest = net->waiting.next;
        net_accept_close(CONTAINER_OF(oldest, struct net_inbound, siblings));
    }
    ASSERT(net->waiting_count < NET_WAITING_MAX);
    struct net_inbound *inbound = mem_calloc(1, sizeof(*inbound));
    inbound->link.net = net;
    net_link_open(&inbound->link, stream, NET_HANDSHAKE_SIZE_MAX);
    list_push_back(&net->waiting, &inbound->siblings);
    net->waiting_count++;
    env_stream_set_handler(stream, &stream_handler, inbound);
}

void net_accept_tell_alive(struct net_inbound *inbound)
{
    ASSERT(inbound->state == NET_INBOUND_WELCOMED && !inbound->is_bulk);
    if (net_link_advance(&inbound->link) < NET_ALIVE_BYTES_MIN) {
        return;
    }
    if (env_stream_queued(inbound->link.stream) == 0) { /* else it does not listen */
        net_link_write_u64(&inbound->link, FRAME_PONG, NET_PONG_ALIVE);
    }
    net_peer_alive(inbound->peer);
}

void net_accept_tick(struct net_inbound *inbound)
{
    ASSERT(inbound->state != NET_INBOUND_CLOSED);
    bool was_heard = inbound->link.silent_ticks == 0;
    inbound->link.silent_ticks++;
    if (is_waiting(inbound)) {
        if (++inbound->waited_ticks > NET_HANDSHAKE_TICKS_MAX) {
            LOG_DEBUG(log_of(inbound), "connection did not finish the handshake",
                      LOG_TEXT("remote", env_stream_peer(inbound->link.stream)));
            net_accept_close(inbound);
        }
        return;
    }
    if (inbound->link.silent_ticks > NET_ACCEPTED_SILENCE_TICKS_MAX) {
        LOG_INFO(log_of(inbound), "connection from peer is silent, closing",
                 LOG_U64("peer", inbound->peer->id),
                 LOG_TEXT("remote", env_stream_peer(inbound->link.stream)));
        lose(inbound);
        return;
    }
    if (was_heard && !inbound->is_answered) {
        net_link_write_u64(&inbound->link, FRAME_PONG, 0);
    }
    inbound->is_answered = false;
}
