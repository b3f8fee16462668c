#include "http/http_query.h"
#include "http_test.h"

static void parameters_come_in_their_order_and_decoded(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct http_query query = http_query_of(SLICE_LITERAL("a=1&b&c=&%3d=%26&x=y=z&p=a+b"), memory);
    static const struct {
        const char *name;
        const char *value;
        bool has_value;
    } expected[] = {
        {"a", "1", true}, {"b", "", false},   {"c", "", true},
        {"=", "&", true}, {"x", "y=z", true}, {"p", "a+b", true},
    };
    struct http_parameter parameter;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(http_query_next(&query, &parameter));
        assert_slice(parameter.name, expected[i].name);
        assert_slice(parameter.value, expected[i].value);
        assert_int_equal(parameter.has_value, expected[i].has_value);
    }
    assert_false(http_query_next(&query, &parameter));
    assert_int_equal(http_query_finish(&query), OK);
}

static void empty_parts_are_passed_over(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct http_query query = http_query_of(SLICE_LITERAL("&&a&&=b&"), memory);
    struct http_parameter parameter;
    assert_true(http_query_next(&query, &parameter));
    assert_slice(parameter.name, "a");
    assert_true(http_query_next(&query, &parameter));
    assert_slice(parameter.name, "");
    assert_slice(parameter.value, "b");
    assert_false(http_query_next(&query, &parameter));
    assert_int_equal(http_query_finish(&query), OK);
}

static void an_empty_query_has_no_parameters(void **state)
{
    (void)state;
    struct http_query query = http_query_of(SLICE_EMPTY, NULL);
    struct http_parameter parameter;
    assert_false(http_query_next(&query, &parameter));
    assert_int_equal(http_query_finish(&query), OK);
}

static void a_bad_escape_ends_the_walk_with_an_error(void **state)
{
    (void)state;
    static const char *const cases[] = {"a=1&b=%zz&c=3", "a=1&%=2", "a=1&b=%4"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t memory[64];
        struct http_query query = http_query_of(slice_from_text(cases[i]), memory);
        struct http_parameter parameter;
        assert_true(http_query_next(&query, &parameter));
        assert_false(http_query_next(&query, &parameter));
        assert_false(http_query_next(&query, &parameter));
        assert_int_equal(http_query_finish(&query), ERR_BAD_REQUEST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_come_in_their_order_and_decoded),
        cmocka_unit_test(empty_parts_are_passed_over),
        cmocka_unit_test(an_empty_query_has_no_parameters),
        cmocka_unit_test(a_bad_escape_ends_the_walk_with_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
