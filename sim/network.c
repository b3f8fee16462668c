#include "sim/network.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* As long as the real environment waits for an acknowledgement (env/uv_stream.c). */
#define PATIENCE_NS (10 * SIM_SECOND)

struct conn;

struct env_stream {
    struct env *env;
    const struct env_stream_handler *handler;
    void *ctx;
    struct conn *conn;
    unsigned side;
    bool is_open;  /* connected, and not ended */
    size_t queued; /* bytes on their way to the other side */
    char peer[48];
};

/* A connection: side 0 has dialled. */
struct conn {
    struct network *network;
    struct list link; /* in network->conns */
    uint32_t ref_count;
    uint32_t hosts[2];
    struct env_stream *ends[2];     /* NULL: not there yet, closed, or its life is over */
    uint64_t last_ns[2];            /* when the last unit to this side arrives */
    struct list held[2];            /* struct unit, for this side, while the way is cut */
    struct world_event patience[2]; /* of the side that waits: for what is held for the other */
    bool was_told[2];               /* an end is on its way to this side, or was there */
    bool is_silent;                 /* one side was cut off from its power (N3) */
};

enum unit_kind {
    UNIT_CONNECT,
    UNIT_CONNECTED,
    UNIT_REFUSED,
    UNIT_BYTES,
    UNIT_END,
};

/* Something on its way to side `to` of a connection. */
struct unit {
    struct world_event event;
    struct list link; /* in conn->held, or none */
    struct conn *conn;
    unsigned to;
    enum unit_kind kind;
    struct buf *bytes;
    size_t size; /* to be taken off the sender's queue */
};

struct env_listener {
    struct env *env;
    struct list link; /* in network->listeners */
    void (*accepted)(void *ctx, struct env_stream *stream);
    void *ctx;
    char address[48];
};

struct way {
    bool is_cut;
    uint64_t clog_ns;
};

struct network {
    struct sim *sim;
    struct prng chance;
    struct list conns;
    struct list listeners;
    struct way ways[PLAN_HOSTS_MAX + 1][PLAN_HOSTS_MAX + 1]; /* [from][to] */
};

struct network *network_new(struct sim *sim)
{
    struct network *network = mem_calloc(1, sizeof(*network));
    network->sim = sim;
    world_chance(sim->world, "network", &network->chance);
    list_init(&network->conns);
    list_init(&network->listeners);
    return network;
}

static struct way *way_to(struct conn *conn, unsigned side)
{
    return &conn->network->ways[conn->hosts[1 - side]][conn->hosts[side]];
}

/* ---- connections ---- */

static void on_patience(struct world_event *event);

static struct conn *conn_new(struct network *network, uint32_t from, uint32_t to)
{
    struct conn *conn = mem_calloc(1, sizeof(*conn));
    conn->network = network;
    conn->ref_count = 1;
    conn->hosts[0] = from;
    conn->hosts[1] = to;
    list_push_back(&network->conns, &conn->link);
    for (unsigned side = 0; side < 2; side++) {
        list_init(&conn->held[side]);
        conn->patience[side].run = on_patience;
    }
    return conn;
}

static void conn_unref(struct conn *conn)
{
    if (--conn->ref_count > 0) {
        return;
    }
    for (unsigned side = 0; side < 2; side++) {
        world_cancel(conn->network->sim->world, &conn->patience[side]);
    }
    list_remove(&conn->link);
    mem_free(conn);
}

static struct env_stream *stream_new(struct env *env, struct conn *conn, unsigned side)
{
    struct env_stream *stream = mem_calloc(1, sizeof(*stream));
    stream->env = env;
    stream->conn = conn;
    stream->side = side;
    conn->ends[side] = stream;
    conn->ref_count++;
    return stream;
}

/* ---- units ---- */

static void on_arrival(struct world_event *event);
static void on_lost(struct world_event *event);

static struct unit *unit_new(struct conn *conn, unsigned to, enum unit_kind kind, struct buf *bytes)
{
    struct unit *unit = mem_calloc(1, sizeof(*unit));
    unit->event.run = on_arrival;
    unit->event.drop = on_lost;
    unit->conn = conn;
    unit->to = to;
    unit->kind = kind;
    unit->bytes = bytes;
    list_init(&unit->link);
    conn->ref_count++;
    return unit;
}

