/*
 * Files that are ready to become segments: made ahead, or recycled. Both is done by jobs of the
 * log's worker, between batches, so that a write seldom waits for 64 MiB of zeros.
 *
 * P1  A spare has segment_size bytes, written and synced: later writes change no metadata.
 * P2  A recycled segment's old name is durably gone before the file is written again.
 * P3  Nothing in a spare means anything: a segment's records verify under its own header only (F1).
 * P4  Where there is no spare, the blocks of the next one are reserved at once, and filled with
 *     zeros when it is time. A disk that has no room for that is no failure: it is told
 *     (has_reserve), and asked again. Writing into what was reserved, and syncing it, may not fail
 *     (W2).
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

/*
 * Makes one spare: its blocks, then a chunk of zeros a job, so that batches get in between.
 *
 *     NONE ──> RESERVING ──> RESERVED ──> FILLING ──> NONE, and a spare more
 *     NONE <── no space ──┘
 */
enum wal_make_stage {
    WAL_MAKE_NONE,
    WAL_MAKE_RESERVING, /* the job is under way */
    WAL_MAKE_RESERVED,
    WAL_MAKE_FILLING, /* a job is under way */
};

struct wal_make {
    struct env_job job;
    enum wal_make_stage stage;
    bool is_wanted; /* to be filled as soon as it is reserved */
    bool is_urgent; /* a batch waits for it: in one piece */
    uint64_t chunk; /* how much the present job fills */
    struct env *env;
    uint64_t number;
    struct env_file *file; /* NULL until it is reserved */
    uint64_t size;
    uint64_t filled;
    err e;                     /* of reserving */
    struct env_file *obsolete; /* a large one that is too small by now: goes first; or NULL */
    char obsolete_path[WAL_PATH_SIZE];
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
    struct wal_spare large; /* one of `large_size` bytes, for a batch that fits in no other; its */
    uint64_t large_size;    /* file is NULL: there is none */
    uint64_t next_number;
    bool is_closing;      /* nothing new is begun */
    bool has_no_space;    /* the last attempt to reserve found none */
    uint64_t retry_at_ms; /* then: when it may be tried again */
    struct wal_make make;
    struct wal_recycle recycle;
    void (*changed)(void *ctx); /* one was made or recycled: there may be more to do */
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
/* Whether there is a file for a segment of `size` bytes at least, ready to be taken. */
bool wal_spares_fits(const struct wal_spares *spares, uint64_t size);
/* Hands out that file: the caller has it now. Fills its size. */
struct wal_spare wal_spares_take(struct wal_spares *spares, uint64_t size, uint64_t *out_size);
/* Reserves the blocks of the next one unless there is one, or is about to be (P4). */
void wal_spares_reserve_ahead(struct wal_spares *spares);
/* Makes one, reserved or not, unless there is one. */
void wal_spares_make_ahead(struct wal_spares *spares);
/* Makes one of `size` bytes at least, for the batch that waits for it. As soon as nothing else is
 * being made: to be called again whenever something has changed. */
void wal_spares_make(struct wal_spares *spares, uint64_t size);
/* The same at once, by the calling thread: the worker is closed. ERR_NO_SPACE. */
MUST_USE err wal_spares_make_now(struct wal_spares *spares, uint64_t size);
/* Whether the next segment has its blocks, or may be about to get them. */
bool wal_spares_has_reserve(const struct wal_spares *spares);
/* Bytes of all their files. */
uint64_t wal_spares_bytes(const struct wal_spares *spares);
/* Makes the segment a spare, or deletes it if there are enough or its size is another. Takes its
 * file. None may be under way. */
void wal_spares_recycle(struct wal_spares *spares, const struct wal_segment *segment);
/* Closes the files and deletes the unfinished one; the worker must be closed. */
void wal_spares_deinit(struct wal_spares *spares);

#endif
