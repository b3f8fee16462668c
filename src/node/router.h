/*
 * Which replica owns a key: the regions' ranges in order of their first keys. There is one range at
 * first, from the empty key to the end; nothing above this file relies on that.
 */
#ifndef NODE_ROUTER_H
#define NODE_ROUTER_H

#include "base/buf.h"

struct replica;

struct router_range {
    struct buf *start; /* inclusive; NULL: from the very first key */
    struct replica *replica;
};

/* All zero is an empty one. The ranges cover all keys: each ends where the next one starts. */
struct router {
    struct router_range *ranges;
    uint32_t count;
};

/* Adds the range that begins at `start` (copied). */
void router_add(struct router *router, struct slice start, struct replica *replica);
/* The owner of `key`; NULL if the router is empty. */
struct replica *router_find(const struct router *router, struct slice key);
void router_deinit(struct router *router);

#endif
