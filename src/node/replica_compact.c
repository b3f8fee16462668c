/*
 * How far a region's log can go: up to the checkpoint, but not past what the slowest member has,
 * within a bound (--log-keep-bytes).
 *
 * K1  Only a leader knows what the members have, and only by their answers in its own term: a
 *     member that has not answered yet may lack everything.
 * K2  Past the bound the slowest member alone is given up, one at a time: the log is cut for it,
 *     never for those that keep up. It is kept for that member again once it has caught up.
 * K3  The leader tells the others where it cuts (FRAME_LOG_FLOOR), since any of them may lead next.
 *     They decide nothing themselves, unless nobody tells them while the log grows far beyond the
 *     bound.
 * K4  Who is getting a snapshot finds the log after it, whatever the bound (snapshots.h, S4).
 */
#include "base/assert.h"
#include "node/node_int.h"

/* A follower that hears of no floor cuts on its own at so many times the bound (K3). */
#define UNTOLD_BOUND_FACTOR 4u

/* The lowest match among those the log is kept for; `out_slowest` has it, 0: the leader itself. */
static uint64_t lowest_match(const struct replica *replica, const struct raft_status *status,
                             node_id *out_slowest)
{
    uint64_t lowest = UINT64_MAX;
    *out_slowest = 0;
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct raft_member_status *member = &status->members[i];
        if (member->id == status->id) {
            /* What others have committed may not be durable here yet: after a power cut this node
             * would ask for it, too. */
            if (member->match < lowest) {
                lowest = member->match;
                *out_slowest = 0;
            }
            continue;
        }
        if (!id_set_has(&replica->given_up, member->id) && member->match < lowest) {
            lowest = member->match;
            *out_slowest = member->id;
        }
    }
    return lowest;
}

/* About how much of the log is there only because of `floor`: by its share of the entries. */
static uint64_t held_bytes(const struct replica *replica, uint64_t floor, uint64_t checkpoint)
{
    struct wal_bounds bounds = wal_bounds(replica->node->wal, replica->region);
    uint64_t begin = floor > bounds.compacted.index ? floor : bounds.compacted.index;
    uint64_t count = bounds.last_index - bounds.compacted.index;
    if (checkpoint <= begin || count == 0) {
        return 0;
    }
    double share = (double)(checkpoint - begin) / (double)count;
    return (uint64_t)((double)wal_stats(replica->node->wal)->live_bytes * share);
}

/* Who could go on with the log as it is, and within the bound, is not given up any more. */
static void forgive(struct replica *replica, const struct raft_status *status, uint64_t checkpoint)
{
    uint64_t compacted = wal_bounds(replica->node->wal, replica->region).compacted.index;
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct raft_member_status *member = &status->members[i];
        if (member->match >= compacted && held_bytes(replica, member->match, checkpoint) <=
                                              replica->node->options.log_keep_bytes_max) {
            id_set_remove(&replica->given_up, member->id);
        }
    }
}

static uint64_t leader_floor(struct replica *replica, const struct raft_status *status,
                             uint64_t checkpoint)
{
    struct node *node = replica->node;
    node_id slowest = 0;
    forgive(replica, status, checkpoint);
    uint64_t floor = lowest_match(replica, status, &slowest);
    if (slowest != 0 && held_bytes(replica, floor, checkpoint) > node->options.log_keep_bytes_max) {
        bool is_added = id_set_add(&replica->given_up, slowest);
        ASSERT(is_added); /* as many places as members */
        LOG_WARN(node->log,
                 "a member lags behind the log that is kept (--log-keep-bytes): the log is cut, it "
                 "will get a snapshot instead",
                 LOG_U64("region", replica->region), LOG_U64("member", slowest),
                 LOG_U64("member_index", floor), LOG_U64("checkpoint_index", checkpoint));
        floor = lowest_match(replica, status, &slowest);
    }
    /* K4 */
    uint64_t needed = snapshots_floor(replica, status);
    return needed < floor ? needed : floor;
}

static uint64_t follower_floor(const struct replica *replica, uint64_t checkpoint)
{
    if (replica->membership.member_count == 1) {
        return UINT64_MAX;
    }
    uint64_t bound = replica->node->options.log_keep_bytes_max;
    if (held_bytes(replica, replica->keep_index, checkpoint) / UNTOLD_BOUND_FACTOR > bound) {
        LOG_WARN(
            replica->node->log,
            "the log has outgrown --log-keep-bytes by far and no leader says who needs it: cut "
            "to the checkpoint",
            LOG_U64("region", replica->region), LOG_U64("checkpoint_index", checkpoint));
        return checkpoint;
    }
    return replica->keep_index;
}

static void tell_peers(const struct replica *replica, uint64_t floor)
{
    struct node *node = replica->node;
    uint8_t payload[8];
    store_u64(payload, floor);
    for (uint32_t i = 0; i < replica->membership.member_count && node->net != NULL; i++) {
        node_id peer = replica->membership.members[i].id;
        if (peer != node->identity.node) {
            /* Lost is harmless: the next one comes in a second. */
            (void)!net_send(node->net, peer, FRAME_LOG_FLOOR, replica->region,
                            (struct slice){payload, sizeof(payload)});
        }
    }
}

void replica_keep_from(struct replica *replica, uint64_t floor)
{
    /* A floor that is meant for this member is not beyond what it has. */
    if (floor > replica->keep_index &&
        floor <= wal_bounds(replica->node->wal, replica->region).last_index) {
        replica->keep_index = floor;
    }
}

void replica_compact(struct replica *replica)
{
    struct node *node = replica->node;
    const struct store_region *state = store_region(node->store, replica->region);
    if (state == NULL || replica->raft == NULL || replica->install.is_running) {
        return;
    }
    /* The core's own word: replica->role may be a turn old. */
    struct raft_status status;
    raft_status(replica->raft, &status);
    uint64_t checkpoint = state->checkpoint.index;
    uint64_t floor = 0;
    if (status.role == RAFT_LEADER) {
        floor = leader_floor(replica, &status, checkpoint);
        tell_peers(replica, floor);
    } else {
        floor = follower_floor(replica, checkpoint);
    }
    struct raft_pos pos = {.index = floor < checkpoint ? floor : checkpoint};
    if (pos.index > wal_bounds(node->wal, replica->region).compacted.index &&
        wal_term(node->wal, replica->region, pos.index, &pos.term) == OK) {
        wal_compact(node->wal, replica->region, pos);
    }
}
