/*
 * A place among the checkpoint's keys, for reading them in order or backwards, within one turn of
 * the loop: what a checkpoint or a map that grows changes, a cursor does not outlive.
 */
#ifndef STORE_CHECKPOINT_CURSOR_H
#define STORE_CHECKPOINT_CURSOR_H

#include "store/checkpoint.h"

struct checkpoint_cursor;

enum checkpoint_move {
    CHECKPOINT_MOVE_AT,     /* to the first key at or after the given one; empty: the first */
    CHECKPOINT_MOVE_BEFORE, /* to the last key before the given one; empty: the last */
    CHECKPOINT_MOVE_NEXT,   /* the given key is not looked at */
    CHECKPOINT_MOVE_BACK,   /* likewise */
};

/* Opens a cursor that stands nowhere. Caller closes, in the same turn. ERR_CORRUPT. */
MUST_USE err store_checkpoint_cursor_open(struct checkpoint *checkpoint,
                                          struct checkpoint_cursor **out_cursor);
void store_checkpoint_cursor_close(struct checkpoint_cursor *cursor); /* NULL: no-op */

/*
 * Moves; *out_key is borrowed as of store_checkpoint_get, not only until the next move.
 * ERR_NOT_FOUND: there is none, and no place any more. ERR_CORRUPT (a page cannot be): final.
 */
MUST_USE err store_checkpoint_cursor_move(struct checkpoint_cursor *cursor,
                                          enum checkpoint_move move, struct slice key,
                                          struct slice *out_key);
/* The record's bytes at its place; borrowed likewise. ERR_CORRUPT. */
MUST_USE err store_checkpoint_cursor_bytes(struct checkpoint_cursor *cursor,
                                           struct slice *out_bytes);

#endif
