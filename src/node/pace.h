/*
 * A rate that several share: each piece puts off the next one of whoever sent it, behind all that
 * was sent before. So all of them together keep the rate, and each gets an equal share.
 */
#ifndef NODE_PACE_H
#define NODE_PACE_H

#include <stddef.h>
#include <stdint.h>

/* The least rate that is taken, if there is one: what is slower takes too long for a large value
 * (snapshots.h, S7). */
#define PACE_RATE_LEAST (UINT64_C(4) << 20)

/* All zero but for the rate at first. */
struct pace {
    uint64_t bytes_per_second; /* 0: no limit */
    uint64_t due_us;           /* by now all that was sent is paid for */
};

/*
 * Somebody sends `size` bytes at `now_us`: returns when it may send the next. What was not used is
 * not made up for.
 */
uint64_t pace_spend(struct pace *pace, uint64_t now_us, size_t size);

/* Whole milliseconds from `now_us` until `due_us`; 0: less than one, or it is past. */
uint64_t pace_delay_ms(uint64_t now_us, uint64_t due_us);

#endif
