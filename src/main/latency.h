/*
 * How long requests took: a histogram of nanoseconds whose buckets are at most a 128th of their
 * value wide. A quantile is read as the middle of its bucket: at most 0.4 % beside the true one.
 * The least and the greatest are kept as they were.
 */
#ifndef MAIN_LATENCY_H
#define MAIN_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_STEPS 128u  /* buckets an octave */
#define LATENCY_OCTAVES 36u /* up to 2^42 ns, an hour and more; what is longer counts as that */
#define LATENCY_BUCKETS ((size_t)LATENCY_OCTAVES * LATENCY_STEPS)

/* All zero is an empty one. */
struct latency {
    uint64_t buckets[LATENCY_BUCKETS];
    uint64_t count;
    uint64_t min_ns;
    uint64_t max_ns;
};

/* Counts one. */
void main_latency_add(struct latency *latency, uint64_t ns);
/* The time that a share `q` (0 < q <= 1) took at most; 0 when it is empty. */
uint64_t main_latency_quantile(const struct latency *latency, double q);
/* How many took at most `ns`, to the bucket in which that is. */
uint64_t main_latency_count_to(const struct latency *latency, uint64_t ns);

#endif
