/*
 * What has to be true of a store's system space (store/system.h: Y1, Y2), the counters with it,
 * from the records alone. For the simulator's end, and for the tests of applying.
 */
#ifndef SIM_SYSTEM_CENSUS_H
#define SIM_SYSTEM_CENSUS_H

#include "store/region.h"
#include "store/store_int.h"
#include "store/system.h"

struct system_census {
    struct store *store;
    const char *problem;  /* the first; NULL: none */
    uint64_t system_keys; /* all, */
    uint64_t counts[256]; /* and by first byte */
    uint64_t due_keys;    /* users' keys in 'E', */
    uint64_t leased_keys; /* and in 'K' */
    uint64_t timed;       /* records of users that have a time, */
    uint64_t leased;      /* and that are on a lease */
    uint64_t holders;     /* as the locks say */
    uint64_t waiters;
};

static inline void system_census_must(struct system_census *census, bool holds, const char *what)
{
    if (!holds && census->problem == NULL) {
        census->problem = what;
    }
}

static inline void system_census_find(struct system_census *census, struct slice key,
                                      const char *what)
{
    struct store_record record;
    err e = store_find_record(census->store, STORE_SPACE_SYSTEM, key, &record);
    system_census_must(census, e == OK && record.flags == STORE_RECORD_SYSTEM, what);
}

static inline void system_census_user(struct system_census *census, struct slice key,
                                      const struct store_record *record)
{
    struct system_key place;
    if ((record->flags & STORE_RECORD_LEASED) != 0) {
        system_census_find(census, system_key_leased(&place, record->expires_ms, key),
                           "a key on a lease has no entry of it");
        system_census_find(census, system_key_lease(&place, record->expires_ms),
                           "a key is on a lease that is not there");
        census->leased++;
    } else if (record->expires_ms != 0) {
        system_census_find(census,
                           system_key_expiry(&place, record->expires_ms, SYSTEM_OF_KEY, key),
                           "a key with a time has no entry of it");
        census->timed++;
    }
}

static inline void system_census_system(struct system_census *census, struct slice key,
                                        const struct store_record *record)
{
    struct system_lock lock = {0};
    uint8_t kind = key.data[0];
    bool is_of_key = (kind == SYSTEM_EXPIRY || kind == SYSTEM_LEASED) &&
                     key.data[SYSTEM_WHAT_OFFSET] == SYSTEM_OF_KEY;
    census->system_keys++;
    census->counts[kind]++;
    census->due_keys += is_of_key && kind == SYSTEM_EXPIRY ? 1 : 0;
    census->leased_keys += is_of_key && kind == SYSTEM_LEASED ? 1 : 0;
    if (kind == SYSTEM_LOCK) {
        system_census_must(census, system_lock_decode(record->value, &lock),
                           "a lock makes no sense");
        system_census_must(census, lock.holders <= lock.limit && lock.holders + lock.waiters > 0,
                           "a lock is held by more than it allows, or is there for nobody");
        system_census_must(census, lock.waiters == 0 || lock.holders == lock.limit,
                           "somebody waits for a lock that is free");
        census->holders += lock.holders;
        census->waiters += lock.waiters;
    }
}

static inline void system_census_walk(struct system_census *census, enum store_space space)
{
    struct system_key key = {0};
    struct slice found;
    struct store_record record;
    struct slice from = SLICE_EMPTY;
    err e;
    while ((e = store_find_next(census->store, space, from, key.bytes, &found, &record)) == OK) {
        key.size = found.size;
        if (space == STORE_SPACE_USER) {
            system_census_user(census, found, &record);
        } else {
            system_census_system(census, found, &record);
        }
        system_key_step(&key);
        from = system_key_slice(&key);
    }
    system_census_must(census, e == ERR_NOT_FOUND, "a record is damaged");
}

/* NULL: all of it holds. Else what does not, in static storage. */
static inline const char *system_census(struct store *store, const struct store_region *region)
{
    struct system_census census = {.store = store};
    system_census_walk(&census, STORE_SPACE_SYSTEM);
    system_census_walk(&census, STORE_SPACE_USER);
    const uint64_t *counts = census.counts;
    system_census_must(&census, census.system_keys == region->system_keys,
                       "the region counts other system records");
    system_census_must(&census, census.due_keys == census.timed,
                       "there are more entries of times than keys that have one");
    system_census_must(&census, census.leased_keys == census.leased,
                       "there are more entries of leases than keys that are on one");
    system_census_must(
        &census, counts[SYSTEM_EXPIRY] == census.timed + counts[SYSTEM_LEASE] + census.waiters,
        "not everything that has an end, and nothing else, has an entry of it");
    system_census_must(&census, counts[SYSTEM_HOLDER] == census.holders,
                       "locks have other holders than they say");
    system_census_must(&census, counts[SYSTEM_WAITER] == census.waiters,
                       "locks have others who wait than they say");
    system_census_must(&census,
                       counts[SYSTEM_IDEMPOTENCY] == region->idempotency_keys &&
                           counts[SYSTEM_AGE] == region->idempotency_keys,
                       "idempotency keys, their ages and their number differ");
    return census.problem;
}

#endif
