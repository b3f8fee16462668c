#include "api_testing.h"

/* Where the parts meet; what is refused is in route_watch_test.c. */
static void expect_begin(struct fixture *f, const char *target, const char *fields,
                         const char *type, const char *revision)
{
    char start[128];
    (void)snprintf(start, sizeof(start), "GET %s", target);
    watches_end(f->node.watches, OK);
    int client = client_connect(f);
    struct writer text = {0};
    writer_format(&text, "%s HTTP/1.1\r\nHost: localhost:3000\r\n%s\r\n", start, fields);
    struct slice bytes = writer_slice(&text);
    while (bytes.size > 0) {
        client_send(client, &bytes);
    }
    writer_deinit(&text);
    while (watches_count(f->node.watches) == 0) {
        env_uv_run_once(f->env, false);
    }
    watches_end(f->node.watches, ERR_DIVERGED); /* which ends the answer */
    writer_reset(&f->reply);
    while (f->reply.size < 5 || memcmp(f->reply.data + f->reply.size - 5, "0\r\n\r\n", 5) != 0) {
        uint8_t piece[4096];
        env_uv_run_once(f->env, false);
        ssize_t count = recv(client, piece, sizeof(piece), MSG_DONTWAIT);
        if (count > 0) {
            writer_bytes(&f->reply, (struct slice){piece, (size_t)count});
        }
    }
    (void)close(client);
    take_reply(f);
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", type);
    assert_field(f, "KV-Revision", revision);
}

static void the_form_is_the_query_s_or_else_what_is_accepted(void **state)
{
    struct fixture *f = *state;
    const char *sse = "text/event-stream";
    const char *lines = "application/x-ndjson";
    expect_begin(f, "/watch/a", "", sse, "0");
    expect_begin(f, "/watch/a", "Accept: */*\r\n", sse, "0");
    expect_begin(f, "/watch/a", "Accept: application/x-ndjson\r\n", lines, "0");
    expect_begin(f, "/watch/a", "Accept: application/x-ndjson;q=0.1, text/event-stream\r\n", sse,
                 "0");
    expect_begin(f, "/watch/a?format=sse", "Accept: application/x-ndjson\r\n", sse, "0");
    expect_begin(f, "/watch/a?format=ndjson", "Accept: text/event-stream\r\n", lines, "0");
    expect_begin(f, "/watch/a", "Accept: image/png\r\n", sse, "0");
}

static void the_last_id_is_newer_than_the_query(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        request(f, "PUT /kv/a", "", "x");
    }
    const char *sse = "text/event-stream";
    expect_begin(f, "/watch/a", "", sse, "3");
    expect_begin(f, "/watch/a?since=1", "", sse, "1");
    expect_begin(f, "/watch/a?since=1", "Last-Event-ID: 2\r\n", sse, "2");
    expect_begin(f, "/watch?key=a&since=0", "Last-Event-ID:\r\n", sse, "0");
    expect_begin(f, "/watch/%61%2F?since=2&initial=0&prev=0", "", sse, "2");
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(the_form_is_the_query_s_or_else_what_is_accepted),
        WITH_FIXTURE(the_last_id_is_newer_than_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
