#include "node/space.h"

#include "base/assert.h"
#include "node/node_int.h"

#define TELL_MS 1000u
#define BELIEVE_MS (UINT64_C(3) * TELL_MS)

#define FLAG_SHORT 1u

/* ---- who is short ---- */

static struct space_peer *find(struct space *space, node_id id)
{
    for (uint32_t i = 0; i < space->peer_count; i++) {
        if (space->peers[i].id == id) {
            return &space->peers[i];
        }
    }
    return NULL;
}

void space_receive(struct replica *replica, node_id from, struct slice payload)
{
    struct space *space = &replica->space;
    struct space_peer *peer = find(space, from);
    if (payload.size != 1) {
        return;
    }
    bool is_short = (payload.data[0] & FLAG_SHORT) != 0;
    if (is_short && peer == NULL && space->peer_count < MEMBERS_MAX) {
        peer = &space->peers[space->peer_count];
        space->peer_count++;
        peer->id = from;
    }
    if (is_short && peer != NULL) {
        peer->short_until_ms = env_now_ms(replica->node->env) + BELIEVE_MS;
    } else if (peer != NULL) {
        space->peer_count--;
        *peer = space->peers[space->peer_count];
    }
}

static void forget_old(struct space *space, uint64_t now_ms)
{
    for (uint32_t i = space->peer_count; i > 0; i--) {
        if (space->peers[i - 1].short_until_ms <= now_ms) {
            space->peer_count--;
            space->peers[i - 1] = space->peers[space->peer_count];
        }
    }
}

static bool has_room(const struct replica *replica, node_id id)
{
    if (id == replica->node->identity.node) {
        return !replica->space.is_short;
    }
    for (uint32_t i = 0; i < replica->space.peer_count; i++) {
        if (replica->space.peers[i].id == id) {
            return false;
        }
    }
    return true;
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

static void tell(struct replica *replica, uint64_t now_ms)
{
    struct node *node = replica->node;
    uint8_t payload = replica->space.is_short ? FLAG_SHORT : 0;
    replica->space.told_ms = now_ms;
    for (uint32_t i = 0; i < replica->membership.member_count && node->net != NULL; i++) {
        node_id peer = replica->membership.members[i].id;
        if (peer != node->identity.node) {
            /* Lost: it is told again, or not believed any more. */
            (void)!net_send(node->net, peer, FRAME_SPACE, replica->region,
                            (struct slice){&payload, sizeof(payload)});
        }
    }
}

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
    tell(replica, now_ms);
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
    forget_old(space, now_ms);
    bool is_log_short = wal_room(node->wal, space->refused_bytes) != WAL_ROOM_ENOUGH;
    space->refused_bytes = is_log_short ? space->refused_bytes : 0;
    bool is_short = is_log_short || store_is_full(node->store);
    if (is_short != space->is_short) {
        change(replica, is_short, now_ms);
    } else if (is_short && now_ms - space->told_ms >= TELL_MS) {
        tell(replica, now_ms);
    }
    if (is_short && replica->role == RAFT_LEADER && quorum_has_room(replica)) {
        hand_over(replica);
    }
}

err space_admit(struct replica *replica, const struct buf *command, size_t pending)
{
    struct space *space = &replica->space;
    enum wal_room room = wal_room(replica->node->wal, pending + command->size);
    if (command_type_of(command) == COMMAND_DELETE) {
        return room == WAL_ROOM_RESERVE ? ERR_NO_SPACE : OK;
    }
    if (room != WAL_ROOM_ENOUGH && command->size > space->refused_bytes) {
        space->refused_bytes = command->size;
    }
    bool is_refused = room != WAL_ROOM_ENOUGH || space->is_short ||
                      (space->peer_count > 0 && !quorum_has_room(replica));
    return is_refused ? ERR_NO_SPACE : OK;
}
