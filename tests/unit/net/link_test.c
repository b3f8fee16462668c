#include "net/net_int.h"
#include "net_testing.h"

/* A link without a node around it, dialled to a listener of the test's. */
struct bare {
    struct net net;
    struct net_link link;
    struct net_peer_info info;
    struct raw_listener listener;
    unsigned frames;
};

static void bare_open(struct bare *bare, struct env *env)
{
    *bare = (struct bare){.net.options = node_options(env, 1)};
    bare->link.net = &bare->net;
    bare->link.info = &bare->info;
    const char *address = raw_listen(&bare->listener, env);
    struct raw *dialler = &bare->listener.raw; /* only its handler's ctx until it is accepted */
    net_link_open(&bare->link, env_stream_dial(env, address, raw_handler(), dialler), 100);
    AWAIT(env, bare->listener.accepted == 1);
}

static void bare_close(struct bare *bare)
{
    net_link_deinit(&bare->link);
    raw_listener_close(&bare->listener);
}

static err count_frame(void *ctx, const struct frame_header *header, struct slice payload)
{
    (void)header;
    (void)payload;
    struct bare *bare = ctx;
    bare->frames++;
    return OK;
}

static void feed_number(struct bare *bare, uint64_t sequence)
{
    struct buf *frame = raw_build(FRAME_WRITE, sequence, SLICE_LITERAL("x"));
    assert_int_equal(net_link_feed(&bare->link, buf_slice(frame), count_frame, bare), OK);
    buf_unref(frame);
}

static void every_frame_bears_our_cluster_and_id_and_the_next_number(void **state)
{
    struct env *env = *state;
    struct bare bare;
    bare_open(&bare, env);
    assert_int_equal(net_link_write_u64(&bare.link, FRAME_PING, 5), FRAME_HEADER_SIZE + 8);
    AWAIT(env, raw_has(&bare.listener.raw, FRAME_PING));
    assert_int_equal(bare.listener.raw.header.cluster_id, CLUSTER);
    assert_int_equal(bare.listener.raw.header.from, 1);
    assert_int_equal(bare.listener.raw.header.sequence, 1);
    assert_int_equal(load_u64(bare.listener.raw.payload.data), 5);

    net_link_write_hello(&bare.link, FRAME_HELLO, 2);
    AWAIT(env, raw_has(&bare.listener.raw, FRAME_HELLO));
    assert_int_equal(bare.listener.raw.header.sequence, 2);
    struct frame_hello hello;
    assert_int_equal(frame_hello_decode(writer_slice(&bare.listener.raw.payload), &hello), OK);
    assert_int_equal(hello.to, 2);
    assert_int_equal(hello.instance, 1001);
    assert_true(slice_equal(hello.version, SLICE_LITERAL("1.2.3")));
    bare_close(&bare);
}

static void what_is_gathered_is_bounded_and_ends_the_silence(void **state)
{
    struct env *env = *state;
    struct bare bare;
    bare_open(&bare, env);
    bare.link.silent_ticks = 3;
    static const uint8_t zeros[200];
    struct buf *frame = raw_build(FRAME_RAFT, 1, (struct slice){zeros, sizeof(zeros)});
    struct slice bytes = buf_slice(frame);
    assert_int_equal(net_link_feed(&bare.link, bytes, count_frame, &bare), OK); /* none was left */
    assert_int_equal(bare.frames, 1);
    assert_int_equal(bare.link.silent_ticks, 0);
    bytes.size = 100;
    assert_int_equal(net_link_feed(&bare.link, bytes, count_frame, &bare), OK);
    bytes.data += 100;
    bytes.size = 1;
    assert_int_equal(net_link_feed(&bare.link, bytes, count_frame, &bare), ERR_MALFORMED);
    assert_int_equal(bare.frames, 1);
    assert_int_equal(bare.info.frames_malformed, 1);
    buf_unref(frame);
    bare_close(&bare);
}

