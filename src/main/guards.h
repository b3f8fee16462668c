/* What a write of a key may be done under, as the flags of several commands say it. */
#ifndef MAIN_GUARDS_H
#define MAIN_GUARDS_H

#include "main/draft.h"

/* NULL: not given. */
struct guards {
    const char *if_match;
    const char *if_none_match;
    const char *prev;
    const char *fence;
};

/* Adds what was given to a request. */
void main_guards_draft(const struct guards *guards, struct draft *draft);

#endif
