#include "http_fixture.h"

/* Sends `text`, whose path is /hold, and returns the request. */
static struct http_request *hold(struct fixture *fixture, struct client *client, const char *text)
{
    client_open(client, fixture);
    client_send(client, text);
    UNTIL(fixture, fixture->held_count == 1);
    return fixture->held[0];
}

static void release(struct fixture *fixture, struct client *client)
{
    respond_text(fixture->held[0], 200, "done");
    UNTIL(fixture, client_has(client, "done"));
    client_close(client);
}

/* Longer than there are bits for sizes. */
#define LONG_NAME "X-3456789-123456789-123456789-123456789-123456789-123456789-12345678"

static void a_request_shows_what_was_sent(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    const struct http_request *request =
        hold(fixture, &client,
             "PUT http://h/hold?a=%20b&c HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Two:  1 \r\n"
             "x-two: 2\r\n" LONG_NAME ": 3\r\nContent-Length: 3\r\n\r\nabc");
    assert_int_equal(http_method(request), HTTP_METHOD_PUT);
    assert_string_equal(http_method_name(http_method(request)), "PUT");
    assert_slice(http_path(request), "/hold");
    assert_slice(http_query(request), "a=%20b&c");
    assert_slice(http_header(request, "host"), "x");
    assert_slice(http_header(request, "x-two"), "1");
    assert_slice(http_header(request, "x-empty"), "");
    assert_non_null(http_header(request, "x-empty").data);
    assert_slice(http_header(request, "X-TWO"), "1");
    assert_slice(http_header(request, LONG_NAME), "3");
    assert_null(http_header(request, "x-twos").data);
    assert_null(http_header(request, "x-none").data);
    assert_slice(buf_slice(http_body(request)), "abc");
    assert_int_equal(http_content_length(request), 3);
    assert_false(http_is_http_1_0(request));
    assert_true(http_is_connected(request));
    assert_int_equal(strncmp(http_peer(request), "127.0.0.1:", 10), 0);
    assert_true(http_started_ns(request) <= env_now_ns(fixture->env));
    release(fixture, &client);
}

static void a_body_may_go_before_the_answer(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct http_request *request =
        hold(fixture, &client, "PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert_int_equal(fixture->server->stats.body_bytes.value, 3);
    http_body_release(request);
    assert_null(http_body(request));
    assert_int_equal(fixture->server->stats.body_bytes.value, 0);
    assert_int_equal(fixture->server->body_bytes, 0);
    release(fixture, &client);
}

static void requests_are_numbered(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                         "GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 2);
    assert_true(http_request_number(fixture->held[1]) > http_request_number(fixture->held[0]));
    assert_true(http_is_http_1_0(fixture->held[0]));
    respond_text(fixture->held[1], 200, "");
    release(fixture, &client);
}

static void allocations_do_not_overlap_and_live_until_the_answer(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct http_request *request = hold(fixture, &client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    uint8_t *memory[64];
    for (size_t i = 0; i < ARRAY_COUNT(memory); i++) {
        memory[i] = http_alloc(request, 100 + i * 100);
        memset(memory[i], (int)i, 100 + i * 100);
    }
    for (size_t i = 0; i < ARRAY_COUNT(memory); i++) {
        for (size_t k = 0; k < 100 + i * 100; k++) {
            assert_int_equal(memory[i][k], i);
        }
    }
    assert_slice(http_path(request), "/hold");
    http_set_user(request, memory[3]);
    assert_ptr_equal(http_user(request), memory[3]);
    release(fixture, &client);
}

static void an_empty_body_is_no_body(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    const struct http_request *request =
        hold(fixture, &client,
             "PUT /hold HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_null(http_body(request));
    assert_int_equal(http_content_length(request), UINT64_MAX);
    release(fixture, &client);
}

static void a_chunked_body_takes_no_more_memory_than_its_size(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    const struct http_request *request =
        hold(fixture, &client,
             "PUT /hold HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n");
    assert_slice(buf_slice(http_body(request)), "abc");
    assert_int_equal(fixture->server->body_bytes, 3);
    struct buf *kept = buf_ref(http_body(request));
    release(fixture, &client);
    assert_int_equal(fixture->server->body_bytes, 0);
    assert_slice(buf_slice(kept), "abc");
    buf_unref(kept);
}

static void an_absolute_target_without_a_path_means_the_root(void **state)
{
    struct fixture *fixture = *state;
    struct http_conn conn = {.server = fixture->server};
    list_init(&conn.requests);
    struct slice bytes = SLICE_LITERAL("GET http://h?q HTTP/1.0\r\n\r\n");
    struct http_head head = {.path = {12, 0}, .query = {13, 1}};
    struct http_request *request = http_request_new(&conn, &head, bytes);
    assert_slice(http_path(request), "/");
    assert_slice(http_query(request), "q");
    http_request_finish(request);
    http_request_free(request);
}

static void a_refused_request_shows_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct http_conn conn = {.server = fixture->server};
    list_init(&conn.requests);
    struct http_request *request = http_request_new(&conn, NULL, SLICE_EMPTY);
    assert_int_equal(http_path(request).size, 0);
    assert_int_equal(http_query(request).size, 0);
    assert_null(http_header(request, "host").data);
    assert_int_equal(http_method(request), HTTP_METHOD_OTHER);
    http_request_finish(request);
    http_request_free(request);
}

static void requests_are_used_again(void **state)
{
    struct fixture *fixture = *state;
    struct http_conn conn = {.server = fixture->server};
    list_init(&conn.requests);
    struct http_request *first = http_request_new(&conn, NULL, SLICE_EMPTY);
    (void)http_alloc(first, 10000);
    http_request_finish(first);
    http_request_free(first);
    struct http_request *second = http_request_new(&conn, NULL, SLICE_EMPTY);
    assert_ptr_equal(first, second);
    assert_null(second->arena.blocks);
    http_request_finish(second);
    http_request_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_request_shows_what_was_sent),
        FIXTURE_TEST(a_body_may_go_before_the_answer),
        FIXTURE_TEST(requests_are_numbered),
        FIXTURE_TEST(allocations_do_not_overlap_and_live_until_the_answer),
        FIXTURE_TEST(an_empty_body_is_no_body),
        FIXTURE_TEST(a_chunked_body_takes_no_more_memory_than_its_size),
        FIXTURE_TEST(an_absolute_target_without_a_path_means_the_root),
        FIXTURE_TEST(a_refused_request_shows_nothing),
        FIXTURE_TEST(requests_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
