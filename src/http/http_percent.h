/* Percent-encoding (RFC 3986, section 2.1). */
#ifndef HTTP_HTTP_PERCENT_H
#define HTTP_HTTP_PERCENT_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Decodes `text` once: %2541 becomes %41, and '+' stays '+'. Fills `target`, which has text.size
 * bytes; *out_bytes is the decoded part of it, any bytes, NUL included. ERR_BAD_REQUEST: a '%'
 * without two hexadecimal digits behind it.
 */
MUST_USE err http_percent_decode(struct slice text, uint8_t *target, struct slice *out_bytes);

/* The value of a hexadecimal digit, or 16. */
unsigned http_hex_value(uint8_t byte);

#endif
