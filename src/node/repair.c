#include "node/repair.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "node/node_int.h"
#include "store/distrust.h"
#include "wal/wal_salvage.h"

static void path_of(const struct node *node, const char *part, char path[NODE_PATH_SIZE])
{
    (void)snprintf(path, NODE_PATH_SIZE, "%s/%s", node->options.data_directory, part);
}

static bool is_log_set_aside(const struct node *node)
{
    return node->identity.lost_region == REGION_FIRST;
}

bool repair_has_peers(const struct node *node)
{
    return node->options.member_count > 1 || node->options.is_joining ||
           node->identity.peer_count > 0;
}

/* ---- at a start ---- */

/* It was there, and is not: its entries, or a term alone, of who has joined and got none yet. */
static bool is_log_empty(const struct node *node)
{
    return wal_bounds(node->wal, REGION_FIRST).last_index == 0 &&
           wal_hard_state(node->wal, REGION_FIRST).term == 0 && node->identity.is_founded;
}

/* All that was ever applied can be applied again, be it nothing. */
static bool is_log_whole(const struct node *node)
{
    return wal_bounds(node->wal, REGION_FIRST).compacted.index == 0 && !is_log_empty(node);
}

err repair_set_store_aside(struct node *node, struct err_note *note)
{
    char path[NODE_PATH_SIZE];
    path_of(node, "store", path);
    bool is_from_log = is_log_whole(node) && !is_log_set_aside(node);
    bool is_from_peers = repair_has_peers(node) && (!is_log_empty(node) || is_log_set_aside(node));
    if (!is_from_log && !is_from_peers) {
        return ERR_DAMAGED; /* G5 */
    }
    LOG_WARN(node->log,
             is_from_log ? "the store is damaged: it is set aside, and rebuilt from the log"
                         : "the store is damaged: it is set aside, and will be rebuilt from a peer",
             LOG_TEXT("what", note->text), LOG_TEXT("directory", path),
             LOG_TEXT("kept_as", STORE_ASIDE_NAME));
    node->is_store_from_log = is_from_log;
    return store_set_aside(node->env, path, note);
}

err repair_set_log_aside(struct node *node, struct err_note *note)
{
    char path[NODE_PATH_SIZE];
    struct identity *identity = &node->identity;
    struct wal_salvage salvage;
    if (!repair_has_peers(node) || !identity->is_founded) {
        return ERR_DAMAGED; /* G5 */
    }
    const struct wal_options options = node_log_options(node, path);
    struct err_note what = *note;
    err e = wal_salvage(&options, REGION_FIRST, &salvage, note);
    if (e != ERR_DAMAGED) {
        return e == OK ? err_note_set(note, ERR_DAMAGED, "%s", what.text) : e;
    }
    LOG_WARN(node->log, "the log is damaged: it is set aside, and a new one begun from the peers'",
             LOG_TEXT("what", what.text), LOG_TEXT("directory", path),
             LOG_U64("term", salvage.hard_state.term),
             LOG_TEXT("vote", salvage.is_last ? "known" : "lost"));
    identity->lost_region = REGION_FIRST;
    identity->lost = salvage.hard_state;
    identity->lost.commit = 0;
    identity->is_vote_lost = !salvage.is_last;
    e = identity_save(node->env, node->options.data_directory, identity, note);
    return e == OK ? wal_set_aside(node->env, path, true, note) : e;
}

err repair_drop_log(struct node *node, struct err_note *note)
{
    char path[NODE_PATH_SIZE];
    path_of(node, "wal", path);
    return is_log_set_aside(node) ? wal_set_aside(node->env, path, false, note) : OK;
}

bool repair_is_needed(const struct replica *replica, struct raft_pos applied)
{
    const struct node *node = replica->node;
    const struct repair *repair = &replica->repair;
    if (is_log_set_aside(node)) {
        return !repair->has_index_min || applied.index < repair->index_min;
    }
    return applied.index < wal_bounds(node->wal, replica->region).compacted.index &&
           repair_has_peers(node);
}

