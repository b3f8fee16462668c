/* Records of the system's space, as an entry would put them. */
#ifndef SYSTEM_TESTING_H
#define SYSTEM_TESTING_H

#include "store/record.h"
#include "store/store_int.h"
#include "store_testing.h"

/* Takes what is there out of the region's figures; whether there is something. */
static inline bool system_count_out(struct world *world, struct slice key)
{
    struct store_record existing;
    err e = store_find_record(world->store, STORE_SPACE_SYSTEM, key, &existing);
    if (e == OK) {
        struct store_region *region = store_find_region(world->store, REGION);
        store_count_out(region, STORE_SPACE_SYSTEM, key, &existing);
    }
    assert_true(e == OK || e == ERR_NOT_FOUND);
    return e == OK;
}

static inline void world_put_system(struct world *world, struct slice key, struct slice value)
{
    store_apply_nothing(world->store, REGION, world_next(world));
    (void)system_count_out(world, key);
    struct store_region *region = store_find_region(world->store, REGION);
    struct store_record record = {
        .owner = buf_copy(value),
        .create_revision = region->revision,
        .mod_revision = region->revision,
        .version = 1,
        .flags = STORE_RECORD_SYSTEM,
    };
    record.value = buf_slice(record.owner);
    store_record_seal(&record, key);
    store_count_in(region, STORE_SPACE_SYSTEM, key, &record);
    store_tail_put(world->store->active.of[STORE_SPACE_SYSTEM], key, &record);
    store_count_tail(world->store);
    buf_unref(record.owner);
}

static inline void world_delete_system(struct world *world, struct slice key)
{
    store_apply_nothing(world->store, REGION, world_next(world));
    if (system_count_out(world, key)) {
        store_tail_delete(world->store->active.of[STORE_SPACE_SYSTEM], key);
        store_count_tail(world->store);
    }
}

static inline void assert_system_value(struct world *world, struct slice key, struct slice value)
{
    struct store_record record;
    assert_int_equal(store_find_record(world->store, STORE_SPACE_SYSTEM, key, &record), OK);
    assert_int_equal(store_record_verify(&record, key), OK);
    assert_true(slice_equal(record.value, value));
    assert_int_equal(record.flags, STORE_RECORD_SYSTEM);
}

static inline void assert_no_system_value(struct world *world, struct slice key)
{
    struct store_record record;
    assert_int_equal(store_find_record(world->store, STORE_SPACE_SYSTEM, key, &record),
                     ERR_NOT_FOUND);
}

/* So many records, with keys as key_of makes them and values that tell their numbers. */
static inline void fill_system(struct world *world, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char key[KEY_TEXT_SIZE];
        char value[KEY_TEXT_SIZE];
        (void)snprintf(value, sizeof(value), "the system's %06u", i);
        world_put_system(world, key_of(key, i), slice_from_text(value));
    }
}

#endif
