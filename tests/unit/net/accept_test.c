#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "env/address.h"
#include "net/net.h"
#include "net/net_int.h"
#include "net_testing.h"

/* Node 1, which knows of a peer 2 that it cannot reach. */
static void node_open_alone(struct node *node, struct env *env)
{
    node_open(node, node_options(env, 1));
    node_knows(node, 2, "127.0.0.1:1");
}

/* A raw peer that `node` has welcomed as node 2. */
static void raw_join(struct raw *raw, struct node *node, uint64_t instance)
{
    raw_dial(raw, node->env, net_address(node->net));
    raw_greet(raw, FRAME_HELLO, 2, 1, instance);
    AWAIT(node->env, raw->frames > 0);
    assert_int_equal(raw->header.type, FRAME_WELCOME);
}

/* ---- who is refused ---- */

static void assert_refused(struct raw *raw, enum frame_refusal reason)
{
    assert_int_equal(raw->header.type, FRAME_REFUSE);
    struct frame_refuse refuse;
    assert_int_equal(frame_refuse_decode(writer_slice(&raw->payload), &refuse), OK);
    assert_int_equal(refuse.reason, reason);
    assert_true(refuse.text.size > 0);
}

static void another_cluster_is_refused_with_a_line_on_both_sides(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    node_open(&one, node_options(env, 1));
    struct net_options options = node_options(env, 2);
    options.cluster_id = CLUSTER + 1;
    node_open(&two, options);
    node_knows(&one, 2, net_address(two.net));
    node_knows(&two, 1, net_address(one.net));
    AWAIT(env,
          node_has_logged(&one, "refused by peer") && node_has_logged(&two, "refused by peer"));
    assert_true(node_has_logged(&one, "peer connection refused"));
    assert_true(node_has_logged(&one, "reason=cluster"));
    assert_true(node_has_logged(&two, "peer connection refused"));
    assert_true(node_has_logged(&two, "reason=cluster"));
    assert_int_equal(one.ups + two.ups, 0);
    node_close(&one);
    node_close(&two);
}

static void a_node_that_nobody_knows_is_refused_with_a_line_on_both_sides(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    node_open(&one, node_options(env, 1));
    node_open(&two, node_options(env, 2));
    node_knows(&two, 1, net_address(one.net));
    AWAIT(env, node_has_logged(&two, "refused by peer"));
    assert_true(node_has_logged(&two, "reason=unknown"));
    assert_true(node_has_logged(&one, "peer connection refused"));
    assert_true(node_has_logged(&one, "reason=unknown"));
    node_close(&one);
    node_close(&two);
}

static void a_node_with_our_own_id_is_refused_with_a_line_on_both_sides(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    raw_greet(&raw, FRAME_HELLO, 1, 1, 9);
    AWAIT(env, raw.frames > 0);
    assert_refused(&raw, FRAME_REFUSAL_ID_TAKEN);
    assert_true(node_has_logged(&one, "reason=id-taken"));
    raw_close(&raw);
    node_close(&one);
}

static void an_id_that_a_live_node_has_is_refused_with_a_line_on_both_sides(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    struct node second_two = {0};
    struct net_options options = node_options(env, 2);
    options.instance = 9;
    node_open(&second_two, options);
    node_knows(&second_two, 1, net_address(one.net));
    AWAIT(env, node_has_logged(&second_two, "refused by peer"));
    assert_true(node_has_logged(&second_two, "reason=id-taken"));
    assert_true(node_has_logged(&one, "reason=id-taken"));
    assert_true(net_is_up(two.net, 1));
    assert_int_equal(second_two.ups, 0);
    node_close(&one);
    node_close(&two);
    node_close(&second_two);
}

static void a_hello_for_another_node_is_refused(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    raw_greet(&raw, FRAME_HELLO, 2, 3, 9);
    AWAIT(env, raw.frames > 0);
    assert_refused(&raw, FRAME_REFUSAL_UNKNOWN);
    assert_true(node_has_logged(&one, "this is node 1, not 3"));
    raw_close(&raw);
    node_close(&one);
}

