/* Histories in memory. */
#include "base/assert.h"
#include "base/mem.h"
#include "lincheck/lincheck.h"

#define CAPACITY_MIN 64u

void lincheck_history_deinit(struct lincheck_history *history)
{
    mem_free(history->ops);
    mem_free(history->applied);
    *history = (struct lincheck_history){0};
}

/* What each kind may say: writes have values and requests, reads have what they found. */
static const char *kind_problem(const struct lincheck_op *op)
{
    switch (op->kind) {
    case LINCHECK_PUT:
        if (op->value == 0) {
            return "a put needs a value, and 0 means none";
        }
        break;
    case LINCHECK_DELETE:
        if (op->value != 0) {
            return "a delete has no value";
        }
        break;
    case LINCHECK_GET:
        if (op->existed != LINCHECK_EXISTED_UNKNOWN) {
            return "a get says by its value whether there was one";
        }
        if (op->request_id != 0 || op->outcome == LINCHECK_APPLIED) {
            return "a get is in no log";
        }
        if (op->txn != 0) {
            return "a get is no change of a transaction";
        }
        break;
    default:
        return "there is no such kind";
    }
    bool found = op->kind == LINCHECK_GET && op->value != 0;
    return op->mod_revision != 0 && !found ? "only a get that found a value can say when it was "
                                             "written"
                                           : NULL;
}

/* What nobody was told cannot be known, but for what the log tells. */
static const char *answer_problem(const struct lincheck_op *op)
{
    bool has_revision = op->revision != LINCHECK_REVISION_UNKNOWN;
    if (op->outcome != LINCHECK_ANSWERED) {
        if (op->existed != LINCHECK_EXISTED_UNKNOWN || op->mod_revision != 0 ||
            (op->kind == LINCHECK_GET && op->value != 0)) {
            return "only an answer says what was found";
        }
        if (has_revision != (op->outcome == LINCHECK_APPLIED)) {
            return op->outcome == LINCHECK_APPLIED ? "what is applied needs its revision"
                                                   : "what was not done has no revision";
        }
    }
    return NULL;
}

const char *lincheck_op_problem(const struct lincheck_op *op)
{
    if (op->outcome >= LINCHECK_OUTCOME_COUNT || op->existed > LINCHECK_EXISTED_YES) {
        return "there is no such outcome";
    }
    bool returns = op->outcome == LINCHECK_ANSWERED || op->outcome == LINCHECK_REFUSED;
    if (op->invoked == LINCHECK_NEVER) {
        return "it was never invoked";
    }
    if (returns != (op->returned != LINCHECK_NEVER)) {
        return returns ? "an answer has an instant" : "without an answer it has not returned";
    }
    if (op->returned < op->invoked) {
        return "it returned before it was invoked";
    }
    const char *problem = kind_problem(op);
    return problem != NULL ? problem : answer_problem(op);
}

static size_t grown(size_t capacity)
{
    return capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity * 2;
}

size_t lincheck_history_add(struct lincheck_history *history, const struct lincheck_op *op)
{
    ASSERT(lincheck_op_problem(op) == NULL);
    ASSERT(history->count < LINCHECK_OPS_MAX);
    if (history->count == history->capacity) {
        history->capacity = grown(history->capacity);
        history->ops = mem_realloc(history->ops, history->capacity, sizeof(history->ops[0]));
    }
    history->ops[history->count] = *op;
    return history->count++;
}

void lincheck_history_add_applied(struct lincheck_history *history, uint64_t request_id,
                                  uint64_t revision)
{
    ASSERT(request_id != 0);
    ASSERT(revision != LINCHECK_REVISION_UNKNOWN);
    ASSERT(history->applied_count < LINCHECK_OPS_MAX);
    if (history->applied_count == history->applied_capacity) {
        history->applied_capacity = grown(history->applied_capacity);
        history->applied =
            mem_realloc(history->applied, history->applied_capacity, sizeof(history->applied[0]));
    }
    history->applied[history->applied_count] =
        (struct lincheck_applied){.request_id = request_id, .revision = revision};
    history->applied_count++;
}
