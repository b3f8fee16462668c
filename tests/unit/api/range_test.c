#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/range.h"
#include "base/compiler.h"

static void one_range_is_taken_and_cut_to_what_there_is(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t size;
        uint64_t first;
        uint64_t part;
    } cases[] = {
        {"bytes=0-0", 10, 0, 1},   {"bytes=2-5", 10, 2, 4},
        {"bytes=2-", 10, 2, 8},    {"bytes=2-10", 10, 2, 8},
        {"bytes=9-9", 10, 9, 1},   {"bytes=0-99999999999999999999999", 10, 0, 10},
        {"bytes=-3", 10, 7, 3},    {"bytes=-30", 10, 0, 10},
        {"Bytes = 1-2", 10, 1, 2}, {"bytes=007-8", 10, 7, 2},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct range range = {0, 0};
        assert_int_equal(api_range_parse(slice_from_text(cases[i].text), cases[i].size, &range),
                         RANGE_PART);
        assert_int_equal(range.first, cases[i].first);
        assert_int_equal(range.size, cases[i].part);
    }
}

static void what_begins_behind_the_end_cannot_be_satisfied(void **state)
{
    (void)state;
    const char *const cases[] = {"bytes=10-", "bytes=10-11", "bytes=99999999999999999999-",
                                 "bytes=-0"};
    struct range range;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(api_range_parse(slice_from_text(cases[i]), 10, &range),
                         RANGE_UNSATISFIABLE);
    }
    assert_int_equal(api_range_parse(SLICE_LITERAL("bytes=0-"), 0, &range), RANGE_UNSATISFIABLE);
}

static void several_and_what_is_no_range_are_ignored(void **state)
{
    (void)state;
    const char *const cases[] = {
        "",          "bytes",        "bytes=",    "bytes=-",    "bytes=5",   "bytes=5-4",
        "bytes=a-b", "bytes=0-1,3-", "lines=0-1", "bytes=1--2", "bytes=+1-", "bytes=1-2x",
    };
    struct range range;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(api_range_parse(slice_from_text(cases[i]), 10, &range), RANGE_IGNORED);
    }
    assert_int_equal(api_range_parse(SLICE_LITERAL("bytes=-5"), 0, &range), RANGE_IGNORED);
}

static void content_range_names_part_and_whole(void **state)
{
    (void)state;
    char text[RANGE_CONTENT_SIZE_MAX + 1];
    const struct range range = {2, 4};
    text[api_range_write(text, &range, 10)] = '\0';
    assert_string_equal(text, "bytes 2-5/10");
    text[api_range_write(text, NULL, 10)] = '\0';
    assert_string_equal(text, "bytes */10");
    const struct range most = {UINT64_MAX - 1, 1};
    size_t size = api_range_write(text, &most, UINT64_MAX);
    assert_in_range(size, 1, RANGE_CONTENT_SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_is_taken_and_cut_to_what_there_is),
        cmocka_unit_test(what_begins_behind_the_end_cannot_be_satisfied),
        cmocka_unit_test(several_and_what_is_no_range_are_ignored),
        cmocka_unit_test(content_range_names_part_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
