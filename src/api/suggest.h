/* "Did you mean …?": which of our names a misspelled one was meant to be. */
#ifndef API_SUGGEST_H
#define API_SUGGEST_H

#include "base/buf.h"

#define SUGGEST_NAME_SIZE_MAX 64u

/*
 * The optimal string alignment distance: how many insertions, removals, replacements and swaps of
 * neighbours turn `a` into `b`. Names longer than SUGGEST_NAME_SIZE_MAX are at distance UINT_MAX.
 */
unsigned api_suggest_distance(struct slice a, struct slice b);

#endif
