/*
 * Preconditions of a read (RFC 9110, section 13), in their order: If-Match, or else
 * If-Unmodified-Since; then If-None-Match, or else If-Modified-Since; then If-Range. Dates have
 * whole seconds, so they compare by the second; one that cannot be read is no condition.
 */
#ifndef API_PRECONDITION_H
#define API_PRECONDITION_H

#include "base/buf.h"
#include "http/http.h"

enum precondition {
    PRECONDITION_HOLDS,
    PRECONDITION_FAILED,    /* 412 */
    PRECONDITION_UNCHANGED, /* 304 */
};

/* What the conditions are compared with. */
struct validators {
    struct slice etag;    /* of the value as it is stored; the compressed form's counts as well */
    uint64_t modified_ms; /* wall clock */
    uint64_t version;     /* 1: never changed since it was made */
};

/* The names that this file looks for, but for If-Range: for http_may_have. */
#define PRECONDITION_NAMES                                                                         \
    (HTTP_NAME_BIT("If-Match") | HTTP_NAME_BIT("If-None-Match") |                                  \
     HTTP_NAME_BIT("If-Modified-Since") | HTTP_NAME_BIT("If-Unmodified-Since"))

/* Of a GET or HEAD of something that is there. */
enum precondition api_precondition_of_read(const struct http_request *request,
                                           const struct validators *validators);
/*
 * Whether Range counts: there is no If-Range, or it names what is there now. A tag is compared
 * strongly, and only the stored form's will do. A date could not tell two changes within its second
 * apart, so it counts only for what was never changed.
 */
bool api_precondition_range(const struct http_request *request,
                            const struct validators *validators);

#endif
