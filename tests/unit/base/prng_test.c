#include "base/prng.h"
#include "base_testing.h"

static void the_sequence_of_a_seed_never_changes(void **state)
{
    (void)state;
    const uint64_t expected[] = {
        UINT64_C(0x99ec5f36cb75f2b4),
        UINT64_C(0xbf6e1f784956452a),
        UINT64_C(0x1a5f849d4933e6e0),
        UINT64_C(0x6aa594f1262d2d2c),
    };
    struct prng prng;
    prng_init(&prng, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(prng_next(&prng), expected[i]);
    }
}

static void other_seeds_give_other_sequences(void **state)
{
    (void)state;
    struct prng a;
    struct prng b;
    prng_init(&a, 1);
    prng_init(&b, 2);
    assert_int_not_equal(prng_next(&a), prng_next(&b));
}

static void values_stay_below_their_bound_and_reach_all_of_it(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 42);
    unsigned counts[7] = {0};
    for (size_t i = 0; i < 7000; i++) {
        uint64_t value = prng_below(&prng, 7);
        assert_true(value < 7);
        counts[value]++;
    }
    for (size_t i = 0; i < 7; i++) {
        assert_in_range(counts[i], 850, 1150);
    }
}

static void a_huge_bound_favours_nobody(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 42);
    unsigned low_count = 0;
    for (size_t i = 0; i < 3000;
         i++) { /* a bare remainder would make the low third twice as likely */
        low_count += prng_below(&prng, UINT64_C(3) << 62) < UINT64_C(1) << 62;
    }
    assert_in_range(low_count, 850, 1150);
}

static void extreme_bounds_work(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 42);
    uint64_t largest = 0;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(prng_below(&prng, 1), 0);
        uint64_t value = prng_below(&prng, UINT64_MAX / 4 * 3);
        assert_true(value < UINT64_MAX / 4 * 3);
        largest = value > largest ? value : largest;
    }
    assert_true(largest > UINT64_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_of_a_seed_never_changes),
        cmocka_unit_test(other_seeds_give_other_sequences),
        cmocka_unit_test(values_stay_below_their_bound_and_reach_all_of_it),
        cmocka_unit_test(a_huge_bound_favours_nobody),
        cmocka_unit_test(extreme_bounds_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
