#include "net/net.h"
#include "net_testing.h"

static void two_nodes_find_each_other_and_exchange_frames(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(one.ups, 1);
    assert_int_equal(two.ups, 1);
    assert_int_equal(net_send(one.net, 2, FRAME_WRITE, 9, SLICE_LITERAL("to two")), OK);
    assert_int_equal(net_send(two.net, 1, FRAME_RAFT, 8, SLICE_EMPTY), OK);
    AWAIT(env, one.frames == 1 && two.frames == 1);
    assert_int_equal(two.from, 1);
    assert_int_equal(two.type, FRAME_WRITE);
    assert_int_equal(two.region, 9);
    assert_true(slice_equal(writer_slice(&two.payload), SLICE_LITERAL("to two")));
    assert_int_equal(one.from, 2);
    assert_int_equal(one.type, FRAME_RAFT);
    assert_int_equal(one.region, 8);
    assert_int_equal(one.payload.size, 0);
    assert_true(node_has_logged(&one, "peer connected"));
    assert_true(node_has_logged(&one, "connection from peer"));
    node_close(&one);
    node_close(&two);
}

static void every_type_that_net_carries_is_delivered_as_it_is(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    static const enum frame_type types[] = {FRAME_RAFT,       FRAME_WRITE,  FRAME_WRITE_RESULT,
                                            FRAME_LOG_FLOOR,  FRAME_REPAIR, FRAME_STATE_MARK,
                                            FRAME_RECORD_ASK, FRAME_RECORD};
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_true(net_carries(types[i]));
        assert_int_equal(net_send(one.net, 2, types[i], i, SLICE_EMPTY), OK);
        AWAIT(env, two.frames == i + 1);
        assert_int_equal(two.type, types[i]);
        assert_int_equal(two.region, i);
    }
    node_close(&one);
    node_close(&two);
}

static void peers_tell_where_they_serve_and_what_they_run(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    struct net_peer_info before = node_info(&one, 2);
    assert_string_equal(before.address, net_address(two.net));
    assert_string_equal(before.client_address, "127.0.0.1:3000");
    assert_string_equal(before.version, "1.2.3");
    assert_true(before.is_up);
    assert_true(before.is_heard);
    assert_int_equal(before.connects, 1);
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("counted")), OK);
    assert_int_equal(node_info(&one, 2).frames_sent, before.frames_sent + 1);
    assert_int_equal(node_info(&one, 2).bytes_sent, before.bytes_sent + FRAME_HEADER_SIZE + 7);
    AWAIT(env, two.frames == 1);
    assert_true(node_info(&two, 1).frames_received >= 1);
    assert_true(node_info(&two, 1).bytes_received >= FRAME_HEADER_SIZE + 7);
    AWAIT(env, node_info(&one, 2).rtt_us > 0);
    struct net_peer_info info;
    assert_false(net_peer_info(one.net, 3, &info));
    node_close(&one);
    node_close(&two);
}

static void nothing_can_be_sent_to_a_peer_that_is_not_up(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("x")), ERR_UNAVAILABLE);
    node_knows(&one, 2, "127.0.0.1:1");
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("x")), ERR_UNAVAILABLE);
    assert_int_equal(node_info(&one, 2).send_failures, 1);
    assert_int_equal(node_info(&one, 2).frames_sent, 0);
    assert_false(net_is_up(one.net, 2));
    assert_false(net_is_up(one.net, 3));
    node_close(&one);
}

static void a_full_queue_takes_nothing_and_what_it_took_arrives_in_order(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    static uint8_t block[10000];
    struct writer sent = {0};
    unsigned taken = 0;
    for (;;) {
        memset(block, (int)('a' + taken % 26), sizeof(block));
        err e = node_send(&one, 2, (struct slice){block, sizeof(block)});
        if (e != OK) {
            assert_int_equal(e, ERR_OVERLOADED);
            break;
        }
        writer_bytes(&sent, (struct slice){block, sizeof(block)});
        taken++;
        assert_true(taken < 1000);
    }
    assert_int_equal(taken, (1u << 20) / (sizeof(block) + FRAME_HEADER_SIZE));
    assert_int_equal(node_info(&one, 2).send_failures, 1);
    assert_true(node_info(&one, 2).queued_bytes > 1000000);
    AWAIT(env, two.frames == taken);
    assert_int_equal(node_info(&one, 2).queued_bytes, 0);
    assert_true(slice_equal(writer_slice(&two.payloads), writer_slice(&sent)));
    writer_deinit(&sent);
    node_close(&one);
    node_close(&two);
}

static void the_largest_frame_passes_an_empty_queue_whatever_its_bound(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    uint8_t *payload = mem_alloc(FRAME_SIZE_MAX);
    for (size_t i = 0; i < FRAME_SIZE_MAX; i++) {
        payload[i] = (uint8_t)(i * 31 >> 8);
    }
    assert_int_equal(node_send(&one, 2, (struct slice){payload, FRAME_SIZE_MAX}), OK);
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("x")), ERR_OVERLOADED);
    AWAIT(env, two.frames == 1);
    assert_true(slice_equal(writer_slice(&two.payload), (struct slice){payload, FRAME_SIZE_MAX}));
    assert_int_equal(one.downs, 0);
    mem_free(payload);
    node_close(&one);
    node_close(&two);
}

