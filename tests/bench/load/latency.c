#include "latency.h"

#include <math.h>

#include "base/assert.h"

#define STEP_BITS 7u /* of LATENCY_STEPS */
#define NS_MAX ((UINT64_C(1) << (LATENCY_OCTAVES - 1 + STEP_BITS)) - 1)

_Static_assert(LATENCY_STEPS == 1u << STEP_BITS, "a step is found by a shift");

/* Below 128 each value has its own bucket; above, the seven bits behind the highest one tell. */
static uint64_t bucket_of(uint64_t ns)
{
    if (ns < LATENCY_STEPS) {
        return ns;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    return (shift + UINT64_C(1)) * LATENCY_STEPS + ((ns >> shift) - LATENCY_STEPS);
}

/* The middle of what falls into the bucket. */
static double value_of(uint64_t bucket)
{
    if (bucket < LATENCY_STEPS) {
        return (double)bucket;
    }
    uint64_t shift = bucket / LATENCY_STEPS - 1;
    uint64_t least = (LATENCY_STEPS + bucket % LATENCY_STEPS) << shift;
    return (double)least + (double)((UINT64_C(1) << shift) - 1) / 2;
}

void latency_add(struct latency *latency, uint64_t ns)
{
    uint64_t bucket = bucket_of(ns < NS_MAX ? ns : NS_MAX);
    ASSERT(bucket < LATENCY_BUCKETS);
    latency->buckets[bucket]++;
    latency->count++;
    if (ns > latency->max_ns) {
        latency->max_ns = ns;
    }
}

double latency_quantile_us(const struct latency *latency, double q)
{
    double wanted = ceil(q * (double)latency->count);
    uint64_t seen = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            double max_ns = (double)latency->max_ns;
            return (value_of(i) < max_ns ? value_of(i) : max_ns) / 1000;
        }
    }
    return 0;
}
