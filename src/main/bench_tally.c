#include "main/bench_tally.h"

#include "base/assert.h"

void main_bench_tally_add(struct bench_tally *tally, uint64_t ns, uint64_t bytes)
{
    main_latency_add(&tally->latency, ns);
    tally->bytes += bytes;
}

void main_bench_tally_fail(struct bench_tally *tally, struct slice why)
{
    size_t i = 0;
    why.size = why.size < BENCH_CAUSE_SIZE - 1 ? why.size : BENCH_CAUSE_SIZE - 1;
    tally->failed++;
    while (i < tally->cause_count && !slice_equal(slice_from_text(tally->causes[i].text), why)) {
        i++;
    }
    if (i >= BENCH_CAUSES_MAX - 1) {
        i = BENCH_CAUSES_MAX - 1;
        why = SLICE_LITERAL("other");
    }
    struct bench_cause *cause = &tally->causes[i];
    if (i == tally->cause_count) {
        tally->cause_count++;
        memcpy(cause->text, why.data, why.size); /* the rest is zero */
    }
    ASSERT(tally->cause_count <= BENCH_CAUSES_MAX);
    cause->count++;
}
