#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/entries_int.h"

void raft_entries_push(struct raft_entries *list, const struct entry *entry)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        ASSERT(capacity > list->capacity);
        list->items = mem_realloc(list->items, capacity, sizeof(*list->items));
        list->capacity = capacity;
    }
    list->items[list->count] = *entry;
    list->count++;
    buf_ref(entry->data);
}

void raft_entries_truncate(struct raft_entries *list, uint32_t count)
{
    ASSERT(count <= list->count);
    while (list->count > count) {
        list->count--;
        buf_unref(list->items[list->count].data);
    }
}

void raft_entries_drop_front(struct raft_entries *list, uint32_t count)
{
    ASSERT(count <= list->count);
    for (uint32_t i = 0; i < count; i++) {
        buf_unref(list->items[i].data);
    }
    list->count -= count;
    if (list->count > 0 && count > 0) {
        memmove(list->items, list->items + count, list->count * sizeof(*list->items));
    }
}

void raft_entries_clear(struct raft_entries *list)
{
    raft_entries_truncate(list, 0);
}

void raft_entries_deinit(struct raft_entries *list)
{
    raft_entries_truncate(list, 0);
    mem_free(list->items);
    *list = (struct raft_entries){0};
}
