/*
 * The node's one write-ahead log, shared by all its regions: entries, hard states, compaction
 * marks. Format byte by byte: README.md. Rules: docs/ARCHITECTURE.md, "The log".
 *
 * W1  What `persisted` reports is on the disk: written, and fdatasync has returned.
 * W2  A failed write or sync ends the process at once (fatal): never retried, never ignored.
 * W3  Appends become durable in the order in which they were made; a ticket covers all before it.
 * W4  While one batch syncs, the next gathers: one batch is one write and one fdatasync.
 * W5  What wal_term, wal_read and wal_bounds tell includes what is appended but not yet durable.
 * W6  Recovery cuts a tail that was never reported durable; damage in what had been reported, or
 *     before something that was written later, is refused with file and offset. Never a silent cut.
 * W7  The log writes into blocks that it had reserved ahead. On a disk without room for more it
 *     goes on to the end of those (wal_room), and then keeps what comes in memory, not durable,
 *     until there is room: as on a disk that takes its time. It is for the owner not to let it come
 *     to that, and to bound what it appends meanwhile.
 *
 * All on the loop thread; the writing is done by a worker of the log's own.
 */
#ifndef WAL_WAL_H
#define WAL_WAL_H

#include "base/log.h"
#include "base/metrics.h"
#include "env/env.h"
#include "proto/entry.h"

struct wal;

struct wal_options {
    struct env *env;
    struct log *log;       /* may be NULL */
    const char *directory; /* made if missing */
    uint64_t cluster_id;   /* in every segment's header: a segment of another cluster or */
    node_id node;          /* node is refused */
    uint64_t
        segment_size_bytes;   /* 0: 64 MiB; tests take less; a larger batch gets a larger segment */
    uint64_t cache_bytes_max; /* 0: 64 MiB of entries kept in memory for reading */
    uint32_t spare_segments_max; /* 0: 2; recycled ones kept beyond the one made ahead */
    /* Everything up to `ticket` is durable. */
    void (*persisted)(void *ctx, uint64_t ticket);
    void *ctx;
};

/*
 * Opens the log, makes it if the directory is empty, and recovers: afterwards wal_bounds and
 * wal_hard_state tell what there is. Blocks. Caller closes.
 *
 * Errors, with a note that says file, offset and what to do: ERR_DAMAGED (W6), ERR_VERSION,
 * ERR_IDENTITY, ERR_IO, ERR_PERMISSION, ERR_NO_SPACE.
 */
MUST_USE err wal_open(struct wal **out_wal, const struct wal_options *options,
                      struct err_note *note);

/*
 * The two halves of wal_open, for who has something to do before the log can be opened. In between
 * it knows no region, and nothing may be appended or compacted. wal_start: errors as of wal_open;
 * then it is as before, to be started again or closed.
 */
struct wal *wal_new(const struct wal_options *options);
/* As above. */
MUST_USE err wal_start(struct wal *wal, struct err_note *note);

/* Makes durable what was appended, reports it, stops the worker. NULL: no-op. */
void wal_close(struct wal *wal);

/* The regions that the log knows, each once, in increasing order. */
void wal_regions(const struct wal *wal, void (*each)(void *ctx, region_id region), void *ctx);

struct wal_bounds {
    struct raft_pos compacted; /* the entry before the first; {0,0}: nothing was compacted */
    uint64_t last_index;       /* compacted.index when there is none */
};

/* A region that the log does not know has all zero. */
struct wal_bounds wal_bounds(const struct wal *wal, region_id region);
struct hard_state wal_hard_state(const struct wal *wal, region_id region);

struct wal_append {
    region_id region;
    const struct hard_state *hard_state; /* or NULL */
    const struct entry *entries;         /* consecutive; may begin below last_index + 1: what was */
    uint32_t entry_count; /* there from the first index on is replaced (truncation) */
};

/*
 * Appends to the batch of this turn and returns its ticket (W3; tickets grow). Borrows `append`,
 * shares each entry's data. The entries begin after compacted.index and at most at last_index + 1.
 */
uint64_t wal_append(struct wal *wal, const struct wal_append *append);

/* Hands the gathered batch to the writer as soon as that is free. Once a turn. */
void wal_flush(struct wal *wal);

/* The term of entry `index`; also of compacted.index. ERR_COMPACTED, ERR_UNAVAILABLE (past the
 * end). */
MUST_USE err wal_term(const struct wal *wal, region_id region, uint64_t index, uint64_t *out_term);

/* Entries [low, high) of a region: one, and more while their sizes sum to at most `size_max`. */
struct wal_range {
    region_id region;
    uint64_t low;
    uint64_t high;
    uint64_t size_max;
};

/*
 * Fills `out_entries` (room for `count_max`) with the entries of `range`. Each comes with a
 * reference of its own: the caller unrefs its data. Served from memory, or read back from the disk
 * when it is no longer there (blocks for that read).
 *
 * Errors: ERR_COMPACTED, ERR_UNAVAILABLE, ERR_DAMAGED, ERR_IO.
 */
MUST_USE err wal_read(struct wal *wal, const struct wal_range *range, struct entry *out_entries,
                      uint32_t count_max, uint32_t *out_count);

/*
 * Entries of `region` up to and including `pos` are not needed any more: the state machine's
 * checkpoint has them. Segments that nobody needs are recycled; a quiet region's few live entries
 * are copied forward rather than pinning a segment. `pos` may be past the end: then the log goes on
 * after it (a snapshot was installed).
 */
void wal_compact(struct wal *wal, region_id region, struct raft_pos pos);

struct wal_stats {
    uint64_t segments; /* live ones */
    uint64_t spare_segments;
    uint64_t size_bytes; /* of all files */
    uint64_t live_bytes; /* of records that are still needed */
    uint64_t cached_bytes;
    uint64_t appended_bytes; /* since the start */
    uint64_t syncs;          /* since the start */
    uint64_t durable_ticket;
    uint64_t last_ticket;
    struct histogram sync_us;       /* one fdatasync */
    struct histogram batch_entries; /* entries of one batch */
};

/* Borrowed until the log is closed; current at every look. */
const struct wal_stats *wal_stats(const struct wal *wal);

/* The number of the batch that is with the disk, or waits for its place on it (W7); 0: none does.
 * Numbers grow, over all lives. */
uint64_t wal_writing(const struct wal *wal);

/* What a full disk leaves to the log. */
enum wal_room {
    WAL_ROOM_ENOUGH,  /* the next segment has its blocks, or half of this one is left */
    WAL_ROOM_SHORT,   /* less: nothing that grows should be appended */
    WAL_ROOM_RESERVE, /* less than a quarter: for what keeps the node a member */
};

/* What there would be after `size` more bytes. */
enum wal_room wal_room(const struct wal *wal, uint64_t size);
/* A disk that had no room for the next segment is asked again, once a second. Every tick. */
void wal_tick(struct wal *wal);

#endif
