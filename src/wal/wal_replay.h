/*
 * Reads the log's files back and decides what they mean. Changes none of them: recovery
 * (wal_recover.h) makes good what it found here, an offline look (wal_inspect.h) tells of it. So
 * both say the same. The decision table is in README.md.
 *
 * R1  What lies before the mark, before the end that the next segment's header names, or before a
 *     later batch verifies, or it is damage.
 * R2  What is cut was never reported: a batch is written only once the one before it is durable, so
 *     only the very last one can be torn.
 * R5  The index is filled from a log without damage. Once some was found (is_broken), what follows
 *     is verified and decoded, and told of, but not indexed: places and indexes may have gaps.
 */
#ifndef WAL_WAL_REPLAY_H
#define WAL_WAL_REPLAY_H

#include "wal/wal_int.h"
#include "wal/wal_scan.h"

struct wal_replay_segment {
    uint64_t sequence;
    struct env_file *file;    /* NULL: it is wal->segments' (wal_replay_adopt), or not open */
    struct wal_header header; /* is_known: it was good */
    bool is_known;
};

struct wal_replay {
    /* Set by the owner. */
    struct wal *wal;          /* its options are read, its index, segments and spares are filled */
    struct err_note *note;    /* what is wrong, without advice; may be NULL */
    unsigned open_flags;      /* of enum env_open, for the segments' files */
    struct wal_mark mark;     /* all zero: none */
    wal_scan_record_fn *each; /* NULL, or told of every record of a whole batch, decodable */
    void *ctx;
    bool is_broken; /* R5 */

    struct wal_replay_segment *segments; /* as listed: oldest first */
    size_t count;
    size_t capacity;
    size_t current;           /* the one at hand */
    char path[WAL_PATH_SIZE]; /* its name */
    uint8_t *image;           /* its bytes */
    size_t image_capacity;
    /* How far the walk through it has come. */
    struct wal_scan scan;
    struct wal_fault fault; /* why the batch at the scan's offset is none */
    uint64_t batches;
    uint64_t records;
    bool is_at_fault; /* it ended at such a batch, and that is damage */
    bool is_torn;     /* it ended at such a batch, and that is the log's end */
    /* Its last whole batch, if it has one. */
    uint64_t last_begin;
    uint64_t last_end;
};

/* Lists the segments, and reserves the numbers of the spares. Errors: env_dir_list's. Deinit also
 * after an error. */
MUST_USE err wal_replay_list(struct wal_replay *replay);
void wal_replay_deinit(struct wal_replay *replay);

/*
 * Whether segment `i` is called what follows from the one before it; for `i` = count: whether the
 * one that the mark names is there. ERR_DAMAGED.
 */
MUST_USE err wal_replay_check_name(struct wal_replay *replay, size_t i);

/* Opens segment `i` and reads its header. ERR_DAMAGED, ERR_VERSION, ERR_IDENTITY, those of
 * env_file_*. */
MUST_USE err wal_replay_open(struct wal_replay *replay, size_t i);

/* All headers are known: wal->segments has them, and the files, from now on. Not after it is
 * broken. */
void wal_replay_adopt(struct wal_replay *replay);

/*
 * Verifies and applies the batches of segment `i`, whose header is known, and checks how it ends.
 * The segments before it were walked. ERR_DAMAGED; ERR_VERSION; ERR_IO.
 */
MUST_USE err wal_replay_walk(struct wal_replay *replay, size_t i);

/*
 * Behind a batch that was damaged (is_at_fault): goes on at the next one that begins later. It is
 * broken. Errors as of wal_replay_walk; ERR_NOT_FOUND: there is none.
 */
MUST_USE err wal_replay_resume(struct wal_replay *replay);

/* I1 for the log's users: what stands further on has been found. Not after it is broken.
 * ERR_DAMAGED. */
MUST_USE err wal_replay_check_regions(struct wal_replay *replay);

#endif
