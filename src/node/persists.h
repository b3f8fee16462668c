/*
 * What waits for the disk: for each raft_ready that gave the log something, the messages that may
 * go, and the mark that the core gets, once it and everything before it is durable.
 *
 * P1  In order: a record never leaves before one that came earlier.
 */
#ifndef NODE_PERSISTS_H
#define NODE_PERSISTS_H

#include "base/list.h"
#include "raft/raft.h"

struct persist {
    struct list link;
    uint64_t ticket; /* of the log; everything up to it must be durable */
    bool has_mark;
    struct raft_mark mark;
    uint32_t message_count;
    struct message messages[]; /* without entries: answers only */
};

struct persists {
    struct list records;
};

/* An empty one in caller's storage. */
void persists_init(struct persists *persists);
/* Nothing waits for the disk. */
bool persists_is_empty(const struct persists *persists);
/* What `ready` wants done once it is durable, copied, without a ticket. Caller frees (mem_free). */
struct persist *persists_new(const struct raft_ready *ready);
/* Takes `record`, which waits for `ticket`. */
void persists_add(struct persists *persists, uint64_t ticket, struct persist *record);
/* Both in one. */
void persists_push(struct persists *persists, uint64_t ticket, const struct raft_ready *ready);
/* The first record that `ticket` covers, taken out; NULL if none. Caller frees with mem_free. */
struct persist *persists_pop(struct persists *persists, uint64_t ticket);
void persists_deinit(struct persists *persists);

#endif