/* Node 2 knows node 1; node 1 learns of node 2, and where it is reached, by its HELLO alone. */
static void a_stranger_is_taken_if_the_owner_says_so_and_dialled_back(void **state)
{
    struct env *env = *state;
    struct node one = {.takes_strangers = true};
    struct node two = {0};
    node_open(&one, node_options(env, 1));
    struct raw_listener listener = {0};
    struct net_options options = node_options(env, 2);
    options.peer_address = raw_listen(&listener, env);
    node_open(&two, options);
    node_knows(&two, 1, net_address(one.net));
    AWAIT(env, net_is_up(two.net, 1) && listener.accepted > 0);
    assert_int_equal(one.stranger, 2);
    assert_string_equal(node_info(&one, 2).address, options.peer_address);
    raw_listener_close(&listener);
    node_close(&one);
    node_close(&two);
}

static void a_stranger_that_the_owner_does_not_take_is_refused_and_told_as_of_when(void **state)
{
    struct env *env = *state;
    struct node one = {.knows_as_of = 77};
    struct node two = {0};
    node_open(&one, node_options(env, 1));
    struct net_options options = node_options(env, 2);
    options.peer_address = "127.0.0.1:1";
    node_open(&two, options);
    node_knows(&two, 1, net_address(one.net));
    AWAIT(env, node_has_logged(&two, "reason=unknown"));
    assert_int_equal(one.stranger, 2);
    AWAIT(env, two.unknown_as_of == 77);
    node_close(&one);
    node_close(&two);
}

static void another_protocol_is_refused(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    struct writer payload = {0};
    writer_u32(&payload, FRAME_PROTOCOL + 1);
    writer_bytes(&payload, SLICE_LITERAL("whatever comes then"));
    raw_send(&raw, raw_header(FRAME_HELLO, 2), writer_slice(&payload));
    writer_deinit(&payload);
    AWAIT(env, raw.frames > 0);
    assert_refused(&raw, FRAME_REFUSAL_VERSION);
    raw_close(&raw);
    node_close(&one);
}

static void a_new_connection_of_the_same_instance_replaces_the_old_one(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw old;
    struct raw new;
    raw_join(&old, &one, 9);
    raw_join(&new, &one, 9);
    AWAIT(env, old.is_ended);
    assert_int_equal(one.losses, 1);
    raw_send(&new, raw_header(FRAME_RAFT, 2), SLICE_LITERAL("new"));
    AWAIT(env, one.frames == 1);
    raw_close(&old);
    assert_true(net_is_heard(one.net, 2));
    raw_close(&new);
    AWAIT(env, !node_info(&one, 2).is_heard);
    assert_false(net_is_heard(one.net, 2));
    assert_int_equal(one.losses, 2);
    assert_int_equal(one.meetings, 1);
    assert_int_equal(one.met_peer, 2);
    assert_int_equal(one.met_instance, 9);
    node_close(&one);
}

static void an_id_stays_with_the_data_directory_that_was_met_first(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    raw_close(&raw);
    AWAIT(env, !node_info(&one, 2).is_heard);
    raw_dial(&raw, env, net_address(one.net));
    raw_greet(&raw, FRAME_HELLO, 2, 1, 10); /* nobody has the id now, but this is not who had it */
    AWAIT(env, raw.frames > 0);
    assert_refused(&raw, FRAME_REFUSAL_ID_TAKEN);
    assert_true(node_has_logged(&one, "must not come back under its old id"));
    raw_close(&raw);
    raw_join(&raw, &one, 9);
    raw_close(&raw);
    node_close(&one);
}

