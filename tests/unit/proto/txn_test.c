#include "proto/command.h"
#include "proto/txn.h"
#include "proto_testing.h"

static err decode(struct slice bytes)
{
    struct txn txn;
    return txn_decode(bytes, &txn);
}

static err decode_command(struct slice bytes)
{
    struct command command;
    return command_decode(bytes, &command);
}

static const struct txn_check some_checks[] = {
    {.target = TXN_MOD_REVISION,
     .relation = TXN_EQUAL,
     .key = SLICE_INIT("a"),
     .number = UINT64_C(1) << 52},
    {.target = TXN_VALUE,
     .relation = TXN_NOT_EQUAL,
     .key = SLICE_INIT("b\0"),
     .end = SLICE_INIT("c"),
     .value = SLICE_INIT("\0\xff")},
    {.target = TXN_FENCE,
     .relation = TXN_EQUAL,
     .key = SLICE_INIT("lname"),
     .number = 57,
     .is_or = true},
};

static const struct txn_op some_ops[] = {
    {.type = TXN_PUT,
     .flags = TXN_KEEP_TTL | TXN_RETURN_OLD,
     .key = SLICE_INIT("a"),
     .content_type = SLICE_INIT("text/plain"),
     .value = SLICE_INIT("value"),
     .ttl_ms = 12345},
    {.type = TXN_DELETE_RANGE, .key = SLICE_INIT("p/"), .end = SLICE_INIT("p0")},
    {.type = TXN_ADD, .key = SLICE_INIT("n"), .number = UINT64_MAX},
    {.type = TXN_LOCK,
     .key = SLICE_INIT("ename"),
     .value = SLICE_INIT("who"),
     .lease = 77,
     .ttl_ms = 15000,
     .number = 1,
     .wait_ms = 30000},
    {.type = TXN_EXPIRE, .number = 1000},
};

