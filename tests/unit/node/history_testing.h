/* What a history says of the past, by a look at every change: for the tests of what it keeps. */
#ifndef HISTORY_TESTING_H
#define HISTORY_TESTING_H

#include "node/history.h"

enum was {
    WAS_SAME, /* it was not changed since */
    WAS_ABSENT,
    WAS_RECORD,
    WAS_DAMAGED,
};

/* What stood under `key` at `revision`, which is covered. */
static inline enum was was_at(const struct history *history, uint64_t revision, struct slice key,
                              struct store_record *out_record)
{
    uint64_t end = history_end(history);
    for (uint64_t number = history_find(history, revision); number < end; number++) {
        const struct history_entry *entry = history_at_number(history, number);
        if (slice_equal(entry->key, key)) {
            bool is_damaged;
            const struct store_record *replaced = history_replaced(entry, &is_damaged);
            if (replaced == NULL) {
                return is_damaged ? WAS_DAMAGED : WAS_ABSENT;
            }
            *out_record = *replaced;
            return WAS_RECORD;
        }
    }
    return WAS_SAME;
}

#endif