bool repair_reset_log(struct replica *replica, struct raft_pos applied)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    if (!is_log_set_aside(node)) {
        return false;
    }
    ASSERT(repair->has_index_min);
    ASSERT(applied.index >= repair->index_min);
    ASSERT(!node->identity.is_vote_lost);
    install_reset_log(replica, node->identity.lost, applied);
    repair->is_log_lost = false;
    counter_add(&repair->logs, 1);
    return true;
}

void repair_log_persisted(struct replica *replica)
{
    struct node *node = replica->node;
    if (is_log_set_aside(node)) {
        node->identity.lost_region = 0;
        node->identity.lost = (struct hard_state){.term = 0};
        node_save_identity(node);
    }
}

void repair_begin(struct replica *replica, const struct membership *told)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    ASSERT(replica->raft == NULL);
    ASSERT(!repair->is_waiting);
    repair->is_waiting = true;
    repair->is_log_lost = is_log_set_aside(node);
    repair->has_index_min = !repair->is_log_lost;
    const struct raft_pos compacted = wal_bounds(node->wal, replica->region).compacted;
    repair->index_min = compacted.index;
    repair->index_min_term = repair->is_log_lost ? 0 : compacted.term;
    repair->begun_ms = env_now_ms(node->env);
    repair->told_ms = repair->begun_ms;
    replica->hard_state =
        repair->is_log_lost ? node->identity.lost : wal_hard_state(node->wal, replica->region);
    replica->term = replica->hard_state.term;
    replica->membership = *told;
    replica->members.replayed_index = UINT64_MAX; /* members.h, M7: not before it is whole */
    LOG_WARN(node->log,
             "this node's data is not whole: it takes no part until a peer has sent its own",
             LOG_U64("region", replica->region), LOG_U64("index_min", repair->index_min),
             LOG_TEXT("lost", repair->is_log_lost ? "log" : "state"));
}

void repair_await_log(struct replica *replica, const struct membership *told)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    const struct store_region *state = store_region(node->store, replica->region);
    ASSERT(node->log_mend.mend != NULL);
    ASSERT(replica->raft == NULL);
    repair->is_waiting = true;
    repair->begun_ms = env_now_ms(node->env);
    replica->membership = state != NULL ? state->membership : *told;
    replica->members.replayed_index = UINT64_MAX; /* members.h, M7: not before it is whole */
}

void repair_log_opened(struct replica *replica)
{
    struct node *node = replica->node;
    struct membership told = replica->membership;
    struct err_note note = {.text = ""};
    ASSERT(replica->repair.is_waiting);
    ASSERT(node->log_mend.mend == NULL);
    replica->repair.is_waiting = false;
    if (replica_recover(replica, &told, &note) != OK) {
        fatal(0, "%s", note.text);
    }
    if (replica->raft != NULL) {
        struct membership now = replica->membership;
        replica->membership = told;
        members_adopt(replica, &now, replica->applied);
    }
    startup_opened(node);
    env_turn_wake(node->env);
}

/* ---- while it waits ---- */

/* A log that is being mended comes first: until it is open nothing is known. */
static bool is_log_awaited(const struct replica *replica)
{
    return replica->node->log_mend.mend != NULL;
}

static bool tell(struct replica *replica, node_id peer, const struct frame_repair *frame)
{
    struct node *node = replica->node;
    writer_reset(&node->scratch);
    frame_repair_encode(frame, &node->scratch);
    return node->net != NULL && net_is_up(node->net, peer) &&
           net_send(node->net, peer, FRAME_REPAIR, replica->region, writer_slice(&node->scratch)) ==
               OK;
}

static struct repair_heard *find_heard(struct repair *repair, node_id peer)
{
    for (uint32_t i = 0; i < repair->heard_count; i++) {
        if (repair->heard[i].peer == peer) {
            return &repair->heard[i];
        }
    }
    return NULL;
}

