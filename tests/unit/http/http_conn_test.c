#include "http_fixture.h"

/* ---- order ---- */

static void a_request_is_answered(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    UNTIL(fixture, client_has(&client, "\r\n\r\nabc"));
    assert_true(client_has(&client, "HTTP/1.1 200 OK\r\n"));
    assert_true(client_has(&client, "Content-Length: 3\r\n"));
    assert_false(client_has(&client, "Connection"));
    client_close(&client);
}

static void pipelined_requests_are_all_handed_on_and_answered_in_their_order(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    struct writer bytes = {0};
    for (int i = 0; i < 16; i++) {
        writer_format(&bytes, "GET /hold?%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
    }
    client_send_bytes(&client, writer_slice(&bytes));
    UNTIL(fixture, fixture->held_count == 16);
    /* Answered in an order of their own: odd ones backwards, then even ones. */
    for (int i = 15; i > 0; i -= 2) {
        char text[16];
        snprintf(text, sizeof(text), "<%d>", i);
        respond_text(fixture->held[i], 200, text);
    }
    fixture_turns(fixture, 3);
    client_read(&client);
    assert_int_equal(client.received.size, 0);
    for (int i = 0; i < 16; i += 2) {
        char text[16];
        snprintf(text, sizeof(text), "<%d>", i);
        respond_text(fixture->held[i], 200, text);
    }
    UNTIL(fixture, client_has(&client, "<15>"));
    const uint8_t *at = client.received.data;
    for (int i = 0; i < 16; i++) {
        char text[16];
        int size = snprintf(text, sizeof(text), "<%d>", i);
        at = memmem(at, client.received.size - (size_t)(at - client.received.data), text,
                    (size_t)size);
        assert_non_null(at);
    }
    writer_deinit(&bytes);
    client_close(&client);
}

static void a_request_cut_anywhere_is_the_same_request(void **state)
{
    struct fixture *fixture = *state;
    static const char text[] =
        "PUT /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\nGET /now?2 HTTP/1.1\r\nHost: x\r\n\r\n";
    struct client client;
    client_open(&client, fixture);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        client_send_bytes(&client, (struct slice){(const uint8_t *)text + i, 1});
        fixture_turns(fixture, 1);
    }
    UNTIL(fixture, client_has(&client, "abcdef") && client_count(&client, "200 OK") == 2);
    assert_int_equal(fixture->ready_count, 2);
    client_close(&client);
}

static void a_large_body_comes_back_identical(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    enum {
        SIZE = 8 << 20
    };
    struct writer bytes = {0};
    writer_format(&bytes, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", SIZE);
    uint8_t *body = writer_extend(&bytes, SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        body[i] = (uint8_t)(i * 31 >> 3);
    }
    client_send_bytes(&client, writer_slice(&bytes));
    UNTIL(fixture, client_has_size(&client, SIZE));
    UNTIL(fixture, fixture->server->stats.in_flight.value == 0);
    const uint8_t *end = memmem(client.received.data, client.received.size, "\r\n\r\n", 4);
    size_t head_size = (size_t)(end + 4 - client.received.data);
    UNTIL(fixture, client_has_size(&client, head_size + SIZE));
    assert_memory_equal(client.received.data + head_size, body, SIZE);
    assert_int_equal(fixture->server->body_bytes, 0);
    writer_deinit(&bytes);
    client_close(&client);
}

/* ---- memory ---- */

static void a_long_body_that_does_not_come_costs_little(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\nx");
    UNTIL(fixture, fixture->server->body_bytes > 0);
    assert_true(fixture->server->body_bytes <= HTTP_BODY_STEP_MIN);
    client_close(&client);
    UNTIL(fixture, fixture->refuse_count == 1); /* H2: it was begun, so it ends */
    assert_int_equal(fixture->refusal, ERR_BAD_REQUEST);
}

static void an_idle_connection_holds_no_buffers(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Le");
    UNTIL(fixture, !list_is_empty(&fixture->server->conns) && fixture_conn(fixture)->held_size > 0);
    client_send(&client, "ngth: 3\r\n\r\nabc");
    UNTIL(fixture, client_has(&client, "abc"));
    struct http_conn *conn = fixture_conn(fixture);
    assert_null(conn->held);
    assert_int_equal(conn->request_count, 0);
    assert_int_equal(conn->queued_bytes, 0);
    client_close(&client);
}

/* ---- Expect ---- */

static void a_client_that_expects_100_is_told_to_continue(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                         "Expect: 100-continue\r\n\r\n");
    UNTIL(fixture, client_has(&client, "HTTP/1.1 100 Continue\r\n\r\n"));
    assert_int_equal(fixture->ready_count, 0);
    client_send(&client, "abc");
    UNTIL(fixture, client_has(&client, "\r\n\r\nabc"));
    client_close(&client);
}

