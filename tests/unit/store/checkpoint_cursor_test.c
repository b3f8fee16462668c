#include "store/checkpoint_cursor.h"
#include "store/store_int.h"
#include "store_testing.h"

static void make_filled(struct world *world, unsigned count)
{
    *world = (struct world){.checkpointed = 0};
    world_make(world);
    for (unsigned i = 0; i < count; i++) {
        char text[KEY_TEXT_SIZE];
        world_put(world, key_of(text, 2 * i), SLICE_LITERAL("a value"));
    }
    world_checkpoint(world);
}

static struct checkpoint_cursor *cursor_of(struct world *world)
{
    struct checkpoint_cursor *cursor;
    assert_int_equal(store_checkpoint_cursor_open(world->store->checkpoint, &cursor), OK);
    return cursor;
}

static void assert_moves(struct checkpoint_cursor *cursor, enum checkpoint_move move,
                         struct slice key, uint64_t expected)
{
    char text[KEY_TEXT_SIZE];
    struct slice found;
    assert_int_equal(store_checkpoint_cursor_move(cursor, move, key, &found), OK);
    assert_true(slice_equal(found, key_of(text, expected)));
}

static void it_goes_both_ways_from_any_place(void **state)
{
    (void)state;
    struct world world;
    char text[KEY_TEXT_SIZE];
    struct slice found;
    make_filled(&world, 500);
    struct checkpoint_cursor *cursor = cursor_of(&world);
    assert_moves(cursor, CHECKPOINT_MOVE_AT, SLICE_EMPTY, 0);
    assert_moves(cursor, CHECKPOINT_MOVE_BEFORE, SLICE_EMPTY, 998);
    assert_int_equal(
        store_checkpoint_cursor_move(cursor, CHECKPOINT_MOVE_NEXT, SLICE_EMPTY, &found),
        ERR_NOT_FOUND);
    for (unsigned i = 1; i < 499; i++) {
        assert_moves(cursor, CHECKPOINT_MOVE_AT, key_of(text, 2 * i - 1), 2 * i);
        assert_moves(cursor, CHECKPOINT_MOVE_NEXT, SLICE_EMPTY, 2 * i + 2);
        assert_moves(cursor, CHECKPOINT_MOVE_AT, key_of(text, 2 * i), 2 * i);
        assert_moves(cursor, CHECKPOINT_MOVE_BEFORE, key_of(text, 2 * i), 2 * i - 2);
        assert_moves(cursor, CHECKPOINT_MOVE_NEXT, SLICE_EMPTY, 2 * i);
        assert_moves(cursor, CHECKPOINT_MOVE_BACK, SLICE_EMPTY, 2 * i - 2);
    }
    assert_moves(cursor, CHECKPOINT_MOVE_BEFORE, SLICE_LITERAL("zz"), 998);
    assert_int_equal(
        store_checkpoint_cursor_move(cursor, CHECKPOINT_MOVE_AT, SLICE_LITERAL("zz"), &found),
        ERR_NOT_FOUND);
    assert_int_equal(
        store_checkpoint_cursor_move(cursor, CHECKPOINT_MOVE_BEFORE, key_of(text, 0), &found),
        ERR_NOT_FOUND);
    store_checkpoint_cursor_close(cursor);
    store_checkpoint_cursor_close(NULL);
    world_remove(&world);
}

static void an_empty_checkpoint_has_no_place(void **state)
{
    (void)state;
    struct world world;
    struct slice found;
    make_filled(&world, 0);
    struct checkpoint_cursor *cursor = cursor_of(&world);
    assert_int_equal(store_checkpoint_cursor_move(cursor, CHECKPOINT_MOVE_AT, SLICE_EMPTY, &found),
                     ERR_NOT_FOUND);
    assert_int_equal(
        store_checkpoint_cursor_move(cursor, CHECKPOINT_MOVE_BEFORE, SLICE_EMPTY, &found),
        ERR_NOT_FOUND);
    store_checkpoint_cursor_close(cursor);
    world_remove(&world);
}

static void it_has_the_bytes_that_a_look_up_finds(void **state)
{
    (void)state;
    struct world world;
    struct slice key;
    struct slice bytes;
    struct slice expected;
    make_filled(&world, 3);
    struct checkpoint_cursor *cursor = cursor_of(&world);
    assert_int_equal(store_checkpoint_cursor_move(cursor, CHECKPOINT_MOVE_AT, SLICE_EMPTY, &key),
                     OK);
    assert_int_equal(store_checkpoint_cursor_bytes(cursor, &bytes), OK);
    assert_int_equal(
        store_checkpoint_get(world.store->checkpoint, STORE_SPACE_USER, key, &expected), OK);
    assert_ptr_equal(bytes.data, expected.data);
    assert_int_equal(bytes.size, expected.size);
    store_checkpoint_cursor_close(cursor);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_both_ways_from_any_place),
        cmocka_unit_test(an_empty_checkpoint_has_no_place),
        cmocka_unit_test(it_has_the_bytes_that_a_look_up_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
