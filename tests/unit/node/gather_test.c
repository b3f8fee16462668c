#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/gather.h"

#define US UINT64_C(1000)

static struct gather gather;
static uint64_t now_ns;

static int set_up(void **state)
{
    (void)state;
    gather = GATHER_WRITES;
    now_ns = 1000 * US;
    return 0;
}

/* `queued` wait behind `proposed`. */
static bool waits(uint64_t queued, uint64_t proposed)
{
    return gather_wait_ns(&gather, queued + proposed, proposed, now_ns) > 0;
}

/* Many at a time, which all come back once they are answered. */
static void see_many(uint64_t count)
{
    while (gather.expected < count) {
        (void)waits(count, 0);
    }
}

static void who_is_alone_never_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_false(waits(1, 0));
        now_ns += 400 * US;
    }
}

static void three_do_not_wait_for_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_false(waits(1, 2));
        now_ns += 100 * US;
    }
}

static void many_wait_for_the_batch_before(void **state)
{
    (void)state;
    see_many(64);
    assert_true(waits(60, 4));
    now_ns += 300 * US;
    assert_true(waits(60, 4));
    assert_false(waits(60, 0)); /* it is committed */
}

static void many_wait_for_those_who_were_answered(void **state)
{
    (void)state;
    see_many(64);
    assert_true(waits(32, 0));
    assert_true(waits(55, 0));
    assert_false(waits(56, 0));
}

static void nobody_waits_longer_than_the_bound(void **state)
{
    (void)state;
    see_many(64);
    assert_true(waits(10, 10));
    now_ns += gather.before_ns_max - 1;
    assert_int_equal(gather_wait_ns(&gather, 20, 10, now_ns), 1);
    now_ns += 1;
    assert_false(waits(10, 10));
    /* The next ones begin anew, and the answered are waited for behind that. */
    assert_true(waits(1, 10));
    now_ns += gather.before_ns_max - 1;
    assert_int_equal(gather_wait_ns(&gather, 1, 0, now_ns), gather.return_ns_max);
    now_ns += gather.return_ns_max - 1;
    assert_int_equal(gather_wait_ns(&gather, 2, 0, now_ns), 1);
    now_ns += 1;
    assert_false(waits(2, 0));
}

/* Of `batches` with 32 of 64 expected writes each: for how many it waits for the answered. */
static int waits_in_vain(int batches)
{
    int waited = 0;
    for (int i = 0; i < batches; i++) {
        gather.expected = 64;
        if (waits(32, 0)) {
            waited++;
            now_ns += gather.return_ns_max;
            assert_false(waits(32, 0));
        }
    }
    return waited;
}

static void who_comes_when_he_likes_is_waited_for_ever_less(void **state)
{
    (void)state;
    assert_int_equal(waits_in_vain(1), 1);
    assert_int_equal(waits_in_vain((1 + 1) + (1 + 3) + (1 + 7) + (1 + 15) + (1 + 31) + 1), 6);
    assert_int_equal(waits_in_vain(10 * (GATHER_LEFT_OUT_MAX + 1)), 10);
    /* Until all come at once. */
    assert_false(waits(64, 0));
    assert_int_equal(waits_in_vain(1), 1);
}

static void who_has_gone_is_soon_waited_for_no_more(void **state)
{
    (void)state;
    see_many(1000);
    int batches = 0;
    while (gather.expected >= GATHER_LEAST) {
        if (waits(2, 0)) {
            now_ns += gather.return_ns_max;
            assert_false(waits(2, 0));
        }
        batches++;
    }
    assert_in_range(batches, 5, 25);
}

static void more_than_ever_are_expected_at_once(void **state)
{
    (void)state;
    see_many(64);
    assert_false(waits(200, 0));
    assert_true(waits(100, 0));
}

static void enough_are_a_batch_at_once(void **state)
{
    (void)state;
    see_many(1000);
    assert_true(waits(GATHER_ENOUGH - 1, 500));
    assert_false(waits(GATHER_ENOUGH, 500));
    assert_true(waits(GATHER_ENOUGH - 1, 0));
    assert_false(waits(GATHER_ENOUGH, 0));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_alone_never_waits),
        TEST(three_do_not_wait_for_each_other),
        TEST(many_wait_for_the_batch_before),
        TEST(many_wait_for_those_who_were_answered),
        TEST(nobody_waits_longer_than_the_bound),
        TEST(who_comes_when_he_likes_is_waited_for_ever_less),
        TEST(who_has_gone_is_soon_waited_for_no_more),
        TEST(more_than_ever_are_expected_at_once),
        TEST(enough_are_a_batch_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
