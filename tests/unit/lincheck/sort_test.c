#include "lincheck/sort.h"
#include "lincheck_testing.h"

#define COUNT 3000u

/* Keys of `bits` bits, many of them equal if those are few. */
static void assert_sorts(unsigned bits)
{
    static struct lincheck_rank ranks[COUNT];
    static struct lincheck_rank scratch[COUNT];
    static uint64_t keys[COUNT];
    struct prng prng;
    prng_init(&prng, bits);
    for (uint32_t i = 0; i < COUNT; i++) {
        keys[i] = prng_next(&prng) >> (64 - bits);
        ranks[i] = (struct lincheck_rank){.key = keys[i], .index = i};
    }
    lincheck_sort(ranks, scratch, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(ranks[i].key, keys[ranks[i].index]);
        if (i > 0) {
            assert_true(ranks[i - 1].key < ranks[i].key ||
                        (ranks[i - 1].key == ranks[i].key && ranks[i - 1].index < ranks[i].index));
        }
    }
}

static void keys_of_any_size_are_sorted_and_equal_ones_stay_in_order(void **state)
{
    (void)state;
    for (unsigned bits = 1; bits <= 64; bits++) {
        assert_sorts(bits);
    }
}

static void none_and_one_are_sorted(void **state)
{
    (void)state;
    struct lincheck_rank rank = {.key = 5, .index = 6};
    struct lincheck_rank scratch;
    lincheck_sort(&rank, &scratch, 0);
    lincheck_sort(&rank, &scratch, 1);
    assert_int_equal(rank.key, 5);
    assert_int_equal(rank.index, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_any_size_are_sorted_and_equal_ones_stay_in_order),
        cmocka_unit_test(none_and_one_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
