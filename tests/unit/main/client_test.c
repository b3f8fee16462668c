#include "fake_node.h"
#include "main/client.h"

#define NO_LEADER                                                                                  \
    FAKE_ANSWER("503 Service Unavailable", "application/problem+json",                             \
                "{\"title\":\"No leader\",\"detail\":\"wait\",\"outcome\":\"not-applied\"}")
#define UNKNOWN                                                                                    \
    FAKE_ANSWER("504 Gateway Timeout", "application/problem+json",                                 \
                "{\"title\":\"Outcome unknown\",\"outcome\":\"unknown\"}")
#define FINE FAKE_ANSWER("200 OK", "text/plain", "fine")

/* Two nodes, and a client of both, the first one first. */
struct fixture {
    struct fake_node first;
    struct fake_node second;
    char endpoints[80];
    struct client_settings settings;
    struct client *client;
    struct err_note note;
};

static char *const no_environment[] = {NULL};

/* NULL: it says no more, or accepts no connection at all. */
static void start_both(struct fixture *f, const char *first, const char *second, const char *again)
{
    *f = (struct fixture){.first.answers = {first}, .second.answers = {second, again}};
    fake_start(&f->first);
    fake_start(&f->second);
    snprintf(f->endpoints, sizeof(f->endpoints), "http://%s/,%s", f->first.address,
             f->second.address);
    f->settings = CLIENT_SETTINGS_DEFAULT;
    f->settings.endpoints = f->endpoints;
    assert_int_equal(main_client_open(&f->client, &f->settings, no_environment, &f->note), OK);
}

static void start(struct fixture *f, const char *first, const char *second)
{
    start_both(f, first, second, NULL);
}

static void stop(struct fixture *f)
{
    main_client_close(f->client);
    fake_stop(&f->first);
    fake_stop(&f->second);
}

static enum exit_status ask(struct fixture *f, const char *method)
{
    const struct client_request request = {.method = method, .path = "/kv/a%20b?x=1"};
    return main_client_ask(f->client, &request, &f->note);
}

static void an_answer_is_handed_on_with_where_it_is_from(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, FINE, NULL);
    assert_int_equal(ask(&f, "GET"), EXIT_OK);
    struct client_answer answer = main_client_answer(f.client);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "text/plain");
    assert_true(slice_equal(answer.body, SLICE_LITERAL("fine")));
    char url[80];
    snprintf(url, sizeof(url), "http://%s/kv/a%%20b?x=1", f.first.address);
    assert_string_equal(answer.url, url);
    assert_string_equal(answer.address, f.first.address);
    assert_string_equal(main_client_header(f.client, "content-type"), "text/plain");
    assert_null(main_client_header(f.client, "KV-Revision"));
    stop(&f);
    assert_non_null(strstr(f.first.request[0], "GET /kv/a%20b?x=1 HTTP/1.1\r\n"));
}

static void a_body_and_headers_are_sent_as_they_are(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, FINE, NULL);
    const char *const headers[] = {"KV-Test: yes", NULL};
    const struct client_request request = {
        .method = "PUT", .path = "/kv/..", .body = SLICE_LITERAL("a\xff&"), .headers = headers};
    assert_int_equal(main_client_ask(f.client, &request, &f.note), EXIT_OK);
    stop(&f);
    assert_non_null(strstr(f.first.request[0], "PUT /kv/.. HTTP/1.1\r\n"));
    assert_non_null(strstr(f.first.request[0], "KV-Test: yes\r\n"));
    assert_non_null(strstr(f.first.request[0], "Content-Length: 3\r\n"));
    assert_null(strstr(f.first.request[0], "Content-Type"));
}

static void who_refuses_the_connection_is_passed_over(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, NULL, FINE);
    assert_int_equal(ask(&f, "POST"), EXIT_OK);
    stop(&f);
    assert_int_equal(f.second.requests, 1);
    assert_non_null(strstr(f.second.request[0], "Content-Length: 0\r\n"));
}

static void who_cannot_do_it_now_is_passed_over(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, NO_LEADER, FINE);
    assert_int_equal(ask(&f, "POST"), EXIT_OK);
    stop(&f);
    assert_int_equal(f.first.requests, 1);
    assert_int_equal(f.second.requests, 1);
}

