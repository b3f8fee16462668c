#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/list_glob.h"
#include "base/compiler.h"
#include "base/prng.h"

static void a_key_matches_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *key;
        bool matches;
    } cases[] = {
        {"", "", true},           {"", "a", false},
        {"a", "a", true},         {"a", "ab", false},
        {"ab", "a", false},       {"*", "", true},
        {"*", "a/b", true},       {"?", "", false},
        {"?", "/", true},         {"a*", "abc", true},
        {"*c", "abc", true},      {"*b", "abc", false},
        {"a*c", "ac", true},      {"a*c", "abdc", true},
        {"a*c*e", "abcde", true}, {"a*c*e", "abcd", false},
        {"*ab*", "aab", true},    {"**", "x", true},
        {"a?c", "abc", true},     {"a?c", "ac", false},
        {"\\*", "*", true},       {"\\*", "a", false},
        {"a\\?", "a?", true},     {"\\\\", "\\", true},
        {"a\\", "a\\", true},     {"\xff*", "\xff\x01", true},
        {"[a]", "a", false},      {"*a?", "aab", true},
        {"*aab", "aaab", true},   {"a*", "ba", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (api_list_glob_matches(slice_from_text(cases[i].pattern),
                                  slice_from_text(cases[i].key)) != cases[i].matches) {
            fail_msg("%s on %s", cases[i].pattern, cases[i].key);
        }
    }
    assert_true(api_list_glob_matches(SLICE_LITERAL("a?b"), SLICE_LITERAL("a\0b")));
}

/* What it should be, step by step and without going back. */
static bool matches_slowly(struct slice pattern, struct slice key)
{
    bool can[2][16] = {{true}}; /* after i bytes of the pattern, whether j of the key are taken */
    for (size_t i = 0; i < pattern.size; i++) {
        bool *before = can[i % 2];
        bool *after = can[1 - i % 2];
        uint8_t mark = pattern.data[i];
        for (size_t j = 0; j <= key.size; j++) {
            bool one = j > 0 && before[j - 1] && (mark == '?' || mark == key.data[j - 1]);
            after[j] = mark == '*' ? before[j] || (j > 0 && after[j - 1]) : one;
        }
    }
    return can[pattern.size % 2][key.size];
}

static void it_finds_what_trying_everything_finds(void **state)
{
    (void)state;
    struct prng prng;
    unsigned found = 0;
    prng_init(&prng, 8);
    for (int i = 0; i < 100000; i++) {
        uint8_t pattern_bytes[8];
        uint8_t key_bytes[8];
        struct slice pattern = {pattern_bytes, prng_below(&prng, 8)};
        struct slice key = {key_bytes, prng_below(&prng, 8)};
        for (size_t j = 0; j < 8; j++) {
            pattern_bytes[j] = (uint8_t) "ab*?"[prng_below(&prng, 4)];
            key_bytes[j] = (uint8_t) "ab"[prng_below(&prng, 2)];
        }
        bool expected = matches_slowly(pattern, key);
        assert_int_equal(api_list_glob_matches(pattern, key), expected);
        found += expected;
    }
    assert_true(found > 1000);
}

static void what_all_that_match_begin_with(void **state)
{
    (void)state;
    assert_true(slice_equal(api_list_glob_prefix(SLICE_LITERAL("app/*")), SLICE_LITERAL("app/")));
    assert_int_equal(api_list_glob_prefix(SLICE_LITERAL("*a")).size, 0);
    assert_int_equal(api_list_glob_prefix(SLICE_LITERAL("a?")).size, 1);
    assert_int_equal(api_list_glob_prefix(SLICE_LITERAL("a\\*b")).size, 1);
    assert_int_equal(api_list_glob_prefix(SLICE_LITERAL("abc")).size, 3);
    assert_int_equal(api_list_glob_prefix(SLICE_EMPTY).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_matches_as_a_whole),
        cmocka_unit_test(it_finds_what_trying_everything_finds),
        cmocka_unit_test(what_all_that_match_begin_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
