#include "base/mem.h"
#include "txn_testing.h"

static void a_transaction_has_three_parts_in_any_order(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct problem problem;
    assert_int_equal(parse(" {\"else\" : [ {\"get\":\"a\"} , {\"get\":\"b\"} ] ,\n\"then\":[],"
                           "\"if\":[{\"key\":\"k\",\"exists\":true}] } \n",
                           &plan, &problem),
                     OK);
    struct txn txn = txn_builder_result(&plan.builder);
    assert_int_equal(txn.check_count, 1);
    assert_int_equal(txn.then_count, 0);
    assert_int_equal(txn.else_count, 2);
    assert_true(txn.has_else);
    struct reader names = reader_of(writer_slice(&plan.names[1]));
    struct txn_name name;
    assert_true(api_txn_next_name(&names, &name));
    assert_int_equal(name.word, TXN_WORD_GET);
    assert_slice(name.key, "a");
    assert_true(api_txn_next_name(&names, &name));
    assert_slice(name.key, "b");
    assert_false(api_txn_next_name(&names, &name));
    api_txn_plan_deinit(&plan);
}

static void an_empty_else_is_one(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct problem problem;
    const char *text = "{\"if\":[{\"key\":\"k\",\"exists\":true}],\"else\":[]}";
    assert_int_equal(parse(text, &plan, &problem), OK);
    assert_true(txn_builder_result(&plan.builder).has_else);
    assert_slice(plan.key, "k");
    api_txn_plan_deinit(&plan);
}

static void what_is_no_transaction_is_refused(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", "has to be one JSON object"},
        {"[]", "has to be one JSON object"},
        {"{", "this is no JSON"},
        {"{}", "does nothing"},
        {"{\"if\":[],\"then\":[],\"else\":[]}", "does nothing"},
        {"{\"then\":{}}", "\"then\" is an array"},
        {"{\"then\":[{\"get\":\"a\"}]", "no comma, or the object has no end"},
        {"{\"then\":[{\"get\":\"a\"}", "after then[0] there is neither"},
        {"{\"then\":[{\"get\":\"a\"},]}", "then[1]: "},
        {"{\"then\":[{\"get\":\"a\"}]}x", "something behind"},
        {"{\"then\":[{\"get\":\"a\"}] \"if\":[]}", "no comma"},
        {"{\"then\":[{\"get\":\"a\"}],\"then\":[]}", "\"then\" is given twice"},
        {"{\"than\":[]}", "did you mean \"then\"?"},
        {"{\"failure\":[]}", "unknown member \"failure\""},
        {"{then:[]}", "this is no JSON"},
        {"{\"then\" []}", "this is no JSON"},
        {"{\"then\":[{\"get\" \"a\"}]}", "then[0]: this is no JSON"},
        {"{\"then\":[{\"get\":[[\"a\"]]}]}", "nested too deep"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        assert_refused(table[i][0], ERR_BAD_REQUEST, table[i][1]);
    }
}

static void a_key_is_written_once_in_a_branch(void **state)
{
    (void)state;
    static const char *const twice[][2] = {
        {"{\"put\":\"a\",\"value\":\"\"},{\"get\":\"a\"},{\"put\":\"a\",\"value\":\"\"}",
         "then[0] and then[2] write the same key"},
        {"{\"incr\":\"b\"},{\"delete\":\"a\"},{\"touch\":\"b\",\"ttl\":0}",
         "then[0] and then[2] write"},
        {"{\"delete_prefix\":\"a\"},{\"put\":\"ab\",\"value\":\"\"}", "then[0] and then[1] write"},
        {"{\"put\":\"b\",\"value\":\"\"},{\"delete\":\"a\",\"end\":\"c\"}", "then[0] and then[1]"},
        {"{\"delete_prefix_base64\":\"/w==\"},{\"delete_base64\":\"//8=\"}", "then[0] and then[1]"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(twice); i++) {
        char body[200];
        (void)snprintf(body, sizeof(body), "{\"then\":[%s]}", twice[i][0]);
        assert_refused(body, ERR_BAD_REQUEST, twice[i][1]);
    }
    struct txn_plan plan;
    struct problem problem;
    assert_int_equal(parse("{\"then\":[{\"put\":\"a\",\"value\":\"\"},{\"get\":\"a\"},"
                           "{\"delete_prefix\":\"b\"},{\"delete\":\"b\",\"end\":\"d\"},"
                           "{\"put\":\"d\",\"value\":\"\"}],\"else\":[{\"delete\":\"a\"}]}",
                           &plan, &problem),
                     OK);
    api_txn_plan_deinit(&plan);
}

static void there_are_65535_operations_and_no_more(void **state)
{
    (void)state;
    struct writer body = {0};
    struct txn_plan plan;
    struct problem problem;
    writer_format(&body, "{\"then\":[{\"get\":\"a\"}");
    for (unsigned i = 1; i < TXN_OPS_MAX; i++) {
        writer_format(&body, ",{\"get\":\"a\"}");
    }
    size_t size = body.size;
    writer_format(&body, "]}%c", 0);
    assert_int_equal(parse((const char *)body.data, &plan, &problem), OK);
    api_txn_plan_deinit(&plan);
    body.size = size;
    writer_format(&body, ",{\"get\":\"a\"}]}%c", 0);
    assert_refused((const char *)body.data, ERR_TOO_LARGE, "at most 65535 operations");
    writer_deinit(&body);
}

static void a_long_clause_is_cut_between_characters(void **state)
{
    (void)state;
    struct txn_plan plan;
    struct txn_check check;
    uint32_t clause;
    struct slice key;
    struct slice text;
    parse_checks("{\"key\":\"xääääääääääääääääääääääääääääääääääää\",\"exists\":true}", &plan,
                 &check, 1);
    api_txn_find_clause(&plan, 0, &clause, &key, &text);
    assert_int_equal(text.size, 59); /* 60 would be within one: nine bytes come before them */
    api_txn_plan_deinit(&plan);
}

static void one_operation_is_parsed_by_itself(void **state)
{
    (void)state;
    static const struct txn_limits limits = {.value_bytes_max = 10};
    struct txn_plan plan = {0};
    struct problem problem = {.e = OK};
    struct slice line = SLICE_LITERAL(" {\"get\":\"a\"}\r");
    assert_int_equal(api_txn_parse_op(line, &limits, &plan, &problem), OK);
    assert_int_equal(api_txn_finish(&plan, &problem), OK);
    assert_slice(plan.key, "a");
    api_txn_plan_deinit(&plan);
    static const char *const bad[][2] = {{"", "a value is missing"},
                                         {"{\"get\":\"a\"} {}", "something behind"},
                                         {"{\"get\":\"a\"", "no end"},
                                         {"{\"get\":1}", "\"get\" is a text"}};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        plan = (struct txn_plan){0};
        assert_int_equal(api_txn_parse_op(slice_from_text(bad[i][0]), &limits, &plan, &problem),
                         ERR_BAD_REQUEST);
        assert_non_null(strstr(problem.detail, bad[i][1]));
        assert_null(strstr(problem.detail, "then["));
        api_txn_plan_deinit(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_has_three_parts_in_any_order),
        cmocka_unit_test(an_empty_else_is_one),
        cmocka_unit_test(what_is_no_transaction_is_refused),
        cmocka_unit_test(a_key_is_written_once_in_a_branch),
        cmocka_unit_test(there_are_65535_operations_and_no_more),
        cmocka_unit_test(a_long_clause_is_cut_between_characters),
        cmocka_unit_test(one_operation_is_parsed_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
