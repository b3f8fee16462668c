#include "print.h"

#include <ctype.h>

#include "base/assert.h"

const char *print_role_name(enum raft_role role)
{
    static const char *const names[] = {
        [RAFT_FOLLOWER] = "StateFollower",
        [RAFT_PRE_CANDIDATE] = "StatePreCandidate",
        [RAFT_CANDIDATE] = "StateCandidate",
        [RAFT_LEADER] = "StateLeader",
    };
    ASSERT((size_t)role < ARRAY_COUNT(names));
    return names[role];
}

/* ---- Entries ---- */

static void print_quoted(struct text *out, struct slice bytes)
{
    text_add(out, "\"");
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (byte == '"' || byte == '\\') {
            text_add(out, "\\%c", byte);
        } else if (isprint(byte)) {
            text_add(out, "%c", byte);
        } else {
            text_add(out, "\\x%02x", byte);
        }
    }
    text_add(out, "\"");
}

static void print_changes(struct text *out, struct slice bytes)
{
    static const char letters[] = {
        [CONF_CHANGE_ADD_VOTER] = 'v',
        [CONF_CHANGE_REMOVE] = 'r',
        [CONF_CHANGE_UPDATE] = 'u',
        [CONF_CHANGE_ADD_LEARNER] = 'l',
    };
    struct conf_change change;
    err e = conf_change_decode(bytes, &change);
    ASSERT(e == OK);
    for (uint32_t i = 0; i < change.count; i++) {
        text_add(out, " %c%llu", letters[change.changes[i].type],
                 (unsigned long long)change.changes[i].id);
    }
}

void print_entry(struct text *out, const struct entry *entry)
{
    static const char *const types[] = {
        [ENTRY_NORMAL] = "EntryNormal",
        [ENTRY_CONF_CHANGE] = "EntryConfChange",
        [ENTRY_CONF_CHANGE_V2] = "EntryConfChangeV2",
        [ENTRY_BOOTSTRAP] = "EntryBootstrap",
    };
    text_add(out, "%llu/%llu %s", (unsigned long long)entry->pos.term,
             (unsigned long long)entry->pos.index, types[entry->type]);
    if (entry->type == ENTRY_CONF_CHANGE || entry->type == ENTRY_CONF_CHANGE_V2) {
        print_changes(out, buf_slice(entry->data));
    } else {
        text_add(out, " ");
        print_quoted(out, buf_slice(entry->data));
    }
}

static void print_entry_lines(struct text *out, const struct entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        print_entry(out, &entries[i]);
        text_add(out, "\n");
    }
}

/* ---- Messages ---- */

static void print_id_list(struct text *out, const char *name, const struct id_set *set)
{
    text_add(out, "%s:[", name);
    for (uint32_t i = 0; i < set->count; i++) {
        text_add(out, "%s%llu", i == 0 ? "" : " ", (unsigned long long)set->ids[i]);
    }
    text_add(out, "]");
}

static void print_snapshot(struct text *out, const struct snapshot *snapshot)
{
    text_add(out, "Index:%llu Term:%llu ConfState:", (unsigned long long)snapshot->pos.index,
             (unsigned long long)snapshot->pos.term);
    print_id_list(out, "Voters", &snapshot->conf.voters);
    print_id_list(out, " VotersOutgoing", &snapshot->conf.voters_outgoing);
    print_id_list(out, " Learners", &snapshot->conf.learners);
    print_id_list(out, " LearnersNext", &snapshot->conf.learners_next);
    text_add(out, " AutoLeave:%s", snapshot->conf.auto_leave ? "true" : "false");
}

static void print_target(struct text *out, node_id id)
{
    if (id == WIRE_APPEND_THREAD) {
        text_add(out, "AppendThread");
    } else if (id == WIRE_APPLY_THREAD) {
        text_add(out, "ApplyThread");
    } else {
        text_add(out, "%llu", (unsigned long long)id);
    }
}

static void print_head(struct text *out, const struct wire *wire)
{
    const struct message *message = &wire->message;
    print_target(out, message->from);
    text_add(out, "->");
    print_target(out, message->to);
    text_add(out, " %s Term:%llu Log:%llu/%llu", wire_type_name(wire),
             (unsigned long long)message->term, (unsigned long long)message->log_term,
             (unsigned long long)message->index);
    if (message->reject) {
        text_add(out, " Rejected (Hint: %llu)", (unsigned long long)message->reject_hint);
    }
    if (message->commit != 0) {
        text_add(out, " Commit:%llu", (unsigned long long)message->commit);
    }
    if (message->vote != 0) {
        text_add(out, " Vote:%llu", (unsigned long long)message->vote);
    }
}

static void print_body(struct text *out, const struct wire *wire)
{
    const struct raft_entries *entries = &wire->entries;
    if (entries->count == 1) {
        text_add(out, " Entries:[");
        print_entry(out, &entries->items[0]);
        text_add(out, "]");
    } else if (entries->count > 1) {
        text_add(out, " Entries:[\n");
        out->indent += 2;
        print_entry_lines(out, entries->items, entries->count);
        out->indent -= 2;
        text_add(out, "]");
    }
    if (wire->snapshot.pos.index != 0) {
        out->indent += 2;
        text_add(out, "\nSnapshot: ");
        print_snapshot(out, &wire->snapshot);
        out->indent -= 2;
    }
}

