#include <fcntl.h>

#include "store/region.h"
#include "store/snapshot_int.h"
#include "system_testing.h"

/* What store_install has reported. */
struct report {
    unsigned count;
    err e;
};

static void on_done(void *ctx, err e)
{
    struct report *report = ctx;
    report->count++;
    report->e = e;
}

static void wait_for_report(struct world *world, struct report *report)
{
    while (report->count == 0) {
        store_turn(world->store); /* as at the end of the turn before */
        env_uv_run_once(world->place.env, report->count == 0);
    }
}

static void fill(struct world *world, unsigned count, size_t size)
{
    uint8_t *value = mem_calloc(1, size);
    for (unsigned i = 0; i < count; i++) {
        char key[KEY_TEXT_SIZE];
        memcpy(value, &i, size < sizeof(i) ? size : sizeof(i));
        world_put(world, key_of(key, i), (struct slice){value, size});
    }
    mem_free(value);
}

/* Another node: its snapshot, and what its region was then. */
struct origin {
    struct world world;
    struct chunks chunks;
    struct store_region region;
};

/* `extra` entries without effect put it ahead. A quarter as many records are of the system's. */
static void origin_make(struct origin *origin, unsigned count, size_t size, unsigned extra)
{
    origin->world.stamp_ms = 1000;
    world_make(&origin->world);
    fill(&origin->world, count, size);
    fill_system(&origin->world, count / 4);
    for (unsigned i = 0; i < extra; i++) {
        store_apply_nothing(origin->world.store, REGION, world_next(&origin->world));
    }
    origin->chunks = world_export(&origin->world, 1u << 20);
    origin->region = *world_region(&origin->world);
}

static void origin_remove(struct origin *origin)
{
    writer_deinit(&origin->chunks.bytes);
    world_remove(&origin->world);
}

/* The world has the very state of the origin, durably, and nothing staged. */
static void assert_taken_over(struct world *world, const struct origin *origin)
{
    const struct store_region *region = world_region(world);
    assert_non_null(region);
    assert_int_equal(region->applied.index, origin->region.applied.index);
    assert_int_equal(region->applied.term, origin->region.applied.term);
    assert_int_equal(region->checkpoint.index, origin->region.applied.index);
    assert_int_equal(region->revision, origin->region.revision);
    assert_int_equal(region->clock_ms, origin->region.clock_ms);
    assert_int_equal(region->keys, origin->region.keys);
    assert_int_equal(region->key_bytes, origin->region.key_bytes);
    assert_int_equal(region->value_bytes, origin->region.value_bytes);
    assert_int_equal(region->system_keys, origin->region.system_keys);
    assert_int_equal(region->system_bytes, origin->region.system_bytes);
    assert_true(hash128_equal(region->state_hash, origin->region.state_hash));
    assert_non_null(membership_find(&region->membership, 7));
    assert_int_equal(store_stats(world->store)->tail_records, 0);
    assert_int_equal(store_health(world->store), OK);
    assert_int_equal(staged_count(&world->place), 0);
}

/* Its snapshot, taken out again, is the same bytes. */
static void assert_same_export(struct world *world, const struct origin *origin)
{
    struct chunks chunks = world_export(world, 1u << 20);
    assert_true(slice_equal(writer_slice(&chunks.bytes), writer_slice(&origin->chunks.bytes)));
    writer_deinit(&chunks.bytes);
}

static void install(struct world *world, const struct origin *origin)
{
    struct report report = {0};
    store_install(world->store, world_stage(world, &origin->chunks), on_done, &report);
    wait_for_report(world, &report);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.e, OK);
}

/* ---- while the store runs ---- */

static void an_empty_store_becomes_what_the_other_was(void **state)
{
    (void)state;
    const struct {
        unsigned count;
        size_t size;
    } sizes[] = {{0, 0}, {1, 0}, {1000, 20}, {12, 300u << 10}};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct origin origin = {0};
        struct world world = {0};
        origin_make(&origin, sizes[i].count, sizes[i].size, 0);
        place_make(&world.place);
        world_open(&world);
        assert_null(world_region(&world));
        install(&world, &origin);
        assert_taken_over(&world, &origin);
        assert_same_export(&world, &origin);
        world_reopen(&world);
        assert_taken_over(&world, &origin);
        world_put(&world, SLICE_LITERAL("next"), SLICE_EMPTY);
        assert_value(&world, SLICE_LITERAL("next"), SLICE_EMPTY);
        world_remove(&world);
        origin_remove(&origin);
    }
}

