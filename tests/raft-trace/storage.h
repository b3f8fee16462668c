/* A stable log in memory: what the core reads through struct raft_storage. */
#ifndef RAFT_TRACE_STORAGE_H
#define RAFT_TRACE_STORAGE_H

#include "raft/raft.h"

struct storage {
    struct raft_pos compacted; /* the last entry that is not there any more */
    struct raft_entries entries;
    const struct snapshot *applied; /* the state machine's; borrowed */
};

void storage_init(struct storage *storage, const struct snapshot *applied);
void storage_deinit(struct storage *storage);
/* Borrows `storage`. */
struct raft_storage storage_interface(struct storage *storage);

/* Replaces whatever is there from entries[0] on. Shares the data. */
void storage_append(struct storage *storage, const struct entry *entries, uint32_t count);
/* The log becomes empty, after `pos`. */
void storage_restore(struct storage *storage, struct raft_pos pos);
/* Drops entries up to `index`, which is in the log. */
void storage_compact(struct storage *storage, uint64_t index);

#endif
