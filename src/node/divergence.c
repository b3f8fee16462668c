#include "node/divergence.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "node/node_int.h"
#include "raft/quorum.h"

#define HASH_TEXT_SIZE 33u

bool divergence_is_trusted(const struct replica *replica)
{
    return replica->divergence.verdict == DIVERGENCE_NONE;
}

const char *divergence_name(enum divergence_verdict verdict)
{
    switch (verdict) {
    case DIVERGENCE_NONE:
        return "none";
    case DIVERGENCE_DISPUTED:
        return "disputed";
    case DIVERGENCE_DIVERGED:
        return "diverged";
    }
    UNREACHABLE();
}

/* ---- what is done about it ---- */

static void format_hash(const struct frame_mark *mark, char text[HASH_TEXT_SIZE])
{
    (void)snprintf(text, HASH_TEXT_SIZE, "%016" PRIx64 "%016" PRIx64, mark->state_hash.high,
                   mark->state_hash.low);
}

/* V4. Whoever waits gets an answer; what it may be of what was proposed, others know. */
static void stop_serving(struct replica *replica, enum divergence_verdict verdict)
{
    replica->divergence.verdict = verdict;
    replica->divergence.end_ms = env_now_ms(replica->node->env) + DIVERGENCE_END_MS;
    writes_close(&replica->writes, ERR_DIVERGED);
    reads_close(&replica->reads, ERR_DIVERGED);
    mends_close(&replica->mends, ERR_DIVERGED);
}

/*
 * The one place where it is decided what becomes of a replica whose state is not the cluster's: it
 * stops serving, for this life, and that ends (V5).
 */
static void give_up(struct replica *replica, const struct frame_mark *own,
                    const struct frame_mark *right)
{
    char own_hash[HASH_TEXT_SIZE];
    char right_hash[HASH_TEXT_SIZE];
    format_hash(own, own_hash);
    format_hash(right, right_hash);
    LOG_ERROR(replica->node->log,
              "this node's state differs from the majority's at the same entry: it does not serve "
              "any more, and ends soon; its next start rebuilds the state from a peer",
              LOG_U64("region", replica->region), LOG_U64("index", own->index),
              LOG_TEXT("state_hash", own_hash), LOG_U64("revision", own->revision),
              LOG_TEXT("majority_hash", right_hash), LOG_U64("majority_revision", right->revision));
    stop_serving(replica, DIVERGENCE_DIVERGED);
}

void divergence_condemn(struct replica *replica, const char *why)
{
    if (replica->divergence.verdict == DIVERGENCE_DIVERGED) {
        return;
    }
    LOG_ERROR(
        replica->node->log,
        "this node's store is not what it was: it does not serve any more. With peers it ends "
        "soon, and its next start rebuilds the state from one; alone: restore a backup",
        LOG_U64("region", replica->region), LOG_TEXT("why", why));
    stop_serving(replica, DIVERGENCE_DIVERGED);
}

/* Two states, and no majority for either: any answer could be the wrong one. */
static void give_up_for_now(struct replica *replica)
{
    LOG_ERROR(replica->node->log,
              "the members' states differ and none has a majority: this node does not serve until "
              "one has. Start the members that are down, or remove the one that is wrong",
              LOG_U64("region", replica->region),
              LOG_U64("index", replica->divergence.disputed_index));
    stop_serving(replica, DIVERGENCE_DISPUTED);
}

static void settle(struct replica *replica, uint64_t index)
{
    struct divergence *divergence = &replica->divergence;
    if (divergence->disputed_index == 0 || index < divergence->disputed_index) {
        return;
    }
    divergence->disputed_index = 0;
    if (divergence->verdict == DIVERGENCE_DISPUTED) {
        divergence->verdict = DIVERGENCE_NONE;
        LOG_INFO(replica->node->log, "a majority has this node's state: it serves again",
                 LOG_U64("region", replica->region), LOG_U64("index", index));
    }
}

/* ---- judging (V3) ---- */

static bool is_equal(const struct frame_mark *a, const struct frame_mark *b)
{
    return hash128_equal(a->state_hash, b->state_hash) && a->revision == b->revision &&
           a->clock_ms == b->clock_ms;
}

static const struct frame_mark *mark_from(const struct divergence_round *round, node_id id)
{
    for (uint32_t i = 0; i < round->count; i++) {
        if (round->marks[i].from == id) {
            return &round->marks[i].mark;
        }
    }
    return NULL;
}

struct poll {
    const struct divergence_round *round;
    const struct frame_mark *mark;
};

