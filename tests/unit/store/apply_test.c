#include "base/prng.h"
#include "store/store_int.h"
#include "store_testing.h"

#define KEY SLICE_LITERAL("key")

static void assert_state(const struct world *world, uint64_t revision, uint64_t keys,
                         uint64_t key_bytes, uint64_t value_bytes)
{
    const struct store_region *region = world_region(world);
    assert_int_equal(region->applied.index, world->index);
    assert_int_equal(region->revision, revision);
    assert_int_equal(region->keys, keys);
    assert_int_equal(region->key_bytes, key_bytes);
    assert_int_equal(region->value_bytes, value_bytes);
}

static void assert_result(struct command_result result, struct command_result expected)
{
    assert_int_equal(result.e, expected.e);
    assert_int_equal(result.revision, expected.revision);
    assert_int_equal(result.existed, expected.existed);
    assert_int_equal(result.create_revision, expected.create_revision);
    assert_int_equal(result.mod_revision, expected.mod_revision);
    assert_int_equal(result.version, expected.version);
    assert_int_equal(result.modified_ms, expected.modified_ms);
}

/*
 * One key through its life. With `checkpoints`, whatever a step meets is in LMDB; without, in the
 * tail: no result may tell the difference.
 */
static void live_one_life(bool checkpoints)
{
    const struct {
        const char *value; /* NULL: DELETE */
        uint64_t stamp_ms;
        struct command_result expected;
        uint64_t value_bytes;
    } steps[] = {
        {NULL, 100, {.revision = 0, .existed = false}, 0},
        {"one",
         200,
         {.revision = 1, .create_revision = 1, .mod_revision = 1, .version = 1, .modified_ms = 200},
         3},
        {"three",
         300,
         {.revision = 2,
          .existed = true,
          .create_revision = 1,
          .mod_revision = 2,
          .version = 2,
          .modified_ms = 300},
         5},
        {"",
         250, /* a leader whose clock is behind */
         {.revision = 3,
          .existed = true,
          .create_revision = 1,
          .mod_revision = 3,
          .version = 3,
          .modified_ms = 300},
         0},
        {NULL, 400, {.revision = 4, .existed = true}, 0},
        {NULL, 500, {.revision = 4, .existed = false}, 0},
        {"again",
         450,
         {.revision = 5, .create_revision = 5, .mod_revision = 5, .version = 1, .modified_ms = 500},
         5},
    };
    struct world world = {0};
    world_make(&world);
    assert_state(&world, 0, 0, 0, 0);
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        if (checkpoints) {
            world_checkpoint(&world);
        }
        world.stamp_ms = steps[i].stamp_ms;
        bool is_put = steps[i].value != NULL;
        struct slice value = is_put ? slice_from_text(steps[i].value) : SLICE_EMPTY;
        struct command_result result =
            is_put ? world_put(&world, KEY, value) : world_delete(&world, KEY);
        assert_result(result, steps[i].expected);
        assert_state(&world, steps[i].expected.revision, is_put, is_put ? 3 : 0,
                     steps[i].value_bytes);
        if (is_put) {
            assert_value(&world, KEY, value);
        } else {
            assert_no_value(&world, KEY, ERR_NOT_FOUND);
        }
    }
    assert_int_equal(world_region(&world)->clock_ms, 500);
    world_remove(&world);
}

static void a_key_lives_by_the_table_in_memory(void **state)
{
    (void)state;
    live_one_life(false);
}

static void a_key_lives_by_the_table_in_lmdb(void **state)
{
    (void)state;
    live_one_life(true);
}

static void a_get_tells_what_the_put_answered(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 777};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("other"), SLICE_EMPTY);
    struct command command = {.type = COMMAND_PUT,
                              .stamp_ms = 900,
                              .key = KEY,
                              .value = SLICE_LITERAL("{}"),
                              .content_type = SLICE_LITERAL("application/json")};
    struct command_result put = world_apply(&world, &command);
    for (int i = 0; i < 2; i++) {
        struct store_record record;
        assert_int_equal(store_get(world.store, KEY, &record), OK);
        assert_true(slice_equal(record.value, command.value));
        assert_true(slice_equal(record.content_type, command.content_type));
        assert_int_equal(record.create_revision, put.create_revision);
        assert_int_equal(record.mod_revision, put.mod_revision);
        assert_int_equal(record.version, put.version);
        assert_int_equal(record.modified_ms, put.modified_ms);
        assert_int_equal(record.expires_ms, 0);
        assert_int_equal(record.flags, 0);
        buf_unref(record.owner);
        world_checkpoint(&world); /* the second time it comes from LMDB */
        world_put(&world, SLICE_LITERAL("other"), SLICE_EMPTY);
    }
    world_remove(&world);
}

