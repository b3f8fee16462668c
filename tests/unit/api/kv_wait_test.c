#include "state_testing.h"

/* The loop turns until so many long polls are open. */
static void until_waiting(struct fixture *f, uint64_t count)
{
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (watches_count(f->node.watches) != count) {
        env_uv_run_once(f->env, false);
        assert_true(env_now_ms(f->env) < deadline_ms);
    }
}

static void a_key_that_has_changed_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    request(f, "GET /kv/a?index=0&wait=10m", "", NULL);
    assert_int_equal(f->status, 200);
    request(f, "GET /kv/a", "If-None-Match: \"7\"\r\nPrefer: wait=600\r\n", NULL);
    assert_int_equal(f->status, 200);
    request(f, "GET /kv/none", "If-None-Match: \"7\"\r\nPrefer: wait=600\r\n", NULL);
    assert_int_equal(f->status, 404);
    request(f, "DELETE /kv/a", "", NULL);
    request(f, "GET /kv/a?index=1", "", NULL);
    assert_int_equal(f->status, 404);
    assert_int_equal(watches_count(f->node.watches), 0);
}

static void one_that_changes_is_answered_then(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    struct peer by_index = peer_open(f, "GET /kv/a?index=1&wait=10m", "", "");
    struct peer by_tag = peer_open(f, "GET /kv/a?wait=10m", "If-None-Match: \"1\"\r\n", "");
    struct peer stale = peer_open(f, "GET /kv/a?consistency=stale",
                                  "If-None-Match: \"1\"\r\nPrefer: wait=9\r\n", "");
    struct peer absent = peer_open(f, "GET /kv/b?index=1", "", "");
    until_waiting(f, 4);
    request(f, "PUT /kv/other", "", "x");
    request(f, "PUT /kv/a", "", "two");
    peer_until(f, &by_index, "\r\n\r\ntwo");
    peer_until(f, &by_tag, "\r\n\r\ntwo");
    peer_until(f, &stale, "\r\n\r\ntwo");
    until_waiting(f, 1);
    request(f, "PUT /kv/b", "", "three");
    peer_until(f, &absent, "\r\n\r\nthree");
    until_waiting(f, 0);
    peer_close(&by_index);
    peer_close(&by_tag);
    peer_close(&stale);
    peer_close(&absent);
}

/* Each change makes it read again. */
static void one_that_waits_for_a_late_index_is_answered_once(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "1");
    struct peer peer = peer_open(f, "GET /kv/a?index=12&wait=10m", "Prefer: timing\r\n", "");
    until_waiting(f, 1);
    for (unsigned i = 2; i <= 12; i++) {
        request(f, "PUT /kv/a", "", "2");
        until_waiting(f, 1);
    }
    request(f, "PUT /kv/a", "", "last");
    peer_until(f, &peer, "\r\n\r\nlast");
    assert_true(peer_has(&peer, "Preference-Applied: timing"));
    peer_close(&peer);
}

static void a_key_that_goes_is_a_change(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    struct peer peer = peer_open(f, "GET /kv/a?index=1&wait=10m", "", "");
    until_waiting(f, 1);
    request(f, "DELETE /kv/a", "", NULL);
    peer_until(f, &peer, "HTTP/1.1 404 ");
    peer_close(&peer);
}

static void the_end_of_patience_is_the_answer_as_it_is(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    request(f, "GET /kv/a?index=1&wait=20ms", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "one");
    request(f, "GET /kv/a?wait=20ms", "If-None-Match: \"1\"\r\n", NULL);
    assert_int_equal(f->status, 304);
    request(f, "GET /kv/none?index=1&wait=20ms", "", NULL);
    assert_int_equal(f->status, 404);
    request(f, "GET /kv/a", "If-None-Match: \"1\"\r\nPrefer: wait=0\r\n", NULL);
    assert_int_equal(f->status, 304);
}

static void what_says_too_little_is_refused_or_a_plain_read(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    request(f, "GET /kv/a?wait=10m", "", NULL);
    assert_problem(f, 400, "bad-request", "wait needs to know what you have already");
    request(f, "GET /kv/a?wait=11m&index=1", "", NULL);
    assert_problem(f, 400, "bad-request", "from 0s to 10m");
    request(f, "GET /kv/a?index=one", "", NULL);
    assert_problem(f, 400, "bad-request", "index is the revision that you have");
    request(f, "GET /kv/a?index=1&at=1", "", NULL);
    assert_problem(f, 400, "bad-request", "the past does not change");
    request(f, "PUT /kv/a?index=1", "", "x");
    assert_problem(f, 400, "bad-request", "?index is of reads");
    request(f, "GET /kv/a", "Prefer: wait=600\r\n", NULL);
    assert_int_equal(f->status, 200);
}

/* Nothing is left of it, and its answer is nobody's. */
static void a_client_that_goes_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    struct peer peer = peer_open(f, "GET /kv/a?index=1&wait=10m", "", "");
    until_waiting(f, 1);
    peer_close(&peer);
    until_waiting(f, 0);
}

static void a_node_that_drains_sends_them_away(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    struct peer peer = peer_open(f, "GET /kv/a?index=1&wait=10m", "", "");
    until_waiting(f, 1);
    f->node.status.is_draining = true;
    peer_until(f, &peer, "\r\n\r\none"); /* it answers as it is: clients ask again, elsewhere */
    f->node.status.is_draining = false;
    peer_close(&peer);
}

static void one_that_waits_at_the_servers_end_is_answered(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "one");
    struct peer peer = peer_open(f, "GET /kv/a?index=1&wait=10m", "", "");
    until_waiting(f, 1);
    http_server_close(f->http);
    f->http = NULL;
    api_end(f->api);
    assert_int_equal(watches_count(f->node.watches), 0);
    peer_close(&peer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_has_changed_is_answered_at_once),
        TEST(one_that_changes_is_answered_then),
        TEST(one_that_waits_for_a_late_index_is_answered_once),
        TEST(a_key_that_goes_is_a_change),
        TEST(the_end_of_patience_is_the_answer_as_it_is),
        TEST(what_says_too_little_is_refused_or_a_plain_read),
        TEST(a_client_that_goes_is_not_waited_for),
        TEST(a_node_that_drains_sends_them_away),
        TEST(one_that_waits_at_the_servers_end_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
