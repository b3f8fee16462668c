#include "fake_txn.h"

#define TYPE "Content-Type: application/merge-patch+json\r\n"

static void answer_put(struct fixture *f, bool existed)
{
    const struct txn_result put = {.type = TXN_PUT, .existed = existed};
    fake_txn_answer(&f->node, &put, 1);
    f->node.txn_result.existed = existed;
    f->node.txn_result.mod_revision = 9;
    f->node.txn_result.create_revision = 1;
    f->node.txn_result.version = 2;
}

static void what_is_there_is_merged_and_checked(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "Content-Type: application/x+json\r\n", "{\"x\":1,\"y\":0.10}");
    answer_put(f, true);
    request(f, "PATCH /kv/a", TYPE, "{\"x\":null,\"z\":[2]}");
    assert_int_equal(f->status, 200);
    assert_body(f, "OK");
    assert_field(f, "ETag", "\"9\"");
    struct txn_op op = fake_txn_op(&f->node);
    assert_int_equal(op.type, TXN_PUT);
    assert_int_equal(op.flags, TXN_KEEP_TTL);
    assert_true(slice_equal(op.value, SLICE_LITERAL("{\"y\":0.10,\"z\":[2]}")));
    assert_true(slice_equal(op.content_type, SLICE_LITERAL("application/x+json")));
    struct txn_check check = fake_txn_check(&f->node, 0);
    assert_int_equal(fake_txn(&f->node).check_count, 1);
    assert_int_equal(check.target, TXN_MOD_REVISION);
    assert_int_equal(check.relation, TXN_EQUAL);
    assert_int_equal(check.number, 1);
    assert_int_equal(f->node.consistency, READ_LINEARIZABLE);
}

static void where_nothing_is_it_makes_a_key(void **state)
{
    struct fixture *f = *state;
    answer_put(f, false);
    request(f, "PATCH /kv/a?ttl=30s", TYPE, "{\"x\":{\"y\":null}}");
    assert_int_equal(f->status, 201);
    struct txn_op op = fake_txn_op(&f->node);
    assert_true(slice_equal(op.value, SLICE_LITERAL("{\"x\":{}}")));
    assert_true(slice_equal(op.content_type, SLICE_LITERAL("application/json")));
    assert_int_equal(op.ttl_ms, 30000);
    assert_int_equal(op.flags, 0);
    assert_int_equal(fake_txn_check(&f->node, 0).number, 0);
}

static void it_is_tried_again_when_a_write_came_between(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "{\"x\":1}");
    answer_put(f, true);
    f->node.txn_conflicts = 3;
    request(f, "PATCH /kv/a", TYPE, "{\"x\":2}");
    assert_int_equal(f->status, 200);
    assert_int_equal(f->node.txn_count, 4);
    assert_int_equal(fake_txn(&f->node).idempotency_key.size, 0);
    assert_int_equal(fake_txn(&f->node).check_count, 1);
    f->node.txn_conflicts = UINT_MAX;
    request(f, "PATCH /kv/a", TYPE, "{\"x\":2}");
    assert_problem(f, 409, "conflict", "other writes of this key came between");
    assert_field(f, "Retry-After", "1");
    assert_member(f, "outcome", "not-applied");
    assert_int_equal(f->node.txn_count, 104);
}

static void each_attempt_has_a_key_that_follows_from_the_first(void **state)
{
    struct fixture *f = *state;
    const char *fields = TYPE "Idempotency-Key: k\r\n";
    request(f, "PUT /kv/a", "", "{\"x\":1}");
    answer_put(f, true);
    request(f, "PATCH /kv/a", fields, "{\"x\":2}");
    struct txn first = fake_txn(&f->node);
    assert_true(slice_equal(first.idempotency_key, SLICE_LITERAL("k")));
    struct hash128 fingerprint = first.fingerprint;
    uint8_t second[64];
    for (int i = 0; i < 2; i++) {
        f->node.txn_conflicts = 1;
        request(f, "PUT /kv/a", "", i == 0 ? "{\"x\":3}" : "{\"x\":4}");
        request(f, "PATCH /kv/a", fields, "{\"x\":2}");
        struct txn txn = fake_txn(&f->node);
        assert_int_equal(txn.idempotency_key.size, 40);
        assert_memory_equal(txn.idempotency_key.data, "patch:", 6);
        if (i == 1) {
            assert_memory_equal(txn.idempotency_key.data, second, 40);
        }
        memcpy(second, txn.idempotency_key.data, 40);
        assert_true(hash128_equal(txn.fingerprint, fingerprint)); /* of the patch, not the value */
    }
    request(f, "PATCH /kv/a", fields, "{\"x\":5}");
    assert_false(hash128_equal(fake_txn(&f->node).fingerprint, fingerprint));
}

