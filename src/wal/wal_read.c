/*
 * Reading entries: from memory where they are, otherwise back from the disk, every record verified.
 * A run of records that lie close to each other is one read.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "wal/wal_int.h"

#define RUN_SIZE_MAX (1u << 20) /* bytes of one read, but for a record that is larger */

err wal_term(const struct wal *wal, region_id region, uint64_t index, uint64_t *out_term)
{
    const struct wal_region *known = wal_index_find(&wal->index, region);
    if (known == NULL || index > known->last) {
        if (index > 0) {
            return ERR_UNAVAILABLE;
        }
        *out_term = 0; /* before the first entry of a region that is not known yet */
        return OK;
    }
    if (index < known->compacted.index) {
        return ERR_COMPACTED;
    }
    *out_term = index == known->compacted.index ? known->compacted.term
                                                : wal_region_slot(known, index)->term;
    return OK;
}

static bool is_in_memory(const struct wal_slot *slot)
{
    return slot->data != NULL || slot->size == 0;
}

/* How many entries of [low, high) may be handed out: at least one. */
static uint32_t count_entries(const struct wal_region *region, uint64_t low, uint64_t high,
                              uint64_t size_max)
{
    uint32_t count = 0;
    uint64_t size = 0;
    for (uint64_t i = low; i < high; i++) {
        size += wal_region_slot(region, i)->size;
        if (count > 0 && size > size_max) {
            break;
        }
        count++;
    }
    return count;
}

/* Bytes from the record of entry `low` to the end of the last one to read with it; *out_count tells
 * how many these are. */
static uint64_t measure_run(const struct wal_region *region, uint64_t low, uint64_t high,
                            uint32_t *out_count)
{
    struct wal_place begin = wal_region_slot(region, low)->place;
    uint64_t size = 0;
    uint32_t count = 0;
    for (uint64_t i = low; i < high; i++) {
        const struct wal_slot *slot = wal_region_slot(region, i);
        if (slot->place.segment != begin.segment || is_in_memory(slot)) {
            break;
        }
        ASSERT(slot->place.offset >= begin.offset);
        uint64_t end = slot->place.offset - begin.offset + WAL_ENTRY_RECORD_SIZE(slot->size);
        if (count > 0 && end > RUN_SIZE_MAX) {
            break;
        }
        size = end;
        count++;
    }
    *out_count = count;
    return size;
}

/* Takes entry `index` out of its record in `bytes`, which begin at its place. */
static err decode_entry(const struct wal_segment *segment, const struct wal_region *region,
                        uint64_t index, struct slice bytes, struct entry *out_entry)
{
    const struct wal_slot *slot = wal_region_slot(region, index);
    struct wal_record record;
    struct entry entry;
    struct slice data;
    if (wal_record_decode(bytes, segment->header_crc, slot->place.offset, &record) != OK ||
        record.kind != WAL_KIND_ENTRY || record.region != region->id ||
        wal_entry_decode(record.payload, &entry, &data) != OK) {
        return ERR_DAMAGED;
    }
    if (entry.pos.index != index || entry.pos.term != slot->term || data.size != slot->size) {
        return ERR_DAMAGED;
    }
    *out_entry = entry;
    out_entry->data = buf_copy(data);
    return OK;
}

/* Reads `count` entries from `low` on, which lie in `size` bytes of the disk. */
static err read_run(struct wal *wal, const struct wal_region *region, uint64_t low, uint32_t count,
                    uint64_t size, struct entry *out_entries)
{
    struct wal_place begin = wal_region_slot(region, low)->place;
    const struct wal_segment *segment = wal_segments_at(&wal->segments, begin.segment);
    struct buf *block = buf_new(size);
    size_t read_size;
    err e = env_file_read(segment->file, begin.offset, block->data, size, &read_size);
    if (e == OK && read_size < size) {
        e = ERR_DAMAGED;
    }
    for (uint32_t i = 0; e == OK && i < count; i++) {
        uint64_t at = wal_region_slot(region, low + i)->place.offset - begin.offset;
        struct slice bytes = {block->data + at, size - at};
        e = decode_entry(segment, region, low + i, bytes, &out_entries[i]);
    }
    buf_unref(block);
    if (e != OK) {
        LOG_ERROR(wal->options.log, "log: cannot read an entry back", LOG_ERR(e),
                  LOG_U64("segment", begin.segment), LOG_U64("offset", begin.offset),
                  LOG_U64("region", region->id), LOG_U64("index", low));
    }
    return e;
}

/* Hands out `count` entries from `low` on; what is not handed out is zero. */
static err read_entries(struct wal *wal, const struct wal_region *region, uint64_t low,
                        uint32_t count, struct entry *out_entries)
{
    uint32_t done = 0;
    while (done < count) {
        const struct wal_slot *slot = wal_region_slot(region, low + done);
        if (is_in_memory(slot)) {
            out_entries[done] = (struct entry){
                .pos = {.term = slot->term, .index = low + done},
                .type = (enum entry_type)slot->type,
                .data = buf_ref(slot->data),
            };
            done++;
            continue;
        }
        uint32_t run_count;
        uint64_t size = measure_run(region, low + done, low + count, &run_count);
        err e = read_run(wal, region, low + done, run_count, size, out_entries + done);
        if (e != OK) {
            return e;
        }
        done += run_count;
    }
    return OK;
}

err wal_read(struct wal *wal, const struct wal_range *range, struct entry *out_entries,
             uint32_t count_max, uint32_t *out_count)
{
    ASSERT(range->low < range->high);
    ASSERT(count_max > 0);
    const struct wal_region *known = wal_index_find(&wal->index, range->region);
    if (known == NULL || range->high > known->last + 1) {
        return ERR_UNAVAILABLE;
    }
    uint64_t low = range->low;
    if (low < known->first) {
        return ERR_COMPACTED;
    }
    uint64_t high = range->high - low > count_max ? low + count_max : range->high;
    uint32_t count = count_entries(known, low, high, range->size_max);
    for (uint32_t i = 0; i < count; i++) {
        out_entries[i].data = NULL;
    }
    err e = read_entries(wal, known, low, count, out_entries);
    if (e != OK) {
        for (uint32_t i = 0; i < count; i++) {
            buf_drop(&out_entries[i].data);
        }
        return e;
    }
    *out_count = count;
    return OK;
}
