/*
 * What the files of /locks and /elections share: an election is a lock that one may hold, and whose
 * holder's text is what others read. route_locks.c, lock_acquire.c (to get it, and to wait for it),
 * lock_change.c (to renew it, to give it back), lock_read.c (who has it), route_elections.c,
 * election_watch.c.
 */
#ifndef API_LOCK_INT_H
#define API_LOCK_INT_H

#include "api/fence.h"
#include "api/lease_int.h"
#include "api/linger.h"
#include "api/system_call.h"
#include "api/system_query.h"
#include "node/notices.h"
#include "store/system_read.h"

/* Where an acquiring request is. */
enum lock_stage {
    LOCK_ASKED,   /* the command that takes the lock, or a place in its queue, is on its way */
    LOCK_WAITS,   /* it has a place */
    LOCK_LEAVES,  /* the one that gives the place back is */
    LOCK_RETURNS, /* the one that gives the lock back is: its client has gone */
    /* Where an earlier request with the same Idempotency-Key was answered: */
    LOCK_RECALLS,  /* it had a place; what became of that is about to be seen */
    LOCK_CONFIRMS, /* it has the lock; the command that renews it is on its way */
};

/* In the request's memory. */
struct lock_call {
    struct exchange *x;
    struct system_query query;
    enum txn_lock_kind kind;
    struct slice name; /* with its kind */
    bool has_fence;
    struct fence fence; /* KV-Fence: of this very name */
    bool is_terraform;  /* LOCK, UNLOCK: a refusal has the holder's text as its body */
    bool is_watch;
    struct system_call call;
    struct node_read read;
    /* While it waits: */
    enum lock_stage stage;
    uint64_t place;
    uint64_t deadline_ms; /* of the wait */
    err why;              /* it leaves: OK: its time is over; else what to answer then */
    bool is_seen;         /* W3 */
    /* Its attempts (W4): */
    struct slice key;    /* the client's, or its own; empty: none */
    bool has_client_key; /* Idempotency-Key */
    bool is_replayed;    /* this attempt was made before, by an earlier request */
    uint64_t attempt;
    uint64_t end_ms; /* none is begun after it */
    struct hash128 fingerprint;
    uint8_t own_key[SYSTEM_KEY_SIZE];
    struct env_timer timer;
    struct lingerer linger;
    struct node_notice notice;
};

/* Reads name, query and fence; `suffix_size` bytes at the end of the path are not the name's.
 * ERR_BAD_REQUEST…, set in `problem`. */
MUST_USE err api_lock_prepare(struct exchange *x, enum txn_lock_kind kind, size_t suffix_size,
                              struct problem *problem);

/* ---- each answers the request, now or later ---- */

/* Takes the lock, and waits for it if that is asked for. */
void api_lock_acquire(struct lock_call *lock);
/* Renews what is held with the fence's token; a body is what the holder says from now on. */
void api_lock_renew(struct lock_call *lock);
/* Gives back what is held with `token`. */
void api_lock_release(struct lock_call *lock, uint64_t token);
/* Whoever holds it loses it. */
void api_lock_release_by_force(struct lock_call *lock);
/* DELETE: one or the other. */
void api_lock_delete(struct lock_call *lock);
/* Calls `done` when the state may be read, as the query's consistency has it. */
void api_lock_read(struct lock_call *lock,
                   void (*done)(struct node_read *read, err e, struct store_record *record));
/* Who holds it, and how many wait. */
void api_lock_show(struct lock_call *lock);

/* ---- answers ---- */

/* 200, with the token and KV-Fence. */
void api_lock_respond_held(struct lock_call *lock, uint64_t token, uint64_t lease, uint64_t ttl_ms);
/* What a refusal tells of the holder; the slices are borrowed. */
struct lock_holder {
    uint64_t token; /* 0: nobody is known */
    uint64_t ttl_ms;
    struct slice content_type;
    struct slice text;
};
/* 423 */
void api_lock_respond_locked(struct lock_call *lock, const struct lock_holder *holder);
/* Adds the field KV-Fence. */
void api_lock_add_fence(struct lock_call *lock, uint64_t token);
/* The Content-Type to send with a holder's text. */
struct slice api_lock_type_to_send(struct exchange *x, struct slice content_type);

/* /elections/NAME/watch: election_watch.c. */
void api_election_watch(struct lock_call *lock);

#endif
