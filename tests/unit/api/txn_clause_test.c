#include "txn_testing.h"

static void every_condition_becomes_a_check(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum txn_target target;
        enum txn_relation relation;
        uint64_t number;
    } table[] = {
        {"\"etag\":\"41\"", TXN_MOD_REVISION, TXN_EQUAL, 41},
        {"\"etag\":\"\\\"41\\\"\"", TXN_MOD_REVISION, TXN_EQUAL, 41},
        {"\"etag\":\"41-gzip\"", TXN_MOD_REVISION, TXN_EQUAL, 41},
        {"\"etag\":41", TXN_MOD_REVISION, TXN_EQUAL, 41},
        {"\"etag\":0", TXN_MOD_REVISION, TXN_EQUAL, 0},
        {"\"etag\":{\"ne\":\"41\"}", TXN_MOD_REVISION, TXN_NOT_EQUAL, 41},
        {"\"exists\":true", TXN_MOD_REVISION, TXN_NOT_EQUAL, 0},
        {"\"exists\":false", TXN_MOD_REVISION, TXN_EQUAL, 0},
        {"\"exists\":{\"ne\":true}", TXN_MOD_REVISION, TXN_EQUAL, 0},
        {"\"exists\":{\"eq\":true}", TXN_MOD_REVISION, TXN_NOT_EQUAL, 0},
        {"\"version\":3", TXN_VERSION, TXN_EQUAL, 3},
        {"\"version\":{\"lt\":3}", TXN_VERSION, TXN_LESS, 3},
        {"\"version\":{\"le\":3}", TXN_VERSION, TXN_LESS_OR_EQUAL, 3},
        {"\"version\":{\"gt\":3}", TXN_VERSION, TXN_GREATER, 3},
        {"\"version\":{\"ge\":\"3\"}", TXN_VERSION, TXN_GREATER_OR_EQUAL, 3},
        {"\"create_revision\":9007199254740992", TXN_CREATE_REVISION, TXN_EQUAL, REVISION_MAX},
        {"\"mod_revision\":7", TXN_MOD_REVISION, TXN_EQUAL, 7},
        {"\"lease\":\"ab\"", TXN_LEASE, TXN_EQUAL, 0xab},
        {"\"lease\":0", TXN_LEASE, TXN_EQUAL, 0},
        {"\"lease\":{\"ne\":\"0\"}", TXN_LEASE, TXN_NOT_EQUAL, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        char text[200];
        struct txn_plan plan;
        struct txn_check check;
        (void)snprintf(text, sizeof(text), "{\"key\":\"k\",%s}", table[i].text);
        parse_checks(text, &plan, &check, 1);
        assert_int_equal(check.target, table[i].target);
        assert_int_equal(check.relation, table[i].relation);
        assert_true(check.number == table[i].number);
        assert_slice(check.key, "k");
        assert_int_equal(check.end.size, 0);
        assert_false(check.is_or);
        api_txn_plan_deinit(&plan);
    }
}

static void values_and_keys_are_any_bytes(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct txn_check check;
    parse_checks("{\"key_base64\":\"AP8=\",\"value_base64\":\"/wA=\"}", &plan, &check, 1);
    assert_int_equal(check.target, TXN_VALUE);
    assert_int_equal(check.key.size, 2);
    assert_memory_equal(check.key.data, "\0\xff", 2);
    assert_int_equal(check.value.size, 2);
    assert_memory_equal(check.value.data, "\xff\0", 2);
    api_txn_plan_deinit(&plan);
    parse_checks("{\"value\":{\"lt\":\"\\u00e4\"},\"key\":\"a\\u0000b\"}", &plan, &check, 1);
    assert_slice(check.value, "ä");
    assert_int_equal(check.key.size, 3);
    assert_int_equal(check.relation, TXN_LESS);
    api_txn_plan_deinit(&plan);
}

static void a_clause_may_ask_several_things_of_its_key(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct txn_check checks[4];
    parse_checks("{\"key\":\"k\",\"version\":{\"ge\":3,\"lt\":9},\"value\":\"x\"},"
                 "{\"key\":\"l\",\"exists\":false}",
                 &plan, checks, 4);
    assert_int_equal(checks[0].relation, TXN_GREATER_OR_EQUAL);
    assert_int_equal(checks[1].relation, TXN_LESS);
    assert_int_equal(checks[1].number, 9);
    assert_int_equal(checks[2].target, TXN_VALUE);
    assert_int_equal(checks[2].number, 0);
    uint32_t clause;
    struct slice key;
    struct slice text;
    api_txn_find_clause(&plan, 2, &clause, &key, &text);
    assert_int_equal(clause, 0);
    assert_slice(key, "k");
    api_txn_find_clause(&plan, 3, &clause, &key, &text);
    assert_int_equal(clause, 1);
    assert_slice(key, "l");
    assert_slice(text, "{\"key\":\"l\",\"exists\":false}");
    api_txn_plan_deinit(&plan);
}

