/*
 * The connection that we dial to a peer: handshake, keeping it checked, and dialling again.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "net/net_int.h"

static void move(struct net_peer *peer, enum net_dial_state next)
{
    static const unsigned allowed[] = {
        [NET_DIAL_WAITING] = 1u << NET_DIAL_CONNECTING,
        [NET_DIAL_CONNECTING] = 1u << NET_DIAL_GREETING | 1u << NET_DIAL_WAITING,
        [NET_DIAL_GREETING] = 1u << NET_DIAL_UP | 1u << NET_DIAL_WAITING,
        [NET_DIAL_UP] = 1u << NET_DIAL_WAITING,
    };
    ASSERT((allowed[peer->state] & 1u << next) != 0);
    ASSERT((peer->link.stream == NULL) == (next == NET_DIAL_WAITING));
    peer->state = next;
}

static struct log *log_of(const struct net_peer *peer)
{
    return peer->net->options.log;
}

static void count_sent(struct net_peer *peer, size_t size)
{
    peer->info.frames_sent++;
    peer->info.bytes_sent += size;
}

/* ---- losing it ---- */

static uint64_t shortened_by_chance(struct net_peer *peer, uint32_t delay_ms)
{
    return delay_ms - env_random(peer->net->options.env) % (delay_ms / 2 + 1);
}

/* Our connection was up, and not only for a moment. */
static bool has_held(const struct net_peer *peer)
{
    uint64_t up_ns = env_now_ns(peer->net->options.env) - peer->up_since_ns;
    return peer->state == NET_DIAL_UP && up_ns >= NET_HELD_MS * UINT64_C(1000000);
}

/* The next attempt's delay, which doubles until a PONG comes. But behind a connection that has held
 * the first attempt comes soon: it tells a peer that has died from a cut. */
static uint64_t next_delay(struct net_peer *peer)
{
    if (has_held(peer)) {
        return shortened_by_chance(peer, NET_RETRY_FIRST_MS);
    }
    uint32_t delay_ms = peer->retry_delay_ms;
    uint32_t doubled_ms = delay_ms * 2;
    peer->retry_delay_ms = doubled_ms < NET_RETRY_MAX_MS ? doubled_ms : NET_RETRY_MAX_MS;
    return shortened_by_chance(peer, delay_ms);
}

/* Closes what there is and dials again after `delay_ms`. The handler may remove the peer. */
static void drop(struct net_peer *peer, uint64_t delay_ms)
{
    bool was_up = peer->state == NET_DIAL_UP;
    net_link_close(&peer->link);
    move(peer, NET_DIAL_WAITING);
    env_timer_start(&peer->retry, delay_ms, 0);
    if (was_up) {
        peer->net->handler->down(peer->net->ctx, peer->id);
    }
}

/* `reason` has static storage. */
static void fail(struct net_peer *peer, const char *reason)
{
    if (peer->state == NET_DIAL_UP) {
        LOG_INFO(log_of(peer), "peer lost", LOG_U64("peer", peer->id),
                 LOG_TEXT("address", peer->address), LOG_TEXT("reason", reason));
    } else if (!peer->is_outage_logged) {
        LOG_INFO(log_of(peer), "peer cannot be reached, still trying", LOG_U64("peer", peer->id),
                 LOG_TEXT("address", peer->address), LOG_TEXT("reason", reason));
        peer->is_outage_logged = true;
    }
    drop(peer, next_delay(peer));
}

/* The other side is there and does not want us, or is not whom we look for: no use in haste. */
static void fail_for_long(struct net_peer *peer, const char *reason, const char *text)
{
    LOG_WARN(log_of(peer), "refused by peer", LOG_U64("peer", peer->id),
             LOG_TEXT("address", peer->address), LOG_TEXT("reason", reason),
             LOG_TEXT("text", text));
    peer->is_outage_logged = true;
    drop(peer, shortened_by_chance(peer, NET_REFUSED_RETRY_MS));
}

