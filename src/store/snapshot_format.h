/*
 * The chunks of a snapshot, byte by byte in README.md: made, and checked. No I/O.
 *
 * A snapshot is a header, chunks of the users' records, then of the system's, an end. It is the
 * same on the wire and in the staged file, where the chunks stand one after the other.
 */
#ifndef STORE_SNAPSHOT_FORMAT_H
#define STORE_SNAPSHOT_FORMAT_H

#include "store/snapshot.h"

#define STORE_SNAPSHOT_HEAD_SIZE 16u

/* The values stand on disk and on the wire. */
enum store_snapshot_kind {
    STORE_SNAPSHOT_HEADER = 1,
    STORE_SNAPSHOT_RECORDS = 2, /* the users' */
    STORE_SNAPSHOT_END = 3,
    STORE_SNAPSHOT_SYSTEM_RECORDS = 4, /* all after the users' */
};

/* What ties a chunk to those before it. All zero: before the first. */
struct store_snapshot_chain {
    uint32_t count;
    struct hash128 whole; /* of all of them */
};

/* What the records add up to, to be compared with the region's state. */
struct store_snapshot_sums {
    uint64_t keys;
    uint64_t key_bytes;
    uint64_t value_bytes;
    uint64_t system_keys;
    uint64_t system_bytes; /* of their keys and values */
    struct hash128 state_hash;
};

/* Adds a record, all of whose checksums are right, of the space. ERR_CORRUPT: it is not that. */
MUST_USE err store_snapshot_sum(struct store_snapshot_sums *sums, enum store_space space,
                                struct slice key, struct slice bytes);
/* Adds a record by its head alone, which is right. */
void store_snapshot_sum_head(struct store_snapshot_sums *sums, enum store_space space,
                             struct slice key, const struct store_record *record);
/* How many records were added. */
uint64_t store_snapshot_sum_records(const struct store_snapshot_sums *sums);
bool store_snapshot_sums_agree(const struct store_snapshot_sums *sums,
                               const struct store_region *region);

/* ---- making ---- */

/* Leaves room for a chunk's head at the end of `out`; returns where it is. */
size_t store_snapshot_begin(struct writer *out);
/* Fills the head in: everything after it is the payload. */
void store_snapshot_finish(struct store_snapshot_chain *chain, enum store_snapshot_kind kind,
                           struct writer *out, size_t begin);

/* Append a payload, or a part of one. */
void store_snapshot_put_header(struct writer *out, const struct store_region *region);
void store_snapshot_put_record(struct writer *out, struct slice key, struct slice bytes);
void store_snapshot_put_end(struct writer *out, uint64_t record_count,
                            const struct store_snapshot_chain *chain);
/* Bytes that it appends. */
size_t store_snapshot_record_size(struct slice key, struct slice bytes);

/* ---- checking ---- */

/* All zero: before the first chunk. */
struct store_snapshot_check {
    struct store_snapshot_chain chain;
    struct store_snapshot_sums sums;
    struct store_region region; /* after the header */
    bool is_complete;           /* after the end: everything was right */
    enum store_space space;     /* of the last chunk that had records */
    size_t last_key_size;       /* 0: there was none of the space yet */
    uint8_t last_key[STORE_SYSTEM_KEY_SIZE_MAX];
};

/* Size of the whole chunk that begins with this head; ERR_DAMAGED: no chunk is so large. */
MUST_USE err store_snapshot_chunk_size(const uint8_t *head, size_t *out_size);

/*
 * Checks the next chunk, whole. Fills `out_records` with the payload that has the records, borrowed
 * from `chunk`, whose space is check->space; empty for the other kinds. ERR_DAMAGED, ERR_VERSION;
 * after one there is no next.
 */
MUST_USE err store_snapshot_check(struct store_snapshot_check *check, struct slice chunk,
                                  struct reader *out_records);
/* The next record of a payload that was checked. False: that was all. Borrowed from the payload. */
bool store_snapshot_next_record(struct reader *records, struct slice *out_key,
                                struct slice *out_bytes);

#endif
