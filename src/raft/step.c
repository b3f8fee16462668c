/* Taking a message: first the terms (paper, section 5.1), then what the role makes of it. */
#include "base/assert.h"
#include "raft/raft_int.h"

static bool is_vote_request(const struct message *message)
{
    return message->type == MSG_VOTE || message->type == MSG_PRE_VOTE;
}

/*
 * Leader stickiness (dissertation, section 4.2.3): who heard a leader within the least election
 * timeout does not help to depose it, unless it is the leader's own wish.
 */
static bool is_in_lease(const struct raft *raft, const struct message *message)
{
    return raft->config.check_quorum && raft->leader != 0 && !message->is_transfer &&
           raft->election_elapsed < raft->config.election_ticks;
}

/* False: the message is settled. */
static bool take_higher_term(struct raft *raft, const struct message *message)
{
    if (is_vote_request(message) && is_in_lease(raft, message)) {
        return false;
    }
    /* A pre-vote is about a term that nobody is in yet, and so is the consent to it. */
    bool is_hypothetical =
        message->type == MSG_PRE_VOTE || (message->type == MSG_PRE_VOTE_RESP && !message->reject);
    if (!is_hypothetical) {
        bool is_leader =
            message->type == MSG_APP || message->type == MSG_HEARTBEAT || message->type == MSG_SNAP;
        raft_become_follower(raft, message->term, is_leader ? message->from : 0);
    }
    return true;
}

/* Messages of an earlier term are dropped; some of their senders have to learn of the newer one. */
static void answer_lower_term(struct raft *raft, const struct message *message)
{
    bool from_leader = message->type == MSG_APP || message->type == MSG_HEARTBEAT;
    const struct raft_config *config = &raft->config;
    if (from_leader && (config->check_quorum || config->pre_vote || config->commit_hints)) {
        /* We may be a candidate nobody listens to, by stickiness or for our log, or no voter by
         * what we have applied, while this leader cannot reach us for its lower term: it steps down
         * on this, and the next election takes us in. */
        struct message answer = {.type = MSG_APP_RESP, .to = message->from};
        raft_send(raft, &answer, NULL);
    } else if (message->type == MSG_PRE_VOTE) {
        /* Its sender may have the longer log and would never win in its term. */
        struct message answer = {
            .type = MSG_PRE_VOTE_RESP, .to = message->from, .term = raft->term, .reject = true};
        raft_send(raft, &answer, NULL);
    }
}

/* Of any term: it does not get less true. */
static void take_commit_hint(struct raft *raft, const struct message *message)
{
    if (is_vote_request(message) || message->type == MSG_VOTE_RESP ||
        message->type == MSG_PRE_VOTE_RESP) {
        struct raft_pos pos = {.term = message->commit_term, .index = message->commit};
        raft_learn_committed(raft, pos);
    }
}

static err step_role(struct raft *raft, const struct message *message)
{
    switch (raft->role) {
    case RAFT_FOLLOWER:
        return raft_step_follower(raft, message);
    case RAFT_PRE_CANDIDATE:
    case RAFT_CANDIDATE:
        return raft_step_candidate(raft, message);
    case RAFT_LEADER:
        return raft_step_leader(raft, message);
    }
    UNREACHABLE();
}

err raft_step(struct raft *raft, const struct message *message)
{
    err e = raft_check_message(raft, message);
    if (e != OK) {
        return e;
    }
    take_commit_hint(raft, message);
    if (message->term > raft->term && !take_higher_term(raft, message)) {
        return OK;
    }
    if (message->term != 0 && message->term < raft->term) {
        answer_lower_term(raft, message);
        return OK;
    }
    if (is_vote_request(message)) {
        raft_handle_vote_request(raft, message);
        return OK;
    }
    return step_role(raft, message);
}