static void who_was_met_in_an_earlier_life_is_expected_again(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    net_peer_expect(one.net, 2, 9);
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    raw_greet(&raw, FRAME_HELLO, 2, 1, 10);
    AWAIT(env, raw.frames > 0);
    assert_refused(&raw, FRAME_REFUSAL_ID_TAKEN);
    raw_close(&raw);
    raw_join(&raw, &one, 9);
    assert_int_equal(one.meetings, 0);
    raw_close(&raw);
    node_close(&one);
}

/* ---- what is not taken ---- */

static void a_corrupted_byte_closes_the_connection_and_nothing_wrong_is_delivered(void **state)
{
    struct env *env = *state;
    struct buf *good = raw_build(FRAME_RAFT, 2, SLICE_LITERAL("good"));
    struct buf *next = raw_build(FRAME_RAFT, 3, SLICE_LITERAL("bad"));
    struct buf *last = raw_build(FRAME_RAFT, 4, SLICE_LITERAL("too late"));
    for (size_t offset = 0; offset < next->size; offset++) {
        if (offset == 4 || offset == 5 || offset == 6) {
            continue; /* a length that is too large: the CRC is wrong once so much has come */
        }
        struct node one = {0};
        node_open_alone(&one, env);
        struct raw raw;
        raw_join(&raw, &one, 9);
        struct buf *bad = buf_copy(buf_slice(next));
        bad->data[offset] ^= 0x40;
        env_stream_write(raw.stream, &good, 1);
        env_stream_write(raw.stream, &bad, 1);
        env_stream_write(raw.stream, &last, 1);
        AWAIT(env, raw.is_ended);
        assert_int_equal(one.frames, 1);
        assert_true(slice_equal(writer_slice(&one.payloads), SLICE_LITERAL("good")));
        assert_true(node_has_logged(&one, "malformed frame"));
        assert_true(node_has_logged(&one, "peer=2"));
        assert_int_equal(one.losses, 1);
        buf_unref(bad);
        raw_close(&raw);
        node_close(&one);
    }
    buf_unref(good);
    buf_unref(next);
    buf_unref(last);
}

static void a_corrupted_length_delivers_nothing_either(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    struct buf *frame = raw_build(FRAME_RAFT, 2, SLICE_LITERAL("good"));
    struct buf *longer = buf_copy(buf_slice(frame));
    longer->data[4] ^= 0x40;
    env_stream_write(raw.stream, &longer, 1);
    for (unsigned i = 0; i < 3; i++) {
        env_stream_write(raw.stream, &frame, 1);
    }
    AWAIT(env, raw.is_ended);
    assert_int_equal(one.frames, 0);
    buf_unref(frame);
    buf_unref(longer);
    raw_close(&raw);
    node_close(&one);
}

/* On a welcomed connection, `header` is an impostor's frame: closed, and nothing is delivered. */
static void assert_frame_closes(struct env *env, struct frame_header header)
{
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    raw_send(&raw, header, SLICE_LITERAL("payload"));
    AWAIT(env, raw.is_ended);
    assert_int_equal(one.frames, 0);
    assert_true(node_has_logged(&one, "malformed frame"));
    raw_close(&raw);
    node_close(&one);
}

static void every_frame_is_checked_against_the_handshake(void **state)
{
    struct env *env = *state;
    struct frame_header header = raw_header(FRAME_RAFT, 3);
    assert_frame_closes(env, header);
    header = raw_header(FRAME_RAFT, 2);
    header.cluster_id++;
    assert_frame_closes(env, header);
    assert_frame_closes(env, raw_header(FRAME_HELLO, 2));
    assert_frame_closes(env, raw_header(FRAME_PONG, 2));
    assert_frame_closes(env, raw_header(FRAME_PING, 2)); /* seven bytes are no PING */
}

static void nothing_is_taken_before_hello(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    raw_send(&raw, raw_header(FRAME_RAFT, 2), SLICE_LITERAL("too early"));
    raw_greet(&raw, FRAME_HELLO, 2, 1, 9);
    AWAIT(env, raw.is_ended);
    assert_int_equal(one.frames, 0);
    assert_int_equal(raw.frames, 0);
    raw_close(&raw);
    node_close(&one);
}

