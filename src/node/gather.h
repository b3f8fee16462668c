/*
 * When a leader proposes the writes that are queued, and when a replica asks for the index of the
 * reads that wait. A batch costs every node a frame and several threads' waking, of writes a sync
 * too, whatever is in it. If many clients ask at a time, those who were answered just now come back
 * a moment later: it is worth that moment to have all of them in one batch, rather than halves, or
 * sixths, behind each other. PostgreSQL's commit_delay and commit_siblings are the same thought
 * with fixed figures (its documentation, "WAL Configuration").
 *
 * T1  Few at a time, fewer than GATHER_LEAST, wait for nothing.
 * T2  More wait until the batch before is committed, or has its index, `before_ns_max` at most:
 *     on a slow disk, or over a distant quorum, that is little beside the time of a batch.
 * T3  Then for those who were answered with it, until as many are there as came together of late,
 *     but for an eighth; `return_ns_max` at most.
 * T4  Clients that come when they like, rather than once they are answered, are never all there.
 *     Once T3 has waited in vain twice in a row, it is left out for 1, 3, 7, … batches.
 * T5  GATHER_ENOUGH that wait are a batch at once: what one costs is little beside them, and while
 *     the batch before is synced the loop can take in what comes behind them.
 * T6  A write that waits is QUEUED (writes.h), so it can still be refused for sure; a read that
 *     does is WAITING (reads.h), so its index is of later than its coming.
 */
#ifndef NODE_GATHER_H
#define NODE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#define GATHER_LEAST 4u
#define GATHER_ENOUGH 256u
#define GATHER_LEFT_OUT_MAX 63u

/* Begun as one of these. */
#define GATHER_WRITES ((struct gather){.before_ns_max = 2000000, .return_ns_max = 1000000})
#define GATHER_READS ((struct gather){.before_ns_max = 1000000, .return_ns_max = 1000000})

struct gather {
    uint64_t before_ns_max;
    uint64_t return_ns_max;
    uint64_t expected;  /* that were on their way at a time, of late */
    uint64_t since_ns;  /* the batch that comes together waits since then; 0: it does not */
    uint64_t return_ns; /* it waits with nothing before it since then; 0: it does not */
    uint32_t in_vain;   /* batches to leave T3 out for, when it waits in vain once more */
    uint32_t left_out;  /* batches for which it still is */
};

/*
 * Asked when there is something to make a batch of: for how many ns at most it is to wait for more;
 * 0: all of it is one now. `count` are on their way, at most `before` of them of a batch before;
 * the others wait. To be asked again when that has changed, or the time is over.
 */
uint64_t gather_wait_ns(struct gather *gather, uint64_t count, uint64_t before, uint64_t now_ns);

#endif
