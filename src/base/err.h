/*
 * The one list of errors: what "the world says no" can be. Each carries the HTTP status and the
 * problem slug under which a client sees it, and what it says about the request's outcome.
 *
 * OUTCOME_NOT_APPLIED: nothing happened, a retry is safe. OUTCOME_UNKNOWN: it may yet happen.
 * Errors that no client sees directly (files, peers) have status 500 and slug "internal".
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* X(name, http status, slug, title, outcome) */
#define ERR_LIST(X)                                                                                \
    X(ERR_REDIRECT, 307, "redirect", "The leader is elsewhere", NOT_APPLIED)                       \
    X(ERR_BAD_REQUEST, 400, "bad-request", "Bad request", NOT_APPLIED)                             \
    X(ERR_UNAUTHENTICATED, 401, "unauthenticated", "Not authenticated", NOT_APPLIED)               \
    X(ERR_FORBIDDEN, 403, "forbidden", "Forbidden", NOT_APPLIED)                                   \
    X(ERR_NOT_FOUND, 404, "not-found", "Not found", NOT_APPLIED)                                   \
    X(ERR_LEASE_NOT_FOUND, 404, "lease-not-found", "Lease not found", NOT_APPLIED)                 \
    X(ERR_METHOD_NOT_ALLOWED, 405, "method-not-allowed", "Method not allowed", NOT_APPLIED)        \
    X(ERR_REQUEST_TIMEOUT, 408, "request-timeout", "Request timeout", NOT_APPLIED)                 \
    X(ERR_CONFLICT, 409, "conflict", "Conflict", NOT_APPLIED)                                      \
    X(ERR_NOT_A_NUMBER, 409, "not-a-number", "Value is not a number", NOT_APPLIED)                 \
    X(ERR_NOT_JSON, 409, "not-json", "Value is not JSON", NOT_APPLIED)                             \
    X(ERR_IDEMPOTENCY_IN_PROGRESS, 409, "idempotency-in-progress", "First request at work",        \
      NOT_APPLIED)                                                                                 \
    X(ERR_GONE, 410, "compacted", "Revision is compacted", NOT_APPLIED)                            \
    X(ERR_LENGTH_REQUIRED, 411, "length-required", "Length required", NOT_APPLIED)                 \
    X(ERR_PRECONDITION_FAILED, 412, "precondition-failed", "Precondition failed", NOT_APPLIED)     \
    X(ERR_FENCE_LOST, 412, "fence-lost", "Fence lost", NOT_APPLIED)                                \
    X(ERR_TOO_LARGE, 413, "too-large", "Value too large", NOT_APPLIED)                             \
    X(ERR_KEY_TOO_LONG, 414, "key-too-long", "Key too long", NOT_APPLIED)                          \
    X(ERR_URI_TOO_LONG, 414, "uri-too-long", "URI too long", NOT_APPLIED)                          \
    X(ERR_UNSUPPORTED_ENCODING, 415, "unsupported-encoding", "Unsupported encoding", NOT_APPLIED)  \
    X(ERR_UNSUPPORTED_TYPE, 415, "unsupported-type", "Unsupported media type", NOT_APPLIED)        \
    X(ERR_RANGE, 416, "range", "Range not satisfiable", NOT_APPLIED)                               \
    X(ERR_EXPECTATION_FAILED, 417, "expectation-failed", "Expectation failed", NOT_APPLIED)        \
    X(ERR_IDEMPOTENCY_MISMATCH, 422, "idempotency-mismatch", "Key of another request",             \
      NOT_APPLIED)                                                                                 \
    X(ERR_DIGEST_MISMATCH, 422, "digest-mismatch", "Digest does not match", NOT_APPLIED)           \
    X(ERR_LOCKED, 423, "locked", "Locked", NOT_APPLIED)                                            \
    X(ERR_TOO_MANY_REQUESTS, 429, "too-many-requests", "Too many requests", NOT_APPLIED)           \
    X(ERR_HEADERS_TOO_LARGE, 431, "headers-too-large", "Header fields too large", NOT_APPLIED)     \
    X(ERR_INTERNAL, 500, "internal", "Internal error", UNKNOWN)                                    \
    X(ERR_CORRUPT, 500, "corrupt", "Stored value is damaged", NOT_APPLIED)                         \
    X(ERR_NOT_IMPLEMENTED, 501, "not-implemented", "Not implemented", NOT_APPLIED)                 \
    X(ERR_NO_LEADER, 503, "no-leader", "No leader", NOT_APPLIED)                                   \
    X(ERR_DRAINING, 503, "draining", "Draining", NOT_APPLIED)                                      \
    X(ERR_DIVERGED, 503, "diverged", "This node's data is not the cluster's", NOT_APPLIED)         \
    X(ERR_MENDING, 503, "mending", "Stored value is being mended", NOT_APPLIED)                    \
    X(ERR_OVERLOADED, 503, "overloaded", "Overloaded", NOT_APPLIED)                                \
    X(ERR_OUTCOME_UNKNOWN, 504, "outcome-unknown", "Outcome unknown", UNKNOWN)                     \
    X(ERR_BEHIND, 504, "behind", "Revision not reached in time", NOT_APPLIED)                      \
    X(ERR_HTTP_VERSION, 505, "http-version", "HTTP version not supported", NOT_APPLIED)            \
    X(ERR_QUOTA, 507, "quota", "Storage quota reached", NOT_APPLIED)                               \
    /* What clients never see as such. */                                                          \
    X(ERR_NOT_LEADER, 503, "no-leader", "Not the leader", NOT_APPLIED)                             \
    X(ERR_PROPOSAL_DROPPED, 503, "no-leader", "Proposal dropped", NOT_APPLIED)                     \
    X(ERR_IO, 500, "internal", "Input/output error", UNKNOWN)                                      \
    X(ERR_NO_SPACE, 507, "quota", "No space left on device", NOT_APPLIED)                          \
    X(ERR_NO_FILE, 500, "internal", "No such file", UNKNOWN)                                       \
    X(ERR_EXISTS, 500, "internal", "Already exists", UNKNOWN)                                      \
    X(ERR_PERMISSION, 500, "internal", "Permission denied", UNKNOWN)                               \
    X(ERR_BUSY, 500, "internal", "In use by another process", UNKNOWN)                             \
    X(ERR_ADDRESS, 500, "internal", "Address cannot be used", UNKNOWN)                             \
    X(ERR_CLOSED, 500, "internal", "Closed", UNKNOWN)                                              \
    X(ERR_REFUSED, 500, "internal", "Connection refused", UNKNOWN)                                 \
    X(ERR_MAP_FULL, 500, "internal", "Storage map is full", UNKNOWN)                               \
    X(ERR_COMPACTED, 500, "internal", "Log entries are compacted", UNKNOWN)                        \
    X(ERR_UNAVAILABLE, 500, "internal", "Not available yet", UNKNOWN)                              \
    X(ERR_MALFORMED, 500, "internal", "Malformed data", UNKNOWN)                                   \
    X(ERR_DAMAGED, 500, "internal", "Data on disk is damaged", UNKNOWN)                            \
    X(ERR_VERSION, 500, "internal", "Unknown format version", UNKNOWN)                             \
    X(ERR_IDENTITY, 500, "internal", "Identity mismatch", UNKNOWN)

#define ERR_ENUM_MEMBER(name, status, slug, title, outcome) name,
typedef enum err {
    OK = 0,
    ERR_LIST(ERR_ENUM_MEMBER) ERR_COUNT
} err;
#undef ERR_ENUM_MEMBER

enum outcome {
    OUTCOME_NOT_APPLIED,
    OUTCOME_UNKNOWN,
};

/* The name of `e` as it stands in the list, "OK" for OK; static storage. */
const char *err_name(err e);

/* What an HTTP client is told; `e` is not OK. Static storage. */
int err_http_status(err e);
const char *err_slug(err e);
const char *err_title(err e);
enum outcome err_outcome(err e);

/*
 * One line of context for an error of start-up or recovery, wrapped outermost first:
 * "open data/wal/0003.seg: record at 8192: crc does not match". Steady-state code has none.
 */
#define ERR_NOTE_SIZE 1024
struct err_note {
    char text[ERR_NOTE_SIZE];
};

/* Replaces the note's text; `note` may be NULL. Returns `e`, so that it can end a function. */
err err_note_set(struct err_note *note, err e, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "PREFIX: " before the note's text; `note` may be NULL. Returns `e`. */
err err_note_wrap(struct err_note *note, err e, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
