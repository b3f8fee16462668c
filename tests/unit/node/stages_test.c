#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/stages.h"

static void an_index_is_covered_by_the_first_mark_at_or_above_it(void **state)
{
    (void)state;
    struct stages stages = {.count = 0};
    assert_int_equal(stages_at(&stages, 1), 0);
    stages_add(&stages, 5, 100);
    stages_add(&stages, 9, 200);
    assert_int_equal(stages_at(&stages, 1), 100);
    assert_int_equal(stages_at(&stages, 5), 100);
    assert_int_equal(stages_at(&stages, 6), 200);
    assert_int_equal(stages_at(&stages, 10), 0);
    stages_add(&stages, 10, 300);
    assert_int_equal(stages_at(&stages, 10), 300);
}

static void a_lower_index_begins_anew(void **state)
{
    (void)state;
    struct stages stages = {.count = 0};
    stages_add(&stages, 5, 100);
    stages_add(&stages, 9, 200);
    stages_add(&stages, 7, 300);
    assert_int_equal(stages_at(&stages, 4), 300);
    assert_int_equal(stages_at(&stages, 8), 0);
}

/* As from a turn that had the disk keep a term and no entry. */
static void no_index_is_no_mark(void **state)
{
    (void)state;
    struct stages stages = {.count = 0};
    stages_add(&stages, 5, 100);
    stages_add(&stages, 0, 200);
    assert_int_equal(stages_at(&stages, 5), 100);
}

static void without_room_the_newest_gives_way(void **state)
{
    (void)state;
    struct stages stages = {.count = 0};
    for (uint64_t lap = 0; lap < 3; lap++) { /* around the ring */
        for (uint64_t i = 1; i <= STAGES_MAX + 1; i++) {
            stages_add(&stages, lap * 1000 + i, i);
        }
        assert_int_equal(stages.count, STAGES_MAX);
        for (uint64_t i = 1; i < STAGES_MAX; i++) {
            assert_int_equal(stages_at(&stages, lap * 1000 + i), i);
        }
        for (uint64_t i = STAGES_MAX; i <= STAGES_MAX + 1; i++) {
            assert_int_equal(stages_at(&stages, lap * 1000 + i), STAGES_MAX + 1);
        }
        assert_int_equal(stages_at(&stages, lap * 1000 + 500), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_is_covered_by_the_first_mark_at_or_above_it),
        cmocka_unit_test(a_lower_index_begins_anew),
        cmocka_unit_test(no_index_is_no_mark),
        cmocka_unit_test(without_room_the_newest_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
