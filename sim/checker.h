/*
 * The invariants, looked at after every event. What nodes promise each other and their clients is
 * kept here from outside; a node that contradicts it ends the simulation (sim_fail).
 *
 *   K1  Election safety: at most one leader a term, and elected once, over all lives.
 *   K2  One vote a term, over all lives of a node.
 *   K3  Log matching: one (index, term), one entry, and the same term before it, on every node.
 *   K4  State-machine safety: one committed entry an index, on every node, for ever; commit and
 *       term never go back within a life.
 *   K5  Leader completeness: who is elected has everything that was committed before.
 *   K6  Determinism: one applied index, one state: records (by hash), counts, revision, clock and
 *       membership; and each was reached by applying.
 *   K7  What was acknowledged is applied, once, with the revision that the client was told; what
 *       was refused for sure never is.
 *   K8  Durability: what a node has vouched for, it still has in its next life: entries that it
 *       acknowledged to a leader, or counted for itself as one, and the term that it did so in;
 *       and it has them durably when it does so, and when it applies them.
 *   K9  In a quiet cluster the first leader stays: neither short stalls nor a follower that was
 *       away make anybody else stand.
 *   K10 Who leads is a voter by the configuration that it has applied, commits by an entry of its
 *       own term that a quorum has, proposes nothing while it hands leadership over, and a change
 *       of members only when it has applied the one before. Who stands has applied every change
 *       that it knows to be committed.
 *   K12 Transactions, and plain writes among them, do what the model of them does (txn_model.h).
 *   K13 Who watches, and who lists by cursor, is told what was, by the same model (past.h).
 */
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H

#include "sim/host.h"
#include "wal/wal.h"

/* Has seen nothing yet. Lives as long as the simulation. */
struct checker *checker_new(struct sim *sim);

/* Another life of `host`: what only holds within one begins anew. */
void checker_life_begins(struct checker *checker, const struct host *host);
/* After each turn of a node: K1, K4, K5, K8, K10. */
void checker_after_turn(struct checker *checker, const struct host *host);

/* ---- what nodes are seen doing (observer.c) ---- */

/* Entries go to the log. K3, K10. */
void checker_logged(struct checker *checker, const struct host *host,
                    const struct wal_append *append);
/* ... and will be durable when the log is so up to `ticket`. K8. */
void checker_appended(struct checker *checker, const struct host *host, uint64_t ticket,
                      const struct wal_append *append);
/* A snapshot at `pos` replaces the node's log, which has another entry there. K8. */
void checker_replaced(struct checker *checker, const struct host *host, struct raft_pos pos);
/* A vote for `candidate` in `term` leaves the node. K2. */
void checker_voted(struct checker *checker, const struct host *host, uint64_t term,
                   node_id candidate);
/* A leader of `term` is told that this node has its log up to `index` durably. K8. */
void checker_promised(struct checker *checker, const struct host *host, uint64_t term,
                      uint64_t index);
/* An entry was applied: `data` is its command (NULL: none) with its result. K4, K6, K7. */
void checker_applied(struct checker *checker, const struct host *host, struct raft_pos pos,
                     struct buf *data, const struct command_result *result);

/* ---- what clients were told (clients.c) ---- */

/* A new write's number, which stands in its value. */
uint64_t checker_request(struct checker *checker);
/* It was answered OK. K7. */
void checker_acknowledged(struct checker *checker, uint64_t request, uint64_t revision);
/* It was refused: it cannot have happened, ever. K7. */
void checker_refused(struct checker *checker, uint64_t request, err e);

/* The revision at which a request was applied; 0: it was not (yet), or nobody was given it. */
uint64_t checker_revision_of(const struct checker *checker, uint64_t request);
/* An applied write, as the log has it. */
struct checker_write {
    uint64_t request; /* of a PUT; 0: it is a DELETE, which has no room for one */
    struct slice key; /* of a DELETE */
    uint64_t revision;
    bool existed;
};

/* Calls `each` for every applied write, in the order of the log. */
void checker_each_write(const struct checker *checker,
                        void (*each)(void *ctx, const struct checker_write *write), void *ctx);
/* What transactions have to do, and have done (txn_model.h). */
struct txn_model *checker_txn_model(const struct checker *checker);
/* Highest index known to be committed. */
uint64_t checker_committed(const struct checker *checker);
/* The host that leads the highest term of those that are up; NULL: none. */
struct host *checker_leader(const struct checker *checker);

#endif
