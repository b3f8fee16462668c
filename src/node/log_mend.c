#include "node/log_mend.h"

#include <inttypes.h>

#include "base/assert.h"
#include "node/node_int.h"
#include "proto/log_frame.h"
#include "wal/wal_hole.h"
#include "wal/wal_mend.h"

_Static_assert(WAL_HOLE_ENTRIES_MAX <= LOG_FRAME_ENTRIES_MAX, "a hole's range is one question");

err log_mend_begin(struct node *node, struct err_note *note)
{
    struct log_mend *state = &node->log_mend;
    struct wal_mend *mend = NULL;
    struct err_note why = {.text = ""};
    char path[NODE_PATH_SIZE];
    if (!repair_has_peers(node) || !node->identity.is_founded) {
        return ERR_DAMAGED;
    }
    const struct wal_options options = node_log_options(node, path);
    err e = wal_mend_open(&mend, &options, REGION_FIRST, &why);
    if (e == ERR_UNAVAILABLE) {
        LOG_INFO(node->log, "the damaged log cannot be mended record by record",
                 LOG_TEXT("why", why.text));
        return ERR_DAMAGED;
    }
    if (e != OK) {
        *note = why;
        return e;
    }
    uint32_t left = wal_mend_left(mend);
    LOG_WARN(node->log,
             left > 0 ? "the log is damaged: it will be mended from the peers' logs"
                      : "the log was damaged, and is mended: nobody had to be asked",
             LOG_TEXT("what", note->text), LOG_U64("places", wal_mend_count(mend)),
             LOG_U64("to_ask_for", left));
    counter_add(&state->records, wal_mend_count(mend) - left);
    if (left == 0) {
        wal_mend_close(mend);
        return OK;
    }
    state->mend = mend;
    state->next_number = env_random(node->env);
    state->begun_ms = env_now_ms(node->env);
    state->told_ms = state->begun_ms;
    return OK;
}

void log_mend_close(struct node *node)
{
    wal_mend_close(node->log_mend.mend);
    node->log_mend.mend = NULL;
}

/* ---- asking ---- */

static bool send_question(struct node *node, node_id peer, const struct log_frame_ask *ask)
{
    writer_reset(&node->scratch);
    log_frame_ask_encode(ask, &node->scratch);
    return node->net != NULL && net_is_up(node->net, peer) &&
           net_send(node->net, peer, FRAME_LOG_ASK, REGION_FIRST, writer_slice(&node->scratch)) ==
               OK;
}

/* For the next hole of the round, if there is one. */
static void ask(struct node *node, uint32_t i, uint64_t now_ms)
{
    struct log_mend *state = &node->log_mend;
    struct log_mend_peer *peer = &state->peers[i];
    struct wal_mend_gap gap;
    peer->number = 0;
    peer->asked_ms = now_ms;
    if (!wal_mend_next(state->mend, peer->hole, &gap)) {
        peer->hole = 0; /* the round is over */
        peer->low = 0;
        return;
    }
    if (gap.number != peer->hole) {
        peer->hole = gap.number;
        peer->low = 0;
    }
    state->next_number += state->next_number == 0 ? 1 : 0;
    const struct log_frame_ask question = {
        .number = state->next_number,
        .low = peer->low > gap.low ? peer->low : gap.low,
        .high = gap.high,
    };
    if (send_question(node, node->identity.peers[i].id, &question)) {
        peer->number = state->next_number++;
    }
}

/* J3 */
static void tell_of_waiting(struct node *node, uint64_t now_ms)
{
    struct log_mend *state = &node->log_mend;
    struct wal_mend_gap gap;
    if (now_ms - state->told_ms < LOG_MEND_TELL_MS || !wal_mend_next(state->mend, 0, &gap)) {
        return;
    }
    state->told_ms = now_ms;
    LOG_WARN(node->log, "the log is still damaged: no peer that was reached has what is missing",
             LOG_U64("segment", gap.segment), LOG_U64("offset", gap.offset),
             LOG_U64("index", gap.low), LOG_U64("places", wal_mend_left(state->mend)));
}

void log_mend_tick(struct replica *replica, uint64_t now_ms)
{
    struct node *node = replica->node;
    struct log_mend *state = &node->log_mend;
    if (state->mend == NULL) {
        return;
    }
    for (uint32_t i = 0; i < node->identity.peer_count; i++) {
        const struct log_mend_peer *peer = &state->peers[i];
        if (peer->asked_ms == 0 || now_ms - peer->asked_ms >= LOG_MEND_ASK_MS) {
            ask(node, i, now_ms);
        }
    }
    tell_of_waiting(node, now_ms);
}

/* ---- the end ---- */

/* The log is whole, or will not be: opens it, or a new one, and goes on as a start does. */
static void finish(struct replica *replica, bool is_whole, struct err_note *note)
{
    struct node *node = replica->node;
    struct log_mend *state = &node->log_mend;
    uint32_t count = wal_mend_count(state->mend);
    log_mend_close(node);
    err e = is_whole ? wal_start(node->wal, note) : ERR_DAMAGED;
    if (e == OK) {
        LOG_INFO(node->log, "the log is mended, and is what it was", LOG_U64("places", count),
                 LOG_U64("duration_ms", env_now_ms(node->env) - state->begun_ms));
    }
    if (e == ERR_DAMAGED) {
        e = repair_set_log_aside(node, note);
        e = e == OK ? wal_start(node->wal, note) : e;
    }
    if (e != OK) {
        fatal(0, "log: %s", note->text);
    }
    repair_log_opened(replica);
}

