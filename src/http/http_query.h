/*
 * The parameters of a query, "name=value&flag&…", one after the other.
 *
 *     struct http_query query = http_query_of(http_query(request), http_alloc(request, size));
 *     struct http_parameter parameter;
 *     while (http_query_next(&query, &parameter)) { … }
 *     err e = http_query_finish(&query);
 *
 * Names and values are percent-decoded exactly once. A '+' stays a plus: curl's users write what
 * they mean, and a form's space is not a plus in a path either. Empty parts ("a&&b") are passed
 * over.
 */
#ifndef HTTP_HTTP_QUERY_H
#define HTTP_HTTP_QUERY_H

#include "base/buf.h"
#include "base/err.h"

struct http_query {
    struct slice rest;
    uint8_t *memory; /* where the next decoded bytes go */
    bool has_failed;
};

struct http_parameter {
    struct slice name;
    struct slice value; /* empty if there is none */
    bool has_value;     /* "x=" has one, "x" has none */
};

/*
 * Starts at the front of `query`. Borrows it; `memory` has query.size bytes and is borrowed, too.
 */
struct http_query http_query_of(struct slice query, uint8_t *memory);

/* The next parameter, in the query's memory; false at the end, or after a bad escape. */
bool http_query_next(struct http_query *query, struct http_parameter *out_parameter);

/* After false: OK, or ERR_BAD_REQUEST if a bad escape ended the walk. */
MUST_USE err http_query_finish(const struct http_query *query);

#endif
