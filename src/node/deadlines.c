#include "node/deadlines.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

static bool is_before(const struct deadline *one, const struct deadline *other)
{
    return one->at_ms != other->at_ms ? one->at_ms < other->at_ms : one->arrival < other->arrival;
}

/* One heap of two: the later root becomes the first child of the other. */
static struct deadline *meld(struct deadline *one, struct deadline *other)
{
    ASSERT(one != other);
    struct deadline *parent = is_before(one, other) ? one : other;
    struct deadline *child = parent == one ? other : one;
    child->prev = parent;
    child->next = parent->child;
    if (child->next != NULL) {
        child->next->prev = child;
    }
    parent->child = child;
    parent->prev = NULL;
    parent->next = NULL;
    return parent;
}

/* One heap of the siblings from `first` on: by pairs, then from the last pair to the first. */
static struct deadline *meld_siblings(struct deadline *first)
{
    struct deadline *pairs = NULL;
    while (first != NULL) {
        struct deadline *second = first->next;
        struct deadline *rest = second != NULL ? second->next : NULL;
        struct deadline *pair = second != NULL ? meld(first, second) : first;
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    struct deadline *root = pairs;
    struct deadline *rest = root != NULL ? root->next : NULL;
    while (rest != NULL) {
        struct deadline *pair = rest;
        rest = pair->next;
        root = meld(root, pair);
    }
    if (root != NULL) {
        root->prev = NULL;
        root->next = NULL;
    }
    return root;
}

void deadlines_add(struct deadlines *deadlines, struct deadline *deadline)
{
    ASSERT(deadline->at_ms > 0);
    deadline->arrival = deadlines->arrivals++;
    deadline->child = NULL;
    deadline->next = NULL;
    deadline->prev = NULL;
    deadlines->root = deadlines->root != NULL ? meld(deadlines->root, deadline) : deadline;
}

/* Takes it away from its siblings, with all below it. */
static void cut(struct deadline *deadline)
{
    ASSERT(deadline->prev != NULL);
    if (deadline->prev->child == deadline) {
        deadline->prev->child = deadline->next;
    } else {
        ASSERT(deadline->prev->next == deadline);
        deadline->prev->next = deadline->next;
    }
    if (deadline->next != NULL) {
        deadline->next->prev = deadline->prev;
    }
}

void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline)
{
    if (deadline->prev == NULL && deadlines->root != deadline) {
        return;
    }
    struct deadline *below = meld_siblings(deadline->child);
    if (deadline == deadlines->root) {
        deadlines->root = below;
    } else {
        cut(deadline);
        deadlines->root = below != NULL ? meld(deadlines->root, below) : deadlines->root;
    }
    deadline->child = NULL;
    deadline->next = NULL;
    deadline->prev = NULL;
}

struct deadline *deadlines_due(const struct deadlines *deadlines, uint64_t now_ms)
{
    struct deadline *root = deadlines->root;
    return root != NULL && root->at_ms <= now_ms ? root : NULL;
}
