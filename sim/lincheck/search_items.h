/*
 * The operations of one key as the search wants them: which value each read needs, until when each
 * has to have happened, and which need not have happened at all.
 *
 * I1  What a read found was written before the read returned: a write returns, as far as the search
 *     is concerned, with the first read that found its value. So a write of unknown outcome that
 *     was seen is a write like any other.
 * I2  What is left of unknown outcomes, writes that nobody saw, is *free*: it need not happen, and
 *     may happen whenever. Free puts are alike but for their invocation, so they are used in that
 *     order or not at all; free deletes too.
 * I3  A value is the index of the item that wrote it, plus one; 0 is none.
 */
#ifndef LINCHECK_SEARCH_ITEMS_H
#define LINCHECK_SEARCH_ITEMS_H

#include "lincheck/key_search.h"
#include "lincheck/table.h"

#define LINCHECK_ITEM_NONE UINT32_MAX

struct lincheck_item {
    uint64_t invoked;
    uint64_t returned;  /* I1 */
    uint64_t last_read; /* of a put: when the last read that found its value was invoked; or 0 */
    uint32_t op;        /* index in the history */
    uint32_t value;     /* I3: what a put writes, what a get found */
    uint32_t reads;     /* of a put: reads of its value that are not in the order yet */
    uint32_t next;      /* by invocation, among those that are not in the order and not free */
    uint32_t prev;
    uint32_t return_position; /* in `returns` */
    enum lincheck_kind kind;
    enum lincheck_existed existed;
    bool is_free;
    bool is_placed; /* it is in the order */
};

struct lincheck_items {
    struct lincheck_item *items; /* by invocation */
    uint32_t *returns;           /* items that are not free, by return */
    uint32_t *free_puts;         /* by invocation */
    uint32_t *free_deletes;
    struct lincheck_table values; /* value as written to item */
    uint32_t count;
    uint32_t return_count;
    uint32_t free_put_count;
    uint32_t free_delete_count;
    uint32_t head;     /* of the list by `next`, or LINCHECK_ITEM_NONE */
    bool has_deletes;  /* one that may have met a value */
    uint32_t capacity; /* of each array */
};

/* Frees the memory and leaves none. */
void lincheck_items_deinit(struct lincheck_items *items);

/*
 * Fills `items` (all zero, or of an earlier key) from `ops`. Undecided if two writes have one
 * value, illegal if a read found what nobody wrote or had begun to write, legal otherwise; fills
 * `result` unless it is legal. Borrows `ops`.
 */
enum lincheck_verdict lincheck_items_prepare(struct lincheck_items *items,
                                             const struct lincheck_key_ops *ops,
                                             struct lincheck_result *result);

#endif
