#include "api/kv_intent.h"
#include "fake_txn.h"

/* What a write that is answered OK has come to. */
static struct txn_op answered(struct fixture *f, const char *start, const char *fields,
                              enum txn_type type)
{
    const struct txn_result result = {.type = type, .existed = true};
    fake_txn_answer(&f->node, &result, 1);
    f->node.txn_result.existed = true;
    f->node.txn_result.mod_revision = 9;
    f->node.txn_result.create_revision = 1;
    f->node.txn_result.version = 2;
    request(f, start, fields, "1");
    if (f->status >= 300) {
        fail_msg("%s %s: %d %s", start, fields, f->status, (const char *)f->body.data);
    }
    return fake_txn_op(&f->node);
}

static void each_condition_becomes_a_check(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *query;
        const char *fields;
        enum txn_target target;
        enum txn_relation relation;
        uint64_t number;
    } table[] = {
        {"", "If-Match: \"42\"\r\n", TXN_MOD_REVISION, TXN_EQUAL, 42},
        {"", "If-Match: \"42-gzip\"\r\n", TXN_MOD_REVISION, TXN_EQUAL, 42},
        {"", "If-Match: *\r\n", TXN_MOD_REVISION, TXN_NOT_EQUAL, 0},
        {"", "If-None-Match: *\r\n", TXN_MOD_REVISION, TXN_EQUAL, 0},
        {"", "If-None-Match: \"42\"\r\n", TXN_MOD_REVISION, TXN_NOT_EQUAL, 42},
        {"", "If-None-Match: W/\"42\"\r\n", TXN_MOD_REVISION, TXN_NOT_EQUAL, 42},
        {"?cas=42", "", TXN_MOD_REVISION, TXN_EQUAL, 42},
        {"?cas=0", "", TXN_MOD_REVISION, TXN_EQUAL, 0},
        {"?prev=x", "", TXN_VALUE, TXN_EQUAL, 0},
        {"", "KV-Fence: l%2Fock:57\r\n", TXN_FENCE, TXN_EQUAL, 57},
    };
    static const char *const methods[] = {"PUT", "POST", "DELETE"};
    for (size_t i = 0; i < ARRAY_COUNT(table) * ARRAY_COUNT(methods); i++) {
        size_t row = i / ARRAY_COUNT(methods);
        const char *method = methods[i % ARRAY_COUNT(methods)];
        bool is_delete = strcmp(method, "DELETE") == 0;
        enum txn_type type = is_delete ? TXN_DELETE : TXN_PUT;
        char start[64];
        (void)snprintf(start, sizeof(start), "%s /kv/a%s", method, table[row].query);
        assert_int_equal(answered(f, start, table[row].fields, type).type, type);
        bool is_fence = table[row].target == TXN_FENCE; /* of a lock, or of an election */
        assert_int_equal(fake_txn(&f->node).check_count, is_fence ? 2 : 1);
        assert_false(fake_txn(&f->node).has_else);
        struct txn_check check = fake_txn_check(&f->node, 0);
        assert_int_equal(check.target, table[row].target);
        assert_int_equal(check.relation, table[row].relation);
        assert_int_equal(check.number, table[row].number);
        struct slice key = check.target == TXN_FENCE ? SLICE_LITERAL("ll/ock") : SLICE_LITERAL("a");
        assert_true(slice_equal(check.key, key));
        assert_true(check.target != TXN_VALUE || slice_equal(check.value, SLICE_LITERAL("x")));
    }
}

static void one_of_several_tags_is_enough(void **state)
{
    struct fixture *f = *state;
    (void)answered(f, "PUT /kv/a?cas=5", "If-Match: \"1\" , \"2\",\"3\"\r\n", TXN_PUT);
    assert_int_equal(fake_txn(&f->node).check_count, 4);
    for (uint32_t i = 0; i < 3; i++) {
        struct txn_check check = fake_txn_check(&f->node, i);
        assert_int_equal(check.number, i + 1);
        assert_int_equal(check.is_or, i > 0);
    }
    assert_false(fake_txn_check(&f->node, 3).is_or);
    (void)answered(f, "PUT /kv/a", "If-None-Match: \"1\", \"2\"\r\n",
                   TXN_PUT); /* each has to hold */
    assert_false(fake_txn_check(&f->node, 1).is_or);
}

