/*
 * The census of a region: how many of the users' keys there are in a range, now, without a walk
 * over all of them. The keys in their order are cut into blocks, and of each block the number of
 * its keys is known: a range's is the sum of the blocks that lie in it, and what a walk finds in
 * the two in which it begins and ends.
 *
 * V1  The blocks are all of the region's space without a gap, and each has at any time the number
 *     of its keys as they are applied: it goes up and down with each that comes and goes. So there
 *     is nothing to be made consistent: a census begins as one block, of all keys, whose number the
 *     state has.
 * V2  Blocks are cut by walking over the keys that are cut off. Those that are large from the
 *     beginning are cut when somebody counts, a step at a time; one that grows is cut as soon as
 *     it has twice BLOCK keys. Two neighbours that have no more than BLOCK together become one.
 *     So there are at most 2 * keys / BLOCK + 1: in memory about a byte for each key, or less.
 * V3  It is this node's, in memory, and of no account for what is applied: whoever doubts it drops
 *     it. Until somebody counts there is none, and nothing is paid for it.
 */
#ifndef STORE_CENSUS_H
#define STORE_CENSUS_H

#include "store/scan.h"

#define STORE_CENSUS_BLOCK 1024u

/*
 * How many of the users' keys are in `range`, now. Walks over four times BLOCK keys at most.
 * ERR_OVERLOADED: it would be more; this call has gone over `budget` keys to make it fewer, so ask
 * again, in a later turn (0: nothing is done for it). ERR_CORRUPT.
 */
MUST_USE err store_count(struct store *store, region_id region, struct store_range range,
                         uint64_t budget, uint64_t *out_count);

/* ---- the store's own ---- */

struct store_census_block {
    uint8_t *begin; /* where it begins: rarely a key. NULL: with the first one */
    uint32_t begin_size;
    uint64_t keys;
};

struct store_census {
    struct store_census_block *blocks; /* one at least, in order */
    size_t count;
    size_t capacity;
};

/* A key has come into the region's user space, or has gone: the tail has it already. */
void store_census_came(struct store *store, struct store_region *region, struct slice key);
void store_census_went(struct store *store, struct store_region *region, struct slice key);
/* There is none of the region any more (V3). */
void store_census_drop(struct store *store, struct store_region *region);

#endif
