/* Elections: asking for votes, giving them, counting them (paper, section 5.2 and 5.4.1). */
#include "base/assert.h"
#include "raft/raft_int.h"

/* A voter or future voter that is not waiting for a snapshot, nor for its storage. */
static bool is_promotable(const struct raft *raft)
{
    const struct raft_progress *self = raft_tracker_get(&raft->tracker, raft->id);
    return self != NULL && !self->is_learner && !raft->log.unstable.has_snapshot &&
           !raft->stands_back;
}

void raft_stand_back(struct raft *raft, bool stands_back)
{
    raft->stands_back = stands_back;
}

/* The option commit_hints; only what is asked about needs them. */
static void add_commit_hint(const struct raft *raft, struct message *message)
{
    uint64_t committed = raft->log.committed;
    uint64_t term = 0;
    if (raft->config.commit_hints && raft_log_term(&raft->log, committed, &term) == OK) {
        message->commit = committed;
        message->commit_term = term;
    }
}

void raft_learn_committed(struct raft *raft, struct raft_pos pos)
{
    bool is_news = raft->config.commit_hints && raft->role != RAFT_LEADER &&
                   raft_log_maybe_commit(&raft->log, pos);
    bool is_candidate = raft->role == RAFT_CANDIDATE || raft->role == RAFT_PRE_CANDIDATE;
    if (is_news && is_candidate && raft_log_has_unapplied_conf_change(&raft->log)) {
        /* Its votes were asked for by who is a voter no more, or of who is. */
        raft_become_follower(raft, raft->term, 0);
    }
}

static void request_votes(struct raft *raft, bool is_pre, bool is_transfer)
{
    /* A pre-candidate asks about the term it would have. */
    uint64_t term = raft->term + (is_pre ? 1 : 0);
    struct raft_pos last = raft_log_last(&raft->log);
    for (uint32_t i = 0; i < raft->tracker.count; i++) {
        node_id id = raft->tracker.members[i].id;
        if (!raft_conf_is_voter(&raft->tracker.conf, id)) {
            continue;
        }
        struct message message = {.to = id, .term = term};
        if (id == raft->id) {
            /* Our own vote counts like the others, once it is durable (R1). */
            message.type = is_pre ? MSG_PRE_VOTE_RESP : MSG_VOTE_RESP;
        } else {
            message.type = is_pre ? MSG_PRE_VOTE : MSG_VOTE;
            message.index = last.index;
            message.log_term = last.term;
            message.is_transfer = is_transfer;
            add_commit_hint(raft, &message);
        }
        raft_send(raft, &message, NULL);
    }
}

static void campaign(struct raft *raft, enum raft_campaign kind)
{
    bool is_pre = kind == RAFT_CAMPAIGN_PRE_ELECTION;
    if (is_pre) {
        raft_become_pre_candidate(raft);
    } else {
        raft_become_candidate(raft);
    }
    request_votes(raft, is_pre, kind == RAFT_CAMPAIGN_TRANSFER);
}

err raft_start_election(struct raft *raft, enum raft_campaign kind)
{
    if (raft->role == RAFT_LEADER) {
        return OK;
    }
    /* A change that is committed and not applied may have removed us. */
    if (!is_promotable(raft) || raft_log_has_unapplied_conf_change(&raft->log)) {
        return ERR_FORBIDDEN;
    }
    campaign(raft, kind);
    return OK;
}

