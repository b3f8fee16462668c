#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/suggest.h"
#include "base/compiler.h"

static void the_distance_counts_single_edits(void **state)
{
    (void)state;
    const struct {
        const char *a;
        const char *b;
        unsigned distance;
    } cases[] = {
        {"", "", 0},          {"data", "data", 0},      {"", "abc", 3},      {"dta", "data", 1},
        {"daata", "data", 1}, {"dada", "data", 1},      {"dtaa", "data", 1}, {"tll", "ttl", 1},
        {"ca", "abc", 3},     {"kitten", "sitting", 3}, {"ab", "ba", 1},     {"abcd", "badc", 2}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice a = slice_from_text(cases[i].a);
        struct slice b = slice_from_text(cases[i].b);
        assert_int_equal(api_suggest_distance(a, b), cases[i].distance);
        assert_int_equal(api_suggest_distance(b, a), cases[i].distance);
    }
}

static void names_beyond_any_of_ours_are_far_away(void **state)
{
    (void)state;
    uint8_t name[SUGGEST_NAME_SIZE_MAX + 1];
    memset(name, 'a', sizeof(name));
    struct slice longest = {name, SUGGEST_NAME_SIZE_MAX};
    assert_int_equal(api_suggest_distance(longest, longest), 0);
    struct slice longer = {name, sizeof(name)};
    assert_int_equal(api_suggest_distance(longer, longest), UINT_MAX);
    assert_int_equal(api_suggest_distance(longest, longer), UINT_MAX);
}

static const char *meant_of(const char *name, const char *const *known)
{
    struct suggest suggest = {.name = slice_from_text(name)};
    for (; *known != NULL; known++) {
        api_suggest_offer(&suggest, *known);
    }
    return api_suggest_meant(&suggest);
}

static void the_nearest_is_meant_or_the_only_one_that_begins_so(void **state)
{
    (void)state;
    static const char *const known[] = {"id",         "peers",      "peer-listen", "log-level",
                                        "log-format", "log-formal", "force",       NULL};
    static const struct {
        const char *name;
        const char *meant;
    } rows[] = {
        {"di", "id"},
        {"x", NULL},
        {"xx", NULL},
        {"fcore", "force"},
        {"peer", "peers"}, /* a letter is missing: nearer than half of a name */
        {"log-formals", "log-formal"},
        {"log-format", "log-format"},
        {"log-l", "log-level"},
        {"log", NULL}, /* of three */
        {"pee", "peers"},
        {"peer-", "peers"},
        {"peer-li", "peer-listen"},
        {"fo", NULL}, /* too little */
        {"frobnicate", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *meant = meant_of(rows[i].name, known);
        if (rows[i].meant == NULL) {
            assert_null(meant);
        } else {
            assert_non_null(meant);
            assert_string_equal(meant, rows[i].meant);
        }
    }
    static const char *const none[] = {NULL};
    assert_null(meant_of("anything", none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_distance_counts_single_edits),
        cmocka_unit_test(the_nearest_is_meant_or_the_only_one_that_begins_so),
        cmocka_unit_test(names_beyond_any_of_ours_are_far_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