static void a_removed_peer_is_dropped_and_refused(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    net_peer_remove(one.net, 2);
    net_peer_remove(one.net, 2);
    assert_false(net_is_up(one.net, 2));
    assert_int_equal(one.downs, 0);
    AWAIT(env, two.downs == 1 && node_has_logged(&two, "refused by peer"));
    assert_int_equal(one.losses, 0);
    assert_int_equal(two.losses, 1);
    assert_true(node_has_logged(&one, "reason=unknown"));
    assert_false(net_is_up(two.net, 1));
    node_close(&one);
    node_close(&two);
}

static void remove_peer(struct node *node, node_id peer)
{
    net_peer_remove(node->net, peer);
}

static void a_callback_may_remove_the_peer_that_it_is_about(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    two.on_frame = remove_peer;
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("first")), OK);
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("second")), OK);
    one.on_down = remove_peer;
    AWAIT(env, one.downs == 1);
    assert_int_equal(two.frames, 1);

    one.on_up = remove_peer;
    two.on_frame = NULL;
    node_knows(&two, 1, net_address(one.net));
    node_knows(&one, 2, net_address(two.net));
    AWAIT(env, one.ups == 2);
    assert_false(net_is_up(one.net, 2));
    node_close(&one);
    node_close(&two);
}

static void so_it_may_when_the_peer_is_not_heard_any_more(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    AWAIT(env, net_is_heard(one.net, 2));
    one.on_unheard = remove_peer;
    node_close(&two);
    AWAIT(env, one.losses == 1);
    assert_false(net_is_heard(one.net, 2));
    node_close(&one);
}

static void a_peer_address_must_fit_and_members_are_bounded(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    char address[ADDRESS_SIZE_MAX + 2];
    memset(address, 'a', sizeof(address) - 1);
    address[sizeof(address) - 1] = '\0';
    assert_int_equal(net_peer_set(one.net, 2, address), ERR_ADDRESS);
    assert_int_equal(net_peer_set(one.net, 2, ""), ERR_ADDRESS);
    for (node_id id = 2; id < 2 + MEMBERS_MAX; id++) {
        node_knows(&one, id, "127.0.0.1:1");
    }
    assert_int_equal(net_peer_set(one.net, 2 + MEMBERS_MAX, "127.0.0.1:1"), ERR_OVERLOADED);
    node_knows(&one, 2, "127.0.0.1:2");
    node_close(&one);
}

static void an_address_in_use_is_told_with_its_reason(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    node_open(&one, node_options(env, 1));
    struct net_options options = node_options(env, 2);
    options.listen_address = net_address(one.net);
    struct net *net = NULL;
    struct err_note note = {{0}};
    assert_int_equal(net_open(&net, &options, node_handler(), &one, &note), ERR_ADDRESS);
    assert_null(net);
    assert_non_null(strstr(note.text, net_address(one.net)));
    node_close(&one);
}

static void three_nodes_reach_each_other_both_ways(void **state)
{
    struct env *env = *state;
    struct node nodes[3] = {{0}};
    for (node_id id = 1; id <= 3; id++) {
        node_open(&nodes[id - 1], node_options(env, id));
    }
    for (node_id from = 1; from <= 3; from++) {
        for (node_id to = 1; to <= 3; to++) {
            if (from != to) {
                node_knows(&nodes[from - 1], to, net_address(nodes[to - 1].net));
            }
        }
    }
    AWAIT(env, nodes[0].ups == 2 && nodes[1].ups == 2 && nodes[2].ups == 2);
    for (node_id from = 1; from <= 3; from++) {
        for (node_id to = 1; to <= 3; to++) {
            if (from != to) {
                assert_int_equal(node_send(&nodes[from - 1], to, SLICE_LITERAL("x")), OK);
            }
        }
    }
    AWAIT(env, nodes[0].frames == 2 && nodes[1].frames == 2 && nodes[2].frames == 2);
    for (int i = 0; i < 3; i++) {
        node_close(&nodes[i]);
    }
}

static void what_was_sent_before_the_end_arrives(void **state)
{
    struct env *env = *state;
    struct node one = {0};
    struct node two = {0};
    pair_open(env, &one, &two);
    assert_int_equal(node_send(&one, 2, SLICE_LITERAL("last words")), OK);
    node_close(&one);
    AWAIT(env, two.downs == 1);
    assert_true(slice_equal(writer_slice(&two.payload), SLICE_LITERAL("last words")));
    node_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(two_nodes_find_each_other_and_exchange_frames),
        NET_TEST(every_type_that_net_carries_is_delivered_as_it_is),
        NET_TEST(peers_tell_where_they_serve_and_what_they_run),
        NET_TEST(nothing_can_be_sent_to_a_peer_that_is_not_up),
        NET_TEST(a_full_queue_takes_nothing_and_what_it_took_arrives_in_order),
        NET_TEST(the_largest_frame_passes_an_empty_queue_whatever_its_bound),
        NET_TEST(a_removed_peer_is_dropped_and_refused),
        NET_TEST(a_callback_may_remove_the_peer_that_it_is_about),
        NET_TEST(so_it_may_when_the_peer_is_not_heard_any_more),
        NET_TEST(a_peer_address_must_fit_and_members_are_bounded),
        NET_TEST(an_address_in_use_is_told_with_its_reason),
        NET_TEST(three_nodes_reach_each_other_both_ways),
        NET_TEST(what_was_sent_before_the_end_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
