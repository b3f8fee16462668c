/*
 * How far a region's log can go: up to the checkpoint, but not past what the slowest member has,
 * within bounds (--log-keep-bytes, --log-keep-entries, --log-keep-age).
 *
 * K1  Only a leader knows what the members have, and only by their answers in its own term: a
 *     member that has not answered yet may lack everything.
 * K2  Past a bound the slowest member alone is given up, one at a time: the log is cut for it,
 *     never for those that keep up. It is kept for that member again once it has caught up.
 * K3  The leader tells the others where it cuts (FRAME_LOG_FLOOR), since any of them may lead next.
 *     They decide nothing themselves, unless nobody tells them while the log grows far beyond the
 *     bounds.
 * K4  Who is getting a snapshot finds the log after it, whatever the bound (snapshots.h, S4).
 * K5  On a full disk nothing is kept for who is not there (space.h): that one gets a snapshot.
 */
#include "base/assert.h"
#include "node/node_int.h"

/* A follower that hears of no floor cuts on its own at so many times the bounds (K3). */
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

/* Up to where the log was checkpointed longer than --log-keep-age ago. */
static uint64_t outdated(struct replica *replica, uint64_t checkpoint)
{
    struct node *node = replica->node;
    uint64_t age_ms = node->options.log_keep_age_ms_max;
    if (age_ms == 0) {
        return 0;
    }
    return log_age_older(&replica->log_age, env_now_ms(node->env), age_ms, checkpoint);
}

/*
 * The option whose bound, `factor` times, what is held only because of `floor` exceeds; NULL:
 * none. An age has no factor: a follower that nobody tells keeps what it has until it is told, or
 * that is too much.
 */
static const char *exceeded(const struct replica *replica, uint64_t floor, uint64_t checkpoint,
                            uint64_t factor)
{
    const struct node_options *options = &replica->node->options;
    uint64_t compacted = wal_bounds(replica->node->wal, replica->region).compacted.index;
    uint64_t begin = floor > compacted ? floor : compacted;
    if (checkpoint > begin && (checkpoint - begin) / factor > options->log_keep_entries_max) {
        return "--log-keep-entries";
    }
    if (held_bytes(replica, floor, checkpoint) / factor > options->log_keep_bytes_max) {
        return "--log-keep-bytes";
    }
    return NULL;
}

/* The same for a leader, which also knows ages. */
static const char *exceeded_leading(const struct replica *replica, uint64_t floor,
                                    uint64_t checkpoint, uint64_t outdated_index)
{
    return floor < outdated_index ? "--log-keep-age" : exceeded(replica, floor, checkpoint, 1);
}

/* K5 */
static uint64_t bare_floor(struct replica *replica, const struct raft_status *status)
{
    uint64_t floor = snapshots_floor(replica, status); /* K4 */
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct raft_member_status *member = &status->members[i];
        bool is_there = member->id == status->id || member->recent_active;
        if (is_there && member->match < floor) {
            floor = member->match;
        }
    }
    return floor;
}

/* Who could go on with the log as it is, and within the bounds, is not given up any more. */
static void forgive(struct replica *replica, const struct raft_status *status, uint64_t checkpoint,
                    uint64_t outdated_index)
{
    uint64_t compacted = wal_bounds(replica->node->wal, replica->region).compacted.index;
    for (uint32_t i = 0; i < status->member_count; i++) {
        const struct raft_member_status *member = &status->members[i];
        if (member->match >= compacted &&
            exceeded_leading(replica, member->match, checkpoint, outdated_index) == NULL) {
            id_set_remove(&replica->given_up, member->id);
        }
    }
}

static uint64_t leader_floor(struct replica *replica, const struct raft_status *status,
                             uint64_t checkpoint)
{
    struct node *node = replica->node;
    node_id slowest = 0;
    uint64_t outdated_index = outdated(replica, checkpoint);
    forgive(replica, status, checkpoint, outdated_index);
    uint64_t floor = lowest_match(replica, status, &slowest);
    const char *bound = exceeded_leading(replica, floor, checkpoint, outdated_index);
    if (slowest != 0 && bound != NULL) {
        bool is_added = id_set_add(&replica->given_up, slowest);
        ASSERT(is_added); /* as many places as members */
        LOG_WARN(node->log,
                 "a member lags behind the log that is kept: the log is cut, it will get a "
                 "snapshot instead",
                 LOG_TEXT("bound", bound), LOG_U64("region", replica->region),
                 LOG_U64("member", slowest), LOG_U64("member_index", floor),
                 LOG_U64("checkpoint_index", checkpoint));
        floor = lowest_match(replica, status, &slowest);
    }
    /* K4 */
    uint64_t needed = snapshots_floor(replica, status);
    return needed < floor ? needed : floor;
}

static uint64_t follower_floor(const struct replica *replica, uint64_t checkpoint)
{
    if (replica->membership.member_count == 1 || replica->space.is_short) {
        return UINT64_MAX; /* K5 */
    }
    const char *bound = exceeded(replica, replica->keep_index, checkpoint, UNTOLD_BOUND_FACTOR);
    if (bound != NULL) {
        LOG_WARN(replica->node->log,
                 "the log has outgrown its bound by far and no leader says who needs it: cut to "
                 "the checkpoint",
                 LOG_TEXT("bound", bound), LOG_U64("region", replica->region),
                 LOG_U64("checkpoint_index", checkpoint));
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
    if (status.role == RAFT_LEADER && replica->space.is_short) {
        floor = bare_floor(replica, &status);
    } else if (status.role == RAFT_LEADER) {
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
