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
    snapshot_window_deinit(&out->window);
    writer_deinit(&out->message);
    *out = (struct snapshot_out){.peer = 0};
}

/* Without telling the core. */
static void drop(struct replica *replica, struct snapshot_out *out)
{
    net_bulk_close(replica->node->net, out->peer);
    release(out);
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
    struct snapshots *snapshots = snapshots_of(replica);
    node_id peer = out->peer;
    uint64_t duration_ms = env_now_ms(replica->node->env) - out->begun_ms;
    if (why == NULL) {
        LOG_INFO(log, "snapshot delivered", LOG_U64("region", replica->region),
                 LOG_U64("member", peer), LOG_U64("index", out->pos.index),
                 LOG_U64("bytes", out->sent_bytes), LOG_U64("duration_ms", duration_ms));
    } else {
        LOG_INFO(log, "snapshot not delivered", LOG_U64("region", replica->region),
                 LOG_U64("member", peer), LOG_U64("index", out->pos.index), LOG_TEXT("why", why));
    }
    counter_add(why == NULL ? &snapshots->sent : &snapshots->failed, 1);
    remember(replica, out, why == NULL);
    drop(replica, out);
    replica_report_snapshot(replica, peer, why == NULL);
}

/* ---- sending ---- */

static uint64_t now_us(const struct replica *replica)
{
    return env_now_ms(replica->node->env) * 1000;
}

/* One on its way, and whose it is. */
struct sending {
    struct replica *replica;
    struct snapshot_out *out;
};

static err send_payload(void *ctx, struct slice payload)
{
    struct sending *sending = ctx;
    struct node *node = sending->replica->node;
    struct snapshot_out *out = sending->out;
    err e = net_bulk_send(node->net, out->peer, sending->replica->region, payload);
    if (e == OK) {
        out->due_us = pace_spend(&node->pace, now_us(sending->replica), payload.size);
        out->sent_bytes += payload.size;
        counter_add(&node->snapshots.sent_bytes, payload.size);
    }
    return e;
}

/* What is not acknowledged, once more: what fails goes by the connection, and is told by that. */
static void repeat(struct replica *replica, struct snapshot_out *out)
{
    struct sending sending = {replica, out};
    out->moved_ms = env_now_ms(replica->node->env);
    (void)!snapshot_window_repeat(&out->window, send_payload, &sending);
}

static err send_chunk(struct replica *replica, struct snapshot_out *out)
{
    struct writer chunk = {0};
    struct writer payload = {0};
    bool is_last = false;
    if (!divergence_is_trusted(replica)) {
        return ERR_DIVERGED;
    }
    err e = store_snapshot_read(out->source, replica->node->options.snapshot_chunk_bytes, &chunk,
                                &is_last);
    if (e == OK) {
        struct frame_snapshot frame = {
            .transfer = out->transfer,
            .number = out->window.sent,
            .is_last = is_last,
            .message = writer_slice(&out->message),
            .chunk = writer_slice(&chunk),
        };
        frame_snapshot_encode(&frame, &payload);
        struct sending sending = {replica, out};
        if (out->window.sent == out->window.acked) {
            out->moved_ms = env_now_ms(replica->node->env); /* it was not its turn before */
        }
        /* A full queue, or a connection that ends: it is kept, and sent again. */
        (void)!send_payload(&sending, writer_slice(&payload));
        snapshot_window_push(&out->window, &payload);
        writer_deinit(&out->message);
        out->message = (struct writer){0};
        out->is_last_sent = is_last;
    }
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

/* Whether the next chunk may go, apart from its time. */
static bool has_next(const struct replica *replica, const struct snapshot_out *out)
{
    return out->peer != 0 && !out->is_last_sent && snapshot_window_has_room(&out->window) &&
           net_bulk_is_up(replica->node->net, out->peer);
}

static uint64_t delay_ms(const struct replica *replica, const struct snapshot_out *out)
{
    return pace_delay_ms(now_us(replica), out->due_us);
}

/* Fills the window, at the pace (S2). */
static void fill(struct replica *replica, struct snapshot_out *out)
{
    while (has_next(replica, out) && delay_ms(replica, out) == 0) {
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

static void pump(struct replica *replica)
{
    struct snapshots *snapshots = snapshots_of(replica);
    uint64_t soonest_ms = UINT64_MAX;
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->out); i++) {
        struct snapshot_out *out = &snapshots->out[i];
        fill(replica, out);
        if (has_next(replica, out) && delay_ms(replica, out) < soonest_ms) {
            soonest_ms = delay_ms(replica, out);
        }
    }
    if (soonest_ms != UINT64_MAX) {
        env_timer_start(&snapshots->timer, soonest_ms, 0);
    }
}

void snapshots_due(struct env_timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, snapshots.timer);
    if (node->replica != NULL) {
        pump(node->replica);
    }
}

