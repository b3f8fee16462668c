/* What a node's store has at the end, against what it has to have. */
#ifndef SIM_CENSUS_H
#define SIM_CENSUS_H

#include "sim/host.h"

/*
 * The host is up, undamaged, and has applied everything: its records are the model's (txn_model.h),
 * its system space is in order (system_census.h), and so is what it has counted (block_census.h).
 * Ends the simulation if not.
 */
void census_take(struct sim *sim, struct host *host);

#endif
