#include "net/net_int.h"
#include "net_testing.h"

/* A link without a node around it, dialled to a listener of the test's. */
struct bare {
    struct net net;
    struct net_link link;
    struct raw_listener listener;
    unsigned frames;
};

static void bare_open(struct bare *bare, struct env *env)
{
    *bare = (struct bare){.net.options = node_options(env, 1)};
    bare->link.net = &bare->net;
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
    buf_unref(frame);
    bare_close(&bare);
}

static void a_link_that_is_opened_again_remembers_no_bytes(void **state)
{
    struct env *env = *state;
    struct bare bare;
    bare_open(&bare, env);
    struct buf *frame = raw_build(FRAME_RAFT, 1, SLICE_LITERAL("x"));
    struct slice half = {frame->data, 20};
    assert_int_equal(net_link_feed(&bare.link, half, count_frame, &bare), OK);
    net_link_close(&bare.link);
    net_link_close(&bare.link);
    const char *address = env_listener_address(bare.listener.listener);
    struct env_stream *stream = env_stream_dial(env, address, raw_handler(), &bare.listener.raw);
    net_link_open(&bare.link, stream, 100);
    assert_int_equal(net_link_feed(&bare.link, buf_slice(frame), count_frame, &bare), OK);
    assert_int_equal(bare.frames, 1);
    buf_unref(frame);
    bare_close(&bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(every_frame_bears_our_cluster_and_id_and_the_next_number),
        NET_TEST(what_is_gathered_is_bounded_and_ends_the_silence),
        NET_TEST(a_link_that_is_opened_again_remembers_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
