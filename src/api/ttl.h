/* Times to live, and leases, as clients write them. */
#ifndef API_TTL_H
#define API_TTL_H

#include "api/problem.h"

#define TTL_TEXT_SIZE 24u
#define LEASE_TEXT_SIZE 16u

/*
 * "30s", "500ms", "2h"; "0" or "0s": none. `what` names it in the problem, such as "ttl".
 * ERR_BAD_REQUEST, set in `problem`.
 */
MUST_USE err api_ttl_parse(struct slice text, const char *what, uint64_t *out_ms,
                           struct problem *problem);
/* A header field's: a number of seconds, such as "30" or "0.5", or what api_ttl_parse takes. */
MUST_USE err api_ttl_parse_seconds(struct slice text, const char *what, uint64_t *out_ms,
                                   struct problem *problem);
/* Seconds with milliseconds, "12.345", without a NUL; returns the bytes written. */
size_t api_ttl_write(char target[TTL_TEXT_SIZE], uint64_t ms);

/* A lease's id: up to 16 hex digits, not 0. ERR_BAD_REQUEST, set in `problem`. */
MUST_USE err api_lease_parse(struct slice text, uint64_t *out_lease, struct problem *problem);

#endif
