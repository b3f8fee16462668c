/*
 * The region's log between the core, which reads it, and the node's write-ahead log, which has it;
 * and when its beginning can go.
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

/* None yet: a member that needs one waits, and replica_compact says so (README.md). */
static err log_snapshot(void *ctx, struct snapshot *out_snapshot)
{
    (void)ctx;
    (void)out_snapshot;
    return ERR_UNAVAILABLE;
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

/* ---- how far the log can go ---- */

/* Up to where every member has the log, as far as this node knows. */
static uint64_t index_everyone_has(const struct replica *replica, node_id *out_slowest)
{
    *out_slowest = 0;
    if (replica->raft == NULL || replica->role != RAFT_LEADER) {
        bool is_alone = replica->membership.member_count == 1;
        return is_alone ? UINT64_MAX : replica->keep_index;
    }
    struct raft_status status;
    raft_status(replica->raft, &status);
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < status.member_count; i++) {
        if (status.members[i].id != status.id && status.members[i].match < lowest) {
            lowest = status.members[i].match;
            *out_slowest = status.members[i].id;
        }
    }
    return lowest;
}

static void report_lag(struct replica *replica, node_id slowest, uint64_t has, uint64_t cut)
{
    if (!replica->lag_reported) {
        LOG_WARN(replica->node->log,
                 "a member lags behind the log that is kept (--log-keep-bytes): it cannot catch up "
                 "any more and has to be replaced",
                 LOG_U64("region", replica->region), LOG_U64("member", slowest),
                 LOG_U64("member_index", has), LOG_U64("log_begins_after", cut));
    }
    replica->lag_reported = true;
}

/* The leader alone knows the slowest member; the others keep what it may still ask for through
 * them. */
static void tell_peers(struct replica *replica, uint64_t index)
{
    struct node *node = replica->node;
    uint8_t payload[8];
    store_u64(payload, index);
    for (uint32_t i = 0; i < replica->membership.member_count; i++) {
        node_id peer = replica->membership.members[i].id;
        if (peer != node->identity.node && node->net != NULL) {
            /* Lost is harmless: the next one comes in a second. */
            (void)!net_send(node->net, peer, FRAME_LOG_FLOOR, replica->region,
                            (struct slice){payload, sizeof(payload)});
        }
    }
}

void replica_keep_from(struct replica *replica, uint64_t index)
{
    if (replica->role != RAFT_LEADER && index > replica->keep_index) {
        replica->keep_index = index;
    }
}

void replica_compact(struct replica *replica)
{
    struct node *node = replica->node;
    const struct store_region *state = store_region(node->store, replica->region);
    if (state == NULL) {
        return;
    }
    node_id slowest = 0;
    uint64_t everyone = index_everyone_has(replica, &slowest);
    if (replica->role == RAFT_LEADER && node->net != NULL) {
        tell_peers(replica, everyone);
    }
    uint64_t target = state->checkpoint.index;
    if (everyone >= target) {
        replica->lag_reported = false;
    } else if (wal_stats(node->wal)->live_bytes <= node->options.log_keep_bytes_max) {
        target = everyone;
    } else {
        report_lag(replica, slowest, everyone, target);
    }
    struct raft_pos pos = {.index = target};
    if (target > wal_bounds(node->wal, replica->region).compacted.index &&
        wal_term(node->wal, replica->region, target, &pos.term) == OK) {
        wal_compact(node->wal, replica->region, pos);
    }
}
