#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/prefer.h"
#include "base/compiler.h"

static struct prefer parse(const char *text)
{
    struct prefer prefer = {.timing = false};
    api_prefer_parse(slice_from_text(text), &prefer);
    return prefer;
}

static void what_is_known_is_taken(void **state)
{
    (void)state;
    struct prefer prefer = parse("timing, return=minimal, wait=30");
    assert_true(prefer.timing);
    assert_int_equal(prefer.result, PREFER_RETURN_MINIMAL);
    assert_true(prefer.has_wait);
    assert_int_equal(prefer.wait_ms, 30000);
    prefer = parse("Return = \"representation\" ; x=1 , WAIT=0");
    assert_int_equal(prefer.result, PREFER_RETURN_REPRESENTATION);
    assert_true(prefer.has_wait);
    assert_int_equal(prefer.wait_ms, 0);
    assert_false(prefer.timing);
}

static void what_is_not_known_is_passed_over(void **state)
{
    (void)state;
    const char *const cases[] = {"",         "respond-async", "return=everything", "return",
                                 "wait",     "wait=soon",     "wait=-1",           "x;timing",
                                 "timings,", ",;=, =",        "x;return=minimal"};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct prefer prefer = parse(cases[i]);
        assert_int_equal(prefer.result, PREFER_RETURN_DEFAULT);
        assert_false(prefer.has_wait);
        assert_false(prefer.timing);
    }
}

static void the_first_of_two_counts_and_a_wait_has_an_end(void **state)
{
    (void)state;
    struct prefer prefer = parse("return=minimal, return=representation, wait=1, wait=2");
    assert_int_equal(prefer.result, PREFER_RETURN_MINIMAL);
    assert_int_equal(prefer.wait_ms, 1000);
    assert_int_equal(parse("wait=18446744073709551615").wait_ms, PREFER_WAIT_MS_MAX);
    assert_string_equal(api_prefer_return_text(PREFER_RETURN_MINIMAL), "return=minimal");
    assert_string_equal(api_prefer_return_text(PREFER_RETURN_REPRESENTATION),
                        "return=representation");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_taken),
        cmocka_unit_test(what_is_not_known_is_passed_over),
        cmocka_unit_test(the_first_of_two_counts_and_a_wait_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
