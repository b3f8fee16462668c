/*
 * What the tests of net share: nodes on loopback in one process, each with its log captured, and
 * raw peers that say to a node what no node would say.
 */
#ifndef NET_TESTING_H
#define NET_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "env/uv.h"
#include "net/net.h"

#define TICK_MS 20u
#define PATIENCE_MS 20000u /* of a condition that is about to come true; a failure, not a wait */
#define CLUSTER 77u
#define FRAMES_MAX 64u

/* Runs the loop until `condition` holds; each net's tick keeps the turns coming. */
#define AWAIT(env, condition)                                                                      \
    do {                                                                                           \
        uint64_t deadline_ms_ = env_now_ms(env) + PATIENCE_MS;                                     \
        while (!(condition)) {                                                                     \
            env_uv_run_once((env), true);                                                          \
            if (env_now_ms(env) > deadline_ms_) {                                                  \
                fail_msg("never came true: %s", #condition);                                       \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* ---- nodes ---- */

struct node {
    struct env *env;
    struct net *net;
    struct log *log;
    struct writer lines; /* all of the log, NUL-terminated by node_has_logged */
    unsigned ups;
    unsigned downs;
    unsigned losses; /* handler->unheard */
    unsigned bulk_ups;
    unsigned bulk_downs;
    unsigned goings; /* handler->gone */
    unsigned alives; /* handler->alive */
    unsigned frames;
    node_id from; /* of the last frame */
    enum frame_type type;
    region_id region;
    struct writer payload;  /* of the last frame */
    struct writer payloads; /* of all frames, one after the other, without the very large */
    /* Called from the callbacks, if set. */
    void (*on_frame)(struct node *node, node_id from);
    void (*on_up)(struct node *node, node_id peer);
    void (*on_down)(struct node *node, node_id peer);
    void (*on_unheard)(struct node *node, node_id peer);
    void (*on_alive)(struct node *node, node_id peer);
    void (*on_bulk_up)(struct node *node, node_id peer);
    int meetings; /* handler->met: how often, and the last one */
    node_id met_peer;
    uint64_t met_instance;
    bool takes_strangers; /* handler->stranger: what it answers, and who was last asked about */
    node_id stranger;
    uint64_t knows_as_of;   /* what it tells those it does not take */
    uint64_t unknown_as_of; /* handler->unknown: what the node was told last */
};

static inline void node_frame(void *ctx, node_id from, enum frame_type type, region_id region,
                              struct slice payload)
{
    struct node *node = ctx;
    node->frames++;
    node->from = from;
    node->type = type;
    node->region = region;
    writer_reset(&node->payload);
    writer_bytes(&node->payload, payload);
    if (payload.size < 65536) {
        writer_bytes(&node->payloads, payload);
    }
    if (node->on_frame != NULL) {
        node->on_frame(node, from);
    }
}

static inline void node_up(void *ctx, node_id peer)
{
    struct node *node = ctx;
    node->ups++;
    if (node->on_up != NULL) {
        node->on_up(node, peer);
    }
}

static inline void node_down(void *ctx, node_id peer)
{
    struct node *node = ctx;
    node->downs++;
    if (node->on_down != NULL) {
        node->on_down(node, peer);
    }
}

static inline void node_unheard(void *ctx, node_id peer)
{
    struct node *node = ctx;
    node->losses++;
    if (node->on_unheard != NULL) {
        node->on_unheard(node, peer);
    }
}

static inline void node_bulk_up(void *ctx, node_id peer)
{
    struct node *node = ctx;
    node->bulk_ups++;
    if (node->on_bulk_up != NULL) {
        node->on_bulk_up(node, peer);
    }
}

static inline void node_bulk_down(void *ctx, node_id peer)
{
    struct node *node = ctx;
    (void)peer;
    node->bulk_downs++;
}

static inline void node_gone(void *ctx, node_id peer)
{
    struct node *node = ctx;
    (void)peer;
    node->goings++;
}

static inline void node_alive(void *ctx, node_id peer)
{
    struct node *node = ctx;
    node->alives++;
    if (node->on_alive != NULL) {
        node->on_alive(node, peer);
    }
}

static inline void node_met(void *ctx, node_id peer, uint64_t instance)
{
    struct node *node = ctx;
    node->meetings++;
    node->met_peer = peer;
    node->met_instance = instance;
}

static inline bool node_stranger(void *ctx, node_id id, const char *address, uint64_t *out_as_of)
{
    struct node *node = ctx;
    node->stranger = id;
    *out_as_of = node->knows_as_of;
    if (node->takes_strangers) {
        assert_int_equal(net_peer_set(node->net, id, address), OK);
    }
    return node->takes_strangers;
}

static inline void node_unknown(void *ctx, node_id peer, uint64_t as_of)
{
    struct node *node = ctx;
    (void)peer;
    node->unknown_as_of = as_of;
}

static inline void node_log_sink(void *ctx, enum log_level level, const char *line, size_t size)
{
    (void)level;
    struct node *node = ctx;
    writer_bytes(&node->lines, (struct slice){(const uint8_t *)line, size});
}

static inline uint64_t node_log_clock(void *ctx)
{
    return env_wall_ms(ctx);
}

static inline bool node_has_logged(struct node *node, const char *text)
{
    writer_u8(&node->lines, 0);
    node->lines.size--;
    return strstr((const char *)node->lines.data, text) != NULL;
}

static inline const struct net_handler *node_handler(void)
{
    static const struct net_handler handler = {.frame = node_frame,
                                               .up = node_up,
                                               .down = node_down,
                                               .unheard = node_unheard,
                                               .bulk_up = node_bulk_up,
                                               .bulk_down = node_bulk_down,
                                               .gone = node_gone,
                                               .alive = node_alive,
                                               .met = node_met,
                                               .stranger = node_stranger,
                                               .unknown = node_unknown};
    return &handler;
}

/* What a node of the tests is opened with; a test changes what it is about. */
static inline struct net_options node_options(struct env *env, node_id id)
{
    return (struct net_options){
        .env = env,
        .cluster_id = CLUSTER,
        .id = id,
        .instance = 1000 + id,
        .listen_address = "127.0.0.1:0",
        .client_address = "127.0.0.1:3000",
        .peer_address = "",
        .version = "1.2.3",
        .queue_bytes_max = 1u << 20,
        .tick_ms = TICK_MS,
    };
}

static inline void node_open(struct node *node, struct net_options options)
{
    struct log_options log_options = {
        .level = LOG_LEVEL_DEBUG,
        .sink = node_log_sink,
        .sink_ctx = node,
        .clock = node_log_clock,
        .clock_ctx = options.env,
    };
    node->env = options.env;
    node->log = log_new(&log_options);
    options.log = node->log;
    struct err_note note = {{0}};
    if (net_open(&node->net, &options, node_handler(), node, &note) != OK) {
        fail_msg("%s", note.text);
    }
}

static inline void node_close(struct node *node)
{
    net_close(node->net);
    log_free(node->log);
    writer_deinit(&node->lines);
    writer_deinit(&node->payload);
    writer_deinit(&node->payloads);
    *node = (struct node){0};
}

static inline void node_knows(struct node *node, node_id peer, const char *address)
{
    assert_int_equal(net_peer_set(node->net, peer, address), OK);
}

static inline struct net_peer_info node_info(struct node *node, node_id peer)
{
    struct net_peer_info info;
    assert_true(net_peer_info(node->net, peer, &info));
    return info;
}

static inline err node_send(struct node *node, node_id peer, struct slice payload)
{
    return net_send(node->net, peer, FRAME_RAFT, 1, payload);
}

/* Nodes 1 and 2, each connected to the other. */
static inline void pair_open(struct env *env, struct node *one, struct node *two)
{
    node_open(one, node_options(env, 1));
    node_open(two, node_options(env, 2));
    node_knows(one, 2, net_address(two->net));
    node_knows(two, 1, net_address(one->net));
    AWAIT(env, net_is_up(one->net, 2) && net_is_up(two->net, 1));
}

/* ---- raw peers ---- */

/* A stream that a test speaks on; what comes back is kept. */
struct raw {
    struct env_stream *stream;
    uint64_t sent; /* the number of the last frame that raw_send numbered */
    bool is_connected;
    bool is_ended;
    struct frame_parser parser;
    unsigned frames; /* but for those PONGs that nobody asked for: they come any time */
    unsigned unasked_pongs;
    unsigned alive_pongs;       /* to our net_tell_alive */
    struct frame_header header; /* of the last frame */
    struct writer payload;
};

static inline void raw_connected(void *ctx, struct env_stream *stream, err e)
{
    (void)stream;
    struct raw *raw = ctx;
    assert_int_equal(e, OK);
    raw->is_connected = true;
}

static inline err raw_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    struct raw *raw = ctx;
    if (header->type == FRAME_PONG && payload.size == 8 && load_u64(payload.data) == 0) {
        raw->unasked_pongs++;
        return OK;
    }
    if (header->type == FRAME_PONG && load_u64(payload.data) == UINT64_MAX) {
        raw->alive_pongs++;
        return OK;
    }
    raw->frames++;
    raw->header = *header;
    writer_reset(&raw->payload);
    writer_bytes(&raw->payload, payload);
    return OK;
}

static inline void raw_received(void *ctx, struct env_stream *stream, struct slice bytes)
{
    (void)stream;
    struct raw *raw = ctx;
    assert_int_equal(frame_parser_feed(&raw->parser, bytes, raw_frame, raw), OK);
}

static inline void raw_ended(void *ctx, struct env_stream *stream)
{
    (void)stream;
    struct raw *raw = ctx;
    raw->is_ended = true;
}

static inline void raw_drained(void *ctx, struct env_stream *stream)
{
    (void)ctx;
    (void)stream;
}

static inline const struct env_stream_handler *raw_handler(void)
{
    static const struct env_stream_handler handler = {
        .connected = raw_connected,
        .received = raw_received,
        .ended = raw_ended,
        .drained = raw_drained,
    };
    return &handler;
}

static inline void raw_dial(struct raw *raw, struct env *env, const char *address)
{
    *raw = (struct raw){0};
    raw->stream = env_stream_dial(env, address, raw_handler(), raw);
    AWAIT(env, raw->is_connected);
}

static inline void raw_close(struct raw *raw)
{
    env_stream_close(raw->stream);
    frame_parser_deinit(&raw->parser);
    writer_deinit(&raw->payload);
    *raw = (struct raw){0};
}

static inline void raw_bytes(struct raw *raw, struct slice bytes)
{
    struct buf *buf = buf_copy(bytes);
    env_stream_write(raw->stream, &buf, 1);
    buf_unref(buf);
}

/* Gives the frame the next number, unless `header` has one: then it is sent with that. */
static inline void raw_send(struct raw *raw, struct frame_header header, struct slice payload)
{
    if (header.sequence == 0) {
        header.sequence = ++raw->sent;
    }
    struct buf *frame = frame_build(&header, payload);
    env_stream_write(raw->stream, &frame, 1);
    buf_unref(frame);
}

/* Without a number. */
static inline struct frame_header raw_header(enum frame_type type, node_id from)
{
    return (struct frame_header){.type = type, .cluster_id = CLUSTER, .from = from, .region = 1};
}

/* Node 2's frame with this number. Caller unrefs. */
static inline struct buf *raw_build(enum frame_type type, uint64_t sequence, struct slice payload)
{
    struct frame_header header = raw_header(type, 2);
    header.sequence = sequence;
    return frame_build(&header, payload);
}

/* HELLO or WELCOME. */
static inline void raw_greet(struct raw *raw, enum frame_type type, node_id from, node_id to,
                             uint64_t instance)
{
    struct frame_hello hello = {
        .protocol = FRAME_PROTOCOL,
        .to = to,
        .instance = instance,
        .client_address = SLICE_LITERAL("127.0.0.1:3999"),
        .version = SLICE_LITERAL("raw"),
    };
    struct writer payload = {0};
    frame_hello_encode(&hello, &payload);
    raw_send(raw, raw_header(type, from), writer_slice(&payload));
    writer_deinit(&payload);
}

static inline bool raw_has(const struct raw *raw, enum frame_type type)
{
    return raw->frames > 0 && raw->header.type == type;
}

/* A listener whose connections a test answers by itself; it keeps the last one. */
struct raw_listener {
    struct env_listener *listener;
    unsigned accepted;
    struct raw raw;
};

static inline void raw_accepted(void *ctx, struct env_stream *stream)
{
    struct raw_listener *listener = ctx;
    raw_close(&listener->raw);
    listener->accepted++;
    listener->raw.stream = stream;
    env_stream_set_handler(stream, raw_handler(), &listener->raw);
}

static inline const char *raw_listen(struct raw_listener *listener, struct env *env)
{
    *listener = (struct raw_listener){0};
    struct err_note note = {{0}};
    assert_int_equal(
        env_listen(env, "127.0.0.1:0", raw_accepted, listener, &listener->listener, &note), OK);
    return env_listener_address(listener->listener);
}

static inline void raw_listener_close(struct raw_listener *listener)
{
    raw_close(&listener->raw);
    env_listener_close(listener->listener);
}

/* ---- one environment a test ---- */

static inline int env_setup(void **state)
{
    *state = env_uv_open();
    return 0;
}

static inline int env_teardown(void **state)
{
    env_uv_close(*state);
    return 0;
}

#define NET_TEST(test) cmocka_unit_test_setup_teardown(test, env_setup, env_teardown)

#endif
