/*
 * What the model remembers, for its own files: txn_model.c (commands), txn_model_checks.c,
 * txn_model_state.c (keys, leases, locks and their ends).
 */
#ifndef SIM_TXN_MODEL_INT_H
#define SIM_TXN_MODEL_INT_H

#include "sim/txn_model.h"

/* What T2 goes by. */
struct model_time {
    uint64_t ttl_ms;
    uint64_t from_ns;   /* of the world: when it was asked for */
    uint64_t elections; /* until then */
};

struct model_key {
    struct buf *name;
    bool is_there;
    bool is_shared; /* a transaction was of it: else lincheck alone looks at plain writes of it */
    struct buf *value;
    uint64_t create_revision; /* this and the next two: 0 if it is not there */
    uint64_t mod_revision;
    uint64_t version;
    uint64_t due_ms; /* 0: none */
    uint64_t lease;  /* likewise */
    struct model_time time;
};

struct model_lease {
    uint64_t id;
    uint64_t ttl_ms;
    uint64_t due_ms;
    struct model_time time;
};

/* Who holds a lock, or waits for it. */
struct model_party {
    struct buf *lock;
    bool is_holder;
    uint64_t token; /* of a holder; else its place */
    uint64_t place; /* of a holder that has waited, too */
    uint64_t limit;
    uint64_t lease;
    uint64_t ttl_ms;
    uint64_t due_ms;
    uint64_t said; /* txn_model_said of what it says of itself */
};

struct model_answer {
    struct buf *key;
    uint64_t number; /* of the operation */
    uint64_t hash;
    uint64_t due_ms;
};

/* By number: what became of an operation. */
struct model_op {
    uint64_t asked_ns;
    bool is_applied;
    bool is_done;      /* and was not refused by that */
    bool is_forgotten; /* its idempotency key: it may be carried out again */
    bool is_refused;
    uint64_t hash;
};

struct txn_model {
    struct txn_model_options options;
    struct past *past;
    struct model_key *keys;
    size_t key_count;
    struct model_lease *leases;
    size_t lease_count;
    struct model_party *parties; /* in no order */
    size_t party_count;
    struct txn_model_lead *leads; /* in order */
    size_t lead_count;
    struct model_answer *answers;
    size_t answer_count;
    struct model_op *ops;
    size_t op_count;
    uint64_t elapsed_ms;
    uint64_t last_token;
    uint64_t revision; /* after the last command */

    /* Of the command under way. */
    const struct txn_model_entry *entry;
    uint64_t asked_ns;
    bool is_revision;
    bool is_expiry; /* what goes, goes by itself */
    bool is_wrong;
    char complaint[256];
};

/* The entry is answered wrongly; only the first complaint counts. */
void txn_model_complain(struct txn_model *model, const char *format, ...) PRINTF_LIKE(2, 3);
/* Complains of a number that is not what it should be. */
void txn_model_expect(struct txn_model *model, const char *what, uint64_t is, uint64_t should_be);
/* Room for one more in an array that doubles at each power of two; all zero. */
void *txn_model_grow(void *items, size_t *count, size_t item_size);

/* The idempotency key that is due first is forgotten. */
void txn_model_forget_oldest(struct txn_model *model);

/* ---- checks ---- */

/* The first check of those that an `or` joins and of which none holds; UINT32_MAX: no such. */
uint32_t txn_model_failed_check(struct txn_model *model, const struct txn *txn);
/* The transaction is refused for it: complains if that is not so, or is told wrongly. */
void txn_model_check_failed(struct txn_model *model, const struct txn *txn);

/* ---- keys ---- */

/* What is known of the key, also if it is not there; until another one becomes known. */
struct model_key *txn_model_key_at(struct txn_model *model, struct slice name);
/* It goes; it is there. */
void txn_model_delete_key(struct txn_model *model, struct model_key *key);
/* The operation's TTL, or lease, or none. */
void txn_model_set_time(struct txn_model *model, struct model_key *key, const struct txn_op *op);
/* The operation puts it. */
void txn_model_put_key(struct txn_model *model, struct model_key *key, const struct txn_op *op,
                       struct slice value);

/* ---- leases and locks ---- */

/* NULL: there is none. */
struct model_lease *txn_model_lease_at(struct txn_model *model, uint64_t id);
/* A new one. */
void txn_model_grant(struct txn_model *model, uint64_t id, uint64_t ttl_ms);
/* Its time begins anew, with another TTL if that is not 0. */
void txn_model_keep_lease(struct txn_model *model, struct model_lease *lease, uint64_t ttl_ms);
/* It ends; how many keys went with it. */
uint64_t txn_model_end_lease(struct txn_model *model, uint64_t id);
/* How many hold the lock, or wait for it. */
uint64_t txn_model_count_of(const struct txn_model *model, struct slice lock, bool holders);
/* The holder with the token, or who waits at the place; NULL: none. */
struct model_party *txn_model_party_at(struct txn_model *model, struct slice lock, bool is_holder,
                                       uint64_t token);
/* A new one, who neither holds nor waits yet. */
struct model_party *txn_model_add_party(struct txn_model *model, const struct txn_op *op);
/* They hold the lock from now on. */
void txn_model_hold(struct txn_model *model, struct model_party *party);
/* The holder says something else of itself. */
void txn_model_say(struct txn_model *model, struct model_party *party, struct slice value);
/* Who waits goes. */
void txn_model_drop_party(struct txn_model *model, struct model_party *party);
/* Who holds it without a lease does no more; the next ones do. */
void txn_model_end_holder(struct txn_model *model, struct model_party *party);

/* What is due ends, at most `count_max` of it; returns how much that was. T2. */
uint64_t txn_model_expire(struct txn_model *model, uint64_t count_max);

#endif
