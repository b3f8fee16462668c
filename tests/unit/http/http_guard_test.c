#include "http/http_guard.h"
#include "http_test.h"

struct line_case {
    const char *name;
    struct slice line;
    err expected;
};

static const struct line_case request_lines[] = {
    {"plain", BYTES("GET / HTTP/1.1"), OK},
    {"1.0", BYTES("GET / HTTP/1.0"), OK},
    {"unknown method", BYTES("FOO-bar! /x HTTP/1.1"), OK},
    {"punctuation in the target", BYTES("GET /a\"<>^`{|}\\~[]!$&'()*+,;=:@ HTTP/1.1"), OK},
    {"every method character", BYTES("!#$%&'*+-.^_`|~09AZaz / HTTP/1.1"), OK},
    {"0.9", BYTES("GET /"), ERR_HTTP_VERSION},
    {"2.0", BYTES("GET / HTTP/2.0"), ERR_HTTP_VERSION},
    {"2.0 preface", BYTES("PRI * HTTP/2.0"), ERR_HTTP_VERSION},
    {"1.2", BYTES("GET / HTTP/1.2"), ERR_HTTP_VERSION},
    {"0.9 with a version", BYTES("GET / HTTP/0.9"), ERR_HTTP_VERSION},
    {"lower case version", BYTES("GET / http/1.1"), ERR_BAD_REQUEST},
    {"longer version", BYTES("GET / HTTP/1.10"), ERR_BAD_REQUEST},
    {"shorter version", BYTES("GET / HTTP/1"), ERR_BAD_REQUEST},
    {"other protocol", BYTES("SETUP / RTSP/1.0"), ERR_BAD_REQUEST},
    {"space in the target", BYTES("GET /a b HTTP/1.1"), ERR_BAD_REQUEST},
    {"space behind the version", BYTES("GET / HTTP/1.1 "), ERR_BAD_REQUEST},
    {"two spaces before the target", BYTES("GET  / HTTP/1.1"), ERR_BAD_REQUEST},
    {"two spaces before the version", BYTES("GET /  HTTP/1.1"), ERR_BAD_REQUEST},
    {"tab", BYTES("GET\t/ HTTP/1.1"), ERR_BAD_REQUEST},
    {"tab in the target", BYTES("GET /\t HTTP/1.1"), ERR_BAD_REQUEST},
    {"fragment", BYTES("GET /a#b HTTP/1.1"), ERR_BAD_REQUEST},
    {"raw UTF-8", BYTES("GET /\xc3\xa4 HTTP/1.1"), ERR_BAD_REQUEST},
    {"NUL in the target", BYTES("GET /\0 HTTP/1.1"), ERR_BAD_REQUEST},
    {"DEL in the target", BYTES("GET /\x7f HTTP/1.1"), ERR_BAD_REQUEST},
    {"CR in the target", BYTES("GET /\r HTTP/1.1"), ERR_BAD_REQUEST},
    {"no target", BYTES("GET HTTP/1.1"), ERR_HTTP_VERSION},
    {"method alone", BYTES("GET"), ERR_BAD_REQUEST},
    {"method and space", BYTES("GET "), ERR_BAD_REQUEST},
    {"nothing", BYTES(""), ERR_BAD_REQUEST},
    {"space first", BYTES(" GET / HTTP/1.1"), ERR_BAD_REQUEST},
    {"colon in the method", BYTES("GE:T / HTTP/1.1"), ERR_BAD_REQUEST},
};

