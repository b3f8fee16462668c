/* Transactions on a store, and what has to be true of the system's space after each (system.h). */
#ifndef TXN_TESTING_H
#define TXN_TESTING_H

#include "base/prng.h"
#include "store/store_int.h"
#include "store/system.h"
#include "store_testing.h"

#define RESULTS_MAX 16u

/* What a transaction was answered; the results' slices lie in `owner`. */
struct answered {
    struct command_result result;
    struct buf *owner;
    struct txn_result ops[RESULTS_MAX];
    size_t count;
};

static inline void answered_drop(struct answered *answered)
{
    buf_drop(&answered->owner);
}

static inline struct answered answered_of(const struct command_result *result)
{
    struct answered answered = {.result = *result, .owner = buf_copy(result->results)};
    answered.result.results = buf_slice(answered.owner);
    struct reader walk = reader_of(answered.result.results);
    while (walk.size > 0) {
        assert_true(answered.count < RESULTS_MAX);
        assert_int_equal(txn_result_decode(&walk, &answered.ops[answered.count]), OK);
        answered.count++;
    }
    return answered;
}

/* The transaction as the leader would have stamped it; `elapsed_ms` is its claim. */
static inline struct buf *txn_command(const struct txn *txn, uint64_t elapsed_ms)
{
    const struct command command = {
        .type = COMMAND_TXN,
        .stamp_ms = elapsed_ms,
        .key = SLICE_LITERAL("k"),
        .clock = {.elapsed_ms = elapsed_ms, .idempotency_age_ms = 1000, .idempotency_count = 5},
        .txn = txn,
    };
    return command_encode(&command);
}

static inline struct answered world_apply_bytes(struct world *world, struct buf *owner)
{
    struct command decoded;
    struct command_result result;
    assert_int_equal(command_decode(buf_slice(owner), &decoded), OK);
    memset(&result, 0xa5, sizeof(result));
    store_apply(world->store, REGION, world_next(world), &decoded, owner, &result);
    return answered_of(&result);
}

static inline struct answered world_txn(struct world *world, const struct txn_builder *builder,
                                        uint64_t elapsed_ms)
{
    struct txn txn = txn_builder_result(builder);
    struct buf *owner = txn_command(&txn, elapsed_ms);
    struct answered answered = world_apply_bytes(world, owner);
    buf_unref(owner);
    return answered;
}

/* One operation, without checks. */
static inline struct answered world_op(struct world *world, const struct txn_op *op,
                                       uint64_t elapsed_ms)
{
    struct txn_builder builder = {0};
    txn_add_op(&builder, op, false);
    struct answered answered = world_txn(world, &builder, elapsed_ms);
    txn_builder_deinit(&builder);
    return answered;
}

/* The error of one operation, for those whose answer is of no interest. */
static inline err world_op_error(struct world *world, const struct txn_op *op, uint64_t elapsed_ms)
{
    struct answered answered = world_op(world, op, elapsed_ms);
    err e = answered.result.e;
    answered_drop(&answered);
    return e;
}

/* ---- what has to be true ---- */

struct census {
    struct world *world;
    uint64_t keys[256]; /* of the system's space, by first byte */
};

static inline void assert_has_system(struct world *world, struct slice key)
{
    struct store_record record;
    assert_int_equal(store_find_record(world->store, STORE_SPACE_SYSTEM, key, &record), OK);
    assert_int_equal(record.flags, STORE_RECORD_SYSTEM);
}

/* Y1, from the users' side; returns how many have a time, and how many a lease. */
static inline void check_users(struct world *world, uint64_t *out_timed, uint64_t *out_leased)
{
    struct system_key key = {0};
    struct slice found;
    struct store_record record;
    struct slice from = SLICE_EMPTY;
    *out_timed = 0;
    *out_leased = 0;
    while (store_find_next(world->store, STORE_SPACE_USER, from, key.bytes, &found, &record) ==
           OK) {
        struct system_key place;
        key.size = found.size;
        if ((record.flags & STORE_RECORD_LEASED) != 0) {
            assert_has_system(world, system_key_leased(&place, record.expires_ms, found));
            assert_has_system(world, system_key_lease(&place, record.expires_ms));
            *out_leased += 1;
        } else if (record.expires_ms != 0) {
            assert_has_system(world,
                              system_key_expiry(&place, record.expires_ms, SYSTEM_OF_KEY, found));
            *out_timed += 1;
        }
        system_key_step(&key);
        from = system_key_slice(&key);
    }
}

static inline void check_lock(struct world *world, struct slice key, struct slice value,
                              uint64_t *holders, uint64_t *waiters)
{
    struct system_lock lock;
    (void)world;
    assert_true(key.size > 1);
    assert_true(system_lock_decode(value, &lock));
    assert_true(lock.holders <= lock.limit && lock.holders + lock.waiters > 0);
    assert_true(lock.waiters == 0 || lock.holders == lock.limit);
    *holders += lock.holders;
    *waiters += lock.waiters;
}

/* Y1 and Y2, the counters and the hash: all of it, from the records alone. */
static inline void world_check(struct world *world)
{
    const struct store_region *region = world_region(world);
    struct system_key key = {0};
    struct slice found;
    struct store_record record;
    struct slice from = SLICE_EMPTY;
    uint64_t counts[256] = {0};
    uint64_t of_keys = 0;
    uint64_t leased_keys = 0;
    uint64_t holders = 0;
    uint64_t waiters = 0;
    uint64_t system_keys = 0;
    while (store_find_next(world->store, STORE_SPACE_SYSTEM, from, key.bytes, &found, &record) ==
           OK) {
        key.size = found.size;
        system_keys++;
        counts[found.data[0]]++;
        if (found.data[0] == SYSTEM_EXPIRY && found.data[SYSTEM_WHAT_OFFSET] == SYSTEM_OF_KEY) {
            of_keys++;
        }
        if (found.data[0] == SYSTEM_LEASED && found.data[SYSTEM_WHAT_OFFSET] == SYSTEM_OF_KEY) {
            leased_keys++;
        }
        if (found.data[0] == SYSTEM_LOCK) {
            check_lock(world, found, record.value, &holders, &waiters);
        }
        system_key_step(&key);
        from = system_key_slice(&key);
    }
    uint64_t timed;
    uint64_t leased;
    check_users(world, &timed, &leased);
    assert_int_equal(system_keys, region->system_keys);
    assert_int_equal(of_keys, timed);
    assert_int_equal(leased_keys, leased);
    assert_int_equal(counts[SYSTEM_EXPIRY], timed + counts[SYSTEM_LEASE] + waiters);
    assert_int_equal(counts[SYSTEM_HOLDER], holders);
    assert_int_equal(counts[SYSTEM_WAITER], waiters);
    assert_int_equal(counts[SYSTEM_IDEMPOTENCY], region->idempotency_keys);
    assert_int_equal(counts[SYSTEM_AGE], region->idempotency_keys);
}

#endif
