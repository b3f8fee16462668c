/* Snapshots that come in. Nothing of what a peer sends is trusted before it was verified. */
#include "base/assert.h"
#include "node/node_int.h"
#include "node/snapshots.h"

static struct snapshot_in *in_of(const struct replica *replica)
{
    return &replica->node->snapshots.in;
}

static void answer(const struct replica *replica, node_id to, uint64_t transfer, uint32_t received,
                   enum frame_snapshot_outcome outcome)
{
    struct node *node = replica->node;
    struct frame_snapshot_ack ack = {transfer, received, outcome};
    writer_reset(&node->scratch);
    frame_snapshot_ack_encode(&ack, &node->scratch);
    /* Lost, it is the sender who gives up, and begins anew. */
    (void)!net_send(node->net, to, FRAME_SNAPSHOT_ACK, replica->region,
                    writer_slice(&node->scratch));
}

static void release(struct snapshot_in *in)
{
    message_deinit(&in->message);
    in->incoming = NULL;
    in->is_complete = false;
    in->from = 0;
    in->transfer = 0;
    in->received = 0;
}

static void discard(struct replica *replica)
{
    struct snapshot_in *in = in_of(replica);
    store_incoming_discard(in->incoming);
    release(in);
    install_unannounce(replica);
}

/* ---- the first chunk ---- */

static const char not_newer[] = "not newer than what is here";

bool snapshots_is_coming(const struct replica *replica)
{
    const struct snapshot_in *in = in_of(replica);
    return in->incoming != NULL &&
           env_now_ms(replica->node->env) - in->seen_ms <= SNAPSHOT_PATIENCE_MS;
}

/* NULL, or why this snapshot is of no use here. */
static const char *why_not(const struct replica *replica, node_id from,
                           const struct message *message)
{
    if (message->type != MSG_SNAP || message->from != from ||
        message->to != replica->node->identity.node ||
        buf_slice(message->snapshot->data).size > 0) {
        return "malformed";
    }
    if (install_is_busy(replica) || in_of(replica)->is_complete) {
        return "busy";
    }
    if (replica->raft == NULL) { /* S6 */
        bool is_another_coming = snapshots_is_coming(replica) && in_of(replica)->from != from;
        if (is_another_coming || !repair_wants(replica, message->snapshot->pos)) {
            return "busy";
        }
    } else if (message->term < replica->hard_state.term) {
        return "of an earlier term";
    } else if (message->snapshot->pos.index <= replica->hard_state.commit) {
        return not_newer;
    }
    const struct conf_state *conf = &message->snapshot->conf;
    node_id self = replica->node->identity.node;
    bool is_member = id_set_has(&conf->voters, self) || id_set_has(&conf->voters_outgoing, self) ||
                     id_set_has(&conf->learners, self);
    return is_member ? NULL : "this node is no member in it";
}

/* False: it is refused, and nothing has begun. */
static bool begin(struct replica *replica, node_id from, const struct frame_snapshot *frame)
{
    struct snapshot_in *in = in_of(replica);
    struct reader reader = reader_of(frame->message);
    struct owned_message message;
    const char *why = "malformed";
    struct err_note note = {.text = ""};
    if (message_decode(&reader, &message) == OK) {
        why = reader_finish(&reader) == OK ? why_not(replica, from, &message.message) : why;
        if (why == not_newer) {
            /* The sender does not know how far this node is. The core says so in its answer, and
             * installs nothing: it knows all of that to be committed. */
            replica_step(replica, &message.message);
        }
        message_deinit(&message);
    }
    if (why == NULL && in->incoming != NULL) {
        discard(replica); /* its sender has given it up, or does not lead any more */
    }
    if (why == NULL) {
        reader = reader_of(frame->message);
        err e = message_decode(&reader, &in->message);
        ASSERT(e == OK);
        e = store_incoming_begin(replica->node->store, replica->region,
                                 in->message.message.snapshot->pos, &in->incoming, &note);
        if (e != OK) {
            release(in);
            why = err_name(e);
        }
    }
    if (why != NULL) {
        LOG_INFO(replica->node->log, "snapshot refused", LOG_U64("region", replica->region),
                 LOG_U64("from", from), LOG_TEXT("why", why), LOG_TEXT("note", note.text));
        return false;
    }
    in->from = from;
    in->transfer = frame->transfer;
    in->seen_ms = env_now_ms(replica->node->env);
    LOG_INFO(replica->node->log, "receiving a snapshot", LOG_U64("region", replica->region),
             LOG_U64("from", from), LOG_U64("index", in->message.message.snapshot->pos.index));
    return true;
}

/* ---- every chunk ---- */

/* It is one of the transfer that is coming in. */
static bool is_ours(const struct snapshot_in *in, node_id from, const struct frame_snapshot *frame)
{
    return in->incoming != NULL && !in->is_complete && in->from == from &&
           in->transfer == frame->transfer;
}

static bool was_ours(const struct snapshot_in *in, node_id from, const struct frame_snapshot *frame)
{
    return in->staged_from == from && in->staged_transfer == frame->transfer;
}

/*
 * Whether the chunk is not the next one, and the sender was told what it needs to know: after a
 * break it sends again what was not acknowledged, and a chunk may be missing before this one.
 */
static bool is_out_of_order(const struct replica *replica, node_id from,
                            const struct frame_snapshot *frame)
{
    const struct snapshot_in *in = in_of(replica);
    if (was_ours(in, from, frame)) {
        answer(replica, from, frame->transfer, in->staged_chunks, FRAME_SNAPSHOT_STAGED);
        return true;
    }
    if (is_ours(in, from, frame) && frame->number != in->received) {
        answer(replica, from, frame->transfer, in->received, FRAME_SNAPSHOT_GOES_ON);
        return true;
    }
    return false;
}

