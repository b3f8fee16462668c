/*
 * Walks a segment's bytes batch by batch. Pure: bytes in, verdicts out; what they mean for the log
 * is recovery's business.
 *
 * V1  A batch is believed only whole: every record of it verifies, continues the chain, carries the
 *     expected batch number, and the last one says that it is the last.
 * V2  Nothing in the bytes can make a scan read outside of them.
 */
#ifndef WAL_WAL_SCAN_H
#define WAL_WAL_SCAN_H

#include "wal/wal_format.h"

/* Where a scan is: behind what has verified, before what has not been looked at. */
struct wal_scan {
    struct slice image; /* of the segment's file, from its begin */
    uint32_t header_crc;
    uint64_t offset;       /* of the next batch */
    uint64_t batch;        /* the number it must have */
    uint32_t previous_crc; /* the record before it */
};

/* Why a batch is not believed, and where. */
struct wal_fault {
    uint64_t offset;
    const char *what; /* static storage */
};

/* A scan at the begin of a segment. Borrows `image`. */
struct wal_scan wal_scan_begin(struct slice image, const struct wal_header *header);

/* What keeps a record that has verified at scan->offset from being the next one of the scan's
 * batch, or its first; NULL: nothing. Static storage. */
const char *wal_scan_misfit(const struct wal_scan *scan, const struct wal_record *record,
                            bool is_first);

/* What a record at `offset` of the segment means; an error ends the walk. Borrows `record`. */
typedef err wal_scan_record_fn(void *ctx, const struct wal_record *record, uint64_t offset);

/*
 * Verifies the batch at scan->offset (V1). If it is whole, fills *out_next with the scan behind it
 * and returns true; otherwise fills *out_fault.
 */
bool wal_scan_batch(const struct wal_scan *scan, struct wal_scan *out_next,
                    struct wal_fault *out_fault);

/* Calls `each` for every record of the batch at scan->offset, which has verified, until an
 * error. */
MUST_USE err wal_scan_apply(const struct wal_scan *scan, wal_scan_record_fn *each, void *ctx);

/*
 * Looks, behind a batch that has not verified, for a record that begins a later batch. As a batch
 * is written only once the one before it is durable, finding one proves that scan->offset had been
 * good. Returns its offset, or 0.
 */
uint64_t wal_scan_later_batch(const struct wal_scan *scan);

/*
 * Behind a batch that was damaged: fills *out_next with a scan at what wal_scan_later_batch finds.
 * What that record says of the batch and the record before it is believed. False: nothing is there.
 */
bool wal_scan_resume(const struct wal_scan *scan, struct wal_scan *out_next);

/* Whether the batch at scan->offset was begun at least: its first head is there. */
bool wal_scan_has_torn_batch(const struct wal_scan *scan);

#endif