static void a_100_waits_for_its_turn(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nPUT /now HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    UNTIL(fixture, fixture->begin_count == 2);
    fixture_turns(fixture, 3);
    client_read(&client);
    assert_int_equal(client.received.size, 0);
    respond_text(fixture->held[0], 200, "first");
    UNTIL(fixture, client_has(&client, "firstHTTP/1.1 100 Continue\r\n\r\n"));
    client_close(&client);
    UNTIL(fixture, fixture->refuse_count == 1);
}

static void no_100_is_sent_once_the_body_comes_by_itself(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                         "Expect: 100-continue\r\n\r\nabc");
    UNTIL(fixture, client_has(&client, "\r\n\r\nabc"));
    assert_false(client_has(&client, "100"));
    client_close(&client);
}

static void a_body_that_is_too_large_is_refused_before_it_is_sent(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                         "Expect: 100-continue\r\n\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "HTTP/1.1 413 "));
    assert_true(client_has(&client, "Connection: close\r\n"));
    assert_false(client_has(&client, "100 Continue"));
    client_close(&client);
}

/* ---- refusals ---- */

static void a_refused_upload_is_drained_so_that_the_answer_arrives(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /small HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n");
    struct writer body = {0};
    memset(writer_extend(&body, 4 << 20), 'x', 4 << 20);
    client_send_bytes(&client, writer_slice(&body)); /* fails on a reset */
    UNTIL(fixture, client_has(&client, "the body is too large"));
    assert_false(client.is_reset);
    writer_deinit(&body);
    client_close(&client);
    UNTIL(fixture, fixture->server->stats.connections.value == 0);
}

static void chunks_beyond_the_limit_are_refused_while_they_come(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n2\r\nde\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "HTTP/1.1 413 "));
    assert_int_equal(fixture->ready_count, 0);
    assert_int_equal(fixture->server->body_bytes, 0);
    client_close(&client);
}

static void a_chunk_that_announces_too_much_is_refused_before_it_comes(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "ffffffffffffffff\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "HTTP/1.1 413 "));
    assert_int_equal(fixture->ready_count, 0);
    client_close(&client);
}

static void nothing_after_a_refused_message_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                         "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_int_equal(client_count(&client, "HTTP/1.1 "), 1);
    assert_true(client_has(&client, "HTTP/1.1 400 "));
    assert_int_equal(fixture->ready_count, 0);
    client_close(&client);
}

static void a_refusal_waits_for_the_answers_before_it(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /\r\n\r\n");
    UNTIL(fixture, fixture->refuse_count == 1);
    respond_text(fixture->held[0], 200, "first");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "firstHTTP/1.1 505 "));
    client_close(&client);
}

static void all_bodies_together_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.body_bytes_total_max = 100000});
    struct client first;
    struct client second;
    client_open(&first, fixture);
    client_open(&second, fixture);
    client_send(&first, "PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\nabc");
    UNTIL(fixture, fixture->server->body_bytes > 0);
    client_send(&second, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n");
    UNTIL(fixture, client_is_ended(&second));
    assert_true(client_has(&second, "HTTP/1.1 503 "));
    client_close(&first);
    client_close(&second);
    UNTIL(fixture, fixture->server->body_bytes == 0);
}