/* Asks for the connection, or goes on if it is there. */
static void ask_for_connection(struct replica *replica, struct snapshot_out *out)
{
    struct node *node = replica->node;
    /* Not reached at present: again, until that is silence. */
    (void)!net_bulk_open(node->net, out->peer);
    out->redial_ms = env_now_ms(node->env) + SNAPSHOT_REDIAL_MS;
    pump(replica);
}

void snapshots_bulk_up(struct replica *replica, node_id peer)
{
    struct snapshot_out *out = find_out(replica, peer);
    if (out == NULL) {
        net_bulk_close(replica->node->net, peer);
        return;
    }
    if (out->window.sent > 0) {
        counter_add(&snapshots_of(replica)->resumed, 1);
        LOG_INFO(replica->node->log, "a snapshot goes on", LOG_U64("region", replica->region),
                 LOG_U64("member", peer), LOG_U64("index", out->pos.index),
                 LOG_U64("chunk", out->window.acked));
        repeat(replica, out);
    }
    pump(replica);
}

void snapshots_bulk_down(struct replica *replica, node_id peer)
{
    struct snapshot_out *out = find_out(replica, peer);
    if (out != NULL) {
        out->redial_ms = env_now_ms(replica->node->env) + SNAPSHOT_REDIAL_MS;
    }
}