static void a_stranger_cannot_have_a_large_frame_gathered(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    static const uint8_t zeros[2 * NET_HANDSHAKE_SIZE_MAX];
    struct buf *frame = raw_build(FRAME_HELLO, 1, (struct slice){zeros, sizeof(zeros)});
    raw_bytes(&raw, (struct slice){frame->data, frame->size - 1});
    AWAIT(env, raw.is_ended);
    buf_unref(frame);
    raw_close(&raw);
    node_close(&one);
}

static void what_comes_doubled_or_late_is_not_delivered(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    const struct {
        uint64_t sequence;
        struct slice payload;
    } frames[] = {
        {2, SLICE_LITERAL("two,")},   {2, SLICE_LITERAL("two,")},  {4, SLICE_LITERAL("four,")},
        {3, SLICE_LITERAL("three,")}, {4, SLICE_LITERAL("four,")}, {5, SLICE_LITERAL("five")},
    };
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        struct frame_header header = raw_header(FRAME_WRITE, 2);
        header.sequence = frames[i].sequence;
        raw_send(&raw, header, frames[i].payload);
    }
    AWAIT(env, one.frames >= 3 && memcmp(one.payload.data, "five", 4) == 0);
    assert_true(slice_equal(writer_slice(&one.payloads), SLICE_LITERAL("two,four,five")));
    assert_int_equal(node_info(&one, 2).frames_dropped, 3);
    assert_int_equal(node_info(&one, 2).frames_missed, 1);
    raw_close(&raw);
    node_close(&one);
}

static void a_doubled_hello_does_not_disturb_the_connection(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    raw.sent = 0;
    raw_greet(&raw, FRAME_HELLO, 2, 1, 9);
    raw_send(&raw, raw_header(FRAME_RAFT, 2), SLICE_LITERAL("still here"));
    AWAIT(env, one.frames == 1 || raw.is_ended);
    assert_false(raw.is_ended);
    assert_true(node_info(&one, 2).is_heard);
    assert_int_equal(node_info(&one, 2).frames_dropped, 1);
    assert_int_equal(node_info(&one, 2).frames_missed, 0);
    raw_close(&raw);
    node_close(&one);
}

/* ---- what is taken ---- */

static void a_hello_byte_by_byte_with_a_frame_behind_it_is_taken(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    struct frame_hello hello = {.protocol = FRAME_PROTOCOL, .to = 1, .instance = 9};
    struct writer payload = {0};
    frame_hello_encode(&hello, &payload);
    struct buf *frame = raw_build(FRAME_HELLO, ++raw.sent, writer_slice(&payload));
    for (size_t i = 0; i < frame->size; i++) {
        raw_bytes(&raw, (struct slice){frame->data + i, 1});
        AWAIT(env, env_stream_queued(raw.stream) == 0);
    }
    raw_send(&raw, raw_header(FRAME_WRITE_RESULT, 2), SLICE_LITERAL("behind"));
    AWAIT(env, one.frames == 1);
    assert_int_equal(one.type, FRAME_WRITE_RESULT);
    writer_deinit(&payload);
    buf_unref(frame);
    raw_close(&raw);
    node_close(&one);
}

static void a_ping_comes_back_as_a_pong(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    raw_send(&raw, raw_header(FRAME_PING, 2), SLICE_LITERAL("12345678"));
    AWAIT(env, raw_has(&raw, FRAME_PONG));
    assert_true(slice_equal(writer_slice(&raw.payload), SLICE_LITERAL("12345678")));
    raw_close(&raw);
    node_close(&one);
}

