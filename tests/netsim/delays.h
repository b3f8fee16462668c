/*
 * Packets that are on their way, the soonest due first; of one instant, in the order of coming in.
 */
#ifndef NETSIM_DELAYS_H
#define NETSIM_DELAYS_H

#include "packet.h"

#define DELAYS_COUNT_MAX 8192u /* more are lost, as in any switch */

struct delays_packet {
    uint64_t due_ns;
    uint64_t sequence;
    unsigned port; /* that it leaves by */
    size_t size;
    uint8_t data[PACKET_SIZE_MAX];
};

/* A heap; all zero is an empty one. */
struct delays {
    struct delays_packet *packets[DELAYS_COUNT_MAX];
    size_t count;
    uint64_t sequence; /* of the last that came in */
};

/* Copies `data`, at most PACKET_SIZE_MAX, for `due_ns`. False: it is full, nothing was taken. */
bool delays_add(struct delays *delays, uint64_t due_ns, unsigned port, const uint8_t *data,
                size_t size);

/* When the soonest is due; UINT64_MAX: there is none. */
uint64_t delays_next_ns(const struct delays *delays);

/* Takes out the soonest if it is due at `now_ns`, else NULL. Caller frees it (mem_free). */
struct delays_packet *delays_take(struct delays *delays, uint64_t now_ns);

/* Frees what is left. */
void delays_deinit(struct delays *delays);

#endif
