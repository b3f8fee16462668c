#include <sys/resource.h>

#include "http_fixture.h"

/* ---- opening ---- */

static void the_bound_address_is_told(void **state)
{
    struct fixture *fixture = *state;
    const char *address = http_server_address(fixture->server);
    assert_int_equal(strncmp(address, "127.0.0.1:", 10), 0);
    assert_string_not_equal(address, "127.0.0.1:0");
}

static err open_at(struct fixture *fixture, const char *address, struct err_note *note)
{
    struct http_server *server = NULL;
    struct http_options options = {.env = fixture->env, .listen_address = address};
    err e = http_server_open(&server, &options, &fixture_handler, fixture, note);
    http_server_close(server);
    return e;
}

static void an_address_in_use_is_refused_with_a_note(void **state)
{
    struct fixture *fixture = *state;
    struct err_note note = {{0}};
    assert_int_equal(open_at(fixture, http_server_address(fixture->server), &note), ERR_ADDRESS);
    assert_non_null(strstr(note.text, http_server_address(fixture->server)));
}

static void an_address_that_is_none_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct err_note note = {{0}};
    assert_int_equal(open_at(fixture, "localhost", &note), ERR_ADDRESS);
    assert_int_equal(open_at(fixture, "127.0.0.1:66000", &note), ERR_ADDRESS);
    assert_int_equal(open_at(fixture, "192.0.2.1:0", &note), ERR_ADDRESS);
}

static void ipv6_addresses_stand_in_brackets(void **state)
{
    struct fixture *fixture = *state;
    struct err_note note = {{0}};
    err e = open_at(fixture, "[::1]:0", &note);
    if (e != OK) {
        skip(); /* a machine without IPv6 */
    }
    assert_int_equal(open_at(fixture, "::1:0", &note), ERR_ADDRESS);
}

/* ---- connections ---- */

static void accepted_sockets_do_not_wait_to_send(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    UNTIL(fixture, fixture->server->stats.connections.value == 1);
    int fd = fixture_conn(fixture)->fd;
    int value = 0;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    assert_int_not_equal(value, 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
    assert_int_not_equal(value, 0);
    client_close(&client);
}

static void connections_beyond_the_limit_get_a_503(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.connections_max = 2});
    struct client clients[3];
    for (size_t i = 0; i < 3; i++) {
        client_open(&clients[i], fixture);
        UNTIL(fixture, fixture->server->stats.connections.value == (int64_t)i + 1);
    }
    client_send(&clients[2], "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_is_ended(&clients[2]));
    assert_true(client_has(&clients[2], "HTTP/1.1 503 "));
    assert_int_equal(fixture->ready_count, 0);
    assert_int_equal(fixture->server->stats.connections_refused.value, 1);
    client_close(&clients[0]);
    client_close(&clients[2]);
    UNTIL(fixture, fixture->server->stats.connections.value == 1);
    struct client late;
    client_open(&late, fixture);
    client_send(&late, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_has(&late, "200 OK"));
    client_close(&late);
    client_close(&clients[1]);
}

static void running_out_of_descriptors_pauses_accepting_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct client clients[2];
    client_open(&clients[0], fixture);
    UNTIL(fixture, fixture->server->stats.connections.value == 1);
    client_open(&clients[1], fixture);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    UNTIL(fixture, !fixture->server->is_accepting);
    client_send(&clients[0], "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_has(&clients[0], "200 OK"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    client_send(&clients[1], "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_has(&clients[1], "200 OK"));
    assert_true(fixture->server->is_accepting);
    client_close(&clients[0]);
    client_close(&clients[1]);
}