/* ---- what comes back ---- */

static err on_welcome(struct net_peer *peer, struct slice payload)
{
    struct frame_hello hello;
    err e = frame_hello_decode(payload, &hello);
    if (e != OK) {
        return e;
    }
    if (hello.to != peer->net->options.id) {
        return ERR_IDENTITY;
    }
    if (net_peer_is_other(peer, &hello)) {
        fail_for_long(peer, frame_refusal_name(FRAME_REFUSAL_ID_TAKEN),
                      "another data directory had this id before");
        return ERR_CLOSED;
    }
    net_peer_told(peer, &hello);
    move(peer, NET_DIAL_UP);
    peer->up_since_ns = env_now_ns(peer->net->options.env);
    peer->is_outage_logged = false;
    peer->info.connects++;
    LOG_INFO(log_of(peer), "peer connected", LOG_U64("peer", peer->id),
             LOG_TEXT("address", peer->address), LOG_TEXT("version", peer->info.version));
    peer->net->handler->up(peer->net->ctx, peer->id);
    return peer->state == NET_DIAL_UP ? OK : ERR_CLOSED;
}

/* By whomever: another cluster's node says it too. But only the peer itself knows the members. */
static err on_refuse(struct net_peer *peer, const struct frame_header *header, struct slice payload)
{
    bool is_peer = header->cluster_id == peer->net->options.cluster_id && header->from == peer->id;
    struct frame_refuse refuse;
    err e = frame_refuse_decode(payload, &refuse);
    if (e != OK) {
        return e;
    }
    char text[FRAME_REFUSE_TEXT_SIZE_MAX + 1];
    (void)snprintf(text, sizeof(text), "%.*s", (int)refuse.text.size,
                   (const char *)refuse.text.data);
    fail_for_long(peer, frame_refusal_name(refuse.reason), text);
    if (refuse.reason == FRAME_REFUSAL_UNKNOWN && refuse.as_of != 0 && is_peer &&
        peer->net->handler->unknown != NULL) {
        peer->net->handler->unknown(peer->net->ctx, peer->id, refuse.as_of);
    }
    return ERR_CLOSED;
}

/* The first PONG says that the connection holds, so that a loss may be followed by a quick retry.
 */
static err on_pong(struct net_peer *peer, struct slice payload)
{
    struct reader in = reader_of(payload);
    uint64_t sent_ns = reader_u64(&in);
    err e = reader_finish(&in);
    if (e != OK) {
        return e;
    }
    if (sent_ns == 0) {
        return OK;
    }
    if (sent_ns == NET_PONG_ALIVE) {
        net_peer_alive(peer);
        return peer->state == NET_DIAL_UP ? OK : ERR_CLOSED;
    }
    uint64_t now_ns = env_now_ns(peer->net->options.env);
    if (sent_ns >= peer->up_since_ns && sent_ns <= now_ns) {
        peer->info.rtt_us = (now_ns - sent_ns) / 1000;
        peer->retry_delay_ms = NET_RETRY_MIN_MS;
    }
    return OK;
}

static err on_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    struct net_peer *peer = ctx;
    if (header->type == FRAME_REFUSE && peer->state == NET_DIAL_GREETING) {
        return on_refuse(peer, header, payload);
    }
    if (header->cluster_id != peer->net->options.cluster_id || header->from != peer->id) {
        return ERR_IDENTITY;
    }
    if (header->type == FRAME_WELCOME && peer->state == NET_DIAL_GREETING) {
        return on_welcome(peer, payload);
    }
    if (header->type == FRAME_PONG && peer->state == NET_DIAL_UP) {
        return on_pong(peer, payload);
    }
    return ERR_MALFORMED;
}

/* ---- the stream ---- */

