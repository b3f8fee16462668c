#include "state_testing.h"

static void each_leader_is_told_the_present_one_first(void **state)
{
    struct fixture *f = *state;
    struct peer early = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &early, "event: none\ndata: {}\n\n");
    request(f, "POST /elections/e?ttl=10s", "Content-Type: text/x\r\n", "node-1");
    peer_until(f, &early,
               "event: leader\ndata: {\"token\":1,\"content_type\":\"text/x\","
               "\"value\":\"node-1\"}\n\n");
    struct peer late = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &late, "event: leader\ndata: {\"token\":1,");
    assert_false(peer_has(&late, "event: none"));
    state_pass(f, 10000);
    peer_until(f, &late, "event: none\ndata: {}\n\n");
    request(f, "POST /elections/e?ttl=10s", "", "\xff\n");
    peer_until(f, &late, "event: leader\ndata: {\"token\":3,\"value_base64\":\"/wo=\"}\n\n");
    peer_until(f, &early, "{\"token\":3,");
    peer_close(&early);
    peer_close(&late);
}

static void what_a_leader_says_later_is_told(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /elections/e?ttl=10s", "", "starting");
    struct peer peer = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &peer, "data: {\"token\":1,\"value\":\"starting\"}\n\n");
    request(f, "PUT /elections/e", "KV-Fence: e:1\r\n", "serving");
    peer_until(f, &peer, "event: leader\ndata: {\"token\":1,\"value\":\"serving\"}\n\n");
    peer_close(&peer);
}

static void who_only_waits_changes_nothing(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /elections/e?ttl=10s", "", "node-1");
    struct peer peer = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &peer, "event: leader\n");
    size_t size = peer.in.size;
    request(f, "POST /elections/e?ttl=10s&wait=50ms", "", "node-2");
    assert_int_equal(f->status, 423);
    request(f, "PUT /elections/e", "KV-Fence: e:1\r\n", "");
    peer_receive(f, &peer);
    assert_int_equal(peer.in.size, size);
    peer_close(&peer);
}

static void a_watch_ends_with_its_client_and_when_the_node_drains(void **state)
{
    struct fixture *f = *state;
    struct peer gone = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &gone, "event: none\n");
    assert_false(list_is_empty(&f->node.notices));
    peer_close(&gone);
    uint64_t end_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (!list_is_empty(&f->node.notices)) {
        env_uv_run_once(f->env, false);
        assert_true(env_now_ms(f->env) < end_ms);
    }
    struct peer peer = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &peer, "event: none\n");
    f->node.status.is_draining = true;
    peer_until(f, &peer, "event: draining\n");
    peer_until(f, &peer, "\r\n0\r\n\r\n");
    peer_close(&peer);
}

static void a_watch_ends_at_a_node_whose_state_is_not_the_others(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "GET /elections/e/watch", "", "");
    peer_until(f, &peer, "event: none\n");
    struct store *store = f->node.state;
    f->node.state = NULL; /* ERR_DIVERGED */
    peer_until(f, &peer, "\r\n0\r\n\r\n");
    f->node.state = store;
    peer_close(&peer);
}

static void it_has_no_parameters_and_a_head(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /elections/e/watch?since=1", "", NULL);
    assert_problem(f, 400, "bad-request", "unknown parameter");
    request(f, "HEAD /elections/e/watch", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "text/event-stream");
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /elections/e/watch", "", NULL);
    assert_problem(f, 503, "no-leader", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(each_leader_is_told_the_present_one_first),
        TEST(what_a_leader_says_later_is_told),
        TEST(who_only_waits_changes_nothing),
        TEST(a_watch_ends_with_its_client_and_when_the_node_drains),
        TEST(a_watch_ends_at_a_node_whose_state_is_not_the_others),
        TEST(it_has_no_parameters_and_a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
