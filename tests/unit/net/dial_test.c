#include "net/net.h"
#include "net/net_int.h"
#include "net_testing.h"

static void a_peer_that_restarts_is_reached_again(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    char address[ADDRESS_SIZE_MAX + 1];
    (void)snprintf(address, sizeof(address), "%s", net_address(two.net));
    char address_of_one[ADDRESS_SIZE_MAX + 1];
    (void)snprintf(address_of_one, sizeof(address_of_one), "%s", net_address(one.net));
    node_close(&two);
    AWAIT(env, one.downs == 1);
    assert_false(net_is_up(one.net, 2));
    assert_true(node_has_logged(&one, "peer lost"));
    AWAIT(env, node_has_logged(&one, "cannot be reached"));

    struct net_options options = node_options(env, 2);
    options.listen_address = address;
    node_open(&two, options);
    node_knows(&two, 1, address_of_one);
    AWAIT(env, one.ups == 2 && net_is_up(two.net, 1));
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("again")), OK);
    AWAIT(env, two.frames == 1);
    assert_int_equal(node_info(&one, 2).connects, 2);
    node_close(&one);
    node_close(&two);
}

static void a_peer_whose_process_has_ended_is_gone(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(one.goings, 0);
    node_close(&two);
    AWAIT(env, one.goings > 0);
    assert_int_equal(one.downs, 1);
    node_close(&one);
}

static void a_peer_that_refuses_us_and_still_speaks_to_us_is_not_gone(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    node_open(&one, node_options(env, 1));
    node_open(&two, node_options(env, 2));
    node_knows(&one, 2, "127.0.0.1:1"); /* where nobody listens */
    node_knows(&two, 1, net_address(one.net));
    AWAIT(env, node_info(&one, 2).is_heard);
    unsigned goings = one.goings; /* before it was heard */
    struct net_peer *peer = net_peer_find(one.net, 2);
    peer->retry_delay_ms = NET_RETRY_MIN_MS;
    AWAIT(env, peer->retry_delay_ms == NET_RETRY_MAX_MS); /* after some more attempts */
    assert_int_equal(one.goings, goings);
    node_close(&one);
    node_close(&two);
}

static void a_peer_that_cannot_be_dialled_at_all_is_not_gone(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, "nowhere");
    AWAIT(env, node_has_logged(&one, "cannot be reached"));
    assert_int_equal(one.goings, 0);
    node_close(&one);
}

static void a_connection_that_has_held_is_dialled_again_soon_and_once(void **state)
{
    struct env *env = *state;
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    raw_greet(&listener.raw, FRAME_WELCOME, 2, 1, 9);
    struct net_peer *peer = net_peer_find(one.net, 2);
    AWAIT(env, one.ups == 1);
    peer->up_since_ns -= NET_HELD_MS * UINT64_C(1000000); /* as if that had been a while ago */
    raw_close(&listener.raw);
    AWAIT(env, one.downs == 1);
    assert_int_equal(peer->retry_delay_ms, NET_RETRY_MIN_MS); /* not one of those that double */
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    raw_greet(&listener.raw, FRAME_WELCOME, 2, 1, 9);
    AWAIT(env, one.ups == 2);
    peer->up_since_ns = env_now_ns(env); /* whatever stalled this test */
    raw_close(&listener.raw);
    AWAIT(env, one.downs == 2);
    assert_int_equal(peer->retry_delay_ms, 2 * NET_RETRY_MIN_MS);
    node_close(&one);
    raw_listener_close(&listener);
}

static void another_data_directory_behind_a_known_id_is_not_taken_for_the_peer(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    node_open(&one, node_options(env, 1));
    node_open(&two, node_options(env, 2));
    node_knows(&two, 1, "127.0.0.1:1");
    node_knows(&one, 2, net_address(two.net));
    net_peer_expect(one.net, 2, 5);
    AWAIT(env, node_has_logged(&one, "another data directory had this id before"));
    assert_int_equal(one.ups, 0);
    node_close(&one);
    node_close(&two);
}

