/*
 * A batch: the records that gather while the batch before is being written, then one write.
 *
 * N1  Payload bytes are not copied: a batch holds a reference to each entry's buf, and the write
 *     takes them from there. The loop thread takes the references and gives them back.
 * N2  While the worker has a batch, the loop does not touch it (but for the buf's counts).
 */
#ifndef WAL_WAL_BATCH_H
#define WAL_WAL_BATCH_H

#include <sys/uio.h>

#include "base/codec.h"
#include "proto/entry.h"
#include "wal/wal_format.h"

struct wal_item {
    struct buf *data;   /* the end of the record's payload, or NULL */
    uint32_t head_size; /* what stands of it in `heads` */
};

struct wal_batch {
    struct writer heads;    /* the records' heads and small payloads, one after the other */
    struct wal_item *items; /* one a record, in log order */
    size_t count;
    size_t capacity;
    uint64_t size; /* of all records, without the padding */
    uint32_t entry_count;
    uint64_t ticket;     /* of the last append in it; 0: none */
    struct iovec *parts; /* the worker's: room for the write */
    size_t part_capacity;
};

/* All zero is an empty batch. Gives back every reference and all memory. */
void wal_batch_deinit(struct wal_batch *batch);
/* Empties the batch: gives back every reference, keeps the memory. */
void wal_batch_reset(struct wal_batch *batch);
bool wal_batch_is_empty(const struct wal_batch *batch);
/* Bytes on the disk: all records, padded to whole sectors. */
uint64_t wal_batch_size(const struct wal_batch *batch);

/* Each adds one record; the entry's data is shared. */
void wal_batch_add_entry(struct wal_batch *batch, region_id region, const struct entry *entry);
void wal_batch_add_hard_state(struct wal_batch *batch, region_id region,
                              const struct hard_state *hard_state);
/* `kind` is WAL_KIND_COMPACTION or WAL_KIND_SNAPSHOT. */
void wal_batch_add_pos(struct wal_batch *batch, enum wal_kind kind, region_id region,
                       struct raft_pos pos);

/*
 * Calls `each` for every entry of the batch, in order, with the offset of its record from the
 * batch's begin.
 */
void wal_batch_each_entry(const struct wal_batch *batch,
                          void (*each)(void *ctx, region_id region, struct raft_pos pos,
                                       uint64_t offset),
                          void *ctx);

/*
 * Worker thread: completes the records and sets out the batch as parts of a write, *out_parts,
 * after `prefix` (perhaps empty) and padded. `seal` says where the batch begins and what is before
 * it; its flags are not looked at. Fills *out_part_count; returns the CRC of the last record.
 */
uint32_t wal_batch_seal(struct wal_batch *batch, const struct wal_seal *seal, struct slice prefix,
                        int *out_part_count);

#endif
