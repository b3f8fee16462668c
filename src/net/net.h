/*
 * The connections between nodes: frames (proto/frame.h) go out over one that we dial to each peer,
 * and come in over one that each peer dials to us.
 *
 * N1  A dialled connection carries our frames to the peer, and back only WELCOME or REFUSE and
 *     PONG. An accepted one the other way round. So a frame's way never depends on who came first.
 *     What is long has a connection of its own, when there is any, and nothing else goes over that.
 * N2  What is delivered was sent by the peer whose id the handshake settled, for this cluster,
 *     whole, at most once, and in the order of sending on one connection: frames are numbered, and
 *     this holds whatever is between the nodes. Some may be missing in between, with the connection
 *     still up: nobody tells the sender. That frames are lost at a connection's end is told to both
 *     sides: handler->down, handler->unheard.
 * N3  Nothing queues without a bound: an outgoing queue has queue_bytes_max, connections that have
 *     not said HELLO yet are few and timed out.
 * N4  Silence is counted in our own ticks, not read off a clock: a node that was stopped for a
 *     while does not take its own pause for its peers' death.
 * N5  Callbacks may call everything here but net_close. What they close lives until the turn ends.
 *
 * Loop thread, all of it.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/log.h"
#include "env/env.h"
#include "proto/frame.h"

struct net;

struct net_handler {
    /* A frame of a type that net carries came in; borrows `payload` until it returns. */
    void (*frame)(void *ctx, node_id from, enum frame_type type, region_id region,
                  struct slice payload);
    /* Our connection to the peer is welcomed: net_send works. */
    void (*up)(void *ctx, node_id peer);
    /* It is lost: frames sent since `up` may not have arrived. */
    void (*down)(void *ctx, node_id peer);
    /* The peer's connection to us has ended, or another one has replaced it: frames that it sent
     * over that may not have arrived, the answers to ours among them. May be NULL. */
    void (*unheard)(void *ctx, node_id peer);
    /* The connection for bulk is welcomed: net_bulk_send works. May be NULL, as the next. */
    void (*bulk_up)(void *ctx, node_id peer);
    /* It is lost, or there could be none; it is not dialled again unless that is asked for. */
    void (*bulk_down)(void *ctx, node_id peer);
    /* The peer's process is gone, as far as can be seen: it has no connection to us any more, and
     * the machine at its address refuses ours. Each time that it does so. May be NULL. */
    void (*gone)(void *ctx, node_id peer);
    /* The peer is there, although no frame has come: a long one of its is coming in, or it says
     * that one of ours is (net_tell_alive). May be NULL. */
    void (*alive)(void *ctx, node_id peer);
    /* The peer was met for the first time, by this instance: to be remembered for net_peer_expect.
     * May be NULL. Calls nothing here. */
    void (*met)(void *ctx, node_id peer, uint64_t instance);
    /* A node of this cluster that is no peer dials us; it says where it is reached ("": it does
     * not). True: the owner takes it, and has made it a peer (net_peer_set). Else `out_as_of` may
     * be set to the log index as of which it is no member. May be NULL: none is taken. */
    bool (*stranger)(void *ctx, node_id id, const char *address, uint64_t *out_as_of);
    /* A peer that we dial does not know us: as of this log index (not 0) we are no member. May be
     * NULL. */
    void (*unknown)(void *ctx, node_id peer, uint64_t as_of);
};

struct net_options {
    struct env *env;
    struct log *log; /* may be NULL */
    uint64_t cluster_id;
    node_id id;
    uint64_t instance;          /* random, made with the data directory */
    const char *listen_address; /* HOST:PORT; port 0: any */
    const char *client_address; /* told to peers: where this node serves clients */
    const char *peer_address;   /* told to peers: where they reach this node; "" if unknown */
    const char *version;        /* told to peers: the program's version */
    size_t queue_bytes_max;     /* of one peer's outgoing queue */
    uint32_t tick_ms;           /* between PINGs; 0: NET_TICK_MS */
};

#define NET_TICK_MS 1000u
#define NET_QUEUE_BYTES_DEFAULT (128u << 20)

/*
 * Listens for peers. `options` is copied; its env, log and texts are borrowed until net_close, as
 * are `handler` and `ctx`. Caller closes.
 *
 * Errors: ERR_ADDRESS, ERR_PERMISSION (with `note`).
 */
MUST_USE err net_open(struct net **out_net, const struct net_options *options,
                      const struct net_handler *handler, void *ctx, struct err_note *note);

/*
 * Closes every connection without calling back; what was sent before is still offered to the
 * kernel, and leaves unless a peer has stopped reading. Not from a callback. NULL: no-op.
 */
void net_close(struct net *net);

/* The address that is listened on, "HOST:PORT". Borrowed for the net's life. */
const char *net_address(const struct net *net);

