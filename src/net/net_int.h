/*
 * Inside of net: one struct net_peer for each peer, with the connection that we dial to it; one
 * struct net_inbound for each accepted connection; one struct net_bulk for each that is dialled for
 * bulk. net.c owns all, dial.c, accept.c and bulk.c drive them, link.c is what they share: frames
 * over one stream.
 */
#ifndef NET_NET_INT_H
#define NET_NET_INT_H

#include "base/list.h"
#include "net/net.h"

/* Delays in milliseconds; every one is shortened by up to a half, by chance. */
#define NET_HELD_MS 100u /* a connection that was up for so long is first dialled anew after */
#define NET_RETRY_FIRST_MS 10u
#define NET_RETRY_MIN_MS 50u
#define NET_RETRY_MAX_MS 1000u
#define NET_REFUSED_RETRY_MS 8000u

/* In ticks (N4). The dialler gives up first: it knows best, and redials. */
#define NET_HANDSHAKE_TICKS_MAX 5u
#define NET_DIALLED_SILENCE_TICKS_MAX 5u
#define NET_ACCEPTED_SILENCE_TICKS_MAX 10u
_Static_assert(NET_DIALLED_SILENCE_TICKS_MAX < NET_ACCEPTED_SILENCE_TICKS_MAX,
               "an accepted connection hears a PING each tick for as long as its dialler lives");

/* In a PONG that answers no PING (whose value is a time, not 0): a long frame is coming in. In one
 * with 0: bytes have come, but no PING, in this tick. */
#define NET_PONG_ALIVE UINT64_MAX

#define NET_WAITING_MAX 32u /* accepted connections that have not been welcomed */
#define NET_HANDSHAKE_SIZE_MAX                                                                     \
    1024u /* of a frame in the handshake, and of what comes back later  \
                                      */
#define NET_ANSWERS_QUEUE_MAX (64u << 10) /* WELCOME and PONGs that the dialler does not take */
_Static_assert(FRAME_HEADER_SIZE + 32 + 2 * ADDRESS_SIZE_MAX + FRAME_VERSION_SIZE_MAX <
                   NET_HANDSHAKE_SIZE_MAX,
               "a HELLO fits");

/* ---- link.c ---- */

/* Frames over one stream. */
struct net_link {
    struct net *net;
    struct env_stream *stream; /* NULL: closed */
    struct frame_parser parser;
    size_t gather_max;     /* a frame may not be larger than this while it comes in */
    uint32_t silent_ticks; /* since bytes came in */
    size_t coming;         /* bytes of a frame that was not whole when net_tell_alive last looked */
    /* Numbers of the last frame that was queued and of the last that was taken; 0: none yet. */
    uint64_t sent;
    uint64_t received;
    struct net_peer_info *info; /* where losses are counted; NULL: nowhere, it is nobody's yet */
};

/* Owns `stream` from now on; the link was closed, and nothing is fed to it now. */
void net_link_open(struct net_link *link, struct env_stream *stream, size_t gather_max);
/* Keeps the parser, which may be at work further up the stack (N5). Idempotent. */
void net_link_close(struct net_link *link);
/* Gives the rest back. Not while bytes are fed. */
void net_link_deinit(struct net_link *link);
/* Each queues one frame and returns its size on the wire. The link is open. */
size_t net_link_write(struct net_link *link, enum frame_type type, region_id region,
                      struct slice payload);
size_t net_link_write_u64(struct net_link *link, enum frame_type type, uint64_t value);
/* `type` is HELLO, HELLO_BULK or WELCOME. */
size_t net_link_write_hello(struct net_link *link, enum frame_type type, node_id to);
/*
 * Feeds the parser. `handler` gets each frame whose number is above that of the last one that it
 * got, and so none twice and none late (N2). A handler under which the link was closed returns
 * ERR_CLOSED; then there is nothing left to do. Every other error, ERR_MALFORMED first of all,
 * means that it is to be closed.
 */
MUST_USE err net_link_feed(struct net_link *link, struct slice bytes, frame_handler_fn *handler,
                           void *ctx);

/* How much of a frame that is not whole yet has come since the last call. */
size_t net_link_advance(struct net_link *link);

/* ---- peers and what they own ---- */

/*
 *             net_peer_set              connected               WELCOME
 *   WAITING ────────────────> CONNECTING ────────> GREETING ────────> UP
 *      ^    or the retry timer     │                  │               │
 *      └───────────────────────────┴──────────────────┴───────────────┘
 *          failed, refused, silent for too long, malformed, new address
 */
