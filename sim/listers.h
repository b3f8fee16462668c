/*
 * Clients that list keys by cursor: a page here, the next one at another node after a while, all
 * of one revision. What pages have to show past.h knows; where the revision is gone they begin
 * anew.
 */
#ifndef SIM_LISTERS_H
#define SIM_LISTERS_H

#include "sim/past.h"
#include "sim/sim.h"

struct listers;

/* They begin to ask. Lives as long as the simulation. */
struct listers *listers_new(struct sim *sim, const struct past *past);
/* As clients_life_ended and clients_stop. */
void listers_life_ended(struct listers *listers, const struct host *host);
void listers_stop(struct listers *listers);

#endif
