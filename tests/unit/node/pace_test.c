#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/pace.h"

#define MIB (1u << 20)

static void without_a_limit_the_next_is_due_at_once(void **state)
{
    (void)state;
    struct pace pace = {.bytes_per_second = 0};
    assert_int_equal(pace_spend(&pace, 5000, 1000 * (size_t)MIB), 5000);
    assert_int_equal(pace_delay_ms(5000, 5000), 0);
}

static void a_piece_puts_the_next_one_off_by_its_time(void **state)
{
    (void)state;
    struct pace pace = {.bytes_per_second = MIB};
    uint64_t due_us = pace_spend(&pace, 1000000, MIB / 4);
    assert_int_equal(due_us, 1250000);
    assert_int_equal(pace_delay_ms(1000000, due_us), 250);
    assert_int_equal(pace_delay_ms(1249001, due_us), 0); /* less than a timer can tell */
    /* A pause is not made up for. */
    assert_int_equal(pace_spend(&pace, 9000000, MIB / 4), 9250000);
}

/* Two that send as soon as they may, for ten seconds: each has half of it. */
static void who_shares_it_gets_an_equal_part(void **state)
{
    (void)state;
    struct pace pace = {.bytes_per_second = 64 * MIB};
    uint64_t due_us[2] = {0, 0};
    uint64_t pieces[2] = {0, 0};
    for (uint64_t now_ms = 0; now_ms < 10000; now_ms++) {
        for (int i = 0; i < 2; i++) {
            while (pace_delay_ms(now_ms * 1000, due_us[i]) == 0) {
                due_us[i] = pace_spend(&pace, now_ms * 1000, MIB / 4);
                pieces[i]++;
            }
        }
    }
    assert_in_range(pieces[0] + pieces[1], 2500, 2570);
    assert_in_range(pieces[0], pieces[1] - 3, pieces[1] + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_the_next_is_due_at_once),
        cmocka_unit_test(a_piece_puts_the_next_one_off_by_its_time),
        cmocka_unit_test(who_shares_it_gets_an_equal_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
