/*
 * The users' keys in byte order, or backwards, as they are now: active tail, frozen tail and
 * checkpoint as one, what was deleted left out.
 *
 * C1  A scan lives within one turn of the loop: nothing is applied, no checkpoint is finished while
 *     it is open. Who goes on later opens another one, at the key where this one has ended.
 * C2  Every key of the range comes once, with its newest record (I1 in store_int.h).
 * C3  Stepping looks at keys alone. What is told of a record was verified (S4): its head by
 *     store_scan_head, its value by store_scan_read.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "base/limits.h"
#include "store/store.h"

/* A bound may be one byte longer than a key: right behind a key comes that key and a zero. */
#define STORE_BOUND_SIZE_MAX (KEY_SIZE_MAX + 1u)

/* From `begin` on, up to but without `end`. Empty: there is no such bound. */
struct store_range {
    struct slice begin;
    struct slice end;
};

/* That of `key` alone. Its end is written to `target`; borrows both. */
struct store_range store_range_of_key(struct slice key, uint8_t target[STORE_BOUND_SIZE_MAX]);

struct store_tail;
struct store_tail_entry;
struct checkpoint_cursor;

/* What one tail has next. */
struct store_scan_tail {
    const struct store_tail *tail; /* NULL: there is none */
    const void *leaf;              /* forward: the place behind `entry` */
    uint32_t index;
    const struct store_tail_entry *entry; /* NULL: nothing more in the range */
};

struct store_scan {
    /* Where it stands, after OK; borrowed until the end of the turn. */
    struct slice key;
    /* Its own: */
    struct store *store;
    struct store_range range;
    bool is_reverse;
    struct store_scan_tail tails[2]; /* the newest first */
    struct checkpoint_cursor *cursor;
    struct slice cursor_key;              /* empty: nothing more in the range */
    const struct store_tail_entry *entry; /* of `key`; NULL: the checkpoint has it */
    unsigned current;                     /* bits of the sources that stand at `key` */
    err failure;
};

/*
 * Fills `scan`, which stands before the first key of the range, or if it is reverse behind the last
 * one. Borrows the bound at the far end until it is closed. Caller closes, in the same turn.
 */
void store_scan_open(struct store_scan *scan, struct store *store, struct store_range range,
                     bool is_reverse);
void store_scan_close(struct store_scan *scan);

/* To the next key. ERR_NOT_FOUND: that was all. ERR_CORRUPT: a page cannot be; final. */
MUST_USE err store_scan_next(struct store_scan *scan);
/*
 * Leaves out what lies between here and `key`: the next one is the first at or after it, or if the
 * scan is reverse the first before it. Never back.
 */
void store_scan_skip(struct store_scan *scan, struct slice key);

/*
 * The record of scan->key, its value not verified. Borrowed until the end of the turn, its owner
 * too (NULL: the checkpoint's). ERR_CORRUPT: the scan can go on.
 */
MUST_USE err store_scan_head(struct store_scan *scan, struct store_record *out_record);
/* The same, its value verified. */
MUST_USE err store_scan_read(struct store_scan *scan, struct store_record *out_record);

#endif