static void what_happens_is_counted(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /\r\n\r\n");
    UNTIL(fixture, fixture->refuse_count == 1);
    const struct http_stats *stats = http_stats(fixture->server);
    assert_int_equal(stats->connections_accepted.value, 1);
    assert_int_equal(stats->connections.value, 1);
    assert_int_equal(stats->requests.value, 1);
    assert_int_equal(stats->refusals.value, 1);
    assert_int_equal(stats->in_flight.value, 1);
    assert_int_equal(stats->received_bytes.value, 31 + 9);
    respond_text(fixture->held[0], 200, "x");
    UNTIL(fixture, client_is_ended(&client));
    assert_int_equal(stats->sent_bytes.value, client.received.size);
    assert_int_equal(stats->in_flight.value, 0);
    client_close(&client);
    UNTIL(fixture, stats->connections.value == 0);
}

static void the_date_moves_on(void **state)
{
    struct fixture *fixture = *state;
    char first[HTTP_DATE_SIZE];
    memcpy(first, http_server_date(fixture->server).data, HTTP_DATE_SIZE);
    UNTIL(fixture, memcmp(first, http_server_date(fixture->server).data, HTTP_DATE_SIZE) != 0);
}

/* ---- the end ---- */

static void on_drained(void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->is_drained = true;
}

static void a_drain_of_an_idle_server_ends_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, client_has(&client, "200 OK"));
    struct sockaddr_in address = fixture_address(fixture);
    http_server_drain(fixture->server, 60000, on_drained, fixture);
    assert_false(fixture->is_drained); /* never within the call */
    UNTIL(fixture, fixture->is_drained);
    UNTIL(fixture, client_is_ended(&client));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_not_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    client_close(&client);
}

static void a_drain_waits_for_what_is_at_work(void **state)
{
    struct fixture *fixture = *state;
    struct client at_work;
    struct client half_read;
    client_open(&at_work, fixture);
    client_open(&half_read, fixture);
    client_send(&at_work, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    client_send(&half_read, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    UNTIL(fixture, fixture->held_count == 1 && fixture->begin_count == 2);
    http_server_drain(fixture->server, 60000, on_drained, fixture);
    fixture_turns(fixture, 5);
    assert_false(fixture->is_drained);
    client_send(&half_read, "cd");
    UNTIL(fixture, client_is_ended(&half_read));
    assert_true(client_has(&half_read, "Connection: close\r\n\r\nabcd"));
    respond_text(fixture->held[0], 200, "done");
    UNTIL(fixture, client_is_ended(&at_work));
    assert_true(client_has(&at_work, "Connection: close\r\n\r\ndone"));
    client_close(&at_work);
    client_close(&half_read);
    UNTIL(fixture, fixture->is_drained);
}

static void a_drain_answers_all_pipelined_requests(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client,
                "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 2);
    http_server_drain(fixture->server, 60000, on_drained, fixture);
    respond_text(fixture->held[0], 200, "one");
    respond_text(fixture->held[1], 200, "two");
    UNTIL(fixture, client_is_ended(&client));
    assert_true(client_has(&client, "one"));
    assert_true(client_has(&client, "Connection: close\r\n\r\ntwo"));
    assert_int_equal(client_count(&client, "Connection: close"), 1);
    client_close(&client);
    UNTIL(fixture, fixture->is_drained);
}

static void a_drain_cuts_what_outlasts_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    UNTIL(fixture, fixture->held_count == 1);
    http_server_drain(fixture->server, 50, on_drained, fixture);
    UNTIL(fixture, fixture->is_drained);
    assert_false(http_is_connected(fixture->held[0]));
    respond_text(fixture->held[0], 200, "nobody hears");
    client_close(&client);
}

static void close_on_drained(void *ctx)
{
    struct fixture *fixture = ctx;
    http_server_close(fixture->server);
    fixture->server = NULL;
    fixture->is_drained = true;
}

static void a_server_may_be_closed_as_soon_as_it_is_drained(void **state)
{
    struct fixture *fixture = *state;
    http_server_drain(fixture->server, 60000, close_on_drained, fixture);
    UNTIL(fixture, fixture->is_drained);
}

static void requests_stay_valid_when_the_server_is_closed(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    UNTIL(fixture, fixture->held_count == 1);
    http_server_close(fixture->server);
    fixture->server = NULL;
    fixture_turns(fixture, 3);
    struct http_request *request = fixture->held[0];
    assert_false(http_is_connected(request));
    assert_slice(buf_slice(http_body(request)), "abc");
    memset(http_alloc(request, 5000), 1, 5000);
    respond_text(request, 200, "nobody hears");
    client_close(&client);
}

static void a_turn_takes_in_no_more_than_its_bound(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.turn_requests_max = 2});
    struct client clients[12];
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        client_open(&clients[i], fixture);
    }
    UNTIL(fixture, fixture->server->stats.connections.value == ARRAY_COUNT(clients));
    struct slice text = SLICE_LITERAL("GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        assert_int_equal(send(clients[i].fd, text.data, text.size, 0), text.size);
    }
    size_t before = 0;
    while (fixture->begin_count < ARRAY_COUNT(clients)) {
        env_uv_run_once(fixture->env, true);
        /* Two before the turn's end, two at it, and run_once has an end of its own. */
        assert_true(fixture->begin_count - before <= 6);
        before = fixture->begin_count;
    }
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        UNTIL(fixture, client_has(&clients[i], "200 OK"));
        client_close(&clients[i]);
    }
}