void raft_handle_vote_request(struct raft *raft, const struct message *message)
{
    bool is_pre = message->type == MSG_PRE_VOTE;
    ASSERT(is_pre || message->type == MSG_VOTE);
    /* One vote a term (C1), and none against a leader that we know of. A pre-vote binds nobody: it
     * only says what we would do in that later term. */
    bool is_free = raft->vote == 0 && raft->leader == 0;
    bool can_vote =
        raft->vote == message->from || is_free || (is_pre && message->term > raft->term);
    struct raft_pos last = {.term = message->log_term, .index = message->index};
    bool grant = can_vote && raft_log_is_up_to_date(&raft->log, last);
    struct message answer = {
        .type = is_pre ? MSG_PRE_VOTE_RESP : MSG_VOTE_RESP,
        .to = message->from,
        /* A granted pre-vote answers in the term that was asked about, else the asker would take it
         * for outdated; a refusal tells ours, so that it can catch up. */
        .term = grant ? message->term : raft->term,
        .reject = !grant,
    };
    add_commit_hint(raft, &answer);
    raft_send(raft, &answer, NULL);
    if (grant && !is_pre) {
        raft->election_elapsed = 0;
        raft->vote = message->from;
    }
}

void raft_handle_vote_response(struct raft *raft, const struct message *message)
{
    bool is_pre = raft->role == RAFT_PRE_CANDIDATE;
    ASSERT(is_pre || raft->role == RAFT_CANDIDATE);
    if (message->type != (is_pre ? MSG_PRE_VOTE_RESP : MSG_VOTE_RESP)) {
        return; /* of an earlier stage of this campaign */
    }
    raft_tracker_record_vote(&raft->tracker, message->from, !message->reject);
    switch (raft_tracker_tally(&raft->tracker)) {
    case RAFT_VOTE_WON:
        if (is_pre) {
            campaign(raft, RAFT_CAMPAIGN_ELECTION);
        } else {
            raft_become_leader(raft);
            raft_broadcast_append(raft);
        }
        break;
    case RAFT_VOTE_LOST:
        /* Our term, not the message's: that of a pre-vote lies in a future that does not come. */
        raft_become_follower(raft, raft->term, 0);
        break;
    case RAFT_VOTE_PENDING:
        break;
    }
}

void raft_report_alive(struct raft *raft, node_id id)
{
    if (raft->role == RAFT_FOLLOWER && raft->leader == id) {
        raft->election_elapsed = 0;
    }
    struct raft_progress *progress = raft_tracker_find(&raft->tracker, id);
    if (progress != NULL && raft->role == RAFT_LEADER &&
        raft->config.read_mode != RAFT_READ_LEASE) {
        progress->recent_active = true;
    }
}

void raft_tick_election(struct raft *raft)
{
    raft->election_elapsed++;
    if (!is_promotable(raft) || raft->election_elapsed < raft->randomized_election_ticks) {
        return;
    }
    raft->election_elapsed = 0;
    bool pre_vote = raft->config.pre_vote;
    /* Not allowed now: the next timeout tries again. */
    err e =
        raft_start_election(raft, pre_vote ? RAFT_CAMPAIGN_PRE_ELECTION : RAFT_CAMPAIGN_ELECTION);
    ASSERT(e == OK || e == ERR_FORBIDDEN);
}

static void check_quorum(struct raft *raft)
{
    if (!raft_tracker_quorum_active(&raft->tracker)) {
        raft_become_follower(raft, raft->term, 0);
    }
    for (uint32_t i = 0; i < raft->tracker.count; i++) {
        struct raft_progress *progress = &raft->tracker.members[i];
        progress->recent_active = progress->recent_active && progress->id == raft->id;
    }
}

void raft_tick_leader(struct raft *raft)
{
    ASSERT(raft->role == RAFT_LEADER);
    raft->heartbeat_elapsed++;
    raft->election_elapsed++;
    if (raft->election_elapsed >= raft->config.election_ticks) {
        raft->election_elapsed = 0;
        if (raft->config.check_quorum) {
            check_quorum(raft);
        }
        raft_abort_transfer(raft); /* it had its time (dissertation, section 3.10) */
    }
    if (raft->role == RAFT_LEADER && raft->heartbeat_elapsed >= raft->config.heartbeat_ticks) {
        raft->heartbeat_elapsed = 0;
        for (uint32_t i = 0; i < raft->tracker.count; i++) {
            raft_progress_interval(&raft->tracker.members[i]);
        }
        raft_broadcast_heartbeat(raft, raft_leader_read_round(raft));
    }
}
