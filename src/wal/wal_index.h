/*
 * What the log holds, in memory: for each region its hard state, where its log begins, and for
 * every live entry its term, where on the disk it is, and (for the newer ones) its bytes.
 *
 * I1  A region's entries are first..last without a gap; in between calls of the log's users
 *     first == compacted.index + 1. Only recovery sees a `first` above that: older entries whose
 *     segment is gone stand again further on (copied forward).
 * I2  An entry that is not durable has its bytes here, always.
 * I3  Entries below cached_from have no bytes here.
 */
#ifndef WAL_WAL_INDEX_H
#define WAL_WAL_INDEX_H

#include "base/list.h"
#include "proto/entry.h"
#include "wal/wal_segment.h"

struct wal_slot {
    uint64_t term;
    struct buf *data; /* one reference; NULL: empty entry, or only on the disk */
    struct wal_place place;
    uint32_t size; /* of the data */
    uint8_t type;  /* enum entry_type */
};

struct wal_region {
    region_id id;
    struct raft_pos compacted;
    struct hard_state hard_state;
    uint64_t first; /* I1; empty when last + 1 */
    uint64_t last;
    struct wal_slot *slots; /* a ring: entry i is at i modulo capacity */
    size_t capacity;        /* a power of two, or 0 */
    uint64_t cached_from;   /* I3 */
    struct list link;       /* of index.cached; alone if nothing is cached */
};

struct wal_index {
    struct wal_region **regions; /* by id */
    size_t count;
    size_t capacity;
    struct wal_segments *segments; /* borrowed: told what is held and released */
    struct list cached;            /* of wal_region.link: longest without an append first */
    uint64_t cached_bytes;
    uint64_t cache_bytes_max;
};

/* Borrows `segments` for the index's life. */
void wal_index_init(struct wal_index *index, struct wal_segments *segments,
                    uint64_t cache_bytes_max);
void wal_index_deinit(struct wal_index *index);

/* The region, or NULL. Borrowed for the index's life. */
struct wal_region *wal_index_find(const struct wal_index *index, region_id id);
/* The region; made if new. */
struct wal_region *wal_index_get(struct wal_index *index, region_id id);

/* Where entry `i` (first..last) is kept. Borrowed until the next append to the region. */
struct wal_slot *wal_region_slot(const struct wal_region *region, uint64_t i);

/*
 * Appends `entry`, which replaces what is there from its index on; first <= index <= last + 1.
 * Shares its data. What it replaces is released with `batch`.
 */
void wal_region_append(struct wal_index *index, struct wal_region *region,
                       const struct entry *entry, uint64_t batch);

/* Recovery: the same for an entry of `size` bytes that is at `place` and stays on the disk. */
void wal_region_restore(struct wal_index *index, struct wal_region *region,
                        const struct entry *entry, size_t size, struct wal_place place);

/* Entry `pos` is at `place`, which is behind all places so far; if the region still has the
 * entry. */
void wal_region_place(struct wal_index *index, struct wal_region *region, struct raft_pos pos,
                      struct wal_place place);

/* Entries up to pos.index are gone, those after it stay. Released with `batch`. */
void wal_region_compact(struct wal_index *index, struct wal_region *region, struct raft_pos pos,
                        uint64_t batch);

/* All entries are gone; the log goes on after `pos`. Released with `batch`. */
void wal_region_reset(struct wal_index *index, struct wal_region *region, struct raft_pos pos,
                      uint64_t batch);

/* Recovery: all entries are gone, the next one is `first` (I1). */
void wal_region_restart(struct wal_index *index, struct wal_region *region, uint64_t first);

/* Drops the oldest bytes until the cache is within its bound; never of entries at or after
 * `durable` (I2). */
void wal_index_evict(struct wal_index *index, struct wal_place durable);

#endif
