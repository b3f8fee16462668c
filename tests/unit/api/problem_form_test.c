#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/problem_form.h"

static struct writer out;

/* The document's text, NUL-terminated, until the next one. */
static const char *write_form(enum problem_form form, const struct problem *problem, bool is_unsafe)
{
    const struct problem_context context = {.request_id = SLICE_LITERAL("r<1>"),
                                            .is_unsafe = is_unsafe};
    writer_reset(&out);
    api_problem_form_write(form, problem, &context, &out);
    writer_u8(&out, 0);
    return (const char *)out.data;
}

static void who_asks_for_nothing_special_gets_json(void **state)
{
    (void)state;
    const struct {
        const char *accept;
        enum problem_form form;
    } cases[] = {
        {"", PROBLEM_FORM_JSON},
        {"*/*", PROBLEM_FORM_JSON},
        {"application/json", PROBLEM_FORM_JSON},
        {"application/problem+json", PROBLEM_FORM_JSON},
        {"image/png", PROBLEM_FORM_JSON}, /* the value may be one, its absence is not */
        {"text/event-stream", PROBLEM_FORM_JSON},
        {"text/plain", PROBLEM_FORM_TEXT},
        {"text/plain;q=0.5, application/json;q=0.4", PROBLEM_FORM_TEXT},
        {"text/html,application/xhtml+xml,*/*;q=0.8", PROBLEM_FORM_HTML},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(api_problem_form_of(slice_from_text(cases[i].accept)), cases[i].form);
    }
    assert_string_equal(api_problem_form_type(PROBLEM_FORM_JSON), "application/problem+json");
    assert_string_equal(api_problem_form_type(PROBLEM_FORM_TEXT), "text/plain; charset=utf-8");
    assert_string_equal(api_problem_form_type(PROBLEM_FORM_HTML), "text/html; charset=utf-8");
}

static void the_text_is_two_lines_with_the_outcome(void **state)
{
    (void)state;
    struct problem problem = {.e = OK};
    assert_int_equal(api_problem_set(&problem, ERR_NOT_FOUND, "no \x1b[1m key"), ERR_NOT_FOUND);
    assert_string_equal(write_form(PROBLEM_FORM_TEXT, &problem, false),
                        "404 Not found: no \xef\xbf\xbd[1m key\n"
                        "More: /problems/not-found (request r<1>)\n");
    problem.e = ERR_NO_LEADER;
    assert_non_null(strstr(write_form(PROBLEM_FORM_TEXT, &problem, true),
                           "\nNothing was changed (outcome: not-applied). More: "));
    problem.e = ERR_OUTCOME_UNKNOWN;
    assert_non_null(strstr(write_form(PROBLEM_FORM_TEXT, &problem, true),
                           "\nIt may yet happen (outcome: unknown). More: "));
}

static void the_page_is_escaped_and_links_to_the_explanation(void **state)
{
    (void)state;
    struct problem problem = {.e = OK};
    assert_int_equal(api_problem_set(&problem, ERR_FORBIDDEN, "<script>&"), ERR_FORBIDDEN);
    const char *page = write_form(PROBLEM_FORM_HTML, &problem, true);
    assert_non_null(strstr(page, "<h1>403 Forbidden</h1>\n<p>&lt;script&gt;&amp;</p>"));
    assert_non_null(strstr(page, "<p>Nothing was changed (outcome: not-applied). "
                                 "<a href=\"/problems/forbidden\">"));
    assert_non_null(strstr(page, "<p>Request r&lt;1&gt;</p>\n</body></html>\n"));
    assert_null(strstr(page, "<script>"));
}

static void json_is_the_document_itself(void **state)
{
    (void)state;
    const struct problem problem = {.e = ERR_RANGE};
    assert_memory_equal(write_form(PROBLEM_FORM_JSON, &problem, false),
                        "{\"type\":\"/problems/range\",", 25);
}

static int close_out(void **state)
{
    (void)state;
    writer_deinit(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_for_nothing_special_gets_json),
        cmocka_unit_test(the_text_is_two_lines_with_the_outcome),
        cmocka_unit_test(the_page_is_escaped_and_links_to_the_explanation),
        cmocka_unit_test(json_is_the_document_itself),
    };
    return cmocka_run_group_tests(tests, NULL, close_out);
}
