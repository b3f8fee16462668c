/* The walk by itself; what recovery and a look make of it, their tests have. */
#include "wal/wal_replay.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 8192u
#define ENTRY_SIZE 150u

struct world {
    struct fixture fixture;
    struct wal wal;
    struct wal_replay replay;
    size_t told;
};

static err count_record(void *ctx, const struct wal_record *record, uint64_t offset)
{
    struct world *world = ctx;
    assert_true(record->region == 1 && offset >= WAL_SECTOR_SIZE);
    world->told++;
    return OK;
}

/* Three batches, with a flipped bit in the second if `is_damaged`, and a replay of them. */
static void open_world(struct world *world, bool is_damaged)
{
    struct fixture *fixture = &world->fixture;
    fixture_init(fixture, SEGMENT_SIZE);
    fixture_open(fixture);
    for (uint64_t i = 1; i <= 3; i++) {
        append_wait(fixture, 1, (struct raft_pos){1, i}, 1, ENTRY_SIZE);
    }
    struct image image;
    fixture_crash(fixture, &image);
    image_last_segment(&image)->data[2 * WAL_SECTOR_SIZE + 40] ^= is_damaged ? 1 : 0;
    image_put(&image, fixture->directory);
    image_deinit(&image);
    world->wal.options = fixture->options;
    wal_index_init(&world->wal.index, &world->wal.segments, 0);
    world->replay = (struct wal_replay){
        .wal = &world->wal,
        .note = &fixture->note,
        .open_flags = ENV_OPEN_READ,
        .each = count_record,
        .ctx = world,
    };
    assert_int_equal(wal_replay_list(&world->replay), OK);
    assert_int_equal(world->replay.count, 1);
    assert_int_equal(wal_replay_check_name(&world->replay, 0), OK);
    assert_int_equal(wal_replay_check_name(&world->replay, 1), OK);
    assert_int_equal(wal_replay_open(&world->replay, 0), OK);
}

static void close_world(struct world *world)
{
    wal_replay_deinit(&world->replay);
    wal_index_deinit(&world->wal.index);
    wal_segments_deinit(&world->wal.segments);
    fixture_deinit(&world->fixture);
    mem_free(world);
}

static void a_whole_log_fills_the_index_and_is_told(void **state)
{
    (void)state;
    struct world *world = mem_calloc(1, sizeof(*world));
    open_world(world, false);
    wal_replay_adopt(&world->replay);
    assert_int_equal(wal_replay_walk(&world->replay, 0), OK);
    assert_int_equal(wal_replay_check_regions(&world->replay), OK);
    assert_int_equal(world->told, 3);
    assert_int_equal(world->replay.batches, 3);
    assert_int_equal(world->replay.records, 3);
    assert_int_equal(world->replay.scan.offset, 4 * WAL_SECTOR_SIZE);
    assert_int_equal(wal_bounds(&world->wal, 1).last_index, 3);
    close_world(world);
}

/* R5: its place in the index would be no entry's. */
static void what_is_behind_damage_is_told_and_not_indexed(void **state)
{
    (void)state;
    struct world *world = mem_calloc(1, sizeof(*world));
    open_world(world, true);
    wal_replay_adopt(&world->replay);
    assert_int_equal(wal_replay_walk(&world->replay, 0), ERR_DAMAGED);
    assert_true(world->replay.is_at_fault);
    assert_int_equal(world->told, 1);
    assert_int_equal(wal_replay_resume(&world->replay), OK);
    assert_int_equal(world->told, 2);
    assert_true(world->replay.is_broken);
    assert_int_equal(world->replay.scan.offset, 4 * WAL_SECTOR_SIZE);
    assert_int_equal(wal_bounds(&world->wal, 1).last_index, 1);
    close_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_log_fills_the_index_and_is_told),
        cmocka_unit_test(what_is_behind_damage_is_told_and_not_indexed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
