#include "wal/wal_spare.h"
#include "wal_testing.h"

#define SEGMENT_SIZE (1u << 20) /* more than one chunk */

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    fixture_init(fixture, SEGMENT_SIZE);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    mem_free(*state);
    return 0;
}

static void a_spare_is_made_ahead_once_the_segment_is_half_full(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 1, SEGMENT_SIZE / 4);
    fixture_settle(fixture);
    assert_int_equal(fixture->wal->spares.count, 0);
    append_wait(fixture, 1, (struct raft_pos){1, 2}, 1, SEGMENT_SIZE / 3);
    fixture_settle(fixture);
    assert_int_equal(fixture->wal->spares.count, 1);
    struct image image;
    image_take(&image, fixture->directory);
    size_t zeros = 0;
    for (size_t i = 0; i < image.count; i++) {
        if (strstr(image.files[i].name, ".spare") != NULL) {
            assert_int_equal(image.files[i].size, SEGMENT_SIZE);
            for (size_t k = 0; k < SEGMENT_SIZE; k++) {
                zeros += image.files[i].data[k] == 0 ? 1 : 0;
            }
        }
    }
    assert_int_equal(zeros, SEGMENT_SIZE);
    image_deinit(&image);
}

static void the_next_segment_takes_the_spare(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t i = 1; i <= 4; i++) {
        append_wait(fixture, 1, (struct raft_pos){1, i}, 1, SEGMENT_SIZE / 4);
        fixture_settle(fixture);
    }
    assert_int_equal(wal_stats(fixture->wal)->segments, 2);
    assert_int_equal(fixture->wal->spares.count, 0);
    fixture_reopen(fixture);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 4, SEGMENT_SIZE / 4);
}

static void a_close_while_one_is_being_made_leaves_nothing_half_made(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 1, SEGMENT_SIZE / 3 * 2);
    fixture_close(fixture);
    struct image image;
    image_take(&image, fixture->directory);
    for (size_t i = 0; i < image.count; i++) {
        assert_null(strstr(image.files[i].name, ".new"));
    }
    image_deinit(&image);
    fixture_open(fixture);
    expect_entry(fixture, 1, (struct raft_pos){1, 1}, SEGMENT_SIZE / 3 * 2);
}

static void a_segment_of_another_size_is_deleted_not_kept(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 1, 2 * SEGMENT_SIZE);
    append_wait(fixture, 1, (struct raft_pos){1, 2}, 1, SEGMENT_SIZE / 2);
    append_wait(fixture, 1, (struct raft_pos){1, 3}, 1, SEGMENT_SIZE / 2);
    assert_true(wal_stats(fixture->wal)->size_bytes > 4 * SEGMENT_SIZE);
    wal_compact(fixture->wal, 1, (struct raft_pos){1, 3});
    vote_wait(fixture, 1, 1, 1);
    AWAIT(fixture, wal_stats(fixture->wal)->segments == 1);
    fixture_settle(fixture);
    struct image image;
    image_take(&image, fixture->directory);
    for (size_t i = 0; i < image.count; i++) {
        assert_true(image.files[i].size <= SEGMENT_SIZE);
    }
    image_deinit(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_spare_is_made_ahead_once_the_segment_is_half_full, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_next_segment_takes_the_spare, setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_while_one_is_being_made_leaves_nothing_half_made,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_of_another_size_is_deleted_not_kept, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
