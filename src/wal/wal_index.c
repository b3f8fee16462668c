#include "wal/wal_index.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define SLOTS_MIN 64u

void wal_index_init(struct wal_index *index, struct wal_segments *segments,
                    uint64_t cache_bytes_max)
{
    *index = (struct wal_index){.segments = segments, .cache_bytes_max = cache_bytes_max};
    list_init(&index->cached);
}

static void region_free(struct wal_region *region)
{
    for (uint64_t i = region->first; i <= region->last; i++) {
        buf_unref(wal_region_slot(region, i)->data);
    }
    mem_free(region->slots);
    mem_free(region);
}

void wal_index_deinit(struct wal_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        region_free(index->regions[i]);
    }
    mem_free(index->regions);
    *index = (struct wal_index){0};
}

/* The place of region `id` in the table, or where it belongs. */
static size_t lower_bound(const struct wal_index *index, region_id id)
{
    size_t low = 0;
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->regions[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct wal_region *wal_index_find(const struct wal_index *index, region_id id)
{
    size_t at = lower_bound(index, id);
    return at < index->count && index->regions[at]->id == id ? index->regions[at] : NULL;
}

struct wal_region *wal_index_get(struct wal_index *index, region_id id)
{
    struct wal_region *region = wal_index_find(index, id);
    if (region != NULL) {
        return region;
    }
    if (index->count == index->capacity) {
        index->capacity = index->capacity > 0 ? index->capacity * 2 : 8;
        index->regions = mem_realloc(index->regions, index->capacity, sizeof(*index->regions));
    }
    region = mem_calloc(1, sizeof(*region));
    region->id = id;
    region->first = 1;
    region->cached_from = 1;
    list_init(&region->link);
    size_t at = lower_bound(index, id);
    memmove(index->regions + at + 1, index->regions + at,
            (index->count - at) * sizeof(struct wal_region *));
    index->regions[at] = region;
    index->count++;
    return region;
}

struct wal_slot *wal_region_slot(const struct wal_region *region, uint64_t i)
{
    ASSERT(i >= region->first);
    ASSERT(i <= region->last);
    return &region->slots[i & (region->capacity - 1)];
}

/* Makes room for one more entry behind the last. */
static void reserve(struct wal_region *region)
{
    uint64_t count = region->last + 1 - region->first;
    if (count < region->capacity) {
        return;
    }
    size_t capacity = region->capacity > 0 ? region->capacity * 2 : SLOTS_MIN;
    struct wal_slot *slots = mem_calloc(capacity, sizeof(*slots));
    for (uint64_t i = region->first; i <= region->last; i++) {
        slots[i & (capacity - 1)] = *wal_region_slot(region, i);
    }
    mem_free(region->slots);
    region->slots = slots;
    region->capacity = capacity;
}

static void uncache(struct wal_index *index, struct wal_slot *slot)
{
    if (slot->data != NULL) {
        ASSERT(index->cached_bytes >= slot->size);
        index->cached_bytes -= slot->size;
        buf_drop(&slot->data);
    }
}

/* Entries [low, high) are not needed any more. */
static void drop(struct wal_index *index, struct wal_region *region, uint64_t low, uint64_t high,
                 uint64_t batch)
{
    for (uint64_t i = low; i < high; i++) {
        struct wal_slot *slot = wal_region_slot(region, i);
        uncache(index, slot);
        if (slot->place.segment != 0) {
            wal_segments_release(index->segments, slot->place.segment,
                                 WAL_ENTRY_RECORD_SIZE(slot->size), batch);
        }
    }
}

/* The slot of a new last entry at entry->pos.index, of `size` bytes; what was there is dropped. */
static struct wal_slot *put(struct wal_index *index, struct wal_region *region,
                            const struct entry *entry, size_t size, uint64_t batch)
{
    uint64_t i = entry->pos.index;
    ASSERT(i >= region->first);
    ASSERT(i <= region->last + 1);
    ASSERT(size <= UINT32_MAX);
    drop(index, region, i, region->last + 1, batch);
    region->last = i - 1;
    reserve(region);
    region->last = i;
    struct wal_slot *slot = wal_region_slot(region, i);
    *slot = (struct wal_slot){
        .term = entry->pos.term,
        .size = (uint32_t)size,
        .type = (uint8_t)entry->type,
    };
    return slot;
}

void wal_region_append(struct wal_index *index, struct wal_region *region,
                       const struct entry *entry, uint64_t batch)
{
    struct wal_slot *slot = put(index, region, entry, entry_size(entry), batch);
    slot->data = buf_ref(entry->data);
    index->cached_bytes += slot->size;
    if (region->cached_from > region->last) {
        region->cached_from = region->last;
    }
    list_remove(&region->link);
    list_push_back(&index->cached, &region->link);
}

void wal_region_restore(struct wal_index *index, struct wal_region *region,
                        const struct entry *entry, size_t size, struct wal_place place)
{
    struct wal_slot *slot = put(index, region, entry, size, 0);
    slot->place = place;
    region->cached_from = region->last + 1;
    wal_segments_hold(index->segments, place.segment, WAL_ENTRY_RECORD_SIZE(slot->size));
}

void wal_region_place(struct wal_index *index, struct wal_region *region, struct raft_pos pos,
                      struct wal_place place)
{
    ASSERT(place.segment != 0);
    if (pos.index < region->first || pos.index > region->last) {
        return;
    }
    /* Of several entries with this index in one batch the last one is placed last: it wins. */
    struct wal_slot *slot = wal_region_slot(region, pos.index);
    if (slot->term != pos.term) {
        return;
    }
    if (slot->place.segment != 0) {
        ASSERT(wal_place_is_before(slot->place, place));
        wal_segments_release(index->segments, slot->place.segment,
                             WAL_ENTRY_RECORD_SIZE(slot->size), 0);
    }
    slot->place = place;
    wal_segments_hold(index->segments, place.segment, WAL_ENTRY_RECORD_SIZE(slot->size));
}

void wal_region_compact(struct wal_index *index, struct wal_region *region, struct raft_pos pos,
                        uint64_t batch)
{
    ASSERT(pos.index >= region->compacted.index);
    if (pos.index >= region->last) {
        wal_region_reset(index, region, pos, batch);
        return;
    }
    region->compacted = pos;
    if (pos.index >= region->first) {
        drop(index, region, region->first, pos.index + 1, batch);
        region->first = pos.index + 1;
    }
    if (region->cached_from < region->first) {
        region->cached_from = region->first;
    }
}

void wal_region_reset(struct wal_index *index, struct wal_region *region, struct raft_pos pos,
                      uint64_t batch)
{
    drop(index, region, region->first, region->last + 1, batch);
    region->compacted = pos;
    region->last = pos.index;
    region->first = pos.index + 1;
    region->cached_from = region->first;
    list_remove(&region->link);
}

void wal_region_restart(struct wal_index *index, struct wal_region *region, uint64_t first)
{
    ASSERT(first > region->compacted.index);
    drop(index, region, region->first, region->last + 1, 0);
    region->last = first - 1;
    region->first = first;
    region->cached_from = first;
    list_remove(&region->link);
}

/* Drops the region's oldest bytes; false once it has none that may go. */
static bool evict_one(struct wal_index *index, struct wal_region *region, struct wal_place durable)
{
    if (region->cached_from > region->last) {
        list_remove(&region->link);
        return false;
    }
    struct wal_slot *slot = wal_region_slot(region, region->cached_from);
    if (slot->place.segment == 0 || !wal_place_is_before(slot->place, durable)) {
        return false; /* I2 */
    }
    uncache(index, slot);
    region->cached_from++;
    return true;
}

void wal_index_evict(struct wal_index *index, struct wal_place durable)
{
    LIST_FOREACH (node, &index->cached) {
        struct wal_region *region = CONTAINER_OF(node, struct wal_region, link);
        while (index->cached_bytes > index->cache_bytes_max) {
            if (!evict_one(index, region, durable)) {
                break;
            }
        }
        if (index->cached_bytes <= index->cache_bytes_max) {
            return;
        }
    }
}
