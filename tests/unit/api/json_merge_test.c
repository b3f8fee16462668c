#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/json_merge.h"

static void assert_merged(const char *target, const char *patch, const char *wanted)
{
    struct writer out = {0};
    enum json_merge_side side;
    const char *why = "";
    struct slice text = target == NULL ? SLICE_EMPTY : slice_from_text(target);
    if (api_json_merge(text, slice_from_text(patch), &out, &side, &why) != OK) {
        fail_msg("%s + %s: %s", target, patch, why);
    }
    writer_u8(&out, 0);
    assert_string_equal((const char *)out.data, wanted);
    writer_deinit(&out);
}

/* All of RFC 7396, appendix A. */
static void the_examples_of_the_rfc_come_out(void **state)
{
    (void)state;
    static const char *const table[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        assert_merged(table[i][0], table[i][1], table[i][2]);
    }
}

static void where_nothing_is_the_patch_begins(void **state)
{
    (void)state;
    assert_merged(NULL, "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}");
    assert_merged(NULL, "42", "42");
    assert_merged("{\"a\":1}", "{\"a\":{\"b\":2}}", "{\"a\":{\"b\":2}}");
    assert_merged("{\"a\":{\"x\":1},\"b\":2}", "{\"a\":{\"y\":{\"z\":3}},\"b\":null}",
                  "{\"a\":{\"x\":1,\"y\":{\"z\":3}}}");
}

static void numbers_and_texts_stay_what_they_are(void **state)
{
    (void)state;
    assert_merged("{\"a\":9223372036854775807,\"b\":-9223372036854775808,"
                  "\"c\":18446744073709551615,\"d\":0.1,\"e\":1e400,\"f\":1.0,\"g\":1E5,\"h\":-0.0,"
                  "\"i\":0.10000000000000000001}",
                  "{\"z\":123456789012345678901.5}",
                  "{\"a\":9223372036854775807,\"b\":-9223372036854775808,"
                  "\"c\":18446744073709551615,\"d\":0.1,\"e\":1e400,\"f\":1.0,\"g\":1E5,\"h\":-0.0,"
                  "\"i\":0.10000000000000000001,\"z\":123456789012345678901.5}");
    assert_merged("{\"a\":\"\\u00e4\\u0000\\/\\ud83d\\ude00\"}", "{}",
                  "{\"a\":\"\u00e4\\u0000/\U0001f600\"}");
    assert_merged("{\"a\":-0}", "{}", "{\"a\":0}"); /* as the contract says */
}

static void assert_refused(const char *target, const char *patch, err e, enum json_merge_side side,
                           const char *words)
{
    struct writer out = {0};
    enum json_merge_side given;
    const char *why = "";
    err result =
        api_json_merge(slice_from_text(target), slice_from_text(patch), &out, &given, &why);
    if (result != e || given != side || strstr(why, words) == NULL) {
        fail_msg("%.40s + %.40s: %s, %d, %s", target, patch, err_name(result), (int)given, why);
    }
    assert_int_equal(out.size, 0);
    writer_deinit(&out);
}

static void what_is_no_json_is_told_apart(void **state)
{
    (void)state;
    assert_refused("{}", "{\"a\":}", ERR_BAD_REQUEST, JSON_MERGE_PATCH, "unexpected character");
    assert_refused("{}", "{} {}", ERR_BAD_REQUEST, JSON_MERGE_PATCH, "something behind");
    assert_refused("bar", "{}", ERR_BAD_REQUEST, JSON_MERGE_TARGET, "no value");
    assert_refused("", "{}", ERR_BAD_REQUEST, JSON_MERGE_TARGET, "missing");
    assert_refused("{\"a\":18446744073709551616}", "{}", ERR_BAD_REQUEST, JSON_MERGE_TARGET,
                   "more than 64 bits");
    assert_refused("{\"a\\u0000\":1}", "{}", ERR_BAD_REQUEST, JSON_MERGE_TARGET, "NUL");
}

static void depth_is_bounded_on_both_sides(void **state)
{
    (void)state;
    char deep[500];
    for (unsigned depth = JSON_MERGE_DEPTH_MAX; depth <= JSON_MERGE_DEPTH_MAX + 1; depth++) {
        char *at = deep;
        for (unsigned i = 0; i < depth; i++) {
            at = stpcpy(at, "{\"a\":");
        }
        at = stpcpy(at, "1");
        memset(at, '}', depth);
        at[depth] = '\0';
        if (depth <= JSON_MERGE_DEPTH_MAX) {
            assert_merged("{}", deep, deep);
            assert_merged(deep, deep, deep);
        } else {
            assert_refused("{}", deep, ERR_TOO_LARGE, JSON_MERGE_PATCH, "nested too deep");
            assert_refused(deep, "{}", ERR_TOO_LARGE, JSON_MERGE_TARGET, "nested too deep");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_come_out),
        cmocka_unit_test(where_nothing_is_the_patch_begins),
        cmocka_unit_test(numbers_and_texts_stay_what_they_are),
        cmocka_unit_test(what_is_no_json_is_told_apart),
        cmocka_unit_test(depth_is_bounded_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
