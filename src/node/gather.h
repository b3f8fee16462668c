/*
 * When a leader proposes what has been queued. A batch costs every node a frame, a sync and several
 * threads' waking, whatever is in it. If many clients write at a time, those who were answered just
 * now come back a moment later: it is worth that moment to have all of them in one batch, rather
 * than halves, or sixths, behind each other. PostgreSQL's commit_delay and commit_siblings are the
 * same thought with fixed figures (its documentation, "WAL Configuration").
 *
 * T1  Few writes at a time, fewer than GATHER_LEAST, wait for nothing.
 * T2  More wait until the batch before is committed, and as many are there as came together of
 *     late, but for a quarter; GATHER_NS at most. So the wait is little beside a quick disk's sync,
 *     and nothing beside a slow one, or a distant quorum.
 * T3  What waits is QUEUED (writes.h), so it can still be refused for sure.
 */
#ifndef NODE_GATHER_H
#define NODE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#define GATHER_LEAST 4u
#define GATHER_NS UINT64_C(1000000)

/* All zero at first. */
struct gather {
    uint64_t expected; /* writes that were on their way at a time, of late */
    uint64_t since_ns; /* what is queued waits since then; 0: nothing does */
};

/*
 * Asked when something is queued: whether it is to wait. `count` writes are on their way, queued or
 * proposed; is_under_way: some of them are proposed. True: ask again when that has changed, or
 * GATHER_NS after the first such answer. False: all of it is proposed now.
 */
bool gather_waits(struct gather *gather, uint64_t count, bool is_under_way, uint64_t now_ns);

#endif
