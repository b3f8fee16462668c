#include "raft/unstable.h"

#include "base/assert.h"
#include "raft/entries_int.h"

void raft_unstable_init(struct raft_unstable *unstable, uint64_t last_index)
{
    *unstable = (struct raft_unstable){
        .offset = last_index + 1,
        .in_progress = last_index + 1,
    };
}

void raft_unstable_deinit(struct raft_unstable *unstable)
{
    raft_entries_deinit(&unstable->entries);
    buf_drop(&unstable->snapshot.data);
    unstable->has_snapshot = false;
}

uint64_t raft_unstable_end(const struct raft_unstable *unstable)
{
    return unstable->offset + unstable->entries.count;
}

bool raft_unstable_term(const struct raft_unstable *unstable, uint64_t index, uint64_t *out_term)
{
    if (index >= unstable->offset) {
        if (index >= raft_unstable_end(unstable)) {
            return false;
        }
        *out_term = unstable->entries.items[index - unstable->offset].pos.term;
        return true;
    }
    if (unstable->has_snapshot && unstable->snapshot.pos.index == index) {
        *out_term = unstable->snapshot.pos.term;
        return true;
    }
    return false;
}

void raft_unstable_append(struct raft_unstable *unstable, const struct entry *entries,
                          uint32_t count)
{
    ASSERT(count > 0);
    uint64_t first = entries[0].pos.index;
    ASSERT(first <= raft_unstable_end(unstable));
    if (first <= unstable->offset) {
        raft_entries_clear(&unstable->entries);
        unstable->offset = first;
    } else {
        raft_entries_truncate(&unstable->entries, (uint32_t)(first - unstable->offset));
    }
    if (unstable->in_progress > first) {
        unstable->in_progress = first;
    }
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(entries[i].pos.index == first + i); /* U1 */
        raft_entries_push(&unstable->entries, &entries[i]);
    }
}

static void drop_snapshot(struct raft_unstable *unstable)
{
    buf_drop(&unstable->snapshot.data);
    unstable->has_snapshot = false;
    unstable->snapshot_in_progress = false;
}

void raft_unstable_restore(struct raft_unstable *unstable, const struct snapshot *snapshot)
{
    ASSERT(snapshot->pos.index > 0);
    buf_ref(snapshot->data);
    drop_snapshot(unstable);
    raft_entries_clear(&unstable->entries);
    unstable->snapshot = *snapshot;
    unstable->has_snapshot = true;
    unstable->offset = snapshot->pos.index + 1; /* U2 */
    unstable->in_progress = unstable->offset;
}

void raft_unstable_stable_to(struct raft_unstable *unstable, struct raft_pos pos)
{
    uint64_t term = 0;
    if (pos.index < unstable->offset || !raft_unstable_term(unstable, pos.index, &term) ||
        term != pos.term) {
        return;
    }
    uint64_t count = pos.index + 1 - unstable->offset;
    raft_entries_drop_front(&unstable->entries, (uint32_t)count);
    unstable->offset += count;
    if (unstable->in_progress < unstable->offset) {
        unstable->in_progress = unstable->offset;
    }
}

void raft_unstable_snapshot_stable_to(struct raft_unstable *unstable, uint64_t index)
{
    if (unstable->has_snapshot && unstable->snapshot.pos.index == index) {
        drop_snapshot(unstable);
    }
}

const struct entry *raft_unstable_next_entries(const struct raft_unstable *unstable,
                                               uint32_t *out_count)
{
    uint64_t skip = unstable->in_progress - unstable->offset;
    ASSERT(skip <= unstable->entries.count); /* U1 */
    *out_count = unstable->entries.count - (uint32_t)skip;
    return *out_count == 0 ? NULL : &unstable->entries.items[skip];
}

const struct snapshot *raft_unstable_next_snapshot(const struct raft_unstable *unstable)
{
    bool pending = unstable->has_snapshot && !unstable->snapshot_in_progress;
    return pending ? &unstable->snapshot : NULL;
}

void raft_unstable_accept(struct raft_unstable *unstable)
{
    unstable->in_progress = raft_unstable_end(unstable);
    unstable->snapshot_in_progress = unstable->has_snapshot;
}
