#include "wal/wal_hole.h"

#include <string.h>

#include "base/assert.h"

#define HARD_STATE_RECORD_SIZE (WAL_RECORD_HEAD_SIZE + WAL_HARD_STATE_PAYLOAD_SIZE)

/* Records of `size` bytes in all would end where the hole does. */
static bool fits(const struct wal_hole *hole, uint64_t size)
{
    uint64_t end = hole->offset + size;
    return size > 0 && (hole->is_last ? wal_sector_round(end) : end) == hole->end;
}

/* Seals the record that begins at `at` of `out` and is its last one so far. */
static uint32_t seal(const struct wal_hole *hole, struct writer *out, size_t at, bool is_end,
                     uint32_t previous_crc)
{
    bool is_first = hole->is_first && at == 0;
    bool is_last = hole->is_last && is_end;
    const struct wal_seal seal = {
        .header_crc = hole->header_crc,
        .offset = hole->offset + at,
        .batch = hole->batch,
        .flags = (uint8_t)((is_first ? WAL_FLAG_FIRST : 0) | (is_last ? WAL_FLAG_LAST : 0)),
        .previous_crc = previous_crc,
    };
    return wal_record_seal(out->data + at, out->size - at, SLICE_EMPTY, &seal);
}

/* `count` entries; the last of them ends the hole if `is_end`. Returns the last one's CRC. */
static uint32_t add_entries(const struct wal_hole *hole, const struct entry *entries,
                            uint64_t count, bool is_end, struct writer *out)
{
    uint32_t crc = hole->previous_crc;
    for (uint64_t i = 0; i < count; i++) {
        const struct entry *entry = &entries[i];
        size_t at = out->size;
        uint8_t *head = writer_extend(out, WAL_RECORD_HEAD_SIZE + WAL_ENTRY_HEAD_SIZE);
        wal_record_encode(head, WAL_KIND_ENTRY, hole->region,
                          WAL_ENTRY_HEAD_SIZE + entry_size(entry));
        wal_entry_encode(head + WAL_RECORD_HEAD_SIZE, entry->pos, entry->type);
        writer_bytes(out, buf_slice(entry->data));
        crc = seal(hole, out, at, is_end && i + 1 == count, crc);
    }
    return crc;
}

/* Every commit index that may be (C3), with this term and vote. */
static bool try_commits(const struct wal_hole *hole, struct hard_state tried, size_t at,
                        uint32_t previous_crc, struct writer *out)
{
    uint64_t last = hole->before.commit + WAL_HOLE_COMMITS_MAX - 1;
    if (hole->has_after && hole->after.commit < last) {
        last = hole->after.commit;
    }
    for (tried.commit = hole->before.commit; tried.commit <= last; tried.commit++) {
        uint8_t *head = out->data + at;
        wal_record_encode(head, WAL_KIND_HARD_STATE, hole->region, WAL_HARD_STATE_PAYLOAD_SIZE);
        wal_hard_state_encode(head + WAL_RECORD_HEAD_SIZE, &tried);
        if (seal(hole, out, at, true, previous_crc) == hole->crc) {
            return true;
        }
    }
    return false;
}

/* A hard state at the end of `out`, behind a record of CRC `previous_crc`. */
static bool try_hard_states(const struct wal_hole *hole, uint32_t previous_crc, struct writer *out)
{
    const struct hard_state tried[] = {
        {.term = hole->before.term, .vote = hole->before.vote},
        {.term = hole->after.term, .vote = hole->after.vote},
        {.term = hole->after.term},
    };
    bool is_known = hole->before.term == hole->after.term && hole->before.vote == hole->after.vote;
    size_t count = hole->has_after && !is_known ? ARRAY_COUNT(tried) : 1;
    size_t at = out->size;
    (void)writer_extend(out, HARD_STATE_RECORD_SIZE);
    for (size_t i = 0; i < count; i++) {
        if (try_commits(hole, tried[i], at, previous_crc, out)) {
            return true;
        }
    }
    return false;
}

/* `count` entries, whose records have `size` bytes, and no more or a hard state as well. */
static bool try_entries(const struct wal_hole *hole, const struct entry *entries, uint64_t count,
                        uint64_t size, struct writer *out)
{
    if (fits(hole, size)) {
        if (add_entries(hole, entries, count, true, out) == hole->crc) {
            return true;
        }
        writer_reset(out);
    }
    if (fits(hole, size + HARD_STATE_RECORD_SIZE)) {
        uint32_t crc = add_entries(hole, entries, count, false, out);
        if (try_hard_states(hole, crc, out)) {
            return true;
        }
        writer_reset(out);
    }
    return false;
}

static bool try_all(const struct wal_hole *hole, const struct entry *entries, struct writer *out)
{
    uint64_t count = hole->high - hole->low;
    bool is_any_known = false;
    for (uint64_t i = 0; i < count && !is_any_known; i++) {
        is_any_known = entries[i].pos.index != 0;
    }
    if (!is_any_known) { /* with some there is nothing new about a hard state alone */
        return try_entries(hole, entries, 0, 0, out);
    }
    for (uint64_t first = 0; first < (hole->begins_at_low ? 1 : count); first++) {
        uint64_t size = 0;
        for (uint64_t i = first; i < count && entries[i].pos.index != 0; i++) {
            ASSERT(entries[i].pos.index == hole->low + i);
            size += WAL_ENTRY_RECORD_SIZE(entry_size(&entries[i]));
            if (hole->offset + size > hole->end) {
                break;
            }
            if (try_entries(hole, entries + first, i + 1 - first, size, out)) {
                return true;
            }
        }
    }
    return false;
}

bool wal_hole_fill(const struct wal_hole *hole, const struct entry *entries, struct writer *out)
{
    ASSERT(hole->high >= hole->low);
    ASSERT(hole->high - hole->low <= WAL_HOLE_ENTRIES_MAX);
    ASSERT(hole->end > hole->offset);
    ASSERT(out->size == 0);
    if (!try_all(hole, entries, out)) {
        return false;
    }
    size_t padding = (size_t)(hole->end - hole->offset) - out->size;
    ASSERT(padding < WAL_SECTOR_SIZE);
    if (padding > 0) {
        memset(writer_extend(out, padding), 0, padding);
    }
    return true;
}
