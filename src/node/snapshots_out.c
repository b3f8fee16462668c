/* Snapshots that go out. */
#include "base/assert.h"
#include "node/node_int.h"
#include "node/snapshots.h"

_Static_assert(STORE_SNAPSHOT_CHUNK_MAX + FRAME_SNAPSHOT_OVERHEAD_MAX <= FRAME_SIZE_MAX,
               "a frame carries a chunk");

static struct snapshots *snapshots_of(const struct replica *replica)
{
    return &replica->node->snapshots;
}

static struct snapshot_out *find_out(const struct replica *replica, node_id peer)
{
    struct snapshots *snapshots = snapshots_of(replica);
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->out); i++) {
        if (snapshots->out[i].peer == peer) {
            return &snapshots->out[i];
        }
    }
    return NULL;
}

static void release(struct snapshot_out *out)
{
    store_snapshot_close(out->source);
    writer_deinit(&out->message);
    *out = (struct snapshot_out){.peer = 0};
}

/* Of `peer`; with 0, a free one. */
static struct snapshot_past *find_past(const struct replica *replica, node_id peer)
{
    struct snapshots *snapshots = snapshots_of(replica);
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->past); i++) {
        if (snapshots->past[i].peer == peer) {
            return &snapshots->past[i];
        }
    }
    return NULL;
}

static void remember(struct replica *replica, const struct snapshot_out *out, bool is_delivered)
{
    uint64_t now_ms = env_now_ms(replica->node->env);
    struct snapshot_past *past = find_past(replica, out->peer);
    past = past == NULL ? find_past(replica, 0) : past;
    if (past != NULL) { /* else it costs a snapshot more, in a cluster that changes all the time */
        *past = (struct snapshot_past){
            .peer = out->peer,
            .index = out->pos.index,
            .keep_until_ms = is_delivered ? now_ms + SNAPSHOT_KEEP_MS : 0,
            .retry_at_ms = is_delivered ? 0 : now_ms + SNAPSHOT_RETRY_MS,
        };
    }
}

static bool is_paused(const struct replica *replica, node_id peer)
{
    const struct snapshot_past *past = find_past(replica, peer);
    return past != NULL && past->retry_at_ms > env_now_ms(replica->node->env);
}

/* S3. `why` has static storage; NULL: it was delivered. */
static void end(struct replica *replica, struct snapshot_out *out, const char *why)
{
    struct log *log = replica->node->log;
    node_id peer = out->peer;
    if (why == NULL) {
        LOG_INFO(log, "snapshot delivered", LOG_U64("region", replica->region),
                 LOG_U64("member", peer), LOG_U64("index", out->pos.index),
                 LOG_U64("chunks", out->sent));
    } else {
        LOG_INFO(log, "snapshot not delivered", LOG_U64("region", replica->region),
                 LOG_U64("member", peer), LOG_U64("index", out->pos.index), LOG_TEXT("why", why));
    }
    remember(replica, out, why == NULL);
    release(out);
    replica_report_snapshot(replica, peer, why == NULL);
}

/* ---- sending ---- */

static err send_chunk(struct replica *replica, struct snapshot_out *out)
{
    struct writer chunk = {0};
    struct writer payload = {0};
    bool is_last = false;
    err e = store_snapshot_read(out->source, SNAPSHOT_CHUNK_SIZE, &chunk, &is_last);
    if (e == OK) {
        struct frame_snapshot frame = {
            .transfer = out->transfer,
            .number = out->sent,
            .is_last = is_last,
            .message = writer_slice(&out->message),
            .chunk = writer_slice(&chunk),
        };
        frame_snapshot_encode(&frame, &payload);
        e = net_send(replica->node->net, out->peer, FRAME_SNAPSHOT, replica->region,
                     writer_slice(&payload));
    }
    if (e == OK) {
        writer_deinit(&out->message);
        out->message = (struct writer){0};
        out->sent++;
        out->is_last_sent = is_last;
    }
    writer_deinit(&payload);
    writer_deinit(&chunk);
    return e;
}

/* Whoever is behind cannot get it from here. */
static void give_up_leading(struct replica *replica)
{
    if (changes_hand_over(replica)) {
        LOG_WARN(
            replica->node->log,
            "this node's own data is damaged, others cannot catch up from it: somebody else is "
            "to lead; replace this node",
            LOG_U64("region", replica->region));
    }
}

/* Fills the window (S2). */
static void pump(struct replica *replica, struct snapshot_out *out)
{
    while (!out->is_last_sent && out->sent - out->acked < SNAPSHOT_WINDOW) {
        err e = send_chunk(replica, out);
        if (e == ERR_CORRUPT) {
            give_up_leading(replica);
        }
        if (e != OK) {
            end(replica, out, err_name(e));
            return;
        }
    }
}

err snapshots_offer(const struct replica *replica, struct snapshot *out_snapshot)
{
    const struct store_region *state = store_region(replica->node->store, replica->region);
    if (state == NULL || state->checkpoint.index == 0 || replica->node->net == NULL) {
        return ERR_UNAVAILABLE;
    }
    /* What is sent in the end is the checkpoint as it is then, with the membership that it has. */
    *out_snapshot = (struct snapshot){.pos = state->checkpoint, .conf = replica->membership.conf};
    return OK;
}

static bool is_member(const struct membership *membership, node_id id)
{
    return membership_find(membership, id) != NULL;
}

