/* Unknown outcomes, settled by the applied log. */
#include <inttypes.h>

#include "base/assert.h"
#include "lincheck/table.h"
#include "lincheck/words.h"

/* Reads the log into `table`, request id to line; legal if it is one that a log can be. */
static enum lincheck_verdict read_log(const struct lincheck_history *history,
                                      struct lincheck_table *table, struct lincheck_result *result)
{
    for (size_t i = 0; i < history->applied_count; i++) {
        const struct lincheck_applied *line = &history->applied[i];
        size_t before = lincheck_table_add(table, line->request_id, (uint32_t)i);
        enum lincheck_reason reason = LINCHECK_REASON_NONE;
        if (before != i) {
            reason = LINCHECK_REASON_LOG_TWICE;
        } else if (i > 0 && line->revision < line[-1].revision) {
            reason = LINCHECK_REASON_LOG_BACKWARDS;
            before = i - 1;
        }
        if (reason != LINCHECK_REASON_NONE) {
            const struct lincheck_applied *first = &history->applied[before];
            (void)lincheck_result_set(result, LINCHECK_ILLEGAL, reason, history, LINCHECK_NO_OP,
                                      LINCHECK_NO_OP);
            writer_format(&result->text,
                          "  line %zu of the log: request %" PRIu64 ", revision %" PRIu64 "\n",
                          before + 1, first->request_id, first->revision);
            writer_format(&result->text,
                          "  line %zu of the log: request %" PRIu64 ", revision %" PRIu64 "\n",
                          i + 1, line->request_id, line->revision);
            return LINCHECK_ILLEGAL;
        }
    }
    return LINCHECK_LEGAL;
}

/* What is wrong between an operation and its line in the log (NULL: it has none). */
static enum lincheck_reason contradiction(const struct lincheck_op *op,
                                          const struct lincheck_applied *line, bool is_complete)
{
    if (line == NULL) {
        bool is_acknowledged = op->outcome == LINCHECK_ANSWERED || op->outcome == LINCHECK_APPLIED;
        return is_complete && is_acknowledged ? LINCHECK_REASON_LOG_LOST : LINCHECK_REASON_NONE;
    }
    if (op->outcome == LINCHECK_REFUSED) {
        return LINCHECK_REASON_LOG_REFUSED;
    }
    if (op->revision != LINCHECK_REVISION_UNKNOWN && op->revision != line->revision) {
        return LINCHECK_REASON_LOG_REVISION;
    }
    return LINCHECK_REASON_NONE;
}

static const struct lincheck_applied *line_of(const struct lincheck_history *history,
                                              const struct lincheck_table *table,
                                              const struct lincheck_op *op)
{
    uint32_t line;
    bool is_there = op->request_id != 0 && lincheck_table_find(table, op->request_id, &line);
    return is_there ? &history->applied[line] : NULL;
}

/* Whether the operation can have happened. */
static bool settle_op(struct lincheck_op *op, const struct lincheck_applied *line, bool is_complete)
{
    if (line != NULL) {
        op->revision = line->revision;
        op->outcome = op->outcome == LINCHECK_UNKNOWN ? LINCHECK_APPLIED : op->outcome;
        return true;
    }
    return op->outcome != LINCHECK_UNKNOWN || op->request_id == 0 || !is_complete;
}

static enum lincheck_verdict settle_all(struct lincheck_history *history,
                                        const struct lincheck_table *table,
                                        struct lincheck_result *result)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct lincheck_op *op = &history->ops[i];
        const struct lincheck_applied *line = line_of(history, table, op);
        bool can_tell = history->is_log_complete && op->request_id != 0;
        enum lincheck_reason reason = contradiction(op, line, can_tell);
        if (reason != LINCHECK_REASON_NONE) {
            (void)lincheck_result_set(result, LINCHECK_ILLEGAL, reason, history, i, LINCHECK_NO_OP);
            if (line != NULL) {
                writer_format(&result->text, "  in the log it has revision %" PRIu64 "\n",
                              line->revision);
            }
            return LINCHECK_ILLEGAL;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < history->count; i++) {
        struct lincheck_op op = history->ops[i];
        if (settle_op(&op, line_of(history, table, &op), history->is_log_complete)) {
            history->ops[kept] = op;
            kept++;
        }
    }
    history->count = kept;
    return LINCHECK_LEGAL;
}

enum lincheck_verdict lincheck_settle(struct lincheck_history *history,
                                      struct lincheck_result *result)
{
    lincheck_result_reset(result);
    struct lincheck_table table = {0};
    enum lincheck_verdict verdict = read_log(history, &table, result);
    if (verdict == LINCHECK_LEGAL) {
        verdict = settle_all(history, &table, result);
    }
    lincheck_table_deinit(&table);
    return verdict;
}
