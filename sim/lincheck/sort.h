/* Sorting indices by 64-bit numbers, in linear time. */
#ifndef LINCHECK_SORT_H
#define LINCHECK_SORT_H

#include <stddef.h>
#include <stdint.h>

struct lincheck_rank {
    uint64_t key;
    uint32_t index;
};

/* Sorts `ranks` by key; equal ones keep their order. `scratch` has room for as many. Borrows both.
 * O(count): bytes in which no two keys differ cost nothing, nor does what is sorted already. */
void lincheck_sort(struct lincheck_rank *ranks, struct lincheck_rank *scratch, size_t count);

#endif