/*
 * Makes `id` (not our own) a peer at `address` and begins to dial it; or changes its address: then
 * a connection to the old one is dropped (handler->down) and the new one dialled. With the address
 * it has: no-op.
 *
 * Errors: ERR_ADDRESS (empty, or above ADDRESS_SIZE_MAX), ERR_OVERLOADED (MEMBERS_MAX peers).
 */
MUST_USE err net_peer_set(struct net *net, node_id id, const char *address);

/*
 * Tells by which instance a peer (net_peer_set) was met in an earlier life of this node: another
 * one is refused as FRAME_REFUSAL_ID_TAKEN, both ways. Its data is lost, and with it votes and
 * acknowledged entries: under the old id it would break what the old one has promised. `instance`
 * is not 0.
 */
void net_peer_expect(struct net *net, node_id id, uint64_t instance);

/* Drops both connections, without calling back, and refuses `id` from now on. Unknown: no-op. */
void net_peer_remove(struct net *net, node_id id);

/* Whether frames of this type go over the connection between peers. The others are net's own
 * (handshake, PING, PONG), or bulk. */
bool net_carries(enum frame_type type);

/*
 * Queues one frame of a type that net carries; `payload` is copied and at most FRAME_SIZE_MAX. An
 * empty queue takes any frame, so that queue_bytes_max does not have to allow for the largest.
 *
 * Errors: ERR_UNAVAILABLE (no such peer, or not up), ERR_OVERLOADED (queue_bytes_max is reached).
 * Nothing was taken then.
 */
MUST_USE err net_send(struct net *net, node_id peer, enum frame_type type, region_id region,
                      struct slice payload);

/*
 * Looks for long frames that are coming in. Called once in an interval in which a peer should be
 * heard: whatever it has to say waits behind such a frame, and the answers to that, too. Each peer
 * of whose frame at least NET_ALIVE_BYTES_MIN have come since the last call is told so, and is
 * alive (handler->alive), on both sides.
 */
void net_tell_alive(struct net *net);

/*
 * In 50 ms this is 2.6 Mbit/s, at which a frame of 8 MiB takes 26 s. What comes more slowly is no
 * sign of life: a link so bad should cost the lead.
 */
#define NET_ALIVE_BYTES_MIN (16u << 10)

/* Whether our connection to `peer` is welcomed. */
bool net_is_up(const struct net *net, node_id peer);
/* Whether it has one to us: over that its answers come. */
bool net_is_heard(const struct net *net, node_id peer);

/* ---- bulk: FRAME_SNAPSHOT ---- */

/*
 * Dials a second connection to a peer that is up; no-op if there is one already. Its outcome comes
 * by handler->bulk_up or ->bulk_down, later. ERR_UNAVAILABLE: no such peer, or it is not up.
 */
MUST_USE err net_bulk_open(struct net *net, node_id id);
/* Drops it without calling back. No-op if there is none. */
void net_bulk_close(struct net *net, node_id id);
/* Whether it is welcomed. */
bool net_bulk_is_up(const struct net *net, node_id id);
/* Whether one that the peer has dialled to us is there, and heard of (N4): also while it carries
 * nothing but pings. */
bool net_bulk_comes_from(const struct net *net, node_id id);
/* As net_send, for a FRAME_SNAPSHOT; the queue is one of its own. */
MUST_USE err net_bulk_send(struct net *net, node_id id, region_id region, struct slice payload);
/* Bytes of that queue: what the kernel has not taken yet. 0 if there is none. */
size_t net_bulk_queued(const struct net *net, node_id id);

struct net_peer_info {
    char address[ADDRESS_SIZE_MAX + 1];
    bool is_up;                                /* we reach the peer */
    bool is_heard;                             /* the peer reaches us */
    char client_address[ADDRESS_SIZE_MAX + 1]; /* what it last told; empty: never heard */
    char version[FRAME_VERSION_SIZE_MAX + 1];  /* likewise */
    uint64_t rtt_us;     /* of the last PING that was answered, queues included; 0: none yet */
    size_t queued_bytes; /* not yet taken by the kernel */
    /* Counted since the peer was set: what we queued on our connection, HELLO and PING too, and
     * what came in on the peer's once it was welcomed. */
    uint64_t connects; /* times that our connection was welcomed */
    uint64_t frames_sent;
    uint64_t bytes_sent;
    uint64_t frames_received;
    uint64_t bytes_received;
    uint64_t send_failures; /* net_send that took nothing */
    /* On both connections. TCP does none of it: not 0 means that something between changes bytes.
     */
    uint64_t frames_dropped;   /* came doubled, or after one that was sent later */
    uint64_t frames_missed;    /* were not there when a later one came: lost, or late then */
    uint64_t frames_malformed; /* not as they were sent, or not ours: the connection was closed */
};

/* Fills *out_info; false if there is no such peer. */
bool net_peer_info(const struct net *net, node_id peer, struct net_peer_info *out_info);

#endif
