/* What was being mended when the process ended: written once more at the next start. */
#include <sys/stat.h>

#include "wal/wal_redo.h"
#include "wal_testing.h"

#define SEGMENT 7u

struct world {
    struct fixture fixture;
    char segment[WAL_PATH_SIZE];
    char note[WAL_PATH_SIZE];
};

static const struct wal_redo_place places[] = {{SEGMENT, 600, 50}, {SEGMENT, 1024, 100000}};

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    static uint8_t bytes[200000];
    memset(bytes, 'b', sizeof(bytes));
    fixture_init(&world->fixture, 4096);
    wal_path_format(world->segment, world->fixture.directory, WAL_FILE_SEGMENT, SEGMENT);
    (void)snprintf(world->note, sizeof(world->note), "%s/" WAL_REDO_NAME, world->fixture.directory);
    struct err_note note = {.text = ""};
    assert_int_equal(env_dir_create(world->fixture.env, world->fixture.directory, &note), OK);
    write_file(world->segment, bytes, sizeof(bytes));
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    fixture_deinit(&world->fixture);
    mem_free(world);
    return 0;
}

/* Lets the segment look old, so that a write shows. */
static void make_old(const struct world *world)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, world->segment, times, 0), 0);
}

static bool is_written(const struct world *world)
{
    struct stat status;
    assert_int_equal(stat(world->segment, &status), 0);
    return status.st_mtim.tv_sec != 1000;
}

static bool is_noted(const struct world *world)
{
    struct stat status;
    return stat(world->note, &status) == 0;
}

static void redo(const struct world *world)
{
    struct err_note note = {.text = ""};
    make_old(world);
    assert_int_equal(wal_redo(world->fixture.env, world->fixture.directory, &note), OK);
    assert_false(is_noted(world));
}

static void note_places(const struct world *world)
{
    struct err_note note = {.text = ""};
    assert_int_equal(wal_redo_note(world->fixture.env, world->fixture.directory, places,
                                   ARRAY_COUNT(places), &note),
                     OK);
    assert_true(is_noted(world));
}

static void without_a_note_nothing_is_done(void **state)
{
    struct world *world = *state;
    redo(world);
    assert_false(is_written(world));
}

static void what_is_noted_is_written_as_it_is(void **state)
{
    struct world *world = *state;
    struct file_image before = {.name = ""};
    struct file_image after = {.name = ""};
    file_read(world->segment, &before);
    note_places(world);
    redo(world);
    assert_true(is_written(world));
    file_read(world->segment, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    mem_free(before.data);
    mem_free(after.data);
    redo(world);
    assert_false(is_written(world));
}

static void a_newer_note_takes_the_place_of_an_older_one(void **state)
{
    struct world *world = *state;
    struct err_note note = {.text = ""};
    note_places(world);
    assert_int_equal(wal_redo_note(world->fixture.env, world->fixture.directory, NULL, 0, &note),
                     OK);
    redo(world);
    assert_false(is_written(world));
    note_places(world);
    assert_int_equal(wal_redo_forget(world->fixture.env, world->fixture.directory), OK);
    assert_false(is_noted(world));
}

static void a_note_that_is_not_whole_was_never_durable(void **state)
{
    struct world *world = *state;
    struct file_image whole = {.name = ""};
    note_places(world);
    file_read(world->note, &whole);
    for (size_t i = 0; i < whole.size; i++) {
        whole.data[i] ^= 0x10;
        write_file(world->note, whole.data, whole.size);
        whole.data[i] ^= 0x10;
        redo(world);
        assert_false(is_written(world));
        write_file(world->note, whole.data, i);
        redo(world);
        assert_false(is_written(world));
    }
    write_file(world->note, whole.data, whole.size);
    redo(world);
    assert_true(is_written(world));
    mem_free(whole.data);
}

static void a_segment_that_is_gone_or_cut_is_no_concern_of_this(void **state)
{
    struct world *world = *state;
    note_places(world);
    assert_int_equal(truncate(world->segment, 1100), 0);
    redo(world);
    assert_true(is_written(world));
    struct stat status;
    assert_int_equal(stat(world->segment, &status), 0);
    assert_int_equal(status.st_size, 1100);
    note_places(world);
    assert_int_equal(unlink(world->segment), 0);
    struct err_note note = {.text = ""};
    assert_int_equal(wal_redo(world->fixture.env, world->fixture.directory, &note), OK);
    assert_false(is_noted(world));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_note_nothing_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_noted_is_written_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_note_takes_the_place_of_an_older_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_note_that_is_not_whole_was_never_durable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_segment_that_is_gone_or_cut_is_no_concern_of_this, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
