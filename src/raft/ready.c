/* Handing out what has to happen, and learning that it has. */
#include "base/assert.h"
#include "base/mem.h"
#include "raft/raft_int.h"

static bool hard_state_equal(struct hard_state a, struct hard_state b)
{
    return a.term == b.term && a.vote == b.vote && a.commit == b.commit;
}

static bool soft_state_changed(const struct raft *raft)
{
    return raft->handed.soft_state.leader != raft->leader ||
           raft->handed.soft_state.role != raft->role;
}

/* What waits for the disk is applied only then, if appends are asynchronous: with synchronous ones,
 * the caller persists a ready before it applies the same ready's entries. */
static bool allow_unstable(const struct raft *raft)
{
    return !raft->config.async_storage_writes;
}

bool raft_has_ready(const struct raft *raft)
{
    uint32_t unstable_count = 0;
    (void)raft_unstable_next_entries(&raft->log.unstable, &unstable_count);
    return soft_state_changed(raft) ||
           !hard_state_equal(raft->handed.hard_state, raft_hard_state(raft)) ||
           raft->outbox.count > 0 || raft->outbox_after_persist.count > 0 || unstable_count > 0 ||
           raft->read_state_count > 0 || raft_unstable_next_snapshot(&raft->log.unstable) != NULL ||
           raft_log_has_committed(&raft->log, allow_unstable(raft));
}

/* The last ready's borrowed time is over (R4). */
static void release_handed(struct raft *raft)
{
    raft_outbox_clear(&raft->handed.outbox);
    raft_outbox_clear(&raft->handed.outbox_after_persist);
    raft_entries_clear(&raft->handed.entries);
    raft_entries_clear(&raft->handed.committed);
    buf_drop(&raft->handed.snapshot.data);
}

/* `filled` is handed out; the empty one takes its place. */
static void swap_outboxes(struct raft_outbox *filled, struct raft_outbox *handed)
{
    ASSERT(handed->count == 0);
    struct raft_outbox empty = *handed;
    *handed = *filled;
    *filled = empty;
}

static void hand_out_states(struct raft *raft, struct raft_ready *ready)
{
    ready->has_soft_state = soft_state_changed(raft);
    ready->leader = raft->leader;
    ready->role = raft->role;
    raft->handed.soft_state = (struct raft_soft_state){.leader = raft->leader, .role = raft->role};

    struct hard_state previous = raft->handed.hard_state;
    ready->hard_state = raft_hard_state(raft);
    ready->has_hard_state = !hard_state_equal(previous, ready->hard_state);
    ready->must_sync =
        previous.term != ready->hard_state.term || previous.vote != ready->hard_state.vote;
    raft->handed.hard_state = ready->hard_state;

    struct raft_read_state *read_states = raft->handed.read_states;
    uint32_t capacity = raft->handed.read_state_capacity;
    raft->handed.read_states = raft->read_states;
    raft->handed.read_state_capacity = raft->read_state_capacity;
    ready->read_states = raft->read_states;
    ready->read_state_count = raft->read_state_count;
    raft->read_states = read_states;
    raft->read_state_capacity = capacity;
    raft->read_state_count = 0;
}

static void hand_out_log(struct raft *raft, struct raft_ready *ready)
{
    const struct raft_unstable *unstable = &raft->log.unstable;
    const struct entry *entries = raft_unstable_next_entries(unstable, &ready->entry_count);
    for (uint32_t i = 0; i < ready->entry_count; i++) {
        raft_entries_push(&raft->handed.entries, &entries[i]);
    }
    ready->entries = raft->handed.entries.items;
    ready->must_sync = ready->must_sync || ready->entry_count > 0;

    const struct snapshot *snapshot = raft_unstable_next_snapshot(unstable);
    if (snapshot != NULL) {
        raft->handed.snapshot = *snapshot;
        buf_ref(snapshot->data);
        ready->snapshot = &raft->handed.snapshot;
    }
    raft_log_take_committed(&raft->log, allow_unstable(raft), &raft->handed.committed);
    ready->committed = raft->handed.committed.items;
    ready->committed_count = raft->handed.committed.count;
}

static void hand_out_messages(struct raft *raft, struct raft_ready *ready)
{
    swap_outboxes(&raft->outbox, &raft->handed.outbox);
    swap_outboxes(&raft->outbox_after_persist, &raft->handed.outbox_after_persist);
    ready->messages = raft->handed.outbox.messages;
    ready->message_count = raft->handed.outbox.count;
    ready->messages_after_persist = raft->handed.outbox_after_persist.messages;
    ready->after_persist_count = raft->handed.outbox_after_persist.count;
}

/* The mark names all that is not durable, not only what this ready adds: whatever is confirmed
 * later covers what came before, also if that was in a term whose marks do not count any more. */
static void hand_out_mark(struct raft *raft, struct raft_ready *ready)
{
    const struct raft_unstable *unstable = &raft->log.unstable;
    bool writes = ready->has_hard_state || ready->entry_count > 0 || ready->snapshot != NULL ||
                  ready->after_persist_count > 0;
    bool has_entries = unstable->entries.count > 0;
    ready->has_mark = writes && (has_entries || unstable->has_snapshot);
    ready->mark = (struct raft_mark){.term = raft->term};
    if (has_entries) {
        ready->mark.last = raft_log_last(&raft->log);
    }
    if (unstable->has_snapshot) {
        ready->mark.snapshot_index = unstable->snapshot.pos.index;
    }
}

void raft_ready(struct raft *raft, struct raft_ready *out_ready)
{
    release_handed(raft);
    *out_ready = (struct raft_ready){0};
    hand_out_states(raft, out_ready);
    hand_out_log(raft, out_ready);
    hand_out_messages(raft, out_ready);
    hand_out_mark(raft, out_ready);
    raft_unstable_accept(&raft->log.unstable);
    ASSERT(!raft_has_ready(raft)); /* each thing once */
}

void raft_persisted(struct raft *raft, const struct raft_mark *mark)
{
    ASSERT(mark->term <= raft->term);
    /* In a later term the same index may hold another entry, of the same term even, that is not
     * durable yet: such marks say nothing about entries. A later mark, of this term, will. */
    if (mark->term == raft->term && mark->last.index != 0) {
        raft_unstable_stable_to(&raft->log.unstable, mark->last);
    }
    if (mark->snapshot_index != 0) {
        raft_unstable_snapshot_stable_to(&raft->log.unstable, mark->snapshot_index);
        raft_note_applied(raft, mark->snapshot_index);
    }
}

void raft_note_applied(struct raft *raft, uint64_t index)
{
    uint64_t size = raft_log_applied_to(&raft->log, index);
    uint64_t left = raft->uncommitted_size;
    if (raft->role == RAFT_LEADER && raft->tracker.conf.auto_leave &&
        raft->log.applied >= raft->pending_conf_index) {
        /* An empty change leaves the joint configuration. It may be dropped while leadership is
         * transferred: then the next applied entry, or the next leader, tries again. */
        struct entry leave = {.type = ENTRY_CONF_CHANGE_V2};
        err e = raft_propose_local(raft, &leave, 1);
        ASSERT(e == OK || e == ERR_PROPOSAL_DROPPED);
    }
    raft->uncommitted_size = left > size ? left - size : 0;
}

void raft_applied(struct raft *raft, uint64_t index)
{
    ASSERT(index <= raft->log.applying);
    raft_note_applied(raft, index);
}