static void when_nobody_can_each_is_named_with_why(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, NULL, NO_LEADER);
    assert_int_equal(ask(&f, "POST"), EXIT_UNAVAILABLE);
    char expected[160];
    snprintf(expected, sizeof(expected), "%s: Connection refused; %s: No leader: wait",
             f.first.address, f.second.address);
    assert_string_equal(f.note.text, expected);
    assert_int_equal(main_client_answer(f.client).status, 503);
    stop(&f);
}

static void what_may_have_been_done_is_not_asked_of_another(void **state)
{
    (void)state;
    const char *const answers[] = {FAKE_CLOSES, UNKNOWN};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        start(&f, answers[i], FINE);
        assert_int_equal(ask(&f, "POST"), EXIT_UNKNOWN);
        stop(&f);
        assert_int_equal(f.first.requests, 1);
        assert_int_equal(f.second.requests, 0);
    }
}

static void a_read_is_asked_of_another_whatever_happened(void **state)
{
    (void)state;
    const char *const answers[] = {FAKE_CLOSES, UNKNOWN,
                                   FAKE_ANSWER("500 Internal Server Error", "text/plain", "bad")};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;
        start(&f, answers[i], FINE);
        assert_int_equal(ask(&f, "GET"), EXIT_OK);
        stop(&f);
        assert_int_equal(f.second.requests, 1);
    }
}

static void silence_ends_with_the_timeout(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, FAKE_IS_SILENT, FINE);
    f.settings.timeout_ms = 50;
    assert_int_equal(ask(&f, "POST"), EXIT_UNKNOWN);
    assert_non_null(strstr(f.note.text, "no answer within 50 ms"));
    stop(&f);
    start(&f, FAKE_IS_SILENT, FINE);
    f.settings.timeout_ms = 50;
    assert_int_equal(ask(&f, "GET"), EXIT_OK);
    stop(&f);
}

static void the_node_that_answered_is_asked_first_the_next_time(void **state)
{
    (void)state;
    struct fixture f;
    start_both(&f, NO_LEADER, FINE, FINE);
    assert_int_equal(ask(&f, "POST"), EXIT_OK);
    assert_int_equal(ask(&f, "POST"), EXIT_OK);
    stop(&f);
    assert_int_equal(f.first.requests, 1);
    assert_int_equal(f.second.requests, 2);
}

/* ---- what may be repeated, and how long ---- */

#define IN_PROGRESS "HTTP/1.1 409 Conflict\r\nConnection: close\r\nRetry-After: 0\r\n\r\n"

static enum exit_status ask_once(struct fixture *f)
{
    static const char *const headers[] = {"Idempotency-Key: 1", NULL};
    const struct client_request request = {.method = "PUT",
                                           .path = "/kv/a",
                                           .headers = headers,
                                           .is_repeatable = true,
                                           .shares_timeout = true};
    return main_client_ask(f->client, &request, &f->note);
}

static void a_write_with_a_key_of_its_own_is_asked_of_another(void **state)
{
    (void)state;
    const char *const answers[] = {FAKE_CLOSES, UNKNOWN, FAKE_IS_SILENT};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;
        start(&f, answers[i], FINE);
        f.settings.timeout_ms = 1000;
        assert_int_equal(ask_once(&f), EXIT_OK);
        stop(&f);
        assert_int_equal(f.second.requests, 1);
        assert_non_null(strstr(f.second.request[0], "Idempotency-Key: 1\r\n"));
    }
}

static void what_may_have_been_done_stays_unknown_until_somebody_knows(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, FAKE_CLOSES, NO_LEADER);
    assert_int_equal(ask_once(&f), EXIT_UNKNOWN);
    stop(&f);
    start(&f, FAKE_CLOSES, FAKE_ANSWER("412 Precondition Failed", "text/plain", ""));
    assert_int_equal(ask_once(&f), EXIT_PRECONDITION);
    stop(&f);
}

static void a_first_request_that_is_at_work_is_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    start_both(&f, FAKE_CLOSES, IN_PROGRESS, FINE);
    assert_int_equal(ask_once(&f), EXIT_OK);
    stop(&f);
    assert_int_equal(f.second.requests, 2);
}

static void a_first_request_that_stays_at_work_is_unknown(void **state)
{
    (void)state;
    struct fixture f;
    start_both(&f, FAKE_CLOSES, "HTTP/1.1 409 Conflict\r\nRetry-After: 60\r\n\r\n", FINE);
    assert_int_equal(ask_once(&f), EXIT_UNKNOWN);
    stop(&f);
    assert_int_equal(f.second.requests, 1);
}

