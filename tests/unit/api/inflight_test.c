#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/inflight.h"

static void a_key_is_at_work_until_it_is_ended(void **state)
{
    (void)state;
    static struct inflight inflight;
    struct inflight_entry a = {0};
    struct inflight_entry b = {0};
    struct inflight_entry again = {0};
    api_inflight_init(&inflight, 7);
    assert_true(api_inflight_begin(&inflight, &a, SLICE_LITERAL("a")));
    assert_true(api_inflight_begin(&inflight, &b, SLICE_LITERAL("b")));
    assert_false(api_inflight_begin(&inflight, &again, SLICE_LITERAL("a")));
    assert_int_equal(inflight.count, 2);
    api_inflight_end(&inflight, &again); /* it never was in */
    assert_int_equal(inflight.count, 2);
    api_inflight_end(&inflight, &a);
    api_inflight_end(&inflight, &a);
    assert_int_equal(inflight.count, 1);
    assert_true(api_inflight_begin(&inflight, &again, SLICE_LITERAL("a")));
    api_inflight_end(&inflight, &again);
    api_inflight_end(&inflight, &b);
    assert_int_equal(inflight.count, 0);
}

static void keys_in_one_bucket_are_told_apart(void **state)
{
    (void)state;
    static struct inflight inflight;
    static struct inflight_entry entries[4 * INFLIGHT_BUCKETS];
    static uint32_t keys[4 * INFLIGHT_BUCKETS];
    api_inflight_init(&inflight, 1);
    for (uint32_t i = 0; i < ARRAY_COUNT(keys); i++) {
        keys[i] = i;
        struct slice key = {(const uint8_t *)&keys[i], sizeof(keys[i])};
        assert_true(api_inflight_begin(&inflight, &entries[i], key));
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(keys); i++) {
        struct inflight_entry again = {0};
        struct slice key = {(const uint8_t *)&keys[i], sizeof(keys[i])};
        assert_false(api_inflight_begin(&inflight, &again, key));
        api_inflight_end(&inflight, &entries[i]);
        assert_true(api_inflight_begin(&inflight, &again, key));
        api_inflight_end(&inflight, &again);
    }
    assert_int_equal(inflight.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_at_work_until_it_is_ended),
        cmocka_unit_test(keys_in_one_bucket_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
