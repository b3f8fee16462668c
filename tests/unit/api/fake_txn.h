/* Transactions that came to the node of api_testing.h, and what they are answered. */
#ifndef FAKE_TXN_H
#define FAKE_TXN_H

#include "api_testing.h"

/* The last transaction that came, borrowed from the node. */
static inline struct txn fake_txn(const struct node *node)
{
    struct command command;
    struct txn txn;
    assert_non_null(node->txn);
    assert_int_equal(command_decode(buf_slice(node->txn), &command), OK);
    assert_int_equal(txn_decode(command.value, &txn), OK);
    return txn;
}

/* Their operation, which has to be the only one. */
static inline struct txn_op fake_txn_op(const struct node *node)
{
    struct txn txn = fake_txn(node);
    struct reader walk = reader_of(txn.then_ops);
    struct txn_op op;
    assert_int_equal(txn.then_count, 1);
    assert_true(txn_next_op(&walk, &op));
    return op;
}

/* The check at `place` of the last transaction. */
static inline struct txn_check fake_txn_check(const struct node *node, uint32_t place)
{
    struct txn txn = fake_txn(node);
    struct reader walk = reader_of(txn.checks);
    struct txn_check check;
    for (uint32_t i = 0; i <= place; i++) {
        assert_true(txn_next_check(&walk, &check));
    }
    return check;
}

/* The next transactions are answered OK, with these results. */
static inline void fake_txn_answer(struct node *node, const struct txn_result *results,
                                   size_t count)
{
    writer_reset(&node->txn_results);
    for (size_t i = 0; i < count; i++) {
        txn_result_encode(&results[i], &node->txn_results);
    }
    node->txn_result = (struct command_result){.e = OK};
}

#endif
