#include "node/gather.h"

static bool is_worth_it(struct gather *gather, uint64_t count, bool is_under_way, uint64_t now_ns)
{
    if (gather->expected < GATHER_LEAST) {
        return false; /* T1 */
    }
    if (gather->since_ns == 0) {
        gather->since_ns = now_ns;
    }
    bool is_whole = !is_under_way && count >= gather->expected - gather->expected / 4;
    return !is_whole && now_ns - gather->since_ns < GATHER_NS; /* T2 */
}

bool gather_waits(struct gather *gather, uint64_t count, bool is_under_way, uint64_t now_ns)
{
    if (count > gather->expected) {
        gather->expected = count;
    }
    if (is_worth_it(gather, count, is_under_way, now_ns)) {
        return true;
    }
    gather->since_ns = 0;
    gather->expected -= (gather->expected - count + 3) / 4; /* rises at once, falls by quarters */
    return false;
}
