#include "raft/outbox.h"

#include "base/assert.h"
#include "base/mem.h"

static void grow(struct raft_outbox *outbox)
{
    uint32_t capacity = outbox->capacity == 0 ? 8 : outbox->capacity * 2;
    ASSERT(capacity > outbox->capacity);
    outbox->messages = mem_realloc(outbox->messages, capacity, sizeof(*outbox->messages));
    outbox->cargo = mem_realloc(outbox->cargo, capacity, sizeof(*outbox->cargo));
    outbox->capacity = capacity;
}

void raft_outbox_push(struct raft_outbox *outbox, const struct message *message,
                      struct raft_entries *entries)
{
    if (outbox->count == outbox->capacity) {
        grow(outbox);
    }
    struct message *target = &outbox->messages[outbox->count];
    struct raft_outbox_cargo *cargo = &outbox->cargo[outbox->count];
    outbox->count++;
    *target = *message;
    *cargo = (struct raft_outbox_cargo){0};
    if (entries != NULL) {
        cargo->entries = *entries;
        *entries = (struct raft_entries){0};
    }
    target->entries = cargo->entries.items;
    target->entry_count = cargo->entries.count;
    if (message->snapshot != NULL) {
        cargo->snapshot = mem_alloc(sizeof(*cargo->snapshot));
        *cargo->snapshot = *message->snapshot;
        buf_ref(cargo->snapshot->data);
        target->snapshot = cargo->snapshot;
    }
}

void raft_outbox_clear(struct raft_outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        struct raft_outbox_cargo *cargo = &outbox->cargo[i];
        raft_entries_deinit(&cargo->entries);
        if (cargo->snapshot != NULL) {
            buf_unref(cargo->snapshot->data);
            mem_free(cargo->snapshot);
        }
    }
    outbox->count = 0;
}

void raft_outbox_deinit(struct raft_outbox *outbox)
{
    raft_outbox_clear(outbox);
    mem_free(outbox->messages);
    mem_free(outbox->cargo);
    *outbox = (struct raft_outbox){0};
}
