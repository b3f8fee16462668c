/* What a leader does with its log: append, send, commit (paper, section 5.3). */
#include "base/assert.h"
#include "raft/raft_int.h"

/* Whether `size` more bytes of data may join what is not applied yet; counts them if so. */
static bool reserve_uncommitted(struct raft *raft, uint64_t size)
{
    /* One proposal of any size may always go when nothing else is there, and empty entries (a
     * term's start, leaving a joint configuration) must never be refused. */
    uint64_t limit = raft->config.max_uncommitted_size;
    bool counts = raft->uncommitted_size > 0 && size > 0;
    if (counts && (raft->uncommitted_size >= limit || size > limit - raft->uncommitted_size)) {
        return false;
    }
    raft->uncommitted_size += size;
    return true;
}

bool raft_leader_append(struct raft *raft, struct entry *entries, uint32_t count)
{
    ASSERT(raft->role == RAFT_LEADER);
    ASSERT(count > 0);
    uint64_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += entry_size(&entries[i]);
    }
    if (!reserve_uncommitted(raft, size)) {
        return false;
    }
    uint64_t last = raft_log_last_index(&raft->log);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].pos = (struct raft_pos){.term = raft->term, .index = last + 1 + i};
    }
    raft_log_append(&raft->log, entries, count);
    /* Our own copy counts once it is durable (C3). */
    struct message ack = {.type = MSG_APP_RESP, .to = raft->id, .index = last + count};
    raft_send(raft, &ack, NULL);
    return true;
}

/* The member needs what is not in the log any more. */
static bool maybe_send_snapshot(struct raft *raft, struct raft_progress *progress)
{
    if (!progress->recent_active) {
        return false; /* nobody there to take it */
    }
    struct snapshot snapshot = {0};
    const struct raft_storage *storage = &raft->config.storage;
    if (storage->snapshot(storage->ctx, &snapshot) != OK) {
        return false; /* a heartbeat's answer asks again */
    }
    ASSERT(snapshot.pos.index > 0);
    ASSERT(snapshot.pos.index <= raft->log.committed);
    bool is_of_use = snapshot.pos.index > progress->match;
    if (is_of_use) {
        raft_progress_become_snapshot(progress, snapshot.pos.index);
        struct message message = {.type = MSG_SNAP, .to = progress->id, .snapshot = &snapshot};
        raft_send(raft, &message, NULL);
    }
    buf_unref(snapshot.data);
    return is_of_use;
}

static void send_append(struct raft *raft, struct raft_progress *progress, struct raft_pos prev,
                        struct raft_entries *entries)
{
    uint32_t count = entries->count;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += entry_size(&entries->items[i]);
    }
    struct message message = {
        .type = MSG_APP,
        .to = progress->id,
        .index = prev.index,
        .log_term = prev.term,
        .commit = raft->log.committed,
    };
    raft_send(raft, &message, entries);
    raft_progress_sent_entries(progress, count, bytes);
    progress->sent_commit = raft->log.committed;
}

bool raft_maybe_send_append(struct raft *raft, struct raft_progress *progress, bool send_if_empty)
{
    ASSERT(raft->role == RAFT_LEADER);
    ASSERT(progress->id != raft->id);
    if (raft_progress_is_paused(progress)) {
        return false;
    }
    struct raft_pos prev = {.index = progress->next - 1};
    if (raft_log_term(&raft->log, prev.index, &prev.term) != OK) {
        return maybe_send_snapshot(raft, progress);
    }
    /* Into a full window goes an empty message: its answer shows whether what fills the window was
     * lost, and opens it again. */
    struct raft_entries entries = {0};
    err e = OK;
    if (progress->state != RAFT_PROGRESS_REPLICATE ||
        !raft_inflights_is_full(&progress->inflights)) {
        e = raft_log_entries(&raft->log, progress->next, raft->config.max_size_per_message,
                             &entries);
    }
    if (entries.count == 0 && !send_if_empty) {
        raft_entries_deinit(&entries);
        return false;
    }
    if (e != OK) {
        raft_entries_deinit(&entries);
        return maybe_send_snapshot(raft, progress);
    }
    send_append(raft, progress, prev, &entries);
    return true;
}

void raft_broadcast_append(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->tracker.count; i++) {
        if (raft->tracker.members[i].id != raft->id) {
            (void)raft_maybe_send_append(raft, &raft->tracker.members[i], true);
        }
    }
}

void raft_broadcast_heartbeat(struct raft *raft, struct read_ctx ctx)
{
    for (uint32_t i = 0; i < raft->tracker.count; i++) {
        struct raft_progress *progress = &raft->tracker.members[i];
        if (progress->id == raft->id) {
            continue;
        }
        /* Not beyond what the member is known to have: it compares nothing on a heartbeat. */
        uint64_t commit = raft->log.committed;
        commit = progress->match < commit ? progress->match : commit;
        struct message message = {
            .type = MSG_HEARTBEAT, .to = progress->id, .commit = commit, .read = ctx};
        raft_send(raft, &message, NULL);
        progress->sent_commit = commit;
    }
}

bool raft_maybe_commit(struct raft *raft)
{
    ASSERT(raft->role == RAFT_LEADER);
    /* Only if the entry there is of this term (C2). */
    struct raft_pos pos = {.term = raft->term, .index = raft_tracker_committed(&raft->tracker)};
    return raft_log_maybe_commit(&raft->log, pos);
}
