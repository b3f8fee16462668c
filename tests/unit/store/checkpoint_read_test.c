/* Look-ups and places in the state that was written last. */
#include "damage_testing.h"
#include "store/checkpoint.h"
#include "system_testing.h"

/* Users' records 0, 2, 4 … and as many of the system's, 1, 3, 5 …, in LMDB. */
static void make(struct world *world, unsigned count)
{
    *world = (struct world){.options = {.map_size_bytes = 1}};
    world_make(world);
    for (unsigned i = 0; i < count; i++) {
        char key[KEY_TEXT_SIZE];
        world_put(world, key_of(key, UINT64_C(2) * i), SLICE_LITERAL("a user's"));
        world_put_system(world, key_of(key, UINT64_C(2) * i + 1), SLICE_LITERAL("the system's"));
    }
    world_checkpoint(world);
}

static err seek(struct world *world, enum store_space space, struct slice from, struct slice *key)
{
    struct slice bytes;
    return store_checkpoint_seek(world->store->checkpoint, space, from, key, &bytes);
}

static void assert_seek(struct world *world, enum store_space space, unsigned from,
                        unsigned expected)
{
    char text[KEY_TEXT_SIZE];
    struct slice key;
    assert_int_equal(seek(world, space, key_of(text, from), &key), OK);
    assert_true(slice_equal(key, key_of(text, expected)));
}

static void a_place_is_found_at_or_after_a_key_of_its_space(void **state)
{
    (void)state;
    struct world world;
    char text[KEY_TEXT_SIZE];
    struct slice key;
    make(&world, 500);
    for (unsigned i = 0; i < 999; i++) {
        assert_seek(&world, STORE_SPACE_SYSTEM, i, i | 1);
        assert_seek(&world, STORE_SPACE_USER, i, (i + 1) & ~1u);
    }
    assert_int_equal(seek(&world, STORE_SPACE_USER, key_of(text, 999), &key), ERR_NOT_FOUND);
    assert_seek(&world, STORE_SPACE_SYSTEM, 999, 999);
    assert_int_equal(seek(&world, STORE_SPACE_SYSTEM, key_of(text, 1000), &key), ERR_NOT_FOUND);
    assert_int_equal(seek(&world, STORE_SPACE_SYSTEM, SLICE_EMPTY, &key), OK);
    assert_true(slice_equal(key, key_of(text, 1)));
    world_remove(&world);
}

/* Both places move, each in its space. */
static void places_move_side_by_side(void **state)
{
    (void)state;
    struct world world;
    char text[KEY_TEXT_SIZE];
    struct slice keys[STORE_SPACES];
    struct slice bytes;
    make(&world, 100);
    struct checkpoint *checkpoint = world.store->checkpoint;
    assert_int_equal(seek(&world, STORE_SPACE_USER, SLICE_EMPTY, &keys[STORE_SPACE_USER]), OK);
    assert_int_equal(seek(&world, STORE_SPACE_SYSTEM, SLICE_EMPTY, &keys[STORE_SPACE_SYSTEM]), OK);
    for (unsigned i = 0; i < 100; i++) {
        for (enum store_space space = 0; space < STORE_SPACES; space++) {
            assert_true(slice_equal(keys[space], key_of(text, UINT64_C(2) * i + space)));
            err e = store_checkpoint_seek_next(checkpoint, space, &keys[space], &bytes);
            assert_int_equal(e, i < 99 ? OK : ERR_NOT_FOUND);
        }
    }
    world_remove(&world);
}

