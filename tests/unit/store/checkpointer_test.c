#include "system_testing.h"

#define TAIL_BYTES UINT64_C(20000)

/* One turn of the loop, with what node does in it. */
static void turn(struct world *world, bool wait)
{
    env_uv_run_once(world->place.env, wait);
    store_turn(world->store);
}

static void wait_for_checkpoints(struct world *world, unsigned count)
{
    while (world->checkpointed < count) {
        turn(world, true);
    }
}

static void put_in(struct world *world, enum store_space space, uint64_t number, struct slice value)
{
    char key[KEY_TEXT_SIZE];
    if (space == STORE_SPACE_USER) {
        world_put(world, key_of(key, number), value);
    } else {
        world_put_system(world, key_of(key, number), value);
    }
}

/* Applies values of 1000 bytes under new keys until the tails hold more than `bytes`. */
static void fill_tails(struct world *world, enum store_space space, uint64_t bytes)
{
    static const uint8_t value[1000];
    while (store_tails_bytes(&world->store->active) <= bytes) {
        put_in(world, space, world->index, (struct slice){value, sizeof(value)});
    }
}

static void fill_tail(struct world *world, uint64_t bytes)
{
    fill_tails(world, STORE_SPACE_USER, bytes);
}

static void a_tail_past_its_size_is_checkpointed(void **state)
{
    (void)state;
    struct world world = {.options = {.tail_bytes_max = TAIL_BYTES}};
    world_make(&world);
    fill_tail(&world, TAIL_BYTES - 2000);
    store_turn(world.store);
    assert_false(world.store->is_writing);
    fill_tail(&world, TAIL_BYTES);
    store_turn(world.store);
    assert_true(world.store->is_writing);
    assert_true(store_stats(world.store)->is_checkpointing);
    uint64_t frozen_at = world.index;
    world_put(&world, SLICE_LITERAL("later"), SLICE_EMPTY);
    wait_for_checkpoints(&world, 1);
    assert_false(store_stats(world.store)->is_checkpointing);
    assert_int_equal(world_region(&world)->checkpoint.index, frozen_at);
    assert_int_equal(store_stats(world.store)->tail_records, 1);
    world_remove(&world);
}

static void the_systems_records_make_a_checkpoint_due_as_the_users_do(void **state)
{
    (void)state;
    struct world world = {.options = {.tail_bytes_max = TAIL_BYTES}};
    world_make(&world);
    unsigned count = 0;
    while (!world.store->is_writing) {
        char key[KEY_TEXT_SIZE];
        world_put_system(&world, key_of(key, count), (struct slice){(uint8_t[1000]){0}, 1000});
        assert_true(store_stats(world.store)->tail_bytes < TAIL_BYTES + 2000);
        store_turn(world.store);
        count++;
    }
    assert_int_equal(store_stats(world.store)->tail_records, count);
    wait_for_checkpoints(&world, 1);
    assert_int_equal(store_stats(world.store)->checkpoint_records, count);
    assert_int_equal(store_stats(world.store)->tail_records, 0);
    world_remove(&world);
}

static void a_key_that_is_written_again_and_again_is_checkpointed_for_the_logs_sake(void **state)
{
    (void)state;
    static const uint8_t value[1000];
    struct world world = {.options = {.tail_bytes_max = TAIL_BYTES}};
    world_make(&world);
    unsigned count = 0;
    while (!world.store->is_writing) {
        world_put(&world, SLICE_LITERAL("k"), (struct slice){value, sizeof(value)});
        assert_true(store_tails_bytes(&world.store->active) < TAIL_BYTES / 2);
        store_turn(world.store);
        count++;
        assert_true(count < 100);
    }
    assert_true(count > 4 * TAIL_BYTES / 1100);
    wait_for_checkpoints(&world, 1);
    world_remove(&world);
}

static void check_wide_tail(enum store_space space)
{
    uint64_t bound = 4 << 20;
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    struct world world = {.options = {.tail_bytes_max = bound}};
    world_make(&world);
    fill_tails(&world, space, bound / 4);
    world_checkpoint(&world);
    fill_tails(&world, space, bound - TAIL_BYTES); /* there are not so many pages yet */
    store_turn(world.store);
    assert_false(world.store->is_writing);
    world_checkpoint(&world);
    uint64_t count = 0;
    while (!world.store->is_writing) {
        put_in(&world, space, count, SLICE_EMPTY);
        count++;
        assert_true((count - 1) * page_size < bound);
        store_turn(world.store);
    }
    assert_true(store_tails_bytes(&world.store->frozen) < bound / 4);
    assert_true(count * page_size > bound / 2);
    wait_for_checkpoints(&world, 3);
    world_remove(&world);
}