static void build(struct txn_builder *builder)
{
    *builder = (struct txn_builder){0};
    builder->txn.idempotency_key = SLICE_LITERAL("key-1");
    builder->txn.fingerprint = (struct hash128){1, 2};
    for (size_t i = 0; i < ARRAY_COUNT(some_checks); i++) {
        txn_add_check(builder, &some_checks[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(some_ops); i++) {
        txn_add_op(builder, &some_ops[i], false);
    }
    const struct txn_op get = {.type = TXN_GET, .key = SLICE_LITERAL("a")};
    txn_add_op(builder, &get, true);
}

static struct buf *encode(const struct txn_builder *builder)
{
    struct txn txn = txn_builder_result(builder);
    struct buf *bytes = buf_new(txn_size(&txn));
    assert_int_equal(bytes->size, txn_builder_size(builder));
    txn_encode(&txn, bytes->data);
    return bytes;
}

static void assert_op_equal(const struct txn_op *a, const struct txn_op *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->flags, b->flags);
    assert_true(slice_equal(a->key, b->key));
    assert_true(slice_equal(a->end, b->end));
    assert_true(slice_equal(a->content_type, b->content_type));
    assert_true(slice_equal(a->value, b->value));
    assert_true(a->ttl_ms == b->ttl_ms && a->lease == b->lease && a->number == b->number &&
                a->wait_ms == b->wait_ms);
}

static void a_transaction_comes_back_as_it_was_put_together(void **state)
{
    (void)state;
    struct txn_builder builder;
    build(&builder);
    struct buf *bytes = encode(&builder);
    struct txn txn;
    assert_int_equal(txn_decode(buf_slice(bytes), &txn), OK);
    assert_true(slice_equal(txn.idempotency_key, SLICE_LITERAL("key-1")));
    assert_true(txn.fingerprint.low == 1 && txn.fingerprint.high == 2);
    assert_true(txn.has_else);
    assert_int_equal(txn.check_count, ARRAY_COUNT(some_checks));
    assert_int_equal(txn.else_count, 1);

    struct reader walk = reader_of(txn.checks);
    struct txn_check check;
    for (size_t i = 0; i < ARRAY_COUNT(some_checks); i++) {
        assert_true(txn_next_check(&walk, &check));
        assert_int_equal(check.target, some_checks[i].target);
        assert_int_equal(check.relation, some_checks[i].relation);
        assert_true(slice_equal(check.key, some_checks[i].key));
        assert_true(slice_equal(check.end, some_checks[i].end));
        assert_true(slice_equal(check.value, some_checks[i].value));
        assert_true(check.number == some_checks[i].number);
        assert_int_equal(check.is_or, some_checks[i].is_or);
    }
    assert_false(txn_next_check(&walk, &check));

    walk = reader_of(txn.then_ops);
    struct txn_op op;
    for (size_t i = 0; i < ARRAY_COUNT(some_ops); i++) {
        assert_true(txn_next_op(&walk, &op));
        assert_op_equal(&op, &some_ops[i]);
    }
    assert_false(txn_next_op(&walk, &op));
    assert_prefixes_are_refused(buf_slice(bytes), decode);
    buf_unref(bytes);
    txn_builder_deinit(&builder);
}

/* Every byte of the encoding, set to a few values: refused, or it encodes to the same bytes. */
static void what_is_no_transaction_is_refused(void **state)
{
    (void)state;
    static const uint8_t values[] = {0, 1, 0x7f, 0xff};
    struct txn_builder builder;
    build(&builder);
    struct buf *bytes = encode(&builder);
    uint32_t refused = 0;
    for (size_t i = 0; i < bytes->size; i++) {
        uint8_t before = bytes->data[i];
        for (size_t j = 0; j < ARRAY_COUNT(values); j++) {
            bytes->data[i] = values[j];
            struct txn txn;
            if (txn_decode(buf_slice(bytes), &txn) != OK) {
                refused++;
                continue;
            }
            struct buf *again = buf_new(txn_size(&txn));
            txn_encode(&txn, again->data);
            assert_true(slice_equal(buf_slice(again), buf_slice(bytes)));
            buf_unref(again);
        }
        bytes->data[i] = before;
    }
    assert_in_range(refused, bytes->size / 4, bytes->size * ARRAY_COUNT(values));
    buf_unref(bytes);
    txn_builder_deinit(&builder);
}

/* ---- as a command ---- */

static struct buf *command_of(struct txn_builder *builder)
{
    struct txn txn = txn_builder_result(builder);
    const struct command command = {
        .type = COMMAND_TXN, .stamp_ms = 5, .key = SLICE_LITERAL("a"), .txn = &txn};
    return command_encode(&command);
}

static void a_command_takes_a_transaction_and_the_leaders_clock(void **state)
{
    (void)state;
    struct txn_builder builder;
    build(&builder);
    struct buf *encoded = command_of(&builder);
    command_stamp(encoded, (struct command_stamp){.ms = 77,
                                                  .quota_bytes = 88,
                                                  .clock = {.elapsed_ms = 99,
                                                            .idempotency_age_ms = 600000,
                                                            .idempotency_count = 1000}});
    struct command command;
    assert_int_equal(command_decode(buf_slice(encoded), &command), OK);
    assert_int_equal(command.type, COMMAND_TXN);
    assert_int_equal(command_type_of(encoded), COMMAND_TXN);
    assert_int_equal(command.stamp_ms, 77);
    assert_int_equal(command.quota_bytes, 88);
    assert_int_equal(command.clock.elapsed_ms, 99);
    assert_int_equal(command.clock.idempotency_age_ms, 600000);
    assert_int_equal(command.clock.idempotency_count, 1000);
    assert_true(slice_equal(command.key, SLICE_LITERAL("a")));
    struct txn txn;
    assert_int_equal(txn_decode(command.value, &txn), OK);
    assert_int_equal(txn.then_count, ARRAY_COUNT(some_ops));
    assert_prefixes_are_refused(buf_slice(encoded), decode_command);
    encoded->data[1] = COMMAND_PUT;
    assert_int_equal(decode_command(buf_slice(encoded)), ERR_MALFORMED);
    buf_unref(encoded);
    txn_builder_deinit(&builder);
}

static bool frees(enum txn_type type, bool is_else, struct slice idempotency_key)
{
    struct txn_builder builder = {.txn.idempotency_key = idempotency_key};
    const struct txn_op unlock = {.type = TXN_UNLOCK, .key = SLICE_LITERAL("lx"), .number = 1};
    const struct txn_op op = {.type = type, .key = SLICE_LITERAL("k")};
    txn_add_op(&builder, &unlock, false);
    txn_add_op(&builder, &op, is_else);
    struct buf *encoded = command_of(&builder);
    bool only_frees = command_only_frees(encoded);
    buf_unref(encoded);
    txn_builder_deinit(&builder);
    return only_frees;
}

static void a_transaction_frees_only_if_every_operation_does(void **state)
{
    (void)state;
    assert_true(frees(TXN_DELETE, false, SLICE_EMPTY));
    assert_true(frees(TXN_GET, true, SLICE_EMPTY));
    assert_false(frees(TXN_PUT, false, SLICE_EMPTY));
    assert_false(frees(TXN_ADD, true, SLICE_EMPTY));
    assert_false(frees(TXN_DELETE, false, SLICE_LITERAL("remembered")));
}

/* ---- results ---- */

static err decode_result(struct slice bytes)
{
    struct reader in = reader_of(bytes);
    struct txn_result result;
    return txn_result_decode(&in, &result);
}

static void a_result_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    const struct txn_result result = {
        .type = TXN_LOCK,
        .existed = true,
        .has_record = true,
        .is_held = true,
        .create_revision = 1,
        .mod_revision = 2,
        .version = 3,
        .modified_ms = 4,
        .ttl_ms = 5,
        .lease = 6,
        .number = UINT64_MAX,
        .content_type = SLICE_LITERAL("text/plain"),
        .value = SLICE_LITERAL("who"),
    };
    struct writer out = {0};
    txn_result_encode(&result, &out);
    struct reader in = reader_of(writer_slice(&out));
    struct txn_result decoded;
    assert_int_equal(txn_result_decode(&in, &decoded), OK);
    assert_int_equal(reader_finish(&in), OK);
    assert_true(decoded.type == TXN_LOCK && decoded.existed && decoded.has_record &&
                decoded.is_held);
    assert_true(decoded.create_revision == 1 && decoded.mod_revision == 2 && decoded.version == 3 &&
                decoded.modified_ms == 4 && decoded.ttl_ms == 5 && decoded.lease == 6 &&
                decoded.number == UINT64_MAX);
    assert_true(slice_equal(decoded.content_type, result.content_type));
    assert_true(slice_equal(decoded.value, result.value));
    assert_prefixes_are_refused(writer_slice(&out), decode_result);
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_comes_back_as_it_was_put_together),
        cmocka_unit_test(what_is_no_transaction_is_refused),
        cmocka_unit_test(a_command_takes_a_transaction_and_the_leaders_clock),
        cmocka_unit_test(a_transaction_frees_only_if_every_operation_does),
        cmocka_unit_test(a_result_comes_back_as_it_was_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