/* The core's message, with what the source really is. */
static void encode_message(struct snapshot_out *out, const struct message *message)
{
    struct snapshot snapshot = {
        .pos = out->pos,
        .conf = store_snapshot_membership(out->source)->conf,
    };
    struct message sent = *message;
    sent.snapshot = &snapshot;
    message_encode(&sent, &out->message);
}

void snapshots_send(struct replica *replica, const struct message *message)
{
    ASSERT(message->type == MSG_SNAP && message->snapshot != NULL);
    struct snapshots *snapshots = snapshots_of(replica);
    struct store *store = replica->node->store;
    struct snapshot_out *out = find_out(replica, message->to);
    if (out != NULL) {
        release(out); /* of an earlier term of ours: the core knows nothing of it any more */
    }
    out = find_out(replica, 0);
    struct store_snapshot *source = NULL;
    err e = out == NULL || is_paused(replica, message->to)
                ? ERR_BUSY
                : store_snapshot_open(store, replica->region, &source);
    if (e == ERR_CORRUPT) {
        give_up_leading(replica);
    }
    if (e != OK) {
        replica_report_snapshot(replica, message->to, false); /* it will ask again */
        return;
    }
    if (!is_member(store_snapshot_membership(source), message->to)) {
        /* It would be refused: the receiver was added later than that. */
        store_snapshot_close(source);
        store_checkpoint_soon(store);
        replica_report_snapshot(replica, message->to, false);
        return;
    }
    uint64_t now_ms = env_now_ms(replica->node->env);
    snapshots->next_transfer += snapshots->next_transfer == 0 ? 1 : 0;
    *out = (struct snapshot_out){
        .peer = message->to,
        .transfer = snapshots->next_transfer,
        .term = message->term,
        .pos = store_snapshot_pos(source),
        .source = source,
        .begun_ms = now_ms,
        .heard_ms = now_ms,
    };
    snapshots->next_transfer++;
    encode_message(out, message);
    LOG_INFO(replica->node->log, "sending a snapshot", LOG_U64("region", replica->region),
             LOG_U64("member", out->peer), LOG_U64("index", out->pos.index));
    pump(replica, out);
}

void snapshots_acked(struct replica *replica, node_id from, struct slice payload)
{
    struct frame_snapshot_ack ack;
    if (frame_snapshot_ack_decode(payload, &ack) != OK) {
        LOG_WARN(replica->node->log, "malformed answer to a snapshot", LOG_U64("from", from));
        return;
    }
    struct snapshot_out *out = find_out(replica, from);
    if (out == NULL || out->transfer != ack.transfer) {
        return; /* of one that has ended */
    }
    out->heard_ms = env_now_ms(replica->node->env);
    bool is_all = out->is_last_sent && ack.received == out->sent;
    if (ack.outcome == FRAME_SNAPSHOT_STAGED && is_all) {
        end(replica, out, NULL);
    } else if (ack.outcome == FRAME_SNAPSHOT_GOES_ON && !is_all && ack.received > out->acked &&
               ack.received <= out->sent) {
        out->acked = ack.received;
        pump(replica, out);
    } else {
        end(replica, out, "refused");
    }
}

/* ---- ending ---- */

void snapshots_peer_down(struct replica *replica, node_id peer)
{
    struct snapshot_out *out = find_out(replica, peer);
    if (out != NULL) {
        end(replica, out, "connection lost");
    }
}

void snapshots_tick_out(struct replica *replica, uint64_t now_ms)
{
    struct snapshots *snapshots = snapshots_of(replica);
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->out); i++) {
        struct snapshot_out *out = &snapshots->out[i];
        if (out->peer == 0) {
            continue;
        }
        if (replica->role != RAFT_LEADER || replica->term != out->term) {
            release(out);
        } else if (now_ms - out->heard_ms > SNAPSHOT_SILENCE_MS) {
            end(replica, out, "no answer");
        } else if (now_ms - out->begun_ms > SNAPSHOT_AGE_MS_MAX) {
            end(replica, out, "too slow");
        }
    }
}

static uint64_t match_of(const struct raft_status *status, node_id peer)
{
    for (uint32_t i = 0; i < status->member_count; i++) {
        if (status->members[i].id == peer) {
            return status->members[i].match;
        }
    }
    return UINT64_MAX; /* no member any more: nothing to keep for it */
}

uint64_t snapshots_floor(struct replica *replica, const struct raft_status *status)
{
    struct snapshots *snapshots = snapshots_of(replica);
    uint64_t now_ms = env_now_ms(replica->node->env);
    uint64_t floor = UINT64_MAX;
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->out); i++) {
        const struct snapshot_out *out = &snapshots->out[i];
        if (out->peer != 0 && out->pos.index < floor) {
            floor = out->pos.index;
        }
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->past); i++) {
        struct snapshot_past *past = &snapshots->past[i];
        bool is_kept = past->keep_until_ms > now_ms && match_of(status, past->peer) < past->index;
        if (is_kept && past->index < floor) {
            floor = past->index;
        } else if (!is_kept && past->retry_at_ms <= now_ms) {
            *past = (struct snapshot_past){.peer = 0};
        }
    }
    return floor;
}

void snapshots_deinit_out(struct snapshots *snapshots)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->out); i++) {
        if (snapshots->out[i].peer != 0) {
            release(&snapshots->out[i]);
        }
    }
}