static void an_outage_is_logged_once_while_attempts_go_on(void **state)
{
    struct env *env = *state;
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    for (unsigned attempt = 1; attempt <= 3; attempt++) {
        AWAIT(env, listener.accepted == attempt);
        raw_close(&listener.raw);
    }
    assert_true(node_has_logged(&one, "cannot be reached"));
    char *first = strstr((const char *)one.lines.data, "cannot be reached");
    assert_null(strstr(first + 1, "cannot be reached"));
    assert_int_equal(one.downs, 0);
    node_close(&one);
    raw_listener_close(&listener);
}

static void attempts_come_slower_and_slower(void **state)
{
    struct env *env = *state;
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    uint64_t begin_ms = env_now_ms(env);
    node_knows(&one, 2, raw_listen(&listener, env));
    for (unsigned attempt = 1; attempt <= 5; attempt++) {
        AWAIT(env, listener.accepted == attempt);
        raw_close(&listener.raw);
    }
    /* Between the five: delays of 50, 100, 200 and 400 ms, of which chance takes at most half. */
    assert_true(env_now_ms(env) - begin_ms >= 375);
    node_close(&one);
    raw_listener_close(&listener);
}

static void a_handshake_without_an_answer_is_given_up_and_tried_again(void **state)
{
    struct env *env = *state;
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    AWAIT(env, listener.accepted == 2);
    assert_true(node_has_logged(&one, "no answer to the handshake"));
    assert_int_equal(one.ups, 0);
    node_close(&one);
    raw_listener_close(&listener);
}

static void a_peer_that_falls_silent_is_dropped_and_dialled_again(void **state)
{
    struct env *env = *state;
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    raw_greet(&listener.raw, FRAME_WELCOME, 2, 1, 9);
    AWAIT(env, one.ups == 1);
    AWAIT(env, raw_has(&listener.raw, FRAME_PING));
    AWAIT(env, one.downs == 1);
    assert_true(node_has_logged(&one, "reason=silent"));
    AWAIT(env, listener.accepted == 2);
    node_close(&one);
    raw_listener_close(&listener);
}

static void a_peer_that_says_so_while_a_long_frame_comes_in_is_not_silent(void **state)
{
    struct env *env = *state;
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    raw_greet(&listener.raw, FRAME_WELCOME, 2, 1, 9);
    static const uint8_t unasked[8] = {0};
    for (unsigned ticks = 0; ticks < 4 * NET_DIALLED_SILENCE_TICKS_MAX; ticks++) {
        unsigned frames = listener.raw.frames;
        AWAIT(env, listener.raw.frames > frames);
        raw_send(&listener.raw, raw_header(FRAME_PONG, 2),
                 (struct slice){unasked, sizeof(unasked)});
    }
    assert_int_equal(one.downs, 0);
    assert_true(net_is_up(one.net, 2));
    assert_int_equal(node_info(&one, 2).rtt_us, 0);
    node_close(&one);
    raw_listener_close(&listener);
}

static void a_new_address_moves_the_connection(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    struct node moved = {0};
    node_open(&moved, node_options(env, 2));
    node_knows(&moved, 1, net_address(one.net));
    node_knows(&one, 2, net_address(two.net)); /* no news */
    assert_true(net_is_up(one.net, 2));

    node_knows(&one, 2, net_address(moved.net));
    assert_int_equal(one.downs, 1);
    assert_false(net_is_up(one.net, 2));
    AWAIT(env, one.ups == 2);
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("moved")), OK);
    AWAIT(env, moved.frames == 1);
    assert_int_equal(two.frames, 0);
    assert_string_equal(node_info(&one, 2).address, net_address(moved.net));
    node_close(&one);
    node_close(&two);
    node_close(&moved);
}

