#include "raft/read_only.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static bool has(const struct raft_read_queue *queue, struct read_ctx ctx)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct raft_read_request *request = &queue->items[i];
        /* Sequences of two nodes know nothing of each other: both parts are the key. */
        if (request->ctx.sequence == ctx.sequence && request->ctx.node == ctx.node) {
            return true;
        }
    }
    return false;
}

bool raft_read_queue_push(struct raft_read_queue *queue, const struct raft_read_request *request)
{
    if (queue->count == RAFT_READS_PENDING_MAX || has(queue, request->ctx)) {
        return false;
    }
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 8 : queue->capacity * 2;
        queue->items = mem_realloc(queue->items, queue->capacity, sizeof(*queue->items));
    }
    queue->items[queue->count] = *request;
    queue->count++;
    return true;
}

void raft_read_queue_drop_front(struct raft_read_queue *queue, uint32_t count)
{
    ASSERT(count <= queue->count);
    queue->count -= count;
    if (queue->count > 0) {
        memmove(queue->items, queue->items + count, queue->count * sizeof(*queue->items));
    }
}

void raft_read_queue_clear(struct raft_read_queue *queue)
{
    queue->count = 0;
}

void raft_read_queue_deinit(struct raft_read_queue *queue)
{
    mem_free(queue->items);
    *queue = (struct raft_read_queue){0};
}