static void a_range_is_a_prefix_or_has_an_end(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct txn_check check;
    parse_checks("{\"prefix\":\"app/\",\"exists\":false}", &plan, &check, 1);
    assert_slice(check.key, "app/");
    assert_slice(check.end, "app0");
    api_txn_plan_deinit(&plan);
    parse_checks("{\"prefix_base64\":\"Yf8=\",\"version\":1}", &plan, &check, 1);
    assert_int_equal(check.key.size, 2);
    assert_slice(check.end, "b");
    api_txn_plan_deinit(&plan);
    parse_checks("{\"end\":\"c\",\"key\":\"a\",\"version\":1}", &plan, &check, 1);
    assert_slice(check.key, "a");
    assert_slice(check.end, "c");
    api_txn_plan_deinit(&plan);
}

static void what_is_no_clause_is_refused(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"{\"key\":\"a\"}", "says nothing of its key"},
        {"{\"exists\":true}", "a condition is of"},
        {"{\"key\":\"a\",\"prefix\":\"b\",\"exists\":false}", "a condition is of"},
        {"{\"end\":\"b\",\"exists\":false}", "a condition is of"},
        {"{\"key\":\"a\",\"key_base64\":\"Yg==\",\"exists\":false}", "second of its kind"},
        {"{\"key\":\"b\",\"end\":\"b\",\"exists\":false}", "has to come after"},
        {"{\"prefix_base64\":\"//8=\",\"exists\":false}", "other than 0xff"},
        {"{\"prefix\":\"a\",\"exists\":true}", "of a single key"},
        {"{\"prefix\":\"\",\"exists\":false}", "no key is"},
        {"{\"key\":1,\"exists\":false}", "\"key\" is a text"},
        {"{\"key\":null,\"exists\":false}", "\"key\" is a text"},
        {"{\"key_base64\":\"=\",\"exists\":false}", "is base64"},
        {"{\"key\":\"a\",\"exist\":false}", "did you mean \"exists\"?"},
        {"{\"key\":\"a\",\"exists\":1}", "\"exists\" is true or false"},
        {"{\"key\":\"a\",\"exists\":{\"gt\":true}}", "\"exists\" is true or false"},
        {"{\"key\":\"a\",\"etag\":\"x\"}", "\"etag\" is a key's ETag"},
        {"{\"key\":\"a\",\"etag\":\"41-br\"}", "\"etag\" is a key's ETag"},
        {"{\"key\":\"a\",\"etag\":true}", "\"etag\" is a whole number"},
        {"{\"key\":\"a\",\"version\":-1}", "\"version\" is a whole number"},
        {"{\"key\":\"a\",\"version\":1.0}", "\"version\" is a whole number"},
        {"{\"key\":\"a\",\"version\":9007199254740993}", "\"version\" is a whole number"},
        {"{\"key\":\"a\",\"version\":{}}", "has no comparison"},
        {"{\"key\":\"a\",\"version\":{\"eq\":true}}", "\"version\" is a whole number"},
        {"{\"key\":\"a\",\"version\":{\"eq\":{}}}", "nested too deep"},
        {"{\"key\":\"a\",\"version\":{\"=\":1}}", "one of eq, ne, lt, le, gt and ge"},
        {"{\"key\":\"a\",\"value\":1}", "\"value\" is a text"},
        {"{\"key\":\"a\",\"lease\":\"xyz\"}", "a lease's id"},
        {"{\"key\":\"a\",\"lease\":1}", "a lease's id"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        char body[200];
        (void)snprintf(body, sizeof(body), "{\"if\":[%s]}", table[i][0]);
        assert_refused(body, ERR_BAD_REQUEST, table[i][1]);
        assert_refused(body, ERR_BAD_REQUEST, "if[0]: ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_condition_becomes_a_check),
        cmocka_unit_test(values_and_keys_are_any_bytes),
        cmocka_unit_test(a_clause_may_ask_several_things_of_its_key),
        cmocka_unit_test(a_range_is_a_prefix_or_has_an_end),
        cmocka_unit_test(what_is_no_clause_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
