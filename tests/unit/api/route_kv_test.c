#include "api_testing.h"

static void the_session_of_the_readme_is_byte_exact(void **state)
{
    struct fixture *f = *state;
    const char *form = "Content-Type: application/x-www-form-urlencoded\r\n";
    request(f, "GET /kv/foo", "", NULL);
    assert_problem(f, 404, "not-found", "no such key");
    request(f, "POST /kv/foo", form, "bar");
    assert_int_equal(f->status, 200);
    assert_body(f, "OK");
    request(f, "GET /kv/foo", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "bar");
    assert_field(f, "Content-Type", "application/octet-stream");
    request(f, "POST /kv/foo", form, "baz");
    assert_body(f, "OK");
    request(f, "GET /kv/foo", "", NULL);
    assert_body(f, "baz");
    request(f, "DELETE /kv/foo", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "OK");
    assert_field(f, "KV-Deleted", "1");
    request(f, "DELETE /kv/foo", "", NULL);
    assert_int_equal(f->status, 200);
    assert_body(f, "OK");
    assert_field(f, "KV-Deleted", "0");
    request(f, "GET /kv/foo", "", NULL);
    assert_int_equal(f->status, 404);
}

static void a_write_and_a_read_describe_the_record(void **state)
{
    struct fixture *f = *state;
    f->node.revision = 41;
    request(f, "PUT /kv/a", "", "1");
    for (int i = 0; i < 2; i++) {
        assert_field(f, "ETag", "\"42\"");
        assert_field(f, "KV-Revision", "42");
        assert_field(f, "KV-Create-Revision", "42");
        assert_field(f, "KV-Version", "1");
        assert_field(f, "Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_field(f, "X-Content-Type-Options", "nosniff");
        assert_field(f, "Content-Security-Policy", "sandbox");
        assert_field(f, "Cache-Control", "no-cache");
        assert_field(f, "Vary", "Accept, Accept-Encoding");
        assert_field(f, "Accept-Ranges", "bytes");
        request(f, "GET /kv/a", "", NULL);
    }
    assert_field(f, "KV-Consistency", "linearizable");
}

static void a_value_above_the_limit_is_refused_with_the_limit_and_its_flag(void **state)
{
    struct fixture *f = *state;
    char fields[64];
    (void)snprintf(fields, sizeof(fields), "Content-Length: %u\r\n", VALUE_BYTES_MAX + 1);
    request(f, "PUT /kv/big", fields, NULL); /* not one byte of it is sent */
    assert_problem(f, 413, "too-large", "at most 100000 bytes, this one has 100001");
    assert_member(f, "limit", "100000");
    assert_member(f, "setting", "max-value-bytes");
    assert_member(f, "outcome", "not-applied");
    assert_member(f, "key", "big");
}

static void a_key_is_any_bytes_decoded_once(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a%2Fb", "", "1");
    request(f, "GET /kv/a/b", "", NULL);
    assert_body(f, "1");
    request(f, "PUT /kv/p/../q", "", "2");
    request(f, "GET /kv/q", "", NULL);
    assert_int_equal(f->status, 404);
    request(f, "GET /kv/p/%2e./q", "", NULL);
    assert_body(f, "2");
    request(f, "PUT /kv/%2541", "", "3");
    request(f, "GET /kv/A", "", NULL);
    assert_int_equal(f->status, 404);
    assert_non_null(fake_find(&f->node, SLICE_LITERAL("%41")));
    request(f, "PUT /kv/a+b?timeout=1s", "", "4");
    assert_non_null(fake_find(&f->node, SLICE_LITERAL("a+b")));
    request(f, "PUT /kv/%00%ff", "", "5");
    assert_non_null(fake_find(&f->node, (struct slice){(const uint8_t *)"\0\xff", 2}));
}

static void a_key_may_have_480_bytes_and_not_481(void **state)
{
    struct fixture *f = *state;
    char start[600] = "PUT /kv/";
    memset(start + 8, 'k', 480);
    request(f, start, "", "1");
    assert_int_equal(f->status, 201);
    start[8 + 480] = 'k';
    request(f, start, "", "1");
    assert_problem(f, 414, "key-too-long", "at most 480 bytes, this one has 481");
    assert_member(f, "limit", "480");
}

static void a_bad_escape_is_a_bad_request(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv/%zz", "", NULL);
    assert_problem(f, 400, "bad-request", "%25");
    request(f, "GET /kv/a%4", "", NULL);
    assert_problem(f, 400, "bad-request", "%25");
}

static void a_problem_shows_the_key_in_a_form_that_json_can_hold(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv/%22%C3%A4%0A", "", NULL);
    assert_member(f, "key", "\"\xc3\xa4\n");
    request(f, "GET /kv/%FF%00", "", NULL);
    assert_member(f, "key", NULL);
    assert_member(f, "key_base64", "/wA=");
}

static void parameters_reach_the_node(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a?ID=terraform", "", "1");
    assert_int_equal(f->status, 201);
    request(f, "GET /kv/a?consistency=stale&timeout=250ms", "", NULL);
    assert_int_equal(f->node.consistency, READ_STALE);
    assert_field(f, "KV-Consistency", "stale");
    uint64_t now_ms = env_now_ms(f->env);
    assert_in_range(f->node.deadline_ms, now_ms > 20000 ? now_ms - 20000 : 0, now_ms + 250);
    f->node.given = READ_STALE;
    request(f, "GET /kv/a?max-staleness=2s&min-revision=1", "", NULL);
    assert_int_equal(f->node.consistency, READ_BOUNDED);
    assert_int_equal(f->node.staleness_ms_max, 2000);
    assert_int_equal(f->node.revision_min, 1);
    assert_field(f, "KV-Consistency", "stale");
    f->node.given = READ_LINEARIZABLE;
    request(f, "GET /kv/a?max-staleness=2s", "", NULL);
    assert_field(f, "KV-Consistency", "linearizable");
    assert_int_equal(f->node.revision_min, 0);
    request(f, "GET /kv/a?consistency=maybe", "", NULL);
    assert_problem(f, 400, "bad-request", "linearizable");
    assert_member(f, "parameter", "consistency");
    request(f, "PUT /kv/a?tll=30s", "", "1");
    assert_problem(f, 400, "bad-request", "did you mean \"ttl\"");
    assert_member(f, "did_you_mean", "ttl");
}

static void who_does_not_lead_names_the_leader_if_asked_to(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a?redirect", "", "1"); /* this one leads: nothing to redirect */
    assert_int_equal(f->status, 201);
    f->node.status.role = NODE_FOLLOWER;
    memcpy(f->node.status.leader_client_address, "10.0.0.2:3000", 14);
    request(f, "GET /kv/a%20b?redirect&x=%31", "", NULL);
    assert_problem(f, 307, "redirect", "10.0.0.2:3000");
    assert_field(f, "Location", "http://10.0.0.2:3000/kv/a%20b?redirect&x=%31");
    request(f, "PUT /kv/a?redirect", "Content-Length: 99999\r\n", NULL); /* its body is not read */
    assert_problem(f, 307, "redirect", "send the same request there");
    assert_member(f, "outcome", "not-applied");
    request(f, "GET /kv/a?redirect=no", "", NULL);
    assert_problem(f, 400, "bad-request", "leave it out");
    request(f, "GET /kv/a?redirect&consistency=stale", "", NULL);
    assert_int_equal(f->status, 200);
    f->node.staleness_ms = 500;
    f->node.given = READ_STALE;
    request(f, "GET /kv/a?redirect&max-staleness=1s", "", NULL);
    assert_int_equal(f->status, 200);
    request(f, "GET /kv/a?redirect&max-staleness=499ms", "", NULL);
    assert_int_equal(f->status, 307);
    f->node.status.leader_client_address[0] = '\0';
    request(f, "DELETE /kv/a?redirect", "", NULL);
    assert_problem(f, 503, "no-leader", "without ?redirect");
    assert_field(f, "Retry-After", "1");
}

static void options_tell_the_methods_and_the_limits(void **state)
{
    struct fixture *f = *state;
    request(f, "OPTIONS /kv/a", "", NULL);
    assert_int_equal(f->status, 204);
    assert_field(f, "Allow", "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS");
    assert_field(f, "KV-Max-Value-Bytes", "100000");
    assert_field(f, "KV-Max-Key-Bytes", "480");
    assert_field(f, "Accept-Encoding", "gzip, deflate");
    assert_field(f, "Accept-Ranges", "bytes");
    assert_null(field_of(f, "Access-Control-Allow-Origin")); /* so no preflight succeeds */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(the_session_of_the_readme_is_byte_exact),
        TEST(a_write_and_a_read_describe_the_record),
        TEST(a_value_above_the_limit_is_refused_with_the_limit_and_its_flag),
        TEST(a_key_is_any_bytes_decoded_once),
        TEST(a_key_may_have_480_bytes_and_not_481),
        TEST(a_bad_escape_is_a_bad_request),
        TEST(a_problem_shows_the_key_in_a_form_that_json_can_hold),
        TEST(parameters_reach_the_node),
        TEST(who_does_not_lead_names_the_leader_if_asked_to),
        TEST(options_tell_the_methods_and_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
