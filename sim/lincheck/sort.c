/* Radix sort, the lowest byte first. */
#include "lincheck/sort.h"

#include <stdbool.h>
#include <string.h>

#define BYTES 8u
#define VALUES 256u

static bool is_sorted(const struct lincheck_rank *ranks, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (ranks[i - 1].key > ranks[i].key) {
            return false;
        }
    }
    return true;
}

static unsigned byte_of(uint64_t key, unsigned byte)
{
    return (unsigned)(key >> 8 * byte) & (VALUES - 1);
}

/* Turns the counts of a byte's values into the places where each value begins; false: all keys have
 * one value there. */
static bool places_of(size_t counts[VALUES], size_t count)
{
    size_t place = 0;
    for (unsigned value = 0; value < VALUES; value++) {
        size_t here = counts[value];
        if (here == count) {
            return false;
        }
        counts[value] = place;
        place += here;
    }
    return true;
}

void lincheck_sort(struct lincheck_rank *ranks, struct lincheck_rank *scratch, size_t count)
{
    if (is_sorted(ranks, count)) {
        return;
    }
    size_t counts[BYTES][VALUES] = {{0}};
    for (size_t i = 0; i < count; i++) {
        for (unsigned byte = 0; byte < BYTES; byte++) {
            counts[byte][byte_of(ranks[i].key, byte)]++;
        }
    }
    struct lincheck_rank *from = ranks;
    struct lincheck_rank *to = scratch;
    for (unsigned byte = 0; byte < BYTES; byte++) {
        if (!places_of(counts[byte], count)) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            to[counts[byte][byte_of(from[i].key, byte)]++] = from[i];
        }
        struct lincheck_rank *swap = from;
        from = to;
        to = swap;
    }
    if (from != ranks) {
        memcpy(ranks, from, count * sizeof(ranks[0]));
    }
}
