/* What the log's files share: the log itself. */
#ifndef WAL_WAL_INT_H
#define WAL_WAL_INT_H

#include "wal/wal.h"
#include "wal/wal_batch.h"
#include "wal/wal_index.h"
#include "wal/wal_mark.h"
#include "wal/wal_segment.h"
#include "wal/wal_spare.h"
#include "wal/wal_writer.h"

struct wal {
    struct wal_options options; /* defaults filled in, `directory` our own copy */
    struct env_worker *worker;
    struct wal_segments segments;
    struct wal_spares spares;
    struct wal_index index;
    struct wal_marks marks; /* the write job's while is_writing */
    /* The end of the log: where the next batch goes. */
    uint64_t end;        /* offset in the current segment */
    uint64_t last_batch; /* number of the last batch handed to the writer */
    uint32_t last_crc;   /* of its last record; known once it is durable */
    /* What is durable. */
    uint64_t durable_batch;
    struct wal_place durable; /* where the first batch after it would begin */
    /* Group commit (W4). */
    struct wal_batch gathering;
    struct wal_batch writing;
    struct wal_write write;
    bool is_writing;
    bool is_flush_wanted; /* since the batch was begun: it goes as soon as the writer is free */
    bool is_closing;
    bool is_copy_due; /* something changed that may leave the oldest segment nearly empty */
    struct wal_stats stats;
};

/* The number that the batch which gathers now will have. */
static inline uint64_t wal_gathering_batch(const struct wal *wal)
{
    return wal->last_batch + 1;
}

/* Adds entries to the gathering batch and to the index: a part of an append, or copies. */
void wal_gather(struct wal *wal, struct wal_region *region, const struct entry *entries,
                uint32_t entry_count);

/* wal_reclaim.c: lets go what nobody needs, copies what pins a segment for no reason. */
void wal_reclaim(struct wal *wal);

/* Brings the gauges of wal->stats up to date. */
void wal_stats_update(struct wal *wal);

#endif
