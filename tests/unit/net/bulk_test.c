/* The connections for bulk: between two nodes, and with raw peers on either side. */
#include "net/net.h"
#include "net/net_int.h"
#include "net_testing.h"

static void chunks_go_over_a_connection_of_their_own(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(net_bulk_send(one.net, 2, 1, SLICE_LITERAL("early")), ERR_UNAVAILABLE);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    assert_int_equal(net_bulk_open(one.net, 2), OK); /* no second one */
    assert_false(net_bulk_is_up(one.net, 2));
    AWAIT(env, one.bulk_ups == 1);
    assert_true(net_bulk_is_up(one.net, 2));
    assert_false(net_bulk_is_up(two.net, 1));
    assert_int_equal(net_bulk_send(one.net, 2, 7, SLICE_LITERAL("chunk")), OK);
    AWAIT(env, two.frames == 1);
    assert_int_equal(two.type, FRAME_SNAPSHOT);
    assert_int_equal(two.from, 1);
    assert_int_equal(two.region, 7);
    assert_memory_equal(two.payload.data, "chunk", 5);
    /* The other connection has not noticed, in either direction. */
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("message")), OK);
    AWAIT(env, two.frames == 2);
    assert_int_equal(two.type, FRAME_RAFT);
    assert_int_equal(one.downs + two.downs, 0);
    assert_int_equal(node_info(&one, 2).connects, 1);
    node_close(&one);
    node_close(&two);
}

/* 16 MiB are queued before the message, and are not there when that arrives. */
static void a_message_does_not_wait_behind_chunks(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    node_open(&two, node_options(env, 2));
    struct net_options options = node_options(env, 1);
    options.queue_bytes_max = 64u << 20;
    node_open(&one, options);
    node_knows(&one, 2, net_address(two.net));
    node_knows(&two, 1, net_address(one.net));
    AWAIT(env, net_is_up(one.net, 2) && net_is_up(two.net, 1));
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 1);
    struct writer chunk = {0};
    memset(writer_extend(&chunk, 1u << 20), 'x', 1u << 20);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(net_bulk_send(one.net, 2, 1, writer_slice(&chunk)), OK);
    }
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("message")), OK);
    AWAIT(env, two.payloads.size > 0); /* which has no large ones */
    assert_true(two.frames < 17);
    AWAIT(env, two.frames == 17);
    writer_deinit(&chunk);
    node_close(&one);
    node_close(&two);
}

static void a_queue_that_is_full_takes_nothing(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 1);
    struct writer chunk = {0};
    memset(writer_extend(&chunk, 1u << 20), 'x', 1u << 20);
    err e = OK;
    for (int i = 0; i < 64 && e == OK; i++) {
        e = net_bulk_send(one.net, 2, 1, writer_slice(&chunk));
    }
    assert_int_equal(e, ERR_OVERLOADED);
    assert_int_equal(node_info(&one, 2).send_failures, 1);
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("message")), OK);
    writer_deinit(&chunk);
    node_close(&one);
    node_close(&two);
}

static void it_is_not_dialled_to_who_is_not_there(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    assert_int_equal(net_bulk_open(one.net, 2), ERR_UNAVAILABLE);
    node_knows(&one, 2, "127.0.0.1:1");
    assert_int_equal(net_bulk_open(one.net, 2), ERR_UNAVAILABLE);
    net_bulk_close(one.net, 2);
    net_bulk_close(one.net, 3);
    node_close(&one);
}

static void one_that_is_lost_is_told_once_and_dialled_again_when_asked(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 1);
    net_accept_close(net_peer_find(two.net, 1)->bulk_inbound);
    AWAIT(env, one.bulk_downs == 1);
    assert_false(net_bulk_is_up(one.net, 2));
    assert_int_equal(net_bulk_send(one.net, 2, 1, SLICE_LITERAL("late")), ERR_UNAVAILABLE);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 2);
    assert_int_equal(net_bulk_send(one.net, 2, 1, SLICE_LITERAL("again")), OK);
    AWAIT(env, two.frames == 1);
    assert_int_equal(one.bulk_downs, 1);
    assert_int_equal(one.downs + two.downs, 0);
    node_close(&one);
    node_close(&two);
}

static void closing_it_calls_nobody_and_the_other_side_lets_go(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 1);
    assert_true(net_bulk_comes_from(two.net, 1));
    assert_false(net_bulk_comes_from(one.net, 2)); /* the other way round */
    assert_false(net_bulk_comes_from(two.net, 7)); /* nobody */
    net_bulk_close(one.net, 2);
    assert_false(net_bulk_is_up(one.net, 2));
    AWAIT(env, !net_bulk_comes_from(two.net, 1));
    assert_int_equal(one.bulk_downs, 0);
    assert_int_equal(two.losses, 0);
    assert_true(node_info(&two, 1).is_heard);
    node_close(&one);
    node_close(&two);
}

/* Closed and opened under its own callback (N5). */
static void open_anew(struct node *node, node_id peer)
{
    if (node->bulk_ups == 1) {
        net_bulk_close(node->net, peer);
        assert_int_equal(net_bulk_open(node->net, peer), OK);
    }
}