enum net_dial_state {
    NET_DIAL_WAITING,
    NET_DIAL_CONNECTING,
    NET_DIAL_GREETING,
    NET_DIAL_UP,
};

struct net_peer {
    struct net *net;
    node_id id;
    uint64_t instance; /* of its data directory; 0: not met yet */
    char address[ADDRESS_SIZE_MAX + 1];
    struct net_link link; /* the dialled one */
    enum net_dial_state state;
    struct env_timer retry;      /* runs while WAITING */
    uint32_t retry_delay_ms;     /* of the next failure */
    uint64_t up_since_ns;        /* a PONG cannot answer anything older */
    bool is_outage_logged;       /* that it cannot be reached is said once, until it is up again */
    struct net_inbound *inbound; /* the welcomed connection from the peer, or NULL */
    struct net_bulk *bulk;       /* dialled for bulk, or NULL */
    struct net_inbound *bulk_inbound; /* the peer's for bulk, welcomed, or NULL */
    struct net_peer_info info; /* counters, and what the peer told; the rest is filled when asked */
    struct list grave;         /* in net->dead_peers once removed */
};

enum net_inbound_state {
    NET_INBOUND_WAITING, /* for HELLO */
    NET_INBOUND_REFUSED, /* REFUSE is on its way; for the dialler to close */
    NET_INBOUND_WELCOMED,
    NET_INBOUND_CLOSED,
};

struct net_inbound {
    struct net_link link;
    enum net_inbound_state state;
    struct net_peer *peer; /* while WELCOMED */
    bool is_bulk;
    uint32_t waited_ticks; /* while WAITING or REFUSED: bytes do not set this back */
    bool is_answered;      /* a PONG went out in this tick */
    struct list siblings;  /* in net->waiting (WAITING, REFUSED) or net->dead_inbounds (CLOSED) */
};

enum net_bulk_state {
    NET_BULK_CONNECTING,
    NET_BULK_GREETING,
    NET_BULK_UP,
    NET_BULK_CLOSED,
};

struct net_bulk {
    struct net_link link;
    struct net_peer *peer; /* unless CLOSED */
    enum net_bulk_state state;
    struct list grave; /* in net->dead_bulks once CLOSED */
};

struct net {
    struct net_options options;
    const struct net_handler *handler;
    void *ctx;
    struct env_listener *listener;
    struct env_timer tick;
    struct env_turn turn;
    struct net_peer *peers[MEMBERS_MAX];
    uint32_t peer_count;
    struct list waiting; /* struct net_inbound, oldest first */
    uint32_t waiting_count;
    /* Closed in this turn, and perhaps still on the stack (N5). */
    struct list dead_peers;
    struct list dead_inbounds;
    struct list dead_bulks;
};

/* ---- net.c ---- */

/* NULL if there is none. */
struct net_peer *net_peer_find(const struct net *net, node_id id);
/* Whether it is not the data directory that was met under this id before. */
bool net_peer_is_other(const struct net_peer *peer, const struct frame_hello *hello);
/* Calls handler->alive. */
void net_peer_alive(const struct net_peer *peer);
/* Notes what the peer says of itself in its HELLO or WELCOME. */
void net_peer_told(struct net_peer *peer, const struct frame_hello *hello);

/* ---- dial.c ---- */

/* Begins with the first attempt at once. */
void net_dial_init(struct net_peer *peer);
/* Drops the connection, if there is one (handler->down), and dials the address anew. */
void net_dial_restart(struct net_peer *peer);
/* The peer is alive, it has just reached us: no reason to wait any longer. */
void net_dial_hint(struct net_peer *peer);
/* Checks for silence and sends PING. */
void net_dial_tick(struct net_peer *peer);
/* Closes without calling back; the peer will not be dialled any more. */
void net_dial_deinit(struct net_peer *peer);

/* ---- bulk.c ---- */

/* Checks for silence and sends PING. */
void net_bulk_tick(struct net_bulk *bulk);
/* Gives back one that is closed and not on the stack any more. */
void net_bulk_free(struct net_bulk *bulk);

/* ---- accept.c ---- */

/* Takes a stream just accepted. If NET_WAITING_MAX are waiting, the oldest of them is closed. */
void net_accept_stream(struct net *net, struct env_stream *stream);
/* Checks for silence and keeps the dialler sure of us while a long frame is coming in. */
void net_accept_tick(struct net_inbound *inbound);
/* As net_tell_alive, of one connection. */
void net_accept_tell_alive(struct net_inbound *inbound);
/* Closes it; the memory goes when the turn ends. Idempotent. */
void net_accept_close(struct net_inbound *inbound);

#endif