static void conditions_of_the_request_hold_as_well(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "{}");
    f->node.txn_result = (struct command_result){.e = ERR_PRECONDITION_FAILED,
                                                 .has_failed = true,
                                                 .failed = 0,
                                                 .existed = true,
                                                 .mod_revision = 7,
                                                 .revision = 9};
    request(f, "PATCH /kv/a", TYPE "If-Match: \"3\"\r\n", "{}");
    assert_problem(f, 412, "precondition-failed", "which is not what If-Match asks for");
    assert_field(f, "KV-Revision", "9");
    assert_field(f, "ETag", "\"7\"");
    assert_int_equal(f->node.txn_count, 1);
    assert_int_equal(fake_txn(&f->node).check_count, 2);
    assert_int_equal(fake_txn_check(&f->node, 0).number, 3);
}

/* As a leader whose state has nothing under the key. */
static void refuse_at(struct fixture *f, uint32_t place, bool is_replayed)
{
    f->node.txn_result = (struct command_result){.e = ERR_PRECONDITION_FAILED,
                                                 .has_failed = true,
                                                 .failed = place,
                                                 .existed = true,
                                                 .mod_revision = 7,
                                                 .revision = 9,
                                                 .is_replayed = is_replayed};
}

static void what_cannot_be_merged_into_is_refused_under_the_key(void **state)
{
    struct fixture *f = *state;
    const char *fields = TYPE "Idempotency-Key: k\r\n";
    request(f, "PUT /kv/a", "", "text");
    refuse_at(f, 1, false);
    request(f, "PATCH /kv/a", fields, "{}");
    assert_problem(f, 409, "not-json", "is no JSON that could be merged into");
    assert_field(f, "KV-Revision", "9");
    assert_null(field_of(f, "Idempotency-Replayed"));
    assert_int_equal(fake_txn(&f->node).check_count, 2);
    assert_int_equal(fake_txn_check(&f->node, 0).number, 1); /* what was read */
    struct txn_check never = fake_txn_check(&f->node, 1);
    assert_int_equal(never.target, TXN_MOD_REVISION);
    assert_int_equal(never.relation, TXN_LESS);
    assert_int_equal(never.number, 0);
    answer_put(f, true); /* it had been carried out: the value is another one since */
    f->node.txn_result.is_replayed = true;
    request(f, "PATCH /kv/a", fields, "{}");
    assert_int_equal(f->status, 200);
    assert_field(f, "Idempotency-Replayed", "true");
    request(f, "PUT /kv/a", "", "{}"); /* and one that could be merged into now */
    refuse_at(f, 1, true);
    request(f, "PATCH /kv/a", fields, "{}");
    assert_problem(f, 409, "not-json", "when this was asked first");
    assert_field(f, "Idempotency-Replayed", "true");
    refuse_at(f, 2, true);
    request(f, "PATCH /kv/a", fields, "{}");
    assert_problem(f, 413, "too-large", "when this was asked first");
}

static void what_cannot_be_merged_into_costs_no_write_without_a_key(void **state)
{
    struct fixture *f = *state;
    request(f, "PUT /kv/a", "", "text");
    request(f, "PATCH /kv/a", TYPE, "{}");
    assert_problem(f, 409, "not-json", "is no JSON that could be merged into");
    assert_int_equal(f->node.txn_count, 0);
}