/* As it has said itself. */
static bool is_far_enough(struct repair *repair, node_id peer)
{
    const struct repair_heard *heard = find_heard(repair, peer);
    return heard != NULL && heard->last_index >= repair->index_min;
}

/* With a `transfer`, who sends it already: a process that has begun it lets it go on, or has given
 * it up for a reason; another one there begins anew. */
static bool ask_for_state_of(struct replica *replica, node_id peer, uint64_t transfer)
{
    const struct repair *repair = &replica->repair;
    const struct frame_repair frame = {
        .kind = FRAME_REPAIR_SEND,
        .term = repair->index_min_term,
        .index = repair->index_min,
        .transfer = transfer,
    };
    return tell(replica, peer, &frame);
}

/* The next of those that were met: with the membership, addresses may be lost, but they dial this
 * node. False: none of them can be asked. */
static bool ask_next_for_state(struct replica *replica, bool only_far_enough)
{
    struct repair *repair = &replica->repair;
    const struct identity *identity = &replica->node->identity;
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        uint32_t next = (repair->asked_count + i) % identity->peer_count;
        node_id peer = identity->peers[next].id;
        if (only_far_enough && !is_far_enough(repair, peer)) {
            continue;
        }
        if (ask_for_state_of(replica, peer, 0)) {
            repair->asked_count = next + 1;
            return true;
        }
    }
    return false;
}

/* Who has said that its log ends too early cannot have the state, and is asked only while nobody is
 * known who can. */
static void ask_for_state(struct replica *replica)
{
    if (!ask_next_for_state(replica, true)) {
        (void)ask_next_for_state(replica, false);
    }
}

/* Also when it knows how far it has to come: whoever hears this takes it for a node without a core
 * (contact.h). */
static void ask_everybody(struct replica *replica)
{
    const struct identity *identity = &replica->node->identity;
    const struct frame_repair frame = {.kind = FRAME_REPAIR_QUESTION};
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        (void)tell(replica, identity->peers[i].id, &frame);
    }
}

/* G7: "2, 3" */
static void list_unheard(struct replica *replica, struct writer *out)
{
    const struct identity *identity = &replica->node->identity;
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        node_id peer = identity->peers[i].id;
        if (find_heard(&replica->repair, peer) == NULL) {
            writer_format(out, "%s%" PRIu64, out->size > 0 ? ", " : "", peer);
        }
    }
    writer_u8(out, '\0');
}

/* What does not end by itself is for a person, who has to know whom it waits for. */
static void tell_of_waiting(struct replica *replica, uint64_t now_ms)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    bool is_coming = repair->is_installing || snapshots_is_coming(replica);
    if (now_ms - repair->told_ms < REPAIR_TELL_MS || is_log_awaited(replica) || is_coming) {
        return;
    }
    repair->told_ms = now_ms;
    if (node->identity.is_vote_lost) {
        writer_reset(&node->scratch);
        list_unheard(replica, &node->scratch);
        LOG_WARN(node->log,
                 "this node has lost its vote, and waits until every member that it has met has "
                 "told its term: if one of them will not come back, replace this node by one with "
                 "an empty data directory",
                 LOG_U64("region", replica->region),
                 LOG_TEXT("missing", (const char *)node->scratch.data));
    } else if (!repair->has_index_min) {
        LOG_WARN(node->log, "this node has lost its log, and waits for a leader",
                 LOG_U64("region", replica->region), LOG_U64("term", node->identity.lost.term));
    } else {
        LOG_WARN(node->log,
                 "this node's data is not whole, and no peer has sent a state that goes far enough",
                 LOG_U64("region", replica->region), LOG_U64("index_min", repair->index_min));
    }
}

void repair_tick(struct replica *replica, uint64_t now_ms)
{
    struct repair *repair = &replica->repair;
    log_mend_tick(replica, now_ms);
    if (!repair->is_waiting || now_ms - repair->asked_ms < REPAIR_ASK_MS) {
        return;
    }
    repair->asked_ms = now_ms;
    ask_everybody(replica);
    tell_of_waiting(replica, now_ms);
    const struct snapshot_in *in = &replica->node->snapshots.in;
    if (!repair->has_index_min || repair->is_installing) {
        return;
    }
    if (snapshots_is_coming(replica)) {
        (void)ask_for_state_of(replica, in->from, in->transfer);
    } else {
        ask_for_state(replica);
    }
}

