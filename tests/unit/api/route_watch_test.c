/* Streams of changes, byte by byte, from a node that is a map in memory. */
#include "api_testing.h"

/* A client that reads a stream as it comes. */
struct stream {
    int client;
    struct writer text;
    size_t seen; /* what expect_text has passed */
};

static void stream_open(struct fixture *f, struct stream *stream, const char *target,
                        const char *fields)
{
    struct writer text = {0};
    *stream = (struct stream){.client = client_connect(f)};
    writer_format(&text, "GET %s HTTP/1.1\r\nHost: localhost:3000\r\n%s\r\n", target, fields);
    struct slice bytes = writer_slice(&text);
    while (bytes.size > 0) {
        client_send(stream->client, &bytes);
    }
    writer_deinit(&text);
}

static void stream_close(struct fixture *f, struct stream *stream)
{
    const struct linger at_once = {.l_onoff = 1}; /* a reset: otherwise a beat has to fail first */
    assert_int_equal(setsockopt(stream->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
                     0);
    (void)close(stream->client);
    writer_deinit(&stream->text);
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    while (watches_count(f->node.watches) > 0) {
        env_uv_run_once(f->env, false);
        assert_true(env_now_ms(f->env) < deadline_ms);
    }
}

/* Reads on until `words` have come, behind what was expected before. */
static void expect_text(struct fixture *f, struct stream *stream, const char *words)
{
    uint64_t deadline_ms = env_now_ms(f->env) + PATIENCE_MS;
    for (;;) {
        struct slice rest = {stream->text.data + stream->seen, stream->text.size - stream->seen};
        const uint8_t *found =
            rest.size > 0 ? memmem(rest.data, rest.size, words, strlen(words)) : NULL;
        if (found != NULL) {
            stream->seen = (size_t)(found - stream->text.data) + strlen(words);
            return;
        }
        uint8_t piece[4096];
        env_uv_run_once(f->env, false);
        ssize_t count = recv(stream->client, piece, sizeof(piece), MSG_DONTWAIT);
        if (count > 0) {
            writer_bytes(&stream->text, (struct slice){piece, (size_t)count});
        }
        if (env_now_ms(f->env) >= deadline_ms || count == 0) {
            fail_msg("no \"%s\" after: %.*s", words, (int)stream->text.size,
                     (const char *)stream->text.data);
        }
    }
}

/* The server ends it, with a whole answer. */
static void expect_end(struct fixture *f, struct stream *stream)
{
    expect_text(f, stream, "\r\n0\r\n\r\n");
    assert_int_equal(stream->seen, stream->text.size);
}

/* As expect_text, and there was nothing between that and what was expected before. */
static void expect_next(struct fixture *f, struct stream *stream, const char *words)
{
    size_t before = stream->seen;
    expect_text(f, stream, words);
    /* The pieces of a chunked body have their sizes between them. */
    size_t between = stream->seen - strlen(words) - before;
    for (size_t i = 0; i < between; i++) {
        assert_non_null(strchr("\r\n0123456789abcdef", stream->text.data[before + i]));
    }
}

static void put(struct fixture *f, const char *key, const char *value)
{
    char start[64];
    (void)snprintf(start, sizeof(start), "PUT /kv/%s", key);
    request(f, start, "", value);
    assert_true(f->status == 200 || f->status == 201);
}

static void a_key_is_watched_from_now_on(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    put(f, "foo", "before");
    stream_open(f, &stream, "/watch/foo", "");
    expect_text(f, &stream, "HTTP/1.1 200 OK\r\n");
    expect_text(f, &stream, "Content-Type: text/event-stream\r\n");
    expect_text(f, &stream, "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n");
    expect_text(f, &stream, "KV-Revision: 1\r\n");
    expect_text(f, &stream, "\r\n\r\n");
    expect_next(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: progress\nid: 1\ndata: {}\n\n");
    assert_int_equal(f->node.consistency, READ_LINEARIZABLE);
    put(f, "foobar", "other");
    put(f, "foo", "bar");
    request(f, "DELETE /kv/foo", "", NULL);
    expect_next(f, &stream,
                "event: put\nid: 3\ndata: {\"key\":\"foo\",\"value\":\"bar\",\"revision\":3,"
                "\"create_revision\":1,\"version\":2}\n\n");
    expect_next(f, &stream, "event: delete\nid: 4\ndata: {\"key\":\"foo\",\"revision\":4}\n\n");
    stream_close(f, &stream);
}

static void it_goes_on_behind_what_the_client_has(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    for (int i = 0; i < 5; i++) {
        put(f, i % 2 == 0 ? "app%2Fa" : "b", "1");
    }
    stream_open(f, &stream, "/watch?prefix=app/&since=1&format=ndjson", "");
    expect_text(f, &stream, "Content-Type: application/x-ndjson\r\n");
    expect_text(f, &stream, "KV-Revision: 1\r\n");
    expect_text(f, &stream, "\r\n\r\n");
    expect_next(f, &stream, "{\"event\":\"put\",\"id\":3,\"key\":\"app/a\",");
    expect_text(f, &stream, "{\"event\":\"put\",\"id\":5,\"key\":\"app/a\",");
    assert_int_equal(f->node.consistency, READ_STALE); /* it has that revision: no need to ask */
    stream_close(f, &stream);
    stream_open(f, &stream, "/watch?prefix=&since=1",
                "Last-Event-ID: 4\r\nAccept: application/x-ndjson\r\n");
    expect_text(f, &stream, "\r\n\r\n");
    expect_next(f, &stream, "{\"event\":\"put\",\"id\":5,");
    stream_close(f, &stream);
}

static void who_is_cut_off_while_nothing_happens_has_a_new_id(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    put(f, "a", "1");
    put(f, "b", "1");
    stream_open(f, &stream, "/watch/nothing", "");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: progress\nid: 2\ndata: {}\n\n");
    stream_close(f, &stream);
    put(f, "b", "2");
    put(f, "a", "2");
    put(f, "b", "3");
    stream_open(f, &stream, "/watch/nothing?initial", "Last-Event-ID: 2\r\n");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: progress\nid: 5\ndata: {}\n\n");
    stream_close(f, &stream);
    stream_open(f, &stream, "/watch/a?since=2&format=ndjson", "");
    expect_text(f, &stream, "\r\n\r\n");
    expect_next(f, &stream, "{\"event\":\"put\",\"id\":4,\"key\":\"a\",");
    expect_text(f, &stream, "}\n"); /* not before what there was to tell */
    expect_next(f, &stream, "{\"event\":\"progress\",\"id\":5}\n");
    put(f, "b", "4"); /* and once */
    put(f, "a", "3");
    expect_next(f, &stream, "{\"event\":\"put\",\"id\":7,\"key\":\"a\",");
    stream_close(f, &stream);
}

static void kinds_are_filtered_and_the_old_value_is_told(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    put(f, "a", "1");
    put(f, "a", "2");
    request(f, "DELETE /kv/a", "", NULL);
    stream_open(f, &stream, "/watch?key=a&since=0&events=delete,expire&prev", "");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream,
                "event: delete\nid: 3\ndata: {\"key\":\"a\",\"revision\":3,"
                "\"prev_value\":\"2\",\"prev_revision\":2}\n\n");
    stream_close(f, &stream);
}

static void what_is_gone_is_refused_with_the_oldest_there_is(void **state)
{
    struct fixture *f = *state;
    f->node.revision = 50;
    history_restart(f->node.history, 50);
    request(f, "GET /watch/foo?since=49", "", NULL);
    assert_int_equal(f->status, 410);
    struct json_object *page = json_body(f);
    assert_string_equal(json_text(page, "type"), "/problems/compacted");
    assert_int_equal(json_u64(page, "oldest"), 50);
    (void)json_object_put(page);
    request(f, "GET /watch/foo?since=51", "", NULL); /* of another cluster, then */
    assert_int_equal(f->status, 410);
    assert_problem(f, 410, "compacted", "restored");
}

static void an_initial_state_comes_first_and_then_what_changes(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    put(f, "a", "1");
    put(f, "app%2Fx", "2");
    put(f, "app%2Fy", "3");
    stream_open(f, &stream, "/watch?prefix=app/&initial=1", "");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: put\ndata: {\"key\":\"app/x\",\"value\":\"2\",\"revision\":2,");
    expect_text(f, &stream, "event: put\ndata: {\"key\":\"app/y\",\"value\":\"3\",\"revision\":3,");
    expect_text(f, &stream, "event: synced\nid: 3\ndata: {}\n\n");
    put(f, "app%2Fx", "4");
    expect_next(f, &stream, "event: put\nid: 4\n");
    stream_close(f, &stream);
    stream_open(f, &stream, "/watch/a?initial", "");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: put\ndata: {\"key\":\"a\",");
    expect_text(f, &stream, "\n\n");
    expect_next(f, &stream, "event: synced\nid: 4\n");
    stream_close(f, &stream);
    /* Who comes back goes on where it was. */
    stream_open(f, &stream, "/watch?prefix=app/&initial=1", "Last-Event-ID: 3\r\n");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: put\nid: 4\n");
    stream_close(f, &stream);
    history_restart(f->node.history, 4);
    stream_open(f, &stream, "/watch?prefix=app/&initial=1", "Last-Event-ID: 3\r\n");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: reset\ndata: {\"oldest\":4}\n\n");
    expect_next(f, &stream, "event: put\ndata: {\"key\":\"app/x\",\"value\":\"4\",\"revision\":4,");
    expect_text(f, &stream, "event: synced\nid: 4\n");
    stream_close(f, &stream);
}

static void a_snapshot_that_takes_too_long_begins_anew(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    char value[40000]; /* one of them fills what is queued */
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    put(f, "a", value);
    put(f, "b", "1");
    stream_open(f, &stream, "/watch?prefix=&initial", "");
    while (f->node.scans == 0) {
        env_uv_run_once(f->env, false);
    }
    assert_int_equal(f->node.scans, 1);
    f->node.revision = 9; /* as by a snapshot */
    f->node.oldest = 9;
    history_restart(f->node.history, 9);
    expect_text(f, &stream, "event: put\ndata: {\"key\":\"a\",");
    expect_text(f, &stream, "event: reset\ndata: {\"oldest\":9}\n\n");
    expect_text(f, &stream, "event: put\ndata: {\"key\":\"a\",");
    expect_text(f, &stream, "event: put\ndata: {\"key\":\"b\",");
    expect_text(f, &stream, "event: synced\nid: 9\n");
    put(f, "b", "2");
    expect_text(f, &stream, "event: put\nid: 10\n");
    stream_close(f, &stream);
}

static void when_the_history_begins_anew_a_stream_ends(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    stream_open(f, &stream, "/watch/a", "");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: progress\nid: 0\ndata: {}\n\n");
    history_restart(f->node.history, 100);
    env_turn_wake(f->env);
    expect_next(f, &stream, "event: reset\ndata: {\"oldest\":100}\n\n");
    expect_end(f, &stream);
    stream_close(f, &stream);
}

static void who_drains_says_how_far_it_was_and_ends(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    put(f, "b", "1");
    stream_open(f, &stream, "/watch/a", "");
    expect_text(f, &stream, "retry: 1000\n\n");
    expect_next(f, &stream, "event: progress\nid: 1\ndata: {}\n\n");
    put(f, "b", "2");
    watches_end(f->node.watches, ERR_DRAINING);
    expect_next(f, &stream, "event: progress\nid: 2\ndata: {}\n\n");
    expect_end(f, &stream);
    stream_close(f, &stream);
    request(f, "GET /watch/a?since=1", "", NULL);
    assert_problem(f, 503, "draining", "shutting down");
    stream_open(f, &stream, "/watch/a", "");
    watches_end(f->node.watches, OK);
    expect_text(f, &stream, "event: progress\nid: 2\ndata: {}\n\n");
    put(f, "b", "3");
    watches_end(f->node.watches, ERR_DIVERGED); /* it knows nothing for sure */
    expect_next(f, &stream, "0\r\n\r\n");
    assert_int_equal(stream.seen, stream.text.size);
    stream_close(f, &stream);
}

/* Its next life begins behind what it has applied: a change that nobody was told would be lost to
 * whoever comes back. */
static void who_drains_tells_what_there_is_first(void **state)
{
    struct fixture *f = *state;
    struct stream stream;
    stream_open(f, &stream, "/watch/a", "");
    expect_text(f, &stream, "event: progress\nid: 0\ndata: {}\n\n");
    const struct command command = {
        .type = COMMAND_PUT, .key = SLICE_LITERAL("a"), .value = SLICE_LITERAL("1")};
    for (int i = 0; i < 300; i++) { /* of one turn, and more than one step tells */
        struct command_result result;
        fake_apply(&f->node, &command, &result);
    }
    watches_end(f->node.watches, ERR_DRAINING);
    expect_text(f, &stream, "event: put\nid: 1\n");
    expect_text(f, &stream, "event: put\nid: 300\n");
    expect_text(f, &stream, "event: progress\nid: 300\ndata: {}\n\n");
    expect_end(f, &stream);
    stream_close(f, &stream);
}

static void many_share_one_encoding(void **state)
{
    struct fixture *f = *state;
    struct stream streams[20];
    for (int i = 0; i < 20; i++) {
        stream_open(f, &streams[i], "/watch/a", "");
        expect_text(f, &streams[i], "event: progress\nid: 0\ndata: {}\n\n");
    }
    put(f, "a", "1");
    for (int i = 0; i < 20; i++) {
        expect_next(f, &streams[i], "event: put\nid: 1\n");
    }
    request(f, "GET /stats", "", NULL);
    struct json_object *page = json_body(f);
    struct json_object *watch = json_object_object_get(page, "watch");
    assert_int_equal(json_u64(watch, "watchers"), 20);
    assert_int_equal(json_u64(watch, "events"), 20);
    assert_int_equal(json_u64(watch, "encoded_events"), 1);
    (void)json_object_put(page);
    for (int i = 0; i < 20; i++) {
        (void)close(streams[i].client);
        writer_deinit(&streams[i].text);
    }
}

static void a_reader_that_takes_nothing_is_cut_off_and_others_are_not(void **state)
{
    struct fixture *f = *state;
    struct stream slow;
    struct stream quick;
    char value[20000];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    stream_open(f, &slow, "/watch/a", "");
    stream_open(f, &quick, "/watch/a", "");
    expect_text(f, &slow, "retry: 1000\n\n");
    expect_text(f, &quick, "retry: 1000\n\n");
    for (int i = 1; i <= 1000; i++) { /* far more than sockets and history hold */
        char id[32];
        (void)snprintf(id, sizeof(id), "event: put\nid: %d\n", i);
        put(f, "a", value);
        expect_text(f, &quick, id);
        assert_true(http_stats(f->http)->reply_bytes.value < 200000);
    }
    expect_text(f, &slow, "event: put\nid: 1\n");
    expect_text(f, &slow, "event: reset\n");
    expect_end(f, &slow);
    (void)close(slow.client);
    writer_deinit(&slow.text);
    stream_close(f, &quick);
}

static void what_is_asked_wrongly_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *target;
        const char *words;
    } rows[] = {
        {"GET /watch", "what is to be watched"},
        {"GET /watch?key=", "needs a key"},
        {"GET /watch/a?prefix=b", "one key or one prefix"},
        {"GET /watch?prefix=a&key=b", "one key or one prefix"},
        {"GET /watch/a?since=x", "?since is a revision"},
        {"GET /watch/a?since=-1", "?since is a revision"},
        {"GET /watch/a?since", "?since is a revision"},
        {"GET /watch/a?events=put,remove", "put, delete and expire"},
        {"GET /watch/a?events=", "put, delete and expire"},
        {"GET /watch/a?format=xml", "sse or ndjson"},
        {"GET /watch/a?initial=yes", "?initial is 1 or 0"},
        {"GET /watch/a?prev=2", "?prev is 1 or 0"},
        {"GET /watch/a?consistency=weak", "linearizable"},
        {"GET /watch/a?sinc=3", "did you mean \"since\""},
        {"GET /watch/a?colour=red", "unknown parameter"},
        {"GET /watch/a?timeout=soon", "timeout"},
        {"GET /watch/a?since=1&since=2", "given twice"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        request(f, rows[i].target, "", NULL);
        assert_problem(f, 400, "bad-request", rows[i].words);
    }
    request(f, "GET /watch/a", "Last-Event-ID: soon\r\n", NULL);
    assert_problem(f, 400, "bad-request", "Last-Event-ID");
    request(f, "PUT /watch/a", "", "x");
    assert_int_equal(f->status, 405);
    f->node.e = ERR_NO_LEADER;
    request(f, "GET /watch/a", "", NULL);
    assert_problem(f, 503, "no-leader", "?since=REVISION");
}

