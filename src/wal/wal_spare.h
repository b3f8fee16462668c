/*
 * Files that are ready to become segments: made ahead, or recycled. Both is done by jobs of the
 * log's worker, between batches, so that a write never waits for 64 MiB of zeros.
 *
 * P1  A spare has segment_size bytes, written and synced: later writes change no metadata.
 * P2  A recycled segment's old name is durably gone before the file is written again.
 * P3  Nothing in a spare means anything: a segment's records verify under its own header only (F1).
 */
#ifndef WAL_WAL_SPARE_H
#define WAL_WAL_SPARE_H

#include "env/env.h"
#include "wal/wal_segment.h"

#define WAL_SPARES_MAX 64u /* of the table; the wanted number is less than that */

struct wal_spare {
    uint64_t number; /* in its name */
    struct env_file *file;
};

/* Makes one spare, a chunk a job, so that batches get in between. */
struct wal_make {
    struct env_job job;
    bool is_running;
    struct env *env;
    uint64_t number;
    struct env_file *file; /* NULL until the first chunk has run */
    uint64_t size;
    uint64_t filled;
    char path[WAL_PATH_SIZE];
    char target_path[WAL_PATH_SIZE];
};

/* Gives one segment's file a spare's name, or deletes it. */
struct wal_recycle {
    struct env_job job;
    bool is_running;
    struct env *env;
    uint64_t number;
    struct env_file *file;
    bool is_kept;
    const char *directory;
    char path[WAL_PATH_SIZE];
    char target_path[WAL_PATH_SIZE];
};

struct wal_spares {
    struct env *env;
    const char *directory;     /* borrowed for life */
    struct env_worker *worker; /* borrowed; set once it runs */
    uint64_t segment_size;
    size_t count_max;
    struct wal_spare list[WAL_SPARES_MAX]; /* the first is taken first */
    size_t count;
    uint64_t next_number;
    bool is_closing; /* nothing new is begun */
    struct wal_make make;
    struct wal_recycle recycle;
    void (*recycled)(void *ctx); /* a recycling is done: there may be more to do */
    void *ctx;
};

/* Recovery: `number` is in use by a file. */
void wal_spares_reserve(struct wal_spares *spares, uint64_t number);
/* A number for a new file. */
uint64_t wal_spares_number(struct wal_spares *spares);
/* Whether one more is wanted. */
bool wal_spares_has_room(const struct wal_spares *spares);
/* Adds a spare; takes its file. */
void wal_spares_adopt(struct wal_spares *spares, const struct wal_spare *spare);
/* Hands out a spare, if there is one: the caller has its file now. */
bool wal_spares_take(struct wal_spares *spares, struct wal_spare *out_spare);
/* Begins to make one unless there is one, or is about to be. */
void wal_spares_make_ahead(struct wal_spares *spares);
/* Makes the segment a spare, or deletes it if there are enough or its size is another. Takes its
 * file. None may be under way. */
void wal_spares_recycle(struct wal_spares *spares, const struct wal_segment *segment);
/* Closes the files and deletes the unfinished one; the worker must be closed. */
void wal_spares_deinit(struct wal_spares *spares);

#endif
