/*
 * The window of messages with entries that a follower has not acknowledged: a queue of (last index,
 * bytes), bounded in number and in bytes.
 *
 * I1  Indexes grow from front to back.
 * I2  The queue is full once it has `count_max` messages or at least `bytes_max` bytes: the last
 *     message may go over the limit in bytes, else one huge entry could never be sent.
 */
#ifndef RAFT_INFLIGHTS_H
#define RAFT_INFLIGHTS_H

#include <stdbool.h>
#include <stdint.h>

struct raft_inflight {
    uint64_t index; /* of the message's last entry */
    uint64_t bytes;
};

/* Grows on demand: most followers never have many messages under way. */
struct raft_inflights {
    struct raft_inflight *ring;
    uint32_t capacity;
    uint32_t start;
    uint32_t count;
    uint64_t bytes;
    uint32_t count_max;
    uint64_t bytes_max;
};

/* An empty window; a limit of 0 is none. */
void raft_inflights_init(struct raft_inflights *inflights, uint32_t count_max, uint64_t bytes_max);
void raft_inflights_deinit(struct raft_inflights *inflights);
/* The window must not be full. */
void raft_inflights_add(struct raft_inflights *inflights, uint64_t index, uint64_t bytes);
/* Drops everything up to `index`. */
void raft_inflights_free_to(struct raft_inflights *inflights, uint64_t index);
bool raft_inflights_is_full(const struct raft_inflights *inflights);
/* Drops everything and keeps the memory. */
void raft_inflights_reset(struct raft_inflights *inflights);

#endif
