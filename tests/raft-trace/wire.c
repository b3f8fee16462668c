#include "wire.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void wire_set_entries(struct wire *wire, const struct entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        raft_entries_push(&wire->entries, &entries[i]);
    }
}

void wire_set_snapshot(struct wire *wire, const struct snapshot *snapshot)
{
    wire->snapshot = *snapshot;
    buf_ref(snapshot->data);
}

struct wire wire_copy(const struct message *message)
{
    struct wire wire = {.kind = WIRE_MESSAGE, .message = *message};
    wire_set_entries(&wire, message->entries, message->entry_count);
    if (message->snapshot != NULL) {
        wire_set_snapshot(&wire, message->snapshot);
    }
    return wire;
}

const char *wire_type_name(const struct wire *wire)
{
    switch (wire->kind) {
    case WIRE_MESSAGE:
        return message_type_name(wire->message.type);
    case WIRE_APPEND:
        return "MsgStorageAppend";
    case WIRE_APPEND_RESP:
        return "MsgStorageAppendResp";
    case WIRE_APPLY:
        return "MsgStorageApply";
    case WIRE_APPLY_RESP:
        return "MsgStorageApplyResp";
    }
    UNREACHABLE();
}

bool wire_is_local(const struct wire *wire)
{
    return wire->kind != WIRE_MESSAGE || wire->message.from == wire->message.to;
}

struct message wire_message(const struct wire *wire)
{
    struct message message = wire->message;
    message.entries = wire->entries.items;
    message.entry_count = wire->entries.count;
    message.snapshot = wire->snapshot.pos.index == 0 ? NULL : &wire->snapshot;
    return message;
}

void wire_deinit(struct wire *wire)
{
    raft_entries_deinit(&wire->entries);
    buf_drop(&wire->snapshot.data);
    wire_list_deinit(&wire->responses);
}

void wire_list_push(struct wire_list *list, struct wire wire)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        list->items = mem_realloc(list->items, list->capacity, sizeof(*list->items));
    }
    list->items[list->count] = wire;
    list->count++;
}

struct wire wire_list_take(struct wire_list *list, unsigned position)
{
    ASSERT(position < list->count);
    struct wire wire = list->items[position];
    list->count--;
    memmove(&list->items[position], &list->items[position + 1],
            (list->count - position) * sizeof(wire));
    return wire;
}

void wire_list_move(struct wire_list *source, struct wire_list *target)
{
    for (unsigned i = 0; i < source->count; i++) {
        wire_list_push(target, source->items[i]);
    }
    source->count = 0;
}

/* Responses are plain messages: lists nest at most once. */
void wire_list_deinit(struct wire_list *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        raft_entries_deinit(&list->items[i].entries);
        buf_drop(&list->items[i].snapshot.data);
        for (unsigned j = 0; j < list->items[i].responses.count; j++) {
            raft_entries_deinit(&list->items[i].responses.items[j].entries);
            buf_drop(&list->items[i].responses.items[j].snapshot.data);
        }
        mem_free(list->items[i].responses.items);
    }
    mem_free(list->items);
    *list = (struct wire_list){0};
}
