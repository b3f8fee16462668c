/*
 * Clients that watch the election of txn_request.h: each at any node, where
 * src/api/election_watch.c stands. They lose their node with its life, are cut off, and go on at
 * another one, which has to have what they were told. Who leads at which revision the model knows
 * (txn_model.h); between two turns of its node each has to have been told who leads there
 * (src/node/notices.h, T1 and T3). K13.
 */
#ifndef SIM_ELECTION_WATCHERS_H
#define SIM_ELECTION_WATCHERS_H

#include <stdio.h>

#include "sim/sim.h"

struct election_watchers;

/* They begin, if there are transactions. Lives as long as the simulation. */
struct election_watchers *election_watchers_new(struct sim *sim);
/* As those of watchers.h. */
void election_watchers_life_ended(struct election_watchers *watchers, const struct host *host);
void election_watchers_node_closes(struct election_watchers *watchers, const struct host *host);
void election_watchers_calm(struct election_watchers *watchers);
bool election_watchers_are_level(struct election_watchers *watchers);
void election_watchers_tell(const struct election_watchers *watchers, FILE *out);

#endif
