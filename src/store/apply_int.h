/*
 * What the parts of applying share: apply.c (entries, the plain PUT and DELETE), apply_txn.c (a
 * transaction as a whole), apply_key.c (users' keys), apply_lease.c, apply_lock.c, apply_expire.c,
 * apply_answer.c (idempotency).
 *
 * Z1  A transaction changes its stage alone until it is taken over: one that is refused has changed
 *     nothing.
 * Z2  All of it has one revision, which begins only if it changes a key of a user or who holds a
 *     lock.
 */
#ifndef STORE_APPLY_INT_H
#define STORE_APPLY_INT_H

#include "store/stage.h"
#include "store/store_int.h"
#include "store/system.h"

struct txn_run {
    struct store *store;
    struct store_region *region; /* not changed before the stage is taken over */
    const struct command *command;
    struct buf *owner; /* of the command's bytes */
    struct txn txn;
    struct stage stage;
    uint64_t revision;         /* what it has if it makes one */
    uint64_t last_token;       /* the region's, then */
    uint64_t idempotency_keys; /* likewise */
    uint64_t age_floor_ms;     /* the store's due, likewise */
    bool is_revision;          /* Z2 */
    bool is_expiry;            /* what goes expires */
    bool is_single;            /* there is one operation: its value may stay in `owner` */
    struct writer *results;
    struct writer scratch; /* of a system record's value */
    struct buf *held;      /* of the operation's result, until that is encoded; or NULL */
};

/* ---- apply.c ---- */

/* Tells `options.changed`. Before the tail changes. */
void apply_tell_change(const struct store *store, const struct store_region *region,
                       const struct store_change *change);

/* ---- apply_txn.c ---- */

/* Applies the TXN `command`: all of it, but for the region's position and clocks. */
void apply_txn(struct store *store, struct store_region *region, const struct command *command,
               struct buf *owner, struct command_result *out_result);

/* The plain PUT or DELETE of a key whose record has a time (expires_ms is not 0): that goes
 * first. */
void apply_drop_time(struct store *store, struct store_region *region, struct slice key,
                     const struct store_record *record);

/* Puts a system record; its value is what run->scratch holds. */
void apply_put_system(struct txn_run *run, struct slice key);
/* A system record that the rest of the state says is there; its end is the process's. */
_Noreturn void apply_end_inconsistent(const struct txn_run *run, const char *what);

/* ---- apply_key.c ---- */

/* Carries out one operation on users' keys; refusals as in command_result.e. */
MUST_USE err apply_key_op(struct txn_run *run, const struct txn_op *op, struct txn_result *result);
/* Deletes the key, which is there as `existing`, with what belongs to it. */
void apply_key_delete(struct txn_run *run, struct slice key, const struct store_record *existing);
/* Fills in what is known of the record, its value too if `with_value`. */
void apply_key_describe(const struct txn_run *run, const struct store_record *record,
                        bool with_value, struct txn_result *result);
/* What is left of its time, or of its lease's, in ms; 0: it has none. */
uint64_t apply_key_ttl(const struct txn_run *run, const struct store_record *record);
/* Takes the entry of 'E' or 'K' away that the record of a user has (Y1): its expires_ms is not
 * 0. */
void apply_key_drop_time(struct stage *stage, struct slice key, const struct store_record *record);

/* ---- apply_lease.c ---- */

/* Carries out one operation on leases; refusals as in command_result.e. */
MUST_USE err apply_lease_op(struct txn_run *run, const struct txn_op *op,
                            struct txn_result *result);
/* The lease as it is; false: there is none. */
bool apply_lease_find(const struct txn_run *run, uint64_t lease, struct system_lease *out_lease);
/* Makes one that is not there. ERR_CONFLICT: it is. */
MUST_USE err apply_lease_grant(struct txn_run *run, uint64_t lease, uint64_t ttl_ms);
/* Its time begins anew, with another TTL if that is not 0. ERR_LEASE_NOT_FOUND. */
MUST_USE err apply_lease_keep(struct txn_run *run, uint64_t lease, uint64_t ttl_ms,
                              uint64_t *out_ttl_ms);
/* It ends, with all that is on it; returns how many keys went. ERR_LEASE_NOT_FOUND. */
MUST_USE err apply_lease_end(struct txn_run *run, uint64_t lease, uint64_t *out_keys);

/* ---- apply_lock.c ---- */

/* Carries out one operation on locks; refusals as in command_result.e. */
MUST_USE err apply_lock_op(struct txn_run *run, const struct txn_op *op, struct txn_result *result);
/* Whether the token is a holder's. */
bool apply_lock_is_held(const struct txn_run *run, struct slice name, uint64_t token);
/* The token, whose lease, if it has one, has gone, is no holder's any more: the next ones in the
 * queue hold it. */
void apply_lock_drop_holder(struct txn_run *run, struct slice name, uint64_t token);
/* The time of one who waits is over. */
void apply_lock_place_due(struct txn_run *run, struct slice name, uint64_t place);

/* ---- apply_expire.c ---- */

/* Removes what is due, at most `count_max`; returns how much that was. */
uint64_t apply_expire(struct txn_run *run, uint64_t count_max);

/* The oldest of the idempotency keys, in 'A'; false: there is none. Whoever asks deletes it. */
bool apply_first_age(struct txn_run *run, struct system_key *out_age);

/* A key of the system's space was put, or deleted. */
void apply_note_due(struct store *store, struct slice key, bool is_put);

/* ---- apply_answer.c ---- */

/* What the command's idempotency key was answered, in *out_result; false: nothing yet. */
bool apply_answer_find(struct txn_run *run, struct command_result *out_result);
/* Remembers the answer under the key, and forgets the oldest where there are too many. */
void apply_answer_remember(struct txn_run *run, const struct command_result *result);
/* An idempotency key's time is over. */
void apply_answer_forget(struct txn_run *run, struct slice age_key);

#endif
