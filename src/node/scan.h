/*
 * The keys of the first region in order, as they are at one revision: what a list, a count or an
 * export reads. Where the store's scan (store/scan.h) has what is there now, this one answers for a
 * revision, so that a list goes on in a later turn, or by another request, as if nothing had
 * changed.
 *
 * N1  A scan is opened and closed within one turn, the first one in `done` of a node_read that is a
 *     scan: whoever goes on opens another one, for the same revision, behind the key where this one
 *     ended.
 * N2  What it tells was verified; a damaged record is told to be mended and never told.
 */
#ifndef NODE_SCAN_H
#define NODE_SCAN_H

#include "node/node.h"
#include "node/scan_past.h"
#include "store/scan.h"

struct node_scan_options {
    struct store_range range; /* the bound at the far end is borrowed while it is open */
    bool is_reverse;
    uint64_t revision; /* 0: what is there now */
};

struct node_scan {
    struct slice key; /* where it stands; borrowed until the end of the turn */
    /* The node's own: */
    struct replica *replica;
    struct store_scan present; /* what there is now */
    bool is_ahead;             /* it stands at a key that was not told yet */
    err present_end;           /* it has no next one: ERR_NOT_FOUND, ERR_CORRUPT; else OK */
    struct scan_past past;     /* what has changed since the revision; of the present one nothing */
    const struct history_entry *was; /* where it stands, what was there; NULL: what is there now */
};

/*
 * Fills `out_scan`, which stands before the first key. Caller closes, in the same turn.
 * ERR_GONE: this node has that revision no more (node_scan_oldest). ERR_BAD_REQUEST: there was none
 * like that yet. ERR_DIVERGED: it reads nothing out of its state.
 */
MUST_USE err node_scan_open(struct node *node, const struct node_scan_options *options,
                            struct node_scan *out_scan);
void node_scan_close(struct node_scan *scan);

/* As store_scan_next. */
MUST_USE err node_scan_next(struct node_scan *scan);
/* As store_scan_skip. */
void node_scan_skip(struct node_scan *scan, struct slice key);
/*
 * The record of scan->key; of a value that is not wanted only the size counts, it was not verified.
 * Borrowed until the end of the turn. ERR_MENDING (damaged; it is being fetched from another
 * member), ERR_CORRUPT (there is none).
 */
MUST_USE err node_scan_record(struct node_scan *scan, bool wants_value,
                              struct store_record *out_record);

/* How many keys there are now. */
uint64_t node_scan_keys(const struct node *node);
/* How many there are in `range` now, as store_count. ERR_DIVERGED: as node_scan_open. */
MUST_USE err node_scan_count(struct node *node, struct store_range range, uint64_t budget,
                             uint64_t *out_count);
/* The oldest revision that can be read; everything from there on can (history.h). */
uint64_t node_scan_oldest(const struct node *node);

/*
 * Whether the keys in `range` are now what they were at `revision`. False also where this node
 * cannot tell any more.
 */
bool node_scan_is_same(const struct node *node, struct store_range range, uint64_t revision);

#endif
