/*
 * How long requests took: a histogram of nanoseconds, its buckets at most a 128th of their value
 * wide. What is read out of it is a bucket's middle, so at most 0.4 % beside the true value.
 */
#ifndef LOAD_LATENCY_H
#define LOAD_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_STEPS 128u  /* buckets an octave */
#define LATENCY_OCTAVES 34u /* up to 2^40 ns, eighteen minutes; what is longer counts as that */
#define LATENCY_BUCKETS ((size_t)LATENCY_OCTAVES * LATENCY_STEPS)

/* All zero is an empty one. */
struct latency {
    uint64_t buckets[LATENCY_BUCKETS];
    uint64_t count;
    uint64_t max_ns;
};

void latency_add(struct latency *latency, uint64_t ns);

/* The time, in microseconds, that a share `q` (0 < q <= 1) took at most; 0 when it is empty. */
double latency_quantile_us(const struct latency *latency, double q);

#endif
