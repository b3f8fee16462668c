/*
 * A snapshot that the core wants installed, on its way into store and log. The order, so that a
 * crash at any point leaves the old state or the new one:
 *
 *     announce it in the identity file      before it is complete: from then on the store may take
 *                                           it in by itself, at its next opening
 *     complete and sync the staged file     snapshots_in.c
 *     install it into the store             a job; one transaction
 *     reset the log to its position         with the hard state, and what the core gave meanwhile
 *     take the announcement back            once that is durable
 *
 * I1  While it runs nothing of the region is applied, and nothing that the core gives to persist
 *     reaches the log: it is held here, in its order.
 * I2  At a start a store that is ahead of its log is right only if it stands exactly at what was
 *     announced. Then the log is reset; any other log that ends before the store has lost its end.
 * I3  There is one announcement, so one snapshot at a time, from its announcement to its end: until
 *     the reset of the log is durable, no other one is let in.
 */
#ifndef NODE_INSTALL_H
#define NODE_INSTALL_H

#include "base/list.h"
#include "raft/raft.h"

struct replica;

/* All zero at first. */
struct install {
    bool is_running;
    struct raft_pos pos;
    struct list held;      /* what the core gave since, in its order; valid while running */
    uint64_t reset_ticket; /* of the log, when it was reset; 0: no announcement is to be ended */
};

/* A snapshot at `pos` is about to be complete; none is on its way (I3). Durable when it returns. */
void install_announce(struct replica *replica, struct raft_pos pos);
/* It will not be installed after all, or that is over. No-op if there is none. */
void install_unannounce(struct replica *replica);

/* Whether a snapshot is on its way, by I3. */
bool install_is_busy(const struct replica *replica);
/* Begins with `ready`, which has a snapshot (snapshots_take). */
void install_begin(struct replica *replica, const struct raft_ready *ready);
/* I1: what is to be persisted waits. */
void install_hold(struct replica *replica, const struct raft_ready *ready);
/* Everything up to `ticket` of the log is durable. */
void install_persisted(struct replica *replica, uint64_t ticket);
/* The log is to go on behind `pos`, with this term and vote; install_persisted says when it is
 * durable. At a start, or the end of a repair. */
void install_reset_log(struct replica *replica, struct hard_state hard_state, struct raft_pos pos);
/*
 * At a start, the store stands at `applied`: whether that is an installed snapshot which the log
 * does not have (I2). Then the log has been reset.
 */
bool install_recover(struct replica *replica, struct raft_pos applied);
/* Forgets what is held: the store will finish it at its next opening. */
void install_deinit(struct replica *replica);

#endif
