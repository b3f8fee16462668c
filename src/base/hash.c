#include "base/hash.h"

#include <xxhash.h>

uint64_t hash64(struct slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

struct hash128 hash128(struct slice bytes)
{
    XXH128_hash_t hash = XXH3_128bits(bytes.data, bytes.size);
    return (struct hash128){.low = hash.low64, .high = hash.high64};
}

struct hash128 hash128_add(struct hash128 a, struct hash128 b)
{
    uint64_t low = a.low + b.low;
    uint64_t carry = low < a.low;
    return (struct hash128){.low = low, .high = a.high + b.high + carry};
}

struct hash128 hash128_subtract(struct hash128 a, struct hash128 b)
{
    uint64_t borrow = a.low < b.low;
    return (struct hash128){.low = a.low - b.low, .high = a.high - b.high - borrow};
}

bool hash128_equal(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}
