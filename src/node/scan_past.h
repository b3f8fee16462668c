/*
 * What has changed since a revision, in the order of the keys or backwards: what a scan of that
 * revision takes back of what is there now.
 *
 * P1  Each key comes once, with what stood there at the revision: its first change since then.
 * P2  It gathers the nearest keys, so many at a time: memory is bounded, whatever has changed.
 */
#ifndef NODE_SCAN_PAST_H
#define NODE_SCAN_PAST_H

#include "node/history.h"
#include "store/scan.h"

struct scan_past {
    const struct history *history;
    uint64_t revision;
    struct store_range range; /* what is still to be gathered; borrowed */
    bool is_reverse;
    bool is_whole;                        /* there is nothing behind what was gathered */
    const struct history_entry **entries; /* P2: in the order of the scan */
    uint32_t count;
    uint32_t next;
};

/* All zero is one without any. `history` covers `revision` and does not change while it is open.
 * Borrows the bound at the far end while it is. Caller closes. */
void scan_past_open(struct scan_past *past, const struct history *history, uint64_t revision,
                    struct store_range range, bool is_reverse);
void scan_past_close(struct scan_past *past);
/* The first change since the revision of the key that is next; NULL: there is none left. */
const struct history_entry *scan_past_peek(struct scan_past *past);
/* Beyond the one that peek has found. */
void scan_past_advance(struct scan_past *past);
/* Leaves out what lies between here and `key`, as store_scan_skip. */
void scan_past_skip(struct scan_past *past, struct slice key);

/* Whether any key in the range was changed since `revision`, which is covered. */
bool scan_past_has_any(const struct history *history, uint64_t revision, struct store_range range);

#endif
