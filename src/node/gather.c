#include "node/gather.h"

#include "base/assert.h"

static uint64_t left_of(uint64_t bound_ns, uint64_t since_ns, uint64_t now_ns)
{
    return now_ns - since_ns < bound_ns ? bound_ns - (now_ns - since_ns) : 0;
}

/* T3, T4: there is no batch before. */
static uint64_t wait_for_the_answered(struct gather *gather, uint64_t count, uint64_t now_ns)
{
    if (count >= gather->expected - gather->expected / 8) {
        gather->in_vain = 0;
        gather->left_out = 0;
        return 0;
    }
    if (gather->left_out > 0) {
        gather->left_out--;
        return 0;
    }
    if (gather->return_ns == 0) {
        gather->return_ns = now_ns;
    }
    uint64_t wait_ns = left_of(gather->return_ns_max, gather->return_ns, now_ns);
    if (wait_ns == 0) {
        gather->left_out = gather->in_vain;
        if (gather->in_vain < GATHER_LEFT_OUT_MAX) {
            gather->in_vain = 2 * gather->in_vain + 1;
        }
    }
    return wait_ns;
}

static uint64_t wait_for_more(struct gather *gather, uint64_t count, uint64_t before,
                              uint64_t now_ns)
{
    if (gather->expected < GATHER_LEAST || count - before >= GATHER_ENOUGH) {
        return 0; /* T1, T5 */
    }
    if (gather->since_ns == 0) {
        gather->since_ns = now_ns;
    }
    return before > 0 ? left_of(gather->before_ns_max, gather->since_ns, now_ns) /* T2 */
                      : wait_for_the_answered(gather, count, now_ns);
}

uint64_t gather_wait_ns(struct gather *gather, uint64_t count, uint64_t before, uint64_t now_ns)
{
    ASSERT(before <= count);
    if (count > gather->expected) {
        gather->expected = count;
    }
    uint64_t wait_ns = wait_for_more(gather, count, before, now_ns);
    if (wait_ns == 0) {
        gather->since_ns = 0;
        gather->return_ns = 0;
        /* Rises at once, falls by quarters. */
        gather->expected -= (gather->expected - count + 3) / 4;
    }
    return wait_ns;
}
