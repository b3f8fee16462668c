/*
 * Requests in the order of their deadlines: a pairing heap of their owners' fields. Timeouts are
 * the clients', and a forwarded write has less of its own than one that came here, so a new one may
 * belong anywhere; that must not cost more the more there are.
 *
 * All zero is an empty one, and a deadline that is in none.
 */
#ifndef NODE_DEADLINES_H
#define NODE_DEADLINES_H

#include <stdint.h>

struct deadline {
    uint64_t at_ms;
    /* The heap's own: */
    uint64_t arrival; /* equal ones keep the order in which they came */
    struct deadline *child;
    struct deadline *next; /* sibling */
    struct deadline *prev; /* sibling, or the parent of a first child; NULL: the root, or in none */
};

struct deadlines {
    struct deadline *root;
    uint64_t arrivals;
};

/* Adds `deadline`, its at_ms set, which is in none; it stays its owner's. */
void deadlines_add(struct deadlines *deadlines, struct deadline *deadline);
/* Takes it out; no-op if it is in none. */
void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline);
/* The first that is due at `now_ms`, or NULL. It stays where it is. */
struct deadline *deadlines_due(const struct deadlines *deadlines, uint64_t now_ms);

#endif
