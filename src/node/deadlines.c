#include "node/deadlines.h"

#include <stddef.h>

#include "base/assert.h"

static struct deadline *of_link(struct list *link)
{
    return CONTAINER_OF(link, struct deadline, link);
}

void deadline_add(struct list *deadlines, struct deadline *deadline)
{
    ASSERT(deadline->at_ms > 0);
    struct list *after = deadlines->prev;
    while (after != deadlines && of_link(after)->at_ms > deadline->at_ms) {
        after = after->prev;
    }
    /* Pushing back onto the successor, seen as a head, inserts right before it. */
    list_push_back(after->next, &deadline->link);
}

struct deadline *deadline_due(const struct list *deadlines, uint64_t now_ms)
{
    if (list_is_empty(deadlines) || of_link(deadlines->next)->at_ms > now_ms) {
        return NULL;
    }
    return of_link(deadlines->next);
}