static void what_was_there_goes_with_its_tails(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    origin_make(&origin, 500, 100, 300);
    world_make(&world);
    fill(&world, 300, 50);
    world_put(&world, SLICE_LITERAL("in LMDB"), SLICE_LITERAL("1"));
    world_put_system(&world, SLICE_LITERAL("in LMDB"), SLICE_LITERAL("1"));
    fill_system(&world, 20);
    world_checkpoint(&world);
    char key[KEY_TEXT_SIZE];
    world_delete(&world, key_of(key, 5));
    world_put(&world, SLICE_LITERAL("frozen"), SLICE_LITERAL("2"));
    world_put_system(&world, SLICE_LITERAL("frozen"), SLICE_LITERAL("2"));
    store_checkpoint(world.store);
    assert_true(world.store->is_writing); /* which the installation waits for */
    uint64_t checkpoint = world.index;
    world_put(&world, SLICE_LITERAL("active"), SLICE_LITERAL("3"));
    world_put_system(&world, SLICE_LITERAL("active"), SLICE_LITERAL("3"));
    world_delete_system(&world, key_of(key, 5));
    struct report report = {0};
    store_install(world.store, world_stage(&world, &origin.chunks), on_done, &report);
    while (world.checkpointed < 2) {
        env_uv_run_once(world.place.env, true);
    }
    assert_int_equal(world_region(&world)->checkpoint.index, checkpoint);
    assert_int_equal(report.count, 0);
    wait_for_report(&world, &report);
    assert_int_equal(report.e, OK);
    assert_taken_over(&world, &origin);
    assert_no_value(&world, SLICE_LITERAL("in LMDB"), ERR_NOT_FOUND);
    assert_no_value(&world, SLICE_LITERAL("frozen"), ERR_NOT_FOUND);
    assert_no_value(&world, SLICE_LITERAL("active"), ERR_NOT_FOUND);
    assert_no_system_value(&world, SLICE_LITERAL("in LMDB"));
    assert_no_system_value(&world, SLICE_LITERAL("frozen"));
    assert_no_system_value(&world, SLICE_LITERAL("active"));
    assert_system_value(&world, key_of(key, 5), SLICE_LITERAL("the system's 000005"));
    struct store_record record;
    assert_int_equal(store_get(world.store, key_of(key, 5), &record), OK);
    buf_unref(record.owner);
    assert_same_export(&world, &origin);
    world_remove(&world);
    origin_remove(&origin);
}

static void reads_serve_the_old_state_until_it_is_done(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    struct report report = {0};
    origin_make(&origin, 3, 10, 10);
    world_make(&world);
    world_put(&world, SLICE_LITERAL("old"), SLICE_LITERAL("in LMDB"));
    world_checkpoint(&world);
    world_put(&world, SLICE_LITERAL("new"), SLICE_LITERAL("in the tail"));
    uint64_t index = world.index;
    store_install(world.store, world_stage(&world, &origin.chunks), on_done, &report);
    while (world.store->is_writing) { /* the job may have long been run */
        assert_value(&world, SLICE_LITERAL("old"), SLICE_LITERAL("in LMDB"));
        assert_value(&world, SLICE_LITERAL("new"), SLICE_LITERAL("in the tail"));
        assert_int_equal(world_region(&world)->applied.index, index);
        assert_int_equal(report.count, 0);
        store_checkpoint(world.store); /* nothing of that sort meanwhile */
        env_uv_run_once(world.place.env, true);
    }
    assert_int_equal(report.count, 1);
    assert_taken_over(&world, &origin);
    assert_int_equal(world.checkpointed, 1);
    world_remove(&world);
    origin_remove(&origin);
}

static void a_tiny_map_grows_for_it(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {.options = {.map_size_bytes = 1}};
    origin_make(&origin, 20, 200000, 0);
    place_make(&world.place);
    world_open(&world);
    struct report report = {0};
    store_install(world.store, world_stage(&world, &origin.chunks), on_done, &report);
    assert_true(store_stats(world.store)->map_size_bytes < 1u << 20); /* as of the last look */
    wait_for_report(&world, &report);
    assert_true(store_stats(world.store)->map_size_bytes > 4000000);
    assert_taken_over(&world, &origin);
    world_remove(&world);
    origin_remove(&origin);
}

