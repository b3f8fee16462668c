/* Patterns of keys: '*' is any bytes, '?' one byte, and '\' takes its meaning from what follows. */
#ifndef API_LIST_GLOB_H
#define API_LIST_GLOB_H

#include "base/buf.h"

/* Whether all of `key` is as `pattern` says. Costs at most their sizes multiplied. */
bool api_list_glob_matches(struct slice pattern, struct slice key);

/*
 * What every key that matches begins with: up to the first '*', '?' or '\'. A view of `pattern`.
 */
struct slice api_list_glob_prefix(struct slice pattern);

#endif
