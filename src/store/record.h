/*
 * The record as it stands in LMDB under its key, byte by byte in README.md: a fixed head, the
 * content type, the value. Two CRCs, so that applying need not read a large value to replace it:
 * the head's covers everything but the value, and the value's CRC itself.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "store/store.h"

#define STORE_RECORD_HEAD_SIZE 56u

/* Works out record->value_crc; the rest must be final. Reads the whole value once. */
void store_record_seal(struct store_record *record, struct slice key);

/* Bytes of the encoding. */
size_t store_record_size(const struct store_record *record);

/* Encodes a sealed record into `target`, which has room for store_record_size. Any thread. */
void store_record_encode(const struct store_record *record, struct slice key, uint8_t *target);

/*
 * Decodes what stands under `key` and verifies all but the value: out_record's slices borrow from
 * `bytes`, its owner is NULL. ERR_CORRUPT.
 */
MUST_USE err store_record_decode(struct slice bytes, struct slice key,
                                 struct store_record *out_record);

/* The same, of a record that must be of `space`. ERR_CORRUPT. */
MUST_USE err store_record_decode_in(struct slice bytes, enum store_space space, struct slice key,
                                    struct store_record *out_record);

/* Verifies the value: reads all of it. ERR_CORRUPT. */
MUST_USE err store_record_verify(const struct store_record *record, struct slice key);

/* Whether it may stand in the space: its flags say so. */
static inline bool store_record_is_of(const struct store_record *record, enum store_space space)
{
    return ((record->flags & STORE_RECORD_SYSTEM) != 0) == (space == STORE_SPACE_SYSTEM);
}

/* What a sealed record adds to the region's state hash. Does not read the value. */
struct hash128 store_record_hash(const struct store_record *record, struct slice key);

#endif