static void there_are_no_more_watchers_than_may_be(void **state)
{
    (void)state;
    struct fixture fixture;
    struct stream stream;
    fixture_open_with(&fixture, (struct api_options){.is_loopback = true, .watchers_max = 1});
    stream_open(&fixture, &stream, "/watch/a", "");
    expect_text(&fixture, &stream, "retry: 1000\n\n");
    request(&fixture, "GET /watch/b", "", NULL);
    assert_problem(&fixture, 503, "overloaded", "--max-watchers");
    struct json_object *page = json_body(&fixture);
    assert_string_equal(json_text(page, "setting"), "max-watchers");
    (void)json_object_put(page);
    stream_close(&fixture, &stream);
    fixture_close_parts(&fixture);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_key_is_watched_from_now_on),
        WITH_FIXTURE(it_goes_on_behind_what_the_client_has),
        WITH_FIXTURE(who_is_cut_off_while_nothing_happens_has_a_new_id),
        WITH_FIXTURE(kinds_are_filtered_and_the_old_value_is_told),
        WITH_FIXTURE(what_is_gone_is_refused_with_the_oldest_there_is),
        WITH_FIXTURE(an_initial_state_comes_first_and_then_what_changes),
        WITH_FIXTURE(a_snapshot_that_takes_too_long_begins_anew),
        WITH_FIXTURE(when_the_history_begins_anew_a_stream_ends),
        WITH_FIXTURE(who_drains_says_how_far_it_was_and_ends),
        WITH_FIXTURE(who_drains_tells_what_there_is_first),
        WITH_FIXTURE(many_share_one_encoding),
        WITH_FIXTURE(a_reader_that_takes_nothing_is_cut_off_and_others_are_not),
        WITH_FIXTURE(what_is_asked_wrongly_is_refused),
        cmocka_unit_test(there_are_no_more_watchers_than_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