/* It is not on its way any more. */
static void take_off_queue(struct unit *unit)
{
    struct env_stream *sender = unit->conn->ends[1 - unit->to];
    if (sender != NULL) {
        sender->queued -= unit->size;
    }
    unit->size = 0;
}

static void unit_free(struct unit *unit)
{
    struct conn *conn = unit->conn;
    take_off_queue(unit);
    list_remove(&unit->link);
    buf_unref(unit->bytes);
    mem_free(unit);
    conn_unref(conn);
}

/* Nobody is there any more to take it. */
static void on_lost(struct world_event *event)
{
    unit_free(CONTAINER_OF(event, struct unit, event));
}

static bool draws(struct network *network, uint32_t per_million, enum sim_count count)
{
    if (network->sim->is_calm || !chance_hits(&network->chance, per_million)) {
        return false;
    }
    sim_count(network->sim, count, 1);
    return true;
}

/* Puts a unit on its way: it arrives on the loop of whoever has that end by now. */
static void unit_send(struct unit *unit, bool is_ordered)
{
    struct conn *conn = unit->conn;
    struct network *network = conn->network;
    const struct plan *plan = &network->sim->plan;
    uint64_t now_ns = world_now_ns(network->sim->world);
    uint64_t way_ns = plan->latency_ns + prng_below(&network->chance, plan->jitter_ns + 1) +
                      way_to(conn, unit->to)->clog_ns;
    if (draws(network, plan->delaying, SIM_UNIT_DELAYED)) {
        way_ns += prng_below(&network->chance, plan->delay_ns_max);
    }
    if (!is_ordered) { /* out of its place by as much as may let others overtake it */
        way_ns += prng_below(&network->chance, 8 * (plan->latency_ns + plan->jitter_ns) + 1);
    }
    uint64_t at_ns = now_ns + way_ns;
    if (is_ordered) {
        at_ns = at_ns > conn->last_ns[unit->to] ? at_ns : conn->last_ns[unit->to];
        conn->last_ns[unit->to] = at_ns;
    }
    struct env_stream *end = conn->ends[unit->to];
    if (end != NULL) {
        env_sim_schedule(end->env, &unit->event, at_ns);
    } else {
        unit->event.env = NULL;
        world_schedule(network->sim->world, &unit->event, at_ns);
    }
}

/* The kernel of `side` begins to wait for an acknowledgement. */
static void lose_patience_later(struct conn *conn, unsigned side)
{
    struct env_stream *sender = conn->ends[side];
    struct world_event *patience = &conn->patience[side];
    if (sender != NULL && !world_is_scheduled(patience)) {
        env_sim_schedule(sender->env, patience,
                         world_now_ns(conn->network->sim->world) + PATIENCE_NS);
    }
}

static void unit_hold(struct unit *unit)
{
    list_push_back(&unit->conn->held[unit->to], &unit->link);
    lose_patience_later(unit->conn, 1 - unit->to);
}

/* Over a way that may be cut (N2). */
static void unit_post(struct unit *unit)
{
    struct conn *conn = unit->conn;
    if (!way_to(conn, unit->to)->is_cut && list_is_empty(&conn->held[unit->to])) {
        unit_send(unit, true);
    } else if (conn->network->sim->plan.cut_drops && unit->kind == UNIT_BYTES) {
        sim_count(conn->network->sim, SIM_UNIT_LOST, 1);
        unit_free(unit);
    } else {
        unit_hold(unit);
    }
}

static void tell_end(struct conn *conn, unsigned side)
{
    if (conn->ends[side] != NULL && !conn->was_told[side]) {
        conn->was_told[side] = true;
        unit_post(unit_new(conn, side, UNIT_END, NULL));
    }
}

static struct buf *spoil(struct network *network, struct buf *bytes)
{
    struct buf *spoilt = buf_copy(buf_slice(bytes));
    for (uint64_t flips = chance_between(&network->chance, 1, 3); flips > 0; flips--) {
        uint64_t at = prng_below(&network->chance, spoilt->size);
        spoilt->data[at] ^= (uint8_t)chance_between(&network->chance, 1, 255);
    }
    return spoilt;
}

