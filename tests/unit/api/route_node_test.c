#include "api_testing.h"

static void the_version_holds_what_patroni_looks_for(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /version", "", NULL);
    assert_int_equal(f->status, 200);
    assert_member(f, "version", "0.1.0");
    assert_member(f, "etcdserver", "3.4.0");
    assert_member(f, "etcdcluster", "3.4.0");
}

static void the_root_names_limits_and_links(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /", "", NULL);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "application/json");
    assert_member(f, "name", "pontoon");
    assert_member(f, "cluster_id", "0000000000000abc");
    struct json_object *document = json_body(f);
    struct json_object *limits = json_object_object_get(document, "limits");
    assert_int_equal(json_u64(limits, "key_bytes_max"), 480);
    assert_int_equal(json_u64(limits, "value_bytes_max"), VALUE_BYTES_MAX);
    assert_int_equal(json_u64(limits, "timeout_ms"), 5000);
    assert_string_equal(json_text(json_object_object_get(document, "links"), "stats"), "/stats");
    (void)json_object_put(document);
}

static void every_member_names_the_leader_and_only_it_says_200(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /leader", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"id\":1,\"client_address\":\"http://127.0.0.1:3000\"}\n");
    request(f, "GET /follower", "", NULL);
    assert_int_equal(f->status, 503);
    f->node.status.role = NODE_FOLLOWER;
    f->node.status.leader = 2;
    request(f, "GET /leader", "", NULL);
    assert_int_equal(f->status, 503);
    assert_body(f, "{\"id\":2,\"client_address\":\"http://127.0.0.1:3000\"}\n");
    request(f, "GET /follower", "", NULL);
    assert_int_equal(f->status, 200);
}

static void an_unknown_leader_is_null(void **state)
{
    struct fixture *f = *state;
    f->node.status.role = NODE_CANDIDATE;
    f->node.status.leader = 0;
    f->node.status.has_quorum = false;
    request(f, "GET /leader", "", NULL);
    assert_int_equal(f->status, 503);
    assert_body(f, "{\"id\":0,\"client_address\":null}\n");
    request(f, "GET /follower", "", NULL);
    assert_int_equal(f->status, 503);
    request(f, "GET /health", "", NULL);
    assert_int_equal(f->status, 503);
    assert_body(f, "{\"health\":\"false\"}\n");
    request(f, "GET /livez", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "ok\n");
}

static void a_healthy_node_says_so(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /health", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"health\":\"true\"}\n");
    request(f, "GET /readyz", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "ok\n");
    request(f, "GET /readyz?verbose", "", NULL);
    assert_body(f, "[+]leader ok\n[+]draining ok\n[+]state ok\n[+]applied ok\n"
                   "readyz check passed\n");
}

static void a_node_that_is_not_ready_says_why(void **state)
{
    struct fixture *f = *state;
    f->node.why_not_ready = "no leader is known";
    f->node.status.has_quorum = false;
    request(f, "GET /readyz", "", NULL);
    assert_int_equal(f->status, 503);
    assert_field(f, "Retry-After", "1");
    assert_body(f, "[-]leader failed: no leader is known\n[+]draining ok\n[+]state ok\n"
                   "[+]applied ok\nreadyz check failed\n");
    request(f, "GET /readyz?exclude=leader", "", NULL);
    assert_int_equal(f->status, 200);
    request(f, "GET /readyz?exclude=nothing", "", NULL);
    assert_problem(f, 400, "bad-request", "leader, draining, state and applied");
}

static void what_is_left_of_not_being_ready_is_the_applied_lag(void **state)
{
    struct fixture *f = *state;
    f->node.why_not_ready = "behind";
    request(f, "GET /readyz", "", NULL);
    assert_int_equal(f->status, 503);
    assert_body(f, "[+]leader ok\n[+]draining ok\n[+]state ok\n[-]applied failed: behind\n"
                   "readyz check failed\n");
    request(f, "GET /readyz?exclude=applied&verbose", "", NULL);
    assert_body(f, "[+]leader ok\n[+]draining ok\n[+]state ok\n[+]applied excluded: ok\n"
                   "readyz check passed\n");
}

static void a_node_whose_state_differs_is_neither_ready_nor_healthy(void **state)
{
    struct fixture *f = *state;
    f->node.why_not_ready = "its state differs from the majority's";
    f->node.status.is_trusted = false;
    request(f, "GET /readyz", "", NULL);
    assert_int_equal(f->status, 503);
    assert_body(f, "[+]leader ok\n[+]draining ok\n"
                   "[-]state failed: its state differs from the majority's\n"
                   "[+]applied ok\nreadyz check failed\n");
    request(f, "GET /health", "", NULL);
    assert_int_equal(f->status, 503);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(the_version_holds_what_patroni_looks_for),
        TEST(the_root_names_limits_and_links),
        TEST(every_member_names_the_leader_and_only_it_says_200),
        TEST(an_unknown_leader_is_null),
        TEST(a_healthy_node_says_so),
        TEST(a_node_that_is_not_ready_says_why),
        TEST(what_is_left_of_not_being_ready_is_the_applied_lag),
        TEST(a_node_whose_state_differs_is_neither_ready_nor_healthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