static void a_damaged_frame_is_counted_and_not_handed_on(void **state)
{
    struct bare bare;
    bare_open(&bare, *state);
    struct buf *frame = raw_build(FRAME_RAFT, 1, SLICE_LITERAL("payload"));
    frame->data[frame->size - 1] ^= 0x10;
    assert_int_equal(net_link_feed(&bare.link, buf_slice(frame), count_frame, &bare),
                     ERR_MALFORMED);
    assert_int_equal(bare.frames, 0);
    assert_int_equal(bare.info.frames_malformed, 1);
    buf_unref(frame);
    bare_close(&bare);
}

static void a_doubled_frame_is_dropped(void **state)
{
    struct bare bare;
    bare_open(&bare, *state);
    feed_number(&bare, 1);
    feed_number(&bare, 1);
    assert_int_equal(bare.frames, 1);
    feed_number(&bare, 2);
    feed_number(&bare, 1);
    feed_number(&bare, 2);
    assert_int_equal(bare.frames, 2);
    assert_int_equal(bare.info.frames_dropped, 3);
    assert_int_equal(bare.info.frames_missed, 0);
    bare_close(&bare);
}

static void a_late_frame_is_dropped(void **state)
{
    struct bare bare;
    bare_open(&bare, *state);
    feed_number(&bare, 1);
    feed_number(&bare, 3);
    assert_int_equal(bare.frames, 2);
    feed_number(&bare, 2);
    assert_int_equal(bare.frames, 2);
    assert_int_equal(bare.info.frames_dropped, 1);
    assert_int_equal(bare.info.frames_missed, 1);
    bare_close(&bare);
}

static void what_comes_after_lost_frames_is_taken(void **state)
{
    struct bare bare;
    bare_open(&bare, *state);
    feed_number(&bare, 1);
    feed_number(&bare, 5);
    feed_number(&bare, 6);
    assert_int_equal(bare.frames, 3);
    assert_int_equal(bare.info.frames_dropped, 0);
    assert_int_equal(bare.info.frames_missed, 3);
    bare_close(&bare);
}

static void a_link_that_is_opened_again_remembers_neither_bytes_nor_numbers(void **state)
{
    struct env *env = *state;
    struct bare bare;
    bare_open(&bare, env);
    net_link_write_u64(&bare.link, FRAME_PING, 5);
    feed_number(&bare, 1);
    struct buf *frame = raw_build(FRAME_RAFT, 2, SLICE_LITERAL("x"));
    struct slice half = {frame->data, 20};
    assert_int_equal(net_link_feed(&bare.link, half, count_frame, &bare), OK);
    buf_unref(frame);
    net_link_close(&bare.link);
    net_link_close(&bare.link);
    const char *address = env_listener_address(bare.listener.listener);
    struct env_stream *stream = env_stream_dial(env, address, raw_handler(), &bare.listener.raw);
    net_link_open(&bare.link, stream, 100);
    feed_number(&bare, 1);
    assert_int_equal(bare.frames, 2);
    assert_int_equal(bare.info.frames_missed, 0);
    AWAIT(env, bare.listener.accepted == 2);
    net_link_write_u64(&bare.link, FRAME_PING, 6);
    AWAIT(env, raw_has(&bare.listener.raw, FRAME_PING));
    assert_int_equal(bare.listener.raw.header.sequence, 1);
    bare_close(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(every_frame_bears_our_cluster_and_id_and_the_next_number),
        NET_TEST(what_is_gathered_is_bounded_and_ends_the_silence),
        NET_TEST(a_damaged_frame_is_counted_and_not_handed_on),
        NET_TEST(a_doubled_frame_is_dropped),
        NET_TEST(a_late_frame_is_dropped),
        NET_TEST(what_comes_after_lost_frames_is_taken),
        NET_TEST(a_link_that_is_opened_again_remembers_neither_bytes_nor_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
