#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/json_scan.h"

static const struct json_bounds wide = {8, 1000};

static void values_are_taken_one_after_the_other(void **state)
{
    (void)state;
    struct slice rest = SLICE_LITERAL(" {\"a\":[1,\"]}\\\"\"]} , \"x\",-1.5e+3,null ,[ ]");
    static const char *const wanted[] = {"{\"a\":[1,\"]}\\\"\"]}", "\"x\"", "-1.5e+3", "null",
                                         "[ ]"};
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        struct slice value;
        const char *why = NULL;
        assert_true(i == 0 || api_json_take(&rest, ','));
        assert_int_equal(api_json_next(&rest, wide, &value, &why), OK);
        assert_int_equal(value.size, strlen(wanted[i]));
        assert_memory_equal(value.data, wanted[i], value.size);
    }
    api_json_skip(&rest);
    assert_int_equal(rest.size, 0);
    assert_false(api_json_take(&rest, ','));
}

/* What json-c would take and make something else of. */
static void what_would_change_on_its_way_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why; /* NULL: it is good */
    } table[] = {
        {"18446744073709551615", NULL},
        {"18446744073709551616", "more than 64 bits"},
        {"-9223372036854775808", NULL},
        {"-9223372036854775809", "more than 64 bits"},
        {"123456789012345678901.5", NULL},
        {"1e400", NULL},
        {"01", "not one of JSON's"},
        {"1.", "not one of JSON's"},
        {"1e", "not one of JSON's"},
        {"-", "not one of JSON's"},
        {"1x", "not one of JSON's"},
        {"NaN", "no value"},
        {"Infinity", "no value"},
        {"-Infinity", "not one of JSON's"},
        {"'a'", "no value"},
        {"", "missing"},
        {",", "missing"},
        {"[,", "no end"},
        {"[1", "no end"},
        {"\"a", "no end"},
        {"\"a\\", "no end"},
        {"\"\\u12\"", "hex digits"},
        {"\"\\u00zz\"", "hex digits"},
        {"\"\\ud83d\\ude00\"", NULL},
        {"\"\\ud83d\"", "half of a surrogate pair"},
        {"\"\\ude00\\ud83d\"", "half of a surrogate pair"},
        {"\"\\ud83d\\u0041\"", "half of a surrogate pair"},
        {"\"a\tb\"", "control character"},
        {"\"a\\u0000b\"", NULL},
        {"{\"a\\u0000b\" : 1}", "has a NUL in it"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct slice rest = slice_from_text(table[i].text);
        struct slice value;
        const char *why = NULL;
        err e = api_json_next(&rest, wide, &value, &why);
        if (table[i].why == NULL) {
            assert_int_equal(e, OK);
            assert_int_equal(value.size, strlen(table[i].text));
            continue;
        }
        if (e != ERR_BAD_REQUEST || strstr(why, table[i].why) == NULL) {
            fail_msg("%s: %d, %s", table[i].text, e, why);
        }
    }
}

static void depth_and_parts_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        err e;
    } table[] = {
        {"[[1]]", OK},
        {"[[[1]]]", ERR_TOO_LARGE},
        {"{\"a\":{\"b\":1}}", OK},
        {"[{\"a\":[]}]", ERR_TOO_LARGE},
        {"[1,2,3]", OK},
        {"[1,2,3,4]", ERR_TOO_LARGE},
        {"[[],[]]", ERR_TOO_LARGE},
    };
    static const struct json_bounds narrow = {2, 3};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct slice rest = slice_from_text(table[i].text);
        struct slice value;
        const char *why = NULL;
        assert_int_equal(api_json_next(&rest, narrow, &value, &why), table[i].e);
        assert_true((why == NULL) == (table[i].e == OK));
    }
}

static void objects_come_out_of_what_was_looked_at(void **state)
{
    (void)state;
    struct json_object *value = NULL;
    const char *why = NULL;
    assert_int_equal(api_json_parse(SLICE_LITERAL("{\"a\":[\"x\\u0000y\"]}"), 2, &value, &why), OK);
    struct json_object *member = NULL;
    assert_true(json_object_object_get_ex(value, "a", &member));
    struct slice text = api_json_text(json_object_array_get_idx(member, 0));
    assert_int_equal(text.size, 3);
    assert_memory_equal(text.data, "x\0y", 3);
    (void)json_object_put(value);
    assert_int_equal(api_json_parse(SLICE_LITERAL("42"), 1, &value, &why), OK);
    assert_int_equal(json_object_get_int64(value), 42);
    (void)json_object_put(value);
    assert_int_equal(api_json_parse(SLICE_LITERAL("null"), 1, &value, &why), OK);
    assert_null(value);
    static const char *const bad[] = {"{\"a\" 1}",  "[1 2]", "{1:2}",   "[}",
                                      "{\"a\":1,}", "[1]]",  "\"\xff\""};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(api_json_parse(slice_from_text(bad[i]), 4, &value, &why), ERR_BAD_REQUEST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken_one_after_the_other),
        cmocka_unit_test(what_would_change_on_its_way_is_refused),
        cmocka_unit_test(depth_and_parts_are_bounded),
        cmocka_unit_test(objects_come_out_of_what_was_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
