#include "http/http_arena.h"
#include "http_test.h"

static void small_allocations_stay_within_the_owner(void **state)
{
    (void)state;
    struct http_arena arena;
    http_arena_init(&arena);
    for (size_t i = 0; i < HTTP_ARENA_INLINE_SIZE / 16; i++) {
        uint8_t *memory = http_arena_alloc(&arena, 1 + i % 16);
        assert_true(memory >= arena.first);
        assert_true(memory < arena.first + sizeof(arena.first));
        assert_int_equal((uintptr_t)memory % 16, 0);
        *memory = 1;
    }
    assert_null(arena.blocks);
    http_arena_deinit(&arena);
}

static void larger_allocations_come_from_the_heap_and_do_not_overlap(void **state)
{
    (void)state;
    struct http_arena arena;
    http_arena_init(&arena);
    uint8_t *first = http_arena_alloc(&arena, 2000);
    uint8_t *second = http_arena_alloc(&arena, 100000);
    uint8_t *third = http_arena_alloc(&arena, 3000);
    memset(first, 1, 2000);
    memset(second, 2, 100000);
    memset(third, 3, 3000);
    assert_int_equal(first[1999], 1);
    assert_int_equal(second[99999], 2);
    assert_non_null(arena.blocks);
    http_arena_deinit(&arena);
    assert_null(arena.blocks);
}

static void an_empty_allocation_is_a_pointer_all_the_same(void **state)
{
    (void)state;
    struct http_arena arena;
    http_arena_init(&arena);
    assert_non_null(http_arena_alloc(&arena, 0));
    http_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_allocations_stay_within_the_owner),
        cmocka_unit_test(larger_allocations_come_from_the_heap_and_do_not_overlap),
        cmocka_unit_test(an_empty_allocation_is_a_pointer_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
