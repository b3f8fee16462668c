#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/key.h"

static void a_key_without_escapes_is_not_copied(void **state)
{
    (void)state;
    struct problem problem = {.e = OK};
    struct slice raw = SLICE_LITERAL("a/../b+c");
    struct slice key;
    assert_int_equal(api_key_decode(raw, NULL, &key, &problem), OK);
    assert_ptr_equal(key.data, raw.data);
    assert_int_equal(key.size, raw.size);
}

static void escapes_are_decoded_once(void **state)
{
    (void)state;
    struct problem problem = {.e = OK};
    uint8_t scratch[16];
    struct slice key;
    assert_int_equal(api_key_decode(SLICE_LITERAL("%2541%00%2f"), scratch, &key, &problem), OK);
    assert_int_equal(key.size, 5);
    assert_memory_equal(key.data, "%41\0/", 5);
}

static void a_bad_escape_is_explained(void **state)
{
    (void)state;
    const char *const bad[] = {"%", "%4", "a%zz", "%4g", "%%41"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct problem problem = {.e = OK};
        uint8_t scratch[16];
        struct slice key;
        assert_int_equal(api_key_decode(slice_from_text(bad[i]), scratch, &key, &problem),
                         ERR_BAD_REQUEST);
        assert_int_equal(problem.e, ERR_BAD_REQUEST);
        assert_non_null(strstr(problem.detail, "%25"));
    }
}

static void the_limit_counts_decoded_bytes(void **state)
{
    (void)state;
    char raw[481 * 3 + 1] = "";
    uint8_t scratch[481 * 3];
    for (size_t i = 0; i < 481; i++) {
        memcpy(raw + i * 3, "%ff", 3);
    }
    struct problem problem = {.e = OK};
    struct slice key;
    struct slice fits = {(const uint8_t *)raw, 480 * 3};
    assert_int_equal(api_key_decode(fits, scratch, &key, &problem), OK);
    assert_int_equal(key.size, 480);
    assert_int_equal(api_key_decode(slice_from_text(raw), scratch, &key, &problem),
                     ERR_KEY_TOO_LONG);
    assert_int_equal(problem.limit, 480);
    assert_string_equal(problem.detail, "a key is at most 480 bytes, this one has 481");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_without_escapes_is_not_copied),
        cmocka_unit_test(escapes_are_decoded_once),
        cmocka_unit_test(a_bad_escape_is_explained),
        cmocka_unit_test(the_limit_counts_decoded_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
