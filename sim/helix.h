/*
 * Helical damage: of each entry that all three members have, one of them loses the record, each in
 * its turn. No member's log is whole then, and every record is whole twice.
 */
#ifndef SIM_HELIX_H
#define SIM_HELIX_H

#include "sim/host.h"

#define HELIX_HOSTS 3u

/*
 * Flips a bit in records on the disks of `hosts`, whose processes are dead. Only in the newest
 * record of an index that all of them have, of one term, and that none has compacted. Returns how
 * many; 0, and nothing was done, if a host would keep all of its own.
 */
uint32_t helix_rot(struct host *const hosts[HELIX_HOSTS], struct prng *chance);

#endif
