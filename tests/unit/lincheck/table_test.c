#include "lincheck/table.h"
#include "lincheck_testing.h"

#define MANY 5000u

static void a_number_is_found_under_its_key(void **state)
{
    (void)state;
    struct lincheck_table table = {0};
    uint32_t found = 7;
    assert_false(lincheck_table_find(&table, 0, &found));
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(lincheck_table_add(&table, (uint64_t)i << 40, i), i);
    }
    assert_int_equal(table.count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(lincheck_table_find(&table, (uint64_t)i << 40, &found));
        assert_int_equal(found, i);
    }
    assert_false(lincheck_table_find(&table, 1, &found));
    lincheck_table_deinit(&table);
}

static void the_first_number_under_a_key_stays(void **state)
{
    (void)state;
    struct lincheck_table table = {0};
    assert_int_equal(lincheck_table_add(&table, 0, 3), 3);
    assert_int_equal(lincheck_table_add(&table, 0, 4), 3);
    assert_int_equal(table.count, 1);
    lincheck_table_deinit(&table);
}

static void a_cleared_table_is_empty(void **state)
{
    (void)state;
    struct lincheck_table table = {0};
    uint32_t found;
    for (uint32_t count = 1; count <= 20 * MANY; count *= 10) { /* small, and above what is kept */
        for (uint32_t i = 0; i < count; i++) {
            (void)lincheck_table_add(&table, i, i);
        }
        lincheck_table_clear(&table);
        assert_int_equal(table.count, 0);
        assert_false(lincheck_table_find(&table, 0, &found));
    }
    lincheck_table_deinit(&table);
}

static bool add(struct lincheck_memory *memory, uint64_t hash, uint32_t puts, uint32_t deletes)
{
    return lincheck_memory_add(memory,
                               (struct lincheck_state){.hash = hash, .used = {puts, deletes}});
}

static void a_state_is_worth_one_search(void **state)
{
    (void)state;
    struct lincheck_memory memory = {0};
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 20 * MANY; i++) {
            assert_true(add(&memory, lincheck_mix(i), 0, 0));
        }
        for (uint64_t i = 0; i < 20 * MANY; i++) {
            assert_false(add(&memory, lincheck_mix(i), 0, 0));
        }
        lincheck_memory_clear(&memory);
    }
    assert_true(add(&memory, 0, 0, 0));
    assert_false(add(&memory, 0, 0, 0));
    lincheck_memory_clear(&memory);
    assert_true(add(&memory, 0, 0, 0));
    lincheck_memory_deinit(&memory);
}

static void a_state_that_has_used_more_is_worth_none(void **state)
{
    (void)state;
    struct lincheck_memory memory = {0};
    assert_true(add(&memory, 7, 5, 2));
    assert_false(add(&memory, 7, 6, 2));
    assert_false(add(&memory, 7, 5, 3));
    assert_true(add(&memory, 8, 6, 3));
    assert_true(add(&memory, 7, 2, 5));
    assert_true(add(&memory, 7, 4, 4));
    assert_false(add(&memory, 7, 4, 5));
    assert_true(add(&memory, 7, 1, 1));
    for (uint64_t i = 100; i < 100 + MANY; i++) { /* it grows */
        assert_true(add(&memory, lincheck_mix(i), 0, 0));
    }
    assert_false(add(&memory, 7, 1, 1));
    assert_false(add(&memory, 7, 2, 5));
    assert_true(add(&memory, 7, 0, 1));
    lincheck_memory_deinit(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_found_under_its_key),
        cmocka_unit_test(the_first_number_under_a_key_stays),
        cmocka_unit_test(a_cleared_table_is_empty),
        cmocka_unit_test(a_state_is_worth_one_search),
        cmocka_unit_test(a_state_that_has_used_more_is_worth_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
