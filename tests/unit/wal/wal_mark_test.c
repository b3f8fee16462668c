#include "wal/wal_mark.h"
#include "wal_testing.h"

struct world {
    struct fixture fixture;
    struct wal_marks marks;
    struct wal_mark mark; /* as the last open found it */
    enum wal_marks_state state;
};

static err reopen(struct world *world)
{
    wal_marks_deinit(&world->marks);
    return wal_marks_open(&world->marks, world->fixture.env, world->fixture.directory, &world->mark,
                          &world->state, &world->fixture.note);
}

static int setup(void **state)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    fixture_init(&world->fixture, 0);
    assert_int_equal(reopen(world), OK);
    assert_int_equal(world->state, WAL_MARKS_MISSING);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    wal_marks_deinit(&world->marks);
    fixture_deinit(&world->fixture);
    mem_free(world);
    return 0;
}

static void write_marks(struct world *world, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++) {
        struct wal_mark mark = {.sequence = i, .end = i * 512, .last_crc = (uint32_t)i};
        assert_int_equal(wal_marks_write(&world->marks, mark), OK);
    }
}

static void flip(struct world *world, size_t at)
{
    uint8_t byte;
    size_t size;
    assert_int_equal(env_file_read(world->marks.file, at, &byte, 1, &size), OK);
    byte ^= 1;
    struct iovec part = {&byte, 1};
    assert_int_equal(env_file_write(world->marks.file, at, &part, 1), OK);
}

static void the_newest_mark_comes_back(void **state)
{
    struct world *world = *state;
    for (uint64_t i = 1; i <= 5; i++) {
        write_marks(world, i, i);
        assert_int_equal(reopen(world), OK);
        assert_int_equal(world->state, WAL_MARKS_VALID);
        assert_int_equal(world->mark.sequence, i);
        assert_int_equal(world->mark.end, i * 512);
        assert_int_equal(world->mark.last_crc, i);
    }
}

static void a_damaged_slot_leaves_the_mark_before_it(void **state)
{
    struct world *world = *state;
    write_marks(world, 1, 6); /* 6 is in slot 0, 5 in slot 1 */
    flip(world, 40);
    assert_int_equal(reopen(world), OK);
    assert_int_equal(world->state, WAL_MARKS_VALID);
    assert_int_equal(world->mark.sequence, 5);
    write_marks(world, 7, 7); /* over the damaged one */
    flip(world, WAL_SECTOR_SIZE + 40);
    assert_int_equal(reopen(world), OK);
    assert_int_equal(world->mark.sequence, 7);
}

static void two_damaged_slots_are_no_mark(void **state)
{
    struct world *world = *state;
    write_marks(world, 1, 6);
    flip(world, 40);
    flip(world, WAL_SECTOR_SIZE + 40);
    assert_int_equal(reopen(world), OK);
    assert_int_equal(world->state, WAL_MARKS_DAMAGED);
    assert_int_equal(world->mark.sequence, 0);
    write_marks(world, 8, 8);
    assert_int_equal(reopen(world), OK);
    assert_int_equal(world->mark.sequence, 8);
}

static void a_look_makes_no_file_and_counts_the_bad_slots(void **state)
{
    struct world *world = *state;
    const char *directory = world->fixture.directory;
    struct wal_marks_view view;
    assert_int_equal(wal_marks_look(world->fixture.env, directory, &view, NULL), OK);
    assert_int_equal(view.state, WAL_MARKS_DAMAGED); /* it is empty */
    assert_int_equal(view.bad_slots, 0);
    write_marks(world, 1, 1);
    assert_int_equal(wal_marks_look(world->fixture.env, directory, &view, NULL), OK);
    assert_int_equal(view.state, WAL_MARKS_VALID);
    assert_int_equal(view.bad_slots, 0); /* the other one was never written */
    write_marks(world, 2, 6);
    flip(world, 40);
    assert_int_equal(wal_marks_look(world->fixture.env, directory, &view, NULL), OK);
    assert_int_equal(view.mark.sequence, 5);
    assert_int_equal(view.bad_slots, 1);
    char path[WAL_PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/synced", directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(wal_marks_look(world->fixture.env, directory, &view, NULL), OK);
    assert_int_equal(view.state, WAL_MARKS_MISSING);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_mark_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_slot_leaves_the_mark_before_it, setup, teardown),
        cmocka_unit_test_setup_teardown(two_damaged_slots_are_no_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(a_look_makes_no_file_and_counts_the_bad_slots, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
