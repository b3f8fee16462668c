#include "store/checkpoint_int.h"
#include "system_testing.h"

struct walked {
    unsigned count;
    unsigned most; /* then it ends the piece */
    char last[KEY_TEXT_SIZE];
    size_t last_size;
};

static bool count_record(void *ctx, struct slice key, struct slice bytes, bool is_found)
{
    struct walked *walked = ctx;
    assert_true(is_found);
    assert_true(bytes.size > 0);
    assert_true(key.size < sizeof(walked->last));
    struct slice last = {(const uint8_t *)walked->last, walked->last_size};
    assert_true(slice_compare(last, key) <= 0);
    memcpy(walked->last, key.data, key.size);
    walked->last_size = key.size;
    walked->count++;
    return walked->count != walked->most;
}

static void make_filled(struct world *world, unsigned count)
{
    *world = (struct world){.checkpointed = 0};
    world_make(world);
    for (unsigned i = 0; i < count; i++) {
        char text[KEY_TEXT_SIZE];
        world_put(world, key_of(text, i), SLICE_LITERAL("a value"));
    }
    world_checkpoint(world);
}

static void pieces_one_after_the_other_are_all_records(void **state)
{
    (void)state;
    struct world world;
    make_filled(&world, 500);
    struct walked walked = {.count = 0};
    bool is_end = false;
    unsigned pieces = 0;
    unsigned total = 0;
    while (!is_end) {
        struct checkpoint_piece piece = {
            .from = {(const uint8_t *)walked.last, walked.last_size},
            .size_max = 1000,
            .each = count_record,
            .ctx = &walked,
        };
        walked.count = 0;
        assert_int_equal(store_checkpoint_walk(world.store->checkpoint, &piece, &is_end), OK);
        assert_true(walked.count < 30);
        total += walked.count - (pieces > 0 ? 1 : 0); /* it begins with the last one */
        pieces++;
    }
    assert_int_equal(total, 500);
    assert_true(pieces > 10);
    world_remove(&world);
}

static void a_piece_ends_where_it_is_told_to_and_sees_what_was_written_last(void **state)
{
    (void)state;
    struct world world;
    make_filled(&world, 10);
    struct walked walked = {.most = 3};
    struct checkpoint_piece piece = {.size_max = SIZE_MAX, .each = count_record, .ctx = &walked};
    bool is_end = true;
    assert_int_equal(store_checkpoint_walk(world.store->checkpoint, &piece, &is_end), OK);
    assert_int_equal(walked.count, 3);
    assert_false(is_end);
    world_put(&world, SLICE_LITERAL("z"), SLICE_LITERAL("1"));
    world_checkpoint(&world);
    walked = (struct walked){.most = 0};
    assert_int_equal(store_checkpoint_walk(world.store->checkpoint, &piece, &is_end), OK);
    assert_int_equal(walked.count, 11);
    assert_true(is_end);
    world_remove(&world);
}

static void an_empty_store_is_at_its_end(void **state)
{
    (void)state;
    struct world world;
    make_filled(&world, 0);
    struct walked walked = {.count = 0};
    struct checkpoint_piece piece = {.size_max = 1, .each = count_record, .ctx = &walked};
    bool is_end = false;
    assert_int_equal(store_checkpoint_walk(world.store->checkpoint, &piece, &is_end), OK);
    assert_true(is_end);
    assert_int_equal(walked.count, 0);
    world_remove(&world);
}

static void a_piece_is_of_one_space(void **state)
{
    (void)state;
    struct world world;
    make_filled(&world, 10);
    fill_system(&world, 7);
    world_checkpoint(&world);
    const unsigned counts[STORE_SPACES] = {10, 7};
    for (enum store_space space = 0; space < STORE_SPACES; space++) {
        struct walked walked = {.count = 0};
        bool is_end = false;
        struct checkpoint_piece piece = {
            .space = space, .size_max = SIZE_MAX, .each = count_record, .ctx = &walked};
        assert_int_equal(store_checkpoint_walk(world.store->checkpoint, &piece, &is_end), OK);
        assert_true(is_end);
        assert_int_equal(walked.count, counts[space]);
    }
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_one_after_the_other_are_all_records),
        cmocka_unit_test(a_piece_ends_where_it_is_told_to_and_sees_what_was_written_last),
        cmocka_unit_test(an_empty_store_is_at_its_end),
        cmocka_unit_test(a_piece_is_of_one_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
