#include "damage_testing.h"
#include "store/scrub.h"
#include "system_testing.h"

#define COUNT 3000u

/* What a store has told of itself. */
struct told {
    struct world world;
    unsigned damaged;
    unsigned refusals; /* so many are answered "no room" first */
    uint64_t revision;
    char key[KEY_TEXT_SIZE];
    const char *fault;
};

static bool on_damaged(void *ctx, struct slice key, uint64_t revision)
{
    struct told *told = CONTAINER_OF(ctx, struct told, world);
    if (told->refusals > 0) {
        told->refusals--;
        return false;
    }
    told->damaged++;
    told->revision = revision;
    assert_true(key.size < sizeof(told->key));
    memcpy(told->key, key.data, key.size);
    return true;
}

static void on_distrusted(void *ctx, const char *why)
{
    struct told *told = CONTAINER_OF(ctx, struct told, world);
    told->fault = why;
}

static void put_number(struct world *world, unsigned number)
{
    char key[KEY_TEXT_SIZE];
    char value[64];
    snprintf(value, sizeof(value), "the value of number %06u, whole", number);
    world_put(world, key_of(key, number), slice_from_text(value));
}

static void make(struct told *told, uint64_t rate)
{
    *told = (struct told){.damaged = 0};
    told->world.options.scrub_rate = rate;
    told->world.options.damaged = on_damaged;
    told->world.options.distrusted = on_distrusted;
    world_make(&told->world);
    for (unsigned i = 0; i < COUNT; i++) {
        put_number(&told->world, i);
    }
    world_checkpoint(&told->world);
}

/* Turns until one more pass is over; the pause between two is left out. */
static void pass(struct told *told)
{
    struct store *store = told->world.store;
    uint64_t passes = store_stats(store)->scrub_passes;
    store->scrub.due_ms = 0;
    while (store_stats(store)->scrub_passes == passes) {
        store_turn(store);
        env_uv_run_once(told->world.place.env, store->scrub.is_running);
    }
}

static void a_whole_store_has_nothing_to_tell(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    pass(&told); /* began before the checkpoint, maybe */
    uint64_t before = store_stats(told.world.store)->scrub_records;
    pass(&told);
    assert_int_equal(store_stats(told.world.store)->scrub_records - before, COUNT);
    assert_int_equal(told.damaged, 0);
    assert_null(told.fault);
    world_remove(&told.world);
}

static void a_damaged_value_is_told_with_key_and_revision(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    pass(&told);
    assert_true(spoil(&told.world, SLICE_LITERAL("number 001234, whole"), 2, 4) > 0);
    told.refusals = 2; /* no room: it comes back to it */
    pass(&told);
    assert_int_equal(told.damaged, 1);
    assert_string_equal(told.key, "key-00001234");
    assert_int_equal(told.revision, 1235);
    assert_null(told.fault);
    assert_int_equal(store_stats(told.world.store)->scrub_damaged, 1);
    /* A write over it heals it, though the checkpoint does not have that yet. */
    put_number(&told.world, 1234);
    pass(&told);
    assert_int_equal(told.damaged, 1);
    world_checkpoint(&told.world);
    pass(&told);
    assert_int_equal(told.damaged, 1);
    assert_null(told.fault);
    world_remove(&told.world);
}

static void many_damaged_records_in_one_piece_are_all_told(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    pass(&told);
    for (unsigned i = 100; i < 200; i++) {
        char text[64];
        snprintf(text, sizeof(text), "number %06u, whole", i);
        assert_true(spoil(&told.world, slice_from_text(text), 0, 1) > 0);
    }
    pass(&told);
    assert_int_equal(told.damaged, 100);
    world_remove(&told.world);
}

static void a_damaged_key_is_a_fault_of_the_store_or_a_damaged_record(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    pass(&told);
    assert_true(spoil(&told.world, SLICE_LITERAL("key-00001234"), 11, 0x40) > 0);
    pass(&told);
    assert_true(told.damaged > 0 || told.fault != NULL);
    world_remove(&told.world);
}

static void a_record_that_should_not_be_there_is_found_by_the_sums(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    pass(&told);
    assert_null(told.fault);
    /* What the state says is another thing than what the records are, all of which are whole. */
    struct store_region *region = store_find_region(told.world.store, REGION);
    region->state_hash.low ^= 1;
    put_number(&told.world, 0);
    world_checkpoint(&told.world);
    pass(&told);
    assert_non_null(told.fault);
    assert_non_null(strstr(told.fault, "state"));
    assert_int_equal(store_stats(told.world.store)->scrub_faults, 1);
    world_remove(&told.world);
}

/* B4 */
static void what_is_not_found_is_believed_once_every_record_was_counted(void **state)
{
    (void)state;
    struct told told;
    make(&told, 1); /* a byte a second: the first pass does not keep to that */
    struct store *store = told.world.store;
    assert_false(store_is_absence_proven(store, SLICE_LITERAL("nothing")));
    put_number(&told.world, 5);
    world_delete(&told.world, SLICE_LITERAL("key-00000006"));
    assert_true(
        store_is_absence_proven(store, SLICE_LITERAL("key-00000006"))); /* the tail's word */
    assert_false(store_is_absence_proven(store, SLICE_LITERAL("key-00000007")));
    /* A damaged head counts for nothing: the pass proves nothing. */
    char text[KEY_TEXT_SIZE];
    struct slice bytes;
    uint8_t copy[256];
    assert_int_equal(
        store_checkpoint_get(store->checkpoint, STORE_SPACE_USER, key_of(text, 9), &bytes), OK);
    memcpy(copy, bytes.data, bytes.size);
    assert_true(spoil(&told.world, (struct slice){copy, bytes.size}, 24, 1) > 0);
    pass(&told);
    assert_int_equal(told.damaged, 1);
    assert_int_equal(told.revision, 0);
    assert_false(store_is_absence_proven(store, SLICE_LITERAL("nothing")));
    copy[24] ^= 1;
    assert_true(spoil(&told.world, (struct slice){copy, bytes.size}, 24, 1) > 0);
    /* A damaged value counts by its head. */
    assert_true(spoil(&told.world, SLICE_LITERAL("number 001234, whole"), 2, 4) > 0);
    pass(&told);
    assert_int_equal(told.damaged, 2);
    assert_null(told.fault);
    assert_true(store_is_absence_proven(store, SLICE_LITERAL("nothing")));
    assert_true(store->scrub.due_ms > env_now_ms(told.world.place.env) + 1000);
    world_remove(&told.world);
}

