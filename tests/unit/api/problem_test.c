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

static void what_is_known_of_the_state_stands_in_the_document(void **state)
{
    (void)state;
    struct problem problem = {.e = ERR_PRECONDITION_FAILED,
                              .etag = 43,
                              .has_clause = true,
                              .oldest = 7,
                              .restart = SLICE_LITERAL("/kv?prefix=a"),
                              .holder = SLICE_LITERAL("{\"who\":\"me\"}")};
    const struct problem_context context = {.request_id = SLICE_LITERAL("r")};
    assert_non_null(strstr(write_document(&problem, &context),
                           "\"detail\":\"\",\"etag\":\"43\",\"clause\":0,\"oldest\":7,"
                           "\"restart\":\"/kv?prefix=a\","
                           "\"holder\":\"{\\\"who\\\":\\\"me\\\"}\",\"revision\":0"));
    problem.holder = SLICE_LITERAL("\xff");
    assert_non_null(strstr(write_document(&problem, &context), ",\"holder_base64\":\"/w==\","));
}

static void a_retry_is_advised_where_it_may_help(void **state)
{
    (void)state;
    const struct {
        err e;
        uint64_t seconds;
    } cases[] = {
        {ERR_NO_LEADER, 1},    {ERR_OVERLOADED, 1},
        {ERR_LOCKED, 1},       {ERR_TOO_MANY_REQUESTS, 1},
        {ERR_CONFLICT, 1},     {ERR_IDEMPOTENCY_IN_PROGRESS, 1},
        {ERR_NOT_A_NUMBER, 0}, {ERR_OUTCOME_UNKNOWN, 0},
        {ERR_NOT_FOUND, 0},    {ERR_QUOTA, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct problem problem = {.e = cases[i].e};
        assert_int_equal(api_problem_retry_after(&problem), cases[i].seconds);
    }
    const struct problem problem = {.e = ERR_LOCKED, .retry_after_s = 15};
    assert_int_equal(api_problem_retry_after(&problem), 15);
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
        cmocka_unit_test(what_is_known_of_the_state_stands_in_the_document),
        cmocka_unit_test(a_retry_is_advised_where_it_may_help),
    };
    return cmocka_run_group_tests(tests, NULL, close_out);
}
