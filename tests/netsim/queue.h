/*
 * The way out of a link: at its rate, one packet after another, and what waits is bounded, as in a
 * router. It holds no packets, only until when those that it took keep it busy.
 */
#ifndef NETSIM_QUEUE_H
#define NETSIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_RATE_MAX 1000000000u   /* so each byte takes a nanosecond or more */
#define QUEUE_WAIT_NS_MAX 100000000u /* what would leave later is lost ... */
#define QUEUE_SIZE_MIN 65536u        /* ... unless the link holds no more than this */

/* All zero is a link without a limit. */
struct queue {
    uint32_t rate;    /* bytes a second; 0: without a limit */
    uint64_t free_ns; /* when the last packet has left */
};

/* Takes a packet of `size`, at most PACKET_SIZE_MAX, that comes in at `now_ns`, and says when its
 * last byte has left. False: it is full, nothing was taken. */
bool queue_add(struct queue *queue, uint64_t now_ns, size_t size, uint64_t *out_left_ns);

#endif
