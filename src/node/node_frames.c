/* What peers send, taken apart and handed to whom it concerns. Nothing here trusts its contents. */
#include "base/assert.h"
#include "node/node_int.h"

/* Whether a correct peer's core sends this kind to another's. */
static bool is_peer_type(enum message_type type)
{
    switch (type) {
    case MSG_APP:
    case MSG_APP_RESP:
    case MSG_VOTE:
    case MSG_VOTE_RESP:
    case MSG_HEARTBEAT:
    case MSG_HEARTBEAT_RESP:
    case MSG_READ_INDEX:
    case MSG_READ_INDEX_RESP:
    case MSG_PRE_VOTE:
    case MSG_PRE_VOTE_RESP:
    case MSG_TRANSFER_LEADER:
    case MSG_TIMEOUT_NOW:
        return true;
    case MSG_SNAP: /* comes with its contents: snapshots_in.c */
    case MSG_PROP: /* writes travel as FRAME_WRITE */
    case MSG_HUP:
    case MSG_BEAT:
    case MSG_UNREACHABLE:
    case MSG_SNAP_STATUS:
    case MSG_CHECK_QUORUM:
    case MSG_FORGET_LEADER:
    case MSG_TYPE_COUNT:
        return false;
    }
    return false;
}

static void receive_raft(struct node *node, node_id from, region_id region, struct slice payload)
{
    struct replica *replica = node_replica(node, region);
    struct reader reader = reader_of(payload);
    while (replica != NULL && reader.size > 0) {
        struct owned_message owned;
        if (message_decode(&reader, &owned) != OK) {
            LOG_WARN(node->log, "malformed raft message", LOG_U64("from", from),
                     LOG_U64("region", region));
            return;
        }
        const struct message *message = &owned.message;
        /* A follower that asks for a transfer of leadership names the target as the sender. */
        bool is_from = message->from == from || message->type == MSG_TRANSFER_LEADER;
        if (is_from && message->to == node->identity.node && is_peer_type(message->type)) {
            replica_step(replica, message);
        } else {
            LOG_WARN(node->log, "raft message refused", LOG_U64("from", from),
                     LOG_U64("region", region), LOG_TEXT("type", message_type_name(message->type)));
        }
        message_deinit(&owned);
    }
}

static void on_frame(void *ctx, node_id from, enum frame_type type, region_id region,
                     struct slice payload)
{
    struct node *node = ctx;
    struct replica *replica = node_replica(node, region);
    if (replica == NULL) {
        LOG_WARN(node->log, "frame for a region that is not here", LOG_U64("from", from),
                 LOG_U64("region", region));
        return;
    }
    switch (type) {
    case FRAME_RAFT:
        receive_raft(node, from, region, payload);
        break;
    case FRAME_WRITE:
        forward_receive(node, from, region, payload);
        break;
    case FRAME_WRITE_RESULT:
        forward_receive_result(node, from, region, payload);
        break;
    case FRAME_LOG_FLOOR:
        if (payload.size == 8 && from == replica->leader) {
            replica_keep_from(replica, load_u64(payload.data));
        }
        break;
    case FRAME_CONDITION:
        condition_receive(replica, from, payload);
        break;
    case FRAME_SNAPSHOT:
        snapshots_receive(replica, from, payload);
        break;
    case FRAME_SNAPSHOT_ACK:
        snapshots_acked(replica, from, payload);
        break;
    case FRAME_REPAIR:
        repair_heard(replica, from, payload);
        break;
    case FRAME_ADMIN:
        admin_requests_receive(replica, from, payload);
        break;
    case FRAME_ADMIN_RESULT:
        admin_requests_receive_result(replica, from, payload);
        break;
    case FRAME_STATE_MARK:
        divergence_receive(replica, from, payload);
        break;
    case FRAME_RECORD_ASK:
        mends_asked(replica, from, payload);
        break;
    case FRAME_RECORD:
        mends_answered(replica, from, payload);
        break;
    case FRAME_LOG_ASK:
        log_mend_asked(replica, from, payload);
        break;
    case FRAME_LOG_ENTRIES:
        log_mend_answered(replica, from, payload);
        break;
    case FRAME_HELLO:
    case FRAME_HELLO_BULK:
    case FRAME_WELCOME:
    case FRAME_REFUSE:
    case FRAME_PING:
    case FRAME_PONG:
        UNREACHABLE(); /* the connection's own */
    }
}

static void on_up(void *ctx, node_id peer)
{
    struct node *node = ctx;
    (void)peer;
    condition_peer_found(node->replica);
    env_turn_wake(node->env); /* writes may have waited for this connection */
}

static void on_down(void *ctx, node_id peer)
{
    struct node *node = ctx;
    replica_peer_down(node->replica, peer);
}

static void on_unheard(void *ctx, node_id peer)
{
    struct node *node = ctx;
    replica_peer_unheard(node->replica, peer);
}

static void on_bulk_up(void *ctx, node_id peer)
{
    struct node *node = ctx;
    snapshots_bulk_up(node->replica, peer);
}

static void on_bulk_down(void *ctx, node_id peer)
{
    struct node *node = ctx;
    snapshots_bulk_down(node->replica, peer);
}

static void on_gone(void *ctx, node_id peer)
{
    struct node *node = ctx;
    replica_peer_gone(node->replica, peer);
}

static void on_alive(void *ctx, node_id peer)
{
    struct node *node = ctx;
    replica_peer_alive(node->replica, peer);
}

static void on_met(void *ctx, node_id peer, uint64_t instance)
{
    struct node *node = ctx;
    if (identity_meet(&node->identity, peer, instance)) {
        node_save_identity(node);
    }
}

static bool on_stranger(void *ctx, node_id id, const char *address, uint64_t *out_as_of)
{
    struct node *node = ctx;
    return node->replica != NULL && members_take_stranger(node->replica, id, address, out_as_of);
}

static void on_unknown(void *ctx, node_id peer, uint64_t as_of)
{
    struct node *node = ctx;
    (void)peer; /* committed entries are the same everywhere */
    if (node->replica != NULL) {
        members_told_of_removal(node->replica, as_of);
    }
}

const struct net_handler node_net_handler = {
    .frame = on_frame,
    .up = on_up,
    .down = on_down,
    .unheard = on_unheard,
    .bulk_up = on_bulk_up,
    .bulk_down = on_bulk_down,
    .gone = on_gone,
    .alive = on_alive,
    .met = on_met,
    .stranger = on_stranger,
    .unknown = on_unknown,
};