/* Has a node dial a listener of ours that answers with `welcome`; what it logs must have `text`. */
static void assert_welcome_is_not_taken(struct env *env, void (*welcome)(struct raw *raw),
                                        const char *text)
{
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    welcome(&listener.raw);
    AWAIT(env, listener.raw.is_ended);
    assert_int_equal(one.ups, 0);
    assert_int_equal(one.frames, 0);
    assert_true(node_has_logged(&one, text));
    node_close(&one);
    raw_listener_close(&listener);
}

static void welcome_from_another_node(struct raw *raw)
{
    raw_greet(raw, FRAME_WELCOME, 3, 1, 9);
}

static void welcome_for_another_node(struct raw *raw)
{
    raw_greet(raw, FRAME_WELCOME, 2, 3, 9);
}

static void pong_before_welcome(struct raw *raw)
{
    raw_send(raw, raw_header(FRAME_PONG, 2), SLICE_LITERAL("12345678"));
}

static void frame_on_the_wrong_way(struct raw *raw)
{
    raw_send(raw, raw_header(FRAME_RAFT, 2), SLICE_LITERAL("x"));
}

static void welcome_in_another_protocol(struct raw *raw)
{
    struct writer payload = {0};
    writer_u32(&payload, FRAME_PROTOCOL + 1);
    raw_send(raw, raw_header(FRAME_WELCOME, 2), writer_slice(&payload));
    writer_deinit(&payload);
}

