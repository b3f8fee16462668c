#include "base/hash.h"
#include "base_testing.h"

static void hashes_are_those_of_xxh3(void **state)
{
    (void)state;
    assert_int_equal(hash64(SLICE_EMPTY, 0), UINT64_C(0x2d06800538d394c2));
    struct hash128 empty = hash128(SLICE_EMPTY);
    assert_int_equal(empty.high, UINT64_C(0x99aa06d3014798d8));
    assert_int_equal(empty.low, UINT64_C(0x6001c324468d497f));
}

static void a_seed_gives_another_hash(void **state)
{
    (void)state;
    assert_int_not_equal(hash64(SLICE_LITERAL("key"), 0), hash64(SLICE_LITERAL("key"), 1));
    assert_int_not_equal(hash64(SLICE_LITERAL("key"), 0), hash64(SLICE_LITERAL("kez"), 0));
}

static void sums_carry_and_differences_borrow(void **state)
{
    (void)state;
    struct hash128 a = {.low = UINT64_MAX, .high = 1};
    struct hash128 b = {.low = 1, .high = 2};
    struct hash128 sum = hash128_add(a, b);
    assert_true(hash128_equal(sum, (struct hash128){.low = 0, .high = 4}));
    assert_true(hash128_equal(hash128_subtract(sum, b), a));
    struct hash128 zero = {0};
    struct hash128 one = {.low = 1};
    struct hash128 all_ones = {.low = UINT64_MAX, .high = UINT64_MAX};
    assert_true(hash128_equal(hash128_subtract(zero, one), all_ones));
    assert_true(hash128_equal(hash128_add(all_ones, one), zero));
    assert_false(hash128_equal(a, (struct hash128){.low = UINT64_MAX, .high = 2}));
}

static void a_multiset_hash_does_not_depend_on_the_order(void **state)
{
    (void)state;
    struct hash128 x = hash128(SLICE_LITERAL("x"));
    struct hash128 y = hash128(SLICE_LITERAL("y"));
    struct hash128 z = hash128(SLICE_LITERAL("z"));
    struct hash128 forward = hash128_add(hash128_add(x, y), z);
    struct hash128 backward = hash128_add(hash128_add(z, y), x);
    assert_true(hash128_equal(forward, backward));
    assert_true(hash128_equal(hash128_subtract(forward, y), hash128_add(z, x)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_xxh3),
        cmocka_unit_test(a_seed_gives_another_hash),
        cmocka_unit_test(sums_carry_and_differences_borrow),
        cmocka_unit_test(a_multiset_hash_does_not_depend_on_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
