/*
 * The tail of the log that is not known to be durable: a snapshot to install, then entries. It lies
 * over the stable log and wins where both have an index.
 *
 *      stable log          handed out by raft_ready      not yet
 *   … ----------------][------------------------------)[------------)
 *                      offset                          in_progress   end
 *
 * U1  entries.items[i] has index offset + i; offset <= in_progress <= offset + entries.count.
 * U2  With a snapshot, offset == snapshot.pos.index + 1 when it was restored, and never below.
 */
#ifndef RAFT_UNSTABLE_H
#define RAFT_UNSTABLE_H

#include "raft/raft.h"

struct raft_unstable {
    struct raft_entries entries;
    uint64_t offset;
    uint64_t in_progress; /* the first index that was not handed out yet */
    bool has_snapshot;
    bool snapshot_in_progress;
    struct snapshot snapshot; /* owns one reference on its data */
};

/* An empty tail after `last_index`. */
void raft_unstable_init(struct raft_unstable *unstable, uint64_t last_index);
void raft_unstable_deinit(struct raft_unstable *unstable);

/* The index after the last one. */
uint64_t raft_unstable_end(const struct raft_unstable *unstable);
/* False if the tail does not know the term at `index`. */
bool raft_unstable_term(const struct raft_unstable *unstable, uint64_t index, uint64_t *out_term);

/*
 * Adds consecutive entries that start at or before the end, replacing from their first index on;
 * those replaced are handed out anew. Shares the data.
 */
void raft_unstable_append(struct raft_unstable *unstable, const struct entry *entries,
                          uint32_t count);
/* The tail becomes a snapshot and nothing after it. Shares the data. */
void raft_unstable_restore(struct raft_unstable *unstable, const struct snapshot *snapshot);

/* Entries up to `pos` are durable. Ignored unless the tail has exactly this entry (ABA). */
void raft_unstable_stable_to(struct raft_unstable *unstable, struct raft_pos pos);
/* The snapshot at `index` is installed. Ignored if it is not the one of this tail. */
void raft_unstable_snapshot_stable_to(struct raft_unstable *unstable, uint64_t index);

/* What is to be handed out next; borrowed until the tail changes. NULL or 0: nothing. */
const struct entry *raft_unstable_next_entries(const struct raft_unstable *unstable,
                                               uint32_t *out_count);
const struct snapshot *raft_unstable_next_snapshot(const struct raft_unstable *unstable);
/* Both are on their way now. */
void raft_unstable_accept(struct raft_unstable *unstable);

#endif
