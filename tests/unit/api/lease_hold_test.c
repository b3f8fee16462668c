#include "api/api_int.h"
#include "state_testing.h"

static void it_is_renewed_while_the_connection_is_open(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "POST /leases?ttl=1s&hold&id=ab", "", "");
    peer_until(f, &peer, "event: lease\ndata: {\"id\":\"00000000000000ab\",\"ttl\":1.0}\n\n");
    assert_true(peer_has(&peer, "Content-Type: text/event-stream\r\n"));
    assert_true(peer_has(&peer, "Cache-Control: no-store\r\n"));
    assert_int_equal(state_writes, 1);
    state_pass(f, 900);
    peer_until(f, &peer, "event: keepalive\n");
    assert_int_equal(state_writes, 2);
    state_pass(f, 900); /* of a second since then */
    request(f, "GET /leases/ab", "", NULL);
    assert_int_equal(f->status, 200);
    peer_close(&peer);
}

static void the_stream_ends_with_the_lease(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "POST /leases?ttl=9s&hold&id=ab", "", "");
    peer_until(f, &peer, "event: lease\n");
    request(f, "DELETE /leases/ab", "", NULL);
    assert_int_equal(f->status, 200);
    peer_until(f, &peer, "event: expired\n");
    peer_until(f, &peer, "\r\n0\r\n\r\n");
    peer_close(&peer);
}

static void a_renewal_that_finds_no_lease_ends_it(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "POST /leases?ttl=1s&hold&id=ab", "", "");
    peer_until(f, &peer, "event: lease\n");
    while (!list_is_empty(&f->node.notices)) { /* nobody tells */
        list_remove(f->node.notices.next);
    }
    state_pass(f, 5000);
    peer_until(f, &peer, "event: expired\n");
    peer_close(&peer);
}

static void nothing_is_renewed_for_a_client_that_has_gone(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "POST /leases?ttl=1s&hold&id=ab", "", "");
    peer_until(f, &peer, "event: lease\n");
    peer_close(&peer);
    uint64_t end_ms = env_now_ms(f->env) + 1000;
    while (env_now_ms(f->env) < end_ms) {
        env_uv_run_once(f->env, false);
    }
    assert_int_equal(state_writes, 1);
    state_pass(f, 1000);
    request(f, "GET /leases/ab", "", NULL);
    assert_int_equal(f->status, 404);
}

static void a_renewal_that_fails_is_tried_again(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "POST /leases?ttl=1s&hold", "", "");
    peer_until(f, &peer, "event: lease\n");
    state_error = ERR_NO_LEADER;
    until_writes(f, 4);
    state_error = OK;
    peer_until(f, &peer, "event: keepalive\n");
    peer_close(&peer);
}

static void a_node_that_drains_ends_it_politely(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "POST /leases?ttl=9s&hold", "", "");
    peer_until(f, &peer, "event: lease\n");
    f->node.status.is_draining = true;
    peer_until(f, &peer, "event: draining\n");
    peer_until(f, &peer, "\r\n0\r\n\r\n");
    peer_close(&peer);
}

static void the_server_may_end_while_a_renewal_is_on_its_way(void **state)
{
    struct fixture *f = *state;
    struct peer peer = peer_open(f, "POST /leases?ttl=1s&hold&id=ab", "", "");
    peer_until(f, &peer, "event: lease\n");
    f->node.holds = true;
    while (f->node.held == NULL) {
        env_uv_run_once(f->env, false);
    }
    http_server_close(f->http);
    f->http = NULL;
    api_end(f->api);
    buf_drop(&f->node.held->command);
    const struct command_result result = {.e = ERR_DRAINING};
    f->node.held->done(f->node.held, &result);
    peer_close(&peer);
}

/* H3 */
static void where_there_is_no_room_no_lease_is_granted(void **state)
{
    struct fixture *f = *state;
    uint32_t count = f->api->lingers.count;
    f->api->lingers.count = LINGERS_MAX;
    request(f, "POST /leases?ttl=9s&hold&id=ab", "", "");
    f->api->lingers.count = count;
    assert_problem(f, 503, "overloaded", "as many streams");
    assert_member(f, "outcome", "not-applied");
    assert_int_equal(state_writes, 0);
    request(f, "GET /leases/ab", "", NULL);
    assert_int_equal(f->status, 404);
}

static void one_that_is_not_granted_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /leases?ttl=9s&id=ab", "", "");
    request(f, "POST /leases?ttl=9s&hold&id=ab", "", "");
    assert_problem(f, 409, "conflict", "");
    assert_int_equal(f->api->lingers.count, 0);
}

static void the_server_may_end_while_the_lease_is_on_its_way(void **state)
{
    struct fixture *f = *state;
    f->node.holds = true;
    struct peer peer = peer_open(f, "POST /leases?ttl=1s&hold&id=ab", "", "");
    while (f->node.held == NULL) {
        env_uv_run_once(f->env, false);
    }
    assert_int_equal(f->api->lingers.count, 1);
    api_end(f->api);
    assert_int_equal(f->api->lingers.count, 0);
    buf_drop(&f->node.held->command);
    const struct command_result result = {.e = ERR_DRAINING};
    f->node.held->done(f->node.held, &result);
    f->node.holds = false;
    peer_until(f, &peer, "HTTP/1.1 503 ");
    peer_close(&peer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(it_is_renewed_while_the_connection_is_open),
        TEST(the_stream_ends_with_the_lease),
        TEST(a_renewal_that_finds_no_lease_ends_it),
        TEST(nothing_is_renewed_for_a_client_that_has_gone),
        TEST(a_renewal_that_fails_is_tried_again),
        TEST(a_node_that_drains_ends_it_politely),
        TEST(the_server_may_end_while_a_renewal_is_on_its_way),
        TEST(where_there_is_no_room_no_lease_is_granted),
        TEST(one_that_is_not_granted_leaves_nothing),
        TEST(the_server_may_end_while_the_lease_is_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
