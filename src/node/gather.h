/*
 * When a leader proposes what has been queued. A batch costs every node a frame, a sync and several
 * threads' waking, whatever is in it. If many clients write at a time, those who were answered just
 * now come back a moment later: it is worth that moment to have all of them in one batch, rather
 * than halves, or sixths, behind each other. PostgreSQL's commit_delay and commit_siblings are the
 * same thought with fixed figures (its documentation, "WAL Configuration").
 *
 * T1  Few writes at a time, fewer than GATHER_LEAST, wait for nothing.
 * T2  More wait until the batch before is committed, GATHER_COMMIT_NS at most: little beside a
 *     quick disk's sync, and nothing beside a slow one, or a distant quorum.
 * T3  Then for those who were answered with it, until as many are there as came together of late,
 *     but for an eighth; GATHER_RETURN_NS at most.
 * T4  Clients that come when they like, rather than once they are answered, are never all there.
 *     Once T3 has waited in vain twice in a row, it is left out for 1, 3, 7, … batches.
 * T5  What waits is QUEUED (writes.h), so it can still be refused for sure.
 */
#ifndef NODE_GATHER_H
#define NODE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#define GATHER_LEAST 4u
#define GATHER_COMMIT_NS UINT64_C(2000000)
#define GATHER_RETURN_NS UINT64_C(1000000)
#define GATHER_LEFT_OUT_MAX 63u

/* All zero at first. */
struct gather {
    uint64_t expected;     /* writes that were on their way at a time, of late */
    uint64_t since_ns;     /* what is queued waits since then; 0: nothing does */
    uint64_t committed_ns; /* it waits with nothing before it since then; 0: it does not */
    uint32_t in_vain;      /* batches to leave T3 out for, when it waits in vain once more */
    uint32_t left_out;     /* batches for which it still is */
};

/*
 * Asked when something is queued: for how many ns at most it is to wait for more; 0: all of it is
 * proposed now. `count` writes are on their way, queued or proposed; is_under_way: some of them are
 * proposed. To be asked again when that has changed, or the time is over.
 */
uint64_t gather_wait_ns(struct gather *gather, uint64_t count, bool is_under_way, uint64_t now_ns);

#endif
