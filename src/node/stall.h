/*
 * A disk that does not answer. The log of a leader on it takes part in no decision, and it applies
 * nothing, so whoever waits for it waits for its disk, although the others could go on.
 *
 * Z1  Stalled is a log whose one write has been with the disk at every tick for a second, or for an
 *     election timeout if that is longer. Ticks are counted, not time: a process that was stopped,
 *     or a loop that was held up, finds one tick when it goes on, and then what the disk has done.
 * Z2  A leader hands over, once, to a voter that has the whole log durably, or more of it than the
 *     leader itself: that one's disk does answer. Where all are slow nobody is replaced. What comes
 *     in meanwhile stays queued, for the next leader or for this one.
 * Z3  Nobody stands for election while its disk does not answer: it could be elected by the others,
 *     and would do nothing. It votes, which takes its disk, too.
 */
#ifndef NODE_STALL_H
#define NODE_STALL_H

#include <stdbool.h>
#include <stdint.h>

struct replica;

/* All zero at first. */
struct stall {
    uint64_t batch; /* with the disk at the last tick; 0: none was */
    uint32_t ticks; /* at which it was there */
    bool is_stalled;
};

/* Looks whether the log's disk answers, and does what follows. Every tick. */
void stall_tick(struct replica *replica);

#endif
