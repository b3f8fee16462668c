/*
 * What has to be true of a region's census (store/census.h: V1, V2), from its keys alone. For the
 * simulator's end, and for the tests of the store.
 */
#ifndef SIM_BLOCK_CENSUS_H
#define SIM_BLOCK_CENSUS_H

#include "store/store_int.h"

/* How many keys a walk over the block finds. */
static inline uint64_t block_census_walk(struct store *store, const struct store_census *census,
                                         size_t place)
{
    const struct store_census_block *block = &census->blocks[place];
    struct store_range range = {{block->begin, block->begin_size}, SLICE_EMPTY};
    struct store_scan scan;
    uint64_t count = 0;
    if (place + 1 < census->count) {
        range.end = (struct slice){block[1].begin, block[1].begin_size};
    }
    store_scan_open(&scan, store, range, false);
    while (store_scan_next(&scan) == OK) {
        count++;
    }
    store_scan_close(&scan);
    return count;
}

/* NULL: all of it holds, or there is none. Else what does not, in static storage. */
static inline const char *block_census(struct store *store, region_id id)
{
    struct store_region *region = store_find_region(store, id);
    const struct store_census *census = region != NULL ? *store_census_of(region) : NULL;
    uint64_t keys = 0;
    if (census == NULL) {
        return NULL;
    }
    if (census->count == 0 || census->count > census->capacity || census->blocks[0].begin != NULL) {
        return "a census has no first block";
    }
    for (size_t i = 0; i < census->count; i++) {
        const struct store_census_block *block = &census->blocks[i];
        if (i > 0 && slice_compare((struct slice){block[-1].begin, block[-1].begin_size},
                                   (struct slice){block->begin, block->begin_size}) >= 0) {
            return "a block of a census begins before the one before it";
        }
        if (i > 0 && block[-1].keys + block->keys <= store->options.census_block) {
            return "two blocks of a census are small enough to be one";
        }
        if (block_census_walk(store, census, i) != block->keys) {
            return "a block of a census has another number of keys than a walk finds";
        }
        keys += block->keys;
    }
    return keys == region->keys ? NULL : "a census has not as many keys as its region";
}

#endif
