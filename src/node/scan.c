#include "node/scan.h"

#include "base/assert.h"
#include "node/node_int.h"
#include "store/census.h"

/*
 * What was at a revision is what is there now with what came since taken back: two sequences, in
 * one order. Where both have a key, the past one counts, and it may say that there was none.
 */

uint64_t node_scan_oldest(const struct node *node)
{
    return history_oldest(node->replica->history);
}

uint64_t node_scan_keys(const struct node *node)
{
    const struct store_region *region = store_region(node->store, node->replica->region);
    return region != NULL ? region->keys : 0;
}

/* Whether it may read out of its state. */
static bool is_readable(const struct node *node)
{
    return !node->replica->repair.is_waiting && divergence_is_trusted(node->replica);
}

err node_scan_count(struct node *node, struct store_range range, uint64_t budget,
                    uint64_t *out_count)
{
    return is_readable(node)
               ? store_count(node->store, node->replica->region, range, budget, out_count)
               : ERR_DIVERGED;
}

err node_scan_open(struct node *node, const struct node_scan_options *options,
                   struct node_scan *out_scan)
{
    uint64_t revision = options->revision;
    uint64_t now = node_revision(node);
    const struct history *history = node->replica->history;
    if (!is_readable(node)) {
        return ERR_DIVERGED;
    }
    if (revision > now) {
        return ERR_BAD_REQUEST;
    }
    bool is_past = revision != 0 && revision < now;
    if (is_past && !history_covers(history, revision)) {
        return ERR_GONE;
    }
    *out_scan = (struct node_scan){.replica = node->replica};
    store_scan_open(&out_scan->present, node->store, options->range, options->is_reverse);
    if (is_past) {
        scan_past_open(&out_scan->past, history, revision, options->range, options->is_reverse);
    }
    return OK;
}

void node_scan_close(struct node_scan *scan)
{
    store_scan_close(&scan->present);
    scan_past_close(&scan->past);
}

/* The present's next key that was not told yet; empty: there is none. */
static struct slice present_key(struct node_scan *scan)
{
    if (!scan->is_ahead && scan->present_end == OK) {
        scan->present_end = store_scan_next(&scan->present);
        scan->is_ahead = scan->present_end == OK;
    }
    return scan->is_ahead ? scan->present.key : SLICE_EMPTY;
}

/* Which of the two comes first: <0 the present, 0 both, >0 the past. */
static int order_of(const struct node_scan *scan, struct slice present, struct slice past)
{
    if (present.size == 0) {
        return 1;
    }
    int order = slice_compare(present, past);
    return scan->present.is_reverse ? -order : order;
}

err node_scan_next(struct node_scan *scan)
{
    scan->key = SLICE_EMPTY;
    for (;;) {
        struct slice present = present_key(scan);
        if (scan->present_end == ERR_CORRUPT) {
            return ERR_CORRUPT;
        }
        scan->was = scan->past.count > 0 ? scan_past_peek(&scan->past) : NULL;
        if (scan->was == NULL && present.size == 0) {
            return ERR_NOT_FOUND;
        }
        int order = scan->was != NULL ? order_of(scan, present, scan->was->key) : -1;
        if (order <= 0) {
            scan->is_ahead = false;
        }
        if (order < 0) {
            scan->was = NULL;
            scan->key = present;
            return OK;
        }
        scan_past_advance(&scan->past);
        if (scan->was->has_replaced) {
            scan->key = scan->was->key;
            return OK;
        }
    }
}

void node_scan_skip(struct node_scan *scan, struct slice key)
{
    if (scan->present_end == OK) {
        store_scan_skip(&scan->present, key);
        scan->is_ahead = false;
    }
    if (scan->past.count > 0) {
        scan_past_skip(&scan->past, key);
    }
}

err node_scan_record(struct node_scan *scan, bool wants_value, struct store_record *out_record)
{
    ASSERT(scan->key.size > 0);
    if (scan->was != NULL) {
        bool is_damaged;
        const struct store_record *replaced = history_replaced(scan->was, &is_damaged);
        if (is_damaged) {
            return ERR_CORRUPT;
        }
        *out_record = *replaced;
        return OK;
    }
    err e = wants_value ? store_scan_read(&scan->present, out_record)
                        : store_scan_head(&scan->present, out_record);
    return e == ERR_CORRUPT ? mends_met(scan->replica, scan->key) : e;
}

bool node_scan_is_same(const struct node *node, struct store_range range, uint64_t revision)
{
    const struct history *history = node->replica->history;
    return revision == node_revision(node) ||
           (history_covers(history, revision) && !scan_past_has_any(history, revision, range));
}