static void the_systems_records_are_scrubbed_behind_the_users(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    fill_system(&told.world, 3000);
    world_checkpoint(&told.world);
    pass(&told);
    uint64_t before = store_stats(told.world.store)->scrub_records;
    told.world.store->scrub.is_proven = false;
    pass(&told);
    assert_int_equal(store_stats(told.world.store)->scrub_records - before, COUNT + 3000);
    assert_true(told.world.store->scrub.is_proven);
    assert_null(told.fault);
    assert_int_equal(told.damaged, 0);
    /* One that the state does not count. */
    struct store_region *region = store_find_region(told.world.store, REGION);
    region->system_bytes++;
    put_number(&told.world, 0);
    world_checkpoint(&told.world);
    pass(&told);
    assert_non_null(told.fault);
    world_remove(&told.world);
}

static void a_damaged_record_of_the_systems_distrusts_the_store(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    fill_system(&told.world, 100);
    world_checkpoint(&told.world);
    pass(&told);
    assert_null(told.fault);
    assert_true(spoil(&told.world, SLICE_LITERAL("the system's 000042"), 2, 4) > 0);
    pass(&told);
    assert_int_equal(told.damaged, 0); /* it is nobody's to mend */
    assert_non_null(told.fault);
    assert_non_null(strstr(told.fault, "a record of the system's"));
    assert_int_equal(store_stats(told.world.store)->scrub_damaged, 1);
    assert_int_equal(store_stats(told.world.store)->scrub_faults, 1);
    /* What a write has replaced since is nobody's concern. */
    told.fault = NULL;
    char key[KEY_TEXT_SIZE];
    world_put_system(&told.world, key_of(key, 42), SLICE_LITERAL("another"));
    pass(&told);
    assert_null(told.fault);
    world_remove(&told.world);
}

static void without_a_scrub_it_is_believed_at_once(void **state)
{
    (void)state;
    struct told told;
    make(&told, 0);
    assert_true(store_is_absence_proven(told.world.store, SLICE_LITERAL("nothing")));
    world_remove(&told.world);
}

/* Checkpoints in between make the sums useless, and nothing else. */
static void a_pass_over_a_store_that_changes_suspects_nobody(void **state)
{
    (void)state;
    struct told told;
    make(&told, UINT64_C(1) << 40);
    struct store *store = told.world.store;
    for (unsigned round = 0; round < 20; round++) {
        store->scrub.due_ms = 0;
        store_turn(store);
        put_number(&told.world, round * 100);
        put_number(&told.world, COUNT + round);
        /* Asked for while a piece is being read: it is not forgotten. */
        uint64_t before = store_stats(store)->checkpoints;
        store_checkpoint(store);
        while (store_stats(store)->checkpoints == before) {
            store_turn(store);
            env_uv_run_once(told.world.place.env, store_is_busy(store));
        }
        pass(&told);
    }
    assert_int_equal(told.damaged, 0);
    assert_null(told.fault);
    world_remove(&told.world);
}

static void it_keeps_to_its_rate_and_can_be_off(void **state)
{
    (void)state;
    struct told told;
    make(&told, 100000);
    struct store *store = told.world.store;
    pass(&told);
    uint64_t began_ms = env_now_ms(told.world.place.env);
    uint64_t bytes = store_stats(store)->scrub_bytes;
    store->scrub.due_ms = 0;
    store->scrub.from_size = 0;
    store_turn(store);
    while (store->scrub.is_running) {
        env_uv_run_once(told.world.place.env, true);
    }
    assert_true(store_stats(store)->scrub_bytes > bytes + 100000);
    uint64_t wait_ms = store->scrub.due_ms - began_ms;
    assert_true(wait_ms >= store->scrub.bytes * 1000 / 100000);
    store_turn(store);
    assert_false(store->scrub.is_running);
    store->options.scrub_rate = 0;
    store->scrub.due_ms = 0;
    store_turn(store);
    assert_false(store->scrub.is_running);
    world_remove(&told.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_store_has_nothing_to_tell),
        cmocka_unit_test(a_damaged_value_is_told_with_key_and_revision),
        cmocka_unit_test(many_damaged_records_in_one_piece_are_all_told),
        cmocka_unit_test(a_damaged_key_is_a_fault_of_the_store_or_a_damaged_record),
        cmocka_unit_test(a_record_that_should_not_be_there_is_found_by_the_sums),
        cmocka_unit_test(what_is_not_found_is_believed_once_every_record_was_counted),
        cmocka_unit_test(the_systems_records_are_scrubbed_behind_the_users),
        cmocka_unit_test(a_damaged_record_of_the_systems_distrusts_the_store),
        cmocka_unit_test(without_a_scrub_it_is_believed_at_once),
        cmocka_unit_test(a_pass_over_a_store_that_changes_suspects_nobody),
        cmocka_unit_test(it_keeps_to_its_rate_and_can_be_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