static void a_small_tail_that_touches_many_pages_is_checkpointed(void **state)
{
    (void)state;
    check_wide_tail(STORE_SPACE_USER);
    check_wide_tail(STORE_SPACE_SYSTEM);
}

/* The node's heartbeat: turns go on happening although nothing is applied. */
struct ticker {
    struct env_timer timer;
    struct world *world;
};

static void on_tick(struct env_timer *timer)
{
    store_turn(CONTAINER_OF(timer, struct ticker, timer)->world->store);
}

static void an_old_tail_is_checkpointed_even_if_only_the_position_has_moved(void **state)
{
    (void)state;
    struct world world = {.options = {.checkpoint_age_ms_max = 40}};
    struct ticker ticker = {.world = &world};
    world_make(&world);
    env_timer_init(world.place.env, &ticker.timer, on_tick);
    env_timer_start(&ticker.timer, 5, 5);
    uint64_t began_ms = env_now_ms(world.place.env);
    while (world.checkpointed == 0) {
        env_uv_run_once(world.place.env, true);
    }
    assert_true(env_now_ms(world.place.env) - began_ms >= 40);
    assert_int_equal(world_region(&world)->checkpoint.index, 1);
    store_apply_nothing(world.store, REGION, world_next(&world));
    while (world.checkpointed == 1) {
        env_uv_run_once(world.place.env, true);
    }
    assert_int_equal(world_region(&world)->checkpoint.index, 2);
    env_timer_deinit(&ticker.timer);
    world_remove(&world);
}

static void without_anything_new_there_is_no_checkpoint(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_checkpoint(&world);
    store_checkpoint(world.store);
    assert_false(world.store->is_writing);
    store_apply_nothing(world.store, REGION, world_next(&world));
    store_checkpoint(world.store);
    assert_true(world.store->is_writing);
    store_apply_nothing(world.store, REGION, world_next(&world));
    store_checkpoint(world.store); /* one is under way */
    wait_for_checkpoints(&world, 2);
    assert_int_equal(world_region(&world)->checkpoint.index, 2);
    assert_false(world.store->is_writing);
    world_remove(&world);
}

static void only_regions_that_have_moved_are_written(void **state)
{
    (void)state;
    struct membership membership = {.conf = {.voters = {.count = 1, .ids = {7}}}};
    struct world world = {0};
    world_make(&world);
    store_apply_membership(world.store, 9, (struct raft_pos){1, 1}, &membership);
    world_checkpoint(&world);
    assert_int_equal(world.store->batch.region_count, 2);
    store_apply_nothing(world.store, 9, (struct raft_pos){2, 2});
    world_checkpoint(&world);
    assert_int_equal(world.store->batch.region_count, 1);
    assert_int_equal(store_region(world.store, 9)->checkpoint.index, 2);
    assert_int_equal(store_region(world.store, 9)->checkpoint.term, 2);
    assert_int_equal(world_region(&world)->checkpoint.index, 1);
    world_remove(&world);
}

static void a_tiny_map_grows_with_what_is_put_into_it(void **state)
{
    (void)state;
    struct world world = {.options = {.tail_bytes_max = 200000, .map_size_bytes = 1}};
    world_make(&world);
    uint64_t first = store_stats(world.store)->map_size_bytes;
    assert_true(first <= 64u << 10);
    for (unsigned i = 1; i <= 20; i++) {
        fill_tail(&world, 200000);
        store_turn(world.store);
        wait_for_checkpoints(&world, i);
    }
    assert_true(store_stats(world.store)->map_size_bytes > 3600000);
    assert_value(&world, SLICE_LITERAL("key-00000001"), (struct slice){(uint8_t[1000]){0}, 1000});
    world_remove(&world);
}

static void an_estimate_that_was_too_low_costs_another_attempt(void **state)
{
    (void)state;
    struct world world = {.options = {.map_size_bytes = 1}};
    world_make(&world);
    fill_tail(&world, 1 << 20);
    /* As store_checkpoint does it, without having reserved anything. */
    struct store *store = world.store;
    store_tails_freeze(&store->active);
    store->frozen = store->active;
    store->active = store_tails_new();
    store->batch = (struct checkpoint_batch){.tails = store->frozen};
    store->is_writing = true;
    env_worker_submit(store->worker, &store->job);
    wait_for_checkpoints(&world, 1);
    assert_int_equal(store_stats(store)->checkpoint_failures, 0);
    assert_true(store_stats(store)->map_size_bytes >= 1 << 20);
    assert_value(&world, SLICE_LITERAL("key-00000001"), (struct slice){(uint8_t[1000]){0}, 1000});
    world_remove(&world);
}

