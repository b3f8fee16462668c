#include "fake_txn.h"

static void what_was_done_is_answered(void **state)
{
    struct fixture *f = *state;
    const struct txn_result put = {
        .type = TXN_PUT, .mod_revision = 7, .create_revision = 7, .version = 1};
    fake_txn_answer(&f->node, &put, 1);
    f->node.txn_result.revision = 7;
    request(f, "POST /txn", "", "{\"then\":[{\"put\":\"a\",\"value\":\"1\"}]}");
    assert_int_equal(f->status, 200);
    assert_body(f, "{\"succeeded\":true,\"revision\":7,\"results\":[{\"key\":\"a\","
                   "\"created\":true,\"etag\":\"7\",\"version\":1,\"create_revision\":7}]}\n");
    assert_field(f, "Content-Type", "application/json");
    assert_field(f, "Cache-Control", "no-store");
    assert_field(f, "KV-Revision", "7");
    assert_null(field_of(f, "Idempotency-Replayed"));
    struct txn txn = fake_txn(&f->node);
    assert_int_equal(txn.then_count, 1);
    assert_int_equal(txn.idempotency_key.size, 0);
    assert_false(txn.has_else);
}

static void the_clause_that_does_not_hold_is_named(void **state)
{
    struct fixture *f = *state;
    const char *body = "{\"if\":[{\"key\":\"a\",\"version\":{\"gt\":0,\"lt\":9}},"
                       "{\"key\":\"b\",\"etag\":\"41\"}],\"then\":[{\"get\":\"a\"}]}";
    f->node.txn_result = (struct command_result){.e = ERR_PRECONDITION_FAILED,
                                                 .has_failed = true,
                                                 .failed = 2,
                                                 .existed = true,
                                                 .mod_revision = 43,
                                                 .version = 3,
                                                 .revision = 57};
    request(f, "POST /txn", "", body);
    assert_field(f, "KV-Revision", "57"); /* not that of the node that was asked */
    assert_member(f, "revision", "57");
    assert_problem(f, 412, "precondition-failed",
                   "if[1] does not hold: {\"key\":\"b\",\"etag\":\"41\"}; the key is at revision "
                   "43, version 3; nothing was done");
    assert_field(f, "ETag", "\"43\"");
    assert_member(f, "etag", "43");
    assert_member(f, "key", "b");
    assert_member(f, "clause", "1");
    assert_member(f, "operation", NULL);
    assert_member(f, "outcome", "not-applied");
    f->node.txn_result.failed = 1;
    f->node.txn_result.existed = false;
    request(f, "POST /txn", "", body);
    assert_problem(f, 412, "precondition-failed", "if[0] does not hold");
    assert_member(f, "clause", "0");
    assert_null(field_of(f, "ETag"));
}

static void the_operation_that_failed_is_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        err e;
        int status;
        const char *slug;
        const char *words;
    } table[] = {
        {ERR_NOT_A_NUMBER, 409, "not-a-number", "then[1], incr: the value is not a whole decimal"},
        {ERR_LEASE_NOT_FOUND, 404, "lease-not-found", "then[1], incr: there is no such lease"},
        {ERR_NOT_FOUND, 404, "not-found", "then[1], incr: there is no such key"},
        {ERR_TOO_LARGE, 413, "too-large",
         "then[1], incr: the value would be larger than --max-value-bytes"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        f->node.txn_result = (struct command_result){.e = table[i].e, .failed = 1};
        request(f, "POST /txn", "", "{\"then\":[{\"get\":\"a\"},{\"incr\":\"b\"}]}");
        assert_problem(f, table[i].status, table[i].slug, table[i].words);
        assert_member(f, "operation", "1");
        assert_member(f, "key", "b");
    }
    f->node.txn_result = (struct command_result){.e = ERR_NOT_A_NUMBER, .has_failed = true};
    request(f, "POST /txn", "",
            "{\"if\":[{\"key\":\"a\",\"exists\":true}],\"else\":[{\"incr\":\"c\"}]}");
    assert_problem(f, 409, "not-a-number", "else[0], incr");
    assert_member(f, "key", "c");
}