static void its_own_callback_may_close_it_and_open_another(void **state)
{
    struct env *env = *state;
    struct node one = {.on_bulk_up = open_anew};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 2);
    assert_int_equal(net_bulk_send(one.net, 2, 1, SLICE_LITERAL("chunk")), OK);
    AWAIT(env, two.frames == 1);
    node_close(&one);
    node_close(&two);
}

static void forget(struct node *node, node_id peer)
{
    net_peer_remove(node->net, peer);
}

static void its_own_callback_may_remove_the_peer(void **state)
{
    struct env *env = *state;
    struct node one = {.on_bulk_up = forget};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 1 && two.downs == 1);
    assert_int_equal(one.bulk_downs, 0);
    node_close(&one);
    node_close(&two);
}

static void a_new_address_drops_it(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(net_bulk_open(one.net, 2), OK);
    AWAIT(env, one.bulk_ups == 1);
    node_knows(&one, 2, "127.0.0.1:1");
    assert_false(net_bulk_is_up(one.net, 2));
    AWAIT(env, net_peer_find(two.net, 1)->bulk_inbound == NULL);
    node_close(&one);
    node_close(&two);
}

/* ---- a raw acceptor ---- */

/* A listener that keeps the first connection, and then the one for bulk. */
struct acceptor {
    struct env_listener *listener;
    unsigned accepted;
    struct raw raws[2];
    struct raw *bulk;
};

static void on_accepted(void *ctx, struct env_stream *stream)
{
    struct acceptor *acceptor = ctx;
    if (acceptor->accepted == ARRAY_COUNT(acceptor->raws)) {
        env_stream_close(stream);
        return;
    }
    struct raw *raw = &acceptor->raws[acceptor->accepted++];
    raw->stream = stream;
    env_stream_set_handler(stream, raw_handler(), raw);
}

/* Node 1, whose peer 2 a test plays: it has welcomed the first connection and sees HELLO_BULK. */
static void dialled_by(struct env *env, struct node *one, struct acceptor *acceptor)
{
    *acceptor = (struct acceptor){.bulk = &acceptor->raws[1]};
    struct err_note note = {{0}};
    assert_int_equal(
        env_listen(env, "127.0.0.1:0", on_accepted, acceptor, &acceptor->listener, &note), OK);
    node_open(one, node_options(env, 1));
    node_knows(one, 2, env_listener_address(acceptor->listener));
    AWAIT(env, raw_has(&acceptor->raws[0], FRAME_HELLO));
    raw_greet(&acceptor->raws[0], FRAME_WELCOME, 2, 1, 9);
    AWAIT(env, one->ups == 1);
    assert_int_equal(net_bulk_open(one->net, 2), OK);
    AWAIT(env, raw_has(acceptor->bulk, FRAME_HELLO_BULK));
}

static void hang_up(struct node *one, struct acceptor *acceptor)
{
    node_close(one);
    raw_close(&acceptor->raws[0]);
    raw_close(&acceptor->raws[1]);
    env_listener_close(acceptor->listener);
}

static void one_without_an_answer_is_given_up(void **state)
{
    struct env *env = *state;
    struct acceptor acceptor;
    struct node one = {0};
    dialled_by(env, &one, &acceptor);
    AWAIT(env, one.bulk_downs == 1);
    assert_true(node_has_logged(&one, "no answer to the handshake"));
    assert_int_equal(one.bulk_ups, 0);
    hang_up(&one, &acceptor);
}

static void one_that_falls_silent_is_given_up(void **state)
{
    struct env *env = *state;
    struct acceptor acceptor;
    struct node one = {0};
    dialled_by(env, &one, &acceptor);
    raw_greet(acceptor.bulk, FRAME_WELCOME, 2, 1, 9);
    AWAIT(env, one.bulk_ups == 1);
    AWAIT(env, raw_has(acceptor.bulk, FRAME_PING));
    raw_send(acceptor.bulk, raw_header(FRAME_PONG, 2),
             (struct slice){(const uint8_t *)"12345678", 8});
    AWAIT(env, one.bulk_downs == 1);
    assert_true(node_has_logged(&one, "reason=silent"));
    hang_up(&one, &acceptor);
}

static void a_refusal_is_told_as_a_loss(void **state)
{
    struct env *env = *state;
    struct acceptor acceptor;
    struct node one = {0};
    dialled_by(env, &one, &acceptor);
    struct frame_refuse refuse = {.reason = FRAME_REFUSAL_UNKNOWN, .as_of = 5};
    struct writer payload = {0};
    frame_refuse_encode(&refuse, &payload);
    raw_send(acceptor.bulk, raw_header(FRAME_REFUSE, 2), writer_slice(&payload));
    writer_deinit(&payload);
    AWAIT(env, one.bulk_downs == 1);
    assert_int_equal(one.unknown_as_of, 0); /* that is for the first connection to tell */
    hang_up(&one, &acceptor);
}

