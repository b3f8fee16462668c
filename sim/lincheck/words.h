/* What the checkers have to say, in words: results and operations. */
#ifndef LINCHECK_WORDS_H
#define LINCHECK_WORDS_H

#include "lincheck/lincheck.h"

/* Begins `result` anew, as legal. */
void lincheck_result_reset(struct lincheck_result *result);

/*
 * Makes `result` one of `verdict` for `reason`, shown by the operations `first` and `second` of
 * `history` (each may be LINCHECK_NO_OP), and writes that as its first lines. Returns the verdict.
 */
enum lincheck_verdict lincheck_result_set(struct lincheck_result *result,
                                          enum lincheck_verdict verdict,
                                          enum lincheck_reason reason,
                                          const struct lincheck_history *history, size_t first,
                                          size_t second);

/* "client 3 put 12 into key 5 (10..25, revision 9)", without an end of line. */
void lincheck_words_op(struct writer *out, const struct lincheck_op *op);

/* "value 12", or "nothing". */
void lincheck_words_value(struct writer *out, uint64_t value);

#endif
