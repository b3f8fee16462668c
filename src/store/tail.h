/*
 * The tail: what was applied since the last checkpoint, in memory, ordered by key. Each key has its
 * newest record or a tombstone. A B+tree that only ever grows, its nodes and keys in an arena;
 * values stay in the log entries' bufs, of which the tail holds one reference each.
 *
 * T1  Keys are unique and in byte order; every leaf but the last points to the one after it.
 * T2  A frozen tail does not change: the checkpointer reads it on its own thread while the loop
 *     reads it too. Reading touches no reference count.
 * T3  store_tail_bytes is what the tail really keeps from the heap: its arena and every buf it
 *     holds, whole (a value of one byte keeps all of its entry).
 */
#ifndef STORE_TAIL_H
#define STORE_TAIL_H

#include "store/store.h"

struct store_tail;

/* One key. Stands at its place until the tail goes. */
struct store_tail_entry {
    struct store_record record; /* sealed; its owner is the tail's reference. Zero in a tombstone */
    bool is_tombstone;
    uint16_t key_size;
    uint8_t key[];
};

/* An empty tail. Caller frees, or drains and then frees. */
struct store_tail *store_tail_new(void);
/* Gives everything back at once; accepts NULL. */
void store_tail_free(struct store_tail *tail);
/*
 * Gives back a part of a tail that nobody reads any more, so that dropping a large one does not
 * hold up the loop: a step is an entry, a block, or another 64 KiB of a large value, about 0.5 µs.
 * True when nothing but the handle is left.
 */
bool store_tail_drain(struct store_tail *tail, size_t steps);

/* No more changes (T2). */
void store_tail_freeze(struct store_tail *tail);

/* Puts `record`, sealed, in the place of what stood under `key`; shares record->owner. */
void store_tail_put(struct store_tail *tail, struct slice key, const struct store_record *record);
/* Puts a tombstone in the place of what stood under `key`. */
void store_tail_delete(struct store_tail *tail, struct slice key);

/* The entry under `key`, a tombstone too; NULL: the tail does not know the key. Borrowed. */
const struct store_tail_entry *store_tail_get(const struct store_tail *tail, struct slice key);

/*
 * Has what finding these keys reads brought into the processor's caches, for all of them at once:
 * one wait for memory instead of several for each. Changes nothing. At most STORE_PREFETCH_MAX.
 */
void store_tail_prefetch(const struct store_tail *tail, const struct slice *keys, uint32_t count);

/* A place between two entries. A change of the tail invalidates it. */
struct store_tail_cursor {
    const void *leaf;
    uint32_t index;
};

/* The place before the first entry at or after `from`; SLICE_EMPTY: before all. */
struct store_tail_cursor store_tail_seek(const struct store_tail *tail, struct slice from);
/* The next entry in byte order, or NULL at the end. Borrowed. */
const struct store_tail_entry *store_tail_next(struct store_tail_cursor *cursor);
/* The last entry before `to`; SLICE_EMPTY: the last of all. NULL: there is none. Borrowed. */
const struct store_tail_entry *store_tail_before(const struct store_tail *tail, struct slice to);

/* Bytes kept from the heap (T3). */
uint64_t store_tail_bytes(const struct store_tail *tail);
/* Keys, tombstones included. */
uint64_t store_tail_count(const struct store_tail *tail);

/* ---- of both spaces ---- */

/* The tails of one time, by enum store_space: all of them, or none (all NULL). */
struct store_tails {
    struct store_tail *of[STORE_SPACES];
};

static inline bool store_tails_are_there(const struct store_tails *tails)
{
    return tails->of[STORE_SPACE_USER] != NULL;
}

/* Empty ones. Caller frees, or drains. */
struct store_tails store_tails_new(void);
/* Gives everything back at once: afterwards there are none. */
void store_tails_free(struct store_tails *tails);
/* As store_tail_drain, a space after the other. True: there are none any more. */
bool store_tails_drain(struct store_tails *tails, size_t steps);
/* No more changes to any. */
void store_tails_freeze(struct store_tails *tails);
/* Bytes and keys of all of them; 0 if there are none. */
uint64_t store_tails_bytes(const struct store_tails *tails);
uint64_t store_tails_count(const struct store_tails *tails);

#endif