static void noise(struct raw *raw)
{
    raw_bytes(raw, SLICE_LITERAL("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
}

static void only_the_right_welcome_is_taken(void **state)
{
    struct env *env = *state;
    assert_welcome_is_not_taken(env, welcome_from_another_node, "reason=ERR_IDENTITY");
    assert_welcome_is_not_taken(env, welcome_for_another_node, "reason=ERR_IDENTITY");
    assert_welcome_is_not_taken(env, welcome_in_another_protocol, "reason=ERR_VERSION");
    assert_welcome_is_not_taken(env, pong_before_welcome, "malformed frame");
    assert_welcome_is_not_taken(env, frame_on_the_wrong_way, "malformed frame");
    assert_welcome_is_not_taken(env, noise, "malformed frame");
}

static uint64_t told_by(struct env *env, uint64_t cluster_id, node_id from)
{
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    struct frame_header header = raw_header(FRAME_REFUSE, from);
    header.cluster_id = cluster_id;
    struct frame_refuse refuse = {.reason = FRAME_REFUSAL_UNKNOWN, .as_of = 77};
    struct writer payload = {0};
    frame_refuse_encode(&refuse, &payload);
    raw_send(&listener.raw, header, writer_slice(&payload));
    writer_deinit(&payload);
    AWAIT(env, node_has_logged(&one, "refused by peer"));
    uint64_t as_of = one.unknown_as_of;
    node_close(&one);
    raw_listener_close(&listener);
    return as_of;
}

/* Whoever listens at its address can refuse, and is not believed more than that. */
static void only_the_peer_itself_tells_of_a_removal(void **state)
{
    struct env *env = *state;
    assert_int_equal(told_by(env, CLUSTER, 2), 77);
    assert_int_equal(told_by(env, CLUSTER, 3), 0);
    assert_int_equal(told_by(env, CLUSTER + 1, 2), 0);
}

static void a_doubled_welcome_does_not_disturb_the_connection(void **state)
{
    struct env *env = *state;
    struct raw_listener listener;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, raw_listen(&listener, env));
    AWAIT(env, raw_has(&listener.raw, FRAME_HELLO));
    raw_greet(&listener.raw, FRAME_WELCOME, 2, 1, 9);
    listener.raw.sent = 0;
    raw_greet(&listener.raw, FRAME_WELCOME, 2, 1, 9);
    raw_send(&listener.raw, raw_header(FRAME_PONG, 2), SLICE_LITERAL("12345678"));
    AWAIT(env, node_info(&one, 2).frames_dropped == 1 || one.downs > 0);
    AWAIT(env, raw_has(&listener.raw, FRAME_PING));
    assert_int_equal(one.ups, 1);
    assert_int_equal(one.downs, 0);
    assert_true(net_is_up(one.net, 2));
    node_close(&one);
    raw_listener_close(&listener);
}

static void a_refused_dialler_tries_again_as_soon_as_the_peer_dials_it(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    node_open(&one, node_options(env, 1));
    node_open(&two, node_options(env, 2));
    node_knows(&one, 2, net_address(two.net));
    AWAIT(env, node_has_logged(&one, "refused by peer"));
    uint64_t refused_ms = env_now_ms(env);
    node_knows(&two, 1, net_address(one.net));
    AWAIT(env, net_is_up(one.net, 2));
    assert_true(env_now_ms(env) - refused_ms < NET_REFUSED_RETRY_MS / 2);
    node_close(&one);
    node_close(&two);
}

static void a_name_that_does_not_resolve_is_an_outage_like_any_other(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    node_knows(&one, 2, "no port here");
    AWAIT(env, node_has_logged(&one, "cannot be reached"));
    assert_int_equal(one.ups, 0);
    node_close(&one);
}

static void drop_the_peer(struct node *node, node_id peer)
{
    net_peer_remove(node->net, peer);
}

static void whose_frame_is_taken_is_told_and_may_drop_who_takes_it(void **state)
{
    struct env *env = *state;
    for (int drops = 0; drops < 2; drops++) {
        struct node one = {.on_alive = drops == 1 ? drop_the_peer : NULL};
        node_open(&one, node_options(env, 1));
        struct raw_listener listener = {0};
        node_knows(&one, 2, raw_listen(&listener, env));
        AWAIT(env, listener.accepted == 1);
        raw_greet(&listener.raw, FRAME_WELCOME, 2, 1, 9);
        AWAIT(env, net_is_up(one.net, 2));
        uint8_t alive[8];
        store_u64(alive, UINT64_MAX);
        raw_send(&listener.raw, raw_header(FRAME_PONG, 2), (struct slice){alive, sizeof(alive)});
        AWAIT(env, one.alives == 1);
        assert_int_equal(net_is_up(one.net, 2), drops == 0);
        if (drops == 0) {
            assert_int_equal(node_info(&one, 2).rtt_us, 0); /* it answers no PING */
        }
        node_close(&one);
        raw_listener_close(&listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(a_peer_that_restarts_is_reached_again),
        NET_TEST(a_peer_whose_process_has_ended_is_gone),
        NET_TEST(a_peer_that_refuses_us_and_still_speaks_to_us_is_not_gone),
        NET_TEST(a_peer_that_cannot_be_dialled_at_all_is_not_gone),
        NET_TEST(a_connection_that_has_held_is_dialled_again_soon_and_once),
        NET_TEST(another_data_directory_behind_a_known_id_is_not_taken_for_the_peer),
        NET_TEST(an_outage_is_logged_once_while_attempts_go_on),
        NET_TEST(attempts_come_slower_and_slower),
        NET_TEST(a_handshake_without_an_answer_is_given_up_and_tried_again),
        NET_TEST(a_peer_that_falls_silent_is_dropped_and_dialled_again),
        NET_TEST(a_peer_that_says_so_while_a_long_frame_comes_in_is_not_silent),
        NET_TEST(a_new_address_moves_the_connection),
        NET_TEST(only_the_right_welcome_is_taken),
        NET_TEST(only_the_peer_itself_tells_of_a_removal),
        NET_TEST(a_doubled_welcome_does_not_disturb_the_connection),
        NET_TEST(a_refused_dialler_tries_again_as_soon_as_the_peer_dials_it),
        NET_TEST(whose_frame_is_taken_is_told_and_may_drop_who_takes_it),
        NET_TEST(a_name_that_does_not_resolve_is_an_outage_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