static void chunked_bodies_count_as_they_grow(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.body_bytes_total_max = 10000});
    struct client client;
    client_open(&client, fixture);
    struct writer bytes = {0};
    writer_format(
        &bytes, "PUT /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", 20000);
    memset(writer_extend(&bytes, 20000), 'x', 20000);
    client_send_bytes(&client, writer_slice(&bytes));
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "HTTP/1.1 503 "));
    writer_deinit(&bytes);
    client_close(&client);
}

/* ---- answers before the body ---- */

static void a_short_body_behind_an_early_answer_is_skipped(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    UNTIL(fixture, client_has(&client, "early"));
    client_send(&client, "cdeGET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_count(&client, "200 OK") == 2);
    assert_int_equal(fixture->ready_count, 1);
    client_close(&client);
}

static void a_long_body_behind_an_early_answer_ends_the_connection(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nab");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "Connection: close\r\n"));
    assert_true(client_has(&client, "early"));
    client_close(&client);
}

static void a_bad_chunk_behind_an_early_answer_ends_the_connection(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client,
                "PUT /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_int_equal(client_count(&client, "HTTP/1.1 "), 1);
    assert_int_equal(fixture->refuse_count, 0);
    client_close(&client);
}

/* ---- back-pressure ---- */

static void reading_pauses_when_requests_outrun_us_and_goes_on_by_itself(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.pipeline_max = 8});
    struct client client;
    client_open(&client, fixture);
    struct writer bytes = {0};
    for (int i = 0; i < 1000; i++) {
        writer_format(&bytes, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    client_send_bytes(&client, writer_slice(&bytes));
    UNTIL(fixture, fixture->held_count == 8);
    fixture_turns(fixture, 10);
    assert_int_equal(fixture->held_count, 8);
    for (size_t i = 0; i < 1000; i++) {
        UNTIL(fixture, fixture->held_count > i);
        assert_true(fixture->held_count - i <= 8);
        respond_text(fixture->held[i], 200, "x");
    }
    UNTIL(fixture, client_has(&client, "x") && client_count(&client, "200 OK") == 1000);
    writer_deinit(&bytes);
    client_close(&client);
}

/* Answers what was held since the last time; true when all `count` are. */
static bool answer_held(struct fixture *fixture, size_t *answered, struct buf *body, size_t count)
{
    struct http_response response = {.status = 200, .body = body, .content = buf_slice(body)};
    while (*answered < fixture->held_count) {
        http_respond(fixture->held[*answered], &response);
        (*answered)++;
    }
    return *answered == count;
}

static void reading_pauses_when_replies_are_not_taken(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.connection_bytes_max = 1 << 20});
    enum {
        COUNT = 64,
        SIZE = 1 << 20
    };
    struct client client;
    client_open(&client, fixture);
    struct buf *body = buf_new(SIZE);
    memset(body->data, 'y', body->size);
    size_t answered = 0;
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 1);
    struct http_conn *conn = fixture_conn(fixture);
    for (size_t i = 1; i < COUNT; i++) {
        client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        /* The kernel takes some megabytes before it takes no more. */
        UNTIL(fixture, fixture->held_count > i || conn->is_paused);
        (void)answer_held(fixture, &answered, body, COUNT);
    }
    fixture_turns(fixture, 10);
    assert_true(conn->is_paused);
    assert_true(conn->is_blocked);
    assert_true(conn->queued_bytes < 4 * SIZE);
    assert_true(answered < COUNT);
    size_t size = 0;
    while (size < (size_t)COUNT * SIZE) {
        UNTIL(fixture, client_has_size(&client, 1));
        size += client.received.size;
        client_forget(&client);
        (void)answer_held(fixture, &answered, body, COUNT);
    }
    assert_int_equal(answered, COUNT);
    client_close(&client);
    UNTIL(fixture, fixture->server->stats.connections.value == 0);
    assert_int_equal(body->ref_count, 1);
    buf_unref(body);
}

