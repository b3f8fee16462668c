/* Records for the subjects of the store: sealed, each with a buf of its own. */
#ifndef MICRO_RECORDS_H
#define MICRO_RECORDS_H

#include "micro.h"
#include "store/record.h"

/* A new record of `key` as its first revision. Caller unrefs record.owner. */
static inline struct store_record micro_record(struct slice key, struct prng *prng)
{
    struct buf *owner = micro_bytes(prng, MICRO_VALUE_SIZE);
    struct store_record record = {
        .owner = owner,
        .value = buf_slice(owner),
        .create_revision = 1,
        .mod_revision = 1,
        .version = 1,
        .modified_ms = 1,
    };
    store_record_seal(&record, key);
    return record;
}

#endif