bool repair_wants(const struct replica *replica, struct raft_pos pos)
{
    const struct repair *repair = &replica->repair;
    const struct store_region *state = store_region(replica->node->store, replica->region);
    bool is_newer = state == NULL || pos.index > state->applied.index;
    return repair->is_waiting && !repair->is_installing && repair->has_index_min && is_newer &&
           pos.index >= repair->index_min;
}

/* Whom it has been connected to, and whom it should be, are told apart as with every change. */
static void adopt_members(struct replica *replica, const struct membership *told)
{
    const struct store_region *state = store_region(replica->node->store, replica->region);
    replica->membership = *told;
    members_adopt(replica, &state->membership, state->applied.index);
}

static void finish(struct replica *replica)
{
    struct node *node = replica->node;
    struct repair *repair = &replica->repair;
    struct membership told = replica->membership;
    bool was_log_lost = repair->is_log_lost;
    struct membership nobody = {.member_count = 0};
    struct err_note note = {.text = ""};
    repair->is_waiting = false;
    /* The state has come from elsewhere: how it came to be this node does not know. */
    history_restart(replica->history, store_region(node->store, replica->region)->revision);
    if (replica_recover(replica, &nobody, &note) != OK) {
        fatal(0, "%s", note.text);
    }
    ASSERT(replica->raft != NULL); /* the log goes on from there, or was reset */
    adopt_members(replica, &told);
    LOG_INFO(node->log,
             was_log_lost ? "repaired: a new log begins at the state that is there"
                          : "repaired: the state was rebuilt from a peer",
             LOG_U64("region", replica->region), LOG_U64("index", replica->applied),
             LOG_U64("keys", store_region(node->store, replica->region)->keys),
             LOG_U64("duration_ms", env_now_ms(node->env) - repair->begun_ms));
    env_turn_wake(node->env);
}

static void on_installed(void *ctx, err e)
{
    struct node *node = ctx;
    struct replica *replica = node->replica;
    if (replica == NULL) {
        return; /* closing: the next opening finds the store as it is now */
    }
    replica->repair.is_installing = false;
    if (e != OK) {
        LOG_WARN(node->log, "a peer's state could not be taken in: another one is asked",
                 LOG_ERR(e));
        install_unannounce(replica);
        return;
    }
    counter_add(&replica->repair.stores, 1);
    finish(replica);
}

void repair_receive(struct replica *replica, struct raft_pos pos)
{
    struct repair *repair = &replica->repair;
    ASSERT(repair->is_waiting);
    ASSERT(!repair->is_installing);
    ASSERT(pos.index >= repair->index_min);
    repair->is_installing = true;
    store_install(replica->node->store, snapshots_take(replica, pos), on_installed, replica->node);
}

/* ---- what peers say of themselves (G6, G7) ---- */

/* G7 */
static void find_term(struct replica *replica)
{
    struct repair *repair = &replica->repair;
    struct identity *identity = &replica->node->identity;
    for (uint32_t i = 0; i < identity->peer_count; i++) {
        if (find_heard(repair, identity->peers[i].id) == NULL) {
            return;
        }
    }
    for (uint32_t i = 0; i < repair->heard_count; i++) {
        uint64_t term = repair->heard[i].term;
        identity->lost.term = term > identity->lost.term ? term : identity->lost.term;
    }
    identity->lost.vote = identity->node;
    identity->is_vote_lost = false;
    node_save_identity(replica->node);
    LOG_INFO(replica->node->log, "every peer has told its term: this node votes only in later ones",
             LOG_U64("region", replica->region), LOG_U64("term", identity->lost.term));
}