static void an_estimate_that_was_too_low_costs_another_attempt(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {.options = {.map_size_bytes = 1}};
    struct report report = {0};
    origin_make(&origin, 20, 200000, 0);
    place_make(&world.place);
    world_open(&world);
    /* As store_install does it, without having reserved anything. */
    struct store_install *install = &world.store->install;
    install->incoming = world_stage(&world, &origin.chunks);
    install->done = on_done;
    install->ctx = &report;
    const struct store_region *region = store_incoming_region(install->incoming);
    store_region_encode(region, &install->state);
    install->replacement = (struct checkpoint_replacement){
        .region = {REGION, writer_slice(&install->state)}, .next = store_staged_next};
    world.store->is_writing = true;
    env_worker_submit(world.store->worker, &install->job);
    wait_for_report(&world, &report);
    assert_int_equal(report.e, OK);
    assert_int_equal(store_stats(world.store)->checkpoint_failures, 0);
    assert_taken_over(&world, &origin);
    world_remove(&world);
    origin_remove(&origin);
}

static void flip_last_byte(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_true(fd >= 0);
    off_t offset = lseek(fd, -1, SEEK_END);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
}

static void a_file_that_rots_before_it_is_taken_over_leaves_the_old_state(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    struct report report = {0};
    origin_make(&origin, 100, 100, 0);
    world_make(&world);
    world_put(&world, SLICE_LITERAL("old"), SLICE_LITERAL("value"));
    world_checkpoint(&world);
    uint64_t index = world.index;
    struct store_incoming *incoming = world_stage(&world, &origin.chunks);
    flip_last_byte(
        store_incoming_path(incoming)); /* found when all records are in the transaction */
    store_install(world.store, incoming, on_done, &report);
    wait_for_report(&world, &report);
    assert_int_equal(report.e, ERR_DAMAGED);
    assert_int_equal(world_region(&world)->applied.index, index);
    assert_value(&world, SLICE_LITERAL("old"), SLICE_LITERAL("value"));
    assert_int_equal(staged_count(&world.place), 0);
    world_put(&world, SLICE_LITERAL("goes on"), SLICE_EMPTY);
    world_reopen(&world);
    assert_int_equal(world.index, index);
    assert_value(&world, SLICE_LITERAL("old"), SLICE_LITERAL("value"));
    world_remove(&world);
    origin_remove(&origin);
}

struct intruder {
    struct world world;
    struct origin origin;
};

/* For a child process, which can be forked only while there are no threads. */
static void intruder_make(struct intruder *intruder, unsigned count, size_t size)
{
    origin_make(&intruder->origin, count, size, 0);
    store_close(intruder->origin.world.store);
    intruder->origin.world.store = NULL;
    place_make(&intruder->world.place);
}

static void apply_meanwhile(void *ctx)
{
    struct intruder *intruder = ctx;
    struct report report;
    world_make_in_child(&intruder->world);
    store_install(intruder->world.store, world_stage(&intruder->world, &intruder->origin.chunks),
                  on_done, &report);
    store_apply_nothing(intruder->world.store, REGION, world_next(&intruder->world));
}

static void applying_meanwhile_is_our_bug(void **state)
{
    (void)state;
    struct intruder intruder = {0};
    intruder_make(&intruder, 10, 10);
    int status = status_of(apply_meanwhile, &intruder);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    world_open(&intruder.world); /* and a crash at this instant leaves the new state */
    assert_taken_over(&intruder.world, &intruder.origin);
    world_remove(&intruder.world);
    origin_remove(&intruder.origin);
}

/* ---- closing and opening ---- */

static void what_closing_interrupts_is_taken_over_at_the_next_opening(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    struct report report = {0};
    origin_make(&origin, 100, 1000, 100);
    world_make(&world);
    fill(&world, 50, 50);
    store_checkpoint(world.store);
    store_install(world.store, world_stage(&world, &origin.chunks), on_done, &report);
    world_reopen(&world); /* waits for the checkpoint and does not begin anything more */
    assert_int_equal(report.count, 0);
    assert_taken_over(&world, &origin);
    assert_same_export(&world, &origin);
    world_remove(&world);
    origin_remove(&origin);
}

static void closing_waits_for_the_one_under_way(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    struct report report = {0};
    origin_make(&origin, 100, 1000, 0);
    world_make(&world);
    store_install(world.store, world_stage(&world, &origin.chunks), on_done, &report);
    store_close(world.store);
    assert_int_equal(report.count, 0);
    assert_int_equal(staged_count(&world.place), 0);
    world_open(&world);
    assert_taken_over(&world, &origin);
    world_remove(&world);
    origin_remove(&origin);
}