static void whose_long_frame_comes_in_fast_enough_is_alive_and_is_told_so(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    static const uint8_t zeros[3 * NET_ALIVE_BYTES_MIN];
    struct buf *frame = raw_build(FRAME_RAFT, 2, (struct slice){zeros, sizeof(zeros)});
    size_t steps[] = {NET_ALIVE_BYTES_MIN, NET_ALIVE_BYTES_MIN - 1, NET_ALIVE_BYTES_MIN + 1};
    unsigned alives[] = {1, 1, 2};
    size_t sent = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t seen = node_info(&one, 2).bytes_received + steps[i];
        raw_bytes(&raw, (struct slice){frame->data + sent, steps[i]});
        sent += steps[i];
        AWAIT(env, node_info(&one, 2).bytes_received == seen);
        net_tell_alive(one.net);
        assert_int_equal(one.alives, alives[i]);
        AWAIT(env, raw.alive_pongs == alives[i]);
        net_tell_alive(one.net); /* nothing came meanwhile */
        assert_int_equal(one.alives, alives[i]);
    }
    /* What is whole speaks for itself. */
    raw_bytes(&raw, (struct slice){frame->data + sent, frame->size - sent});
    AWAIT(env, one.frames == 1);
    net_tell_alive(one.net);
    assert_int_equal(one.alives, 2);
    buf_unref(frame);
    raw_close(&raw);
    node_close(&one);
}

static void a_long_frame_coming_in_is_answered_on_the_way(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    static const uint8_t zeros[100000];
    struct buf *frame = raw_build(FRAME_RAFT, 2, (struct slice){zeros, sizeof(zeros)});
    raw_bytes(&raw, (struct slice){frame->data, frame->size / 2});
    AWAIT(env, raw.unasked_pongs > 0);
    assert_int_equal(one.frames, 0);
    raw_bytes(&raw, (struct slice){frame->data + frame->size / 2, frame->size - frame->size / 2});
    AWAIT(env, one.frames == 1);
    assert_int_equal(one.payload.size, sizeof(zeros));
    buf_unref(frame);
    raw_close(&raw);
    node_close(&one);
}

/* ---- connections that do nothing ---- */

/* A socket outside the environment, which would read what comes back: connected to `address`. */
static int connect_without_reading(const char *address)
{
    struct env_address parsed;
    assert_int_equal(env_address_parse(address, &parsed, NULL), OK);
    struct sockaddr_in target = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(parsed.port_number),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    int small = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&target, sizeof(target)), 0);
    return fd;
}

/* Fills `out` with a block of PINGs, numbered on from `sequence`. */
static void fill_with_pings(struct writer *out, uint64_t *sequence)
{
    writer_reset(out);
    for (unsigned i = 0; i < 100; i++) {
        struct buf *frame = raw_build(FRAME_PING, ++*sequence, SLICE_LITERAL("12345678"));
        writer_bytes(out, buf_slice(frame));
        buf_unref(frame);
    }
}

static void a_peer_that_asks_and_never_reads_the_answers_is_closed(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    int fd = connect_without_reading(net_address(one.net));
    struct frame_hello hello = {.protocol = FRAME_PROTOCOL, .to = 1, .instance = 9};
    struct writer bytes = {0};
    frame_hello_encode(&hello, &bytes);
    uint64_t sequence = 1;
    struct buf *frame = raw_build(FRAME_HELLO, sequence, writer_slice(&bytes));
    assert_int_equal(send(fd, frame->data, frame->size, 0), (ssize_t)frame->size);
    buf_unref(frame);
    AWAIT(env, node_info(&one, 2).is_heard);
    size_t offset = bytes.size; /* of which the kernel may take a part */
    while (node_info(&one, 2).is_heard) {
        if (offset == bytes.size) {
            fill_with_pings(&bytes, &sequence);
            offset = 0;
        }
        ssize_t sent =
            send(fd, bytes.data + offset, bytes.size - offset, MSG_DONTWAIT | MSG_NOSIGNAL);
        offset += sent > 0 ? (size_t)sent : 0;
        env_uv_run_once(env, true);
    }
    assert_true(node_has_logged(&one, "malformed frame"));
    assert_int_equal(close(fd), 0);
    writer_deinit(&bytes);
    node_close(&one);
}

