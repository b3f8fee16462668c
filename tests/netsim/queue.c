#include "queue.h"

#include "base/assert.h"
#include "packet.h"

/* How long the link is busy with so many bytes. */
static uint64_t time_of(const struct queue *queue, size_t size)
{
    return size * UINT64_C(1000000000) / queue->rate;
}

bool queue_add(struct queue *queue, uint64_t now_ns, size_t size, uint64_t *out_left_ns)
{
    ASSERT(size <= PACKET_SIZE_MAX);
    if (queue->rate == 0) {
        *out_left_ns = now_ns;
        return true;
    }
    uint64_t begin_ns = queue->free_ns > now_ns ? queue->free_ns : now_ns;
    uint64_t left_ns = begin_ns + time_of(queue, size);
    uint64_t wait_ns = left_ns - now_ns;
    /* 100 ms of a slow link are not even one packet. */
    if (wait_ns > QUEUE_WAIT_NS_MAX && wait_ns > time_of(queue, QUEUE_SIZE_MIN)) {
        return false;
    }
    queue->free_ns = left_ns;
    *out_left_ns = left_ns;
    return true;
}
