/* Histories of a store that is right, for tests and for measuring. */
#ifndef LINCHECK_GENERATE_H
#define LINCHECK_GENERATE_H

#include "lincheck/lincheck.h"

struct lincheck_load {
    uint64_t seed;
    size_t op_count;
    unsigned client_count; /* at least 1 */
    unsigned key_count;    /* at least 1 */
    unsigned unknown_per_mille;
};

/*
 * Fills `history`, an empty one, with operations that each happened at one instant, between an
 * invocation and a return that lie at random around it; `client_count` of them run at a time.
 * Unknown ones happened later than others, or never. Carries the applied log, complete.
 */
void lincheck_generate(const struct lincheck_load *load, struct lincheck_history *history);

#endif
