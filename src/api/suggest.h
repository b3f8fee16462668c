/*
 * "Did you mean …?": which of our names a wrong one was meant to be. All of ours are offered; what
 * is meant is a typing mistake, or the beginning of just one of them.
 */
#ifndef API_SUGGEST_H
#define API_SUGGEST_H

#include "base/buf.h"

#define SUGGEST_NAME_SIZE_MAX 64u

/*
 * The optimal string alignment distance: how many insertions, removals, replacements and swaps of
 * neighbours turn `a` into `b`. Names longer than SUGGEST_NAME_SIZE_MAX are at distance UINT_MAX.
 */
unsigned api_suggest_distance(struct slice a, struct slice b);

/* All zero but for `name` at first. */
struct suggest {
    struct slice name;  /* what was given; borrowed */
    const char *near;   /* the nearest of those that a typing mistake makes of it, or NULL */
    unsigned distance;  /* of that */
    const char *longer; /* one that begins with it, or NULL */
    unsigned longer_count;
};

/* One of the names that there are; the first of several that are equally near wins. Borrows `known`
 * as long as `suggest` lives. */
void api_suggest_offer(struct suggest *suggest, const char *known);
/* Which one was meant, or NULL. A beginning that several have is nobody's. */
const char *api_suggest_meant(const struct suggest *suggest);

#endif
