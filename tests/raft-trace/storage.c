#include "storage.h"

#include "base/assert.h"
#include "raft/entries_int.h"

void storage_init(struct storage *storage, const struct snapshot *applied)
{
    *storage = (struct storage){.applied = applied};
}

void storage_deinit(struct storage *storage)
{
    raft_entries_deinit(&storage->entries);
}

static uint64_t first_index(void *ctx)
{
    const struct storage *storage = ctx;
    return storage->compacted.index + 1;
}

static uint64_t last_index(void *ctx)
{
    const struct storage *storage = ctx;
    return storage->compacted.index + storage->entries.count;
}

static err term(void *ctx, uint64_t index, uint64_t *out_term)
{
    const struct storage *storage = ctx;
    if (index < storage->compacted.index) {
        return ERR_COMPACTED;
    }
    if (index > last_index(ctx)) {
        return ERR_UNAVAILABLE;
    }
    *out_term = index == storage->compacted.index
                    ? storage->compacted.term
                    : storage->entries.items[index - first_index(ctx)].pos.term;
    return OK;
}

static err read_entries(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                        struct raft_entries *out_entries)
{
    const struct storage *storage = ctx;
    if (low < first_index(ctx)) {
        return ERR_COMPACTED;
    }
    ASSERT(high <= last_index(ctx) + 1);
    uint64_t used = 0;
    for (uint64_t index = low; index < high; index++) {
        const struct entry *entry = &storage->entries.items[index - first_index(ctx)];
        uint64_t weight = raft_entry_weight(entry);
        if (index > low && (used >= size_max || weight > size_max - used)) {
            break;
        }
        raft_entries_push(out_entries, entry);
        used += weight;
    }
    return OK;
}

static err snapshot(void *ctx, struct snapshot *out_snapshot)
{
    const struct storage *storage = ctx;
    if (storage->applied->pos.index == 0) {
        return ERR_UNAVAILABLE;
    }
    *out_snapshot = *storage->applied;
    buf_ref(out_snapshot->data);
    return OK;
}

struct raft_storage storage_interface(struct storage *storage)
{
    return (struct raft_storage){
        .ctx = storage,
        .first_index = first_index,
        .last_index = last_index,
        .term = term,
        .entries = read_entries,
        .snapshot = snapshot,
    };
}

void storage_append(struct storage *storage, const struct entry *entries, uint32_t count)
{
    if (count == 0) {
        return;
    }
    uint64_t first = first_index(storage);
    ASSERT(entries[0].pos.index >= first);
    ASSERT(entries[0].pos.index <= last_index(storage) + 1);
    raft_entries_truncate(&storage->entries, (uint32_t)(entries[0].pos.index - first));
    for (uint32_t i = 0; i < count; i++) {
        raft_entries_push(&storage->entries, &entries[i]);
    }
}

void storage_restore(struct storage *storage, struct raft_pos pos)
{
    raft_entries_clear(&storage->entries);
    storage->compacted = pos;
}

void storage_compact(struct storage *storage, uint64_t index)
{
    uint64_t first = first_index(storage);
    if (index < first) {
        return;
    }
    ASSERT(index <= last_index(storage));
    struct raft_pos compacted = storage->entries.items[index - first].pos;
    raft_entries_drop_front(&storage->entries, (uint32_t)(index + 1 - first));
    storage->compacted = compacted;
}