static enum raft_vote vote_of(const void *ctx, node_id id)
{
    const struct poll *poll = ctx;
    const struct frame_mark *mark = mark_from(poll->round, id);
    if (mark == NULL) {
        return RAFT_VOTE_NONE;
    }
    return is_equal(mark, poll->mark) ? RAFT_VOTE_YES : RAFT_VOTE_NO;
}

/* The mark that a quorum has, of both halves while joint; NULL: none has one (yet). */
static const struct frame_mark *right_mark(const struct divergence_round *round,
                                           const struct conf_state *conf)
{
    for (uint32_t i = 0; i < round->count && conf->voters.count > 0; i++) {
        struct poll poll = {round, &round->marks[i].mark};
        if (raft_joint_vote(conf, vote_of, &poll) == RAFT_VOTE_WON) {
            return poll.mark;
        }
    }
    return NULL;
}

/* Whether a voter has another mark than `own`. */
static bool is_contradicted(const struct divergence_round *round, const struct conf_state *conf,
                            const struct frame_mark *own)
{
    for (uint32_t i = 0; i < round->count; i++) {
        node_id from = round->marks[i].from;
        bool is_voter = id_set_has(&conf->voters, from) || id_set_has(&conf->voters_outgoing, from);
        if (is_voter && !is_equal(&round->marks[i].mark, own)) {
            return true;
        }
    }
    return false;
}

static void judge(struct replica *replica, const struct divergence_round *round)
{
    struct divergence *divergence = &replica->divergence;
    const struct conf_state *conf = &replica->membership.conf;
    const struct frame_mark *own = mark_from(round, replica->node->identity.node);
    if (own == NULL || divergence->verdict == DIVERGENCE_DIVERGED) {
        return;
    }
    const struct frame_mark *right = right_mark(round, conf);
    if (right == NULL) {
        if (divergence->disputed_index == 0 && is_contradicted(round, conf, own)) {
            counter_add(&divergence->mismatches, 1);
            divergence->disputed_index = round->index;
            divergence->disputed_ms = env_now_ms(replica->node->env);
        }
    } else if (is_equal(own, right)) {
        if (round->index > divergence->agreed_index) {
            divergence->agreed_index = round->index;
            counter_add(&divergence->agreements, 1);
        }
        settle(replica, round->index);
    } else {
        counter_add(&divergence->mismatches, 1);
        give_up(replica, own, right);
    }
}

/* ---- marks (V1) ---- */

void divergence_note(struct replica *replica)
{
    struct divergence *divergence = &replica->divergence;
    const struct store_region *state = store_region(replica->node->store, replica->region);
    ASSERT(state != NULL && state->applied.index == replica->applied);
    uint64_t index = state->applied.index;
    if (divergence->noted_first == 0 || index != divergence->noted_last + 1) {
        divergence->noted_first = index; /* the first of this life, or there was a snapshot */
    }
    divergence->noted_last = index;
    divergence->notes[index % DIVERGENCE_NOTES] = (struct frame_mark){
        .index = index,
        .state_hash = state->state_hash,
        .revision = state->revision,
        .clock_ms = state->clock_ms,
    };
}

/* What this node's state was at `index`; NULL: not reached yet, or forgotten. */
static const struct frame_mark *own_mark(const struct divergence *divergence, uint64_t index)
{
    const struct frame_mark *note = &divergence->notes[index % DIVERGENCE_NOTES];
    bool is_known = divergence->noted_first != 0 && index >= divergence->noted_first &&
                    index <= divergence->noted_last;
    return is_known && note->index == index ? note : NULL;
}

/* ---- rounds (V2) ---- */

static void add_mark(struct divergence_round *round, node_id from, const struct frame_mark *mark)
{
    for (uint32_t i = 0; i < round->count; i++) {
        if (round->marks[i].from == from) {
            round->marks[i].mark = *mark;
            return;
        }
    }
    if (round->count < MEMBERS_MAX) {
        round->marks[round->count].from = from;
        round->marks[round->count].mark = *mark;
        round->count++;
    }
}

/*
 * Room for another one. What this node has passed goes first, the oldest of it; then what is
 * farthest ahead: a node that lags must be left something that it will reach.
 */
static struct divergence_round *make_room(struct divergence *divergence)
{
    struct divergence_round *victim = &divergence->rounds[0];
    for (uint32_t i = 0; i < DIVERGENCE_ROUNDS; i++) {
        struct divergence_round *round = &divergence->rounds[i];
        bool is_better;
        if (round->is_passed != victim->is_passed) {
            is_better = round->is_passed;
        } else {
            is_better =
                round->is_passed ? round->index < victim->index : round->index > victim->index;
        }
        if (round->index == 0) {
            return round;
        }
        victim = is_better ? round : victim;
    }
    return victim;
}