/* G6 */
static void find_index_min(struct replica *replica)
{
    struct repair *repair = &replica->repair;
    for (uint32_t i = 0; i < repair->heard_count; i++) {
        const struct repair_heard *heard = &repair->heard[i];
        if (heard->leads && heard->term >= replica->node->identity.lost.term) {
            repair->has_index_min = true;
            repair->index_min = heard->last_index;
            return;
        }
    }
}

static void take_answer(struct replica *replica, node_id from, const struct frame_repair *frame)
{
    struct repair *repair = &replica->repair;
    if (!repair->is_waiting || is_log_awaited(replica) ||
        identity_instance_of(&replica->node->identity, from) == 0) {
        return; /* to an earlier question */
    }
    struct repair_heard *heard = find_heard(repair, from);
    if (heard == NULL && repair->heard_count == MEMBERS_MAX) {
        return;
    }
    if (heard == NULL) {
        heard = &repair->heard[repair->heard_count];
        repair->heard_count++;
    }
    *heard = (struct repair_heard){from, frame->term, frame->index, frame->leads};
    if (repair->has_index_min) {
        return; /* it is for ask_for_state */
    }
    if (replica->node->identity.is_vote_lost) {
        find_term(replica);
    }
    if (!replica->node->identity.is_vote_lost) {
        find_index_min(replica);
    }
    const struct store_region *state = store_region(replica->node->store, replica->region);
    if (repair->has_index_min && state != NULL && state->applied.index >= repair->index_min) {
        finish(replica);
    }
}

/* ---- on the other side ---- */

/* Its term may not be durable yet: who has asked for a vote was durably in the term before. */
static void answer(struct replica *replica, node_id to)
{
    struct frame_repair frame = {
        .kind = FRAME_REPAIR_ANSWER,
        .term = replica->hard_state.term,
        .index = wal_bounds(replica->node->wal, replica->region).last_index,
    };
    if (replica->raft != NULL) {
        struct raft_status status;
        raft_status(replica->raft, &status);
        frame.term = status.hard_state.term;
        frame.index = status.last_index;
        frame.leads = status.role == RAFT_LEADER;
    } else if (replica->repair.is_log_lost || replica->bootstrap_ticket != 0 ||
               is_log_awaited(replica)) {
        return; /* it does not know itself */
    }
    (void)tell(replica, to, &frame);
}

static void send_state(struct replica *replica, node_id to, const struct frame_repair *asked)
{
    const struct store_region *state = store_region(replica->node->store, replica->region);
    if (replica->raft == NULL || state == NULL || replica->members.is_removed ||
        replica->install.is_running ||
        (asked->transfer != 0 && snapshots_has_begun(replica, asked->transfer))) {
        return; /* it asks somebody else, and again */
    }
    if (state->checkpoint.index >= asked->index) {
        snapshots_send_state(replica, to);
    } else if (state->applied.index >= asked->index) {
        store_checkpoint_soon(replica->node->store);
    }
}

void repair_heard(struct replica *replica, node_id from, struct slice payload)
{
    struct frame_repair frame;
    if (frame_repair_decode(payload, &frame) != OK) {
        LOG_WARN(replica->node->log, "malformed question for a state", LOG_U64("from", from));
        return;
    }
    switch (frame.kind) {
    case FRAME_REPAIR_SEND:
        contact_mends(&replica->contact, from);
        if (replica->raft != NULL && frame.term != 0) { /* G2 */
            raft_learn_committed(replica->raft, (struct raft_pos){frame.term, frame.index});
        }
        send_state(replica, from, &frame);
        break;
    case FRAME_REPAIR_QUESTION:
        contact_mends(&replica->contact, from);
        answer(replica, from);
        break;
    case FRAME_REPAIR_ANSWER:
        take_answer(replica, from, &frame);
        break;
    }
}

/* ---- from outside ---- */

err node_repair_store(struct node *node, const char *why)
{
    char path[NODE_PATH_SIZE];
    if (!repair_has_peers(node)) {
        return ERR_UNAVAILABLE;
    }
    path_of(node, "store", path);
    store_end_damaged(node->env, path, why);
}
