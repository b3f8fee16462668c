#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "main/client_text.h"

static void assert_curl(const struct client_request *request, const char *expected)
{
    struct writer out = {0};
    main_client_text_curl(&out, request, "http://a:1/x");
    writer_u8(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    writer_deinit(&out);
}

static void a_request_is_told_as_a_line_for_curl(void **state)
{
    (void)state;
    static const char *const headers[] = {"Idempotency-Key: 1", "If-Match: \"1\"", NULL};
    assert_curl(&(struct client_request){.method = "GET", .path = "/x"}, "curl 'http://a:1/x'");
    assert_curl(&(struct client_request){.method = "HEAD", .path = "/x"}, "curl -I 'http://a:1/x'");
    assert_curl(&(struct client_request){.method = "DELETE", .path = "/..", .headers = headers},
                "curl -X DELETE --path-as-is -H 'If-Match: \"1\"' 'http://a:1/x'");
    assert_curl(
        &(struct client_request){.method = "PUT", .path = "/x", .body = SLICE_LITERAL("it's")},
        "curl -X PUT --data-binary 'it'\\''s' 'http://a:1/x'");
    assert_curl(
        &(struct client_request){.method = "PUT", .path = "/x", .body = SLICE_LITERAL("@file")},
        "curl -X PUT --data-binary @- 'http://a:1/x'");
    assert_curl(
        &(struct client_request){.method = "PUT", .path = "/x", .body = SLICE_LITERAL("\x80")},
        "curl -X PUT --data-binary @- 'http://a:1/x'");
    assert_curl(
        &(struct client_request){
            .method = "PUT", .path = "/x", .body = SLICE_LITERAL("any"), .body_file = "it's"},
        "curl -X PUT --data-binary '@it'\\''s' 'http://a:1/x'");
}

static void assert_problem(const char *type, const char *body, const char *expected,
                           bool is_unknown)
{
    struct client_answer answer = {
        .status = 500, .content_type = type, .body = slice_from_text(body)};
    struct writer out = {0};
    bool said_unknown = !is_unknown;
    main_client_text_problem(&out, &answer, &said_unknown);
    writer_u8(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    assert_int_equal(said_unknown, is_unknown);
    writer_deinit(&out);
}

static void a_problem_is_told_in_one_line(void **state)
{
    (void)state;
    const char *type = "application/problem+json";
    assert_problem(type, "{\"title\":\"No\",\"detail\":\"because\\nof\",\"outcome\":\"unknown\"}",
                   "No: because", true);
    assert_problem(type, "{\"title\":\"No\",\"outcome\":\"not-applied\"}\n", "No", false);
    assert_problem("application/problem+json; charset=utf-8", "{\"title\":\"N\\u001bo\"}", "N?o",
                   false);
}

static void what_is_no_problem_is_told_by_its_status(void **state)
{
    (void)state;
    assert_problem("text/plain", "no way\nmore\n", "HTTP status 500: no way", false);
    assert_problem("text/plain", "", "HTTP status 500", false);
    assert_problem("text/plain", "\xff", "HTTP status 500", false);
    assert_problem("application/problem+json", "[1]", "HTTP status 500: [1]", false);
    assert_problem("application/problem+json",
                   "{\"title\":", "HTTP status 500: {\"title\":", false);
}

static void a_title_stands_behind_its_status(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *title;
    } cases[] = {{"application/problem+json", "503 No leader"}, {"text/plain", "503"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct writer out = {0};
        const struct client_answer answer = {
            .status = 503,
            .content_type = cases[i].type,
            .body = SLICE_LITERAL("{\"title\":\"No leader\",\"detail\":\"wait\"}"),
        };
        main_client_text_title(&out, &answer);
        assert_true(slice_equal(writer_slice(&out), slice_from_text(cases[i].title)));
        writer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_told_as_a_line_for_curl),
        cmocka_unit_test(a_problem_is_told_in_one_line),
        cmocka_unit_test(what_is_no_problem_is_told_by_its_status),
        cmocka_unit_test(a_title_stands_behind_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