static void post_bytes(struct conn *conn, unsigned to, struct buf *bytes)
{
    struct network *network = conn->network;
    const struct plan *plan = &network->sim->plan;
    if (draws(network, plan->loss, SIM_UNIT_LOST)) {
        buf_unref(bytes);
        return;
    }
    if (bytes->size > 0 && draws(network, plan->corruption, SIM_UNIT_CORRUPTED)) {
        struct buf *spoilt = spoil(network, bytes);
        buf_unref(bytes);
        bytes = spoilt;
    }
    bool is_cut = way_to(conn, to)->is_cut;
    if (!is_cut && draws(network, plan->doubling, SIM_UNIT_DOUBLED)) {
        unit_send(unit_new(conn, to, UNIT_BYTES, buf_ref(bytes)),
                  prng_below(&network->chance, 2) == 0);
    }
    struct unit *unit = unit_new(conn, to, UNIT_BYTES, bytes);
    unit->size = bytes->size;
    conn->ends[1 - to]->queued += bytes->size;
    if (!is_cut && draws(network, plan->reordering, SIM_UNIT_REORDERED)) {
        unit_send(unit, false);
    } else {
        unit_post(unit);
    }
}

/* ---- arrivals ---- */

static void deliver_bytes(struct env_stream *stream, struct unit *unit)
{
    struct network *network = unit->conn->network;
    struct conn *conn = unit->conn;
    struct slice bytes = buf_slice(unit->bytes);
    if (bytes.size > 1 && draws(network, network->sim->plan.reordering, SIM_UNIT_SPLIT)) {
        size_t cut = (size_t)chance_between(&network->chance, 1, bytes.size - 1);
        stream->handler->received(stream->ctx, stream, (struct slice){bytes.data, cut});
        bytes = (struct slice){bytes.data + cut, bytes.size - cut};
        stream = conn->ends[unit->to]; /* it may have been closed */
    }
    if (stream != NULL && stream->is_open) {
        stream->handler->received(stream->ctx, stream, bytes);
    }
}

/* Somebody dials: whoever listens there now. Runs outside of any node; goes on in the acceptor. */
static struct env_listener *find_listener(struct conn *conn)
{
    LIST_FOREACH (link, &conn->network->listeners) {
        struct env_listener *listener = CONTAINER_OF(link, struct env_listener, link);
        if (listener->env->host->number == conn->hosts[1]) {
            return listener;
        }
    }
    return NULL;
}

static void accept_stream(struct conn *conn)
{
    struct env_listener *listener = find_listener(conn);
    if (listener == NULL || conn->ends[0] == NULL) {
        return;
    }
    struct env_stream *stream = stream_new(env_sim_running(), conn, 1);
    stream->is_open = true;
    (void)snprintf(stream->peer, sizeof(stream->peer), "host-%u:50000", conn->hosts[0]);
    unit_post(unit_new(conn, 0, UNIT_CONNECTED, NULL));
    listener->accepted(listener->ctx, stream);
}

static void on_connect(struct unit *unit)
{
    struct conn *conn = unit->conn;
    if (unit->event.env == NULL) { /* the host is reached: its loop has to accept */
        struct env_listener *listener = find_listener(conn);
        if (listener != NULL) {
            env_sim_schedule(listener->env, &unit->event, world_now_ns(conn->network->sim->world));
            return;
        }
        const struct host *host = conn->network->sim->hosts[conn->hosts[1]];
        if (host != NULL && host->state != HOST_GONE) {
            unit_post(unit_new(conn, 0, UNIT_REFUSED, NULL));
        } /* else nobody answers, and the dialler's patience ends it */
    } else {
        accept_stream(conn);
    }
    unit_free(unit);
}

static void end_stream(struct env_stream *stream)
{
    bool was_open = stream->is_open;
    stream->is_open = false;
    if (was_open) {
        stream->handler->ended(stream->ctx, stream);
    } else {
        stream->handler->connected(stream->ctx, stream, ERR_CLOSED);
    }
}