static void what_becomes_too_large_is_refused_under_the_key(void **state)
{
    struct fixture *f = *state;
    struct writer deep = {0};
    for (int i = 0; i < 70; i++) {
        writer_format(&deep, "[");
    }
    for (int i = 0; i < 70; i++) {
        writer_format(&deep, "]");
    }
    writer_u8(&deep, 0);
    request(f, "PUT /kv/a", "", (const char *)deep.data);
    refuse_at(f, 2, false);
    request(f, "PATCH /kv/a", TYPE "Idempotency-Key: k\r\n", "{}");
    assert_problem(f, 413, "too-large", "the value that is there");
    assert_int_equal(fake_txn_check(&f->node, 1).relation, TXN_GREATER_OR_EQUAL);
    assert_int_equal(fake_txn_check(&f->node, 2).relation, TXN_LESS);
    writer_deinit(&deep);
}

static void other_types_are_refused_before_the_body(void **state)
{
    struct fixture *f = *state;
    static const char *const types[] = {"", "Content-Type: application/json\r\n",
                                        "Content-Type: application/json-patch+json\r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        request(f, "PATCH /kv/a", types[i], "{}");
        assert_problem(f, 415, "unsupported-type", "takes a merge patch");
        assert_field(f, "Accept-Patch", "application/merge-patch+json");
    }
    answer_put(f, false);
    request(f, "PATCH /kv/a", "Content-Type: Application/Merge-Patch+JSON; charset=utf-8\r\n",
            "{}");
    assert_int_equal(f->status, 201);
}

static void what_cannot_be_merged_is_refused(void **state)
{
    struct fixture *f = *state;
    request(f, "PATCH /kv/a", TYPE, "{x}");
    assert_problem(f, 400, "bad-request", "the patch is no JSON");
    request(f, "PUT /kv/a", "", "bar");
    request(f, "PATCH /kv/a", TYPE, "{}");
    assert_problem(f, 409, "not-json", "PUT replaces it");
    request(f, "PUT /kv/a", "", "");
    request(f, "PATCH /kv/a", TYPE, "{}");
    assert_problem(f, 409, "not-json", "a value is missing");
    char deep[200];
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    deep[130] = '\0';
    request(f, "PATCH /kv/a", TYPE, deep);
    assert_problem(f, 413, "too-large", "the patch: arrays and objects are nested too deep");
    f->node.e = ERR_NO_LEADER;
    request(f, "PATCH /kv/a", TYPE, "{}");
    assert_problem(f, 503, "no-leader", "no quorum confirmed this read");
    assert_int_equal(f->node.txn_count, 0);
}

static void a_merged_value_has_the_limit_of_all_values(void **state)
{
    struct fixture *f = *state;
    struct writer body = {0};
    writer_format(&body, "{\"a\":\"");
    memset(writer_extend(&body, VALUE_BYTES_MAX - 10), 'x', VALUE_BYTES_MAX - 10);
    writer_format(&body, "\"}");
    request_bytes(f, "PUT /kv/a", "", writer_slice(&body));
    writer_deinit(&body);
    request(f, "PATCH /kv/a", TYPE, "{\"b\":\"0123456789\"}");
    assert_problem(f, 413, "too-large", "at most 100000 bytes, merged this one has 100015");
    assert_member(f, "setting", "max-value-bytes");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_there_is_merged_and_checked),
        TEST(where_nothing_is_it_makes_a_key),
        TEST(it_is_tried_again_when_a_write_came_between),
        TEST(each_attempt_has_a_key_that_follows_from_the_first),
        TEST(conditions_of_the_request_hold_as_well),
        TEST(what_cannot_be_merged_into_is_refused_under_the_key),
        TEST(what_cannot_be_merged_into_costs_no_write_without_a_key),
        TEST(what_becomes_too_large_is_refused_under_the_key),
        TEST(other_types_are_refused_before_the_body),
        TEST(what_cannot_be_merged_is_refused),
        TEST(a_merged_value_has_the_limit_of_all_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