static void a_tail_that_outgrows_a_slow_checkpoint_holds_writes_back(void **state)
{
    (void)state;
    struct world world = {.options = {.tail_bytes_max = TAIL_BYTES}};
    world_make(&world);
    fill_tail(&world, 3 * TAIL_BYTES);
    assert_int_equal(store_health(world.store),
                     OK); /* nothing is under way: the turn will see to it */
    store_turn(world.store);
    assert_int_equal(store_health(world.store), OK);
    fill_tail(&world, 2 * TAIL_BYTES);
    assert_int_equal(store_health(world.store), ERR_OVERLOADED);
    wait_for_checkpoints(&world, 1);
    assert_int_equal(store_health(world.store), OK);
    wait_for_checkpoints(&world, 2);
    world_remove(&world);
}

static void what_was_checkpointed_is_freed_slice_by_slice(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    for (unsigned i = 0; i < 3000; i++) {
        char key[KEY_TEXT_SIZE];
        world_put(&world, key_of(key, i), SLICE_EMPTY);
    }
    world_checkpoint(&world);
    assert_true(store_tails_are_there(&world.store->drained));
    unsigned turns = 0;
    store_turn(world.store); /* as after every turn, the one of the checkpoint's end too */
    while (world.store->drained.of[STORE_SPACE_SYSTEM] != NULL) { /* the last one */
        turn(&world, true); /* which nothing but store_turn wakes */
        turns++;
    }
    assert_true(turns > 3000 / 1024);
    assert_value(&world, SLICE_LITERAL("key-00002999"), SLICE_EMPTY);
    world_put(&world, SLICE_LITERAL("a"), SLICE_EMPTY);
    world_checkpoint(&world); /* and a second one, before the first is gone */
    world_put(&world, SLICE_LITERAL("b"), SLICE_EMPTY);
    world_checkpoint(&world);
    world_remove(&world);
}

static void closing_waits_for_the_checkpoint_under_way_and_reports_nothing_more(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    fill_tail(&world, 1 << 20);
    store_checkpoint(world.store);
    world_put(&world, SLICE_LITERAL("not in it"), SLICE_EMPTY);
    uint64_t written = world.index - 1;
    world_reopen(&world);
    assert_int_equal(world.checkpointed, 0);
    assert_int_equal(world.index, written);
    assert_no_value(&world, SLICE_LITERAL("not in it"), ERR_NOT_FOUND);
    world_remove(&world);
}

/* ---- a full disk ---- */

static void count_line(void *ctx, enum log_level level, const char *line, size_t size)
{
    (void)line;
    (void)size;
    unsigned *counts = ctx;
    counts[level]++;
}

static uint64_t no_clock(void *ctx)
{
    (void)ctx;
    return 0;
}

static void wait_for_failures(struct world *world, uint64_t count)
{
    while (store_stats(world->store)->checkpoint_failures < count) {
        env_uv_run_once(world->place.env, true);
    }
}

static void live_through_a_full_disk(void *ctx)
{
    unsigned lines[4] = {0};
    struct log_options log_options = {
        .level = LOG_LEVEL_DEBUG, .sink = count_line, .sink_ctx = lines, .clock = no_clock};
    struct world *world = ctx;
    world->options.tail_bytes_max = TAIL_BYTES;
    world->options.log = log_new(&log_options);
    world_make_in_child(world);
    struct store *store = world->store;
    limit_file_size(store_stats(store)->size_bytes);
    fill_tail(world, TAIL_BYTES);
    store_turn(store);
    wait_for_failures(world, 1);
    EXPECT(store->backoff_ms == 1000);
    EXPECT(store_health(store) == OK);
    store_turn(store);
    EXPECT(!store->is_writing); /* it waits */
    for (uint64_t i = 2; i <= 8; i++) {
        store->retry_at_ms = 0;
        store_turn(store);
        EXPECT(store->is_writing);
        wait_for_failures(world, i);
    }
    EXPECT(store->backoff_ms == 30000);
    EXPECT(lines[LOG_LEVEL_ERROR] == 1);
    fill_tail(world, 2 * TAIL_BYTES);
    EXPECT(store_health(store) == ERR_NO_SPACE);
    struct store_record record;
    EXPECT(store_get(store, SLICE_LITERAL("key-00000001"), &record) == OK);
    buf_unref(record.owner);
    limit_file_size(RLIM_INFINITY);
    store_checkpoint_soon(store);
    EXPECT(!store->is_writing);
    store_checkpoint(store); /* does not wait for its time */
    wait_for_checkpoints(world, 2);
    EXPECT(store_health(store) == OK);
    EXPECT(store->backoff_ms == 0);
    EXPECT(lines[LOG_LEVEL_ERROR] == 1);
    EXPECT(lines[LOG_LEVEL_INFO] == 1);
    EXPECT(store_stats(store)->checkpoint_failures == 8);
    store_close(store);
}

