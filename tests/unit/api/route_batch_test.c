#include "fake_txn.h"

static const struct txn_result put_result = {
    .type = TXN_PUT, .mod_revision = 7, .create_revision = 7, .version = 1};

/* The chunked body as text, NUL-terminated; the caller frees. */
static char *chunks(const struct fixture *f)
{
    char *text = mem_calloc(1, f->body.size + 1);
    const char *at = (const char *)f->body.data;
    size_t size = 0;
    for (;;) {
        char *rest;
        unsigned long piece = strtoul(at, &rest, 16);
        assert_memory_equal(rest, "\r\n", 2);
        if (piece == 0) {
            return text;
        }
        memcpy(text + size, rest + 2, piece);
        size += piece;
        at = rest + 2 + piece + 2;
    }
}

static void assert_lines(const struct fixture *f, const char *wanted)
{
    char *text = chunks(f);
    assert_string_equal(text, wanted);
    mem_free(text);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void each_line_has_its_answer_in_order(void **state)
{
    struct fixture *f = *state;
    fake_txn_answer(&f->node, &put_result, 1);
    f->node.txn_result.revision = 7;
    request(
        f, "POST /batch", "X-Request-Id: r\r\n",
        "{\"put\":\"a\",\"value\":\"1\"}\n\n{\"putt\":\"a\"}\r\n  {\"put\":\"b\",\"value\":\"1\"}");
    assert_int_equal(f->status, 200);
    assert_field(f, "Content-Type", "application/x-ndjson");
    assert_lines(f, "{\"line\":1,\"status\":200,\"revision\":7,\"key\":\"a\",\"created\":true,"
                    "\"etag\":\"7\",\"version\":1,\"create_revision\":7}\n"
                    "{\"line\":3,\"type\":\"/problems/bad-request\",\"title\":\"Bad request\","
                    "\"status\":400,\"detail\":\"unknown member \\\"putt\\\": did you mean "
                    "\\\"put\\\"?\",\"did_you_mean\":\"put\",\"revision\":0,"
                    "\"outcome\":\"not-applied\",\"request_id\":\"r\"}\n"
                    "{\"line\":4,\"status\":200,\"revision\":7,\"key\":\"b\",\"created\":true,"
                    "\"etag\":\"7\",\"version\":1,\"create_revision\":7}\n");
    request(f, "POST /batch", "", NULL);
    assert_int_equal(f->status, 200);
    assert_lines(f, "");
}

static void a_line_may_be_a_transaction(void **state)
{
    struct fixture *f = *state;
    fake_txn_answer(&f->node, &put_result, 1);
    f->node.txn_result.revision = 7;
    const char *line = "{ \"if\":[{\"key\":\"a\",\"etag\":\"1\"}],"
                       "\"then\":[{\"put\":\"a\",\"value\":\"1\"}]}";
    request(f, "POST /batch", "", line);
    assert_lines(f, "{\"line\":1,\"status\":200,\"succeeded\":true,\"revision\":7,\"results\":["
                    "{\"key\":\"a\",\"created\":true,\"etag\":\"7\",\"version\":1,"
                    "\"create_revision\":7}]}\n");
    f->node.txn_result = (struct command_result){.e = ERR_PRECONDITION_FAILED, .has_failed = true};
    request(f, "POST /batch", "", line);
    char *text = chunks(f);
    assert_non_null(strstr(text, "{\"line\":1,\"type\":\"/problems/precondition-failed\""));
    assert_non_null(strstr(text, "\"clause\":0"));
    mem_free(text);
    f->node.txn_result = (struct command_result){.e = ERR_NOT_A_NUMBER, .revision = 57};
    request(f, "POST /batch", "", "{\"incr\":\"a\"}");
    text = chunks(f);
    assert_non_null(strstr(text, "\"revision\":57"));
    assert_non_null(strstr(text, "\"detail\":\"incr: the value is not a whole"));
    assert_non_null(strstr(text, "\"key\":\"a\""));
    mem_free(text);
}

static void many_lines_are_all_answered(void **state)
{
    struct fixture *f = *state;
    struct writer body = {0};
    fake_txn_answer(&f->node, &put_result, 1);
    for (int i = 0; i < 3000; i++) {
        writer_format(&body, i == 1500 ? "{\"put\":\n" : "{\"put\":\"k%d\",\"value\":\"v\"}\n", i);
    }
    request_bytes(f, "POST /batch", "", writer_slice(&body));
    writer_deinit(&body);
    char *text = chunks(f);
    assert_int_equal(count_of(text, "\n"), 3000);
    assert_int_equal(count_of(text, "\"status\":200"), 2999);
    assert_non_null(strstr(text, "{\"line\":1501,\"type\":\"/problems/bad-request\""));
    assert_int_equal(f->node.txn_count, 2999);
    mem_free(text);
}

/* Reads until `client` has got a whole head, or the server closes. */
static void pass_turns(struct fixture *f, int client, struct slice *bytes, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        client_send(client, bytes);
        env_uv_run_once(f->env, false);
    }
}

