/*
 * Idempotency keys at work at this node: a second request with the same key, while the first is not
 * answered, is told to come again (409). It is bounded by the requests at work, each of which has
 * at most one. Across nodes the log decides: both get the same answer.
 */
#ifndef API_INFLIGHT_H
#define API_INFLIGHT_H

#include "base/buf.h"
#include "base/list.h"

#define INFLIGHT_BUCKETS 1024u

struct inflight {
    uint64_t seed; /* nobody can aim at one bucket */
    uint64_t count;
    struct list buckets[INFLIGHT_BUCKETS];
};

/* A field of its owner; all zero: it is in no table. */
struct inflight_entry {
    struct list link;
    struct slice key; /* borrowed */
};

/* Fills caller's storage with an empty table; needs no freeing. */
void api_inflight_init(struct inflight *inflight, uint64_t seed);
/* Puts `entry` in, unless its key is there already: false. */
bool api_inflight_begin(struct inflight *inflight, struct inflight_entry *entry, struct slice key);
/* Takes it out; what is in no table stays so. */
void api_inflight_end(struct inflight *inflight, struct inflight_entry *entry);

#endif
