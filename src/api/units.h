/*
 * Numbers as people write them: durations and sizes with their unit, in queries, flags and files.
 */
#ifndef API_UNITS_H
#define API_UNITS_H

#include "base/buf.h"
#include "base/err.h"

#define UNITS_TEXT_SIZE 32u

/* Decimal digits and nothing else. ERR_BAD_REQUEST, also when it does not fit. */
MUST_USE err api_units_parse_u64(struct slice text, uint64_t *out_value);
/* The same with a "-" before it, if need be: from -2^63 to 2^63 - 1. Same error. */
MUST_USE err api_units_parse_i64(struct slice text, int64_t *out_value);
/* "500ms", "5s", "2m", "1h": the unit is required. Same error. */
MUST_USE err api_units_parse_duration(struct slice text, uint64_t *out_ms);
/* "4096", "64KiB", "8MiB", "1GiB", "1TiB". Same error. */
MUST_USE err api_units_parse_size(struct slice text, uint64_t *out_bytes);

/* The shortest text that parses back to the value: "5s", "8MiB"; NUL-terminated. */
void api_units_format_duration(uint64_t ms, char target[UNITS_TEXT_SIZE]);
void api_units_format_size(uint64_t bytes, char target[UNITS_TEXT_SIZE]);

#endif
