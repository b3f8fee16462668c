#include "wal/wal_batch.h"

#include <limits.h>

#include "base/assert.h"
#include "base/mem.h"

#define ITEMS_MIN 64u

static const uint8_t PADDING[WAL_SECTOR_SIZE];

void wal_batch_deinit(struct wal_batch *batch)
{
    wal_batch_reset(batch);
    writer_deinit(&batch->heads);
    mem_free(batch->items);
    mem_free(batch->parts);
    *batch = (struct wal_batch){0};
}

void wal_batch_reset(struct wal_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        buf_drop(&batch->items[i].data);
    }
    writer_reset(&batch->heads);
    batch->count = 0;
    batch->size = 0;
    batch->entry_count = 0;
    batch->ticket = 0;
}

bool wal_batch_is_empty(const struct wal_batch *batch)
{
    return batch->count == 0;
}

uint64_t wal_batch_size(const struct wal_batch *batch)
{
    return wal_sector_round(batch->size);
}

/* Adds a record and returns where the rest of its head goes; shares `data`. */
static uint8_t *add(struct wal_batch *batch, enum wal_kind kind, region_id region,
                    size_t payload_head_size, struct buf *data)
{
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity > 0 ? batch->capacity * 2 : ITEMS_MIN;
        batch->items = mem_realloc(batch->items, batch->capacity, sizeof(*batch->items));
    }
    size_t head_size = WAL_RECORD_HEAD_SIZE + payload_head_size;
    size_t data_size = data != NULL ? data->size : 0;
    uint8_t *head = writer_extend(&batch->heads, head_size);
    wal_record_encode(head, kind, region, payload_head_size + data_size);
    batch->items[batch->count] = (struct wal_item){
        .data = buf_ref(data),
        .head_size = (uint32_t)head_size,
    };
    batch->count++;
    batch->size += head_size + data_size;
    return head + WAL_RECORD_HEAD_SIZE;
}

void wal_batch_add_entry(struct wal_batch *batch, region_id region, const struct entry *entry)
{
    uint8_t *target = add(batch, WAL_KIND_ENTRY, region, WAL_ENTRY_HEAD_SIZE, entry->data);
    wal_entry_encode(target, entry->pos, entry->type);
    batch->entry_count++;
}

void wal_batch_add_hard_state(struct wal_batch *batch, region_id region,
                              const struct hard_state *hard_state)
{
    uint8_t *target = add(batch, WAL_KIND_HARD_STATE, region, WAL_HARD_STATE_PAYLOAD_SIZE, NULL);
    wal_hard_state_encode(target, hard_state);
}

void wal_batch_add_pos(struct wal_batch *batch, enum wal_kind kind, region_id region,
                       struct raft_pos pos)
{
    ASSERT(kind == WAL_KIND_COMPACTION || kind == WAL_KIND_SNAPSHOT);
    wal_pos_encode(add(batch, kind, region, WAL_POS_PAYLOAD_SIZE, NULL), pos);
}

void wal_batch_each_entry(const struct wal_batch *batch,
                          void (*each)(void *ctx, region_id region, struct raft_pos pos,
                                       uint64_t offset),
                          void *ctx)
{
    const uint8_t *head = batch->heads.data;
    uint64_t offset = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct wal_item *item = &batch->items[i];
        region_id region;
        struct raft_pos pos;
        if (wal_head_is_entry(head, &region, &pos)) {
            each(ctx, region, pos, offset);
        }
        head += item->head_size;
        offset += item->head_size + buf_slice(item->data).size;
    }
    ASSERT(offset == batch->size);
}

/* One part for a prefix, two for each record, one for the padding. */
static void parts_reserve(struct wal_batch *batch)
{
    size_t needed = 2 * batch->count + 2;
    ASSERT(needed <= INT_MAX);
    if (needed > batch->part_capacity) {
        batch->part_capacity = 2 * needed;
        batch->parts = mem_realloc(batch->parts, batch->part_capacity, sizeof(*batch->parts));
    }
}

static void parts_add(struct wal_batch *batch, int *part_count, struct slice bytes)
{
    if (bytes.size > 0) {
        batch->parts[*part_count] = (struct iovec){
            .iov_base = (void *)(uintptr_t)bytes.data, /* a write only reads */
            .iov_len = bytes.size,
        };
        (*part_count)++;
    }
}

uint32_t wal_batch_seal(struct wal_batch *batch, const struct wal_seal *seal, struct slice prefix,
                        int *out_part_count)
{
    ASSERT(!wal_batch_is_empty(batch));
    ASSERT(seal->offset % WAL_SECTOR_SIZE == 0);
    struct wal_seal next = *seal;
    uint8_t *head = batch->heads.data;
    int part_count = 0;
    parts_reserve(batch);
    parts_add(batch, &part_count, prefix);
    for (size_t i = 0; i < batch->count; i++) {
        const struct wal_item *item = &batch->items[i];
        struct slice data = buf_slice(item->data);
        next.flags =
            (uint8_t)((i == 0 ? WAL_FLAG_FIRST : 0) | (i == batch->count - 1 ? WAL_FLAG_LAST : 0));
        next.previous_crc = wal_record_seal(head, item->head_size, data, &next);
        parts_add(batch, &part_count, (struct slice){head, item->head_size});
        parts_add(batch, &part_count, data);
        head += item->head_size;
        next.offset += item->head_size + data.size;
    }
    ASSERT(next.offset == seal->offset + batch->size);
    parts_add(batch, &part_count, (struct slice){PADDING, wal_batch_size(batch) - batch->size});
    *out_part_count = part_count;
    return next.previous_crc;
}
