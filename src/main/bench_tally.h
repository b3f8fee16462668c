/* What came of the requests of one kind: how long the good ones took, why the others failed. */
#ifndef MAIN_BENCH_TALLY_H
#define MAIN_BENCH_TALLY_H

#include "base/buf.h"
#include "main/latency.h"

#define BENCH_CAUSES_MAX 12u /* the last one is "other" */
#define BENCH_CAUSE_SIZE 64u

struct bench_cause {
    char text[BENCH_CAUSE_SIZE]; /* "503 No leader" */
    uint64_t count;
};

/* All zero is an empty one. */
struct bench_tally {
    struct latency latency; /* of those that succeeded: as many as it has counted */
    uint64_t bytes;         /* of their values */
    uint64_t failed;
    struct bench_cause causes[BENCH_CAUSES_MAX]; /* in the order in which they were first seen */
    size_t cause_count;
};

/* One that succeeded. */
void main_bench_tally_add(struct bench_tally *tally, uint64_t ns, uint64_t bytes);
/* One that failed; of a `why` that is too long, the beginning tells. */
void main_bench_tally_fail(struct bench_tally *tally, struct slice why);

#endif
