#include "node/log_age.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

static struct log_age_mark *mark_at(struct log_age *age, uint32_t i)
{
    return &age->marks[(age->first + i) % LOG_AGE_MARKS];
}

static void forget_old(struct log_age *age, uint64_t now_ms, uint64_t age_ms)
{
    while (age->count > 0 && now_ms - mark_at(age, 0)->at_ms > age_ms) {
        age->older_index = mark_at(age, 0)->index;
        age->first = (age->first + 1) % LOG_AGE_MARKS;
        age->count--;
    }
}

uint64_t log_age_older(struct log_age *age, uint64_t now_ms, uint64_t age_ms, uint64_t index)
{
    ASSERT(age_ms > 0);
    forget_old(age, now_ms, age_ms);
    uint64_t step_ms = age_ms / (LOG_AGE_MARKS - 1);
    const struct log_age_mark *newest = age->count == 0 ? NULL : mark_at(age, age->count - 1);
    bool is_due = newest == NULL || now_ms - newest->at_ms > step_ms;
    if (is_due) {
        /* Marks are more than a step apart, and the oldest is no older than the age. */
        ASSERT(age->count < LOG_AGE_MARKS);
        *mark_at(age, age->count) = (struct log_age_mark){now_ms, index};
        age->count++;
    }
    return age->older_index;
}
