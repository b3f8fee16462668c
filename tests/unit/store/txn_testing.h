/* Transactions on a store, and what has to be true of the system's space after each (system.h). */
#ifndef TXN_TESTING_H
#define TXN_TESTING_H

#include "base/prng.h"
#include "sim/block_census.h"
#include "sim/system_census.h"
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

/* Y1 and Y2, the counters and the hash, and what was counted: all of it, from the records alone. */
static inline void world_check(struct world *world)
{
    const char *problem = system_census(world->store, world_region(world));
    problem = problem != NULL ? problem : block_census(world->store, REGION);
    if (problem != NULL) {
        fail_msg("%s", problem);
    }
}

#endif
