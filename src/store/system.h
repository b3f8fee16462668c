/*
 * What stands in the system space: the keys, byte by byte, and the values. Numbers in keys are
 * big-endian, so that they are in order.
 *
 *     'E' time what …       what is due at that elapsed time: 'k' user's key; 'l' lease;
 *                           'q' place, name: who waits for a lock
 *     'A' time key          when an idempotency key is forgotten
 *     'I' key               idempotency key: fingerprint, time of 'A', the encoded result
 *     'L' lease             ttl, time of 'E'
 *     'K' lease what …      what ends with the lease: 'k' user's key; 'h' token, name: holder
 *     'M' name              lock: how many may hold it, how many do, how many wait
 *     'H' size name token   holder of a lock
 *     'Q' size name place   who waits for one, first come first
 *
 * Y1  A record of a user has an entry in 'E' if it has a time, in 'K' if it is on a lease, and no
 *     other has. The same of leases, waiters and idempotency keys.
 * Y2  A lock has its 'M' as long as somebody holds it or waits; as many 'H' and 'Q' as 'M' says.
 */
#ifndef STORE_SYSTEM_H
#define STORE_SYSTEM_H

#include "proto/txn.h"
#include "store/store.h"

/* A key that is put together, or copied, of either space; all zero is an empty one. */
struct system_key {
    size_t size;
    uint8_t bytes[STORE_SYSTEM_KEY_SIZE_MAX];
};

/* The key's bytes, borrowed from it. */
struct slice system_key_slice(const struct system_key *key);
/* Makes it the next one that there can be, be it a user's or the system's: a byte longer. */
void system_key_step(struct system_key *key);

/* Each makes the key of what its name says; returns it for the caller's convenience. */
struct slice system_key_expiry(struct system_key *key, uint64_t time_ms, char what,
                               struct slice name);
/* Of a waiter: `name` is its lock's. */
struct slice system_key_expiry_of_place(struct system_key *key, uint64_t time_ms, uint64_t place,
                                        struct slice name);
struct slice system_key_expiry_of_lease(struct system_key *key, uint64_t time_ms, uint64_t lease);
struct slice system_key_age(struct system_key *key, uint64_t time_ms, struct slice name);
struct slice system_key_idempotency(struct system_key *key, struct slice name);
struct slice system_key_lease(struct system_key *key, uint64_t lease);
/* 'K' of a user's key; an empty one gives what all of the lease begin with. */
struct slice system_key_leased(struct system_key *key, uint64_t lease, struct slice name);
struct slice system_key_lease_holder(struct system_key *key, uint64_t lease, uint64_t token,
                                     struct slice name);
/* What all that ends with the lease begins with. */
struct slice system_key_lease_prefix(struct system_key *key, uint64_t lease);
struct slice system_key_lock(struct system_key *key, struct slice name);
struct slice system_key_holder(struct system_key *key, struct slice name, uint64_t token);
struct slice system_key_waiter(struct system_key *key, struct slice name, uint64_t place);

/* The number at `offset` of a key that has it. */
uint64_t system_key_number(struct slice key, size_t offset);

#define SYSTEM_EXPIRY 'E'
#define SYSTEM_AGE 'A'
#define SYSTEM_IDEMPOTENCY 'I'
#define SYSTEM_LEASE 'L'
#define SYSTEM_LEASED 'K'
#define SYSTEM_LOCK 'M'
#define SYSTEM_HOLDER 'H'
#define SYSTEM_WAITER 'Q'

#define SYSTEM_OF_KEY 'k'
#define SYSTEM_OF_LEASE 'l'
#define SYSTEM_OF_PLACE 'q'
#define SYSTEM_OF_HOLDER 'h'

/* Where in an 'E' and a 'K' stands what it is of, and its name after that. */
#define SYSTEM_WHAT_OFFSET 9u
#define SYSTEM_NAME_OFFSET 10u

/* ---- values ---- */

struct system_lease {
    uint64_t ttl_ms;
    uint64_t due_ms;
};
/* Appends the encoding. */
void system_lease_encode(const struct system_lease *lease, struct writer *out);
/* Slices borrow from `bytes`. False: it makes no sense. */
bool system_lease_decode(struct slice bytes, struct system_lease *out_lease);

struct system_lock {
    uint32_t limit;
    uint32_t holders;
    uint32_t waiters;
};
/* Appends the encoding. */
void system_lock_encode(const struct system_lock *lock, struct writer *out);
/* Slices borrow from `bytes`. False: it makes no sense. */
bool system_lock_decode(struct slice bytes, struct system_lock *out_lock);

/* A holder, or one who waits. */
struct system_party {
    uint64_t lease; /* 0: without an end */
    uint64_t ttl_ms;
    uint64_t place;  /* in the queue; of a holder that did not wait: 0 */
    uint64_t due_ms; /* until when it waits */
    struct slice content_type;
    struct slice owner; /* what it says of itself */
};
/* Appends the encoding. */
void system_party_encode(const struct system_party *party, struct writer *out);
/* Slices borrow from `bytes`. False: it makes no sense. */
bool system_party_decode(struct slice bytes, struct system_party *out_party);

struct system_answer {
    struct hash128 fingerprint;
    uint64_t due_ms;
    struct slice result; /* command_result_encode */
};
/* Appends the encoding. */
void system_answer_encode(const struct system_answer *answer, struct writer *out);
/* Slices borrow from `bytes`. False: it makes no sense. */
bool system_answer_decode(struct slice bytes, struct system_answer *out_answer);

#endif