/* It is the same request, to the letter: else its key would be that of another one. */
static void each_node_is_told_its_share_of_the_time(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, NO_LEADER, FINE);
    f.settings.timeout_ms = 10000;
    assert_int_equal(ask_once(&f), EXIT_OK);
    stop(&f);
    const char *line = "PUT /kv/a?timeout=4000ms HTTP/1.1\r\n";
    assert_int_equal(strncmp(f.first.request[0], line, strlen(line)), 0);
    assert_int_equal(strncmp(f.second.request[0], line, strlen(line)), 0);
}

static void what_has_no_key_is_told_what_is_left(void **state)
{
    (void)state;
    struct fixture f;
    const struct client_request request = {
        .method = "POST", .path = "/locks/a?ttl=1s", .shares_timeout = true};
    start(&f, NO_LEADER, FINE);
    f.settings.timeout_ms = 10000;
    assert_int_equal(main_client_ask(f.client, &request, &f.note), EXIT_OK);
    stop(&f);
    const char *second = strstr(f.second.request[0], "POST /locks/a?ttl=1s&timeout=");
    assert_non_null(second);
    unsigned long ms = strtoul(second + strlen("POST /locks/a?ttl=1s&timeout="), NULL, 10);
    assert_true(ms > 6000 && ms <= 8000);
}

/* ---- a listener ---- */

struct bell {
    int pipe[2];
    int calls;
    bool goes_on;
};

static bool rings(void *ctx)
{
    struct bell *bell = ctx;
    char byte;
    assert_int_equal(read(bell->pipe[0], &byte, 1), 1);
    bell->calls++;
    return bell->goes_on;
}

static void a_listener_is_heard_while_an_answer_is_waited_for(void **state)
{
    (void)state;
    for (int goes_on = 0; goes_on <= 1; goes_on++) {
        struct fixture f;
        struct bell bell = {.goes_on = goes_on != 0};
        assert_int_equal(pipe(bell.pipe), 0);
        const struct client_listener listener = {
            .fds = bell.pipe, .fd_count = 1, .ready = rings, .ctx = &bell};
        start(&f, FAKE_IS_SILENT, NULL);
        f.settings.timeout_ms = bell.goes_on ? 100 : 60000;
        main_client_listen(f.client, &listener);
        assert_int_equal(write(bell.pipe[1], "x", 1), 1);
        assert_int_equal(ask(&f, "POST"), bell.goes_on ? EXIT_UNKNOWN : EXIT_FAILED);
        assert_int_equal(bell.calls, 1);
        assert_int_equal(write(bell.pipe[1], "x", 1), 1);
        assert_int_equal(main_client_wait(f.client, 60000), bell.goes_on);
        assert_int_equal(bell.calls, 2);
        stop(&f);
        close(bell.pipe[0]);
        close(bell.pipe[1]);
    }
}

static void refusals_end_it_with_their_status(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum exit_status status;
    } rows[] = {
        {FAKE_ANSWER("404 Not Found", "text/plain", ""), EXIT_NOT_FOUND},
        {FAKE_ANSWER("412 Precondition Failed", "text/plain", ""), EXIT_PRECONDITION},
        {FAKE_ANSWER("423 Locked", "text/plain", "me"), EXIT_PRECONDITION},
        {FAKE_ANSWER("409 Conflict", "text/plain", ""), EXIT_FAILED},
        {FAKE_ANSWER("307 Temporary Redirect", "text/plain", ""), EXIT_FAILED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        start(&f, rows[i].answer, FINE);
        assert_int_equal(ask(&f, "POST"), rows[i].status);
        stop(&f);
        assert_int_equal(f.second.requests, 0);
    }
}

static void an_answer_beyond_the_bound_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, FINE, FINE);
    struct client_request request = {.method = "GET", .path = "/", .answer_size_max = 3};
    assert_int_equal(main_client_ask(f.client, &request, &f.note), EXIT_FAILED);
    assert_non_null(strstr(f.note.text, "too large"));
    stop(&f);
    assert_int_equal(f.second.requests, 0);
    start(&f, FINE, NULL);
    request.answer_size_max = 4;
    assert_int_equal(main_client_ask(f.client, &request, &f.note), EXIT_OK);
    stop(&f);
}

struct pieces {
    char text[64];
    bool refuse;
};

