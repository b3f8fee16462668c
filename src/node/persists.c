#include "node/persists.h"

#include "base/assert.h"
#include "base/mem.h"

static struct persist *of_link(struct list *link)
{
    return CONTAINER_OF(link, struct persist, link);
}

void persists_init(struct persists *persists)
{
    list_init(&persists->records);
}

bool persists_is_empty(const struct persists *persists)
{
    return list_is_empty(&persists->records);
}

struct persist *persists_new(const struct raft_ready *ready)
{
    uint32_t count = ready->after_persist_count;
    struct persist *record = mem_alloc(sizeof(*record) + count * sizeof(record->messages[0]));
    record->ticket = 0;
    record->has_mark = ready->has_mark;
    record->mark = ready->mark;
    record->message_count = count;
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(ready->messages_after_persist[i].entry_count == 0);
        ASSERT(ready->messages_after_persist[i].snapshot == NULL);
        record->messages[i] = ready->messages_after_persist[i];
    }
    list_init(&record->link);
    return record;
}

void persists_add(struct persists *persists, uint64_t ticket, struct persist *record)
{
    ASSERT(persists_is_empty(persists) ||
           of_link(persists->records.prev)->ticket <= ticket); /* P1 */
    record->ticket = ticket;
    list_push_back(&persists->records, &record->link);
}

void persists_push(struct persists *persists, uint64_t ticket, const struct raft_ready *ready)
{
    persists_add(persists, ticket, persists_new(ready));
}

struct persist *persists_pop(struct persists *persists, uint64_t ticket)
{
    if (persists_is_empty(persists) || of_link(persists->records.next)->ticket > ticket) {
        return NULL;
    }
    struct persist *record = of_link(persists->records.next);
    list_remove(&record->link);
    return record;
}

void persists_deinit(struct persists *persists)
{
    for (struct persist *record = persists_pop(persists, UINT64_MAX); record != NULL;
         record = persists_pop(persists, UINT64_MAX)) {
        mem_free(record);
    }
}
