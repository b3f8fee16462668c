#include "fixture.h"
#include "raft/inflights.h"

static void a_window_is_full_at_its_count(void **state)
{
    (void)state;
    struct raft_inflights window;
    raft_inflights_init(&window, 3, 0);
    for (uint64_t index = 1; index <= 3; index++) {
        assert_false(raft_inflights_is_full(&window));
        raft_inflights_add(&window, index, 100);
    }
    assert_true(raft_inflights_is_full(&window));
    raft_inflights_free_to(&window, 1);
    assert_false(raft_inflights_is_full(&window));
    assert_int_equal(window.count, 2);
    raft_inflights_deinit(&window);
}

static void a_window_is_full_once_its_bytes_are_reached(void **state)
{
    (void)state;
    struct raft_inflights window;
    raft_inflights_init(&window, 0, 100);
    raft_inflights_add(&window, 1, 99);
    assert_false(raft_inflights_is_full(&window));
    raft_inflights_add(&window, 2, 5000); /* the last one may go over */
    assert_true(raft_inflights_is_full(&window));
    raft_inflights_free_to(&window, 2);
    assert_int_equal(window.bytes, 0);
    assert_false(raft_inflights_is_full(&window));
    raft_inflights_deinit(&window);
}

static void an_acknowledgement_frees_all_before_it(void **state)
{
    (void)state;
    struct raft_inflights window;
    raft_inflights_init(&window, 0, 0);
    for (uint64_t index = 10; index <= 100; index += 10) {
        raft_inflights_add(&window, index, index);
    }
    raft_inflights_free_to(&window, 9);
    assert_int_equal(window.count, 10);
    raft_inflights_free_to(&window, 55);
    assert_int_equal(window.count, 5);
    assert_int_equal(window.bytes, 60 + 70 + 80 + 90 + 100);
    raft_inflights_deinit(&window);
}

static void the_ring_keeps_its_order_when_it_wraps_and_grows(void **state)
{
    (void)state;
    struct raft_inflights window;
    raft_inflights_init(&window, 0, 0);
    uint64_t next = 1;
    uint64_t freed = 0;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 5; i++) {
            raft_inflights_add(&window, next++, 1);
        }
        freed += 3;
        raft_inflights_free_to(&window, freed);
        assert_int_equal(window.count, next - 1 - freed);
        assert_int_equal(window.bytes, window.count);
    }
    raft_inflights_reset(&window);
    assert_int_equal(window.count, 0);
    raft_inflights_add(&window, 1, 1); /* indexes may begin anew */
    raft_inflights_deinit(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_full_at_its_count),
        cmocka_unit_test(a_window_is_full_once_its_bytes_are_reached),
        cmocka_unit_test(an_acknowledgement_frees_all_before_it),
        cmocka_unit_test(the_ring_keeps_its_order_when_it_wraps_and_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