static void bad_conditions_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const table[][3] = {
        {"", "If-Match: 42\r\n", "If-Match is *, or entity tags with their quotes"},
        {"", "If-Match: \"1\",2\r\n", "If-Match is *, or entity tags"},
        {"", "If-Match:\r\n", "0 entity tags"},
        {"",
         "If-Match: \"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\","
         "\"13\",\"14\",\"15\",\"16\",\"17\"\r\n",
         "17 entity tags, not 1 to 16"},
        {"", "If-None-Match: x\r\n", "If-None-Match is *"},
        {"?cas=x", "", "cas is the revision"},
        {"?cas", "", "cas is the revision"},
        {"?cas=1&cas=2", "", "given twice"},
        {"", "KV-Fence: lock\r\n", "KV-Fence is NAME:TOKEN"},
        {"", "KV-Fence: :1\r\n", "KV-Fence is NAME:TOKEN"},
        {"", "KV-Fence: l:x\r\n", "KV-Fence is NAME:TOKEN"},
        {"", "KV-Fence: %zz:1\r\n", "percent-encoded"},
        {"", "Idempotency-Key:\r\n", "an Idempotency-Key has 1 to 255 bytes"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        char start[64];
        (void)snprintf(start, sizeof(start), "PUT /kv/a%s", table[i][0]);
        request(f, start, table[i][1], "1");
        assert_problem(f, 400, "bad-request", table[i][2]);
        assert_member(f, "outcome", "not-applied");
    }
    assert_int_equal(f->node.txn_count, 0);
}