static void a_connection_without_hello_is_closed_in_time(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_dial(&raw, env, net_address(one.net));
    AWAIT(env, raw.is_ended);
    assert_true(node_has_logged(&one, "did not finish the handshake"));
    raw_close(&raw);
    node_close(&one);
}

static void a_welcomed_connection_that_falls_silent_is_closed(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open_alone(&one, env);
    struct raw raw;
    raw_join(&raw, &one, 9);
    assert_true(node_info(&one, 2).is_heard);
    AWAIT(env, raw.is_ended);
    assert_false(node_info(&one, 2).is_heard);
    assert_true(node_has_logged(&one, "silent"));
    assert_int_equal(one.losses, 1);
    raw_close(&raw);
    node_close(&one);
}

static void waiting_connections_are_few_and_the_oldest_goes_first(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct net_options options = node_options(env, 1);
    options.tick_ms = 5000; /* so that none is timed out meanwhile */
    node_open(&one, options);
    node_knows(&one, 2, "127.0.0.1:1");
    struct raw raws[NET_WAITING_MAX + 1];
    for (unsigned i = 0; i < NET_WAITING_MAX + 1; i++) {
        raw_dial(&raws[i], env, net_address(one.net));
    }
    AWAIT(env, raws[0].is_ended);
    for (unsigned i = 1; i < NET_WAITING_MAX + 1; i++) {
        assert_false(raws[i].is_ended);
    }
    raw_greet(&raws[1], FRAME_HELLO, 2, 1, 9);
    AWAIT(env, raw_has(&raws[1], FRAME_WELCOME));
    for (unsigned i = 0; i < NET_WAITING_MAX + 1; i++) {
        raw_close(&raws[i]);
    }
    node_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(another_cluster_is_refused_with_a_line_on_both_sides),
        NET_TEST(a_node_that_nobody_knows_is_refused_with_a_line_on_both_sides),
        NET_TEST(a_stranger_is_taken_if_the_owner_says_so_and_dialled_back),
        NET_TEST(a_stranger_that_the_owner_does_not_take_is_refused_and_told_as_of_when),
        NET_TEST(a_node_with_our_own_id_is_refused_with_a_line_on_both_sides),
        NET_TEST(an_id_that_a_live_node_has_is_refused_with_a_line_on_both_sides),
        NET_TEST(a_hello_for_another_node_is_refused),
        NET_TEST(another_protocol_is_refused),
        NET_TEST(a_new_connection_of_the_same_instance_replaces_the_old_one),
        NET_TEST(an_id_stays_with_the_data_directory_that_was_met_first),
        NET_TEST(who_was_met_in_an_earlier_life_is_expected_again),
        NET_TEST(a_corrupted_byte_closes_the_connection_and_nothing_wrong_is_delivered),
        NET_TEST(a_corrupted_length_delivers_nothing_either),
        NET_TEST(every_frame_is_checked_against_the_handshake),
        NET_TEST(nothing_is_taken_before_hello),
        NET_TEST(a_stranger_cannot_have_a_large_frame_gathered),
        NET_TEST(what_comes_doubled_or_late_is_not_delivered),
        NET_TEST(a_doubled_hello_does_not_disturb_the_connection),
        NET_TEST(a_hello_byte_by_byte_with_a_frame_behind_it_is_taken),
        NET_TEST(a_ping_comes_back_as_a_pong),
        NET_TEST(a_long_frame_coming_in_is_answered_on_the_way),
        NET_TEST(whose_long_frame_comes_in_fast_enough_is_alive_and_is_told_so),
        NET_TEST(a_peer_that_asks_and_never_reads_the_answers_is_closed),
        NET_TEST(a_connection_without_hello_is_closed_in_time),
        NET_TEST(a_welcomed_connection_that_falls_silent_is_closed),
        NET_TEST(waiting_connections_are_few_and_the_oldest_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
