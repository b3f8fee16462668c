/*
 * The gate: what comes in here may be anything that a network or a wrong peer can make; what goes
 * on is safe to act upon (raft_int.h, C5). It refuses what no correct core can have sent to this
 * node now.
 */
#include "raft/raft_int.h"

/* Far beyond any real term or index, and far enough from overflow to compute with. */
#define NUMBER_MAX (UINT64_C(1) << 62)
/* A term that is so far ahead was not reached by elections. Whoever entered it, and all whom it
 * infects, would soon be at the end of all terms, for ever. */
#define TERM_STEP_MAX (UINT64_C(1) << 32)

enum rule {
    RULE_NET = 1,      /* travels between nodes at all */
    RULE_RESPONSE = 2, /* only from members */
    RULE_SELF = 4,     /* may come from the node itself: as a promise (raft.h, R1) or passed back */
    RULE_NO_TERM = 8,  /* is not of a term */
    RULE_ENTRIES = 16,
};

static const uint8_t rules[MSG_TYPE_COUNT] = {
    [MSG_PROP] = RULE_NET | RULE_SELF | RULE_NO_TERM | RULE_ENTRIES,
    [MSG_APP] = RULE_NET | RULE_ENTRIES,
    [MSG_APP_RESP] = RULE_NET | RULE_RESPONSE | RULE_SELF,
    [MSG_VOTE] = RULE_NET,
    [MSG_VOTE_RESP] = RULE_NET | RULE_RESPONSE | RULE_SELF,
    [MSG_SNAP] = RULE_NET,
    [MSG_HEARTBEAT] = RULE_NET,
    [MSG_HEARTBEAT_RESP] = RULE_NET | RULE_RESPONSE,
    [MSG_TRANSFER_LEADER] = RULE_NET | RULE_SELF, /* "from" is the target here */
    [MSG_TIMEOUT_NOW] = RULE_NET,
    [MSG_READ_INDEX] = RULE_NET | RULE_SELF | RULE_NO_TERM,
    [MSG_READ_INDEX_RESP] = RULE_NET | RULE_RESPONSE,
    [MSG_PRE_VOTE] = RULE_NET,
    [MSG_PRE_VOTE_RESP] = RULE_NET | RULE_RESPONSE | RULE_SELF,
};

static bool has_rule(const struct message *message, enum rule rule)
{
    return (rules[message->type] & rule) != 0;
}

static bool is_envelope_valid(const struct raft *raft, const struct message *message)
{
    if ((unsigned)message->type >= MSG_TYPE_COUNT || !has_rule(message, RULE_NET)) {
        return false;
    }
    if (message->to != raft->id || message->from == 0) {
        return false;
    }
    if (message->from == raft->id && !has_rule(message, RULE_SELF)) {
        return false;
    }
    /* A node that never heard of a term refuses pre-votes in none. */
    bool may_lack_term =
        has_rule(message, RULE_NO_TERM) || (message->type == MSG_PRE_VOTE_RESP && message->reject);
    if (message->term == 0 ? !may_lack_term : has_rule(message, RULE_NO_TERM)) {
        return false;
    }
    if (message->term > NUMBER_MAX || message->log_term > NUMBER_MAX ||
        message->index > NUMBER_MAX || message->commit > NUMBER_MAX ||
        message->commit_term > message->term || message->term > raft->term + TERM_STEP_MAX) {
        return false;
    }
    if (message->entry_count > 0 && !has_rule(message, RULE_ENTRIES)) {
        return false;
    }
    return message->snapshot == NULL || message->type == MSG_SNAP;
}

static bool is_append_valid(const struct message *message)
{
    uint64_t term = message->log_term;
    if (term > message->term || (message->index == 0) != (term == 0)) {
        return false;
    }
    for (uint32_t i = 0; i < message->entry_count; i++) {
        const struct entry *entry = &message->entries[i];
        /* Consecutive, and terms never fall along a log. */
        if (entry->pos.index != message->index + 1 + i || entry->pos.term < term ||
            entry->pos.term == 0 || entry->pos.term > message->term) {
            return false;
        }
        if ((unsigned)entry->type > ENTRY_BOOTSTRAP) {
            return false;
        }
        term = entry->pos.term;
    }
    return true;
}

static bool is_proposal_valid(const struct message *message)
{
    for (uint32_t i = 0; i < message->entry_count; i++) {
        enum entry_type type = message->entries[i].type;
        if (type != ENTRY_NORMAL && type != ENTRY_CONF_CHANGE && type != ENTRY_CONF_CHANGE_V2) {
            return false;
        }
    }
    return message->entry_count > 0;
}

static bool is_snapshot_valid(const struct message *message)
{
    const struct snapshot *snapshot = message->snapshot;
    return snapshot != NULL && snapshot->pos.index > 0 && snapshot->pos.index <= NUMBER_MAX &&
           snapshot->pos.term > 0 && snapshot->pos.term <= message->term &&
           raft_conf_is_valid(&snapshot->conf) && snapshot->conf.voters.count > 0;
}

/* What the types ask for beyond the envelope. */
static bool is_content_valid(const struct raft *raft, const struct message *message)
{
    switch (message->type) {
    case MSG_PROP:
        return is_proposal_valid(message);
    case MSG_APP:
        return is_append_valid(message);
    case MSG_SNAP:
        return is_snapshot_valid(message);
    case MSG_HEARTBEAT:
        /* A leader tells at most what we have acknowledged: we would have lost our log. */
        return message->term < raft->term || message->commit <= raft_log_last_index(&raft->log);
    case MSG_APP_RESP:
        /* Nobody has more of this leader's log than the leader. */
        return raft->role != RAFT_LEADER || message->term != raft->term || message->reject ||
               message->index <= raft_log_last_index(&raft->log);
    case MSG_READ_INDEX:
    case MSG_READ_INDEX_RESP:
        return message->read.sequence != 0;
    case MSG_HUP:
    case MSG_BEAT:
    case MSG_VOTE:
    case MSG_VOTE_RESP:
    case MSG_HEARTBEAT_RESP:
    case MSG_UNREACHABLE:
    case MSG_SNAP_STATUS:
    case MSG_CHECK_QUORUM:
    case MSG_TRANSFER_LEADER:
    case MSG_TIMEOUT_NOW:
    case MSG_PRE_VOTE:
    case MSG_PRE_VOTE_RESP:
    case MSG_FORGET_LEADER:
    case MSG_TYPE_COUNT:
        break;
    }
    return true;
}

err raft_check_message(const struct raft *raft, const struct message *message)
{
    if (!is_envelope_valid(raft, message) || !is_content_valid(raft, message)) {
        return ERR_MALFORMED;
    }
    if (has_rule(message, RULE_RESPONSE) &&
        raft_tracker_get(&raft->tracker, message->from) == NULL) {
        return ERR_NOT_FOUND;
    }
    return OK;
}
