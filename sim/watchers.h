/*
 * Clients that watch: each a prefix or a key, at any node, where src/api/route_watch stands. They
 * read slowly, are cut off, also between two changes of one revision, lose their node with its
 * life, and go on at another one from the last revision that they have whole. Where that is gone
 * they begin anew with a list of what is there. What they have to be told past.h knows (K13).
 */
#ifndef SIM_WATCHERS_H
#define SIM_WATCHERS_H

#include <stdio.h>

#include "sim/past.h"
#include "sim/sim.h"

struct watchers;

/* They begin to watch. Lives as long as the simulation. */
struct watchers *watchers_new(struct sim *sim, const struct past *past);
/* As clients_life_ended, and clients_tell. */
void watchers_life_ended(struct watchers *watchers, const struct host *host);
void watchers_tell(const struct watchers *watchers, FILE *out);
/* The host's node is about to be closed: as a listener ends its connections. */
void watchers_node_closes(struct watchers *watchers, const struct host *host);
/* From now on nobody is slow or cut off. */
void watchers_calm(struct watchers *watchers);
/* Whether all have been told all that there is. Who is at a node that is no member moves on. */
bool watchers_are_level(struct watchers *watchers);

#endif
