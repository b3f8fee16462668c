/*
 * What LMDB does for the store, and nothing else of it: one file that is replaced, whole, from one
 * consistent state to the next. LMDB makes its system calls itself: this header is the seam behind
 * which they are (the simulator takes them by the linker), beside env/env.h.
 *
 * P1  One write transaction carries a frozen tail and the regions' states; it is synced (data, then
 *     meta page) when store_checkpoint_write returns OK, and leaves no trace otherwise.
 * P2  There is at most one write at a time, on one thread. Reading goes on beside it, on the loop
 *     thread, from the state before it.
 * P3  The map is resized on the loop thread, while no write is under way and the read transaction
 *     is reset: LMDB does not check that.
 * P4  The file is at least as long as the map (with a hole at its end): no mapped page is past its
 *     end, so that reading cannot fault, and a file shorter than its last page has been cut.
 * P5  LMDB finds no damage by itself (its pages have no checksums). It may notice: then the process
 *     leaves a mark (distrust.h) and ends with a line that says so.
 * P6  A reader of its own (struct checkpoint_reader) never holds up a write: a map that has to be
 *     resized (P3) cuts all of them off. The map doubles, so that happens a few times in a store's
 *     life, and costs a transfer that begins again. Waiting for them instead would let the slowest
 *     receiver decide when this node can checkpoint, and with that, when it can take writes.
 * P7  The file is whole or is not there: a new one is made beside its place and takes it, by a
 *     rename, once its first transaction is durable. (LMDB writes a file's first two meta pages
 *     without syncing them: a power cut could leave one of them, which nothing tells from damage.)
 * P8  Read-only, it opens nothing for writing, makes no file and takes no lock, LMDB's neither: the
 *     caller sees to it that nobody writes. Only reading is allowed then; P4 does not hold, so a
 *     damaged page may fault.
 */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include "store/tail.h"

/* What a person can do about a damaged store. */
#define STORE_DAMAGE_ADVICE                                                                        \
    "its data cannot be trusted: replace this node by one with a new id and an empty data "        \
    "directory (a node that is alone: put a backup of the whole data directory back)"

struct checkpoint;

struct checkpoint_options {
    struct env *env;
    const char *directory;   /* made if missing */
    uint64_t map_size_bytes; /* to begin with; a file that has a larger map keeps it */
    bool is_read_only;       /* P8 */
};

/*
 * Opens the file, makes it if it is missing. Blocks. Caller closes.
 *
 * Errors, with a note that says the file and what to do: ERR_DAMAGED, ERR_VERSION (a format that
 * this program does not know), ERR_BUSY (another process has it), ERR_NO_SPACE, ERR_PERMISSION,
 * ERR_IO; ERR_NO_FILE (read-only: there is none).
 */
MUST_USE err store_checkpoint_open(struct checkpoint **out_checkpoint,
                                   const struct checkpoint_options *options, struct err_note *note);
/* No write may be under way. NULL: no-op. */
void store_checkpoint_close(struct checkpoint *checkpoint);

/* The data file. Borrowed while the checkpoint is open. */
const char *store_checkpoint_path(const struct checkpoint *checkpoint);

/*
 * The bytes under `key`, borrowed until store_checkpoint_refresh, _reserve or _grow. ERR_NOT_FOUND;
 * ERR_CORRUPT (a page that cannot be).
 */
MUST_USE err store_checkpoint_get(struct checkpoint *checkpoint, enum store_space space,
                                  struct slice key, struct slice *out_bytes);

/*
 * The first record whose key is at or after `from` (SLICE_EMPTY: of all), borrowed as above: the
 * place of the space, of which there is one. ERR_NOT_FOUND: there is none; ERR_CORRUPT.
 */
MUST_USE err store_checkpoint_seek(struct checkpoint *checkpoint, enum store_space space,
                                   struct slice from, struct slice *out_key,
                                   struct slice *out_bytes);
/* The record after that place, which moves to it. Nothing but reading since the place was found,
 * and no error. Errors as above. */
MUST_USE err store_checkpoint_seek_next(struct checkpoint *checkpoint, enum store_space space,
                                        struct slice *out_key, struct slice *out_bytes);

/* Calls `each` with every record from the first key at or after `from` on, in byte order, until it
 * returns false. The slices are borrowed until it returns. ERR_CORRUPT. */
MUST_USE err store_checkpoint_each(struct checkpoint *checkpoint, enum store_space space,
                                   struct slice from,
                                   bool (*each)(void *ctx, struct slice key, struct slice bytes),
                                   void *ctx);

/*
 * Calls `each` with the state of every region, as it was given to store_checkpoint_write, in
 * increasing order of the ids. Stops at the first error and returns it.
 */
MUST_USE err store_checkpoint_each_region(struct checkpoint *checkpoint,
                                          err (*each)(void *ctx, region_id region,
                                                      struct slice state),
                                          void *ctx);

struct checkpoint_region {
    region_id id;
    struct slice state;
};

struct checkpoint_batch {
    struct store_tails tails; /* frozen; NULL: nothing of that space */
    const struct checkpoint_region *regions;
    size_t region_count;
};

/*
 * Bytes of the pages that LMDB copies, and holds until the commit, when the tails are written over
 * the records that are there: an estimate that is rather too high. On the loop thread.
 */
