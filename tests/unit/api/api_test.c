#include "api_testing.h"

static void what_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    const char *const starts[] = {"GET /nope", "GET /stats/", "GET /Stats", "GET /kvfoo",
                                  "PUT /favicon.ico"};
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        request(f, starts[i], "", NULL);
        assert_problem(f, 404, "not-found", "GET /");
    }
}

static void a_wrong_method_is_told_the_right_ones(void **state)
{
    struct fixture *f = *state;
    request(f, "LOCK /kv/a", "", NULL);
    assert_problem(f, 405, "method-not-allowed", "LOCK is not allowed here");
    assert_field(f, "Allow", "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS");
    assert_member(f, "allow", "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS");
    request(f, "POST /stats", "", "x");
    assert_problem(f, 405, "method-not-allowed", "");
    assert_field(f, "Allow", "GET, HEAD, OPTIONS");
    request(f, "PATCH /kv", "", NULL);
    assert_problem(f, 405, "method-not-allowed", "");
    request(f, "PUT /kv/", "", "x");
    assert_problem(f, 405, "method-not-allowed", "");
    request(f, "TRACE /kv/a", "", NULL);
    assert_problem(f, 405, "method-not-allowed", "this method is not allowed here");
    assert_field(f, "Allow", "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS");
}

static void options_tells_the_methods_without_a_body(void **state)
{
    struct fixture *f = *state;
    request(f, "OPTIONS /kv/a", "", NULL);
    assert_int_equal(f->status, 204);
    assert_field(f, "Allow", "GET, HEAD, PUT, POST, DELETE, PATCH, OPTIONS");
    assert_int_equal(f->body.size, 0);
    request(f, "OPTIONS /livez", "", NULL);
    assert_int_equal(f->status, 204);
    assert_field(f, "Allow", "GET, HEAD, OPTIONS");
    request(f, "OPTIONS *", "", NULL);
    assert_int_equal(f->status, 204);
}

static void no_key_is_the_collection_with_and_without_a_slash(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv", "", NULL);
    assert_member(f, "keys", "[ ]");
    request(f, "GET /kv/?prefix=a", "", NULL);
    assert_member(f, "keys", "[ ]");
}

static void head_works_wherever_get_does(void **state)
{
    struct fixture *f = *state;
    const char *const paths[] = {"/",        "/stats",   "/leader", "/livez",   "/readyz",
                                 "/version", "/metrics", "/health", "/kv/none", "/kv"};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        char start[32];
        (void)snprintf(start, sizeof(start), "GET %s", paths[i]);
        request(f, start, "", NULL);
        int status = f->status;
        (void)snprintf(start, sizeof(start), "HEAD %s", paths[i]);
        request(f, start, "", NULL);
        assert_int_equal(f->status, status);
        assert_int_equal(f->body.size, 0);
        assert_non_null(field_of(f, "Content-Length"));
    }
}

static void a_body_where_none_is_needed_is_dropped(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /version", "", "{}");
    assert_int_equal(f->status, 200);
    request(f, "PUT /kv/a", "", "1");
    request(f, "GET /kv/a", "", "{}");
    assert_body(f, "1");
    request(f, "DELETE /kv/a", "", "{}");
    assert_body(f, "OK");
}

static void a_page_of_another_site_may_not_write(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /kv/a", "Sec-Fetch-Site: cross-site\r\n", "1");
    assert_problem(f, 403, "forbidden", "another site");
    request(f, "POST /kv/a", "Origin: http://evil.example\r\n", "1");
    assert_problem(f, 403, "forbidden", "evil.example");
    request(f, "DELETE /kv/a", "Origin: null\r\n", NULL);
    assert_problem(f, 403, "forbidden", "null");
    assert_int_equal(f->node.revision, 0);
    request(f, "POST /kv/a", "Origin: http://localhost:3000\r\n", "1");
    assert_body(f, "OK");
    request(f, "GET /kv/a", "Origin: http://evil.example\r\n", NULL);
    assert_int_equal(f->status, 200);
}

static void a_server_on_loopback_answers_to_names_of_loopback_only(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv/a", "Host: evil.example:3000\r\n", NULL);
    assert_problem(f, 403, "forbidden", "evil.example");
    request(f, "GET /livez", "Host: 127.0.0.1:1\r\n", NULL);
    assert_int_equal(f->status, 200);
    request(f, "GET /livez", "Host: [::1]\r\n", NULL);
    assert_int_equal(f->status, 200);
}

static void a_server_elsewhere_answers_to_any_name(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_with(&f, (struct api_options){.is_loopback = false});
    request(&f, "GET /livez", "Host: kv.internal\r\n", NULL);
    assert_int_equal(f.status, 200);
    fixture_close_parts(&f);
}

static void a_target_in_absolute_form_is_the_same_request(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT http://localhost:3000/kv/a", "", "1");
    assert_int_equal(f->status, 201);
    request(f, "GET HTTP://localhost/kv/a?consistency=stale", "", NULL);
    assert_body(f, "1");
    request(f, "GET http://localhost", "", NULL);
    assert_int_equal(f->status, 200);
}

static void what_the_http_layer_refuses_gets_a_document_too(void **state)
{
    struct fixture *f = *state;
    send_bytes(f, SLICE_LITERAL("GET /kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"));
    assert_problem(f, 400, "bad-request", "");
    send_bytes(f, SLICE_LITERAL("GET /kv/a HTTP/9.9\r\nHost: localhost\r\n\r\n"));
    assert_true(f->status == 505 || f->status == 400);
    assert_non_null(field_of(f, "KV-Request-Id"));
}

static void pipelined_requests_are_answered_in_their_order(void **state)
{
    struct fixture *f = *state;
    send_bytes(f,
               SLICE_LITERAL("PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
                             "GET /kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
                             "GET /kv/b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert_int_equal(f->status, 201);
    const char *rest = (const char *)f->body.data;
    const char *second = strstr(rest, "HTTP/1.1 200");
    const char *third = strstr(rest, "HTTP/1.1 404");
    assert_non_null(second);
    assert_non_null(third);
    assert_true(second < third);
}

static void a_condition_that_is_there_twice_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const fields[] = {
        "KV-Fence: a:1\r\nKV-Fence: b:2\r\n",
        "If-None-Match: \"1\"\r\nif-none-match: *\r\n",
        "Idempotency-Key: a\r\nAccept: */*\r\nIdempotency-Key: b\r\n",
        "KV-TTL: 30\r\nKV-TTL: 60\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        request(f, "PUT /kv/a", fields[i], "x");
        assert_problem(f, 400, "bad-request", "is there more than once");
    }
    request(f, "GET /kv/a", "Accept: a/b\r\nAccept: c/d\r\nIf-None-Match: *\r\n", NULL);
    assert_int_equal(f->status, 404);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_condition_that_is_there_twice_is_refused),
        TEST(what_is_not_there_is_not_found),
        TEST(a_wrong_method_is_told_the_right_ones),
        TEST(options_tells_the_methods_without_a_body),
        TEST(no_key_is_the_collection_with_and_without_a_slash),
        TEST(head_works_wherever_get_does),
        TEST(a_body_where_none_is_needed_is_dropped),
        TEST(a_page_of_another_site_may_not_write),
        TEST(a_server_on_loopback_answers_to_names_of_loopback_only),
        cmocka_unit_test(a_server_elsewhere_answers_to_any_name),
        TEST(a_target_in_absolute_form_is_the_same_request),
        TEST(what_the_http_layer_refuses_gets_a_document_too),
        TEST(pipelined_requests_are_answered_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
