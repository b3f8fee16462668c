/*
 * Letting segments go. A segment goes when no region has a live entry in it, the records that made
 * its entries superfluous are durable, and so is the next segment's first batch, which repeats
 * every region's hard state and compaction mark. Only the oldest goes (S1), one at a time (P2).
 */
#include "base/assert.h"
#include "base/mem.h"
#include "wal/wal_int.h"

#define COPY_FRACTION 16u /* at most this part of a segment is copied forward to free another */

static bool may_go(const struct wal *wal, const struct wal_segment *oldest)
{
    return wal->segments.count > 1 && oldest->live_bytes == 0 &&
           oldest->release_batch <= wal->durable_batch &&
           wal->segments.list[1].first_batch <= wal->durable_batch;
}

/* Bytes of all records of the region; stops counting above `size_max`. */
static uint64_t region_size(const struct wal_region *region, uint64_t size_max)
{
    uint64_t size = 0;
    for (uint64_t i = region->first; i <= region->last && size <= size_max; i++) {
        size += WAL_ENTRY_RECORD_SIZE(wal_region_slot(region, i)->size);
    }
    return size;
}

/* A region's first entry is in its oldest segment: entries are placed in order. */
static bool pins(const struct wal_region *region, const struct wal_segment *segment)
{
    return region->first <= region->last &&
           wal_region_slot(region, region->first)->place.segment == segment->sequence;
}

/*
 * An entry record truncates, so a region is copied whole, from its first entry to its last: as if
 * it had been appended again.
 */
static void copy_region(struct wal *wal, struct wal_region *region)
{
    uint64_t low = region->first;
    uint64_t count = region->last + 1 - low;
    struct entry *entries = mem_calloc(count, sizeof(*entries));
    uint32_t read_count = 0;
    struct wal_range range = {region->id, low, low + count, UINT64_MAX};
    err e = wal_read(wal, &range, entries, (uint32_t)count, &read_count);
    if (e == OK) {
        ASSERT(read_count == count);
        wal_gather(wal, region, entries, read_count);
        for (uint32_t i = 0; i < read_count; i++) {
            buf_unref(entries[i].data);
        }
    } else {
        LOG_ERROR(wal->options.log, "log: cannot copy entries forward: their segment stays",
                  LOG_ERR(e), LOG_U64("region", region->id), LOG_U64("index", low));
    }
    mem_free(entries);
}

/*
 * Copies the quiet regions' entries out of the oldest segment where they are all that is in it. A
 * region that still has much behind it is not quiet: its own compaction will come.
 */
static void copy_forward(struct wal *wal)
{
    const struct wal_segment *oldest = &wal->segments.list[0];
    uint64_t budget = wal->spares.segment_size / COPY_FRACTION;
    if (wal->segments.count < 3 || oldest->live_bytes == 0 || oldest->live_bytes > budget) {
        return;
    }
    uint64_t size = 0;
    for (size_t i = 0; i < wal->index.count && size <= budget; i++) {
        const struct wal_region *region = wal->index.regions[i];
        size += pins(region, oldest) ? region_size(region, budget) : 0;
    }
    if (size > budget) {
        return;
    }
    for (size_t i = 0; i < wal->index.count; i++) {
        if (pins(wal->index.regions[i], oldest)) {
            copy_region(wal, wal->index.regions[i]);
        }
    }
}

void wal_reclaim(struct wal *wal)
{
    if (wal->is_closing || wal->spares.recycle.is_running) {
        return;
    }
    if (may_go(wal, &wal->segments.list[0])) {
        struct wal_segment oldest = wal_segments_pop(&wal->segments);
        wal_spares_recycle(&wal->spares, &oldest);
        wal->is_copy_due = true;
    } else if (wal->is_copy_due) {
        wal->is_copy_due = false;
        copy_forward(wal);
    }
    wal_stats_update(wal);
}
