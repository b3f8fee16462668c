#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/list_params.h"
#include "base/limits.h"

static uint8_t memory[2048];

static err parse(const char *query, bool is_delete, struct list_params *params,
                 struct problem *problem)
{
    *params = (struct list_params){.wants_values = true, .timeout_ms = 5000};
    *problem = (struct problem){.e = OK};
    assert_true(strlen(query) <= sizeof(memory));
    return api_list_params_parse(slice_from_text(query), memory, is_delete, params, problem);
}

static void assert_text(struct slice found, const char *expected)
{
    assert_true(slice_equal(found, slice_from_text(expected)));
}

static void each_parameter_has_its_place(void **state)
{
    (void)state;
    struct list_params params;
    struct problem problem;
    assert_int_equal(parse("prefix=a%2Fb&start=s&end=e&after=f&before=b&delimiter=/&match=*x"
                           "&cursor=c&reverse&values=0&limit=7&format=ndjson&timeout=2s"
                           "&consistency=stale",
                           false, &params, &problem),
                     OK);
    assert_text(params.prefix, "a/b");
    assert_text(params.start, "s");
    assert_text(params.end, "e");
    assert_text(params.after, "f");
    assert_text(params.before, "b");
    assert_text(params.delimiter, "/");
    assert_text(params.match, "*x");
    assert_text(params.cursor, "c");
    assert_true(params.is_reverse);
    assert_false(params.wants_values);
    assert_true(params.has_limit);
    assert_int_equal(params.limit, 7);
    assert_int_equal(params.format, LIST_NDJSON);
    assert_int_equal(params.timeout_ms, 2000);
    assert_int_equal(params.consistency, READ_STALE);
    assert_int_equal(parse("max-staleness=2s&min-revision=7", false, &params, &problem), OK);
    assert_int_equal(params.consistency, READ_BOUNDED);
    assert_int_equal(params.staleness_ms_max, 2000);
    assert_int_equal(params.revision_min, 7);
    assert_int_equal(parse("count=true&reverse=0&at=42", false, &params, &problem), OK);
    assert_true(params.is_count);
    assert_false(params.is_reverse);
    assert_int_equal(params.at, 42);
    assert_int_equal(parse("min-mod-revision=2&max-mod-revision=9&min-create-revision=1"
                           "&max-create-revision=1",
                           false, &params, &problem),
                     OK);
    assert_int_equal(params.filter.mod.min, 2);
    assert_int_equal(params.filter.mod.max, 9);
    assert_int_equal(params.filter.create.min, 1);
    assert_int_equal(params.filter.create.max, 1);
    assert_int_equal(parse("", false, &params, &problem), OK);
    assert_false(api_list_filter_is_set(&params.filter));
    assert_true(params.wants_values);
    assert_false(params.has_limit);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"limit=", "limit is a number"},
        {"limit=-1", "limit is a number"},
        {"limit=99999999999999999", "limit is a number"},
        {"at=x", "at is a revision"},
        {"at=0", "at is a revision"},
        {"reverse=2", "reverse is 1 or 0"},
        {"values=maybe", "values is 1 or 0"},
        {"format=xml", "json, ndjson or text"},
        {"consistency=some", "linearizable"},
        {"timeout=5", "duration"},
        {"cursor=", "\"next\" of a page"},
        {"count&limit=1", "leave out limit"},
        {"count&cursor=x", "leave out limit"},
        {"at=1&cursor=x", "leave out at"},
        {"max-staleness=2s&consistency=stale", "give one of them"},
        {"max-staleness=2", "max-staleness is a duration"},
        {"min-revision=x", "min-revision is a revision"},
        {"min-mod-revision=x", "min-mod-revision is a revision"},
        {"max-mod-revision=", "max-mod-revision is a revision"},
        {"min-create-revision=0", "min-create-revision is a revision"},
        {"max-create-revision=9007199254740993", "max-create-revision is a revision"},
        {"min-mod-revision=3&max-mod-revision=2", "min-mod-revision 3 is above max-mod-revision 2"},
        {"max-create-revision=2&min-create-revision=3", "min-create-revision 3 is above"},
        {"min-mod-revison=3", "did you mean \"min-mod-revision\""},
        {"prefx=a", "did you mean \"prefix\""},
        {"keys", "unknown parameter \"keys\""},
        {"all=yes", "unknown parameter \"all\""},
        {"prefix=a&prefix=b", "twice"},
    };
    struct list_params params;
    struct problem problem;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(parse(wrong[i][0], false, &params, &problem), ERR_BAD_REQUEST);
        if (strstr(problem.detail, wrong[i][1]) == NULL) {
            fail_msg("%s: %s", wrong[i][0], problem.detail);
        }
    }
}

static void what_is_longer_than_a_key_finds_none(void **state)
{
    (void)state;
    char query[600];
    struct list_params params;
    struct problem problem;
    (void)snprintf(query, sizeof(query), "prefix=%0*d", (int)KEY_SIZE_MAX, 0);
    assert_int_equal(parse(query, false, &params, &problem), OK);
    (void)snprintf(query, sizeof(query), "prefix=%0*d", (int)KEY_SIZE_MAX + 1, 0);
    assert_int_equal(parse(query, false, &params, &problem), ERR_KEY_TOO_LONG);
    assert_int_equal(problem.limit, KEY_SIZE_MAX);
}

static void nobody_deletes_everything_by_mistake(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "prefix=",
                                        "dry-run=1",
                                        "all=1",
                                        "prefix=a&all=yes",
                                        "all=",
                                        "recurse",
                                        "prefix=a&limit=10",
                                        "prefix=a&dry-run=maybe",
                                        "prefix=a&min-mod-revision=1"};
    struct list_params params;
    struct problem problem;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(parse(wrong[i], true, &params, &problem), ERR_BAD_REQUEST);
    }
    assert_int_equal(parse("prefix=a&dry-run", true, &params, &problem), OK);
    assert_true(params.is_dry_run);
    assert_int_equal(parse("all=yes", true, &params, &problem), OK);
    assert_false(params.is_dry_run);
}

static void the_form_that_is_liked_best_is_given(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum list_format format;
    } cases[] = {
        {"", LIST_JSON},
        {"*/*", LIST_JSON},
        {"text/plain", LIST_TEXT},
        {"application/x-ndjson", LIST_NDJSON},
        {"text/html, application/x-ndjson;q=0.9, text/plain;q=0.8", LIST_NDJSON},
        {"text/html, */*;q=0.8", LIST_JSON},
        {"text/html", LIST_JSON},
        {"Application/JSON, text/plain", LIST_JSON},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(api_list_format_of(slice_from_text(cases[i].accept)), cases[i].format);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_parameter_has_its_place),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(what_is_longer_than_a_key_finds_none),
        cmocka_unit_test(nobody_deletes_everything_by_mistake),
        cmocka_unit_test(the_form_that_is_liked_best_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
