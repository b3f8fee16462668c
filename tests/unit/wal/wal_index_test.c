#include "wal/wal_index.h"
#include "wal_testing.h"

struct world {
    struct wal_segments segments;
    struct wal_index index;
};

static int setup(void **state)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    wal_segments_push(&world->segments, &(struct wal_segment){.sequence = 1, .size = 1 << 20});
    wal_segments_push(&world->segments, &(struct wal_segment){.sequence = 2, .size = 1 << 20});
    wal_index_init(&world->index, &world->segments, 1000);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    wal_index_deinit(&world->index);
    wal_segments_deinit(&world->segments);
    mem_free(world);
    return 0;
}

/* Appends entries [first, last], 100 bytes each, and places them in segment `sequence` unless 0. */
static void add(struct world *world, region_id id, struct raft_pos first, uint64_t last,
                uint32_t sequence)
{
    struct wal_region *region = wal_index_get(&world->index, id);
    for (uint64_t i = first.index; i <= last; i++) {
        struct entry entry = {.pos = {first.term, i}, .type = ENTRY_NORMAL};
        entry.data = entry_data(id, entry.pos, 100);
        wal_region_append(&world->index, region, &entry, 77);
        buf_unref(entry.data);
        if (sequence != 0) {
            wal_region_place(&world->index, region, entry.pos,
                             (struct wal_place){sequence, (uint32_t)(i * 200)});
        }
    }
}

static size_t count_cached(const struct wal_region *region)
{
    size_t count = 0;
    for (uint64_t i = region->first; i <= region->last; i++) {
        count += wal_region_slot(region, i)->data != NULL ? 1 : 0;
    }
    return count;
}

static void regions_are_kept_by_id(void **state)
{
    struct world *world = *state;
    for (region_id id = 40; id > 0; id--) {
        struct wal_region *region = wal_index_get(&world->index, id * 3 % 41);
        assert_int_equal(region->id, id * 3 % 41);
    }
    assert_int_equal(world->index.count, 40);
    for (size_t i = 1; i < world->index.count; i++) {
        assert_true(world->index.regions[i - 1]->id < world->index.regions[i]->id);
    }
    assert_null(wal_index_find(&world->index, 41));
    assert_ptr_equal(wal_index_find(&world->index, 7), wal_index_get(&world->index, 7));
}

static void the_ring_turns_and_grows(void **state)
{
    struct world *world = *state;
    struct wal_region *region = wal_index_get(&world->index, 1);
    for (uint64_t i = 1; i < 2000; i += 50) {
        add(world, 1, (struct raft_pos){i, i}, i + 49, 1);
        uint64_t keep = i < 1000 ? 30 : 500;
        if (region->last > keep) {
            struct raft_pos pos = {0, region->last - keep};
            if (pos.index > region->compacted.index) {
                wal_region_compact(&world->index, region, pos, 78);
            }
        }
        for (uint64_t k = region->first; k <= region->last; k++) {
            assert_int_equal(wal_region_slot(region, k)->term, (k - 1) / 50 * 50 + 1);
            assert_int_equal(wal_region_slot(region, k)->place.offset, k * 200);
        }
    }
}

static void a_replaced_suffix_is_released_with_the_batch_that_replaces_it(void **state)
{
    struct world *world = *state;
    struct wal_region *region = wal_index_get(&world->index, 1);
    add(world, 1, (struct raft_pos){1, 1}, 10, 1);
    assert_int_equal(world->segments.live_bytes, 10 * WAL_ENTRY_RECORD_SIZE(100));
    add(world, 1, (struct raft_pos){2, 4}, 4, 2);
    assert_int_equal(region->last, 4);
    assert_int_equal(wal_segments_at(&world->segments, 1)->live_bytes,
                     3 * WAL_ENTRY_RECORD_SIZE(100));
    assert_int_equal(wal_segments_at(&world->segments, 1)->release_batch, 77);
    assert_int_equal(wal_segments_at(&world->segments, 2)->live_bytes, WAL_ENTRY_RECORD_SIZE(100));
    assert_int_equal(world->index.cached_bytes, 400);
}