static void at_the_bound_of_all_together_each_may_have_one_request(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.requests_max = 4});
    struct client clients[3];
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        client_open(&clients[i], fixture);
    }
    client_send(&clients[0], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
                             "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
                             "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 3);
    client_send(&clients[1], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
                             "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 4);
    client_send(&clients[2], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
                             "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 5);
    fixture_turns(fixture, 10);
    assert_int_equal(fixture->held_count, 5);
    for (size_t i = 0; i < 7; i++) {
        UNTIL(fixture, fixture->held_count > i);
        respond_text(fixture->held[i], 200, "x");
    }
    UNTIL(fixture, fixture->server->stats.requests_held.value == 0);
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        client_close(&clients[i]);
    }
}

static void a_connection_has_its_share_of_the_replies_that_wait(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.reply_bytes_total_max = 400000});
    struct client clients[2];
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        client_open(&clients[i], fixture);
        client_send(&clients[i], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
                                 "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    UNTIL(fixture, fixture->held_count == 4);
    assert_int_equal(http_admit_reply(fixture->held[0], 1000000), OK); /* where nothing waits */
    struct buf *body = buf_new(90000);
    memset(body->data, 'y', body->size);
    struct http_response response = {.status = 200, .body = body, .content = buf_slice(body)};
    http_respond(fixture->held[0], &response);
    assert_true(fixture->server->stats.reply_bytes.value > 90000);
    assert_int_equal(http_admit_reply(fixture->held[1], 9000), OK);
    assert_int_equal(http_admit_reply(fixture->held[1], 20000), ERR_TOO_MANY_REQUESTS);
    assert_int_equal(http_admit_reply(fixture->held[2], 300000), OK);
    assert_int_equal(http_admit_reply(fixture->held[2], 310000), ERR_OVERLOADED);
    for (size_t i = 1; i < 4; i++) {
        respond_text(fixture->held[i], 200, "x");
    }
    UNTIL(fixture, client_count(&clients[0], "200 OK") == 2);
    UNTIL(fixture, client_count(&clients[1], "200 OK") == 2);
    UNTIL(fixture, fixture->server->stats.reply_bytes.value == 0);
    client_close(&clients[0]);
    client_close(&clients[1]);
    buf_unref(body);
}

/* ---- ends ---- */

static void a_half_closed_client_still_gets_its_answers(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client,
                "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(client.fd, SHUT_WR);
    UNTIL(fixture, fixture->held_count == 1 && fixture_conn(fixture)->has_eof);
    fixture_turns(fixture, 3);
    assert_true(http_is_connected(fixture->held[0]));
    respond_text(fixture->held[0], 200, "late");
    UNTIL(fixture, client_is_ended(&client));
    assert_int_equal(client_count(&client, "200 OK"), 2);
    assert_false(client.is_reset);
    client_close(&client);
}

static void a_client_that_stops_within_a_request_gets_a_400(void **state)
{
    struct fixture *fixture = *state;
    static const char *const parts[] = {
        "GET /now HTTP/1.1\r\nHo",
        "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabc",
        "PUT /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        struct client client;
        client_open(&client, fixture);
        client_send(&client, parts[i]);
        shutdown(client.fd, SHUT_WR);
        UNTIL(fixture, client_is_ended(&client));
        assert_true(client_has(&client, "HTTP/1.1 400 "));
        client_close(&client);
    }
    assert_int_equal(fixture->ready_count, 0);
}