static void on_connected(void *ctx, struct env_stream *stream, err e)
{
    struct net_peer *peer = ctx;
    ASSERT(stream == peer->link.stream);
    if (e != OK) {
        struct net *net = peer->net;
        fail(peer, err_name(e));
        if (e == ERR_REFUSED && peer->inbound == NULL && net->handler->gone != NULL) {
            net->handler->gone(net->ctx, peer->id);
        }
        return;
    }
    move(peer, NET_DIAL_GREETING);
    count_sent(peer, net_link_write_hello(&peer->link, FRAME_HELLO, peer->id));
}

static void on_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    struct net_peer *peer = ctx;
    ASSERT(stream == peer->link.stream);
    err e = net_link_feed(&peer->link, bytes, on_frame, peer);
    if (e == OK || e == ERR_CLOSED) {
        return;
    }
    if (e == ERR_MALFORMED) {
        LOG_WARN(log_of(peer), "malformed frame, closing", LOG_U64("peer", peer->id),
                 LOG_TEXT("address", peer->address));
        fail(peer, err_name(e));
    } else {
        fail_for_long(peer, err_name(e), "another node or version answers at this address");
    }
}

static void on_ended(void *ctx, struct env_stream *stream)
{
    struct net_peer *peer = ctx;
    ASSERT(stream == peer->link.stream);
    fail(peer, "closed");
}

static const struct env_stream_handler stream_handler = {
    .connected = on_connected,
    .received = on_received,
    .ended = on_ended,
};

/* Never under a callback of the link's (N5): net_link_open empties the parser. */
static void on_retry(struct env_timer *timer)
{
    struct net_peer *peer = CONTAINER_OF(timer, struct net_peer, retry);
    ASSERT(peer->state == NET_DIAL_WAITING);
    struct env_stream *stream =
        env_stream_dial(peer->net->options.env, peer->address, &stream_handler, peer);
    net_link_open(&peer->link, stream, NET_HANDSHAKE_SIZE_MAX);
    move(peer, NET_DIAL_CONNECTING);
}

/* ---- for net.c and accept.c ---- */

void net_dial_init(struct net_peer *peer)
{
    ASSERT(peer->link.stream == NULL);
    peer->state = NET_DIAL_WAITING;
    peer->retry_delay_ms = NET_RETRY_MIN_MS;
    env_timer_init(peer->net->options.env, &peer->retry, on_retry);
    env_timer_start(&peer->retry, 0, 0);
}

void net_dial_restart(struct net_peer *peer)
{
    peer->retry_delay_ms = NET_RETRY_MIN_MS;
    peer->is_outage_logged = false;
    if (peer->state == NET_DIAL_WAITING) {
        env_timer_start(&peer->retry, 0, 0);
        return;
    }
    LOG_INFO(log_of(peer), "peer's address changed, dialling anew", LOG_U64("peer", peer->id),
             LOG_TEXT("address", peer->address));
    drop(peer, 0);
}

void net_dial_hint(struct net_peer *peer)
{
    if (peer->state == NET_DIAL_WAITING) {
        env_timer_start(&peer->retry, 0, 0);
    }
}

void net_dial_tick(struct net_peer *peer)
{
    if (peer->state == NET_DIAL_WAITING) {
        return;
    }
    peer->link.silent_ticks++;
    if (peer->state != NET_DIAL_UP) {
        if (peer->link.silent_ticks > NET_HANDSHAKE_TICKS_MAX) {
            fail(peer, "no answer to the handshake");
        }
        return;
    }
    if (peer->link.silent_ticks > NET_DIALLED_SILENCE_TICKS_MAX) {
        fail(peer, "silent");
        return;
    }
    uint64_t now_ns = env_now_ns(peer->net->options.env);
    count_sent(peer, net_link_write_u64(&peer->link, FRAME_PING, now_ns));
}

void net_dial_deinit(struct net_peer *peer)
{
    env_timer_deinit(&peer->retry);
    net_link_close(&peer->link);
    peer->state = NET_DIAL_WAITING;
}
