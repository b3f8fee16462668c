#include "store/census.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/store_int.h"

#define WALK_BLOCKS 4u /* two of twice BLOCK: no growing one is larger */

static uint64_t block_keys(const struct store *store)
{
    return store->options.census_block;
}

/* What is cut off a block that has grown. A walk over an eighth of it: with halves it would be one
 * key walked over for each that comes, where all grow alike 0.7; so it is 0.3, for more blocks. */
static uint64_t piece_keys(const struct store *store)
{
    uint64_t keys = block_keys(store) / 4;
    return keys > 0 ? keys : 1;
}

/* ---- the blocks ---- */

static struct slice begin_of(const struct store_census_block *block)
{
    return (struct slice){block->begin, block->begin_size};
}

/* In which block `key` is. */
static size_t find(const struct store_census *census, struct slice key)
{
    size_t low = 0;
    size_t high = census->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(begin_of(&census->blocks[middle]), key) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* What the block is of. */
static struct store_range range_of(const struct store *store, const struct store_region *region,
                                   const struct store_census *census, size_t place)
{
    const struct checkpoint_range all = store_region_range(store, region->id);
    struct store_range range = {all.begin, all.end};
    if (place > 0) {
        range.begin = begin_of(&census->blocks[place]);
    }
    if (place + 1 < census->count) {
        range.end = begin_of(&census->blocks[place + 1]);
    }
    return range;
}

static void resize(struct store *store, struct store_census *census, size_t capacity)
{
    store->stats.census_bytes -= census->capacity * sizeof(*census->blocks);
    census->capacity = capacity;
    store->stats.census_bytes += census->capacity * sizeof(*census->blocks);
    census->blocks = mem_realloc(census->blocks, capacity, sizeof(*census->blocks));
}

/* A block with `keys` that begins with `begin`, at that place. */
static void insert(struct store *store, struct store_census *census, size_t place,
                   struct slice begin, uint64_t keys)
{
    if (census->count == census->capacity) {
        resize(store, census, 2 * census->capacity + 1);
    }
    struct store_census_block *block = &census->blocks[place];
    memmove(block + 1, block, (census->count - place) * sizeof(*block));
    *block = (struct store_census_block){.begin_size = (uint32_t)begin.size, .keys = keys};
    if (begin.size > 0) {
        block->begin = mem_alloc(begin.size);
        memcpy(block->begin, begin.data, begin.size);
    }
    census->count++;
    store->stats.census_blocks++;
    store->stats.census_bytes += begin.size;
}

/* The block at `place` and the one behind it become one, if they are small (V2). */
static void join(struct store *store, struct store_census *census, size_t place)
{
    if (place + 1 >= census->count) {
        return;
    }
    struct store_census_block *block = &census->blocks[place];
    struct store_census_block *next = block + 1;
    if (block->keys + next->keys > block_keys(store)) {
        return;
    }
    block->keys += next->keys;
    store->stats.census_blocks--;
    store->stats.census_bytes -= next->begin_size;
    mem_free(next->begin);
    census->count--;
    memmove(next, next + 1, (census->count - place - 1) * sizeof(*next));
    if (4 * census->count < census->capacity) {
        resize(store, census, census->capacity / 2);
    }
}

static void join_around(struct store *store, struct store_census *census, size_t place)
{
    join(store, census, place);
    if (place > 0) {
        join(store, census, place - 1);
    }
}

/* ---- cutting ---- */

/* The shortest that is behind `before` and not behind `key`. */
static struct slice separator(struct slice before, struct slice key)
{
    size_t size = 0;
    while (size < before.size && before.data[size] == key.data[size]) {
        size++;
    }
    ASSERT(size < key.size);
    return (struct slice){key.data, size + 1};
}

/* Where the block has its first `keys` behind it: in `out_begin`, until the end of the turn.
 * ERR_NOT_FOUND: it has no more than these. ERR_CORRUPT. */
static err find_cut(struct store *store, struct store_range range, uint64_t keys,
                    struct slice *out_begin)
{
    struct store_scan scan;
    store_scan_open(&scan, store, range, false);
    err e = store_scan_next(&scan);
    for (uint64_t i = 1; e == OK && i < keys; i++) {
        e = store_scan_next(&scan);
    }
    struct slice before = scan.key;
    if (e == OK) {
        e = store_scan_next(&scan);
    }
    if (e == OK) {
        *out_begin = separator(before, scan.key);
    }
    store_scan_close(&scan);
    return e;
}

/* Cuts so many keys off the beginning of the block, which has more. False: they cannot be found, so
 * that the census is gone. */
static bool cut(struct store *store, struct store_region *region, size_t place, uint64_t keys)
{
    struct store_census *census = *store_census_of(region);
    struct store_census_block *block = &census->blocks[place];
    struct slice begin;
    ASSERT(block->keys > keys);
    if (find_cut(store, range_of(store, region, census, place), keys, &begin) != OK) {
        store_census_drop(store, region);
        return false;
    }
    uint64_t rest = block->keys - keys;
    block->keys = keys;
    insert(store, census, place + 1, begin, rest);
    join(store, census, place + 1);
    if (place > 0) {
        join(store, census, place - 1);
    }
    return true;
}

/* ---- life ---- */

static void begin(struct store *store, struct store_region *region)
{
    struct store_census *census = mem_calloc(1, sizeof(*census));
    *store_census_of(region) = census;
    insert(store, census, 0, SLICE_EMPTY, region->keys);
}

void store_census_drop(struct store *store, struct store_region *region)
{
    struct store_census *census = *store_census_of(region);
    if (census == NULL) {
        return;
    }
    for (size_t i = 0; i < census->count; i++) {
        store->stats.census_bytes -= census->blocks[i].begin_size;
        mem_free(census->blocks[i].begin);
    }
    store->stats.census_blocks -= census->count;
    store->stats.census_bytes -= census->capacity * sizeof(*census->blocks);
    mem_free(census->blocks);
    mem_free(census);
    *store_census_of(region) = NULL;
}

void store_census_came(struct store *store, struct store_region *region, struct slice key)
{
    struct store_census *census = *store_census_of(region);
    if (census == NULL) {
        return;
    }
    size_t place = find(census, key);
    census->blocks[place].keys++;
    if (census->blocks[place].keys == 2 * block_keys(store)) {
        (void)cut(store, region, place, piece_keys(store));
    }
}

void store_census_went(struct store *store, struct store_region *region, struct slice key)
{
    struct store_census *census = *store_census_of(region);
    if (census == NULL) {
        return;
    }
    size_t place = find(census, key);
    if (census->blocks[place].keys == 0) { /* so one of LMDB's pages has misled a cut */
        store_census_drop(store, region);
        return;
    }
    census->blocks[place].keys--;
    join_around(store, census, place);
}

/* ---- counting ---- */

/* The blocks in which the range, which is not empty, begins and ends. */
struct span {
    size_t first;
    size_t last;
};

static struct span span_of(const struct store_census *census, struct store_range range)
{
    struct span span = {find(census, range.begin), census->count - 1};
    if (range.end.size > 0) {
        span.last = find(census, range.end);
        if (span.last > 0 && slice_equal(begin_of(&census->blocks[span.last]), range.end)) {
            span.last--; /* up to there, and no further */
        }
    }
    ASSERT(span.first <= span.last);
    return span;
}

static bool is_empty(struct store_range range)
{
    return range.end.size > 0 && slice_compare(range.begin, range.end) >= 0;
}

/* What both have. */
static struct store_range intersect(struct store_range a, struct store_range b)
{
    struct store_range both = a;
    if (slice_compare(b.begin, a.begin) > 0) {
        both.begin = b.begin;
    }
    if (b.end.size > 0 && (a.end.size == 0 || slice_compare(b.end, a.end) < 0)) {
        both.end = b.end;
    }
    return both;
}

/* Whether all of the block lies in the range, so that nothing is to be looked at. */
static bool is_whole(struct store_range block, struct store_range range)
{
    return slice_compare(range.begin, block.begin) <= 0 &&
           (range.end.size == 0 ||
            (block.end.size > 0 && slice_compare(block.end, range.end) <= 0));
}

/* How many keys a walk would meet at most to find out how many of the block's are in the range. */
static uint64_t walk_of(const struct store *store, struct store_region *region, size_t place,
                        struct store_range range)
{
    const struct store_census *census = *store_census_of(region);
    return is_whole(range_of(store, region, census, place), range) ? 0 : census->blocks[place].keys;
}

/* Adds those of the block's that are in the range. */
static err add(struct store *store, struct store_region *region, size_t place,
               struct store_range range, uint64_t *count)
{
    const struct store_census *census = *store_census_of(region);
    struct store_range block = range_of(store, region, census, place);
    uint64_t keys = census->blocks[place].keys;
    if (keys == 0 || is_whole(block, range)) {
        *count += keys;
        return OK;
    }
    struct store_scan scan;
    err e;
    store_scan_open(&scan, store, intersect(block, range), false);
    while ((e = store_scan_next(&scan)) == OK) {
        (*count)++;
    }
    store_scan_close(&scan);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* Makes the walk at the range's two ends short enough, within the budget. ERR_OVERLOADED. */
static err refine(struct store *store, struct store_region *region, struct store_range range,
                  uint64_t budget, struct span *out_span)
{
    uint64_t keys = block_keys(store);
    for (;; budget -= keys) {
        struct span span = span_of(*store_census_of(region), range);
        uint64_t first = walk_of(store, region, span.first, range);
        uint64_t last = span.last > span.first ? walk_of(store, region, span.last, range) : 0;
        if (first + last <= WALK_BLOCKS * keys) {
            *out_span = span;
            return OK;
        }
        if (budget < keys || !cut(store, region, first > last ? span.first : span.last, keys)) {
            return ERR_OVERLOADED;
        }
    }
}

static err sum(struct store *store, struct store_region *region, struct store_range range,
               struct span span, uint64_t *count)
{
    const struct store_census *census = *store_census_of(region);
    err e = add(store, region, span.first, range, count);
    for (size_t i = span.first + 1; i < span.last; i++) {
        *count += census->blocks[i].keys;
    }
    return e == OK && span.last > span.first ? add(store, region, span.last, range, count) : e;
}

err store_count(struct store *store, region_id id, struct store_range range, uint64_t budget,
                uint64_t *out_count)
{
    struct store_region *region = store_find_region(store, id);
    *out_count = 0;
    if (region == NULL || is_empty(range)) {
        return OK;
    }
    if (*store_census_of(region) == NULL) {
        if (budget == 0) {
            return ERR_OVERLOADED;
        }
        begin(store, region);
    }
    struct span span;
    err e = refine(store, region, range, budget, &span);
    return e == OK ? sum(store, region, range, span, out_count) : e;
}