static void a_request_outlives_its_connection(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /hold?q HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    UNTIL(fixture, fixture->held_count == 1);
    struct linger reset = {.l_onoff = 1};
    (void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    client_close(&client);
    UNTIL(fixture, !http_is_connected(fixture->held[0]));
    assert_int_equal(fixture->server->stats.connections.value, 0);
    assert_slice(http_query(fixture->held[0]), "q");
    assert_slice(buf_slice(http_body(fixture->held[0])), "abc");
    assert_non_null(strstr(http_peer(fixture->held[0]), "127.0.0.1:"));
    fixture_turns(fixture, 3);
    respond_text(fixture->held[0], 200, "nobody hears");
    assert_int_equal(fixture->server->stats.in_flight.value, 0);
}

static void a_hang_up_is_heard_while_nothing_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 1);
    assert_int_equal(fixture_conn(fixture)->polled, UV_DISCONNECT | UV_PRIORITIZED);
    struct linger reset = {.l_onoff = 1};
    (void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    client_close(&client);
    UNTIL(fixture, !http_is_connected(fixture->held[0]));
    respond_text(fixture->held[0], 200, "nobody hears");
}

static void urgent_data_ends_the_connection_instead_of_spinning(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 1);
    assert_int_equal(send(client.fd, "!", 1, MSG_OOB), 1);
    UNTIL(fixture, !http_is_connected(fixture->held[0]));
    respond_text(fixture->held[0], 200, "nobody hears");
    client_close(&client);
}

static void connection_close_ends_the_connection_after_its_answer(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /now HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                         "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_int_equal(client_count(&client, "200 OK"), 1);
    assert_int_equal(fixture->ready_count, 1);
    assert_true(client_has(&client, "Connection: close\r\n"));
    client_close(&client);
}

static void http_1_0_is_kept_alive_when_it_asks_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /now HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    UNTIL(fixture, client_has(&client, "Connection: keep-alive\r\n"));
    client_send(&client, "GET /now HTTP/1.0\r\n\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_int_equal(client_count(&client, "200 OK"), 2);
    assert_int_equal(client_count(&client, "Connection: close"), 1);
    client_close(&client);
}

static void an_answer_that_closes_drops_what_was_asked_after_it(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client,
                "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 2);
    struct http_response response = {.status = 200, .close = true};
    http_respond(fixture->held[0], &response);
    UNTIL(fixture, client_is_ended(&client));
    assert_false(http_is_connected(fixture->held[1]));
    respond_text(fixture->held[1], 200, "nobody hears");
    fixture_turns(fixture, 3);
    assert_int_equal(client_count(&client, "200 OK"), 1);
    client_close(&client);
}

/* ---- time ---- */

static void a_header_that_takes_too_long_gets_a_408(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.header_timeout_ms = 50});
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /now HTTP/1.1\r\nHost: x\r\n");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "HTTP/1.1 408 "));
    assert_true(client_has(&client, "Connection: close\r\n"));
    assert_int_equal(fixture->server->stats.timeouts.value, 1);
    client_close(&client);
}

static void the_header_timeout_begins_anew_with_each_request(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.header_timeout_ms = 600});
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /now HTTP/1.1\r\nHost: x\r\n\r\nGET /now HT");
    uint64_t end_ms = now_ms() + 1500;
    size_t count = 1;
    while (now_ms() < end_ms) {
        UNTIL(fixture, client_has(&client, "200 OK") && client_count(&client, "200 OK") == count);
        client_send(&client, "TP/1.1\r\nHost: x\r\n\r\nGET /now HT");
        count++;
        env_uv_run_once(fixture->env, true);
    }
    assert_int_equal(fixture->refuse_count, 0);
    client_close(&client);
    UNTIL(fixture, fixture->server->stats.connections.value == 0);
}

static void a_body_that_comes_too_slowly_gets_a_408(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.body_grace_ms = 50, .body_rate_min = 1 << 20});
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "HTTP/1.1 408 "));
    assert_int_equal(fixture->refusal, ERR_REQUEST_TIMEOUT);
    assert_int_equal(fixture->server->body_bytes, 0);
    client_close(&client);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.idle_timeout_ms = 50});
    struct client client;
    client_open(&client, fixture);
    UNTIL(fixture, client_is_ended(&client));
    assert_int_equal(client.received.size, 0);
    assert_int_equal(fixture->server->stats.timeouts.value, 1);
    client_close(&client);
}

