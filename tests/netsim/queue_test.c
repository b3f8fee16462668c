#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue.h"

#define MS UINT64_C(1000000)

/* A packet of 1,000 bytes that comes in at `now_ns`; when it has left, 0: it was lost. */
static uint64_t add(struct queue *queue, uint64_t now_ns)
{
    uint64_t left_ns = 0;
    return queue_add(queue, now_ns, 1000, &left_ns) ? left_ns : 0;
}

/* How many packets that come in at `now_ns` it takes before it loses one; 1,000: more than any of
 * these queues should. */
static unsigned fill(struct queue *queue, uint64_t now_ns)
{
    unsigned count = 0;
    while (count < 1000 && add(queue, now_ns) != 0) {
        count++;
    }
    return count;
}

static void without_a_rate_none_waits(void **state)
{
    (void)state;
    struct queue queue = {0};
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(add(&queue, 5 * MS), 5 * MS);
    }
}

static void they_leave_one_after_another(void **state)
{
    (void)state;
    struct queue queue = {.rate = 1000000};
    assert_int_equal(add(&queue, 5 * MS), 6 * MS);
    assert_int_equal(add(&queue, 5 * MS), 7 * MS);
    assert_int_equal(add(&queue, 6 * MS + 1), 8 * MS);
    uint64_t left_ns;
    assert_true(queue_add(&queue, 7 * MS, 500, &left_ns));
    assert_int_equal(left_ns, 8 * MS + MS / 2);
}

static void an_idle_link_saves_nothing_up(void **state)
{
    (void)state;
    struct queue queue = {.rate = 1000000};
    assert_int_equal(add(&queue, 5 * MS), 6 * MS);
    assert_int_equal(add(&queue, 50 * MS), 51 * MS);
    assert_int_equal(add(&queue, 50 * MS), 52 * MS);
}

static void what_would_wait_too_long_is_lost(void **state)
{
    (void)state;
    struct queue queue = {.rate = 1000000};
    assert_int_equal(fill(&queue, 5 * MS), 100);
    assert_int_equal(add(&queue, 6 * MS - 1), 0);
    assert_int_equal(add(&queue, 6 * MS), 106 * MS); /* the lost ones took no time */
    assert_int_equal(add(&queue, 6 * MS), 0);
    assert_int_equal(fill(&queue, 500 * MS), 100);
}

static void the_slowest_link_holds_64_kib(void **state)
{
    (void)state;
    struct queue queue = {.rate = 1};
    assert_int_equal(fill(&queue, 5 * MS), QUEUE_SIZE_MIN / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_none_waits),
        cmocka_unit_test(they_leave_one_after_another),
        cmocka_unit_test(an_idle_link_saves_nothing_up),
        cmocka_unit_test(what_would_wait_too_long_is_lost),
        cmocka_unit_test(the_slowest_link_holds_64_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
