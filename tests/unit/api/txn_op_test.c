#include "txn_testing.h"

static void every_word_becomes_an_operation(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct txn_op op;
    } table[] = {
        {"{\"get\":\"k\"}", {.type = TXN_GET}},
        {"{\"delete\":\"k\"}", {.type = TXN_DELETE}},
        {"{\"delete\":\"k\",\"return\":\"old\"}", {.type = TXN_DELETE, .flags = TXN_RETURN_OLD}},
        {"{\"put\":\"k\",\"value\":\"\"}", {.type = TXN_PUT}},
        {"{\"put\":\"k\",\"value\":\"\",\"ttl\":\"30s\"}", {.type = TXN_PUT, .ttl_ms = 30000}},
        {"{\"put\":\"k\",\"value\":\"\",\"ttl\":1.5}", {.type = TXN_PUT, .ttl_ms = 1500}},
        {"{\"put\":\"k\",\"value\":\"\",\"ttl\":0}", {.type = TXN_PUT}},
        {"{\"put\":\"k\",\"value\":\"\",\"lease\":\"ff\"}", {.type = TXN_PUT, .lease = 255}},
        {"{\"value\":\"\",\"keepttl\":true,\"put\":\"k\"}",
         {.type = TXN_PUT, .flags = TXN_KEEP_TTL}},
        {"{\"put\":\"k\",\"value\":\"\",\"keepttl\":false,\"ttl\":\"1s\"}",
         {.type = TXN_PUT, .ttl_ms = 1000}},
        {"{\"put\":\"k\",\"value\":\"\",\"return\":\"new\"}",
         {.type = TXN_PUT, .flags = TXN_RETURN_NEW}},
        {"{\"incr\":\"k\"}", {.type = TXN_ADD, .number = 1, .flags = TXN_KEEP_TTL}},
        {"{\"incr\":\"k\",\"by\":0}", {.type = TXN_ADD, .flags = TXN_KEEP_TTL}},
        {"{\"incr\":\"k\",\"by\":-9223372036854775808}",
         {.type = TXN_ADD, .number = UINT64_C(1) << 63, .flags = TXN_KEEP_TTL}},
        {"{\"incr\":\"k\",\"by\":\"9223372036854775807\"}",
         {.type = TXN_ADD, .number = INT64_MAX, .flags = TXN_KEEP_TTL}},
        {"{\"incr\":\"k\",\"ttl\":\"1s\"}", {.type = TXN_ADD, .number = 1, .ttl_ms = 1000}},
        {"{\"incr\":\"k\",\"keepttl\":false}", {.type = TXN_ADD, .number = 1}},
        {"{\"append\":\"k\",\"value\":\"\"}",
         {.type = TXN_APPEND, .number = 10, .flags = TXN_KEEP_TTL}},
        {"{\"touch\":\"k\",\"ttl\":\"2h\"}", {.type = TXN_TOUCH, .ttl_ms = 7200000}},
        {"{\"touch\":\"k\",\"lease\":\"1\"}", {.type = TXN_TOUCH, .lease = 1}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct txn_plan plan;
        struct txn_op op = parse_op(table[i].text, &plan);
        assert_int_equal(op.type, table[i].op.type);
        assert_int_equal(op.flags, table[i].op.flags);
        assert_true(op.number == table[i].op.number);
        assert_int_equal(op.ttl_ms, table[i].op.ttl_ms);
        assert_int_equal(op.lease, table[i].op.lease);
        assert_slice(op.key, "k");
        assert_int_equal(op.end.size, 0);
        assert_slice(plan.key, "k");
        api_txn_plan_deinit(&plan);
    }
}

static void values_types_and_keys_come_through(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct txn_op op = parse_op("{\"put_base64\":\"AP8=\",\"value_base64\":\"/wA=\","
                                "\"content_type\":\"text/plain; charset=utf-8\"}",
                                &plan);
    assert_int_equal(op.key.size, 2);
    assert_memory_equal(op.key.data, "\0\xff", 2);
    assert_int_equal(op.value.size, 2);
    assert_memory_equal(op.value.data, "\xff\0", 2);
    assert_slice(op.content_type, "text/plain; charset=utf-8");
    api_txn_plan_deinit(&plan);
    op = parse_op("{\"append\":\"a\\\"\",\"value\":\"\\u00e4\\n\"}", &plan);
    assert_slice(op.key, "a\"");
    assert_slice(op.value, "ä\n");
    api_txn_plan_deinit(&plan);
}

static void ranges_are_deleted(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct txn_op op = parse_op("{\"delete_prefix\":\"tmp/\"}", &plan);
    assert_int_equal(op.type, TXN_DELETE_RANGE);
    assert_slice(op.key, "tmp/");
    assert_slice(op.end, "tmp0");
    api_txn_plan_deinit(&plan);
    op = parse_op("{\"delete\":\"a\",\"end\":\"c\"}", &plan);
    assert_int_equal(op.type, TXN_DELETE_RANGE);
    assert_slice(op.key, "a");
    assert_slice(op.end, "c");
    api_txn_plan_deinit(&plan);
    op = parse_op("{\"delete_prefix_base64\":\"//8=\"}", &plan);
    assert_int_equal(op.key.size, 2);
    assert_int_equal(op.end.size, 0); /* to the last key */
    api_txn_plan_deinit(&plan);
}

