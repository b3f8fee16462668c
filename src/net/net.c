#include "net/net.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/net_int.h"

/* ---- what is owned, and its end ---- */

static void inbound_free(struct net_inbound *inbound)
{
    ASSERT(inbound->state == NET_INBOUND_CLOSED);
    list_remove(&inbound->siblings);
    net_link_deinit(&inbound->link);
    mem_free(inbound);
}

static void peer_free(struct net_peer *peer)
{
    ASSERT(peer->inbound == NULL && peer->bulk == NULL && peer->bulk_inbound == NULL);
    list_remove(&peer->grave);
    net_link_deinit(&peer->link);
    mem_free(peer);
}

static void bury_dead(struct net *net)
{
    LIST_FOREACH (node, &net->dead_inbounds) {
        inbound_free(CONTAINER_OF(node, struct net_inbound, siblings));
    }
    LIST_FOREACH (node, &net->dead_bulks) {
        net_bulk_free(CONTAINER_OF(node, struct net_bulk, grave));
    }
    LIST_FOREACH (node, &net->dead_peers) {
        peer_free(CONTAINER_OF(node, struct net_peer, grave));
    }
}

static void on_turn(struct env_turn *turn)
{
    bury_dead(CONTAINER_OF(turn, struct net, turn));
}

static void on_accepted(void *ctx, struct env_stream *stream)
{
    net_accept_stream(ctx, stream);
}

/* Handlers may add and remove peers on the way: each is looked up again, and a miss costs a tick.
 */
static void on_tick(struct env_timer *timer)
{
    struct net *net = CONTAINER_OF(timer, struct net, tick);
    LIST_FOREACH (node, &net->waiting) {
        net_accept_tick(CONTAINER_OF(node, struct net_inbound, siblings));
    }
    for (uint32_t i = 0; i < net->peer_count; i++) {
        struct net_peer *peer = net->peers[i];
        if (peer->inbound != NULL) {
            net_accept_tick(peer->inbound);
        }
        if (peer->bulk_inbound != NULL) {
            net_accept_tick(peer->bulk_inbound);
        }
        if (peer->bulk != NULL) {
            net_bulk_tick(peer->bulk);
        }
        net_dial_tick(peer);
    }
}

err net_open(struct net **out_net, const struct net_options *options,
             const struct net_handler *handler, void *ctx, struct err_note *note)
{
    ASSERT(options->id != 0);
    ASSERT(options->queue_bytes_max > 0);
    ASSERT(strlen(options->client_address) <= ADDRESS_SIZE_MAX);
    ASSERT(strlen(options->peer_address) <= ADDRESS_SIZE_MAX);
    ASSERT(strlen(options->version) <= FRAME_VERSION_SIZE_MAX);
    struct net *net = mem_calloc(1, sizeof(*net));
    net->options = *options;
    net->handler = handler;
    net->ctx = ctx;
    list_init(&net->waiting);
    list_init(&net->dead_inbounds);
    list_init(&net->dead_bulks);
    list_init(&net->dead_peers);
    err e =
        env_listen(options->env, options->listen_address, on_accepted, net, &net->listener, note);
    if (e != OK) {
        mem_free(net);
        return err_note_wrap(note, e, "listen for peers");
    }
    uint32_t tick_ms = options->tick_ms == 0 ? NET_TICK_MS : options->tick_ms;
    env_timer_init(options->env, &net->tick, on_tick);
    env_timer_start(&net->tick, tick_ms, tick_ms);
    net->turn.run = on_turn;
    env_turn_add(options->env, &net->turn);
    *out_net = net;
    return OK;
}

void net_close(struct net *net)
{
    if (net == NULL) {
        return;
    }
    env_listener_close(net->listener);
    LIST_FOREACH (node, &net->waiting) {
        net_accept_close(CONTAINER_OF(node, struct net_inbound, siblings));
    }
    while (net->peer_count > 0) {
        net_peer_remove(net, net->peers[0]->id);
    }
    bury_dead(net);
    env_turn_remove(net->options.env, &net->turn);
    env_timer_deinit(&net->tick);
    ASSERT(net->waiting_count == 0);
    mem_free(net);
}

const char *net_address(const struct net *net)
{
    return env_listener_address(net->listener);
}

/* ---- peers ---- */

struct net_peer *net_peer_find(const struct net *net, node_id id)
{
    for (uint32_t i = 0; i < net->peer_count; i++) {
        if (net->peers[i]->id == id) {
            return net->peers[i];
        }
    }
    return NULL;
}

static void text_copy(char *target, size_t capacity, struct slice text)
{
    ASSERT(text.size < capacity);
    if (text.size > 0) {
        memcpy(target, text.data, text.size);
    }
    target[text.size] = '\0';
}

bool net_peer_is_other(const struct net_peer *peer, const struct frame_hello *hello)
{
    return peer->instance != 0 && peer->instance != hello->instance;
}

void net_peer_expect(struct net *net, node_id id, uint64_t instance)
{
    struct net_peer *peer = net_peer_find(net, id);
    ASSERT(peer != NULL && instance != 0);
    peer->instance = instance;
}

void net_peer_told(struct net_peer *peer, const struct frame_hello *hello)
{
    ASSERT(!net_peer_is_other(peer, hello));
    if (peer->instance == 0) {
        peer->instance = hello->instance;
        if (peer->net->handler->met != NULL) {
            peer->net->handler->met(peer->net->ctx, peer->id, peer->instance);
        }
    }
    struct net_peer_info *info = &peer->info;
    text_copy(info->client_address, sizeof(info->client_address), hello->client_address);
    text_copy(info->version, sizeof(info->version), hello->version);
}

