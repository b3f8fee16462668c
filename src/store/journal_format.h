/*
 * The changes of a region as they stand on the disk: blocks of whole revisions, each by itself
 * whole or worth nothing. Byte by byte in README.md.
 */
#ifndef STORE_JOURNAL_FORMAT_H
#define STORE_JOURNAL_FORMAT_H

#include "base/codec.h"
#include "store/store.h"

#define STORE_JOURNAL_HEADER_SIZE 16u
#define STORE_JOURNAL_BLOCK_HEAD_SIZE 8u

/* What a file begins with. */
void store_journal_header_encode(region_id region, uint8_t target[STORE_JOURNAL_HEADER_SIZE]);
/* Whether `bytes` begins so. */
bool store_journal_header_is(struct slice bytes, region_id region);

/* ---- writing; any thread ---- */

/* Begins a block in an empty writer: what has changed after revision `after`. */
void store_journal_block_begin(struct writer *block, uint64_t after);
/* One more change. Its records are sealed. */
void store_journal_block_add(struct writer *block, const struct store_change *change);
/* Ends it: there is nothing else up to revision `through`. */
void store_journal_block_end(struct writer *block, uint64_t through);

/* ---- reading ---- */

struct store_journal_block {
    uint64_t after;
    uint64_t through;
    struct reader changes; /* that are still to come */
    uint64_t revision;     /* of the last one; at first `after` */
};

/*
 * The block at the beginning of `bytes`, which it borrows, and how many bytes it has.
 * ERR_NOT_FOUND: there are no bytes. ERR_CORRUPT: it is torn or damaged.
 */
MUST_USE err store_journal_block_open(struct slice bytes, struct store_journal_block *out_block,
                                      size_t *out_size);

/* A change, and where its records are, if it has them. */
struct store_journal_change {
    struct store_change change;
    struct store_record record;   /* its owner is a buf of its own: caller unrefs */
    struct store_record replaced; /* without an owner: its value is not verified */
};

/*
 * The next change; change.key and what was replaced are borrowed from the block.
 * ERR_NOT_FOUND: that was all. ERR_CORRUPT.
 */
MUST_USE err store_journal_block_next(struct store_journal_block *block,
                                      struct store_journal_change *out);

#endif
