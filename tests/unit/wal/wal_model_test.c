/*
 * Random histories against a model: appends, truncations, compactions, snapshots, hard states over
 * several regions and tiny segments, with clean restarts and crashes. Each seed is one history.
 */
#include <inttypes.h>

#include "base/prng.h"
#include "wal_testing.h"

#define SEED_COUNT 12u
#define STEP_COUNT 400u
#define REGION_COUNT 3u
#define SEGMENT_SIZE 4096u
#define CACHE_SIZE 2000u
#define INDEX_MAX 20000u

/* What a region should hold. */
struct model {
    struct raft_pos compacted;
    uint64_t last;
    uint64_t term; /* of the next entries */
    struct hard_state hard_state;
    uint64_t terms[INDEX_MAX];
};

struct world {
    struct fixture fixture;
    struct prng prng;
    struct model *models; /* of regions 1 to REGION_COUNT */
};

static uint64_t below(struct world *world, uint64_t bound)
{
    return prng_below(&world->prng, bound);
}

/* The size of an entry's data follows from its place, too. */
static size_t size_of(struct raft_pos pos)
{
    return (pos.index * 37 + pos.term * 11) % 5 == 0 ? 0 : (pos.index * 53 + pos.term) % 400;
}

/* ---- steps ---- */

static void step_append(struct world *world, region_id region)
{
    struct model *model = &world->models[region - 1];
    uint64_t first = model->last + 1;
    if (below(world, 4) == 0 && model->last > model->compacted.index) {
        first = model->compacted.index + 1 + below(world, model->last - model->compacted.index);
        model->term++; /* what replaces has a higher term */
    }
    struct entry entries[6];
    uint32_t count = 1 + (uint32_t)below(world, ARRAY_COUNT(entries));
    for (uint32_t i = 0; i < count; i++) {
        struct raft_pos pos = {model->term, first + i};
        assert_true(pos.index < INDEX_MAX);
        entries[i] = (struct entry){
            .pos = pos,
            .type = (enum entry_type)(pos.index % 4),
            .data = entry_data(region, pos, size_of(pos)),
        };
        model->terms[pos.index] = pos.term;
    }
    model->last = first + count - 1;
    (void)wal_append(world->fixture.wal, &(struct wal_append){
                                             .region = region,
                                             .entries = entries,
                                             .entry_count = count,
                                         });
    for (uint32_t i = 0; i < count; i++) {
        buf_unref(entries[i].data);
    }
}

static void step_vote(struct world *world, region_id region)
{
    struct model *model = &world->models[region - 1];
    model->hard_state = (struct hard_state){
        .term = model->hard_state.term + below(world, 3),
        .vote = below(world, 4),
        .commit = model->last,
    };
    (void)wal_append(world->fixture.wal, &(struct wal_append){
                                             .region = region,
                                             .hard_state = &model->hard_state,
                                         });
}

static void step_compact(struct world *world, region_id region)
{
    struct model *model = &world->models[region - 1];
    uint64_t target = model->compacted.index;
    target += below(world, model->last - model->compacted.index + 1);
    if (region == REGION_COUNT && below(world, 8) != 0) {
        return; /* the quiet one */
    }
    if (target > model->compacted.index) {
        model->compacted = (struct raft_pos){model->terms[target], target};
        wal_compact(world->fixture.wal, region, model->compacted);
    }
}

static void step_snapshot(struct world *world, region_id region)
{
    struct model *model = &world->models[region - 1];
    uint64_t index = model->compacted.index + 1 + below(world, 40);
    model->term++;
    model->compacted = (struct raft_pos){model->term, index};
    model->last = index;
    wal_compact(world->fixture.wal, region, model->compacted);
}

/* ---- restarts ---- */

