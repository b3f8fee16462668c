#include <inttypes.h>
#include <stdio.h>

#include "base/decimal.h"
#include "base_testing.h"

static void expect_as_printf(uint64_t value)
{
    char expected[DECIMAL_SIZE_MAX + 1];
    int expected_size = snprintf(expected, sizeof(expected), "%" PRIu64, value);
    char text[DECIMAL_SIZE_MAX];
    size_t size = decimal_write(text, value);
    assert_int_equal(size, expected_size);
    assert_memory_equal(text, expected, size);
}

static void numbers_of_every_size_are_written_as_printf_does(void **state)
{
    (void)state;
    uint64_t power = 1;
    for (unsigned digits = 1; digits <= DECIMAL_SIZE_MAX; digits++) {
        expect_as_printf(power - 1);
        expect_as_printf(power);
        expect_as_printf(power + 9);
        power *= 10;
    }
    expect_as_printf(UINT64_MAX);
    expect_as_printf(UINT64_C(1234567890123456789));
    for (uint64_t value = 0; value < 10000; value++) { /* each half of eight digits, and both */
        expect_as_printf(value);
        expect_as_printf(value * 10000);
        expect_as_printf(value * 10001 + UINT64_C(100000000));
    }
}

static void pairs_keep_their_zero_in_front(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 100; value++) {
        char expected[8];
        char pair[2];
        (void)snprintf(expected, sizeof(expected), "%02u", value);
        decimal_write_pair(pair, value);
        assert_memory_equal(pair, expected, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_size_are_written_as_printf_does),
        cmocka_unit_test(pairs_keep_their_zero_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