static void on_arrival(struct world_event *event)
{
    struct unit *unit = CONTAINER_OF(event, struct unit, event);
    struct conn *conn = unit->conn;
    if (unit->kind == UNIT_CONNECT) {
        on_connect(unit);
        return;
    }
    take_off_queue(unit);
    struct env_stream *stream = conn->ends[unit->to];
    if (stream != NULL && env_sim_running() == stream->env) {
        if (unit->kind == UNIT_CONNECTED && !stream->is_open) {
            stream->is_open = true;
            world_cancel(conn->network->sim->world, &conn->patience[unit->to]);
            stream->handler->connected(stream->ctx, stream, OK);
        } else if (unit->kind == UNIT_REFUSED && !stream->is_open) {
            stream->handler->connected(stream->ctx, stream, ERR_REFUSED);
        } else if (unit->kind == UNIT_BYTES && stream->is_open) {
            deliver_bytes(stream, unit);
        } else if (unit->kind == UNIT_END) {
            end_stream(stream);
        }
    }
    unit_free(unit);
}

static void on_patience(struct world_event *event)
{
    /* The event of side s stands in an array of its connection. */
    struct env *env = event->env;
    struct network *network = env->sim->network;
    LIST_FOREACH (link, &network->conns) {
        struct conn *conn = CONTAINER_OF(link, struct conn, link);
        for (unsigned side = 0; side < 2; side++) {
            if (event == &conn->patience[side] && conn->ends[side] != NULL &&
                !conn->was_told[side]) {
                conn->was_told[side] = true;
                end_stream(conn->ends[side]);
                return;
            }
        }
    }
}

/* ---- env.h ---- */

static uint32_t host_of(const char *address)
{
    const char prefix[] = "host-";
    ASSERT(strncmp(address, prefix, sizeof(prefix) - 1) == 0);
    uint32_t number = 0;
    for (const char *digit = address + sizeof(prefix) - 1; *digit != ':'; digit++) {
        ASSERT(*digit >= '0' && *digit <= '9' && number <= PLAN_HOSTS_MAX);
        number = 10 * number + (uint32_t)(*digit - '0');
    }
    ASSERT(number > 0 && number <= PLAN_HOSTS_MAX);
    return number;
}

struct env_stream *env_stream_dial(struct env *env, const char *address,
                                   const struct env_stream_handler *handler, void *ctx)
{
    env_sim_effect(env);
    struct network *network = env->sim->network;
    struct conn *conn = conn_new(network, env->host->number, host_of(address));
    struct env_stream *stream = stream_new(env, conn, 0);
    stream->handler = handler;
    stream->ctx = ctx;
    (void)snprintf(stream->peer, sizeof(stream->peer), "%s", address);
    struct unit *unit = unit_new(conn, 1, UNIT_CONNECT, NULL);
    conn_unref(conn); /* from here on its ends and units keep it */
    env_sim_schedule(env, &conn->patience[0], world_now_ns(env->sim->world) + PATIENCE_NS);
    unit_post(unit);
    return stream;
}

void env_stream_set_handler(struct env_stream *stream, const struct env_stream_handler *handler,
                            void *ctx)
{
    stream->handler = handler;
    stream->ctx = ctx;
}

void env_stream_write(struct env_stream *stream, struct buf *const *parts, size_t part_count)
{
    struct conn *conn = stream->conn;
    env_sim_effect(stream->env);
    if (!stream->is_open) {
        return;
    }
    unsigned to = 1 - stream->side;
    if (conn->ends[to] == NULL) { /* N3: the other side knows nothing of this connection */
        if (conn->is_silent && host_is_up(conn->network->sim->hosts[conn->hosts[to]])) {
            tell_end(conn, stream->side);
        } else if (conn->is_silent) {
            lose_patience_later(conn, stream->side);
        }
        return;
    }
    struct writer bytes = {0};
    for (size_t i = 0; i < part_count; i++) {
        writer_bytes(&bytes, buf_slice(parts[i]));
    }
    post_bytes(conn, to, buf_copy(writer_slice(&bytes)));
    writer_deinit(&bytes);
}