static void an_entry_that_is_gone_is_not_placed(void **state)
{
    struct world *world = *state;
    struct wal_region *region = wal_index_get(&world->index, 1);
    add(world, 1, (struct raft_pos){1, 1}, 5, 0);
    add(world, 1, (struct raft_pos){2, 3}, 3, 0);
    wal_region_compact(&world->index, region, (struct raft_pos){1, 1}, 78);
    for (uint64_t i = 1; i <= 5; i++) {
        wal_region_place(&world->index, region, (struct raft_pos){1, i}, (struct wal_place){1, 9});
    }
    assert_int_equal(world->segments.live_bytes, WAL_ENTRY_RECORD_SIZE(100)); /* 2 alone */
    assert_int_equal(wal_region_slot(region, 3)->place.segment, 0);
}

static void the_oldest_durable_bytes_are_evicted_first(void **state)
{
    struct world *world = *state;
    struct wal_region *region = wal_index_get(&world->index, 1);
    add(world, 1, (struct raft_pos){1, 1}, 30, 1);
    wal_index_evict(&world->index, (struct wal_place){1, 30 * 200 + 1});
    assert_int_equal(world->index.cached_bytes, 1000);
    assert_int_equal(count_cached(region), 10);
    assert_null(wal_region_slot(region, 20)->data);
    assert_non_null(wal_region_slot(region, 21)->data);
}

static void what_is_not_durable_is_never_evicted(void **state)
{
    struct world *world = *state;
    struct wal_region *region = wal_index_get(&world->index, 1);
    add(world, 1, (struct raft_pos){1, 1}, 30, 1);
    add(world, 1, (struct raft_pos){1, 31}, 40, 0);
    wal_index_evict(&world->index, (struct wal_place){1, 5 * 200});
    assert_int_equal(count_cached(region), 36);
    wal_index_evict(&world->index, (struct wal_place){2, 0});
    assert_int_equal(count_cached(region), 10); /* 31 to 40 are nowhere yet */
    assert_non_null(wal_region_slot(region, 31)->data);
}

static void the_quiet_regions_bytes_go_before_the_busy_ones(void **state)
{
    struct world *world = *state;
    add(world, 1, (struct raft_pos){1, 1}, 8, 1);
    add(world, 2, (struct raft_pos){1, 1}, 8, 1);
    wal_index_evict(&world->index, (struct wal_place){2, 0});
    assert_int_equal(count_cached(wal_index_find(&world->index, 1)), 2);
    assert_int_equal(count_cached(wal_index_find(&world->index, 2)), 8);
}

static void a_reset_region_goes_on_after_the_position(void **state)
{
    struct world *world = *state;
    struct wal_region *region = wal_index_get(&world->index, 1);
    add(world, 1, (struct raft_pos){1, 1}, 8, 1);
    wal_region_reset(&world->index, region, (struct raft_pos){3, 100}, 79);
    assert_int_equal(region->first, 101);
    assert_int_equal(region->last, 100);
    assert_int_equal(world->segments.live_bytes, 0);
    assert_int_equal(world->index.cached_bytes, 0);
    add(world, 1, (struct raft_pos){3, 101}, 101, 1);
    assert_int_equal(region->last, 101);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(regions_are_kept_by_id),
        WORLD_TEST(the_ring_turns_and_grows),
        WORLD_TEST(a_replaced_suffix_is_released_with_the_batch_that_replaces_it),
        WORLD_TEST(an_entry_that_is_gone_is_not_placed),
        WORLD_TEST(the_oldest_durable_bytes_are_evicted_first),
        WORLD_TEST(what_is_not_durable_is_never_evicted),
        WORLD_TEST(the_quiet_regions_bytes_go_before_the_busy_ones),
        WORLD_TEST(a_reset_region_goes_on_after_the_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
