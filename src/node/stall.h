/*
 * A leader whose disk does not answer. Its own log takes part in no decision then, and it applies
 * nothing, so whoever waits for it waits for its disk, although the others could go on.
 *
 * Z1  Stalled is a log whose present write has been with the disk for two seconds, or for two
 *     election timeouts if that is longer: ordinary hiccups cost no leader.
 * Z2  It hands over to the voter that has most of the log. The core lets that one lead only when it
 *     has all of it durably: so its disk does work, and where all are slow nobody is replaced.
 */
#ifndef NODE_STALL_H
#define NODE_STALL_H

struct replica;

/* A leader on a stalled disk asks another node to lead. Every tick. */
void stall_tick(struct replica *replica);

#endif