uint64_t store_checkpoint_copied_bytes(const struct checkpoint *checkpoint,
                                       const struct store_tails *tails);

/* Makes the map large enough for writing the batch, by an estimate. P3. */
void store_checkpoint_reserve(struct checkpoint *checkpoint, const struct checkpoint_batch *batch);
/* Doubles the map. P3. */
void store_checkpoint_grow(struct checkpoint *checkpoint);

/*
 * Writes the batch, durably, in key order (P1). On the checkpointer's thread; only reads the batch.
 *
 * ERR_MAP_FULL: to be repeated after store_checkpoint_grow. ERR_NO_SPACE: the disk is full; to be
 * repeated when it is not. Every other failure is the end of the process: a device that does not
 * take writes, a file whose pages make no sense.
 */
MUST_USE err store_checkpoint_write(struct checkpoint *checkpoint,
                                    const struct checkpoint_batch *batch);

/* Reads see what was written last, from now on. On the loop thread. */
void store_checkpoint_refresh(struct checkpoint *checkpoint);

/* ---- one state, read for longer than a turn ---- */

/* A range of the users' keys: from `begin` on, up to but without `end`. An empty `end`: there is
 * none. The system's keys, all of them, go with any range: they are one region's. */
struct checkpoint_range {
    struct slice begin;
    struct slice end;
};

/*
 * A read transaction of its own: one consistent state, whatever is written meanwhile. It pins the
 * pages of that state, so the file grows while it lives: its owner bounds number and age. All on
 * the loop thread.
 */
struct checkpoint_reader;

/* At what was written last, be that not yet refreshed; before the first record. Borrows the range
 * while it is open. Caller closes. */
struct checkpoint_reader *store_checkpoint_reader_open(struct checkpoint *checkpoint,
                                                       struct checkpoint_range range);
void store_checkpoint_reader_close(struct checkpoint_reader *reader); /* NULL: no-op */
/*
 * The state of the region, in the same transaction as the records. Borrowed until the reader is
 * closed or cut off. ERR_NOT_FOUND, ERR_CORRUPT, ERR_UNAVAILABLE (cut off, P6).
 */
MUST_USE err store_checkpoint_reader_region(struct checkpoint_reader *reader, region_id region,
                                            struct slice *out_state);
/*
 * The record at the reader's place, borrowed as above: the users' first, then the system's.
 * ERR_NOT_FOUND: there is none left. ERR_CORRUPT, ERR_UNAVAILABLE.
 */
MUST_USE err store_checkpoint_reader_peek(struct checkpoint_reader *reader,
                                          enum store_space *out_space, struct slice *out_key,
                                          struct slice *out_bytes);
/* To the place after the record that peek has found. */
void store_checkpoint_reader_advance(struct checkpoint_reader *reader);

/* ---- all records, piece by piece ---- */

struct checkpoint_piece {
    enum store_space space;
    struct slice from; /* the first key at or after it; empty: the first of all */
    size_t size_max;   /* of keys and records, but for the last one; not 0 */
    /*
     * One record, in byte order; the slices are borrowed until it returns. `is_found`: looking its
     * key up leads to it, too. False ends the piece.
     */
    bool (*each)(void *ctx, struct slice key, struct slice bytes, bool is_found);
    void *ctx;
};

/*
 * Calls `each` for a piece of what was written last, in a read transaction of its own that is over
 * when it returns. On the checkpointer's thread, and nothing else of the checkpoint's is done there
 * or on the loop meanwhile but reading. *out_is_end: there is no record of the space behind it.
 * ERR_CORRUPT: a page cannot be.
 */
MUST_USE err store_checkpoint_walk(struct checkpoint *checkpoint,
                                   const struct checkpoint_piece *piece, bool *out_is_end);

/* ---- one region, replaced ---- */

struct checkpoint_replacement {
    struct checkpoint_range range; /* what stands there goes */
    struct checkpoint_region region;
    uint64_t size_bytes; /* at least all keys and records together, for the estimate */
    /*
     * The next record: the users' first, all of them in `range`, then the system's, each in
     * increasing order. The slices are borrowed until the next call. ERR_NOT_FOUND: that was all.
     * Any other error ends the attempt.
     */
    err (*next)(void *ctx, enum store_space *out_space, struct slice *out_key,
                struct slice *out_bytes);
    void *ctx;
};

/* Makes the map large enough for the replacement, by an estimate. P3. */
void store_checkpoint_replace_reserve(struct checkpoint *checkpoint,
                                      const struct checkpoint_replacement *replacement);

/*
 * Replaces every record in the range, all of the system's, and the region's state, in one
 * transaction (P1, P2), with a
 * bounded amount of memory. Errors as of store_checkpoint_write, and those of `next`.
 */
MUST_USE err store_checkpoint_replace(struct checkpoint *checkpoint,
                                      const struct checkpoint_replacement *replacement);

struct checkpoint_figures {
    uint64_t records[STORE_SPACES];
    uint64_t map_size_bytes;
    uint64_t size_bytes; /* of the file up to its last page: the rest is a hole */
    uint64_t used_bytes; /* of it: what is not free for the next write */
};

/* As of the last refresh. On the loop thread, while no write is under way. */
struct checkpoint_figures store_checkpoint_figures(const struct checkpoint *checkpoint);

#endif
