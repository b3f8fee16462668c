#include "api_testing.h"

static void a_sane_request_id_is_echoed(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /livez", "X-Request-Id: abc-123\r\n", NULL);
    assert_field(f, "KV-Request-Id", "abc-123");
    request(f, "GET /kv/none", "X-Request-Id: \"quoted\\\"\r\n", NULL);
    assert_member(f, "request_id", "\"quoted\\\"");
}

static void any_other_request_id_is_replaced_by_one_of_ours(void **state)
{
    struct fixture *f = *state;
    char fields[200] = "X-Request-Id: ";
    memset(fields + 14, 'i', 129);
    memcpy(fields + 14 + 129, "\r\n", 3);
    const char *const bad[] = {"", "X-Request-Id: a b\r\n", "X-Request-Id: \xc3\xa4\r\n", fields};
    char previous[17] = "";
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        request(f, "GET /livez", bad[i], NULL);
        const char *id = field_of(f, "KV-Request-Id");
        assert_int_equal(strlen(id), 16);
        assert_int_equal(strspn(id, "0123456789abcdef"), 16);
        assert_string_not_equal(id, previous);
        memcpy(previous, id, sizeof(previous));
    }
}

static void every_answer_carries_the_revision(void **state)
{
    struct fixture *f = *state;
    f->node.revision = UINT64_C(9007199254740992);
    const char *const starts[] = {"GET /livez", "GET /nope", "GET /kv/none", "OPTIONS /kv/a",
                                  "GET /kv/%zz"};
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        request(f, starts[i], "", NULL);
        assert_field(f, "KV-Revision", "9007199254740992");
        assert_non_null(field_of(f, "Date"));
    }
    assert_member(f, "revision", "9007199254740992");
}

static void an_error_comes_in_the_form_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    request(f, "GET /kv/none", "Accept: text/plain\r\n", NULL);
    assert_int_equal(f->status, 404);
    assert_field(f, "Content-Type", "text/plain; charset=utf-8");
    assert_memory_equal(f->body.data, "404 Not found: ", 15);
    request(f, "GET /nope", "Accept: text/html,*/*;q=0.8\r\n", NULL);
    assert_field(f, "Content-Type", "text/html; charset=utf-8");
    assert_field(f, "X-Content-Type-Options", "nosniff");
    assert_field(f, "Content-Security-Policy", "sandbox");
    request(f, "GET /kv/none", "Accept: image/png\r\n", NULL);
    assert_field(f, "Content-Type", "application/problem+json");
    request(f, "HEAD /kv/none", "Accept: text/plain\r\n", NULL);
    assert_int_equal(f->body.size, 0);
    assert_field(f, "Content-Type", "text/plain; charset=utf-8");
}

static void nothing_is_logged_for_a_request_unless_asked_for(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/secret-key", "", "secret-value");
    assert_int_equal(f->log_lines.size, 0);
}

static void the_access_log_has_the_hash_of_a_key_and_neither_key_nor_value(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_with(&f, (struct api_options){.access_log = true});
    request(&f, "PUT /kv/secret-key", "X-Request-Id: r1\r\n", "secret-value");
    request(&f, "GET /livez", "", NULL);
    writer_u8(&f.log_lines, 0);
    const char *lines = (const char *)f.log_lines.data;
    char hash[40];
    (void)snprintf(hash, sizeof(hash), "key_hash=%016" PRIx64,
                   hash64(SLICE_LITERAL("secret-key"), 0));
    assert_non_null(strstr(lines, "msg=request method=PUT route=kv"));
    assert_non_null(strstr(lines, hash));
    assert_non_null(strstr(lines, "status=201"));
    assert_non_null(strstr(lines, "req_id=r1"));
    assert_non_null(strstr(lines, "method=GET route=livez"));
    assert_null(strstr(lines, "secret"));
    fixture_close_parts(&f);
}

static void a_slow_request_is_logged_once_with_the_hash_of_its_key(void **state)
{
    struct fixture *f = *state;
    f->node.holds = true;
    int client = client_connect(f);
    struct slice bytes = SLICE_LITERAL("PUT /kv/secret-key HTTP/1.1\r\nHost: localhost\r\n"
                                       "Content-Length: 1\r\n\r\nx");
    uint64_t started_ms = env_now_ms(f->env);
    while (f->node.held == NULL || env_now_ms(f->env) < started_ms + 1050) {
        client_send(client, &bytes);
        env_uv_run_once(f->env, false);
    }
    fake_answer(&f->node, f->node.held);
    (void)close(client);
    writer_u8(&f->log_lines, 0);
    const char *lines = (const char *)f->log_lines.data;
    const char *line = strstr(lines, "level=warn msg=\"slow request\" method=PUT route=kv");
    assert_non_null(line);
    assert_null(strstr(strchr(line, '\n'), "slow request"));
    assert_null(strstr(lines, "secret"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_sane_request_id_is_echoed),
        TEST(any_other_request_id_is_replaced_by_one_of_ours),
        TEST(every_answer_carries_the_revision),
        TEST(an_error_comes_in_the_form_that_is_asked_for),
        TEST(nothing_is_logged_for_a_request_unless_asked_for),
        TEST(a_slow_request_is_logged_once_with_the_hash_of_its_key),
        cmocka_unit_test(the_access_log_has_the_hash_of_a_key_and_neither_key_nor_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
