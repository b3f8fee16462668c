/*
 * What transactions have to do, written a second time, in the simplest way: lists that are walked.
 * It takes each committed command in the order of the log, with what applying it answered, and says
 * what of that is wrong. Of what production can, it knows what the simulator's clients ask for.
 *
 *   T1  Exactly once: an operation is carried out once, whatever is asked again under its
 *       idempotency key, and each of those is answered as the first.
 *   T2  Never early: nothing with a TTL goes by itself before so much simulated time has passed
 *       since it was asked for, be the clocks as skewed as the plan allows.
 *   T3  Fences: a token is good only while its holder holds the lock; tokens grow; at most as many
 *       hold a lock as it says, and first come, first served.
 *   T4  All or nothing: checks are those of the state before, all of one branch is done and none of
 *       the other, and each operation sees the one before it; one revision, if any.
 */
#ifndef SIM_TXN_MODEL_H
#define SIM_TXN_MODEL_H

#include "proto/command.h"

struct past;
struct txn_model;

struct txn_model_options {
    uint32_t clock_ppm_max; /* how much faster than the world a node's clock runs, at most */
};

/* Nothing is there yet. */
struct txn_model *txn_model_new(const struct txn_model_options *options);
void txn_model_free(struct txn_model *model);

/* A number for an operation, from 1 on, which is asked for now: its transactions' fingerprint has
 * it (txn_model_mark). */
uint64_t txn_model_number(struct txn_model *model, uint64_t now_ns);
struct hash128 txn_model_mark(uint64_t number);

/* An applied command, and its answer. */
struct txn_model_entry {
    const struct command *command;
    const struct command_result *result;
    uint64_t now_ns;    /* of the world */
    uint64_t elections; /* so far: each may cost a clock the fraction of a millisecond */
};

/* Takes the next command of the log. NULL: it was answered rightly. Else what is wrong, until the
 * next call. */
const char *txn_model_apply(struct txn_model *model, const struct txn_model_entry *entry);
/* The operation's client was answered so by applying. As above. */
const char *txn_model_answered(struct txn_model *model, uint64_t number,
                               const struct command_result *result);
/* It was told that nothing happened, without applying anything: so it must stay. As above. */
const char *txn_model_refused(struct txn_model *model, uint64_t number);

/* How much there is that has an end: keys, leases, places in queues. */
uint64_t txn_model_timed(const struct txn_model *model);

/* A key as it is. */
struct txn_model_key {
    struct slice key;
    struct slice value;
    uint64_t create_revision;
    uint64_t mod_revision;
    uint64_t version;
    uint64_t expires_ms; /* a lease's id if it is on one; 0: neither */
    bool is_leased;
};
/* Calls `each` for all that are there. */
void txn_model_each(const struct txn_model *model,
                    void (*each)(void *ctx, const struct txn_model_key *key), void *ctx);

/* Who leads the election from a revision on, and what it says of itself. There is one election. */
struct txn_model_lead {
    uint64_t revision;
    uint64_t token; /* 0: nobody, as before the first */
    uint64_t said;  /* txn_model_said; of nobody 0 */
};
/* A number for what a leader says of itself. */
uint64_t txn_model_said(struct slice value);
/* As it was at the revision. */
struct txn_model_lead txn_model_lead_at(const struct txn_model *model, uint64_t revision);

/* What was there at which revision, and each change of it (past.h). The model's. */
const struct past *txn_model_past(const struct txn_model *model);

#endif