static void a_complete_one_that_a_crash_left_is_taken_over(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {.options = {.map_size_bytes = 1}};
    origin_make(&origin, 1000, 100, 0);
    world_make(&world);
    fill(&world, 10, 10);
    world_checkpoint(&world);
    store_incoming_close(world_stage(&world, &origin.chunks));
    assert_int_equal(staged_count(&world.place), 1);
    world_reopen(&world);
    assert_taken_over(&world, &origin);
    assert_same_export(&world, &origin);
    world_reopen(&world);
    assert_taken_over(&world, &origin);
    world_remove(&world);
    origin_remove(&origin);
}

static void one_that_is_not_ahead_is_removed(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    origin_make(&origin, 10, 10, 0);
    world_make(&world);
    fill(&world, 10, 20); /* the same position, other values */
    fill_system(&world, 2);
    world_checkpoint(&world);
    struct hash128 hash = world_region(&world)->state_hash;
    assert_int_equal(world.index, origin.region.applied.index);
    store_incoming_close(world_stage(&world, &origin.chunks));
    world_reopen(&world);
    assert_true(hash128_equal(world_region(&world)->state_hash, hash));
    assert_int_equal(staged_count(&world.place), 0);
    world_remove(&world);
    origin_remove(&origin);
}

static void put_file(const struct world *world, const char *name, struct slice bytes)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", world->place.incoming_directory, name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    if (bytes.size > 0) {
        assert_int_equal(fwrite(bytes.data, 1, bytes.size, stream), bytes.size);
    }
    assert_int_equal(fclose(stream), 0);
}

/* A file of this name and these bytes is found at opening, and the old state stays. */
static void assert_removed(struct world *world, const char *name, struct slice bytes)
{
    uint64_t index = world->index;
    store_close(world->store);
    put_file(world, name, bytes);
    assert_int_equal(staged_count(&world->place), 1);
    world_open(world);
    assert_int_equal(world->index, index);
    assert_value(world, SLICE_LITERAL("old"), SLICE_LITERAL("value"));
    assert_int_equal(staged_count(&world->place), 0);
}

static void incomplete_and_damaged_ones_are_removed(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    origin_make(&origin, 4, 10, 0);
    world_make(&world);
    world_put(&world, SLICE_LITERAL("old"), SLICE_LITERAL("value"));
    world_checkpoint(&world);
    store_incoming_discard(world_stage(&world, &origin.chunks)); /* makes the directory */
    struct writer *bytes = &origin.chunks.bytes;
    assert_removed(&world, "1-2-3.partial", writer_slice(bytes));
    assert_removed(&world, "1-2-3.snapshot", SLICE_EMPTY);
    for (size_t i = 0; i < bytes->size; i += 7) {
        bytes->data[i] ^= 4;
        assert_removed(&world, "1-2-3.snapshot", writer_slice(bytes));
        bytes->data[i] ^= 4;
        assert_removed(&world, "1-2-3.snapshot", (struct slice){bytes->data, i});
    }
    world_remove(&world);
    origin_remove(&origin);
}

static void files_of_others_stay(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    origin_make(&origin, 1, 10, 0);
    world_make(&world);
    world_checkpoint(&world);
    store_incoming_discard(world_stage(&world, &origin.chunks));
    put_file(&world, "README", SLICE_LITERAL("hello"));
    world_reopen(&world);
    assert_int_equal(staged_count(&world.place), 1);
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/README", world.place.incoming_directory);
    assert_int_equal(unlink(path), 0);
    world_remove(&world);
    origin_remove(&origin);
}

/* A region that this store does not have cannot be among its own. */
static void one_of_another_region_is_removed(void **state)
{
    (void)state;
    struct origin origin = {0};
    struct world world = {0};
    struct membership membership = {.conf = {.voters = {.count = 1, .ids = {7}}}};
    origin_make(&origin, 4, 10, 0);
    place_make(&world.place);
    world_open(&world);
    store_apply_membership(world.store, 2, (struct raft_pos){1, 1}, &membership);
    world_checkpoint(&world);
    struct err_note note = {""};
    struct store_incoming *incoming;
    err e = store_incoming_begin(world.store, REGION, origin.chunks.pos, &incoming, &note);
    assert_int_equal(e, OK);
    store_incoming_close(incoming);
    store_close(world.store);
    put_file(&world, "1-2-3.snapshot", writer_slice(&origin.chunks.bytes));
    world_open(&world);
    assert_null(world_region(&world));
    assert_int_equal(staged_count(&world.place), 0);
    world_remove(&world);
    origin_remove(&origin);
}

