/*
 * The administrator: adds, removes, replaces and moves members, hands leadership over, and replaces
 * what is lost. A hasty one does not wait for an answer before it asks for the next change, asks
 * whoever believes to lead, and replaces several at a time: nothing of that may hurt. But both are
 * careful about data, as administrators are told to be:
 *
 *   O1  While a member's data is lost, nothing is changed but that member's replacement: a removal
 *       beside it could cost the quorum. One that mends its data is the nodes' own business; it is
 *       only not brought in again meanwhile, if it was removed.
 *   O2  A disk is wiped, or damaged, only while every other member's is whole: then each committed
 *       entry is left on a voter of every quorum that can still form.
 *   O3  Nor before the change that made the present members was answered: until then a crash may
 *       make all forget that it was committed (ADR 21), and the rest needs the members before it.
 *   O4  Half of the changes of a hasty one are forced, since right after an election hardly anybody
 *       has been heard; but none while a member's data is lost or being mended, whose vote might
 *       then be needed for good. What is not forced, the nodes have to refuse by themselves.
 */
#ifndef SIM_ADMIN_H
#define SIM_ADMIN_H

#include "sim/host.h"

struct admin;

/* Looks after its duties from now on. Lives as long as the simulation. */
struct admin *admin_new(struct sim *sim);

/* Begins a change of the membership, whichever is drawn. */
void admin_change(struct admin *admin);
/* `host` begins to lead: a hasty administrator may ask it at once. */
void admin_elected(struct admin *admin, struct host *host);
/* Somebody has begun to mend its log: a hasty administrator may change the members at once. */
void admin_mending(struct admin *admin);
/* Hands leadership to somebody. */
void admin_transfer(struct admin *admin);
/* Makes somebody stand for election, or forget the leader. */
void admin_campaign(struct admin *admin);
/* Loses a node's disk: the node never comes back under its id (O2, O3). */
void admin_wipe(struct admin *admin);

/* The host's life is over, with what it was asked to change. */
void admin_life_ended(struct admin *admin, const struct host *host);

/* A present member by the configuration that the leader has applied; false without a leader. */
bool admin_is_member(const struct admin *admin, const struct host *host);
/* Whether a member's data may be lost now (O2, O3). */
bool admin_may_lose(const struct admin *admin, const struct host *host);
/* No change is half done, and nobody is lost and not yet replaced. */
bool admin_is_done(const struct admin *admin);

#endif
