/*
 * Whether what clients saw of a store is linearizable: each operation as if it had happened at one
 * instant between its beginning and its end. A history of operations is checked in two ways that
 * share nothing but the model: by the revisions that the server reported (the certificate), and by
 * a search for an order that explains all answers (README.md has both, and the file format).
 *
 * L1  Instants are the recorder's own: two operations are ordered by them only if one returned at a
 *     smaller instant than the other was invoked at. A recorder whose clock stands still during
 *     events counts events instead.
 * L2  Nothing is written twice: each write that may have happened has a value of its own, which is
 *     not 0.
 * L3  The history is whole: every key begins absent, at revision 0, and all its writes are in it.
 * L4  A violation is real: "illegal" is said only with operations that show it. What is not known
 *     for sure is "undecided".
 */
#ifndef LINCHECK_LINCHECK_H
#define LINCHECK_LINCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/err.h"

#define LINCHECK_NEVER UINT64_MAX            /* returned: nobody was told */
#define LINCHECK_REVISION_UNKNOWN UINT64_MAX /* 0 is the revision before the first write */
#define LINCHECK_OPS_MAX (UINT32_MAX / 2)    /* operations have indices of 32 bits */
#define LINCHECK_NO_OP SIZE_MAX              /* no operation, where an index could stand */

/* A transaction over several keys is an operation for each of them, tied together by `txn`. */
enum lincheck_kind {
    LINCHECK_GET,
    LINCHECK_PUT,
    LINCHECK_DELETE,
};
#define LINCHECK_KIND_COUNT 3

enum lincheck_outcome {
    LINCHECK_ANSWERED, /* done, and the client was told */
    LINCHECK_UNKNOWN,  /* it may have happened, or may yet happen at any time */
    LINCHECK_APPLIED,  /* the client was not told, but the log says that it happened */
    LINCHECK_REFUSED,  /* not applied, for sure */
};
#define LINCHECK_OUTCOME_COUNT 4

/* Whether a write met a value under its key. */
enum lincheck_existed {
    LINCHECK_EXISTED_UNKNOWN,
    LINCHECK_EXISTED_NO,
    LINCHECK_EXISTED_YES,
};

struct lincheck_op {
    uint64_t client;
    uint64_t key;
    uint64_t value;        /* PUT: what it wrote; GET: what it found, 0: nothing */
    uint64_t request_id;   /* of a write, for lincheck_settle; 0: none */
    uint64_t invoked;      /* instant (L1) */
    uint64_t returned;     /* instant; LINCHECK_NEVER if UNKNOWN or APPLIED */
    uint64_t revision;     /* PUT, DELETE: the region's, right after it; GET: of the state read */
    uint64_t mod_revision; /* GET: of the write that made what it found; 0: unknown */
    uint64_t txn;          /* PUT, DELETE: changes with one number happened at once; 0: alone */
    enum lincheck_kind kind;
    enum lincheck_outcome outcome;
    enum lincheck_existed existed;
};

/* One line of the applied log: a write that took effect, and the revision right after it. */
struct lincheck_applied {
    uint64_t request_id;
    uint64_t revision;
};

/* Operations in any order, and what the log says of them in its order. All zero is an empty one. */
struct lincheck_history {
    struct lincheck_op *ops;
    size_t count;
    size_t capacity;
    struct lincheck_applied *applied;
    size_t applied_count;
    size_t applied_capacity;
    bool is_log_complete; /* a write that the log does not have never happened, nor ever will */
};

/* Frees what the history owns and leaves an empty one. */
void lincheck_history_deinit(struct lincheck_history *history);

/* What is wrong with `op` by itself (a read that returned before it was invoked, …), in words with
 * static storage; NULL: nothing. */
const char *lincheck_op_problem(const struct lincheck_op *op);

/* Appends a copy of `op`, with which nothing may be wrong, and returns its index. */
size_t lincheck_history_add(struct lincheck_history *history, const struct lincheck_op *op);

/* Appends a line to the applied log; `request_id` is not 0 and `revision` is known. */
void lincheck_history_add_applied(struct lincheck_history *history, uint64_t request_id,
                                  uint64_t revision);

/* Decodes a history file (README.md) into `history`, an empty one. ERR_MALFORMED with the line in
 * `note` (may be NULL); the history is then left empty. Borrows `text`. */
MUST_USE err lincheck_history_parse(struct slice text, struct lincheck_history *history,
                                    struct err_note *note);

/* Appends the history as a file, in the one form that parses back to the same. */
void lincheck_history_write(const struct lincheck_history *history, struct writer *out);

/* From good to bad. */
enum lincheck_verdict {
    LINCHECK_LEGAL,
    LINCHECK_UNDECIDED,
    LINCHECK_ILLEGAL,
};

