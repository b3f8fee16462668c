/*
 * What stands in the system's space, for those who ask: leases with what is on them, locks with who
 * holds them and who waits. Each call is one look at what is applied now, and costs a few records;
 * who wants all goes from one to the next.
 *
 * Values are verified (S4): what is damaged is ERR_CORRUPT. Slices are borrowed until something is
 * applied.
 */
#ifndef STORE_SYSTEM_READ_H
#define STORE_SYSTEM_READ_H

#include "store/system.h"

/* ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err store_lease_get(struct store *store, uint64_t lease, struct system_lease *out_lease);
/* The first lease behind `*lease` (0: of all), which it becomes. ERR_NOT_FOUND: there is none;
 * ERR_CORRUPT. */
MUST_USE err store_lease_next(struct store *store, uint64_t *lease, struct system_lease *out_lease);
/*
 * The first user's key on the lease, behind `*key` (of size 0: of all), which it becomes.
 * ERR_NOT_FOUND, ERR_CORRUPT.
 */
MUST_USE err store_leased_next(struct store *store, uint64_t lease, struct system_key *key);

/* `name` begins with the lock's kind. ERR_NOT_FOUND: nobody holds it or waits; ERR_CORRUPT. */
MUST_USE err store_lock_get(struct store *store, struct slice name, struct system_lock *out_lock);

/* A holder, or one who waits. */
struct store_party {
    uint64_t number; /* a holder's token; the place of one who waits */
    uint64_t modified_ms;
    uint64_t revision;
    struct system_party party;
};

/* The holder with the token. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err store_holder_get(struct store *store, struct slice name, uint64_t token,
                              struct store_party *out_holder);
/* The first holder whose token is above `token`: tokens grow. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err store_holder_next(struct store *store, struct slice name, uint64_t token,
                               struct store_party *out_holder);
/* Who came to hold it from `place` in the queue. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err store_holder_of_place(struct store *store, struct slice name, uint64_t place,
                                   struct store_party *out_holder);
/* Who waits at `place`. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err store_waiter_get(struct store *store, struct slice name, uint64_t place,
                              struct store_party *out_waiter);
/* The first who waits behind `place`. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err store_waiter_next(struct store *store, struct slice name, uint64_t place,
                               struct store_party *out_waiter);

#endif