static void the_hash_of_nothing_is_zero_again_after_deleting_all(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct hash128 zero = {0, 0};
    assert_true(hash128_equal(world_region(&world)->state_hash, zero));
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    struct hash128 one = world_region(&world)->state_hash;
    assert_false(hash128_equal(one, zero));
    world_put(&world, SLICE_LITERAL("b"), SLICE_LITERAL("1"));
    assert_false(hash128_equal(world_region(&world)->state_hash, one));
    world_checkpoint(&world);
    world_delete(&world, SLICE_LITERAL("b"));
    assert_true(hash128_equal(world_region(&world)->state_hash, one));
    world_delete(&world, SLICE_LITERAL("a"));
    assert_true(hash128_equal(world_region(&world)->state_hash, zero));
    world_remove(&world);
}

static void a_write_past_the_last_revision_is_refused(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 5};
    world_make(&world);
    world_put(&world, KEY, SLICE_LITERAL("old"));
    store_find_region(world.store, REGION)->revision = REVISION_MAX - 1;
    struct command_result result = world_put(&world, KEY, SLICE_LITERAL("last"));
    assert_int_equal(result.e, OK);
    assert_int_equal(result.mod_revision, REVISION_MAX);
    struct hash128 hash = world_region(&world)->state_hash;
    struct command_result refused = {.e = ERR_QUOTA, .revision = REVISION_MAX};
    assert_result(world_put(&world, KEY, SLICE_LITERAL("past")), refused);
    assert_result(world_put(&world, SLICE_LITERAL("new"), SLICE_EMPTY), refused);
    assert_result(world_delete(&world, KEY), refused);
    struct command_result nothing = {.revision = REVISION_MAX};
    assert_result(world_delete(&world, SLICE_LITERAL("missing")), nothing); /* writes nothing */
    assert_state(&world, REVISION_MAX, 1, 3, 4);
    assert_true(hash128_equal(world_region(&world)->state_hash, hash));
    assert_value(&world, KEY, SLICE_LITERAL("last"));
    world_remove(&world);
}

static struct command_result put_within(struct world *world, uint64_t quota, struct slice key,
                                        uint32_t size)
{
    static const uint8_t bytes[1024];
    struct command command = {
        .type = COMMAND_PUT, .quota_bytes = quota, .key = key, .value = {bytes, size}};
    return world_apply(world, &command);
}

static void a_put_that_outgrows_its_quota_is_refused(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 5};
    world_make(&world);
    uint64_t quota = 2 * STORE_RECORD_COST + 2 + 100;
    assert_int_equal(put_within(&world, quota, SLICE_LITERAL("a"), 60).e, OK);
    assert_int_equal(put_within(&world, quota, SLICE_LITERAL("b"), 40).e, OK);
    assert_int_equal(store_region_used(world_region(&world)), quota); /* exactly all of it */
    struct hash128 hash = world_region(&world)->state_hash;
    struct command_result refused = {.e = ERR_QUOTA, .revision = 2};
    assert_result(put_within(&world, quota, SLICE_LITERAL("a"), 61), refused);
    assert_result(put_within(&world, quota, SLICE_LITERAL("c"), 0), refused);
    assert_state(&world, 2, 2, 2, 100);
    assert_true(hash128_equal(world_region(&world)->state_hash, hash));
    /* The same size, or less, is taken, also past a quota that was lowered. */
    assert_int_equal(put_within(&world, quota / 2, SLICE_LITERAL("a"), 60).e, OK);
    assert_int_equal(put_within(&world, quota / 2, SLICE_LITERAL("a"), 50).e, OK);
    assert_int_equal(put_within(&world, quota, SLICE_LITERAL("b"), 50).e, OK);
    assert_int_equal(put_within(&world, 0, SLICE_LITERAL("b"), 51).e, OK); /* none */
    world_checkpoint(&world); /* where a record lies makes no difference */
    assert_int_equal(put_within(&world, quota, SLICE_LITERAL("b"), 52).e, ERR_QUOTA);
    assert_int_equal(world_delete(&world, SLICE_LITERAL("a")).e, OK);
    assert_int_equal(put_within(&world, quota, SLICE_LITERAL("b"), 52).e, OK);
    world_remove(&world);
}

static void entries_without_effect_only_move_the_position(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 5};
    world_make(&world);
    world_put(&world, KEY, SLICE_LITERAL("value"));
    struct store_region before = *world_region(&world);
    struct raft_pos pos = world_next(&world);
    pos.term = 8;
    store_apply_nothing(world.store, REGION, pos);
    assert_int_equal(world_region(&world)->applied.term, 8);
    assert_state(&world, before.revision, 1, 3, 5);
    assert_true(hash128_equal(world_region(&world)->state_hash, before.state_hash));
    world_remove(&world);
}