static const struct line_case field_lines[] = {
    {"plain", BYTES("Host: x"), OK},
    {"no space", BYTES("Host:x"), OK},
    {"no value", BYTES("X:"), OK},
    {"colons in the value", BYTES("X: a:b:c"), OK},
    {"tabs in the value", BYTES("X:\ta\tb\t"), OK},
    {"bytes above ASCII", BYTES("X: \x80\xff"), OK},
    {"fold", BYTES(" X: a"), ERR_BAD_REQUEST},
    {"fold with tab", BYTES("\tb"), ERR_BAD_REQUEST},
    {"space before the colon", BYTES("X : a"), ERR_BAD_REQUEST},
    {"tab before the colon", BYTES("X\t: a"), ERR_BAD_REQUEST},
    {"space in the name", BYTES("X Y: a"), ERR_BAD_REQUEST},
    {"no name", BYTES(": a"), ERR_BAD_REQUEST},
    {"no colon", BYTES("Host"), ERR_BAD_REQUEST},
    {"NUL in the name", BYTES("H\0st: a"), ERR_BAD_REQUEST},
    {"NUL in the value", BYTES("Host: a\0b"), ERR_BAD_REQUEST},
    {"CR in the value", BYTES("Host: a\rb"), ERR_BAD_REQUEST},
    {"escape in the value", BYTES("Host: \x1b[1m"), ERR_BAD_REQUEST},
    {"DEL in the value", BYTES("Host: \x7f"), ERR_BAD_REQUEST},
    {"bytes above ASCII in the name", BYTES("H\xc3\xb6st: a"), ERR_BAD_REQUEST},
    {"parentheses in the name", BYTES("X(y): a"), ERR_BAD_REQUEST},
};

static void request_lines_are_judged_to_the_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(request_lines); i++) {
        const char *detail = NULL;
        err e = http_guard_request_line(request_lines[i].line, 100, &detail);
        if (e != request_lines[i].expected) {
            fail_msg("%s: %s", request_lines[i].name, err_name(e));
        }
        assert_true((e == OK) == (detail == NULL));
    }
}

static void field_lines_are_judged_to_the_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(field_lines); i++) {
        const char *detail = NULL;
        err e = http_guard_field_line(field_lines[i].line, &detail);
        if (e != field_lines[i].expected) {
            fail_msg("%s: %s", field_lines[i].name, err_name(e));
        }
        assert_true((e == OK) == (detail == NULL));
    }
}

static void a_target_may_be_as_long_as_its_bound_and_no_longer(void **state)
{
    (void)state;
    const char *detail = NULL;
    assert_int_equal(http_guard_request_line(SLICE_LITERAL("GET /234 HTTP/1.1"), 4, &detail), OK);
    assert_int_equal(http_guard_request_line(SLICE_LITERAL("GET /2345 HTTP/1.1"), 4, &detail),
                     ERR_URI_TOO_LONG);
}

struct chunk_case {
    struct slice line;
    err expected;
    uint64_t size;
    size_t extension_size;
};

static const struct chunk_case chunk_lines[] = {
    {BYTES("0"), OK, 0, 0},
    {BYTES("5"), OK, 5, 0},
    {BYTES("000a"), OK, 10, 0},
    {BYTES("fF"), OK, 255, 0},
    {BYTES("ffffffffffffffff"), OK, UINT64_MAX, 0},
    {BYTES("1;a=b"), OK, 1, 4},
    {BYTES("1;a=\"b c\""), OK, 1, 8},
    {BYTES("10000000000000000"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("00000000000000001"), ERR_BAD_REQUEST, 0, 0},
    {BYTES(""), ERR_BAD_REQUEST, 0, 0},
    {BYTES(";a"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("-1"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("+1"), ERR_BAD_REQUEST, 0, 0},
    {BYTES(" 1"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("1 "), ERR_BAD_REQUEST, 0, 0},
    {BYTES("1 ;a"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("0x1"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("1,2"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("1_000"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("g"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("1;a\rb"), ERR_BAD_REQUEST, 0, 0},
    {BYTES("1\0"), ERR_BAD_REQUEST, 0, 0},
};

static void chunk_lines_are_judged_to_the_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(chunk_lines); i++) {
        const struct chunk_case *c = &chunk_lines[i];
        const char *detail = NULL;
        uint64_t size = 0;
        size_t extension_size = 0;
        err e = http_guard_chunk_line(c->line, &size, &extension_size, &detail);
        if (e != c->expected) {
            fail_msg("%.*s: %s", (int)c->line.size, (const char *)c->line.data, err_name(e));
        }
        assert_int_equal(size, c->size);
        assert_int_equal(extension_size, c->extension_size);
    }
}

static void a_line_ends_in_cr_lf_and_nothing_else(void **state)
{
    (void)state;
    struct slice line = SLICE_EMPTY;
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("ab\r\ncd"), 10, &line), HTTP_LINE_WHOLE);
    assert_slice(line, "ab");
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("\r\n"), 0, &line), HTTP_LINE_WHOLE);
    assert_slice(line, "");
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("ab\n"), 10, &line), HTTP_LINE_BARE_LF);
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("\n"), 10, &line), HTTP_LINE_BARE_LF);
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("ab\r"), 10, &line), HTTP_LINE_PART);
    assert_int_equal(http_guard_find_line(SLICE_EMPTY, 10, &line), HTTP_LINE_PART);
}

