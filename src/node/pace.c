#include "node/pace.h"

uint64_t pace_spend(struct pace *pace, uint64_t now_us, size_t size)
{
    if (pace->bytes_per_second == 0) {
        return now_us;
    }
    pace->due_us = pace->due_us > now_us ? pace->due_us : now_us;
    pace->due_us += size * UINT64_C(1000000) / pace->bytes_per_second;
    return pace->due_us;
}

uint64_t pace_delay_ms(uint64_t now_us, uint64_t due_us)
{
    return due_us > now_us ? (due_us - now_us) / 1000 : 0;
}
