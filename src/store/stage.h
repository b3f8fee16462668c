/*
 * What a transaction has changed so far, beside the applied state and before it: its own operations
 * see it, nobody else does. Taken over as a whole, or dropped.
 *
 * G1  Whatever is read while applying has to be whole: a record that is damaged in what is needed
 *     of it ends the process, as this replica cannot apply what the others apply.
 */
#ifndef STORE_STAGE_H
#define STORE_STAGE_H

#include "store/store_int.h"
#include "store/system.h"

struct stage {
    struct store *store;
    struct store_tails changes; /* of a space without changes: NULL */
};

/* An empty one, in caller's storage. */
void stage_init(struct stage *stage, struct store *store);
/* Drops all changes. */
void stage_reset(struct stage *stage);
bool stage_is_empty(const struct stage *stage);

/* The record as the transaction sees it; false: there is none. Its slices are borrowed until the
 * next change of the same key. The value is verified only if `needs_value`. */
bool stage_find(const struct stage *stage, enum store_space space, struct slice key,
                bool needs_value, struct store_record *out_record);
/* The first record at or after `from`, its key in `out_key`, which `from` may lie in; false:
 * there is none. As above, and the value is not verified. */
bool stage_next(const struct stage *stage, enum store_space space, struct slice from,
                struct system_key *out_key, struct store_record *out_record);

/* Puts the record, which has an owner and is not sealed yet. Shares the owner. */
void stage_put(struct stage *stage, enum store_space space, struct slice key,
               struct store_record *record);
void stage_delete(struct stage *stage, enum store_space space, struct slice key);

#endif