static err take(struct replica *replica, const struct frame_snapshot *frame)
{
    struct snapshot_in *in = in_of(replica);
    if (frame->is_last) {
        /* Once it is complete, the store may take it in by itself after a crash. */
        install_announce(replica, in->message.message.snapshot->pos);
    }
    err e = store_incoming_write(in->incoming, frame->chunk, frame->is_last);
    if (e == OK && frame->is_last &&
        !conf_state_equal(&store_incoming_membership(in->incoming)->conf,
                          &in->message.message.snapshot->conf)) {
        e = ERR_MALFORMED;
    }
    return e;
}

void snapshots_receive(struct replica *replica, node_id from, struct slice payload)
{
    struct snapshot_in *in = in_of(replica);
    struct frame_snapshot frame;
    if (frame_snapshot_decode(payload, &frame) != OK) {
        LOG_WARN(replica->node->log, "malformed snapshot frame", LOG_U64("from", from));
        return;
    }
    if (is_out_of_order(replica, from, &frame)) {
        return;
    }
    if ((frame.number == 0 && !begin(replica, from, &frame)) || !is_ours(in, from, &frame)) {
        answer(replica, from, frame.transfer, 0, FRAME_SNAPSHOT_REFUSED);
        return;
    }
    in->seen_ms = env_now_ms(replica->node->env);
    err e = take(replica, &frame);
    if (e != OK) {
        LOG_WARN(replica->node->log, "snapshot given up", LOG_U64("region", replica->region),
                 LOG_U64("from", from), LOG_U64("chunk", frame.number), LOG_ERR(e));
        discard(replica);
        answer(replica, from, frame.transfer, 0, FRAME_SNAPSHOT_REFUSED);
        return;
    }
    in->received++;
    answer(replica, from, frame.transfer, in->received,
           frame.is_last ? FRAME_SNAPSHOT_STAGED : FRAME_SNAPSHOT_GOES_ON);
    if (frame.is_last) {
        in->is_complete = true;
        counter_add(&replica->node->snapshots.received, 1);
        if (replica->raft != NULL) {
            replica_step(replica, &in->message.message); /* S1 */
        } else {
            repair_receive(replica, in->message.message.snapshot->pos); /* S6 */
        }
    }
}

struct store_incoming *snapshots_take(struct replica *replica, struct raft_pos pos)
{
    struct snapshot_in *in = in_of(replica);
    ASSERT(in->is_complete);
    ASSERT(in->message.message.snapshot->pos.index == pos.index);
    ASSERT(in->message.message.snapshot->pos.term == pos.term);
    struct store_incoming *incoming = in->incoming;
    in->staged_from = in->from;
    in->staged_transfer = in->transfer;
    in->staged_chunks = in->received;
    in->staged_told_ms = env_now_ms(replica->node->env);
    release(in);
    return incoming;
}

void snapshots_settle(struct replica *replica)
{
    if (in_of(replica)->is_complete) {
        LOG_INFO(replica->node->log, "a snapshot was not needed any more",
                 LOG_U64("region", replica->region));
        discard(replica);
    }
}

/* S5. */
static void tell_staged(struct replica *replica, uint64_t now_ms)
{
    struct snapshot_in *in = in_of(replica);
    if (!install_is_busy(replica) && !replica->repair.is_installing) {
        in->staged_from = 0;
    } else if (now_ms - in->staged_told_ms >= SNAPSHOT_STAGED_REPEAT_MS) {
        in->staged_told_ms = now_ms;
        answer(replica, in->staged_from, in->staged_transfer, in->staged_chunks,
               FRAME_SNAPSHOT_STAGED);
    }
}

/* S7. Both ways, since its chunks are worth nothing if it hears no answers. */
static bool is_sender_there(const struct replica *replica)
{
    const struct net *net = replica->node->net;
    node_id from = in_of(replica)->from;
    return net_bulk_comes_from(net, from) && net_is_up(net, from);
}

static void tick_in(struct replica *replica, uint64_t now_ms)
{
    struct snapshot_in *in = in_of(replica);
    if (in->staged_from != 0) {
        tell_staged(replica, now_ms);
    }
    if (in->incoming != NULL && is_sender_there(replica)) {
        in->seen_ms = now_ms;
    }
    if (in->incoming != NULL && !in->is_complete && now_ms - in->seen_ms > SNAPSHOT_SILENCE_MS) {
        LOG_INFO(replica->node->log, "a snapshot stopped coming in",
                 LOG_U64("region", replica->region), LOG_U64("from", in->from));
        discard(replica);
    }
}

/* ---- both directions ---- */

void snapshots_init(struct snapshots *snapshots, struct env *env, uint64_t first_transfer)
{
    *snapshots = (struct snapshots){
        .first_transfer = first_transfer,
        .next_transfer = first_transfer,
    };
    env_timer_init(env, &snapshots->timer, snapshots_due);
}

void snapshots_deinit(struct snapshots *snapshots)
{
    struct snapshot_in *in = &snapshots->in;
    env_timer_deinit(&snapshots->timer);
    snapshots_deinit_out(snapshots);
    store_incoming_close(in->incoming);
    release(in);
}

void snapshots_tick(struct replica *replica, uint64_t now_ms)
{
    snapshots_tick_out(replica, now_ms);
    tick_in(replica, now_ms);
}
