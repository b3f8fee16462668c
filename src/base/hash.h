/* xxHash: 64 bits for tables, 128 bits for the state hash. Not for secrets. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/buf.h"

struct hash128 {
    uint64_t low;
    uint64_t high;
};

/* The XXH3 hash of 64 bits. */
uint64_t hash64(struct slice bytes, uint64_t seed);
/* The XXH3 hash of 128 bits. */
struct hash128 hash128(struct slice bytes);

/* Sums and differences modulo 2^128: a multiset hash that does not depend on the order. */
struct hash128 hash128_add(struct hash128 a, struct hash128 b);
struct hash128 hash128_subtract(struct hash128 a, struct hash128 b);
bool hash128_equal(struct hash128 a, struct hash128 b);

#endif
