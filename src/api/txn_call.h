/* What the routes that make one transaction of a body share: route_txn.c, route_batch.c. */
#ifndef API_TXN_CALL_H
#define API_TXN_CALL_H

#include "api/exchange.h"
#include "api/txn_plan.h"

/* In the request's memory, but for what its plan has. */
struct txn_call {
    struct txn_plan plan;
    uint64_t timeout_ms;
    struct slice idempotency_key;
    bool is_atomic; /* /batch: all lines are one transaction */
};

/* Makes x->txn, from the query's `params` and the header fields. ERR_BAD_REQUEST,
 * ERR_UNSUPPORTED_ENCODING, set in `problem`. */
MUST_USE err api_txn_call_new(struct exchange *x, const struct param_own *params,
                              size_t param_count, struct problem *problem);
/* Takes the value of ?timeout; for the rows of `params`. */
MUST_USE err api_txn_call_timeout(void *ctx, struct slice value, struct problem *problem);

/* Carries out x->txn->plan, which api_txn_finish has found good, and answers. */
void api_txn_call_run(struct exchange *x);
/* Or refuses it. */
void api_txn_call_refuse(struct exchange *x, const struct problem *problem);

#endif