size_t env_stream_queued(const struct env_stream *stream)
{
    return stream->queued;
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
    struct conn *conn = stream->conn;
    conn->ends[stream->side] = NULL;
    world_cancel(conn->network->sim->world, &conn->patience[stream->side]);
    tell_end(conn, 1 - stream->side);
    mem_free(stream);
    conn_unref(conn);
}

err env_listen(struct env *env, const char *address,
               void (*accepted)(void *ctx, struct env_stream *stream), void *ctx,
               struct env_listener **out_listener, struct err_note *note)
{
    (void)note;
    struct env_listener *listener = mem_calloc(1, sizeof(*listener));
    listener->env = env;
    listener->accepted = accepted;
    listener->ctx = ctx;
    (void)snprintf(listener->address, sizeof(listener->address), "%s", address);
    list_push_back(&env->sim->network->listeners, &listener->link);
    *out_listener = listener;
    return OK;
}

const char *env_listener_address(const struct env_listener *listener)
{
    return listener->address;
}

void env_listener_close(struct env_listener *listener)
{
    if (listener != NULL) {
        list_remove(&listener->link);
        mem_free(listener);
    }
}

/* ---- faults ---- */

bool network_is_cut(const struct network *network, uint32_t from, uint32_t to)
{
    return network->ways[from][to].is_cut;
}

/* What was held back goes on, in order. */
static void release_held(struct network *network, uint32_t from, uint32_t to)
{
    LIST_FOREACH (link, &network->conns) {
        struct conn *conn = CONTAINER_OF(link, struct conn, link);
        for (unsigned side = 0; side < 2; side++) {
            if (conn->hosts[side] != to || conn->hosts[1 - side] != from) {
                continue;
            }
            if (conn->ends[1 - side] == NULL || conn->ends[1 - side]->is_open) {
                world_cancel(network->sim->world, &conn->patience[1 - side]);
            }
            LIST_FOREACH (held, &conn->held[side]) {
                struct unit *unit = CONTAINER_OF(held, struct unit, link);
                list_remove(&unit->link);
                unit_send(unit, true);
            }
        }
    }
}

void network_cut(struct network *network, uint32_t from, uint32_t to, bool is_cut)
{
    struct way *way = &network->ways[from][to];
    bool heals = way->is_cut && !is_cut;
    way->is_cut = is_cut;
    if (heals) {
        release_held(network, from, to);
    }
}

void network_clog(struct network *network, uint32_t from, uint32_t to, uint64_t ns)
{
    network->ways[from][to].clog_ns = ns;
}

void network_heal(struct network *network)
{
    for (uint32_t from = 1; from <= PLAN_HOSTS_MAX; from++) {
        for (uint32_t to = 1; to <= PLAN_HOSTS_MAX; to++) {
            network_cut(network, from, to, false);
            network_clog(network, from, to, 0);
        }
    }
}

void network_reset(struct network *network, uint32_t a, uint32_t b)
{
    LIST_FOREACH (link, &network->conns) {
        struct conn *conn = CONTAINER_OF(link, struct conn, link);
        if ((conn->hosts[0] == a && conn->hosts[1] == b) ||
            (conn->hosts[0] == b && conn->hosts[1] == a)) {
            sim_count(network->sim, SIM_CONNECTION_RESET, 1);
            tell_end(conn, 0);
            tell_end(conn, 1);
        }
    }
}

void network_life_ended(struct network *network, struct env *env, bool is_power_cut)
{
    LIST_FOREACH (link, &network->conns) {
        struct conn *conn = CONTAINER_OF(link, struct conn, link);
        for (unsigned side = 0; side < 2; side++) {
            if (conn->ends[side] != NULL && conn->ends[side]->env == env) {
                conn->ends[side] = NULL;
                conn->is_silent = is_power_cut;
                if (!is_power_cut) {
                    tell_end(conn, 1 - side);
                }
                conn_unref(conn); /* the dead stream's reference */
                break;
            }
        }
    }
    LIST_FOREACH (link, &network->listeners) {
        if (CONTAINER_OF(link, struct env_listener, link)->env == env) {
            list_remove(link);
        }
    }
}