static struct divergence_round *round_at(struct divergence *divergence, uint64_t index)
{
    for (uint32_t i = 0; i < DIVERGENCE_ROUNDS; i++) {
        if (divergence->rounds[i].index == index) {
            return &divergence->rounds[i];
        }
    }
    struct divergence_round *round = make_room(divergence);
    *round = (struct divergence_round){.index = index};
    return round;
}

static void tell_all(const struct replica *replica, const struct frame_mark *mark, bool is_question)
{
    struct node *node = replica->node;
    struct frame_mark told = *mark;
    told.is_question = is_question;
    writer_reset(&node->scratch);
    frame_mark_encode(&told, &node->scratch);
    for (uint32_t i = 0; i < replica->membership.member_count && node->net != NULL; i++) {
        node_id peer = replica->membership.members[i].id;
        if (peer != node->identity.node) {
            (void)!net_send(node->net, peer, FRAME_STATE_MARK, replica->region,
                            writer_slice(&node->scratch));
        }
    }
}

/* Adds this node's mark, if it has one there, tells it if it was asked for, and judges. (One that
 * is known to be wrong is not told: where others are down, it would only put the right one in
 * doubt.) */
static void take_part(struct replica *replica, struct divergence_round *round)
{
    const struct frame_mark *own = own_mark(&replica->divergence, round->index);
    if (own == NULL) {
        return;
    }
    round->is_passed = true;
    add_mark(round, replica->node->identity.node, own);
    if (round->is_asked && replica->divergence.verdict != DIVERGENCE_DIVERGED) {
        tell_all(replica, own, false);
    }
    round->is_asked = false;
    judge(replica, round);
}

void divergence_receive(struct replica *replica, node_id from, struct slice payload)
{
    struct frame_mark mark;
    err e = frame_mark_decode(payload, &mark);
    if (e == ERR_MALFORMED) {
        LOG_WARN(replica->node->log, "malformed mark of a state", LOG_U64("from", from));
    }
    if (e != OK || membership_find(&replica->membership, from) == NULL) {
        return;
    }
    struct divergence_round *round = round_at(&replica->divergence, mark.index);
    add_mark(round, from, &mark);
    round->is_asked = round->is_asked || mark.is_question;
    take_part(replica, round);
}

static void begin_round(struct replica *replica, uint64_t now_ms)
{
    struct divergence *divergence = &replica->divergence;
    divergence->begun_index = replica->applied;
    divergence->begun_ms = now_ms;
    const struct frame_mark *own = own_mark(divergence, replica->applied);
    if (own != NULL && divergence->verdict != DIVERGENCE_DIVERGED) {
        tell_all(replica, own, true); /* even if nothing has happened: somebody may have come */
        take_part(replica, round_at(divergence, replica->applied));
    }
}

void divergence_applied(struct replica *replica)
{
    struct divergence *divergence = &replica->divergence;
    for (uint32_t i = 0; i < DIVERGENCE_ROUNDS; i++) {
        struct divergence_round *round = &divergence->rounds[i];
        if (round->index != 0 && !round->is_passed && round->index <= replica->applied) {
            take_part(replica, round);
            round->is_passed = true; /* even if its mark is forgotten: it will not come back */
        }
    }
    if (replica->role == RAFT_LEADER &&
        replica->applied >= divergence->begun_index + DIVERGENCE_ROUND_ENTRIES) {
        begin_round(replica, env_now_ms(replica->node->env));
    }
}

void divergence_tick(struct replica *replica, uint64_t now_ms)
{
    struct divergence *divergence = &replica->divergence;
    if (replica->role == RAFT_LEADER && now_ms >= divergence->begun_ms + DIVERGENCE_ROUND_MS) {
        begin_round(replica, now_ms);
    }
    if (divergence->verdict == DIVERGENCE_NONE && divergence->disputed_index != 0 &&
        now_ms >= divergence->disputed_ms + DIVERGENCE_DISPUTE_MS) {
        give_up_for_now(replica);
    }
    if (divergence->verdict == DIVERGENCE_DIVERGED && replica->role == RAFT_LEADER &&
        changes_hand_over(replica)) {
        LOG_WARN(replica->node->log, "handing over leadership: this node's state is wrong",
                 LOG_U64("region", replica->region));
    }
    if (divergence->verdict == DIVERGENCE_DIVERGED && now_ms >= divergence->end_ms) {
        divergence->end_ms = UINT64_MAX; /* a node alone stays as it is: it has only this state */
        (void)!node_repair_store(replica->node, "its state is not the cluster's");
    }
}