static void places_see_what_was_written_last_and_outlive_a_map_that_grows(void **state)
{
    (void)state;
    struct world world;
    char text[KEY_TEXT_SIZE];
    make(&world, 10);
    assert_seek(&world, STORE_SPACE_SYSTEM, 4, 5);
    world_delete_system(&world, key_of(text, 5));
    assert_seek(&world, STORE_SPACE_SYSTEM, 4, 5);
    world_checkpoint(&world);
    assert_seek(&world, STORE_SPACE_SYSTEM, 4, 7);
    store_checkpoint_grow(world.store->checkpoint);
    assert_seek(&world, STORE_SPACE_SYSTEM, 4, 7);
    assert_seek(&world, STORE_SPACE_USER, 4, 4);
    uint64_t map_size = store_stats(world.store)->map_size_bytes;
    for (unsigned i = 0; i < 3000; i++) {
        world_put_system(&world, key_of(text, i), (struct slice){(uint8_t[1000]){0}, 1000});
    }
    world_checkpoint(&world);
    assert_true(store_stats(world.store)->map_size_bytes > map_size);
    assert_seek(&world, STORE_SPACE_SYSTEM, 2999, 2999);
    world_reopen(&world);
    assert_seek(&world, STORE_SPACE_SYSTEM, 2999, 2999);
    assert_seek(&world, STORE_SPACE_USER, 5, 6);
    world_remove(&world);
}

static void the_same_key_of_another_space_is_another_key(void **state)
{
    (void)state;
    struct world world = {0};
    struct slice bytes;
    struct store_record record;
    world_make(&world);
    world_put_system(&world, SLICE_LITERAL("k"), SLICE_LITERAL("the system's"));
    world_checkpoint(&world);
    struct checkpoint *checkpoint = world.store->checkpoint;
    err e = store_checkpoint_get(checkpoint, STORE_SPACE_USER, SLICE_LITERAL("k"), &bytes);
    assert_int_equal(e, ERR_NOT_FOUND);
    e = store_checkpoint_get(checkpoint, STORE_SPACE_SYSTEM, SLICE_LITERAL("k"), &bytes);
    assert_int_equal(e, OK);
    assert_int_equal(store_record_decode(bytes, SLICE_LITERAL("k"), &record), OK);
    assert_true(slice_equal(record.value, SLICE_LITERAL("the system's")));
    assert_no_value(&world, SLICE_LITERAL("k"), ERR_NOT_FOUND);
    world_put(&world, SLICE_LITERAL("k"), SLICE_LITERAL("the user's"));
    world_checkpoint(&world);
    assert_value(&world, SLICE_LITERAL("k"), SLICE_LITERAL("the user's"));
    assert_system_value(&world, SLICE_LITERAL("k"), SLICE_LITERAL("the system's"));
    world_remove(&world);
}

/* The head of every leaf says that it is no page that there is. */
static void a_page_that_cannot_be_is_an_error_and_the_place_is_found_again(void **state)
{
    (void)state;
    struct world world;
    struct slice key;
    char text[KEY_TEXT_SIZE];
    make(&world, 500);
    assert_seek(&world, STORE_SPACE_SYSTEM, 1, 1);
    int fd = open(world.place.data_path, O_RDWR);
    uint8_t page[4096];
    uint8_t whole[4096];
    off_t damaged = 0;
    struct slice last = key_of(text, 999);
    for (off_t offset = 0; pread(fd, page, sizeof(page), offset) == (ssize_t)sizeof(page);
         offset += (off_t)sizeof(page)) {
        if (offset > 8192 && (page[10] & 0x02) != 0 &&
            memmem(page, sizeof(page), last.data, last.size) != NULL) {
            damaged = offset;
            memcpy(whole, page, sizeof(page));
            page[10] = 0; /* its kind */
            assert_int_equal(pwrite(fd, page, sizeof(page), offset), sizeof(page));
        }
    }
    assert_true(damaged > 0);
    err e = seek(&world, STORE_SPACE_SYSTEM, last, &key);
    assert_true(e == ERR_CORRUPT || e == ERR_NOT_FOUND); /* as LMDB notices it, or not */
    assert_seek(&world, STORE_SPACE_SYSTEM, 1, 1);
    assert_int_equal(pwrite(fd, whole, sizeof(whole), damaged), sizeof(whole));
    assert_int_equal(close(fd), 0);
    assert_seek(&world, STORE_SPACE_SYSTEM, 999, 999);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_found_at_or_after_a_key_of_its_space),
        cmocka_unit_test(places_move_side_by_side),
        cmocka_unit_test(places_see_what_was_written_last_and_outlive_a_map_that_grows),
        cmocka_unit_test(the_same_key_of_another_space_is_another_key),
        cmocka_unit_test(a_page_that_cannot_be_is_an_error_and_the_place_is_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