static void a_membership_makes_a_region_and_replaces_the_one_before(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    assert_int_equal(world_region(&world)->membership.conf.voters.ids[0], 7);
    struct membership membership = {.conf = {.voters = {.count = 2, .ids = {7, 8}}}};
    store_apply_membership(world.store, REGION, world_next(&world), &membership);
    assert_int_equal(world_region(&world)->membership.conf.voters.count, 2);
    assert_null(store_region(world.store, 9));
    store_apply_membership(world.store, 9, (struct raft_pos){1, 1}, &membership);
    assert_int_equal(store_region(world.store, 9)->applied.index, 1);
    assert_state(&world, 0, 0, 0, 0);
    world_remove(&world);
}

static void apply_the_same_entry_twice(void *ctx)
{
    struct world *world = ctx;
    world_make_in_child(world);
    store_apply_nothing(world->store, REGION, (struct raft_pos){.term = 1, .index = 1});
}

static void an_entry_that_was_applied_is_not_applied_again(void **state)
{
    (void)state;
    struct world world = {0};
    place_make(&world.place);
    int status = status_of(apply_the_same_entry_twice, &world);
    place_remove(&world.place);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- determinism ---- */

#define COMMANDS 1500u

/* Command i of the seed's list: mostly over few keys, so that they meet in every layer. */
static void apply_random(struct world *world, struct prng *prng)
{
    char text[KEY_TEXT_SIZE];
    uint8_t value[600];
    struct slice key = key_of(text, prng_below(prng, 120));
    size_t size = prng_below(prng, prng_below(prng, 8) == 0 ? sizeof(value) : 20);
    memset(value, (int)prng_below(prng, 256), size);
    world->stamp_ms += prng_below(prng, 20);
    uint64_t stamp_ms = world->stamp_ms;
    switch (prng_below(prng, 10)) {
    case 0:
    case 1:
    case 2:
        world_delete(world, key);
        break;
    case 3:
        store_apply_nothing(world->store, REGION, world_next(world));
        break;
    case 4:
        world->stamp_ms = 1; /* a clock that jumps */
        world_put(world, key, (struct slice){value, size});
        world->stamp_ms = stamp_ms;
        break;
    default:
        world_put(world, key, (struct slice){value, size});
        break;
    }
}

/* How often, of 1000, after a command: a turn of the loop, a checkpoint, a crash. */
struct timing {
    uint64_t tail_bytes_max;
    unsigned turns;
    unsigned checkpoints;
    unsigned crashes;
};

/* Starts again from what is durable; the log, here the generator, gives the rest once more. */
static void crash_and_replay(struct world *world, struct prng *prng, uint64_t seed)
{
    world_reopen(world);
    if (world->index == 0) {
        world_bootstrap(world);
    }
    prng_init(prng, seed);
    uint64_t index = world->index;
    struct world scratch = {0}; /* brings the generator to where the store is */
    world_make(&scratch);
    while (scratch.index < index) {
        apply_random(&scratch, prng);
    }
    world->stamp_ms = scratch.stamp_ms;
    world_remove(&scratch);
}

/* Returns how many checkpoints there were. */
static unsigned run(uint64_t seed, const struct timing *timing, struct store_region *out_region)
{
    struct world world = {.options = {.tail_bytes_max = timing->tail_bytes_max}};
    struct prng commands;
    struct prng chance;
    prng_init(&commands, seed);
    prng_init(&chance, seed + 1);
    world_make(&world);
    while (world.index < COMMANDS) {
        apply_random(&world, &commands);
        if (prng_below(&chance, 1000) < timing->turns) {
            store_turn(world.store);
            env_uv_run_once(world.place.env, false);
        }
        while (prng_below(&chance, 10) == 0 && world.store->is_writing) {
            env_uv_run_once(world.place.env,
                            true); /* otherwise most of the list passes meanwhile */
        }
        if (prng_below(&chance, 1000) < timing->checkpoints) {
            store_checkpoint(world.store);
        }
        if (prng_below(&chance, 1000) < timing->crashes) {
            crash_and_replay(&world, &commands, seed);
        }
    }
    *out_region = *world_region(&world);
    world_remove(&world);
    return world.checkpointed;
}

static void the_state_does_not_depend_on_when_it_is_checkpointed(void **state)
{
    (void)state;
    const struct timing timings[] = {
        {0, 0, 0, 0}, /* all in memory: the reference */
        {2000, 900, 0, 0}, {20000, 300, 20, 0}, {1, 1000, 0, 0}, {5000, 500, 10, 5},
    };
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct store_region expected;
        assert_int_equal(run(seed, &timings[0], &expected), 0);
        assert_true(expected.keys > 20);
        for (size_t i = 1; i < ARRAY_COUNT(timings); i++) {
            struct store_region region;
            assert_true(run(seed, &timings[i], &region) > 3);
            assert_true(hash128_equal(region.state_hash, expected.state_hash));
            assert_int_equal(region.revision, expected.revision);
            assert_int_equal(region.clock_ms, expected.clock_ms);
            assert_int_equal(region.keys, expected.keys);
            assert_int_equal(region.key_bytes, expected.key_bytes);
            assert_int_equal(region.value_bytes, expected.value_bytes);
        }
    }
}

