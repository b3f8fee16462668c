/*
 * Requests in the order of their deadlines. Most come with the default timeout, so a new one nearly
 * always belongs at the end: insertion walks from there.
 */
#ifndef NODE_DEADLINES_H
#define NODE_DEADLINES_H

#include <stdint.h>

#include "base/list.h"

struct deadline {
    struct list link;
    uint64_t at_ms;
};

/* Puts `deadline` (its at_ms set) into `deadlines`, which stays sorted. */
void deadline_add(struct list *deadlines, struct deadline *deadline);
/* The first that is due at `now_ms`, or NULL. It stays in the list. */
struct deadline *deadline_due(const struct list *deadlines, uint64_t now_ms);

#endif
