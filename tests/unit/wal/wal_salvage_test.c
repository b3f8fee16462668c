/* What is still known of a damaged log, and setting it aside. */
#include "wal/wal_salvage.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 8192u
#define ENTRY_SIZE 150u

/* Where the three batches begin: entries, a vote, entries. */
enum {
    FIRST_ENTRIES = WAL_SECTOR_SIZE,
    VOTE = 2 * WAL_SECTOR_SIZE,
    LAST_ENTRIES = 3 * WAL_SECTOR_SIZE,
};

struct world {
    struct fixture fixture;
    struct image image;
    struct wal_salvage found;
    struct err_note note;
};

static int setup(void **state)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    struct fixture *fixture = &world->fixture;
    fixture_init(fixture, SEGMENT_SIZE);
    fixture_open(fixture);
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 2, ENTRY_SIZE);
    vote_wait(fixture, 1, 2, 3);
    append_wait(fixture, 1, (struct raft_pos){2, 3}, 2, ENTRY_SIZE);
    fixture_crash(fixture, &world->image);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    image_deinit(&world->image);
    fixture_deinit(&world->fixture);
    mem_free(world);
    return 0;
}

static err salvage_flipped(struct world *world, size_t offset)
{
    const struct fixture *fixture = &world->fixture;
    const struct wal_options options = {
        .env = fixture->env,
        .directory = fixture->directory,
        .cluster_id = CLUSTER,
        .node = NODE,
    };
    struct file_image *segment = image_last_segment(&world->image);
    segment->data[offset] ^= 1;
    image_put(&world->image, fixture->directory);
    segment->data[offset] ^= 1;
    return wal_salvage(&options, 1, &world->found, &world->note);
}

static void a_vote_behind_the_damage_is_the_last_one(void **state)
{
    struct world *world = *state;
    assert_int_equal(salvage_flipped(world, FIRST_ENTRIES + 60), ERR_DAMAGED);
    assert_true(world->found.is_last);
    assert_int_equal(world->found.hard_state.term, 2);
    assert_int_equal(world->found.hard_state.vote, 3);
}

static void a_vote_before_the_damage_is_the_least_that_it_was(void **state)
{
    struct world *world = *state;
    assert_int_equal(salvage_flipped(world, LAST_ENTRIES + 60), ERR_DAMAGED);
    assert_false(world->found.is_last);
    assert_int_equal(world->found.hard_state.term, 2);
}

static void a_damaged_vote_is_not_known(void **state)
{
    struct world *world = *state;
    assert_int_equal(salvage_flipped(world, VOTE + 40), ERR_DAMAGED);
    assert_false(world->found.is_last);
    assert_int_equal(world->found.hard_state.term, 0);
    assert_int_equal(salvage_flipped(world, 100), ERR_DAMAGED); /* the segment's header */
    assert_false(world->found.is_last);
    assert_int_equal(world->found.hard_state.term, 0);
}

static void what_is_whole_is_not_damaged(void **state)
{
    struct world *world = *state;
    assert_int_equal(salvage_flipped(world, SEGMENT_SIZE - 1), OK);
    assert_true(world->found.is_last);
}

static void a_log_that_was_set_aside_makes_room_for_a_new_one(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = &world->fixture;
    assert_int_equal(salvage_flipped(world, FIRST_ENTRIES + 60), ERR_DAMAGED);
    for (int i = 0; i < 2; i++) { /* the first one goes, the second is kept */
        assert_int_equal(wal_set_aside(fixture->env, fixture->directory, true, &world->note), OK);
        struct image found;
        image_take(&found, fixture->directory);
        assert_non_null(image_file(&found, "0000000000000001.seg.damaged"));
        assert_null(image_file(&found, "0000000000000001.seg"));
        assert_null(image_file(&found, "synced"));
        image_deinit(&found);
        fixture_open(fixture);
        expect_bounds(fixture, 1, 0, 0);
        fixture_close(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_vote_behind_the_damage_is_the_last_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vote_before_the_damage_is_the_least_that_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_damaged_vote_is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_whole_is_not_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_was_set_aside_makes_room_for_a_new_one, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
