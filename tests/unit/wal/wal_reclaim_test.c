#include "wal/wal_int.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 8192u

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

/* Appends [first, last] of region 1 in batches of one, 400 bytes each. */
static void fill(struct fixture *fixture, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++) {
        append_wait(fixture, 1, (struct raft_pos){1, i}, 1, 400);
    }
}

/* Makes a compaction's mark durable: it waits for the next batch. */
static void settle_mark(struct fixture *fixture, uint64_t term)
{
    vote_wait(fixture, 1, term, 1);
}

static bool file_exists(struct fixture *fixture, const char *name)
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    return access(path, F_OK) == 0;
}

static void segments_that_nobody_needs_become_spares(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 60);
    uint64_t segments = wal_stats(fixture->wal)->segments;
    assert_true(segments >= 4);
    wal_compact(fixture->wal, 1, (struct raft_pos){1, 59});
    settle_mark(fixture, 1);
    AWAIT(fixture, wal_stats(fixture->wal)->segments == 1);
    /* Two kept, and one ahead, reserved at least. */
    const struct wal_spares *spares = &fixture->wal->spares;
    AWAIT(fixture, spares->count + (spares->make.stage != WAL_MAKE_NONE ? 1 : 0) == 3);
    assert_false(file_exists(fixture, "0000000000000001.seg"));
    fixture_reopen(fixture);
    expect_bounds(fixture, 1, 59, 60);
    expect_entry(fixture, 1, (struct raft_pos){1, 60}, 400);
    assert_true(wal_stats(fixture->wal)->spare_segments >= 2);
}

static void a_segment_stays_until_the_mark_is_durable(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 30);
    uint64_t segments = wal_stats(fixture->wal)->segments;
    wal_compact(fixture->wal, 1, (struct raft_pos){1, 29});
    struct image image;
    fixture_crash(fixture, &image); /* the mark has not been written */
    assert_non_null(image_file(&image, "0000000000000001.seg"));
    fixture_open(fixture);
    expect_bounds(fixture, 1, 0, 30);
    assert_int_equal(wal_stats(fixture->wal)->segments, segments);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 30, 400);
    image_deinit(&image);
}

static void a_segment_stays_while_the_mark_waits_behind_another_batch(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 30);
    uint64_t segments = wal_stats(fixture->wal)->segments;
    uint64_t ticket = append(fixture, 1, (struct raft_pos){1, 31}, 1, 10);
    wal_flush(fixture->wal);
    wal_compact(fixture->wal, 1, (struct raft_pos){1, 30}); /* gathers: not flushed */
    AWAIT(fixture, fixture->persisted >= ticket);
    fixture_settle(fixture);
    assert_int_equal(wal_stats(fixture->wal)->segments, segments);
    assert_true(file_exists(fixture, "0000000000000001.seg"));
    settle_mark(fixture, 1);
    AWAIT(fixture, wal_stats(fixture->wal)->segments == 1);
}

static void recycled_segments_hold_the_log_again(void **state)
{
    struct fixture *fixture = *state;
    uint64_t last = 0;
    for (uint64_t round = 1; round <= 12; round++) {
        fill(fixture, last + 1, last + 25);
        last += 25;
        wal_compact(fixture->wal, 1, (struct raft_pos){1, last - 3});
        settle_mark(fixture, round);
        fixture_reopen(fixture);
        expect_bounds(fixture, 1, last - 3, last);
        expect_entries(fixture, 1, (struct raft_pos){1, last - 2}, 3, 400);
        assert_int_equal(wal_hard_state(fixture->wal, 1).term, round);
    }
    AWAIT(fixture, wal_stats(fixture->wal)->segments <= 2);
    assert_true(wal_stats(fixture->wal)->size_bytes <= 6 * SEGMENT_SIZE);
}

static void hard_state_and_marks_survive_their_segments(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 5, (struct raft_pos){7, 1}, 3, 10);
    vote_wait(fixture, 5, 7, 2);
    wal_compact(fixture->wal, 5, (struct raft_pos){7, 3});
    vote_wait(fixture, 6, 9, 1);
    fill(fixture, 1, 60);
    wal_compact(fixture->wal, 1, (struct raft_pos){1, 60});
    settle_mark(fixture, 1);
    AWAIT(fixture, wal_stats(fixture->wal)->segments == 1);
    fixture_reopen(fixture);
    expect_bounds(fixture, 5, 3, 3);
    uint64_t term;
    assert_int_equal(wal_term(fixture->wal, 5, 3, &term), OK);
    assert_int_equal(term, 7);
    assert_int_equal(wal_hard_state(fixture->wal, 5).vote, 2);
    assert_int_equal(wal_hard_state(fixture->wal, 6).term, 9);
}

static void a_quiet_regions_entries_are_copied_forward(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 5, (struct raft_pos){7, 1}, 4, 30);
    fill(fixture, 1, 30);
    append_wait(fixture, 5, (struct raft_pos){7, 5}, 1, 30);
    fill(fixture, 31, 60);
    wal_compact(fixture->wal, 1, (struct raft_pos){1, 59});
    for (uint64_t term = 1; file_exists(fixture, "0000000000000001.seg"); term++) {
        settle_mark(fixture, term); /* the copies are written with what comes next */
    }
    AWAIT(fixture, wal_stats(fixture->wal)->segments <= 2);
    for (int restart = 0; restart < 2; restart++) {
        expect_bounds(fixture, 5, 0, 5);
        expect_entries(fixture, 5, (struct raft_pos){7, 1}, 5, 30);
        expect_entry(fixture, 1, (struct raft_pos){1, 60}, 400);
        fixture_reopen(fixture);
    }
}

static void a_region_with_much_behind_is_not_copied(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1, 60);
    uint64_t appended = wal_stats(fixture->wal)->appended_bytes;
    uint64_t segments = wal_stats(fixture->wal)->segments;
    wal_compact(fixture->wal, 1,
                (struct raft_pos){1, 11}); /* little is left of the first segment */
    settle_mark(fixture, 1);
    settle_mark(fixture, 2);
    assert_int_equal(wal_stats(fixture->wal)->appended_bytes, appended + 2 * WAL_SECTOR_SIZE);
    assert_int_equal(wal_stats(fixture->wal)->segments, segments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(segments_that_nobody_needs_become_spares, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_stays_until_the_mark_is_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_stays_while_the_mark_waits_behind_another_batch,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(recycled_segments_hold_the_log_again, setup, teardown),
        cmocka_unit_test_setup_teardown(hard_state_and_marks_survive_their_segments, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_quiet_regions_entries_are_copied_forward, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_region_with_much_behind_is_not_copied, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
