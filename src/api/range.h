/*
 * Range: bytes=… (RFC 9110, section 14). One range is served; several, other units and what cannot
 * be read are ignored, as the RFC allows: the whole is a right answer to any of them.
 */
#ifndef API_RANGE_H
#define API_RANGE_H

#include "base/buf.h"

enum range_verdict {
    RANGE_IGNORED,
    RANGE_PART,
    RANGE_UNSATISFIABLE,
};

struct range {
    uint64_t first;
    uint64_t size; /* not 0 */
};

/* What `text`, the field's value, asks of `size` bytes; fills `out_range` if it is a PART. */
enum range_verdict api_range_parse(struct slice text, uint64_t size, struct range *out_range);

#define RANGE_CONTENT_SIZE_MAX 72u /* "bytes 0-1/2", each of three numbers of 20 digits */

/* Writes the value of Content-Range, without a NUL; returns its size. `range` NULL: "*". */
size_t api_range_write(char *target, const struct range *range, uint64_t size);

#endif
