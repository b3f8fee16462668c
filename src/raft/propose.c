/* Proposals: what may enter a leader's log, and what is passed on to it. */
#include "base/assert.h"
#include "base/codec.h"
#include "raft/raft_int.h"

static bool is_conf_change(const struct entry *entry)
{
    return entry->type == ENTRY_CONF_CHANGE || entry->type == ENTRY_CONF_CHANGE_V2;
}

/* OK, or why the leader does not take the change now. */
static err conf_change_refusal(const struct raft *raft, const struct conf_change *change)
{
    if (raft->pending_conf_index > raft->log.applied) {
        return ERR_BUSY; /* C4 */
    }
    bool wants_leave = change->count == 0;
    bool is_joint = raft_conf_is_joint(&raft->tracker.conf);
    if (is_joint != wants_leave) {
        return is_joint ? ERR_BUSY : ERR_CONFLICT;
    }
    /* Nothing is under way: it would apply to the configuration as it is. */
    struct raft_conf_plan plan;
    enum raft_conf_fault fault = raft_conf_apply(&raft->tracker.conf, change, &plan);
    return fault == RAFT_CONF_OK ? OK : ERR_CONFLICT;
}

err raft_check_conf_change(const struct raft *raft, const struct conf_change *change)
{
    return raft->role == RAFT_LEADER ? conf_change_refusal(raft, change) : ERR_NOT_LEADER;
}

/* Turns changes that cannot be taken into empty entries, and notes the one that is. */
static err admit_conf_changes(struct raft *raft, struct raft_entries *batch)
{
    uint64_t next = raft_log_last_index(&raft->log) + 1;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct entry *entry = &batch->items[i];
        if (!is_conf_change(entry)) {
            continue;
        }
        struct conf_change change;
        if (conf_change_decode(buf_slice(entry->data), &change) != OK) {
            return ERR_MALFORMED;
        }
        bool validate = !raft->config.disable_conf_change_validation;
        if (validate && conf_change_refusal(raft, &change) != OK) {
            buf_drop(&entry->data);
            entry->type = ENTRY_NORMAL;
        } else {
            raft->pending_conf_index = next + i; /* C4 */
        }
    }
    return OK;
}

err raft_propose_local(struct raft *raft, struct entry *entries, uint32_t count)
{
    ASSERT(raft->role == RAFT_LEADER);
    if (raft_tracker_get(&raft->tracker, raft->id) == NULL || raft->transfer_target != 0) {
        return ERR_PROPOSAL_DROPPED;
    }
    struct raft_entries batch = {0};
    for (uint32_t i = 0; i < count; i++) {
        raft_entries_push(&batch, &entries[i]);
    }
    uint64_t pending_before = raft->pending_conf_index;
    err e = admit_conf_changes(raft, &batch);
    if (e == OK && !raft_leader_append(raft, batch.items, count)) {
        e = ERR_OVERLOADED;
    }
    if (e == OK) {
        for (uint32_t i = 0; i < count; i++) {
            entries[i].pos = batch.items[i].pos;
        }
        raft_broadcast_append(raft);
    } else {
        raft->pending_conf_index = pending_before;
    }
    raft_entries_deinit(&batch);
    return e;
}

/* On any role but the leader's. */
static err forward_proposal(struct raft *raft, const struct entry *entries, uint32_t count,
                            node_id from)
{
    if (raft->role != RAFT_FOLLOWER || raft->leader == 0 ||
        raft->config.disable_proposal_forwarding) {
        return ERR_NOT_LEADER;
    }
    struct raft_entries batch = {0};
    for (uint32_t i = 0; i < count; i++) {
        raft_entries_push(&batch, &entries[i]);
    }
    struct message message = {.type = MSG_PROP, .to = raft->leader, .from = from};
    raft_send(raft, &message, &batch);
    return OK;
}

err raft_propose(struct raft *raft, struct entry *entries, uint32_t count,
                 struct raft_pos *out_first)
{
    ASSERT(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].pos = (struct raft_pos){0};
    }
    err e = raft->role == RAFT_LEADER ? raft_propose_local(raft, entries, count)
                                      : forward_proposal(raft, entries, count, raft->id);
    if (e == OK && out_first != NULL) {
        *out_first = entries[0].pos;
    }
    return e == ERR_MALFORMED ? ERR_BAD_REQUEST : e;
}

err raft_handle_propose(struct raft *raft, const struct message *message)
{
    if (raft->role != RAFT_LEADER) {
        return forward_proposal(raft, message->entries, message->entry_count, message->from);
    }
    struct raft_entries batch = {0};
    for (uint32_t i = 0; i < message->entry_count; i++) {
        raft_entries_push(&batch, &message->entries[i]);
    }
    err e = raft_propose_local(raft, batch.items, batch.count);
    raft_entries_deinit(&batch);
    return e;
}

err raft_propose_conf_change(struct raft *raft, const struct conf_change *change, bool v1,
                             struct raft_pos *out_pos)
{
    if (v1 && (change->count != 1 || change->transition != CONF_TRANSITION_AUTO)) {
        return ERR_BAD_REQUEST;
    }
    struct writer writer = {0};
    conf_change_encode(change, &writer);
    struct entry entry = {.type = v1 ? ENTRY_CONF_CHANGE : ENTRY_CONF_CHANGE_V2};
    if (writer.size > 0) {
        entry.data = writer_to_buf(&writer);
    }
    writer_deinit(&writer);
    err e = raft_propose(raft, &entry, 1, out_pos);
    buf_unref(entry.data);
    return e;
}
