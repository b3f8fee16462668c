/*
 * The key in a path: whatever follows "/kv/", percent-decoded once. Any bytes; slashes and dots
 * mean themselves. 1 to KEY_SIZE_MAX bytes after decoding.
 */
#ifndef API_KEY_H
#define API_KEY_H

#include "api/problem.h"

/*
 * Decodes `raw`, which is not empty. `scratch` has room for raw.size bytes, or is NULL if there is
 * no '%' in `raw`. *out_key borrows from `scratch` or `raw`. ERR_BAD_REQUEST and ERR_KEY_TOO_LONG,
 * set in `problem`.
 */
MUST_USE err api_key_decode(struct slice raw, uint8_t *scratch, struct slice *out_key,
                            struct problem *problem);

#endif