/* What was told, as a text: "put REVISION CLOCK KEY VALUE<-REPLACED;", "REVISION.". */
struct told {
    char text[512];
    bool from_checkpoint; /* the last that was replaced had no owner */
};

static void tell(struct told *told, const char *text)
{
    assert_true(strlen(told->text) + strlen(text) < sizeof(told->text));
    memcpy(told->text + strlen(told->text), text, strlen(text) + 1);
}

static void on_changed(void *ctx, region_id region, const struct store_change *change)
{
    static const char *const KINDS[] = {"put", "delete", "expire"};
    assert_int_equal(region, REGION);
    char text[256];
    struct slice value = change->record != NULL ? change->record->value : SLICE_EMPTY;
    struct slice old = change->replaced != NULL ? change->replaced->value : SLICE_LITERAL("none");
    (void)snprintf(text, sizeof(text), "%s %llu %llu %.*s %.*s<-%.*s; ", KINDS[change->kind],
                   (unsigned long long)change->revision, (unsigned long long)change->clock_ms,
                   (int)change->key.size, change->key.data, (int)value.size, value.data,
                   (int)old.size, old.data);
    struct world *world = ctx;
    tell(world->told, text);
    if (change->record != NULL) {
        assert_non_null(change->record->owner);
        assert_int_equal(change->record->mod_revision, change->revision);
    }
    assert_true((change->record != NULL) == (change->kind == STORE_CHANGE_PUT));
    struct told *told = world->told;
    told->from_checkpoint = change->replaced != NULL && change->replaced->owner == NULL;
}

static void on_revised(void *ctx, region_id region, uint64_t revision)
{
    assert_int_equal(region, REGION);
    char text[32];
    (void)snprintf(text, sizeof(text), "%llu. ", (unsigned long long)revision);
    struct world *world = ctx;
    tell(world->told, text);
}

static void what_is_changed_is_told_with_what_it_replaces(void **state)
{
    (void)state;
    struct told told = {.text = ""};
    struct world world = {
        .options = {.changed = on_changed, .revised = on_revised}, .stamp_ms = 5, .told = &told};
    world_make(&world);
    world_delete(&world, KEY); /* changes nothing */
    world_put(&world, KEY, SLICE_LITERAL("a"));
    world_put(&world, KEY, SLICE_LITERAL("b"));
    assert_false(told.from_checkpoint);
    world_checkpoint(&world);
    world_put(&world, KEY, SLICE_LITERAL("c"));
    assert_true(told.from_checkpoint);
    world.stamp_ms = 9;
    world_delete(&world, KEY);
    assert_string_equal(told.text, "put 1 5 key a<-none; 1. put 2 5 key b<-a; 2. "
                                   "put 3 5 key c<-b; 3. delete 4 9 key <-c; 4. ");
    world_remove(&world);
}

static void what_is_refused_is_not_told(void **state)
{
    (void)state;
    struct told told = {.text = ""};
    struct world world = {.options = {.changed = on_changed, .revised = on_revised}, .told = &told};
    world_make(&world);
    struct command command = {
        .type = COMMAND_PUT, .key = KEY, .value = SLICE_LITERAL("value"), .quota_bytes = 1};
    assert_int_equal(world_apply(&world, &command).e, ERR_QUOTA);
    assert_string_equal(told.text, "");
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_lives_by_the_table_in_memory),
        cmocka_unit_test(a_key_lives_by_the_table_in_lmdb),
        cmocka_unit_test(a_get_tells_what_the_put_answered),
        cmocka_unit_test(the_hash_of_nothing_is_zero_again_after_deleting_all),
        cmocka_unit_test(a_write_past_the_last_revision_is_refused),
        cmocka_unit_test(a_put_that_outgrows_its_quota_is_refused),
        cmocka_unit_test(entries_without_effect_only_move_the_position),
        cmocka_unit_test(a_membership_makes_a_region_and_replaces_the_one_before),
        cmocka_unit_test(an_entry_that_was_applied_is_not_applied_again),
        cmocka_unit_test(what_is_changed_is_told_with_what_it_replaces),
        cmocka_unit_test(what_is_refused_is_not_told),
        cmocka_unit_test(the_state_does_not_depend_on_when_it_is_checkpointed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