static void a_request_at_work_is_not_idle(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.idle_timeout_ms = 50, .header_timeout_ms = 50});
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    uint64_t end_ms = now_ms() + 700; /* two sweeps and more */
    UNTIL(fixture, now_ms() > end_ms);
    respond_text(fixture->held[0], 200, "late");
    UNTIL(fixture, client_has(&client, "late"));
    client_close(&client);
}

static void a_reader_that_stalls_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.write_stall_timeout_ms = 50});
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 1);
    struct buf *body = buf_new(32 << 20);
    memset(body->data, 'y', body->size);
    struct http_response response = {.status = 200, .body = body, .content = buf_slice(body)};
    http_respond(fixture->held[0], &response);
    UNTIL(fixture, fixture->server->stats.connections.value == 0);
    assert_int_equal(fixture->server->stats.timeouts.value, 1);
    assert_int_equal(body->ref_count, 1);
    buf_unref(body);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_request_is_answered),
        FIXTURE_TEST(pipelined_requests_are_all_handed_on_and_answered_in_their_order),
        FIXTURE_TEST(a_request_cut_anywhere_is_the_same_request),
        FIXTURE_TEST(a_large_body_comes_back_identical),
        FIXTURE_TEST(a_long_body_that_does_not_come_costs_little),
        FIXTURE_TEST(an_idle_connection_holds_no_buffers),
        FIXTURE_TEST(a_client_that_expects_100_is_told_to_continue),
        FIXTURE_TEST(a_100_waits_for_its_turn),
        FIXTURE_TEST(no_100_is_sent_once_the_body_comes_by_itself),
        FIXTURE_TEST(a_body_that_is_too_large_is_refused_before_it_is_sent),
        FIXTURE_TEST(a_refused_upload_is_drained_so_that_the_answer_arrives),
        FIXTURE_TEST(chunks_beyond_the_limit_are_refused_while_they_come),
        FIXTURE_TEST(a_chunk_that_announces_too_much_is_refused_before_it_comes),
        FIXTURE_TEST(nothing_after_a_refused_message_is_read),
        FIXTURE_TEST(a_refusal_waits_for_the_answers_before_it),
        FIXTURE_TEST(all_bodies_together_are_bounded),
        FIXTURE_TEST(chunked_bodies_count_as_they_grow),
        FIXTURE_TEST(a_short_body_behind_an_early_answer_is_skipped),
        FIXTURE_TEST(a_long_body_behind_an_early_answer_ends_the_connection),
        FIXTURE_TEST(a_bad_chunk_behind_an_early_answer_ends_the_connection),
        FIXTURE_TEST(reading_pauses_when_requests_outrun_us_and_goes_on_by_itself),
        FIXTURE_TEST(reading_pauses_when_replies_are_not_taken),
        FIXTURE_TEST(at_the_bound_of_all_together_each_may_have_one_request),
        FIXTURE_TEST(a_connection_has_its_share_of_the_replies_that_wait),
        FIXTURE_TEST(a_half_closed_client_still_gets_its_answers),
        FIXTURE_TEST(a_client_that_stops_within_a_request_gets_a_400),
        FIXTURE_TEST(a_request_outlives_its_connection),
        FIXTURE_TEST(a_hang_up_is_heard_while_nothing_is_read),
        FIXTURE_TEST(urgent_data_ends_the_connection_instead_of_spinning),
        FIXTURE_TEST(connection_close_ends_the_connection_after_its_answer),
        FIXTURE_TEST(http_1_0_is_kept_alive_when_it_asks_for_it),
        FIXTURE_TEST(an_answer_that_closes_drops_what_was_asked_after_it),
        FIXTURE_TEST(a_header_that_takes_too_long_gets_a_408),
        FIXTURE_TEST(the_header_timeout_begins_anew_with_each_request),
        FIXTURE_TEST(a_body_that_comes_too_slowly_gets_a_408),
        FIXTURE_TEST(an_idle_connection_is_closed_without_a_word),
        FIXTURE_TEST(a_request_at_work_is_not_idle),
        FIXTURE_TEST(a_reader_that_stalls_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
