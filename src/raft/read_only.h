/*
 * A leader's read requests on their way through a round of heartbeats (dissertation, section 6.4).
 *
 * O1  Requests are confirmed in the order in which they came: a quorum that answers a later round
 *     has seen us lead after the earlier one, too. Rounds are the leader's own numbers, one for
 *     each request it queued in this term: an answer to what was sent before a request came says
 *     nothing about it, not even if the network delivers an old request once more.
 * O2  A request's index is the commit index when it came; it is only taken after an entry of the
 *     leader's own term is committed, before that the commit index may be behind.
 */
#ifndef RAFT_READ_ONLY_H
#define RAFT_READ_ONLY_H

#include "proto/conf.h"
#include "proto/message.h"

#define RAFT_READS_PENDING_MAX 4096u

struct raft_read_request {
    struct read_ctx ctx;
    node_id from; /* who asked; 0: this node */
    uint64_t index;
};

/* A queue. All zero is an empty one. */
struct raft_read_queue {
    struct raft_read_request *items;
    uint32_t count;
    uint32_t capacity;
};

/* Adds a request at the end; false, and nothing added, if one with its context is there, or it is
 * full. */
bool raft_read_queue_push(struct raft_read_queue *queue, const struct raft_read_request *request);
/* Drops the first `count`. */
void raft_read_queue_drop_front(struct raft_read_queue *queue, uint32_t count);
/* Drops everything and keeps the memory. */
void raft_read_queue_clear(struct raft_read_queue *queue);
void raft_read_queue_deinit(struct raft_read_queue *queue);

#endif