static bool take_piece(void *ctx, struct slice bytes)
{
    struct pieces *pieces = ctx;
    size_t size = strlen(pieces->text);
    assert_true(size + bytes.size < sizeof(pieces->text));
    memcpy(pieces->text + size, bytes.data, bytes.size);
    return !pieces->refuse;
}

static enum exit_status ask_in_pieces(struct fixture *f, struct pieces *pieces)
{
    const struct client_request request = {
        .method = "GET", .path = "/", .piece = take_piece, .ctx = pieces};
    return main_client_ask(f->client, &request, &f->note);
}

static void a_body_in_pieces_is_that_of_a_success_alone(void **state)
{
    (void)state;
    struct fixture f;
    struct pieces pieces = {.refuse = false};
    start(&f, NO_LEADER, FINE);
    assert_int_equal(ask_in_pieces(&f, &pieces), EXIT_OK);
    assert_string_equal(pieces.text, "fine");
    assert_int_equal(main_client_answer(f.client).body.size, 0);
    stop(&f);
}

static void pieces_do_not_begin_anew_elsewhere(void **state)
{
    (void)state;
    struct fixture f;
    struct pieces pieces = {.refuse = false};
    start(&f, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", FINE);
    assert_int_equal(ask_in_pieces(&f, &pieces), EXIT_UNAVAILABLE);
    assert_string_equal(pieces.text, "half");
    stop(&f);
    assert_int_equal(f.second.requests, 0);
    start(&f, FINE, FINE);
    pieces.refuse = true;
    assert_int_equal(ask_in_pieces(&f, &pieces), EXIT_FAILED);
    stop(&f);
    assert_int_equal(f.second.requests, 0);
}

static void endpoints_come_from_the_environment_too(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, FINE, NULL);
    char variable[80];
    snprintf(variable, sizeof(variable), "PONTOON_ENDPOINTS=%s", f.first.address);
    char *const environment[] = {variable, NULL};
    struct client_settings settings = CLIENT_SETTINGS_DEFAULT;
    struct client *client = NULL;
    assert_int_equal(main_client_open(&client, &settings, environment, &f.note), OK);
    const struct client_request request = {.method = "GET", .path = "/"};
    assert_int_equal(main_client_ask(client, &request, &f.note), EXIT_OK);
    main_client_close(client);
    stop(&f);
}

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct err_note note;
    struct client *client = NULL;
    struct client_settings settings = CLIENT_SETTINGS_DEFAULT;
    settings.timeout_ms = 0;
    assert_int_equal(main_client_open(&client, &settings, no_environment, &note), ERR_BAD_REQUEST);
    settings = CLIENT_SETTINGS_DEFAULT;
    settings.endpoints = "nowhere";
    assert_int_equal(main_client_open(&client, &settings, no_environment, &note), ERR_BAD_REQUEST);
    assert_null(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_handed_on_with_where_it_is_from),
        cmocka_unit_test(a_body_and_headers_are_sent_as_they_are),
        cmocka_unit_test(who_refuses_the_connection_is_passed_over),
        cmocka_unit_test(who_cannot_do_it_now_is_passed_over),
        cmocka_unit_test(when_nobody_can_each_is_named_with_why),
        cmocka_unit_test(what_may_have_been_done_is_not_asked_of_another),
        cmocka_unit_test(a_read_is_asked_of_another_whatever_happened),
        cmocka_unit_test(silence_ends_with_the_timeout),
        cmocka_unit_test(the_node_that_answered_is_asked_first_the_next_time),
        cmocka_unit_test(a_write_with_a_key_of_its_own_is_asked_of_another),
        cmocka_unit_test(what_may_have_been_done_stays_unknown_until_somebody_knows),
        cmocka_unit_test(a_first_request_that_is_at_work_is_waited_for),
        cmocka_unit_test(a_first_request_that_stays_at_work_is_unknown),
        cmocka_unit_test(each_node_is_told_its_share_of_the_time),
        cmocka_unit_test(what_has_no_key_is_told_what_is_left),
        cmocka_unit_test(a_listener_is_heard_while_an_answer_is_waited_for),
        cmocka_unit_test(refusals_end_it_with_their_status),
        cmocka_unit_test(an_answer_beyond_the_bound_is_refused),
        cmocka_unit_test(a_body_in_pieces_is_that_of_a_success_alone),
        cmocka_unit_test(pieces_do_not_begin_anew_elsewhere),
        cmocka_unit_test(endpoints_come_from_the_environment_too),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
