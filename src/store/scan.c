#include "store/scan.h"

#include <string.h>

#include "base/assert.h"
#include "store/checkpoint_cursor.h"
#include "store/record.h"
#include "store/store_int.h"

struct store_range store_range_of_key(struct slice key, uint8_t target[STORE_BOUND_SIZE_MAX])
{
    ASSERT(key.size <= KEY_SIZE_MAX);
    memcpy(target, key.data, key.size);
    target[key.size] = 0;
    return (struct store_range){key, {target, key.size + 1}};
}

#define CHECKPOINT_BIT (1u << ARRAY_COUNT(((struct store_scan *)NULL)->tails))

static bool is_within(const struct store_scan *scan, struct slice key)
{
    struct slice bound = scan->is_reverse ? scan->range.begin : scan->range.end;
    if (bound.size == 0) {
        return true;
    }
    int order = slice_compare(key, bound);
    return scan->is_reverse ? order >= 0 : order < 0;
}

/* ---- the sources ---- */

static struct slice entry_key(const struct store_tail_entry *entry)
{
    return entry != NULL ? (struct slice){entry->key, entry->key_size} : SLICE_EMPTY;
}

static void tail_keep_within(const struct store_scan *scan, struct store_scan_tail *source)
{
    if (source->entry != NULL && !is_within(scan, entry_key(source->entry))) {
        source->entry = NULL;
    }
}

static void tail_step(const struct store_scan *scan, struct store_scan_tail *source)
{
    if (scan->is_reverse) {
        source->entry = store_tail_before(source->tail, entry_key(source->entry));
    } else {
        struct store_tail_cursor cursor = {source->leaf, source->index};
        source->entry = store_tail_next(&cursor);
        source->leaf = cursor.leaf;
        source->index = cursor.index;
    }
    tail_keep_within(scan, source);
}

static void tail_seek(const struct store_scan *scan, struct store_scan_tail *source)
{
    if (source->tail == NULL) {
        return;
    }
    if (scan->is_reverse) {
        source->entry = store_tail_before(source->tail, scan->range.end);
        tail_keep_within(scan, source);
        return;
    }
    struct store_tail_cursor cursor = store_tail_seek(source->tail, scan->range.begin);
    source->leaf = cursor.leaf;
    source->index = cursor.index;
    tail_step(scan, source);
}

static void cursor_move(struct store_scan *scan, enum checkpoint_move move, struct slice key)
{
    struct slice found;
    err e = store_checkpoint_cursor_move(scan->cursor, move, key, &found);
    scan->cursor_key = e == OK && is_within(scan, found) ? found : SLICE_EMPTY;
    if (e == ERR_CORRUPT) {
        scan->failure = e;
    }
}

/* All sources to the near end of the range, which counts no more from then on. */
static void seek(struct store_scan *scan)
{
    scan->current = 0;
    for (size_t i = 0; i < ARRAY_COUNT(scan->tails); i++) {
        tail_seek(scan, &scan->tails[i]);
    }
    if (scan->failure == OK) {
        bool is_reverse = scan->is_reverse;
        cursor_move(scan, is_reverse ? CHECKPOINT_MOVE_BEFORE : CHECKPOINT_MOVE_AT,
                    is_reverse ? scan->range.end : scan->range.begin);
    }
    *(scan->is_reverse ? &scan->range.end : &scan->range.begin) = SLICE_EMPTY;
}

/* Those that stand at the key which was told last go on. */
static void leave_current(struct store_scan *scan)
{
    for (size_t i = 0; i < ARRAY_COUNT(scan->tails); i++) {
        if ((scan->current & 1u << i) != 0) {
            tail_step(scan, &scan->tails[i]);
        }
    }
    if ((scan->current & CHECKPOINT_BIT) != 0) {
        cursor_move(scan, scan->is_reverse ? CHECKPOINT_MOVE_BACK : CHECKPOINT_MOVE_NEXT,
                    SLICE_EMPTY);
    }
    scan->current = 0;
}

/* `key` is of the source `bit`; an older one's counts only before all newer ones'. */
static void offer(struct store_scan *scan, struct slice key, const struct store_tail_entry *entry,
                  unsigned bit)
{
    if (key.size == 0) {
        return;
    }
    int order = scan->current != 0 ? slice_compare(key, scan->key) : -1;
    if (scan->is_reverse && scan->current != 0) {
        order = -order;
    }
    if (order < 0) {
        scan->key = key;
        scan->entry = entry;
        scan->current = bit;
    } else if (order == 0) {
        scan->current |= bit;
    }
}

/* ---- the interface ---- */

void store_scan_open(struct store_scan *scan, struct store *store, struct store_range range,
                     bool is_reverse)
{
    ASSERT(range.begin.size <= STORE_BOUND_SIZE_MAX);
    ASSERT(range.end.size <= STORE_BOUND_SIZE_MAX);
    *scan = (struct store_scan){.store = store, .range = range, .is_reverse = is_reverse};
    scan->tails[0].tail = store->active.of[STORE_SPACE_USER];
    scan->tails[1].tail = store->frozen.of[STORE_SPACE_USER];
    scan->failure = store_checkpoint_cursor_open(store->checkpoint, &scan->cursor);
    seek(scan);
}

void store_scan_close(struct store_scan *scan)
{
    store_checkpoint_cursor_close(scan->cursor);
    *scan = (struct store_scan){.failure = ERR_CLOSED};
}

err store_scan_next(struct store_scan *scan)
{
    do {
        leave_current(scan);
        if (scan->failure != OK) {
            return scan->failure;
        }
        for (size_t i = 0; i < ARRAY_COUNT(scan->tails); i++) {
            const struct store_tail_entry *entry = scan->tails[i].entry;
            offer(scan, entry_key(entry), entry, 1u << i);
        }
        offer(scan, scan->cursor_key, NULL, CHECKPOINT_BIT);
        if (scan->current == 0) {
            return ERR_NOT_FOUND;
        }
    } while (scan->entry != NULL && scan->entry->is_tombstone);
    return OK;
}

void store_scan_skip(struct store_scan *scan, struct slice key)
{
    ASSERT(key.size > 0);
    ASSERT(key.size <= STORE_BOUND_SIZE_MAX);
    if (scan->is_reverse) {
        scan->range.end = key;
    } else {
        scan->range.begin = key;
    }
    seek(scan);
}

err store_scan_head(struct store_scan *scan, struct store_record *out_record)
{
    ASSERT(scan->current != 0);
    if (scan->entry != NULL) {
        *out_record = scan->entry->record;
        return OK;
    }
    struct slice bytes;
    err e = store_checkpoint_cursor_bytes(scan->cursor, &bytes);
    if (e == OK) {
        e = store_record_decode(bytes, scan->key, out_record);
    }
    if (e == ERR_CORRUPT) {
        scan->store->stats.corrupt_records++;
    }
    return e;
}

err store_scan_read(struct store_scan *scan, struct store_record *out_record)
{
    struct store_record record;
    err e = store_scan_head(scan, &record);
    if (e == OK && record.owner == NULL) {
        e = store_record_verify(&record, scan->key);
        scan->store->stats.corrupt_records += e == ERR_CORRUPT;
    }
    if (e == OK) {
        *out_record = record;
    }
    return e;
}
