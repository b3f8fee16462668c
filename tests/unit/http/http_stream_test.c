#include "http_fixture.h"

/* Asks for /stream and waits until the fixture has it. */
static void open_stream(struct fixture *fixture, struct client *client, const char *text)
{
    client_open(client, fixture);
    client_send(client, text);
    UNTIL(fixture, fixture->stream != NULL);
}

static bool write_text(struct fixture *fixture, const char *text)
{
    struct buf *piece = buf_copy(slice_from_text(text));
    bool has_room = http_stream_write(fixture->stream, piece);
    buf_unref(piece);
    return has_room;
}

static bool write_block(struct fixture *fixture, size_t size)
{
    struct buf *piece = buf_new(size);
    memset(piece->data, 'z', size);
    bool has_room = http_stream_write(fixture->stream, piece);
    buf_unref(piece);
    return has_room;
}

#define STREAM_1_1 "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"

static void pieces_arrive_as_chunks_as_they_are_written(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, STREAM_1_1);
    UNTIL(fixture, client_has(&client, "\r\n\r\n"));
    assert_true(client_has(&client, "Transfer-Encoding: chunked\r\n"));
    assert_false(client_has(&client, "Content-Length"));
    client_forget(&client);
    assert_true(write_text(fixture, "first"));
    UNTIL(fixture, client_has(&client, "5\r\nfirst\r\n"));
    assert_true(write_text(fixture, "")); /* would be the end */
    assert_true(write_text(fixture, "the second one"));
    http_stream_end(fixture->stream, true);
    UNTIL(fixture, client_has(&client, "e\r\nthe second one\r\n0\r\n\r\n"));
    client_send(&client, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_has(&client, "Content-Length: 0"));
    assert_int_equal(fixture->closed_count, 0);
    client_close(&client);
}

static void http_1_0_gets_the_pieces_bare_until_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    (void)write_text(fixture, "one");
    (void)write_text(fixture, "two");
    http_stream_end(fixture->stream, true);
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "Connection: close\r\n\r\nonetwo"));
    assert_false(client.is_reset);
    client_close(&client);
}

static void head_gets_no_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(write_text(fixture, "unseen"));
    http_stream_end(fixture->stream, true);
    client_send(&client, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_count(&client, "200 OK") == 2);
    assert_false(client_has(&client, "unseen"));
    assert_true(client_has(&client, "\r\n\r\nHTTP/1.1"));
    client_close(&client);
}

static void later_answers_wait_for_the_end_of_a_stream(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, STREAM_1_1 "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->ready_count == 2);
    (void)write_text(fixture, "a");
    UNTIL(fixture, client_has(&client, "1\r\na\r\n"));
    fixture_turns(fixture, 3);
    assert_int_equal(client_count(&client, "HTTP/1.1 "), 1);
    http_stream_end(fixture->stream, true);
    UNTIL(fixture, client_has(&client, "0\r\n\r\nHTTP/1.1 200 OK"));
    client_close(&client);
}

static void a_stream_waits_for_the_answers_before_it(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n" STREAM_1_1);
    (void)write_text(fixture, "a");
    http_stream_end(fixture->stream, true);
    fixture_turns(fixture, 3);
    client_read(&client);
    assert_int_equal(client.received.size, 0);
    respond_text(fixture->held[0], 200, "first");
    UNTIL(fixture, client_has(&client, "1\r\na\r\n0\r\n\r\n"));
    client_close(&client);
}

static void a_writer_that_outruns_its_reader_is_told_and_told_again(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, STREAM_1_1);
    size_t written = 0;
    for (int round = 1; round <= 3; round++) {
        /* The kernel's own buffers take some megabytes. */
        for (int i = 0; i < 1000; i++) {
            written += 64 << 10;
            if (!write_block(fixture, 64 << 10)) {
                break;
            }
            fixture_turns(fixture, 1);
        }
        struct http_conn *conn = fixture_conn(fixture);
        assert_true(conn->queued_bytes <= 2 * HTTP_STREAM_SIZE_MAX);
        UNTIL(fixture, client_has(&client, "z") && fixture->writable_count == (size_t)round);
    }
    http_stream_end(fixture->stream, true);
    UNTIL(fixture, client_has(&client, "\r\n0\r\n\r\n"));
    assert_true(client.received.size > written);
    client_close(&client);
}

static void a_writer_that_does_not_wait_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, STREAM_1_1);
    for (int i = 0; i < 100; i++) {
        (void)write_block(fixture, 1 << 20);
    }
    assert_true(fixture_conn(fixture)->queued_bytes < 32 << 20);
    UNTIL(fixture, fixture->closed_count == 1);
    UNTIL(fixture, client_is_ended(&client));
    assert_false(client_has(&client, "\r\n0\r\n\r\n"));
    client_close(&client);
}

static void a_disconnect_ends_the_stream(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, STREAM_1_1);
    (void)write_text(fixture, "a");
    UNTIL(fixture, client_has(&client, "1\r\na"));
    client_close(&client);
    uint64_t end_ms = now_ms() + FIXTURE_PATIENCE_MS;
    while (fixture->closed_count == 0) {
        assert_true(now_ms() < end_ms);
        (void)write_text(fixture, "b"); /* the first is answered by a reset */
        fixture_turns(fixture, 2);
    }
    assert_int_equal(fixture->server->stats.in_flight.value, 0);
}

static void a_stream_that_fails_shows(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, STREAM_1_1);
    (void)write_text(fixture, "half");
    http_stream_end(fixture->stream, false);
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "4\r\nhalf\r\n"));
    assert_false(client_has(&client, "0\r\n\r\n"));
    client_close(&client);
}

static void a_stream_that_fails_shows_in_http_1_0_too(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, "GET /stream HTTP/1.0\r\n\r\n");
    http_stream_end(fixture->stream, false);
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client.is_reset);
    client_close(&client);
}

static void a_stream_for_nobody_is_not_opened(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 1);
    struct linger reset = {.l_onoff = 1};
    (void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    client_close(&client);
    UNTIL(fixture, !http_is_connected(fixture->held[0]));
    struct http_response head = {.status = 200};
    assert_null(http_respond_stream(fixture->held[0], &head, &fixture_stream_handler, fixture));
    assert_int_equal(fixture->closed_count, 0);
}

static void closing_the_server_ends_its_streams(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    open_stream(fixture, &client, STREAM_1_1);
    fixture_reopen(fixture, &(struct http_options){0});
    UNTIL(fixture, client_is_ended(&client));
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(pieces_arrive_as_chunks_as_they_are_written),
        FIXTURE_TEST(http_1_0_gets_the_pieces_bare_until_the_end),
        FIXTURE_TEST(head_gets_no_pieces),
        FIXTURE_TEST(later_answers_wait_for_the_end_of_a_stream),
        FIXTURE_TEST(a_stream_waits_for_the_answers_before_it),
        FIXTURE_TEST(a_writer_that_outruns_its_reader_is_told_and_told_again),
        FIXTURE_TEST(a_writer_that_does_not_wait_is_cut_off),
        FIXTURE_TEST(a_disconnect_ends_the_stream),
        FIXTURE_TEST(a_stream_that_fails_shows),
        FIXTURE_TEST(a_stream_that_fails_shows_in_http_1_0_too),
        FIXTURE_TEST(a_stream_for_nobody_is_not_opened),
        FIXTURE_TEST(closing_the_server_ends_its_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
