/* What only the core itself does with a list of entries. */
#ifndef RAFT_ENTRIES_INT_H
#define RAFT_ENTRIES_INT_H

#include "raft/raft.h"

/* Gives back the entries from position `count` on. */
void raft_entries_truncate(struct raft_entries *list, uint32_t count);
/* Gives back the first `count` entries. */
void raft_entries_drop_front(struct raft_entries *list, uint32_t count);

#endif