/* ---- a full disk ---- */

static void live_through_a_full_disk(void *ctx)
{
    struct intruder *intruder = ctx;
    struct world *world = &intruder->world;
    struct report report = {0};
    world_make_in_child(world);
    world_put(world, SLICE_LITERAL("old"), SLICE_LITERAL("value"));
    struct store *store = world->store;
    struct store_incoming *incoming = world_stage(world, &intruder->origin.chunks);
    limit_file_size(store_stats(store)->size_bytes);
    store_install(store, incoming, on_done, &report);
    for (uint64_t i = 1; i <= 3; i++) {
        while (store_stats(store)->checkpoint_failures < i) {
            env_uv_run_once(world->place.env, true);
        }
        EXPECT(!store->is_writing);
        store_turn(store);
        EXPECT(!store->is_writing); /* it waits */
        store->retry_at_ms = 0;
        store_turn(store);
        EXPECT(store->is_writing);
    }
    EXPECT(store->failure == ERR_NO_SPACE);
    EXPECT(report.count == 0);
    assert_value(world, SLICE_LITERAL("old"), SLICE_LITERAL("value"));
    while (store_stats(store)->checkpoint_failures < 4) {
        env_uv_run_once(world->place.env, true);
    }
    limit_file_size(RLIM_INFINITY);
    store_checkpoint(store); /* does not wait for its time */
    wait_for_report(world, &report);
    EXPECT(report.e == OK);
    EXPECT(store->failure == OK);
    EXPECT(store_health(store) == OK);
    store_close(store);
}

static void a_full_disk_is_lived_through(void **state)
{
    (void)state;
    struct intruder intruder = {0};
    intruder_make(&intruder, 100, 1000);
    int status = status_of(live_through_a_full_disk, &intruder);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0); /* else: the line that failed */
    world_open(&intruder.world);
    assert_taken_over(&intruder.world, &intruder.origin);
    world_remove(&intruder.world);
    origin_remove(&intruder.origin);
}

static void stage_on_a_full_disk(void *ctx)
{
    struct intruder *intruder = ctx;
    struct world *world = &intruder->world;
    world_make_in_child(world);
    world_checkpoint(world);
    struct store_incoming *incoming = world_begin(world, intruder->origin.chunks.pos);
    limit_file_size(10000);
    err e = OK;
    for (size_t i = 0; e == OK && i < intruder->origin.chunks.count; i++) {
        struct slice chunk = chunk_at(&intruder->origin.chunks, i);
        e = store_incoming_write(incoming, chunk, i + 1 == intruder->origin.chunks.count);
    }
    EXPECT(e == ERR_NO_SPACE);
    store_incoming_close(incoming);
    EXPECT(staged_count(&world->place) == 0);
    store_close(world->store);
}

static void a_disk_that_is_full_while_chunks_come_in_is_told(void **state)
{
    (void)state;
    struct intruder intruder = {0};
    intruder_make(&intruder, 100, 1000);
    assert_true(exited_with(status_of(stage_on_a_full_disk, &intruder), 0));
    world_open(&intruder.world);
    world_remove(&intruder.world);
    origin_remove(&intruder.origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_store_becomes_what_the_other_was),
        cmocka_unit_test(what_was_there_goes_with_its_tails),
        cmocka_unit_test(reads_serve_the_old_state_until_it_is_done),
        cmocka_unit_test(a_tiny_map_grows_for_it),
        cmocka_unit_test(an_estimate_that_was_too_low_costs_another_attempt),
        cmocka_unit_test(a_file_that_rots_before_it_is_taken_over_leaves_the_old_state),
        cmocka_unit_test(applying_meanwhile_is_our_bug),
        cmocka_unit_test(what_closing_interrupts_is_taken_over_at_the_next_opening),
        cmocka_unit_test(closing_waits_for_the_one_under_way),
        cmocka_unit_test(a_complete_one_that_a_crash_left_is_taken_over),
        cmocka_unit_test(one_that_is_not_ahead_is_removed),
        cmocka_unit_test(incomplete_and_damaged_ones_are_removed),
        cmocka_unit_test(files_of_others_stay),
        cmocka_unit_test(one_of_another_region_is_removed),
        cmocka_unit_test(a_full_disk_is_lived_through),
        cmocka_unit_test(a_disk_that_is_full_while_chunks_come_in_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
