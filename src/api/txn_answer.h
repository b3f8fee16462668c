/* What a transaction has done, as JSON. */
#ifndef API_TXN_ANSWER_H
#define API_TXN_ANSWER_H

#include "api/txn_plan.h"
#include "node/node.h"
#include "proto/command.h"

/* Appends the members of one operation's result, without braces. */
void api_txn_write_result(struct writer *out, const struct txn_name *name,
                          const struct txn_result *result);
/* Appends {"succeeded":…,"revision":…,"results":[…]} and a newline; `result` is OK. */
void api_txn_write_answer(struct writer *out, const struct txn_plan *plan,
                          const struct command_result *result);

/* Sets what a transaction is refused with: the clause that does not hold, the operation that cannot
 * be done, or what any write is. `out_key` is whose key it is about, in the plan, or empty. */
void api_txn_set_refusal(const struct node *node, const struct txn_plan *plan,
                         const struct command_result *result, struct problem *problem,
                         struct slice *out_key);

#endif
