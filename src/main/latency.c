#include "main/latency.h"

#include "base/assert.h"

#define STEP_BITS 7u /* of LATENCY_STEPS */
#define NS_MAX ((UINT64_C(1) << (LATENCY_OCTAVES - 1 + STEP_BITS)) - 1)

_Static_assert(LATENCY_STEPS == 1u << STEP_BITS, "a step is found by a shift");

/* Below 128 each value has its own bucket; above, the seven bits behind the highest one tell. */
static uint64_t bucket_of(uint64_t ns)
{
    if (ns > NS_MAX) {
        ns = NS_MAX;
    }
    if (ns < LATENCY_STEPS) {
        return ns;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    return (shift + UINT64_C(1)) * LATENCY_STEPS + ((ns >> shift) - LATENCY_STEPS);
}

/* The middle of what falls into the bucket. */
static uint64_t value_of(uint64_t bucket)
{
    if (bucket < LATENCY_STEPS) {
        return bucket;
    }
    uint64_t shift = bucket / LATENCY_STEPS - 1;
    uint64_t least = (LATENCY_STEPS + bucket % LATENCY_STEPS) << shift;
    return least + ((UINT64_C(1) << shift) - 1) / 2;
}

void main_latency_add(struct latency *latency, uint64_t ns)
{
    uint64_t bucket = bucket_of(ns);
    ASSERT(bucket < LATENCY_BUCKETS);
    latency->buckets[bucket]++;
    if (latency->count == 0 || ns < latency->min_ns) {
        latency->min_ns = ns;
    }
    if (ns > latency->max_ns) {
        latency->max_ns = ns;
    }
    latency->count++;
}

static uint64_t clamp(const struct latency *latency, uint64_t ns)
{
    uint64_t least = ns < latency->min_ns ? latency->min_ns : ns;
    return least < latency->max_ns ? least : latency->max_ns;
}

uint64_t main_latency_quantile(const struct latency *latency, double q)
{
    ASSERT(q > 0);
    ASSERT(q <= 1);
    double wanted = q * (double)latency->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            return clamp(latency, value_of(i));
        }
    }
    return 0;
}

uint64_t main_latency_count_to(const struct latency *latency, uint64_t ns)
{
    uint64_t count = 0;
    uint64_t last = bucket_of(ns);
    for (uint64_t i = 0; i <= last; i++) {
        count += latency->buckets[i];
    }
    return count;
}