/* Garbage behind the end of the last segment: what a batch that was never durable may leave. */
static void add_garbage(struct world *world, struct image *image)
{
    struct file_image *file = image_last_segment(image);
    struct file_image *synced = image_file(image, "synced");
    uint64_t end = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < WAL_MARK_SLOT_COUNT; i++) {
        struct wal_mark mark;
        if (wal_mark_decode(synced->data + i * WAL_SECTOR_SIZE, &mark) == OK &&
            mark.count > count) {
            count = mark.count;
            end = mark.end;
        }
    }
    for (size_t at = end; at < file->size; at++) {
        if (at / WAL_SECTOR_SIZE % 3 == 0) {
            file->data[at] = (uint8_t)prng_next(&world->prng);
        }
    }
}

/* A crash once all is durable: nothing of it may be missing, whatever lies behind it. */
static void crash(struct world *world)
{
    struct fixture *fixture = &world->fixture;
    (void)append(fixture, 99, (struct raft_pos){1, 1}, 1, 1);
    fixture_wait(fixture, wal_stats(fixture->wal)->last_ticket);
    struct image image;
    fixture_crash(fixture, &image);
    if (below(world, 2) == 0) {
        add_garbage(world, &image);
    }
    if (below(world, 3) == 0) {
        image_remove(&image, "synced");
    }
    image_put(&image, fixture->directory);
    image_deinit(&image);
    fixture_open(fixture);
}

/* ---- checks ---- */

static void check_region(struct world *world, region_id region)
{
    struct fixture *fixture = &world->fixture;
    const struct model *model = &world->models[region - 1];
    struct wal_bounds bounds = wal_bounds(fixture->wal, region);
    assert_int_equal(bounds.compacted.index, model->compacted.index);
    assert_int_equal(bounds.compacted.term, model->compacted.term);
    assert_int_equal(bounds.last_index, model->last);
    struct hard_state hard_state = wal_hard_state(fixture->wal, region);
    assert_int_equal(hard_state.term, model->hard_state.term);
    assert_int_equal(hard_state.vote, model->hard_state.vote);
    assert_int_equal(hard_state.commit, model->hard_state.commit);
    for (uint64_t i = model->compacted.index + 1; i <= model->last; i++) {
        struct raft_pos pos = {model->terms[i], i};
        expect_entry(fixture, region, pos, size_of(pos));
    }
}

static void check_all(struct world *world)
{
    for (region_id region = 1; region <= REGION_COUNT; region++) {
        check_region(world, region);
    }
}

static void step(struct world *world)
{
    region_id region = 1 + below(world, below(world, 4) == 0 ? REGION_COUNT : 2);
    switch (below(world, 24)) {
    case 0:
    case 1:
        step_vote(world, region);
        break;
    case 2:
    case 3:
    case 4:
        step_compact(world, region);
        break;
    case 5:
        if (below(world, 4) == 0) {
            step_snapshot(world, region);
        }
        break;
    case 6:
        if (below(world, 3) == 0) {
            fixture_reopen(&world->fixture);
            check_all(world);
        }
        break;
    case 7:
        if (below(world, 3) == 0) {
            crash(world);
            check_all(world);
        }
        break;
    default:
        step_append(world, region);
        break;
    }
    if (below(world, 3) == 0) {
        wal_flush(world->fixture.wal);
        env_uv_run_once(world->fixture.env, false);
    }
}

static void run_history(uint64_t seed)
{
    struct world world = {.models = mem_calloc(REGION_COUNT, sizeof(struct model))};
    prng_init(&world.prng, seed);
    for (size_t i = 0; i < REGION_COUNT; i++) {
        world.models[i].term = 1;
    }
    fixture_init(&world.fixture, SEGMENT_SIZE);
    world.fixture.options.cache_bytes_max = CACHE_SIZE;
    fixture_open(&world.fixture);
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        step(&world);
    }
    check_all(&world);
    fixture_reopen(&world.fixture);
    check_all(&world);
    fixture_deinit(&world.fixture);
    mem_free(world.models);
}

static void random_histories_come_back_as_the_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        print_message("seed %" PRIu64 "\n", seed);
        run_history(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_come_back_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