err snapshots_offer(const struct replica *replica, struct snapshot *out_snapshot)
{
    const struct store_region *state = store_region(replica->node->store, replica->region);
    if (state == NULL || state->checkpoint.index == 0 || replica->node->net == NULL ||
        !divergence_is_trusted(replica)) {
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

/* A free place and a source for a transfer to `peer`. ERR_BUSY, ERR_UNAVAILABLE, ERR_CORRUPT. */
static err find_source(struct replica *replica, node_id peer, struct snapshot_out **out_place,
                       struct store_snapshot **out_source)
{
    struct snapshot_out *out = find_out(replica, peer);
    if (out != NULL) {
        drop(replica, out); /* nobody knows anything of it any more */
    }
    out = find_out(replica, 0);
    if (out == NULL || is_paused(replica, peer)) {
        return ERR_BUSY;
    }
    struct store_snapshot *source = NULL;
    err e = store_snapshot_open(replica->node->store, replica->region, &source);
    if (e == ERR_CORRUPT) {
        give_up_leading(replica);
    }
    if (e == OK && !is_member(store_snapshot_membership(source), peer)) {
        /* It would be refused: the receiver was added later than that. */
        store_snapshot_close(source);
        store_checkpoint_soon(replica->node->store);
        e = ERR_UNAVAILABLE;
    }
    if (e == OK) {
        *out_place = out;
        *out_source = source;
    }
    return e;
}

static void begin(struct replica *replica, struct snapshot_out *out, struct store_snapshot *source,
                  const struct message *message)
{
    struct snapshots *snapshots = snapshots_of(replica);
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
        .moved_ms = now_ms,
    };
    snapshots->next_transfer++;
    encode_message(out, message);
    LOG_INFO(replica->node->log, "sending a snapshot", LOG_U64("region", replica->region),
             LOG_U64("member", out->peer), LOG_U64("index", out->pos.index));
}

void snapshots_send(struct replica *replica, const struct message *message)
{
    ASSERT(message->type == MSG_SNAP && message->snapshot != NULL);
    struct snapshot_out *out;
    struct store_snapshot *source;
    if (find_source(replica, message->to, &out, &source) != OK) {
        replica_report_snapshot(replica, message->to, false); /* it will ask again */
        return;
    }
    begin(replica, out, source, message);
    ask_for_connection(replica, out);
}

void snapshots_send_state(struct replica *replica, node_id peer)
{
    struct snapshot_out *out;
    struct store_snapshot *source;
    if (find_source(replica, peer, &out, &source) != OK) {
        return; /* it asks again, perhaps somebody else */
    }
    const struct message message = {
        .type = MSG_SNAP,
        .from = replica->node->identity.node,
        .to = peer,
        .term = replica->hard_state.term,
    };
    begin(replica, out, source, &message);
    out->is_asked_for = true;
    ask_for_connection(replica, out);
}

bool snapshots_has_begun(const struct replica *replica, uint64_t transfer)
{
    const struct snapshots *snapshots = snapshots_of(replica);
    uint64_t first = snapshots->first_transfer;
    return transfer - first < snapshots->next_transfer - first; /* they may wrap */
}

/* S5. The source is not needed any more, the log behind it is. */
static void staged(struct replica *replica, struct snapshot_out *out)
{
    if (!out->is_staged) {
        out->is_staged = true;
        store_snapshot_close(out->source);
        out->source = NULL;
        net_bulk_close(replica->node->net, out->peer);
    }
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
    struct snapshot_window *window = &out->window;
    out->heard_ms = env_now_ms(replica->node->env);
    bool is_all = out->is_last_sent && ack.received == window->sent;
    if (ack.outcome == FRAME_SNAPSHOT_STAGED && is_all) {
        staged(replica, out);
    } else if (out->is_staged) {
        /* An old answer; or it was taken in, and the receiver has forgotten it: the core knows. */
        return;
    } else if (ack.outcome == FRAME_SNAPSHOT_GOES_ON && !is_all && ack.received <= window->sent) {
        if (ack.received > window->acked) {
            snapshot_window_ack(window, ack.received);
            out->moved_ms = out->heard_ms;
            pump(replica);
        } /* else it tells again what it has, of a chunk that came twice or too early */
    } else {
        end(replica, out, "refused");
    }
}

/* ---- ending ---- */

static uint64_t match_of(const struct raft_status *status, node_id peer)
{
    for (uint32_t i = 0; i < status->member_count; i++) {
        if (status->members[i].id == peer) {
            return status->members[i].match;
        }
    }
    return UINT64_MAX; /* no member any more: nothing to keep for it */
}

void snapshots_peer_down(struct replica *replica, node_id peer)
{
    struct snapshot_out *out = find_out(replica, peer);
    if (out != NULL && out->is_staged) {
        end(replica, out, NULL); /* it says nothing more now: a probe will tell */
    }
}

/* S5: it has taken the snapshot in, or says nothing more. */
static bool is_taken_in(const struct replica *replica, const struct snapshot_out *out,
                        uint64_t now_ms)
{
    struct raft_status status;
    raft_status(replica->raft, &status);
    return match_of(&status, out->peer) >= out->pos.index ||
           now_ms - out->heard_ms > SNAPSHOT_STAGED_SILENCE_MS;
}

/* NULL, or why it does not go on. */
static const char *why_ended(const struct replica *replica, const struct snapshot_out *out,
                             uint64_t now_ms)
{
    struct net_peer_info info;
    uint64_t least_ms = SNAPSHOT_GRACE_MS + out->sent_bytes / SNAPSHOT_RATE_MIN * 1000;
    if (!net_peer_info(replica->node->net, out->peer, &info)) {
        return "no member any more";
    }
    if (now_ms - out->heard_ms > SNAPSHOT_SILENCE_MS) {
        return "no answer";
    }
    return now_ms - out->begun_ms > least_ms ? "too slow" : NULL;
}

/* S7 */
static void look_at_queue(const struct replica *replica, struct snapshot_out *out, uint64_t now_ms)
{
    const struct net *net = replica->node->net;
    size_t queued = net_bulk_queued(net, out->peer);
    if (queued < out->queued && net_bulk_is_up(net, out->peer)) {
        out->heard_ms = now_ms;
    }
    out->queued = queued < SNAPSHOT_QUEUE_LEAST ? 0 : queued;
    if (out->queued > 0) {
        out->moved_ms = now_ms;
    }
}

static void tick(struct replica *replica, struct snapshot_out *out, uint64_t now_ms)
{
    struct net *net = replica->node->net;
    look_at_queue(replica, out, now_ms);
    const char *why = why_ended(replica, out, now_ms);
    bool leads = replica->role == RAFT_LEADER && replica->term == out->term;
    if (!leads && !out->is_asked_for) {
        drop(replica, out);
    } else if (out->is_staged) {
        if (is_taken_in(replica, out, now_ms)) {
            end(replica, out, NULL);
        }
    } else if (why != NULL) {
        end(replica, out, why);
    } else if (!net_bulk_is_up(net, out->peer)) {
        if (now_ms >= out->redial_ms) {
            ask_for_connection(replica, out);
        }
    } else if (now_ms - out->moved_ms > SNAPSHOT_REPEAT_MS) {
        repeat(replica, out);
    }
}

void snapshots_tick_out(struct replica *replica, uint64_t now_ms)
{
    struct snapshots *snapshots = snapshots_of(replica);
    for (uint32_t i = 0; i < ARRAY_COUNT(snapshots->out); i++) {
        if (snapshots->out[i].peer != 0) {
            tick(replica, &snapshots->out[i], now_ms);
        }
    }
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
