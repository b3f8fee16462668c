/* How a follower and a candidate take messages. */
#include "base/assert.h"
#include "raft/raft_int.h"

static void answer_append(struct raft *raft, node_id to, uint64_t index)
{
    struct message answer = {.type = MSG_APP_RESP, .to = to, .index = index};
    raft_send(raft, &answer, NULL);
}

static void handle_append(struct raft *raft, const struct message *message)
{
    struct raft_log *log = &raft->log;
    if (message->index < log->committed) {
        /* What is committed is in this leader's log, too (Leader Completeness): it counts as
         * compared (C3), and is not looked at again. */
        answer_append(raft, message->from, log->committed);
        return;
    }
    struct raft_pos prev = {.term = message->log_term, .index = message->index};
    if (raft_log_try_append(log, prev, message->entries, message->entry_count, message->commit)) {
        answer_append(raft, message->from, message->index + message->entry_count);
        return;
    }
    /* Where the logs may agree at the latest: handle_append_reject in leader_step.c takes it up. */
    uint64_t last = raft_log_last_index(log);
    struct raft_pos from = {.term = message->log_term,
                            .index = message->index < last ? message->index : last};
    struct raft_pos hint = raft_log_find_conflict(log, from);
    struct message answer = {
        .type = MSG_APP_RESP,
        .to = message->from,
        .index = message->index,
        .reject = true,
        .reject_hint = hint.index,
        .log_term = hint.term,
    };
    raft_send(raft, &answer, NULL);
}

static void handle_heartbeat(struct raft *raft, const struct message *message)
{
    raft_log_commit_to(&raft->log, message->commit);
    struct message answer = {
        .type = MSG_HEARTBEAT_RESP, .to = message->from, .read = message->read};
    raft_send(raft, &answer, NULL);
}

/* False: there is nothing to install. */
static bool restore(struct raft *raft, const struct snapshot *snapshot)
{
    if (snapshot->pos.index <= raft->log.committed) {
        return false;
    }
    if (!conf_state_has(&snapshot->conf, raft->id)) {
        return false; /* a snapshot in which we do not exist is not for us */
    }
    if (raft_log_matches(&raft->log, snapshot->pos)) {
        raft_log_commit_to(&raft->log, snapshot->pos.index); /* we have all that already */
        return false;
    }
    raft_log_restore(&raft->log, snapshot);
    raft_switch_conf(raft, &snapshot->conf, NULL);
    return true;
}

static void handle_snapshot(struct raft *raft, const struct message *message)
{
    bool restored = restore(raft, message->snapshot);
    uint64_t index = restored ? raft_log_last_index(&raft->log) : raft->log.committed;
    answer_append(raft, message->from, index);
}

/* Passes on what only a leader can take; lost if there is none. */
static void forward(struct raft *raft, const struct message *message)
{
    if (raft->leader != 0) {
        struct message forwarded = *message;
        forwarded.to = raft->leader;
        forwarded.term = 0; /* raft_send knows which types carry one */
        raft_send(raft, &forwarded, NULL);
    }
}

/* One of the three that only a leader sends. */
static void step_from_leader(struct raft *raft, const struct message *message)
{
    raft->election_elapsed = 0;
    raft->leader = message->from;
    if (message->type == MSG_APP) {
        handle_append(raft, message);
    } else if (message->type == MSG_HEARTBEAT) {
        handle_heartbeat(raft, message);
    } else {
        handle_snapshot(raft, message);
    }
}

static bool is_from_leader(const struct message *message)
{
    return message->type == MSG_APP || message->type == MSG_HEARTBEAT || message->type == MSG_SNAP;
}

err raft_step_follower(struct raft *raft, const struct message *message)
{
    ASSERT(raft->role == RAFT_FOLLOWER);
    if (is_from_leader(message)) {
        step_from_leader(raft, message);
    } else if (message->type == MSG_PROP) {
        return raft_handle_propose(raft, message);
    } else if (message->type == MSG_TRANSFER_LEADER || message->type == MSG_READ_INDEX) {
        forward(raft, message);
    } else if (message->type == MSG_READ_INDEX_RESP) {
        /* The leader had committed an entry of its own term when it took the request, so what was
         * committed last is of that term. */
        struct raft_pos pos = {.term = message->term, .index = message->index};
        raft_learn_committed(raft, pos);
        raft_add_read_state(raft, message->index, message->read);
    } else if (message->type == MSG_TIMEOUT_NOW) {
        /* The leader wants us to follow it: no pre-vote, it would be refused while it leads. */
        err e = raft_start_election(raft, RAFT_CAMPAIGN_TRANSFER);
        ASSERT(e == OK || e == ERR_FORBIDDEN);
    }
    return OK;
}

err raft_step_candidate(struct raft *raft, const struct message *message)
{
    ASSERT(raft->role == RAFT_CANDIDATE || raft->role == RAFT_PRE_CANDIDATE);
    if (is_from_leader(message)) {
        raft_become_follower(raft, message->term, message->from); /* this term has its leader */
        step_from_leader(raft, message);
    } else if (message->type == MSG_PROP) {
        return raft_handle_propose(raft, message);
    } else if (message->type == MSG_VOTE_RESP || message->type == MSG_PRE_VOTE_RESP) {
        raft_handle_vote_response(raft, message);
    }
    return OK;
}
