/* Spares, and disks that have no room for one: this program's posix_fallocate is the one below. */
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "wal/wal_spare.h"
#include "wal_testing.h"

#define SEGMENT_SIZE (1u << 20) /* more than one chunk */

static atomic_bool is_full;

/* In the place of the C library's, for the log's thread. */
int posix_fallocate(int fd, off_t offset, off_t size)
{
    if (is_full) {
        return ENOSPC;
    }
    return syscall(SYS_fallocate, fd, 0, offset, size) == 0 ? 0 : errno;
}

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

/* Fills what is reserved, an eighth of a segment at a time, until something is not durable. */
static uint64_t fill_up(struct fixture *fixture, enum wal_room *out_levels, size_t *out_count)
{
    uint64_t index = 0;
    *out_count = 0;
    while (wal_writing(fixture->wal) == 0) {
        enum wal_room level = wal_room(fixture->wal, 0);
        if (*out_count == 0 || out_levels[*out_count - 1] != level) {
            assert_true(*out_count < 3);
            out_levels[*out_count] = level;
            *out_count += 1;
        }
        index++;
        append(fixture, 1, (struct raft_pos){1, index}, 1, SEGMENT_SIZE / 8);
        wal_flush(fixture->wal);
        fixture_settle(fixture);
        env_uv_run_once(fixture->env, false);
    }
    return index - 1; /* the last one waits */
}

static void a_full_disk_lets_the_log_go_on_to_the_end_of_its_reserve(void **state)
{
    struct fixture *fixture = *state;
    enum wal_room levels[3];
    size_t count;
    fixture_settle(fixture);
    is_full = true;
    uint64_t last = fill_up(fixture, levels, &count);
    assert_int_equal(count, 3);
    assert_int_equal(levels[0], WAL_ROOM_ENOUGH);
    assert_int_equal(levels[1], WAL_ROOM_SHORT);
    assert_int_equal(levels[2], WAL_ROOM_RESERVE);
    assert_true(last >= 13); /* of two segments */
    uint64_t ticket = fixture->wal->stats.last_ticket;
    assert_true(fixture->persisted < ticket);
    for (int i = 0; i < 3; i++) { /* it asks again, and waits on */
        fixture->wal->spares.retry_at_ms = 0;
        wal_tick(fixture->wal);
        fixture_settle(fixture);
        assert_true(fixture->persisted < ticket);
    }
    is_full = false;
    fixture->wal->spares.retry_at_ms = 0;
    wal_tick(fixture->wal);
    AWAIT(fixture, fixture->persisted >= ticket);
    assert_int_equal(wal_room(fixture->wal, 0), WAL_ROOM_ENOUGH);
    fixture_reopen(fixture);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, (uint32_t)last + 1, SEGMENT_SIZE / 8);
}

static void what_a_full_disk_never_took_is_dropped_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    enum wal_room levels[3];
    size_t count;
    fixture_settle(fixture);
    is_full = true;
    uint64_t last = fill_up(fixture, levels, &count);
    fixture_reopen(fixture); /* still full */
    expect_bounds(fixture, 1, 0, last);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, (uint32_t)last, SEGMENT_SIZE / 8);
    fixture_settle(fixture);
    assert_int_not_equal(wal_room(fixture->wal, 0), WAL_ROOM_ENOUGH);
    is_full = false;
}

static void a_batch_larger_than_a_segment_waits_for_a_file_of_its_size(void **state)
{
    struct fixture *fixture = *state;
    fixture_settle(fixture);
    is_full = true;
    uint64_t ticket = append(fixture, 1, (struct raft_pos){1, 1}, 1, 2 * SEGMENT_SIZE);
    wal_flush(fixture->wal);
    fixture_settle(fixture);
    assert_true(wal_writing(fixture->wal) != 0);
    is_full = false;
    /* Meanwhile it grows beyond what is being made for it. */
    ticket = append(fixture, 1, (struct raft_pos){1, 2}, 1, 2 * SEGMENT_SIZE);
    fixture->wal->spares.retry_at_ms = 0;
    wal_tick(fixture->wal);
    ticket = append(fixture, 1, (struct raft_pos){1, 3}, 1, 8 * SEGMENT_SIZE);
    AWAIT(fixture, fixture->persisted >= ticket);
    fixture_reopen(fixture);
    expect_entry(fixture, 1, (struct raft_pos){1, 3}, 8 * SEGMENT_SIZE);
}

static void a_close_makes_room_by_itself(void **state)
{
    struct fixture *fixture = *state;
    append(fixture, 1, (struct raft_pos){1, 1}, 1, SEGMENT_SIZE / 2);
    wal_flush(fixture->wal);
    append(fixture, 1, (struct raft_pos){1, 2}, 1, 3 * SEGMENT_SIZE);
    fixture_reopen(fixture);
    expect_entry(fixture, 1, (struct raft_pos){1, 2}, 3 * SEGMENT_SIZE);
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
        cmocka_unit_test_setup_teardown(a_full_disk_lets_the_log_go_on_to_the_end_of_its_reserve,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_full_disk_never_took_is_dropped_at_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_batch_larger_than_a_segment_waits_for_a_file_of_its_size,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_makes_room_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_of_another_size_is_deleted_not_kept, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
