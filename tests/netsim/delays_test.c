#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "delays.h"

static struct delays delays;

static void add(uint64_t due_ns, uint8_t byte)
{
    assert_true(delays_add(&delays, due_ns, byte, &byte, 1));
}

static void take(uint64_t now_ns, uint8_t byte)
{
    struct delays_packet *packet = delays_take(&delays, now_ns);
    assert_non_null(packet);
    assert_int_equal(packet->size, 1);
    assert_int_equal(packet->data[0], byte);
    assert_int_equal(packet->port, byte);
    mem_free(packet);
}

static void the_soonest_leaves_first_and_none_too_soon(void **state)
{
    (void)state;
    assert_int_equal(delays_next_ns(&delays), UINT64_MAX);
    assert_null(delays_take(&delays, UINT64_MAX));
    add(30, 3);
    add(10, 1);
    add(20, 2);
    assert_int_equal(delays_next_ns(&delays), 10);
    assert_null(delays_take(&delays, 9));
    take(10, 1);
    assert_null(delays_take(&delays, 19));
    take(99, 2);
    take(99, 3);
    assert_null(delays_take(&delays, 99));
}

static void of_one_instant_they_leave_as_they_came(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 100; i++) {
        add(5, i);
    }
    for (uint8_t i = 0; i < 100; i++) {
        take(5, i);
    }
}

static void any_order_comes_out_sorted(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    for (unsigned i = 0; i < 1000; i++) {
        add(prng_below(&prng, 300), 0);
    }
    uint64_t last = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t next = delays_next_ns(&delays);
        assert_true(next >= last);
        last = next;
        take(next, 0);
    }
    assert_int_equal(delays.count, 0);
}

static void it_has_a_bound(void **state)
{
    (void)state;
    uint8_t byte = 0;
    for (unsigned i = 0; i < DELAYS_COUNT_MAX; i++) {
        add(i, byte);
    }
    assert_false(delays_add(&delays, 0, 0, &byte, 1));
    delays_deinit(&delays);
    assert_int_equal(delays.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soonest_leaves_first_and_none_too_soon),
        cmocka_unit_test(of_one_instant_they_leave_as_they_came),
        cmocka_unit_test(any_order_comes_out_sorted),
        cmocka_unit_test(it_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
