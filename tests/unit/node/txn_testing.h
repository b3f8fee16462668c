/* Transactions of one operation, through whole nodes. */
#ifndef TXN_TESTING_H
#define TXN_TESTING_H

#include "node_testing.h"
#include "proto/txn.h"

struct operation {
    struct node_write write;
    err e;
    struct txn_result result; /* without its slices */
    bool is_done;
};

static inline void operation_done(struct node_write *write, const struct command_result *result)
{
    struct operation *operation = CONTAINER_OF(write, struct operation, write);
    struct reader results = reader_of(result->results);
    operation->e = result->e;
    operation->is_done = true;
    if (result->results.size > 0) {
        assert_int_equal(txn_result_decode(&results, &operation->result), OK);
    }
}

static inline bool is_operated(void *ctx)
{
    return ((struct operation *)ctx)->is_done;
}

/* Waits for the answer. */
static inline struct operation apply_op(struct cluster *cluster, uint32_t i,
                                        const struct txn_op *op)
{
    struct txn_builder builder = {0};
    txn_add_op(&builder, op, false);
    struct txn txn = txn_builder_result(&builder);
    const struct command command = {.type = COMMAND_TXN, .key = SLICE_LITERAL("x"), .txn = &txn};
    struct operation operation = {.write = {.command = command_encode(&command),
                                            .deadline_ms = env_now_ms(cluster->env) + 10000,
                                            .done = operation_done}};
    txn_builder_deinit(&builder);
    node_write(cluster->nodes[i], command.key, &operation.write);
    assert_true(turn_until(cluster, is_operated, &operation));
    return operation;
}

#endif
