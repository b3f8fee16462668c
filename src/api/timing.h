/*
 * Server-Timing (W3C), for who sends "Prefer: timing" (RFC 7240): why this request took so long.
 */
#ifndef API_TIMING_H
#define API_TIMING_H

#include "api/exchange.h"

struct timing_row {
    const char *name; /* a token, static */
    uint32_t us;      /* 0: not known, and not said */
};

#define TIMING_ROWS_MAX 8u

/*
 * Adds the fields Server-Timing, with `rows` and the total so far, in milliseconds, and
 * Preference-Applied; nothing if nobody asked.
 */
void api_timing_add(struct exchange *x, const struct timing_row *rows, size_t row_count);

#endif
