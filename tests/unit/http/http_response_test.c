#include <signal.h>
#include <sys/wait.h>

#include "http_fixture.h"

/*
 * Sends `request_text` to /hold, answers with `response`, waits for the end and returns all of it.
 */
static struct slice exchange(struct fixture *fixture, struct client *client,
                             const char *request_text, const struct http_response *response)
{
    size_t held = fixture->held_count;
    client_open(client, fixture);
    client_send(client, request_text);
    UNTIL(fixture, fixture->held_count == held + 1);
    http_respond(fixture->held[held], response);
    shutdown(client->fd, SHUT_WR);
    UNTIL(fixture, client_is_ended(client));
    return writer_slice(&client->received);
}

/* `seen` must be `expected`, in which the 29 characters of the date are question marks. */
static void check_answer(struct slice seen, const char *expected)
{
    char text[1024];
    assert_true(seen.size < sizeof(text));
    memcpy(text, seen.data, seen.size);
    text[seen.size] = '\0';
    char *date = strstr(text, "Date: ");
    assert_non_null(date);
    memset(date + 6, '?', HTTP_DATE_SIZE);
    assert_string_equal(text, expected);
}

#define DATE "Date: ?????????????????????????????\r\n"
#define REQUEST(method) method " /hold HTTP/1.1\r\nHost: x\r\n\r\n"

static void an_answer_has_the_layer_s_fields_and_the_handler_s(void **state)
{
    struct client client;
    const struct http_field fields[] = {
        {.name = SLICE_LITERAL("ETag"), .value = SLICE_LITERAL("\"42\"")},
        {.lines = SLICE_LITERAL("X-One: 1\r\nX-Two: 2\r\n")},
        {.name = SLICE_LITERAL("X-Empty"), .value = SLICE_EMPTY},
    };
    struct http_response response = {
        .status = 201, .fields = fields, .field_count = 3, .content = SLICE_LITERAL("OK")};
    check_answer(exchange(*state, &client, REQUEST("PUT"), &response),
                 "HTTP/1.1 201 Created\r\n" DATE "Content-Length: 2\r\n"
                 "ETag: \"42\"\r\nX-One: 1\r\nX-Two: 2\r\nX-Empty: \r\n\r\nOK");
    client_close(&client);
}

static void content_may_be_part_of_a_shared_buf(void **state)
{
    struct client client;
    struct buf *body = buf_copy(SLICE_LITERAL("0123456789"));
    struct http_response response = {
        .status = 206, .body = body, .content = {body->data + 3, 4}, .close = true};
    check_answer(exchange(*state, &client, REQUEST("GET"), &response),
                 "HTTP/1.1 206 Partial Content\r\n" DATE "Content-Length: 4\r\n"
                 "Connection: close\r\n\r\n3456");
    assert_int_equal(body->ref_count, 1);
    buf_unref(body);
    client_close(&client);
}

static void head_gets_the_length_and_no_content(void **state)
{
    struct client client;
    struct http_response response = {.status = 200, .head_length = 123};
    check_answer(exchange(*state, &client, REQUEST("HEAD"), &response),
                 "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 123\r\n\r\n");
    client_close(&client);
    response = (struct http_response){.status = 404, .content = SLICE_LITERAL("not here")};
    check_answer(exchange(*state, &client, REQUEST("HEAD"), &response),
                 "HTTP/1.1 404 Not Found\r\n" DATE "Content-Length: 8\r\n\r\n");
    client_close(&client);
}

static void answers_204_and_304_have_no_content_and_no_length(void **state)
{
    struct client client;
    struct http_response response = {.status = 204, .content = SLICE_LITERAL("x")};
    check_answer(exchange(*state, &client, REQUEST("PUT"), &response),
                 "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
    client_close(&client);
    response.status = 304;
    check_answer(exchange(*state, &client, REQUEST("GET"), &response),
                 "HTTP/1.1 304 Not Modified\r\n" DATE "\r\n");
    client_close(&client);
}

static void an_empty_answer_has_length_0(void **state)
{
    struct client client;
    struct http_response response = {.status = 200};
    check_answer(exchange(*state, &client, REQUEST("GET"), &response),
                 "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n");
    client_close(&client);
}

static void an_unknown_status_has_an_empty_reason(void **state)
{
    struct client client;
    struct http_response response = {.status = 299};
    check_answer(exchange(*state, &client, REQUEST("GET"), &response),
                 "HTTP/1.1 299 \r\n" DATE "Content-Length: 0\r\n\r\n");
    client_close(&client);
}

static void every_error_of_the_list_has_a_reason(void **state)
{
    struct fixture *fixture = *state;
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        struct client client;
        struct http_response response = {.status = err_http_status((err)e), .close = true};
        struct slice seen = exchange(fixture, &client, REQUEST("GET"), &response);
        assert_true(seen.size > 14);
        assert_int_not_equal(seen.data[13], '\r');
        client_close(&client);
    }
}