static void give_up(struct replica *replica, const struct wal_mend_gap *gap)
{
    struct err_note note = {.text = ""};
    char path[NODE_PATH_SIZE];
    const struct wal_options options = node_log_options(replica->node, path);
    err e = err_note_set(&note, ERR_DAMAGED,
                         "%s/%016" PRIx64 ".seg: at offset %" PRIu64
                         ": the leader does not have what was there",
                         options.directory, gap->segment, gap->offset);
    ASSERT(e == ERR_DAMAGED);
    finish(replica, false, &note);
}

/* ---- answers ---- */

static uint32_t find_peer(const struct node *node, node_id id)
{
    uint32_t i = 0;
    while (i < node->identity.peer_count && node->identity.peers[i].id != id) {
        i++;
    }
    return i;
}

static void take_answer(struct replica *replica, uint32_t i, const struct log_frame_answer *answer)
{
    struct node *node = replica->node;
    struct log_mend *state = &node->log_mend;
    struct log_mend_peer *peer = &state->peers[i];
    struct wal_mend_gap gap;
    bool is_left = wal_mend_next(state->mend, peer->hole, &gap) && gap.number == peer->hole;
    if (is_left && wal_mend_offer(state->mend, peer->hole, answer->entries, answer->count)) {
        counter_add(&state->records, 1);
        is_left = false;
    }
    if (wal_mend_left(state->mend) == 0) {
        struct err_note note = {.text = ""};
        finish(replica, true, &note);
        return;
    }
    /* Who mends its own log never says that it was all: the hole's last entry tells it, too. */
    uint64_t next = answer->count > 0 ? answer->entries[answer->count - 1].pos.index + 1 : 0;
    uint64_t asked = is_left && peer->low < gap.low ? gap.low : peer->low;
    if (is_left && !answer->is_all && next > asked && next < gap.high) {
        peer->low = next;
    } else if (is_left && answer->leads) {
        give_up(replica, &gap); /* J3 */
        return;
    } else {
        peer->hole++;
        peer->low = 0;
    }
    ask(node, i, env_now_ms(node->env));
}

void log_mend_answered(struct replica *replica, node_id from, struct slice payload)
{
    struct node *node = replica->node;
    struct log_mend *state = &node->log_mend;
    struct log_frame_answer answer;
    if (log_frame_answer_decode(payload, &answer) != OK) {
        LOG_WARN(node->log, "malformed entries of a log", LOG_U64("from", from));
        return;
    }
    uint32_t i = find_peer(node, from);
    if (state->mend != NULL && i < node->identity.peer_count &&
        state->peers[i].number == answer.number) {
        take_answer(replica, i, &answer);
    }
    log_frame_answer_deinit(&answer);
}

/* ---- on the other side ---- */

/* Of a log that is open. */
static err read_log(const struct replica *replica, const struct log_frame_ask *ask,
                    struct log_frame_answer *answer)
{
    struct wal *wal = replica->node->wal;
    struct wal_bounds bounds = wal_bounds(wal, replica->region);
    struct wal_range range = {
        .region = replica->region,
        .low = ask->low > bounds.compacted.index ? ask->low : bounds.compacted.index + 1,
        .high = ask->high <= bounds.last_index ? ask->high : bounds.last_index + 1,
        .size_max = LOG_MEND_BYTES_MAX,
    };
    answer->is_all = true;
    if (range.low >= range.high) {
        return OK;
    }
    err e = wal_read(wal, &range, answer->entries, LOG_FRAME_ENTRIES_MAX, &answer->count);
    answer->is_all = answer->count == range.high - range.low;
    return e;
}

/* Of one that is being mended. */
static void read_whole(const struct wal_mend *mend, const struct log_frame_ask *ask,
                       struct log_frame_answer *answer)
{
    const struct wal_range range = {
        .region = REGION_FIRST,
        .low = ask->low,
        .high = ask->high,
        .size_max = LOG_MEND_BYTES_MAX,
    };
    answer->count = wal_mend_read(mend, &range, answer->entries);
}

void log_mend_asked(struct replica *replica, node_id from, struct slice payload)
{
    struct node *node = replica->node;
    struct log_frame_ask question;
    if (log_frame_ask_decode(payload, &question) != OK) {
        LOG_WARN(node->log, "malformed question for entries", LOG_U64("from", from));
        return;
    }
    struct log_frame_answer answer = {
        .number = question.number,
        .leads = replica->raft != NULL && replica->role == RAFT_LEADER,
    };
    err e = OK;
    if (node->log_mend.mend != NULL) {
        read_whole(node->log_mend.mend, &question, &answer);
    } else {
        e = read_log(replica, &question, &answer);
    }
    if (e == OK) {
        writer_reset(&node->scratch);
        log_frame_answer_encode(&answer, &node->scratch);
        (void)!net_send(node->net, from, FRAME_LOG_ENTRIES, replica->region,
                        writer_slice(&node->scratch));
    }
    log_frame_answer_deinit(&answer);
}
