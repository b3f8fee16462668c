/*
 * The log's files: their names, how one is made, and the table of the live segments.
 *
 *     0000000000000007.seg     a live segment; the number is its sequence
 *     000000000000000b.spare   zero-filled or recycled, ready to become a segment; any number
 *     000000000000000c.new     being made; deleted at the next start
 *     synced                   wal_mark.h
 *
 * S1  Live sequences have no gap; only the oldest may go.
 * S2  A file is called .seg only once its header and first batch are durable.
 * S3  live_bytes of a segment is the size of the entry records that the index has in it.
 */
#ifndef WAL_WAL_SEGMENT_H
#define WAL_WAL_SEGMENT_H

#include "env/env.h"
#include "wal/wal_format.h"

#define WAL_PATH_SIZE 1024u
#define WAL_DIRECTORY_SIZE_MAX (WAL_PATH_SIZE - 32u) /* a slash, 16 digits, an ending, a NUL */

enum wal_file_type {
    WAL_FILE_SEGMENT,
    WAL_FILE_SPARE,
    WAL_FILE_NEW,
    WAL_FILE_OTHER, /* not one of the numbered ones */
};

/* Fills `path` with the name of file `number` in `directory`. */
void wal_path_format(char path[WAL_PATH_SIZE], const char *directory, enum wal_file_type type,
                     uint64_t number);
/* What a file called `name` is, and its number. */
enum wal_file_type wal_name_parse(const char *name, uint64_t *out_number);

/* Writes zeros to [offset, offset + size). Either thread. Errors: env_file_write's. */
MUST_USE err wal_file_zero(struct env_file *file, uint64_t offset, uint64_t size);

/*
 * Makes a file of `size` bytes, zeros from `begin` on: what is before them the caller is about to
 * write. The name must be new. Not synced. Caller closes. Either thread. Errors, with the path in
 * the note: those of env_file_*.
 */
MUST_USE err wal_file_create(struct env *env, const char *path, uint64_t begin, uint64_t size,
                             struct env_file **out_file, struct err_note *note);

/* Where a record is. */
struct wal_place {
    uint32_t segment; /* sequence; 0: not on its way to the disk yet */
    uint32_t offset;
};

static inline bool wal_place_is_before(struct wal_place a, struct wal_place b)
{
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

struct wal_segment {
    uint64_t sequence;
    uint64_t size;
    uint64_t first_batch;
    uint32_t header_crc;
    uint64_t live_bytes;    /* S3 */
    uint64_t release_batch; /* live_bytes holds once this batch is durable: the segment may not go
                               before the record that made its entries superfluous is safe */
    struct env_file *file;  /* NULL while the worker makes it */
};

/* The live segments, oldest first. */
struct wal_segments {
    struct wal_segment *list;
    size_t count;
    size_t capacity;
    uint64_t live_bytes;
    uint64_t size_bytes;
};

/* Closes all files. */
void wal_segments_deinit(struct wal_segments *segments);
/* Adds the next segment; takes its file. */
void wal_segments_push(struct wal_segments *segments, const struct wal_segment *segment);
/* Takes the oldest out; the caller has its file now. */
struct wal_segment wal_segments_pop(struct wal_segments *segments);
/* Live segment `sequence`. Borrowed until the next push or pop. */
struct wal_segment *wal_segments_at(const struct wal_segments *segments, uint64_t sequence);
/* The newest. */
struct wal_segment *wal_segments_current(const struct wal_segments *segments);
/* An entry's record of `size` bytes is in the segment now. */
void wal_segments_hold(struct wal_segments *segments, uint64_t sequence, uint64_t size);
/* It is not needed any more as soon as `batch` is durable. */
void wal_segments_release(struct wal_segments *segments, uint64_t sequence, uint64_t size,
                          uint64_t batch);

#endif