/* The kernel names those that are readable in the same order again and again. */
static void who_never_stops_sending_keeps_nobody_out(void **state)
{
    struct fixture *fixture = *state;
    fixture_reopen(fixture, &(struct http_options){.turn_bytes_max = 1});
    struct client greedy[4];
    struct client modest;
    static uint8_t zeros[1 << 20];
    for (size_t i = 0; i < ARRAY_COUNT(greedy); i++) {
        client_open(&greedy[i], fixture);
        client_send(&greedy[i], "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n");
    }
    client_open(&modest, fixture);
    UNTIL(fixture, fixture->server->stats.connections.value == 5);
    for (int turn = 0; turn < 40 && !client_has(&modest, "200 OK"); turn++) {
        for (size_t i = 0; i < ARRAY_COUNT(greedy); i++) {
            (void)send(greedy[i].fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        if (turn == 4) {
            struct slice text = SLICE_LITERAL("GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_int_equal(send(modest.fd, text.data, text.size, 0), text.size);
        }
        env_uv_run_once(fixture->env, false);
    }
    assert_true(client_has(&modest, "200 OK"));
    assert_int_equal(fixture->ready_count, 1); /* none of the others was through by then */
    for (size_t i = 0; i < ARRAY_COUNT(greedy); i++) {
        client_close(&greedy[i]);
    }
    client_close(&modest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_bound_address_is_told),
        FIXTURE_TEST(an_address_in_use_is_refused_with_a_note),
        FIXTURE_TEST(an_address_that_is_none_is_refused),
        FIXTURE_TEST(ipv6_addresses_stand_in_brackets),
        FIXTURE_TEST(accepted_sockets_do_not_wait_to_send),
        FIXTURE_TEST(connections_beyond_the_limit_get_a_503),
        FIXTURE_TEST(running_out_of_descriptors_pauses_accepting_and_no_more),
        FIXTURE_TEST(what_happens_is_counted),
        FIXTURE_TEST(the_date_moves_on),
        FIXTURE_TEST(a_drain_of_an_idle_server_ends_at_once),
        FIXTURE_TEST(a_drain_waits_for_what_is_at_work),
        FIXTURE_TEST(a_drain_answers_all_pipelined_requests),
        FIXTURE_TEST(a_drain_cuts_what_outlasts_its_time),
        FIXTURE_TEST(a_server_may_be_closed_as_soon_as_it_is_drained),
        FIXTURE_TEST(requests_stay_valid_when_the_server_is_closed),
        FIXTURE_TEST(a_turn_takes_in_no_more_than_its_bound),
        FIXTURE_TEST(who_never_stops_sending_keeps_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