static void a_line_is_long_only_once_no_ending_could_save_it(void **state)
{
    (void)state;
    struct slice line = SLICE_EMPTY;
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("abcd\r\n"), 4, &line), HTTP_LINE_WHOLE);
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("abcde\r\n"), 4, &line), HTTP_LINE_LONG);
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("abcd\r"), 4, &line), HTTP_LINE_PART);
    assert_int_equal(http_guard_find_line(SLICE_LITERAL("abcdef"), 4, &line), HTTP_LINE_LONG);
}

static void a_host_is_a_name_or_an_address_with_a_port(void **state)
{
    (void)state;
    assert_true(http_guard_is_host(SLICE_LITERAL("")));
    assert_true(http_guard_is_host(SLICE_LITERAL("localhost:3000")));
    assert_true(http_guard_is_host(SLICE_LITERAL("[::1]:3000")));
    assert_true(http_guard_is_host(SLICE_LITERAL("a-b_c.example")));
    assert_false(http_guard_is_host(SLICE_LITERAL("a b")));
    assert_false(http_guard_is_host(SLICE_LITERAL("a/b")));
    assert_false(http_guard_is_host(SLICE_LITERAL("u@h")));
    assert_false(http_guard_is_host(SLICE_LITERAL("a\\b")));
    assert_false(http_guard_is_host(SLICE_LITERAL("\xc3\xa4")));
}

/* Wherever it stands, in a value of whichever size: they are looked at eight bytes at a time. */
static void a_control_character_in_a_value_is_found_wherever_it_stands(void **state)
{
    (void)state;
    uint8_t line[2 + 20] = "X:";
    for (size_t size = 1; size <= 20; size++) {
        for (size_t at = 0; at < size; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                memset(line + 2, byte % 2 == 0 ? 0xff : ' ', 20);
                line[2 + (at + 1) % size] = '\t';
                line[2 + at] = (uint8_t)byte;
                bool is_control = (byte < ' ' && byte != '\t') || byte == 0x7f;
                err expected = is_control ? ERR_BAD_REQUEST : OK;
                const char *detail;
                assert_int_equal(http_guard_field_line((struct slice){line, 2 + size}, &detail),
                                 expected);
                line[2 + (at + 1) % size] = line[2 + at];
                assert_int_equal(http_guard_field_line((struct slice){line, 2 + size}, &detail),
                                 expected);
            }
        }
    }
}

/* RFC 9110, section 5.6.2; RFC 3986, section 3.2.2, with the port's colon. */
static void each_byte_is_of_the_classes_that_the_rfcs_give_it(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        bool is_common = (i >= '0' && i <= '9') || (i >= 'A' && i <= 'Z') || (i >= 'a' && i <= 'z');
        bool is_token = is_common || strchr("!#$%&'*+-.^_`|~", (int)i) != NULL;
        bool is_host = is_common || strchr("-._~!$&'()*+,;=%:[]", (int)i) != NULL;
        assert_int_equal(http_guard_is_token(byte), is_token);
        assert_int_equal(http_guard_is_host((struct slice){&byte, 1}), is_host);
    }
    assert_false(http_guard_is_token(0));
    assert_false(http_guard_is_host(SLICE_LITERAL("\0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_lines_are_judged_to_the_byte),
        cmocka_unit_test(field_lines_are_judged_to_the_byte),
        cmocka_unit_test(a_target_may_be_as_long_as_its_bound_and_no_longer),
        cmocka_unit_test(chunk_lines_are_judged_to_the_byte),
        cmocka_unit_test(a_line_ends_in_cr_lf_and_nothing_else),
        cmocka_unit_test(a_line_is_long_only_once_no_ending_could_save_it),
        cmocka_unit_test(a_host_is_a_name_or_an_address_with_a_port),
        cmocka_unit_test(a_control_character_in_a_value_is_found_wherever_it_stands),
        cmocka_unit_test(each_byte_is_of_the_classes_that_the_rfcs_give_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
