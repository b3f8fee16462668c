#include "raft/inflights.h"

#include "base/assert.h"
#include "base/mem.h"

#define CAPACITY_FIRST 8u

void raft_inflights_init(struct raft_inflights *inflights, uint32_t count_max, uint64_t bytes_max)
{
    *inflights = (struct raft_inflights){
        .count_max = count_max == 0 ? UINT32_MAX : count_max,
        .bytes_max = bytes_max == 0 ? UINT64_MAX : bytes_max,
    };
}

void raft_inflights_deinit(struct raft_inflights *inflights)
{
    mem_free(inflights->ring);
    inflights->ring = NULL;
    inflights->capacity = 0;
    raft_inflights_reset(inflights);
}

static struct raft_inflight *slot(const struct raft_inflights *inflights, uint32_t i)
{
    ASSERT(i < inflights->capacity);
    uint64_t at = (uint64_t)inflights->start + i;
    return &inflights->ring[at % inflights->capacity];
}

static void grow(struct raft_inflights *inflights)
{
    uint32_t capacity = inflights->capacity == 0 ? CAPACITY_FIRST : inflights->capacity * 2;
    ASSERT(capacity > inflights->capacity);
    struct raft_inflight *ring = mem_calloc(capacity, sizeof(*ring));
    for (uint32_t i = 0; i < inflights->count; i++) {
        ring[i] = *slot(inflights, i);
    }
    mem_free(inflights->ring);
    inflights->ring = ring;
    inflights->capacity = capacity;
    inflights->start = 0;
}

void raft_inflights_add(struct raft_inflights *inflights, uint64_t index, uint64_t bytes)
{
    ASSERT(!raft_inflights_is_full(inflights));
    if (inflights->count == inflights->capacity) {
        grow(inflights);
    }
    if (inflights->count > 0) {
        ASSERT(slot(inflights, inflights->count - 1)->index < index); /* I1 */
    }
    inflights->count++;
    *slot(inflights, inflights->count - 1) = (struct raft_inflight){index, bytes};
    inflights->bytes += bytes;
}

void raft_inflights_free_to(struct raft_inflights *inflights, uint64_t index)
{
    while (inflights->count > 0 && slot(inflights, 0)->index <= index) {
        ASSERT(inflights->bytes >= slot(inflights, 0)->bytes);
        inflights->bytes -= slot(inflights, 0)->bytes;
        inflights->start = (inflights->start + 1) % inflights->capacity;
        inflights->count--;
    }
}

bool raft_inflights_is_full(const struct raft_inflights *inflights)
{
    return inflights->count >= inflights->count_max || inflights->bytes >= inflights->bytes_max;
}

void raft_inflights_reset(struct raft_inflights *inflights)
{
    inflights->start = 0;
    inflights->count = 0;
    inflights->bytes = 0;
}