static void assert_not_taken(struct env *env, void (*say)(struct raw *raw))
{
    struct acceptor acceptor;
    struct node one = {0};
    dialled_by(env, &one, &acceptor);
    say(acceptor.bulk);
    AWAIT(env, one.bulk_downs == 1);
    assert_int_equal(one.bulk_ups, 0);
    hang_up(&one, &acceptor);
}

static void say_another_directory(struct raw *raw)
{
    raw_greet(raw, FRAME_WELCOME, 2, 1, 10);
}

static void say_another_node(struct raw *raw)
{
    raw_greet(raw, FRAME_WELCOME, 3, 1, 9);
}

static void say_to_another_node(struct raw *raw)
{
    raw_greet(raw, FRAME_WELCOME, 2, 3, 9);
}

static void say_pong(struct raw *raw)
{
    raw_send(raw, raw_header(FRAME_PONG, 2), SLICE_LITERAL("12345678"));
}

static void say_nonsense(struct raw *raw)
{
    raw_bytes(raw, SLICE_LITERAL("nonsense nonsense nonsense nonsense nonsense nonsense nonsense"));
}

static void only_the_right_welcome_is_taken(void **state)
{
    assert_not_taken(*state, say_another_directory);
    assert_not_taken(*state, say_another_node);
    assert_not_taken(*state, say_to_another_node);
    assert_not_taken(*state, say_pong);
    assert_not_taken(*state, say_nonsense);
}

/* ---- a raw dialler ---- */

static void assert_ends(struct env *env, struct node *one, enum frame_type hello,
                        enum frame_type type)
{
    struct raw raw;
    raw_dial(&raw, env, net_address(one->net));
    raw_greet(&raw, hello, 2, 1, 9);
    AWAIT(env, raw_has(&raw, FRAME_WELCOME));
    raw_send(&raw, raw_header(type, 2), SLICE_LITERAL("what is not for this connection"));
    AWAIT(env, raw.is_ended);
    raw_close(&raw);
}

static void each_connection_takes_its_own_kinds_only(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, "127.0.0.1:1");
    assert_ends(env, &one, FRAME_HELLO_BULK, FRAME_RAFT);
    assert_ends(env, &one, FRAME_HELLO_BULK, FRAME_HELLO_BULK);
    assert_ends(env, &one, FRAME_HELLO, FRAME_SNAPSHOT);
    assert_ends(env, &one, FRAME_HELLO, FRAME_HELLO_BULK);
    assert_int_equal(one.frames, 0);
    node_close(&one);
}

static void a_stranger_has_none(void **state)
{
    struct env *env = *state;
    struct node one = {.takes_strangers = true};
    struct raw raw;
    node_open(&one, node_options(env, 1));
    raw_dial(&raw, env, net_address(one.net));
    raw_greet(&raw, FRAME_HELLO_BULK, 2, 1, 9);
    AWAIT(env, raw_has(&raw, FRAME_REFUSE));
    assert_int_equal(one.stranger, 0); /* nobody was asked */
    raw_close(&raw);
    node_close(&one);
}

static void another_one_takes_its_place_and_not_the_other_connections(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct raw first;
    struct raw bulk;
    struct raw again;
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, "127.0.0.1:1");
    raw_dial(&first, env, net_address(one.net));
    raw_greet(&first, FRAME_HELLO, 2, 1, 9);
    AWAIT(env, raw_has(&first, FRAME_WELCOME));
    raw_dial(&bulk, env, net_address(one.net));
    raw_greet(&bulk, FRAME_HELLO_BULK, 2, 1, 9);
    AWAIT(env, raw_has(&bulk, FRAME_WELCOME));
    raw_dial(&again, env, net_address(one.net));
    raw_greet(&again, FRAME_HELLO_BULK, 2, 1, 9);
    AWAIT(env, raw_has(&again, FRAME_WELCOME));
    AWAIT(env, bulk.is_ended);
    assert_false(first.is_ended);
    raw_send(&again, raw_header(FRAME_SNAPSHOT, 2), SLICE_LITERAL("chunk"));
    AWAIT(env, one.frames == 1);
    raw_close(&first);
    raw_close(&bulk);
    raw_close(&again);
    node_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(chunks_go_over_a_connection_of_their_own),
        NET_TEST(a_message_does_not_wait_behind_chunks),
        NET_TEST(a_queue_that_is_full_takes_nothing),
        NET_TEST(it_is_not_dialled_to_who_is_not_there),
        NET_TEST(one_that_is_lost_is_told_once_and_dialled_again_when_asked),
        NET_TEST(closing_it_calls_nobody_and_the_other_side_lets_go),
        NET_TEST(its_own_callback_may_close_it_and_open_another),
        NET_TEST(its_own_callback_may_remove_the_peer),
        NET_TEST(a_new_address_drops_it),
        NET_TEST(one_without_an_answer_is_given_up),
        NET_TEST(one_that_falls_silent_is_given_up),
        NET_TEST(a_refusal_is_told_as_a_loss),
        NET_TEST(only_the_right_welcome_is_taken),
        NET_TEST(each_connection_takes_its_own_kinds_only),
        NET_TEST(a_stranger_has_none),
        NET_TEST(another_one_takes_its_place_and_not_the_other_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
