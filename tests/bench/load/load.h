/*
 * The run: all connections on one epoll, a warm-up, a window of time, and what was measured.
 *
 * L1  Measured are the requests that were sent within the window, until the last of them is
 *     answered: a server that stalls at the end is not let off.
 * L2  A request that failed, or never got its answer, is an error and no operation. Errors count
 *     from the first request on, in the warm-up too.
 * L3  With a count in place of a time (a fill has one) there is no warm-up: all are measured.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "connection.h"
#include "latency.h"
#include "options.h"

#define PROBLEMS_MAX 16u /* kinds that are told apart */

struct load_problem {
    struct problem problem;
    uint64_t count;
};

struct load {
    struct options options;
    struct protocol_options protocol_options;
    struct work work;
    struct latency latency;
    struct connection *connections;
    size_t alive_count;
    uint64_t flying_count;   /* requests on their way, of all connections */
    uint64_t answered_count; /* without an error, in the warm-up too */
    uint64_t window_begin_ns;
    uint64_t window_end_ns; /* UINT64_MAX: when the count is reached */
    uint64_t last_answer_ns;
    struct load_problem problems[PROBLEMS_MAX];
    size_t problem_count;
    int epoll;
};

/* Connects. False: errno says why not; deinit it all the same. */
bool load_init(struct load *load, const struct options *options);

/* Runs to its end: when every request is answered, failed, or was waited for in vain. */
void load_run(struct load *load);

/* Appends what was measured: one line of JSON (README.md). */
void load_report(const struct load *load, struct writer *out);

/* Requests that failed. */
uint64_t load_error_count(const struct load *load);

/* Closes and frees. */
void load_deinit(struct load *load);

#endif
