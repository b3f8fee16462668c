/*
 * Entity tags: a key's is its modification revision in quotes (RFC 9110, section 8.8.3). A body
 * that was compressed for an answer has a tag of its own, "42-gzip"; who sends that one back has
 * seen the same value, so it counts as "42" wherever tags are compared.
 */
#ifndef API_ETAG_H
#define API_ETAG_H

#include "base/buf.h"

#define ETAG_SIZE_MAX 27u

enum etag_comparison {
    ETAG_STRONG, /* If-Match: W/"1" matches nothing */
    ETAG_WEAK,   /* If-None-Match: W/"1" matches "1" */
};

/* Writes "REVISION" with its quotes, without a NUL; returns the bytes written. */
size_t api_etag_write(char *target, uint64_t revision);
/* The same of the compressed form: "REVISION-gzip". */
size_t api_etag_write_gzip(char *target, uint64_t revision);
/* Whether `list`, the value of If-Match or If-None-Match, is "*" or has `etag` in it. */
bool api_etag_list_has(struct slice list, struct slice etag, enum etag_comparison comparison);

#endif