void print_wire(struct text *out, const struct wire *wire)
{
    print_head(out, wire);
    print_body(out, wire);
    if (wire->responses.count == 0) {
        return;
    }
    text_add(out, " Responses:[\n");
    out->indent += 2;
    for (unsigned i = 0; i < wire->responses.count; i++) {
        print_head(out, &wire->responses.items[i]);
        print_body(out, &wire->responses.items[i]);
        text_add(out, "\n");
    }
    out->indent -= 2;
    text_add(out, "]");
}

/* ---- Ready ---- */

static bool is_empty(const struct raft_ready *ready, const struct wire_list *messages)
{
    return !ready->has_soft_state && !ready->has_hard_state && ready->read_state_count == 0 &&
           ready->entry_count == 0 && ready->snapshot == NULL && ready->committed_count == 0 &&
           messages->count == 0;
}

static void print_states(struct text *out, const struct raft_ready *ready)
{
    if (ready->has_soft_state) {
        text_add(out, "Lead:%llu State:%s\n", (unsigned long long)ready->leader,
                 print_role_name(ready->role));
    }
    if (ready->has_hard_state) {
        const struct hard_state *state = &ready->hard_state;
        text_add(out, "HardState Term:%llu", (unsigned long long)state->term);
        if (state->vote != 0) {
            text_add(out, " Vote:%llu", (unsigned long long)state->vote);
        }
        text_add(out, " Commit:%llu\n", (unsigned long long)state->commit);
    }
    for (uint32_t i = 0; i < ready->read_state_count; i++) {
        text_add(out, "%s{%llu %llu}%s", i == 0 ? "ReadStates [" : " ",
                 (unsigned long long)ready->read_states[i].index,
                 (unsigned long long)ready->read_states[i].ctx.sequence,
                 i + 1 == ready->read_state_count ? "]\n" : "");
    }
}

void print_ready(struct text *out, const struct raft_ready *ready, const struct wire_list *messages)
{
    if (is_empty(ready, messages)) {
        text_add(out, "<empty Ready>\n");
        return;
    }
    text_add(out, "Ready MustSync=%s:\n", ready->must_sync ? "true" : "false");
    print_states(out, ready);
    if (ready->entry_count > 0) {
        text_add(out, "Entries:\n");
        print_entry_lines(out, ready->entries, ready->entry_count);
    }
    if (ready->snapshot != NULL) {
        text_add(out, "Snapshot ");
        print_snapshot(out, ready->snapshot);
        text_add(out, "\n");
    }
    if (ready->committed_count > 0) {
        text_add(out, "CommittedEntries:\n");
        print_entry_lines(out, ready->committed, ready->committed_count);
    }
    if (messages->count > 0) {
        text_add(out, "Messages:\n");
    }
    for (unsigned i = 0; i < messages->count; i++) {
        print_wire(out, &messages->items[i]);
        text_add(out, "\n");
    }
}

/* ---- Configurations ---- */

static void print_id_group(struct text *out, const char *before, const struct id_set *set)
{
    text_add(out, "%s(", before);
    for (uint32_t i = 0; i < set->count; i++) {
        text_add(out, "%s%llu", i == 0 ? "" : " ", (unsigned long long)set->ids[i]);
    }
    text_add(out, ")");
}

void print_conf(struct text *out, const struct conf_state *conf)
{
    print_id_group(out, "voters=", &conf->voters);
    if (conf->voters_outgoing.count > 0) {
        print_id_group(out, "&&", &conf->voters_outgoing);
    }
    if (conf->learners.count > 0) {
        print_id_group(out, " learners=", &conf->learners);
    }
    if (conf->learners_next.count > 0) {
        print_id_group(out, " learners_next=", &conf->learners_next);
    }
    text_add(out, "%s", conf->auto_leave ? " autoleave" : "");
}

static void print_member(struct text *out, const struct raft_member_status *member)
{
    static const char *const states[] = {
        [RAFT_PROGRESS_PROBE] = "StateProbe",
        [RAFT_PROGRESS_REPLICATE] = "StateReplicate",
        [RAFT_PROGRESS_SNAPSHOT] = "StateSnapshot",
    };
    text_add(out, "%llu: %s match=%llu next=%llu", (unsigned long long)member->id,
             states[member->state], (unsigned long long)member->match,
             (unsigned long long)member->next);
    text_add(out, "%s%s", member->is_learner ? " learner" : "", member->is_paused ? " paused" : "");
    if (member->pending_snapshot > 0) {
        text_add(out, " pendingSnap=%llu", (unsigned long long)member->pending_snapshot);
    }
    text_add(out, "%s", member->recent_active ? "" : " inactive");
    if (member->inflight_count > 0) {
        text_add(out, " inflight=%u%s", member->inflight_count,
                 member->inflight_full ? "[full]" : "");
    }
    text_add(out, "\n");
}

void print_members(struct text *out, const struct raft_member_status *members, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        print_member(out, &members[i]);
    }
}
