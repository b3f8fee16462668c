/*
 * IPv4 packets as a TUN device hands them over: where to, and damage that TCP does not see.
 */
#ifndef NETSIM_PACKET_H
#define NETSIM_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"

#define PACKET_SIZE_MAX 1600u /* above the devices' MTU */

/* The last byte of the address that the packet is for, which is a port of the switch; 0: it is not
 * IPv4. */
unsigned packet_target(const uint8_t *data, size_t size);

/* The checksum that the TCP segment in `data` should have. The packet is whole and TCP. */
uint16_t packet_tcp_checksum(const uint8_t *data, size_t size);

/*
 * Flips one bit of the packet's TCP payload and makes the checksum right again, as a broken switch
 * or network card does that sums up what it has spoiled. False: there is no payload, and nothing
 * was changed.
 */
bool packet_damage(uint8_t *data, size_t size, struct prng *prng);

#endif