static void a_client_that_goes_ends_its_batch(void **state)
{
    struct fixture *f = *state;
    fake_txn_answer(&f->node, &put_result, 1);
    f->node.holds = true;
    int client = client_connect(f);
    struct slice bytes = SLICE_LITERAL("POST /batch HTTP/1.1\r\nHost: localhost\r\n"
                                       "Content-Length: 27\r\n\r\n"
                                       "{\"get\":\"a\"}\n{\"get\":\"bcde\"}\n");
    while (f->node.held == NULL) {
        client_send(client, &bytes);
        env_uv_run_once(f->env, false);
    }
    struct node_write *last = f->node.held; /* the other one is never answered otherwise */
    (void)close(client);
    pass_turns(f, -1, &(struct slice){NULL, 0}, 5);
    f->node.holds = false;
    assert_ptr_not_equal(f->node.first_held, last);
    fake_answer(&f->node, f->node.first_held);
    fake_answer(&f->node, last);
    request(f, "GET /kv/none", "", NULL); /* the server goes on */
    assert_int_equal(f->status, 404);
}

static void atomic_lines_are_one_transaction(void **state)
{
    struct fixture *f = *state;
    const struct txn_result results[] = {put_result, {.type = TXN_DELETE}};
    fake_txn_answer(&f->node, results, 2);
    f->node.txn_result.revision = 7;
    request(f, "POST /batch?atomic=1", "Idempotency-Key: k\r\n",
            "{\"put\":\"a\",\"value\":\"1\"}\n{\"delete\":\"b\"}\n");
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"succeeded\":true,\"revision\":7,\"results\":[{\"key\":\"a\","
                   "\"created\":true,\"etag\":\"7\",\"version\":1,\"create_revision\":7},"
                   "{\"key\":\"b\",\"deleted\":0}]}\n");
    assert_int_equal(fake_txn(&f->node).then_count, 2);
    assert_int_equal(f->node.txn_count, 1);
    request(f, "POST /batch?atomic", "", "{\"put\":\"a\",\"value\":\"1\"}\n\n{\"delete\":1}\n");
    assert_problem(f, 400, "bad-request", "line 3: \"delete\" is a text, in quotes; no line was");
    request(f, "POST /batch?atomic", "", "{\"incr\":\"a\"}\n{\"incr\":\"a\"}\n");
    assert_problem(f, 400, "bad-request", "write the same key");
    assert_int_equal(f->node.txn_count, 1);
}

static void what_means_nothing_here_is_refused(void **state)
{
    struct fixture *f = *state;
    request(f, "POST /batch", "Idempotency-Key: k\r\n", "{\"get\":\"a\"}");
    assert_problem(f, 400, "bad-request", "?atomic=1 makes it one transaction");
    request(f, "POST /batch?atomic=2", "", "{\"get\":\"a\"}");
    assert_problem(f, 400, "bad-request", "atomic is 1 or 0");
    request(f, "POST /batch", "If-None-Match: *\r\n", "{\"get\":\"a\"}");
    assert_problem(f, 400, "bad-request", "If-None-Match is of a single key");
    char fields[64];
    (void)snprintf(fields, sizeof(fields), "Content-Length: %u\r\n", TXN_BYTES_MAX + 1);
    request(f, "POST /batch", fields, NULL);
    assert_problem(f, 413, "too-large", "at most 200000 bytes");
    assert_member(f, "setting", "max-txn-bytes");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(each_line_has_its_answer_in_order), TEST(a_line_may_be_a_transaction),
        TEST(many_lines_are_all_answered),       TEST(a_client_that_goes_ends_its_batch),
        TEST(atomic_lines_are_one_transaction),  TEST(what_means_nothing_here_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