/* X(name, what is wrong in words) */
#define LINCHECK_REASON_LIST(X)                                                                    \
    X(NONE, "nothing is wrong")                                                                    \
    X(LOG_TWICE, "one request was applied twice")                                                  \
    X(LOG_BACKWARDS, "the revisions of the log go backwards")                                      \
    X(LOG_REFUSED, "a write that was refused for sure was applied")                                \
    X(LOG_REVISION, "a write was answered with another revision than the log has")                 \
    X(LOG_LOST, "an acknowledged write is missing from the log")                                   \
    X(REVISION_ZERO, "a change has revision 0, which is before the first one")                     \
    X(REVISION_TAKEN, "two changes have one revision")                                             \
    X(REAL_TIME, "by its revision an operation precedes one that was over when it began")          \
    X(VALUE, "a read does not find what the order of revisions says")                              \
    X(MOD_REVISION, "a read says that what it found was written at another revision")              \
    X(EXISTED, "a write says wrongly whether there was a value before it")                         \
    X(NEVER_WRITTEN, "a value was read that nobody wrote")                                         \
    X(REFUSED_VISIBLE, "a value was read whose write was refused for sure")                        \
    X(BEFORE_INVOCATION, "a value was read before its write began")                                \
    X(NO_ORDER, "no order of the operations explains their answers")                               \
    X(SAME_VALUE, "two writes have one value, so that reads cannot tell them apart")               \
    X(NO_REVISIONS, "operations have no revision, so that there is no certificate")                \
    X(STEPS, "the search used up its steps")

#define LINCHECK_REASON_ENUM_MEMBER(name, words) LINCHECK_REASON_##name,
enum lincheck_reason {
    LINCHECK_REASON_LIST(LINCHECK_REASON_ENUM_MEMBER) LINCHECK_REASON_COUNT
};
#undef LINCHECK_REASON_ENUM_MEMBER

/* The reason's words in the list; static storage. */
const char *lincheck_reason_words(enum lincheck_reason reason);
/* The reason's name in the list, "NEVER_WRITTEN"; static storage. */
const char *lincheck_reason_name(enum lincheck_reason reason);
/* "legal", "undecided" or "illegal"; static storage. */
const char *lincheck_verdict_name(enum lincheck_verdict verdict);

/* What a check found. All zero before the first check; each check begins it anew. */
struct lincheck_result {
    enum lincheck_verdict verdict;
    enum lincheck_reason reason; /* NONE if legal */
    uint64_t key;                /* of the violation */
    size_t first;                /* the operations that show it, by index, or LINCHECK_NO_OP */
    size_t second;
    size_t prefix_count; /* NO_ORDER: the longest order that explains some, in operations */
    uint64_t steps;      /* of the search */
    struct writer text;  /* in words, lines for people; empty if legal */
};

/* Frees the text and leaves an empty result. */
void lincheck_result_deinit(struct lincheck_result *result);

/*
 * Takes unknown outcomes out of the history, by the applied log that it carries: a write whose
 * request id is in the log becomes APPLIED with that revision; one that is not never happened if
 * the log is complete, and is dropped. Illegal if log and answers contradict each other, legal
 * otherwise. Fills `result`; indices in it are those after the call. O(n).
 */
enum lincheck_verdict lincheck_settle(struct lincheck_history *history,
                                      struct lincheck_result *result);

/*
 * Takes the order of revisions for the order in which all happened, and proves or refutes that it
 * explains every answer and contradicts no clock: strict serializability, over all keys. Undecided
 * (NO_REVISIONS) if some operation has no revision and nothing is wrong with the rest. Borrows
 * `history`, fills `result`. O(n).
 */
enum lincheck_verdict lincheck_certificate(const struct lincheck_history *history,
                                           struct lincheck_result *result);

struct lincheck_options {
    uint64_t salt;         /* of the search's memory; any number */
    uint64_t steps_max;    /* after so many the search gives up; 0: LINCHECK_STEPS_DEFAULT */
    size_t search_ops_max; /* lincheck_run searches what is certified too, up to so many; 0: none */
};

/* About one step a write in a legal history. A step that is remembered takes 64 bytes at most. */
#define LINCHECK_STEPS_DEFAULT UINT64_C(20000000)

/*
 * Looks for an order of each key's operations that explains their answers, whatever their revisions
 * say. Undecided if the steps end first, or if L2 does not hold. Borrows `history` and `options`,
 * fills `result`.
 */
enum lincheck_verdict lincheck_search(const struct lincheck_history *history,
                                      const struct lincheck_options *options,
                                      struct lincheck_result *result);

/*
 * All of it: settles, certifies, and searches the keys that have operations without a revision; all
 * keys if the history is within search_ops_max, so that neither way is trusted alone. Fills
 * `result`.
 */
enum lincheck_verdict lincheck_run(struct lincheck_history *history,
                                   const struct lincheck_options *options,
                                   struct lincheck_result *result);

#endif
