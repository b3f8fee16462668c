/*
 * What POST /txn asks for, from JSON: the transaction, and what its answer needs besides: the key
 * of each operation, and which clause each check belongs to.
 */
#ifndef API_TXN_PLAN_H
#define API_TXN_PLAN_H

#include "api/problem.h"
#include "proto/txn.h"

/* What an operation is called. */
enum txn_word {
    TXN_WORD_PUT,
    TXN_WORD_DELETE, /* of one key, or of a range */
    TXN_WORD_GET,
    TXN_WORD_DELETE_PREFIX,
    TXN_WORD_INCR,
    TXN_WORD_APPEND,
    TXN_WORD_TOUCH,
    TXN_WORD_COUNT
};

/* All zero is an empty one. */
struct txn_plan {
    struct txn_builder builder;
    struct slice key;        /* of what it is about: decides where it goes; lies in a name list */
    struct writer names[2];  /* of then, else: for each operation what txn_plan_next_name tells */
    struct writer clauses;   /* for each: its key, the beginning of its text */
    struct writer clause_of; /* u32 for each check: its place among the clauses */
    uint32_t clause_count;
    bool is_single; /* it is one operation by itself, without a place */
};

struct txn_limits {
    uint64_t value_bytes_max; /* --max-value-bytes: of each value */
};

/* What an operation was said to be. Slices borrow from the plan. */
struct txn_name {
    enum txn_word word;
    uint8_t flags;    /* enum txn_flag */
    struct slice key; /* or the prefix, or where the range begins */
    struct slice end; /* of a range */
};

/*
 * Fills `plan` from a body. ERR_BAD_REQUEST, ERR_KEY_TOO_LONG, ERR_TOO_LARGE, set in `problem`. The
 * caller deinits in any case.
 */
MUST_USE err api_txn_parse(struct slice body, const struct txn_limits *limits,
                           struct txn_plan *plan, struct problem *problem);
/* The same for one operation, such as {"put":"a","value":"1"}: it becomes the last of then. */
MUST_USE err api_txn_parse_op(struct slice text, const struct txn_limits *limits,
                              struct txn_plan *plan, struct problem *problem);
/* What parsing leaves to the end: that no key is written twice, that it is small enough. Part of
 * api_txn_parse. */
MUST_USE err api_txn_finish(struct txn_plan *plan, struct problem *problem);
void api_txn_plan_deinit(struct txn_plan *plan);

/* The next of the names that `walk` is at: reader_of a list of them. */
bool api_txn_next_name(struct reader *walk, struct txn_name *out_name);
/* The clause that the check at `place` belongs to, and the place of that among them. */
void api_txn_find_clause(const struct txn_plan *plan, uint32_t place, uint32_t *out_clause,
                         struct slice *out_key, struct slice *out_text);
/* "put", "delete_prefix"; static storage. */
const char *api_txn_word(enum txn_word word);

#endif
