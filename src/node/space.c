#include "node/space.h"

#include "base/assert.h"
#include "node/node_int.h"

static bool has_room(const struct replica *replica, node_id id)
{
    return !condition_is(replica, id, CONDITION_FULL);
}

static bool majority_has_room(const struct replica *replica, const struct id_set *voters)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        count += has_room(replica, voters->ids[i]) ? 1 : 0;
    }
    return voters->count == 0 || count > voters->count / 2;
}

static bool quorum_has_room(const struct replica *replica)
{
    const struct conf_state *conf = &replica->membership.conf;
    return majority_has_room(replica, &conf->voters) &&
           majority_has_room(replica, &conf->voters_outgoing);
}

/* ---- what follows ---- */

/* S3 */
static void hand_over(struct replica *replica)
{
    const struct node *node = replica->node;
    struct raft_status status;
    raft_status(replica->raft, &status);
    for (uint32_t i = 0; i < status.member_count && status.transfer_target == 0; i++) {
        const struct raft_member_status *member = &status.members[i];
        bool is_there =
            member->recent_active && node->net != NULL && net_is_up(node->net, member->id);
        if (member->id != status.id && !member->is_learner && is_there &&
            member->match == status.last_index && has_room(replica, member->id) &&
            !condition_is(replica, member->id, CONDITION_DRAINING) &&
            raft_transfer_leader(replica->raft, member->id) == OK) {
            LOG_WARN(node->log, "the disk is full: another node is to lead",
                     LOG_U64("region", replica->region), LOG_U64("successor", member->id));
            return;
        }
    }
}

static void change(struct replica *replica, bool is_short, uint64_t now_ms)
{
    struct node *node = replica->node;
    replica->space.is_short = is_short;
    condition_tick(replica, now_ms);
    if (is_short) {
        LOG_ERROR(
            node->log,
            "the disk is full: writes that grow are refused (507) where that takes this node; "
            "reads and deletes go on: make room in the data directory's file system",
            LOG_TEXT("data", node->options.data_directory));
        store_checkpoint_soon(node->store);
        replica_compact(replica);
    } else {
        LOG_INFO(node->log, "there is room on the disk again",
                 LOG_TEXT("data", node->options.data_directory));
    }
}

void space_tick(struct replica *replica, uint64_t now_ms)
{
    struct node *node = replica->node;
    struct space *space = &replica->space;
    ASSERT(replica->raft != NULL);
    wal_tick(node->wal);
    bool is_log_short = wal_room(node->wal, space->refused_bytes) != WAL_ROOM_ENOUGH;
    space->refused_bytes = is_log_short ? space->refused_bytes : 0;
    bool is_short = is_log_short || store_is_full(node->store);
    if (is_short != space->is_short) {
        change(replica, is_short, now_ms);
    }
    if (is_short && replica->role == RAFT_LEADER && quorum_has_room(replica)) {
        hand_over(replica);
    }
}

err space_admit(struct replica *replica, const struct buf *command, size_t pending)
{
    struct space *space = &replica->space;
    enum wal_room room = wal_room(replica->node->wal, pending + command->size);
    if (command_only_frees(command)) {
        return room == WAL_ROOM_RESERVE ? ERR_NO_SPACE : OK;
    }
    if (room != WAL_ROOM_ENOUGH && command->size > space->refused_bytes) {
        space->refused_bytes = command->size;
    }
    bool is_refused = room != WAL_ROOM_ENOUGH || space->is_short ||
                      (replica->condition.peer_count > 0 && !quorum_has_room(replica));
    return is_refused ? ERR_NO_SPACE : OK;
}
