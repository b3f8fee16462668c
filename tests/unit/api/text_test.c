#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/text.h"

static void numbers_are_written_in_hexadecimal(void **state)
{
    (void)state;
    char hex[TEXT_HEX64_SIZE];
    api_text_hex64(hex, UINT64_C(0x0123456789abcdef));
    assert_memory_equal(hex, "0123456789abcdef", TEXT_HEX64_SIZE);
    for (unsigned shift = 0; shift < 64; shift += 4) {
        for (uint64_t nibble = 0; nibble < 16; nibble++) {
            char expected[TEXT_HEX64_SIZE + 1];
            (void)snprintf(expected, sizeof(expected), "%016" PRIx64, nibble << shift);
            api_text_hex64(hex, nibble << shift);
            assert_memory_equal(hex, expected, TEXT_HEX64_SIZE);
        }
    }
}

static void case_does_not_matter_where_it_should_not(void **state)
{
    (void)state;
    assert_true(api_text_equals_nocase(SLICE_LITERAL("LocalHost"), "localhost"));
    assert_false(api_text_equals_nocase(SLICE_LITERAL("localhost."), "localhost"));
    assert_false(api_text_equals_nocase(SLICE_LITERAL("@"), "`"));
    assert_true(api_text_begins_nocase(SLICE_LITERAL("HTTP://x"), "http://"));
    assert_false(api_text_begins_nocase(SLICE_LITERAL("http:/"), "http://"));
}

static void splitting_takes_parts_off_the_front(void **state)
{
    (void)state;
    struct slice rest = SLICE_LITERAL("a,,b");
    assert_true(slice_equal(api_text_split(&rest, ','), SLICE_LITERAL("a")));
    assert_int_equal(api_text_split(&rest, ',').size, 0);
    assert_true(slice_equal(api_text_split(&rest, ','), SLICE_LITERAL("b")));
    assert_int_equal(rest.size, 0);
    assert_int_equal(api_text_split(&rest, ',').size, 0);
    assert_true(slice_equal(api_text_trim(SLICE_LITERAL(" \ta b\t ")), SLICE_LITERAL("a b")));
    assert_int_equal(api_text_trim(SLICE_LITERAL(" \t")).size, 0);
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void)state;
    const char *const good[] = {"",
                                "a",
                                "\xc2\x80",
                                "\xdf\xbf",
                                "\xe0\xa0\x80",
                                "\xed\x9f\xbf",
                                "\xef\xbf\xbf",
                                "\xf0\x90\x80\x80",
                                "\xf4\x8f\xbf\xbf"};
    const char *const bad[] = {"\x80",
                               "\xc1\xbf",
                               "\xc2",
                               "\xe0\x9f\xbf",
                               "\xed\xa0\x80",
                               "\xf0\x8f\xbf\xbf",
                               "\xf5\x80\x80\x80",
                               "\xf4\x90\x80\x80",
                               "\xe2\x82",
                               "a\xff"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_true(api_text_is_utf8(slice_from_text(good[i])));
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(api_text_is_utf8(slice_from_text(bad[i])));
    }
}

static void base64_is_that_of_rfc_4648(void **state)
{
    (void)state;
    const char *const cases[][2] = {{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"},
                                    {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct writer out = {0};
        api_text_base64(&out, slice_from_text(cases[i][0]));
        assert_true(slice_equal(writer_slice(&out), slice_from_text(cases[i][1])));
        writer_reset(&out);
        assert_int_equal(api_text_base64_decode(&out, slice_from_text(cases[i][1])), OK);
        assert_true(slice_equal(writer_slice(&out), slice_from_text(cases[i][0])));
        writer_deinit(&out);
    }
}

static void what_is_no_base64_leaves_nothing(void **state)
{
    (void)state;
    /* Of each text of bytes there is one form. */
    const char *const bad[] = {"Z",    "Zg",   "Zg=",  "Zm9",  "Zm9vZ===", "====", "=Zg=",
                               "Zh==", "Zm9=", "Zg=a", "Zm 9", "Zm9v\n",   "Zm_v", "Zg==Zg=="};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct writer out = {0};
        writer_u8(&out, 'x');
        assert_int_equal(api_text_base64_decode(&out, slice_from_text(bad[i])), ERR_MALFORMED);
        assert_int_equal(out.size, 1);
        writer_deinit(&out);
    }
}

static void a_json_string_is_valid_whatever_it_holds(void **state)
{
    (void)state;
    struct writer out = {0};
    api_text_json(&out, (struct slice){(const uint8_t *)"a\"\\\n\0\x7f/\xc3\xa4\xff\xc3", 11});
    assert_true(
        slice_equal(writer_slice(&out),
                    SLICE_LITERAL("\"a\\\"\\\\\\u000a\\u0000\\u007f/\xc3\xa4\\ufffd\\ufffd\"")));
    writer_deinit(&out);
}

static void what_people_see_neither_steers_a_terminal_nor_is_markup(void **state)
{
    (void)state;
    const char *const cases[][3] = {
        {"", "", ""},
        {"plain \xc3\xa4\xe2\x82\xac", "plain \xc3\xa4\xe2\x82\xac", "plain \xc3\xa4\xe2\x82\xac"},
        {"<a href=\"x\">&'", "<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"},
        {"a\x1b[2J\n\x7f", "a\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd",
         "a\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc2\x9b"
         "1m",
         "\xef\xbf\xbd\xef\xbf\xbd"
         "1m",
         "\xef\xbf\xbd\xef\xbf\xbd"
         "1m"},
        {"\xc2\xa0\xff\xc3", "\xc2\xa0\xef\xbf\xbd\xef\xbf\xbd",
         "\xc2\xa0\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct writer out = {0};
        api_text_plain(&out, slice_from_text(cases[i][0]));
        assert_true(slice_equal(writer_slice(&out), slice_from_text(cases[i][1])));
        writer_reset(&out);
        api_text_html(&out, slice_from_text(cases[i][0]));
        assert_true(slice_equal(writer_slice(&out), slice_from_text(cases[i][2])));
        writer_deinit(&out);
    }
}

static void a_member_is_text_or_base64(void **state)
{
    (void)state;
    struct writer out = {0};
    api_text_json_member(&out, "key", SLICE_LITERAL("a\"b"));
    assert_true(slice_equal(writer_slice(&out), SLICE_LITERAL("\"key\":\"a\\\"b\"")));
    writer_reset(&out);
    api_text_json_member(&out, "key", SLICE_LITERAL("\x00\xff"));
    assert_true(slice_equal(writer_slice(&out), SLICE_LITERAL("\"key_base64\":\"AP8=\"")));
    writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_in_hexadecimal),
        cmocka_unit_test(case_does_not_matter_where_it_should_not),
        cmocka_unit_test(splitting_takes_parts_off_the_front),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(what_is_no_base64_leaves_nothing),
        cmocka_unit_test(a_json_string_is_valid_whatever_it_holds),
        cmocka_unit_test(a_member_is_text_or_base64),
        cmocka_unit_test(what_people_see_neither_steers_a_terminal_nor_is_markup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
