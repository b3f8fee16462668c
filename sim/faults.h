/*
 * The author of faults: draws what goes wrong next, where and for how long, by the plan's weights,
 * until the simulation is calm.
 *
 * F1  Damage is kept within what redundancy can repair: bits rot on one host at a time, while all
 *     others are up and sound, and that host is not trusted any more until it has been replaced.
 * F3  Checkpoints are spoilt on several hosts at a time, as long as one whole member is up that has
 *     applied what their logs do not have any more. That is the last good copy, and stays one: no
 *     other is lost, wiped or left to rot before all have mended themselves.
 * F2  A disk that lies (a sync that returns and did not) is not drawn: no protocol survives it.
 * F4  The logs of all members rot at once where each record is still whole on another one: they
 *     mend each other's (docs/adr/0028). While they do, nothing else is lost, wiped or left to rot.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "sim/host.h"

/* The first fault comes when the cluster is founded. Lives as long as the simulation. */
struct faults *faults_new(struct sim *sim);

/* A life begins on `host`: a crash may be planned for its start-up. */
void faults_life_begins(struct faults *faults, struct host *host);
/* `host` has been elected: it may be about to die. */
void faults_elected(struct faults *faults, const struct host *host);
/* `host` is asked for a change of the members: it may be about to be cut off from others. */
void faults_changing(struct faults *faults, struct host *host);
/* How long a host stays down. */
uint64_t faults_down_ns(struct faults *faults);
/* What the host's disk keeps of what was not synced, if it dies now. */
enum disk_crash faults_crash_kind(struct faults *faults, const struct host *host);
/* Whether something was done to the host that may make it stop itself; that is then used up. */
bool faults_excuse_fatal(struct faults *faults, struct host *host);

/* No more faults: heals the network, the disks, and starts whoever is down. */
void faults_calm(struct faults *faults);

#endif
