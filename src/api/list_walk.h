/*
 * A list of keys on its way: which of them belong to it, in which order, and where it goes on. It
 * is fed by a scan of the node, a turn at a time, and keeps its place between turns and pages.
 */
#ifndef API_LIST_WALK_H
#define API_LIST_WALK_H

#include "api/list_params.h"
#include "node/scan.h"

/* A bound of the keys, in its own memory. */
struct list_bound {
    bool is_set;
    size_t size;
    uint8_t bytes[STORE_BOUND_SIZE_MAX];
};

struct list_walk {
    struct list_bound begin; /* what is left; is_set false: from the first key on */
    struct list_bound end;   /* exclusive; is_set false: up to the last one */
    bool is_reverse;
    bool is_over; /* nothing is left, known without a look */
    struct slice prefix;
    struct slice delimiter;
    struct slice match;
    struct list_filter filter;
};

/* What a list has: a key, or what all keys begin with that stand for one. */
struct list_item {
    bool is_prefix;
    struct slice key; /* or the prefix; borrowed until the end of the turn */
};

/* Fills `walk`, which stands before the first key. Borrows the texts in `params`. */
void api_list_walk_init(struct list_walk *walk, const struct list_params *params);
/* The scan that goes on from here, as it was at `revision` (0: now). Borrows `walk` while it is
 * open: it may go on meanwhile. */
struct node_scan_options api_list_walk_options(const struct list_walk *walk, uint64_t revision);
/*
 * The next item; the scan stands at it, if it is a key. Takes what it looks at off `budget`, a
 * number of keys. ERR_NOT_FOUND: that was all. ERR_OVERLOADED: the budget is over; go on later.
 * Other errors of node_scan_next, and where there is a filter of node_scan_record, of scan->key.
 */
MUST_USE err api_list_walk_next(struct list_walk *walk, struct node_scan *scan, uint64_t *budget,
                                struct list_item *out_item);
/* `item`, the last one, was not taken: the next scan begins with it. */
void api_list_walk_back(struct list_walk *walk, const struct list_item *item);

/* Where what is left begins, or if it is reverse ends. Empty: nothing is left, or nothing was
 * taken. Borrowed until it goes on. */
struct slice api_list_walk_place(const struct list_walk *walk);
/* Goes on from such a place. */
void api_list_walk_resume(struct list_walk *walk, struct slice place);
/* Tells lists apart: of all that says which keys it has, and in which order. */
uint64_t api_list_walk_hash(const struct list_params *params);

#endif