static void other_failures_say_their_outcome(void **state)
{
    struct fixture *f = *state;
    static const struct {
        err e;
        int status;
        const char *slug;
        const char *outcome;
    } table[] = {
        {ERR_NO_LEADER, 503, "no-leader", "not-applied"},
        {ERR_OUTCOME_UNKNOWN, 504, "outcome-unknown", "unknown"},
        {ERR_OVERLOADED, 503, "overloaded", "not-applied"},
        {ERR_QUOTA, 507, "quota", "not-applied"},
        {ERR_IDEMPOTENCY_MISMATCH, 422, "idempotency-mismatch", "not-applied"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        f->node.e = table[i].e;
        request(f, "POST /txn", "", "{\"then\":[{\"get\":\"a\"}]}");
        assert_problem(f, table[i].status, table[i].slug, "");
        assert_member(f, "outcome", table[i].outcome);
        assert_member(f, "operation", NULL);
    }
}

static void an_idempotency_key_covers_the_body(void **state)
{
    struct fixture *f = *state;
    const struct txn_result get = {.type = TXN_GET};
    fake_txn_answer(&f->node, &get, 1);
    f->node.txn_result.is_replayed = true;
    request(f, "POST /txn", "Idempotency-Key: k-1\r\n", "{\"then\":[{\"get\":\"a\"}]}");
    assert_int_equal(f->status, 200);
    assert_field(f, "Idempotency-Replayed", "true");
    struct txn txn = fake_txn(&f->node);
    assert_true(slice_equal(txn.idempotency_key, SLICE_LITERAL("k-1")));
    struct hash128 first = txn.fingerprint;
    request(f, "POST /txn", "Idempotency-Key: k-1\r\n", "{\"then\":[{\"get\":\"a\"}]}");
    assert_true(hash128_equal(first, fake_txn(&f->node).fingerprint));
    request(f, "POST /txn", "Idempotency-Key: k-1\r\n", "{\"then\":[{\"get\":\"b\"}]}");
    assert_false(hash128_equal(first, fake_txn(&f->node).fingerprint));
    request(f, "POST /txn", "Idempotency-Key:\r\n", "{\"then\":[{\"get\":\"b\"}]}");
    assert_problem(f, 400, "bad-request", "an Idempotency-Key has 1 to 255 bytes");
}

static void a_key_at_work_is_answered_once(void **state)
{
    struct fixture *f = *state;
    const struct txn_result get = {.type = TXN_GET};
    fake_txn_answer(&f->node, &get, 1);
    f->node.holds = true;
    int client = client_connect(f);
    struct slice bytes = SLICE_LITERAL("POST /txn HTTP/1.1\r\nHost: localhost\r\n"
                                       "Idempotency-Key: k\r\nContent-Length: 24\r\n\r\n"
                                       "{\"then\":[{\"get\":\"a\"}]}  ");
    while (f->node.held == NULL) {
        client_send(client, &bytes);
        env_uv_run_once(f->env, false);
    }
    struct node_write *first = f->node.held;
    request(f, "POST /txn", "Idempotency-Key: k\r\n", "{\"then\":[{\"get\":\"a\"}]}");
    assert_problem(f, 409, "idempotency-in-progress", "another request with this Idempotency-Key");
    assert_field(f, "Retry-After", "1");
    request(f, "PUT /kv/a", "Idempotency-Key: k\r\n", "1");
    assert_problem(f, 409, "idempotency-in-progress", "another request with this Idempotency-Key");
    assert_ptr_equal(f->node.held, first);
    f->node.holds = false;
    (void)close(client);
    fake_answer(&f->node, first);
    request(f, "POST /txn", "Idempotency-Key: k\r\n", "{\"then\":[{\"get\":\"a\"}]}");
    assert_int_equal(f->status, 200);
}

static void what_means_nothing_here_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *body = "{\"then\":[{\"get\":\"a\"}]}";
    request(f, "POST /txn", "If-Match: \"1\"\r\n", body);
    assert_problem(f, 400, "bad-request", "If-Match is of a single key");
    request(f, "POST /txn", "Content-Encoding: gzip\r\n", body);
    assert_problem(f, 415, "unsupported-encoding", "without Content-Encoding");
    request(f, "POST /txn?timout=1s", "", body);
    assert_problem(f, 400, "bad-request", "did you mean \"timeout\"?");
    request(f, "POST /txn?timeout=1", "", body);
    assert_problem(f, 400, "bad-request", "timeout is a duration");
    request(f, "PUT /txn", "", body);
    assert_problem(f, 405, "method-not-allowed", "POST, OPTIONS are");
    request(f, "POST /txn", "", NULL);
    assert_problem(f, 400, "bad-request", "the body has to be one JSON object");
}

static void a_timeout_is_a_deadline(void **state)
{
    struct fixture *f = *state;
    const struct txn_result get = {.type = TXN_GET};
    fake_txn_answer(&f->node, &get, 1);
    uint64_t now_ms = env_now_ms(f->env);
    request(f, "POST /txn?timeout=60s", "Prefer: timing\r\n", "{\"then\":[{\"get\":\"a\"}]}");
    assert_int_equal(f->status, 200);
    assert_true(f->node.deadline_ms >= now_ms + 60000);
    assert_non_null(field_of(f, "Server-Timing"));
}

static void a_large_body_is_refused_with_the_limit_and_its_flag(void **state)
{
    struct fixture *f = *state;
    char fields[64];
    (void)snprintf(fields, sizeof(fields), "Content-Length: %u\r\n", TXN_BYTES_MAX + 1);
    request(f, "POST /txn", fields, NULL); /* not one byte of it is sent */
    assert_problem(f, 413, "too-large", "is at most 200000 bytes, this one has 200001");
    assert_member(f, "limit", "200000");
    assert_member(f, "setting", "max-txn-bytes");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(what_was_done_is_answered),
        TEST(the_clause_that_does_not_hold_is_named),
        TEST(the_operation_that_failed_is_named),
        TEST(other_failures_say_their_outcome),
        TEST(an_idempotency_key_covers_the_body),
        TEST(a_key_at_work_is_answered_once),
        TEST(what_means_nothing_here_is_refused),
        TEST(a_timeout_is_a_deadline),
        TEST(a_large_body_is_refused_with_the_limit_and_its_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