void net_peer_alive(const struct net_peer *peer)
{
    const struct net *net = peer->net;
    if (net->handler->alive != NULL) {
        net->handler->alive(net->ctx, peer->id);
    }
}

/* Handlers may add and remove peers, as on a tick. */
void net_tell_alive(struct net *net)
{
    for (uint32_t i = 0; i < net->peer_count; i++) {
        if (net->peers[i]->inbound != NULL) {
            net_accept_tell_alive(net->peers[i]->inbound);
        }
    }
}

static struct net_peer *peer_new(struct net *net, node_id id)
{
    ASSERT(net->peer_count < MEMBERS_MAX);
    struct net_peer *peer = mem_calloc(1, sizeof(*peer));
    peer->net = net;
    peer->id = id;
    peer->link.net = net;
    peer->link.info = &peer->info;
    list_init(&peer->grave);
    net->peers[net->peer_count++] = peer;
    return peer;
}

err net_peer_set(struct net *net, node_id id, const char *address)
{
    ASSERT(id != 0 && id != net->options.id);
    struct slice text = slice_from_text(address);
    if (text.size == 0 || text.size > ADDRESS_SIZE_MAX) {
        return ERR_ADDRESS;
    }
    struct net_peer *peer = net_peer_find(net, id);
    if (peer == NULL) {
        if (net->peer_count == MEMBERS_MAX) {
            return ERR_OVERLOADED;
        }
        peer = peer_new(net, id);
        text_copy(peer->address, sizeof(peer->address), text);
        net_dial_init(peer);
        return OK;
    }
    if (strcmp(peer->address, address) != 0) {
        text_copy(peer->address, sizeof(peer->address), text);
        net_bulk_close(net, id); /* whoever wants it asks again */
        net_dial_restart(peer);
    }
    return OK;
}

void net_peer_remove(struct net *net, node_id id)
{
    uint32_t position = 0;
    while (position < net->peer_count && net->peers[position]->id != id) {
        position++;
    }
    if (position == net->peer_count) {
        return;
    }
    struct net_peer *peer = net->peers[position];
    net_bulk_close(net, id);
    net->peers[position] = net->peers[--net->peer_count];
    net_dial_deinit(peer); /* first: its last frames should be there before it sees an end */
    if (peer->inbound != NULL) {
        net_accept_close(peer->inbound);
    }
    if (peer->bulk_inbound != NULL) {
        net_accept_close(peer->bulk_inbound);
    }
    list_push_back(&net->dead_peers, &peer->grave);
    env_turn_wake(net->options.env);
}

/* ---- sending ---- */

bool net_carries(enum frame_type type)
{
    switch (type) {
    case FRAME_RAFT:
    case FRAME_WRITE:
    case FRAME_WRITE_RESULT:
    case FRAME_LOG_FLOOR:
    case FRAME_SNAPSHOT_ACK:
    case FRAME_ADMIN:
    case FRAME_ADMIN_RESULT:
    case FRAME_REPAIR:
    case FRAME_STATE_MARK:
    case FRAME_RECORD_ASK:
    case FRAME_RECORD:
    case FRAME_CONDITION:
    case FRAME_LOG_ASK:
    case FRAME_LOG_ENTRIES:
        return true;
    case FRAME_HELLO:
    case FRAME_HELLO_BULK:
    case FRAME_WELCOME:
    case FRAME_REFUSE:
    case FRAME_PING:
    case FRAME_PONG:
    case FRAME_SNAPSHOT:
        return false;
    }
    return false;
}

err net_send(struct net *net, node_id id, enum frame_type type, region_id region,
             struct slice payload)
{
    ASSERT(net_carries(type));
    struct net_peer *peer = net_peer_find(net, id);
    if (peer == NULL) {
        return ERR_UNAVAILABLE;
    }
    if (peer->state != NET_DIAL_UP) {
        peer->info.send_failures++;
        return ERR_UNAVAILABLE;
    }
    size_t queued = env_stream_queued(peer->link.stream);
    if (queued > 0 && queued + FRAME_HEADER_SIZE + payload.size > net->options.queue_bytes_max) {
        peer->info.send_failures++;
        return ERR_OVERLOADED;
    }
    peer->info.frames_sent++;
    peer->info.bytes_sent += net_link_write(&peer->link, type, region, payload);
    return OK;
}

bool net_is_up(const struct net *net, node_id id)
{
    const struct net_peer *peer = net_peer_find(net, id);
    return peer != NULL && peer->state == NET_DIAL_UP;
}

bool net_is_heard(const struct net *net, node_id id)
{
    const struct net_peer *peer = net_peer_find(net, id);
    return peer != NULL && peer->inbound != NULL;
}

bool net_peer_info(const struct net *net, node_id id, struct net_peer_info *out_info)
{
    const struct net_peer *peer = net_peer_find(net, id);
    if (peer == NULL) {
        return false;
    }
    *out_info = peer->info;
    memcpy(out_info->address, peer->address, sizeof(out_info->address));
    out_info->is_up = peer->state == NET_DIAL_UP;
    out_info->is_heard = peer->inbound != NULL;
    out_info->queued_bytes = out_info->is_up ? env_stream_queued(peer->link.stream) : 0;
    return true;
}