static void the_request_s_own_body_and_memory_may_be_the_answer(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    client_open(&client, fixture);
    client_send(&client, "PUT /hold?q HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    UNTIL(fixture, fixture->held_count == 1);
    struct http_request *request = fixture->held[0];
    const struct http_field field = {.name = SLICE_LITERAL("X-Query"),
                                     .value = http_query(request)};
    struct http_response response = {.status = 200,
                                     .fields = &field,
                                     .field_count = 1,
                                     .body = http_body(request),
                                     .content = buf_slice(http_body(request))};
    http_respond(request, &response);
    UNTIL(fixture, client_has(&client, "X-Query: q\r\n\r\nabc"));
    client_close(&client);
}

static void many_fields_fit(void **state)
{
    struct client client;
    struct http_field fields[64];
    char value[200];
    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        fields[i] = (struct http_field){.name = SLICE_LITERAL("X-Field"),
                                        .value = {(const uint8_t *)value, sizeof(value)}};
    }
    struct http_response response = {
        .status = 200, .fields = fields, .field_count = ARRAY_COUNT(fields)};
    (void)exchange(*state, &client, REQUEST("GET"), &response);
    assert_int_equal(client_count(&client, "X-Field: vvv"), 64);
    client_close(&client);
}

/* How answering with `field` ends, in a process of its own. */
static int end_of_answer(struct fixture *fixture, struct http_field field)
{
    struct client client;
    struct http_response response = {.status = 200, .fields = &field, .field_count = 1};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(98);
        }
        (void)exchange(fixture, &client, REQUEST("GET"), &response);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int end_of_value(struct fixture *fixture, struct slice value)
{
    return end_of_answer(fixture,
                         (struct http_field){.name = SLICE_LITERAL("X-Field"), .value = value});
}

/* Whichever of its bytes it is: they are looked at eight at a time. */
static void a_value_that_would_end_its_line_ends_the_process(void **state)
{
    uint8_t value[19];
    const uint8_t bad[] = {'\r', '\n', '\0'};
    for (size_t at = 0; at < sizeof(value); at++) {
        memset(value, 0xff, sizeof(value));
        value[at] = bad[at % sizeof(bad)];
        int status = end_of_value(*state, (struct slice){value, sizeof(value)});
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        value[18 - at] = '\t'; /* which may be there */
        value[at] = bad[at % sizeof(bad)];
        status = end_of_value(*state, (struct slice){value, sizeof(value)});
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        value[at] = '\r' + 1;
        status = end_of_value(*state, (struct slice){value, sizeof(value)});
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void lines_that_are_not_whole_end_the_process(void **state)
{
    const struct http_field fields[] = {
        {.lines = SLICE_LITERAL("X-One: 1")},
        {.name = SLICE_LITERAL("X-Two"), .lines = SLICE_LITERAL("X-One: 1\r\n")},
        {.value = SLICE_LITERAL("2"), .lines = SLICE_LITERAL("X-One: 1\r\n")},
    };
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        int status = end_of_answer(*state, fields[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(an_answer_has_the_layer_s_fields_and_the_handler_s),
        FIXTURE_TEST(content_may_be_part_of_a_shared_buf),
        FIXTURE_TEST(head_gets_the_length_and_no_content),
        FIXTURE_TEST(answers_204_and_304_have_no_content_and_no_length),
        FIXTURE_TEST(an_empty_answer_has_length_0),
        FIXTURE_TEST(an_unknown_status_has_an_empty_reason),
        FIXTURE_TEST(every_error_of_the_list_has_a_reason),
        FIXTURE_TEST(the_request_s_own_body_and_memory_may_be_the_answer),
        FIXTURE_TEST(many_fields_fit),
        FIXTURE_TEST(a_value_that_would_end_its_line_ends_the_process),
        FIXTURE_TEST(lines_that_are_not_whole_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
