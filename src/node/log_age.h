/*
 * How old the log's entries are, as far as this node has seen: marks of when the checkpoint had
 * reached which of them. Exact to a share of the age that is asked for, in constant memory.
 *
 * A1  An entry is never taken for older than it is: nothing is before the first mark, so after a
 *     start all of the log is new.
 */
#ifndef NODE_LOG_AGE_H
#define NODE_LOG_AGE_H

#include <stdint.h>

#define LOG_AGE_MARKS 32u

struct log_age_mark {
    uint64_t at_ms;
    uint64_t index;
};

/* All zero at first. */
struct log_age {
    struct log_age_mark marks[LOG_AGE_MARKS]; /* a ring, the oldest at `first` */
    uint32_t first;
    uint32_t count;
    uint64_t older_index; /* of the newest mark that was old enough */
};

/*
 * Notes that at `now_ms` the checkpoint stands at `index`, and returns up to where the log was
 * checkpointed more than `age_ms` (not 0) ago; 0: nowhere. Late by a 31st of the age at most, and
 * by the time between two calls, which all come with one `age_ms`.
 */
uint64_t log_age_older(struct log_age *age, uint64_t now_ms, uint64_t age_ms, uint64_t index);

#endif
