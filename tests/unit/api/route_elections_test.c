#include "state_testing.h"

static void who_is_elected_is_read_as_it_has_said(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /elections/e", "", NULL);
    assert_problem(f, 404, "not-found", "nobody leads");
    request(f, "POST /elections/e?ttl=10s", "Content-Type: text/x\r\n", "node-1");
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Fence", "e:1");
    request(f, "POST /elections/e?ttl=10s", "", "node-2");
    assert_problem(f, 423, "locked", "another one leads, with the token 1");
    assert_member(f, "holder", "node-1");
    request(f, "GET /elections/e", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "node-1");
    assert_field(f, "Content-Type", "text/x");
    assert_field(f, "KV-Fence", "e:1");
    assert_field(f, "KV-Consistency", "linearizable");
    assert_field(f, "Content-Security-Policy", "sandbox");
    request(f, "HEAD /elections/e", "", NULL);
    assert_field(f, "Content-Length", "6");
}

static void the_leader_renews_and_resigns(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /elections/e?ttl=10s", "", "node-1");
    state_pass(f, 6000);
    request(f, "PUT /elections/e", "KV-Fence: e:1\r\n", "");
    assert_int_equal(f->status, 200);
    state_pass(f, 6000);
    struct peer peer = peer_open(f, "POST /elections/e?ttl=10s&wait=60s", "", "node-2");
    until_writes(f, 3);
    request(f, "DELETE /elections/e", "KV-Fence: e:1\r\n", NULL);
    assert_int_equal(f->status, 200);
    peer_until(f, &peer, "KV-Fence: e:3\r\n");
    request(f, "DELETE /elections/e", "KV-Fence: e:1\r\n", NULL);
    assert_problem(f, 412, "fence-lost", "leads no more");
    request(f, "GET /elections/e", "", NULL);
    assert_body(f, "node-2");
    peer_close(&peer);
}

static void a_leader_says_something_else_without_a_new_election(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /elections/e?ttl=10s", "Content-Type: text/x\r\n", "starting");
    request(f, "PUT /elections/e", "KV-Fence: e:1\r\nContent-Type: text/y\r\n", "serving");
    assert_int_equal(f->status, 200);
    assert_field(f, "KV-Fence", "e:1");
    request(f, "GET /elections/e", "", NULL);
    assert_body(f, "serving");
    assert_field(f, "Content-Type", "text/y");
    request(f, "PUT /elections/e", "KV-Fence: e:1\r\nContent-Type: text/z\r\n", "");
    assert_int_equal(f->status, 200); /* it goes on, and says what it said */
    request(f, "PUT /elections/e", "KV-Fence: e:2\r\n", "usurping");
    assert_problem(f, 412, "fence-lost", "leads no more");
    request(f, "GET /elections/e", "", NULL);
    assert_body(f, "serving");
    assert_field(f, "Content-Type", "text/y");
}

static void an_election_is_no_lock_of_the_same_name(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /elections/e?ttl=10s", "", "node-1");
    request(f, "POST /locks/e?ttl=10s", "", "host");
    assert_int_equal(f->status, 200);
    request(f, "POST /kv/k", "KV-Fence: e:1\r\n", "x");
    assert_int_equal(f->status, 200);
    request(f, "POST /kv/k", "KV-Fence: e:2\r\n", "x");
    assert_int_equal(f->status, 200);
    request(f, "POST /kv/k", "KV-Fence: e:3\r\n", "x");
    assert_int_equal(f->status, 412);
    request(f, "POST /elections/e?limit=2", "", "x");
    assert_problem(f, 400, "bad-request", "unknown parameter");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)
    const struct CMUnitTest tests[] = {
        TEST(who_is_elected_is_read_as_it_has_said),
        TEST(the_leader_renews_and_resigns),
        TEST(a_leader_says_something_else_without_a_new_election),
        TEST(an_election_is_no_lock_of_the_same_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
