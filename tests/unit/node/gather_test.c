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
    gather = (struct gather){.expected = 0};
    now_ns = 1000 * US;
    return 0;
}

/* `queued` wait behind `proposed`. */
static bool waits(uint64_t queued, uint64_t proposed)
{
    return gather_waits(&gather, queued + proposed, proposed > 0, now_ns);
}

/* Many at a time, which all come back once they are answered. */
static void see_many(uint64_t count)
{
    while (gather.expected < count) {
        (void)waits(count, 0);
        now_ns += GATHER_NS;
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
    assert_true(waits(47, 0));
    assert_false(waits(48, 0));
}

static void nobody_waits_longer_than_the_bound(void **state)
{
    (void)state;
    see_many(64);
    assert_true(waits(10, 0));
    now_ns += GATHER_NS - 1;
    assert_true(waits(10, 10));
    now_ns += 1;
    assert_false(waits(10, 10));
    /* The next ones begin anew. */
    assert_true(waits(1, 0));
    now_ns += GATHER_NS - 1;
    assert_true(waits(1, 0));
}

static void who_has_gone_is_soon_waited_for_no_more(void **state)
{
    (void)state;
    see_many(1000);
    int waited = 0;
    while (waits(2, 0)) {
        now_ns += GATHER_NS;
        assert_false(waits(2, 0));
        waited++;
    }
    assert_in_range(waited, 5, 25);
    assert_true(gather.expected < GATHER_LEAST);
}

static void more_than_ever_are_expected_at_once(void **state)
{
    (void)state;
    see_many(64);
    assert_false(waits(200, 0));
    assert_true(waits(100, 0));
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
        TEST(who_has_gone_is_soon_waited_for_no_more),
        TEST(more_than_ever_are_expected_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