static void what_is_no_operation_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        err e;
        const char *words;
    } table[] = {
        {"{}", ERR_BAD_REQUEST, "an operation is an object with put, delete"},
        {"[]", ERR_BAD_REQUEST, "it has to be an object"},
        {"null", ERR_BAD_REQUEST, "it has to be an object"},
        {"{\"put\":\"a\",\"get\":\"a\"}", ERR_BAD_REQUEST, "two operations"},
        {"{\"put\":\"a\",\"put_base64\":\"YQ==\",\"value\":\"\"}", ERR_BAD_REQUEST,
         "two operations"},
        {"{\"putt\":\"a\"}", ERR_BAD_REQUEST, "did you mean \"put\"?"},
        {"{\"delete_prefx\":\"a\"}", ERR_BAD_REQUEST, "did you mean \"delete_prefix\"?"},
        {"{\"get\":\"\"}", ERR_BAD_REQUEST, "\"get\" is empty"},
        {"{\"get\":[\"a\"]}", ERR_BAD_REQUEST, "\"get\" is a text"},
        {"{\"get\":\"a\",\"value\":\"1\"}", ERR_BAD_REQUEST, "\"value\" is not of get"},
        {"{\"get\":\"a\",\"colour\":\"1\"}", ERR_BAD_REQUEST, "unknown member \"colour\""},
        {"{\"put\":\"a\"}", ERR_BAD_REQUEST, "put needs a \"value\""},
        {"{\"append\":\"a\"}", ERR_BAD_REQUEST, "append needs a \"value\""},
        {"{\"put\":\"a\",\"value\":\"\",\"value_base64\":\"\"}", ERR_BAD_REQUEST, "second of its"},
        {"{\"put\":\"a\",\"value\":1}", ERR_BAD_REQUEST, "\"value\" is a text"},
        {"{\"put\":\"a\",\"value\":\"12345678901\"}", ERR_TOO_LARGE, "at most 10 bytes, this one"},
        {"{\"put\":\"a\",\"value_base64\":\"MTI\"}", ERR_BAD_REQUEST, "is base64"},
        {"{\"put\":\"a\",\"value\":\"\",\"ttl\":\"30\"}", ERR_BAD_REQUEST, "\"ttl\" is a duration"},
        {"{\"put\":\"a\",\"value\":\"\",\"ttl\":-1}", ERR_BAD_REQUEST, "\"ttl\""},
        {"{\"put\":\"a\",\"value\":\"\",\"ttl\":null}", ERR_BAD_REQUEST, "\"ttl\""},
        {"{\"put\":\"a\",\"value\":\"\",\"lease\":\"g\"}", ERR_BAD_REQUEST, "a lease's id"},
        {"{\"put\":\"a\",\"value\":\"\",\"ttl\":\"1s\",\"lease\":\"1\"}", ERR_BAD_REQUEST,
         "exclude each other"},
        {"{\"put\":\"a\",\"value\":\"\",\"ttl\":\"1s\",\"keepttl\":true}", ERR_BAD_REQUEST,
         "exclude each other"},
        {"{\"put\":\"a\",\"value\":\"\",\"keepttl\":1}", ERR_BAD_REQUEST, "\"keepttl\" is true"},
        {"{\"put\":\"a\",\"value\":\"\",\"return\":\"both\"}", ERR_BAD_REQUEST, "\"return\" is"},
        {"{\"delete\":\"a\",\"return\":\"new\"}", ERR_BAD_REQUEST, "\"return\" of delete"},
        {"{\"delete\":\"a\",\"end\":\"b\",\"return\":\"old\"}", ERR_BAD_REQUEST, "a single key"},
        {"{\"delete\":\"b\",\"end\":\"a\"}", ERR_BAD_REQUEST, "has to come after"},
        {"{\"put\":\"a\",\"value\":\"\",\"content_type\":\"a\\nb\"}", ERR_BAD_REQUEST,
         "visible ASCII"},
        {"{\"put\":\"a\",\"value\":\"\",\"content_type\":1}", ERR_BAD_REQUEST, "visible ASCII"},
        {"{\"incr\":\"a\",\"by\":1.5}", ERR_BAD_REQUEST, "\"by\" is a whole number"},
        {"{\"incr\":\"a\",\"by\":9223372036854775808}", ERR_BAD_REQUEST, "\"by\" is a whole"},
        {"{\"incr\":\"a\",\"by\":18446744073709551616}", ERR_BAD_REQUEST, "more than 64 bits"},
        {"{\"incr\":\"a\",\"by\":\"\"}", ERR_BAD_REQUEST, "\"by\" is a whole number"},
        {"{\"touch\":\"a\"}", ERR_BAD_REQUEST, "touch gives the key another time"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        char body[200];
        (void)snprintf(body, sizeof(body), "{\"else\":[{\"get\":\"x\"},%s]}", table[i].text);
        assert_refused(body, table[i].e, table[i].words);
        assert_refused(body, table[i].e, "else[1]: ");
    }
}

static void a_long_key_is_refused_with_its_limit(void **state)
{
    (void)state;
    char body[600] = "{\"then\":[{\"get\":\"";
    size_t size = strlen(body);
    memset(body + size, 'k', KEY_SIZE_MAX + 1);
    memcpy(body + size + KEY_SIZE_MAX + 1, "\"}]}", 5);
    assert_refused(body, ERR_KEY_TOO_LONG, "then[0]: a key is at most 480 bytes, this one has 481");
}

static void words_have_their_names(void **state)
{
    (void)state;
    assert_string_equal(api_txn_word(TXN_WORD_PUT), "put");
    assert_string_equal(api_txn_word(TXN_WORD_TOUCH), "touch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_becomes_an_operation),
        cmocka_unit_test(values_types_and_keys_come_through),
        cmocka_unit_test(ranges_are_deleted),
        cmocka_unit_test(what_is_no_operation_is_refused),
        cmocka_unit_test(a_long_key_is_refused_with_its_limit),
        cmocka_unit_test(words_have_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
