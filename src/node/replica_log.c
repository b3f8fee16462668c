/*
 * The region's log between the core, which reads it, and the node's write-ahead log, which has it.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "node/node_int.h"
#include "node/replica.h"

#define READ_CHUNK 64u

static uint64_t log_first_index(void *ctx)
{
    const struct replica *replica = ctx;
    return wal_bounds(replica->node->wal, replica->region).compacted.index + 1;
}

static uint64_t log_last_index(void *ctx)
{
    const struct replica *replica = ctx;
    return wal_bounds(replica->node->wal, replica->region).last_index;
}

static err log_term(void *ctx, uint64_t index, uint64_t *out_term)
{
    const struct replica *replica = ctx;
    return wal_term(replica->node->wal, replica->region, index, out_term);
}

static err log_entries(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                       struct raft_entries *out_entries)
{
    const struct replica *replica = ctx;
    struct entry chunk[READ_CHUNK];
    uint64_t weight = 0;
    bool is_full = false;
    uint64_t next = low;
    while (next < high && !is_full) {
        uint32_t count = 0;
        struct wal_range range = {
            .region = replica->region,
            .low = next,
            .high = high,
            .size_max = size_max > weight ? size_max - weight : 0,
        };
        err e = wal_read(replica->node->wal, &range, chunk, READ_CHUNK, &count);
        if (e == ERR_COMPACTED || e == ERR_UNAVAILABLE) {
            return e;
        }
        if (e != OK) {
            fatal(0, "log of region %" PRIu64 " cannot be read back at entry %" PRIu64 ": %s",
                  replica->region, next, err_title(e));
        }
        ASSERT(count > 0 && chunk[0].pos.index == next);
        for (uint32_t i = 0; i < count; i++) {
            weight += raft_entry_weight(&chunk[i]);
            is_full = is_full || (weight > size_max && next > low);
            if (!is_full) {
                raft_entries_push(out_entries, &chunk[i]);
                next++;
            }
            buf_unref(chunk[i].data);
        }
    }
    return OK;
}

static err log_snapshot(void *ctx, struct snapshot *out_snapshot)
{
    return snapshots_offer(ctx, out_snapshot);
}

struct raft_storage replica_storage(struct replica *replica)
{
    return (struct raft_storage){
        .ctx = replica,
        .first_index = log_first_index,
        .last_index = log_last_index,
        .term = log_term,
        .entries = log_entries,
        .snapshot = log_snapshot,
    };
}
