/*
 * The search for one key: an order of its operations that explains their answers (README.md).
 * The depth-first search of Wing and Gong with the memory of Lowe, and what unique values add.
 */
#ifndef LINCHECK_KEY_SEARCH_H
#define LINCHECK_KEY_SEARCH_H

#include "lincheck/lincheck.h"
#include "lincheck/sort.h"

/* The operations of one key, by invocation. */
struct lincheck_key_ops {
    const struct lincheck_history *history;
    const struct lincheck_rank *ranks; /* indices into the history */
    size_t count;
};

struct lincheck_key_search;

/* A search without a key yet; it serves one after the other. Caller frees. */
struct lincheck_key_search *lincheck_key_search_new(void);
/* Frees `search`; accepts NULL. */
void lincheck_key_search_free(struct lincheck_key_search *search);

/*
 * Searches, remembering hashes that `salt` makes: "illegal" may be a collision of hashes, which
 * another salt does not repeat; "legal" never is. Takes its steps from *steps_left and is undecided
 * when they are gone. Borrows `ops`; fills `result` (reason, operations, words) unless it is legal.
 */
enum lincheck_verdict lincheck_key_search_run(struct lincheck_key_search *search,
                                              const struct lincheck_key_ops *ops, uint64_t salt,
                                              uint64_t *steps_left, struct lincheck_result *result);

#endif