static void a_full_disk_is_lived_through(void **state)
{
    (void)state;
    struct world world = {0};
    place_make(&world.place);
    int status = status_of(live_through_a_full_disk, &world);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0); /* else: the line that failed */
    world_open(&world);
    assert_int_equal(world_region(&world)->checkpoint.index, world.index);
    assert_value(&world, SLICE_LITERAL("key-00000001"), (struct slice){(uint8_t[1000]){0}, 1000});
    world_remove(&world);
}

/* ---- what goes with it ---- */

/* What was called, a letter each. */
static void note_call(void *ctx, char call)
{
    char *calls = ctx;
    size_t count = strlen(calls);
    calls[count] = call;
    calls[count + 1] = '\0';
}

static void on_freeze(void *ctx)
{
    note_call(ctx, 'f');
}

static void on_write(void *ctx)
{
    note_call(ctx, 'w');
}

static void on_done(void *ctx)
{
    note_call(ctx, 'd');
}

/* The first time it has nothing, then all the room that is needed. */
static bool on_give_way(void *ctx)
{
    note_call(ctx, 'g');
    bool has_room = strchr(ctx, 'g') != strrchr(ctx, 'g');
    if (has_room) {
        limit_file_size(RLIM_INFINITY);
    }
    return has_room;
}

static void take_a_companions_room(void *ctx)
{
    char calls[32] = "";
    struct world *world = ctx;
    world->options.tail_bytes_max = TAIL_BYTES;
    world->options.companion = (struct store_companion){.freeze = on_freeze,
                                                        .write = on_write,
                                                        .give_way = on_give_way,
                                                        .done = on_done,
                                                        .ctx = calls};
    world_make_in_child(world);
    struct store *store = world->store;
    calls[0] = '\0'; /* of what made the region */
    unsigned before = (unsigned)store_stats(store)->checkpoints;
    limit_file_size(store_stats(store)->size_bytes);
    fill_tail(world, TAIL_BYTES);
    store_turn(store);
    wait_for_failures(world, 1);
    EXPECT(strcmp(calls, "fwgd") == 0);
    store_checkpoint(store);
    wait_for_checkpoints(world, before + 1);
    EXPECT(strcmp(calls, "fwgdwgd") == 0); /* frozen once, written again with each attempt */
    EXPECT(store_stats(store)->checkpoint_failures == 1);
    store_close(store);
}

static void a_companion_is_ahead_of_the_checkpoint_and_gives_way_to_it(void **state)
{
    (void)state;
    struct world world = {0};
    place_make(&world.place);
    int status = status_of(take_a_companions_room, &world);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0); /* else: the line that failed */
    world_open(&world);
    assert_int_equal(world_region(&world)->checkpoint.index, world.index);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_past_its_size_is_checkpointed),
        cmocka_unit_test(the_systems_records_make_a_checkpoint_due_as_the_users_do),
        cmocka_unit_test(a_key_that_is_written_again_and_again_is_checkpointed_for_the_logs_sake),
        cmocka_unit_test(a_small_tail_that_touches_many_pages_is_checkpointed),
        cmocka_unit_test(an_old_tail_is_checkpointed_even_if_only_the_position_has_moved),
        cmocka_unit_test(without_anything_new_there_is_no_checkpoint),
        cmocka_unit_test(only_regions_that_have_moved_are_written),
        cmocka_unit_test(a_tiny_map_grows_with_what_is_put_into_it),
        cmocka_unit_test(an_estimate_that_was_too_low_costs_another_attempt),
        cmocka_unit_test(a_tail_that_outgrows_a_slow_checkpoint_holds_writes_back),
        cmocka_unit_test(what_was_checkpointed_is_freed_slice_by_slice),
        cmocka_unit_test(closing_waits_for_the_checkpoint_under_way_and_reports_nothing_more),
        cmocka_unit_test(a_full_disk_is_lived_through),
        cmocka_unit_test(a_companion_is_ahead_of_the_checkpoint_and_gives_way_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
