#include <json-c/json_tokener.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/problem.h"

static struct writer out;

/* The document's text, NUL-terminated, until the next one. */
static const char *write_document(const struct problem *problem,
                                  const struct problem_context *context)
{
    writer_reset(&out);
    api_problem_write(problem, context, &out);
    writer_u8(&out, 0);
    return (const char *)out.data;
}

static void the_document_is_one_line_in_a_fixed_order(void **state)
{
    (void)state;
    struct problem problem = {
        .limit = 480, .setting = "x", .did_you_mean = "ttl", .parameter = SLICE_LITERAL("tll")};
    assert_int_equal(api_problem_set(&problem, ERR_KEY_TOO_LONG, "it has %d", 481),
                     ERR_KEY_TOO_LONG);
    const struct problem_context context = {.key = SLICE_LITERAL("k"),
                                            .request_id = SLICE_LITERAL("r"),
                                            .allow = "GET",
                                            .revision = 57,
                                            .is_unsafe = true};
    assert_string_equal(
        write_document(&problem, &context),
        "{\"type\":\"/problems/key-too-long\",\"title\":\"Key too long\",\"status\":414,"
        "\"detail\":\"it has 481\",\"key\":\"k\",\"limit\":480,\"setting\":\"x\","
        "\"parameter\":\"tll\",\"did_you_mean\":\"ttl\",\"allow\":\"GET\",\"revision\":57,"
        "\"outcome\":\"not-applied\",\"request_id\":\"r\"}\n");
}

static void every_error_makes_valid_json(void **state)
{
    (void)state;
    for (err e = OK + 1; e < ERR_COUNT; e++) {
        struct problem problem = {.parameter = SLICE_LITERAL("\xff\"\n")};
        assert_int_equal(api_problem_set(&problem, e, "%s", "\"\\\x01\xc3"), e);
        const struct problem_context context = {.key = SLICE_LITERAL("\xff"),
                                                .request_id = SLICE_LITERAL("\"\\")};
        const char *text = write_document(&problem, &context);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        struct json_object *document = json_tokener_parse(text);
        assert_non_null(document);
        struct json_object *status = json_object_object_get(document, "status");
        assert_int_equal(json_object_get_int(status), err_http_status(e));
        (void)json_object_put(document);
    }
}

static void a_long_detail_is_cut(void **state)
{
    (void)state;
    struct problem problem = {.e = OK};
    assert_int_equal(api_problem_set(&problem, ERR_INTERNAL, "%2000d", 1), ERR_INTERNAL);
    assert_int_equal(strlen(problem.detail), PROBLEM_DETAIL_SIZE - 1);
}

static void the_outcome_is_told_when_it_could_be_in_doubt(void **state)
{
    (void)state;
    const struct {
        err e;
        bool is_unsafe;
        const char *outcome;
    } cases[] = {
        {ERR_NOT_FOUND, false, NULL},
        {ERR_NOT_FOUND, true, "\"outcome\":\"not-applied\""},
        {ERR_NO_LEADER, false, "\"outcome\":\"not-applied\""},
        {ERR_OUTCOME_UNKNOWN, true, "\"outcome\":\"unknown\""},
        {ERR_INTERNAL, true, "\"outcome\":\"unknown\""},
        {ERR_INTERNAL, false, "\"outcome\":\"not-applied\""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct problem problem = {.e = cases[i].e};
        const struct problem_context context = {.is_unsafe = cases[i].is_unsafe};
        const char *text = write_document(&problem, &context);
        if (cases[i].outcome == NULL) {
            assert_null(strstr(text, "outcome"));
        } else {
            assert_non_null(strstr(text, cases[i].outcome));
        }
    }
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
        cmocka_unit_test(the_document_is_one_line_in_a_fixed_order),
        cmocka_unit_test(every_error_makes_valid_json),
        cmocka_unit_test(a_long_detail_is_cut),
        cmocka_unit_test(the_outcome_is_told_when_it_could_be_in_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, close_out);
}
