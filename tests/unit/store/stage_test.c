#include "base/prng.h"
#include "store/stage.h"
#include "store_testing.h"

#define KEYS 40u

static void put(struct stage *stage, struct slice key, const char *value)
{
    struct buf *owner = buf_copy(slice_from_text(value));
    struct store_record record = {.owner = owner, .value = buf_slice(owner)};
    stage_put(stage, STORE_SPACE_USER, key, &record);
    buf_unref(owner);
}

static void what_is_changed_is_seen_here_and_nowhere_else(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    world_put(&world, SLICE_LITERAL("b"), SLICE_LITERAL("2"));
    struct stage stage;
    struct store_record record;
    stage_init(&stage, world.store);
    assert_true(stage_is_empty(&stage));
    put(&stage, SLICE_LITERAL("a"), "x");
    stage_delete(&stage, STORE_SPACE_USER, SLICE_LITERAL("b"));
    assert_false(stage_is_empty(&stage));
    assert_true(stage_find(&stage, STORE_SPACE_USER, SLICE_LITERAL("a"), true, &record));
    assert_true(slice_equal(record.value, SLICE_LITERAL("x")));
    assert_false(stage_find(&stage, STORE_SPACE_USER, SLICE_LITERAL("b"), true, &record));
    assert_false(stage_find(&stage, STORE_SPACE_SYSTEM, SLICE_LITERAL("a"), true, &record));
    assert_value(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    assert_value(&world, SLICE_LITERAL("b"), SLICE_LITERAL("2"));
    stage_reset(&stage);
    assert_true(stage_is_empty(&stage));
    assert_true(stage_find(&stage, STORE_SPACE_USER, SLICE_LITERAL("b"), true, &record));
    world_remove(&world);
}

/* A walk over stage and state against an array, keys being changed in either at random. */
static void a_walk_sees_both_in_order(void **state)
{
    (void)state;
    struct prng chance;
    prng_init(&chance, 7);
    for (unsigned round = 0; round < 20; round++) {
        struct world world = {0};
        bool is_there[KEYS] = {false};
        char text[KEY_TEXT_SIZE];
        struct stage stage;
        world_make(&world);
        for (unsigned i = 0; i < 60; i++) {
            uint64_t number = prng_below(&chance, KEYS);
            if (prng_below(&chance, 3) > 0) {
                world_put(&world, key_of(text, number), SLICE_LITERAL("v"));
            } else {
                world_delete(&world, key_of(text, number));
            }
            is_there[number] =
                store_find_record(world.store, STORE_SPACE_USER, key_of(text, number),
                                  &(struct store_record){0}) == OK;
            if (i == 30) {
                world_checkpoint(&world);
            }
        }
        stage_init(&stage, world.store);
        for (unsigned i = 0; i < 30; i++) {
            uint64_t number = prng_below(&chance, KEYS);
            is_there[number] = prng_below(&chance, 2) == 0;
            if (is_there[number]) {
                put(&stage, key_of(text, number), "s");
            } else {
                stage_delete(&stage, STORE_SPACE_USER, key_of(text, number));
            }
        }
        struct system_key key = {0};
        struct store_record record;
        struct slice from = SLICE_EMPTY;
        for (unsigned i = 0; i < KEYS; i++) {
            if (!is_there[i]) {
                continue;
            }
            assert_true(stage_next(&stage, STORE_SPACE_USER, from, &key, &record));
            assert_true(slice_equal(system_key_slice(&key), key_of(text, i)));
            assert_int_equal(record.value.size, 1);
            system_key_step(&key);
            from = system_key_slice(&key);
        }
        assert_false(stage_next(&stage, STORE_SPACE_USER, from, &key, &record));
        stage_reset(&stage);
        world_remove(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_changed_is_seen_here_and_nowhere_else),
        cmocka_unit_test(a_walk_sees_both_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
