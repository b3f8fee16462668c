/*
 * Error documents: application/problem+json (RFC 9457, docs/api.md section 11), one line each.
 *
 * P1  Every document says what was wrong in words a person can act on (`detail`).
 * P2  `outcome` stands in it whenever the client may wonder whether something was written: after an
 *     unsafe method, and with every 5xx.
 */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/err.h"

#define PROBLEM_DETAIL_SIZE 384u

/* What went wrong with a request; all zero: nothing yet. */
struct problem {
    err e;
    /* Extension members; zero, NULL or empty: left out. */
    uint64_t limit;
    uint64_t used;            /* of `limit` */
    const char *setting;      /* the flag that moves the limit, without dashes */
    const char *did_you_mean; /* static */
    struct slice parameter;   /* borrowed from the request */
    uint64_t etag;            /* 412: the revision of the record that is there; a field, too */
    uint64_t oldest;          /* 410: the oldest revision that can still be had */
    struct slice restart;     /* 410: the path to begin anew at; borrowed */
    struct slice holder;      /* 423: what the holder of the lock said of itself; borrowed */
    uint64_t retry_after_s;   /* 0: what api_problem_retry_after makes of `e` */
    bool has_clause;          /* a transaction's condition failed: its place, from 0 */
    uint32_t clause;
    bool is_partial;    /* a part of the request was carried out, and stays */
    uint64_t written;   /* of `is_partial`: keys */
    bool has_operation; /* one of a transaction's operations failed: its place, from 0 */
    uint32_t operation;
    char detail[PROBLEM_DETAIL_SIZE]; /* last: most of the bytes, and rarely used */
};

/* None yet, for where every request passes: without writing zeros all over `detail`. */
static inline void api_problem_init(struct problem *problem)
{
    memset(problem, 0, offsetof(struct problem, detail) + 1);
}

/* What the document says of the request itself. */
struct problem_context {
    struct slice key; /* empty: none */
    struct slice request_id;
    const char *allow; /* 405: the methods that are there; NULL: left out */
    uint64_t revision;
    bool is_unsafe; /* the method could have changed something */
};

/* Fills `problem`, keeps its extension members, and returns `e`, so that it can end a function. */
MUST_USE err api_problem_set(struct problem *problem, err e, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The seconds of Retry-After (docs/api.md, section 11), or 0: no such field. */
uint64_t api_problem_retry_after(const struct problem *problem);
/* "unknown", "partial" or "not-applied", or NULL: not in question (P2). */
const char *api_problem_outcome(const struct problem *problem, bool is_unsafe);
/* Appends the document. `problem->e` is not OK. problem_form.h has the other forms. */
void api_problem_write(const struct problem *problem, const struct problem_context *context,
                       struct writer *out);

#endif