static void times_come_by_query_and_by_field(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(answered(f, "PUT /kv/a?ttl=30s", "", TXN_PUT).ttl_ms, 30000);
    assert_int_equal(answered(f, "PUT /kv/a", "KV-TTL: 0.5\r\n", TXN_PUT).ttl_ms, 500);
    assert_int_equal(answered(f, "PUT /kv/a", "X-TTL: 2h\r\n", TXN_PUT).ttl_ms, 7200000);
    assert_int_equal(answered(f, "PUT /kv/a?lease=ab", "", TXN_PUT).lease, 0xab);
    assert_int_equal(answered(f, "PUT /kv/a?keepttl", "", TXN_PUT).flags, TXN_KEEP_TTL);
    assert_int_equal(answered(f, "PUT /kv/a?cas=1", "", TXN_PUT).flags, 0);
    static const char *const bad[][3] = {
        {"PUT /kv/a?ttl=30s", "KV-TTL: 1\r\n", "a TTL is given twice"},
        {"PUT /kv/a", "X-TTL: 1\r\nKV-TTL: 1\r\n", "a TTL is given twice"},
        {"PUT /kv/a", "KV-TTL: soon\r\n", "KV-TTL is"},
        {"PUT /kv/a?ttl=1s&lease=1", "", "exclude each other"},
        {"PUT /kv/a?ttl=1s&keepttl", "", "exclude each other"},
        {"PUT /kv/a?lease=1&keepttl", "", "exclude each other"},
        {"DELETE /kv/a?ttl=1s", "", "what is deleted has no ttl"},
        {"DELETE /kv/a", "KV-TTL: 1\r\n", "what is deleted has no ttl"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        request(f, bad[i][0], bad[i][1], "1");
        assert_problem(f, 400, "bad-request", bad[i][2]);
    }
}

static void operations_are_of_post(void **state)
{
    struct fixture *f = *state;
    struct txn_op op = answered(f, "POST /kv/a?op=incr", "", TXN_ADD);
    assert_int_equal(op.number, 1);
    assert_int_equal(op.flags, TXN_KEEP_TTL);
    op = answered(f, "POST /kv/a?op=incr&by=-5&ttl=1s", "", TXN_ADD);
    assert_true((int64_t)op.number == -5);
    assert_int_equal(op.flags, 0);
    op = answered(f, "POST /kv/a?op=append", "", TXN_APPEND);
    assert_int_equal(op.number, VALUE_BYTES_MAX);
    assert_true(slice_equal(op.value, SLICE_LITERAL("1")));
    assert_int_equal(answered(f, "POST /kv/a?touch&ttl=0", "", TXN_TOUCH).ttl_ms, 0);
    static const char *const bad[][2] = {
        {"PUT /kv/a?op=incr", "op and touch are of POST"},
        {"DELETE /kv/a?touch&ttl=1s", "op and touch are of POST"},
        {"POST /kv/a?by=1", "by is of op=incr"},
        {"POST /kv/a?op=append&by=1", "by is of op=incr"},
        {"POST /kv/a?touch", "say which, with ttl"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        request(f, bad[i][0], "", "1");
        assert_problem(f, 400, "bad-request", bad[i][1]);
    }
}

static struct hash128 fingerprint_of(struct fixture *f, const char *start, const char *fields)
{
    (void)answered(f, start, fields, strncmp(start, "DELETE", 6) == 0 ? TXN_DELETE : TXN_PUT);
    struct txn txn = fake_txn(&f->node);
    assert_true(slice_equal(txn.idempotency_key, SLICE_LITERAL("k")));
    return txn.fingerprint;
}

static void a_fingerprint_tells_requests_apart(void **state)
{
    struct fixture *f = *state;
    struct hash128 first = fingerprint_of(f, "PUT /kv/a", "Idempotency-Key: k\r\n");
    struct hash128 again =
        fingerprint_of(f, "PUT /kv/a", "Prefer: timing\r\nIdempotency-Key: k\r\n");
    assert_true(hash128_equal(first, again));
    again = fingerprint_of(f, "PUT /kv/a?timeout=2s", "Idempotency-Key: k\r\n");
    assert_true(hash128_equal(first, again));
    static const char *const others[][2] = {
        {"PUT /kv/b", ""},
        {"POST /kv/a", ""},
        {"DELETE /kv/a", ""},
        {"PUT /kv/a?ttl=1s", ""},
        {"PUT /kv/a", "Content-Type: text/plain\r\n"},
        {"PUT /kv/a", "KV-TTL: 1\r\n"},
        {"PUT /kv/a", "If-Match: \"1\"\r\n"},
        {"PUT /kv/a", "If-None-Match: \"1\"\r\n"},
        {"PUT /kv/a", "KV-Fence: l:1\r\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        char fields[128];
        (void)snprintf(fields, sizeof(fields), "%sIdempotency-Key: k\r\n", others[i][1]);
        assert_false(hash128_equal(first, fingerprint_of(f, others[i][0], fields)));
    }
}

static void a_plain_write_is_no_transaction(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a?ID=terraform", "Prefer: timing\r\n", "1");
    request(f, "DELETE /kv/a", "", NULL);
    assert_int_equal(f->node.txn_count, 0);
}

static void a_replay_has_what_was_asked_for_the_first_time(void **state)
{
    struct fixture *f = *state;
    const struct txn_result result = {.type = TXN_PUT};
    fake_txn_answer(&f->node, &result, 1);
    f->node.txn_result.is_replayed = true;
    request(f, "PUT /kv/a", "Idempotency-Key: k\r\nPrefer: return=representation\r\n", "1");
    assert_int_equal(f->status, 201);
    assert_body(f, "OK");
    assert_null(field_of(f, "Preference-Applied"));
    assert_field(f, "Idempotency-Replayed", "true");
    const struct txn_result gone = {.type = TXN_DELETE}; /* the first time it was the same */
    fake_txn_answer(&f->node, &gone, 1);
    f->node.txn_result.is_replayed = true;
    request(f, "DELETE /kv/a", "Idempotency-Key: k\r\nPrefer: return=representation\r\n", NULL);
    assert_int_equal(f->status, 204);
    assert_field(f, "Preference-Applied", "return=representation");
}

static void repeat(struct writer *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        writer_bytes(out, slice_from_text(text));
    }
}

/* Beside the largest value, too. */
static void all_conditions_there_can_be_fit_into_an_entry(void **state)
{
    struct fixture *f = *state;
    struct writer target = {0};
    struct writer fields = {0};
    writer_bytes(&target, SLICE_LITERAL("PUT /kv/"));
    repeat(&target, "k", KEY_SIZE_MAX);
    writer_bytes(&target, SLICE_LITERAL("?cas=7&prev="));
    repeat(&target, "p", HTTP_TARGET_SIZE_DEFAULT - KEY_SIZE_MAX - 32);
    writer_u8(&target, '\0');
    writer_bytes(&fields, SLICE_LITERAL("If-Match: \"1\""));
    repeat(&fields, ",\"1\"", INTENT_TAGS_MAX - 1);
    writer_bytes(&fields, SLICE_LITERAL("\r\nIf-None-Match: \"2\""));
    repeat(&fields, ",\"2\"", INTENT_TAGS_MAX - 1);
    writer_bytes(&fields, SLICE_LITERAL("\r\nKV-Fence: "));
    repeat(&fields, "l", TXN_LOCK_NAME_SIZE_MAX);
    writer_bytes(&fields, SLICE_LITERAL(":1\r\nIdempotency-Key: "));
    repeat(&fields, "i", TXN_IDEMPOTENCY_KEY_SIZE_MAX);
    writer_bytes(&fields, SLICE_LITERAL("\r\nContent-Type: "));
    repeat(&fields, "c", CONTENT_TYPE_SIZE_MAX);
    writer_bytes(&fields, SLICE_LITERAL("\r\n"));
    writer_u8(&fields, '\0');
    const struct txn_result result = {.type = TXN_PUT};
    fake_txn_answer(&f->node, &result, 1);
    request(f, (const char *)target.data, (const char *)fields.data, "value");
    assert_non_null(f->node.txn);
    size_t size = f->node.txn->size;
    assert_true(size > HTTP_TARGET_SIZE_DEFAULT + 2 * INTENT_TAGS_MAX * KEY_SIZE_MAX);
    assert_true(size - strlen("value") <= COMMAND_OVERHEAD_MAX);
    writer_deinit(&target);
    writer_deinit(&fields);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(all_conditions_there_can_be_fit_into_an_entry),
        TEST(a_replay_has_what_was_asked_for_the_first_time),
        TEST(each_condition_becomes_a_check),
        TEST(one_of_several_tags_is_enough),
        TEST(bad_conditions_are_refused),
        TEST(times_come_by_query_and_by_field),
        TEST(operations_are_of_post),
        TEST(a_fingerprint_tells_requests_apart),
        TEST(a_plain_write_is_no_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
