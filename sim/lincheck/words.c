#include "lincheck/words.h"

#include <inttypes.h>

#include "base/assert.h"

const char *lincheck_reason_words(enum lincheck_reason reason)
{
#define WORDS(name, words) words,
    static const char *const all[] = {LINCHECK_REASON_LIST(WORDS)};
#undef WORDS
    ASSERT(reason < LINCHECK_REASON_COUNT);
    return all[reason];
}

const char *lincheck_reason_name(enum lincheck_reason reason)
{
#define NAME(name, words) #name,
    static const char *const all[] = {LINCHECK_REASON_LIST(NAME)};
#undef NAME
    ASSERT(reason < LINCHECK_REASON_COUNT);
    return all[reason];
}

const char *lincheck_verdict_name(enum lincheck_verdict verdict)
{
    static const char *const names[] = {"legal", "undecided", "illegal"};
    ASSERT(verdict < ARRAY_COUNT(names));
    return names[verdict];
}

void lincheck_result_deinit(struct lincheck_result *result)
{
    writer_deinit(&result->text);
    *result = (struct lincheck_result){0};
}

void lincheck_result_reset(struct lincheck_result *result)
{
    struct writer text = result->text;
    writer_reset(&text);
    *result =
        (struct lincheck_result){.first = LINCHECK_NO_OP, .second = LINCHECK_NO_OP, .text = text};
}

static void write_line(struct lincheck_result *result, const struct lincheck_history *history,
                       size_t index)
{
    if (index != LINCHECK_NO_OP) {
        ASSERT(index < history->count);
        writer_format(&result->text, "  ");
        lincheck_words_op(&result->text, &history->ops[index]);
        writer_format(&result->text, "\n");
    }
}

enum lincheck_verdict lincheck_result_set(struct lincheck_result *result,
                                          enum lincheck_verdict verdict,
                                          enum lincheck_reason reason,
                                          const struct lincheck_history *history, size_t first,
                                          size_t second)
{
    result->verdict = verdict;
    result->reason = reason;
    result->first = first;
    result->second = second;
    if (first != LINCHECK_NO_OP) {
        result->key = history->ops[first].key;
        writer_format(&result->text, "key %" PRIu64 ": ", result->key);
    }
    writer_format(&result->text, "%s\n", lincheck_reason_words(reason));
    write_line(result, history, first);
    write_line(result, history, second);
    return verdict;
}

void lincheck_words_value(struct writer *out, uint64_t value)
{
    if (value == 0) {
        writer_format(out, "nothing");
    } else {
        writer_format(out, "value %" PRIu64, value);
    }
}

static void write_deed(struct writer *out, const struct lincheck_op *op)
{
    writer_format(out, "client %" PRIu64 " ", op->client);
    switch (op->kind) {
    case LINCHECK_GET:
        writer_format(out, "read key %" PRIu64, op->key);
        if (op->outcome == LINCHECK_ANSWERED) {
            writer_format(out, " and found ");
            lincheck_words_value(out, op->value);
        }
        break;
    case LINCHECK_PUT:
        writer_format(out, "put value %" PRIu64 " into key %" PRIu64, op->value, op->key);
        break;
    case LINCHECK_DELETE:
        writer_format(out, "deleted key %" PRIu64, op->key);
        break;
    }
    if (op->existed != LINCHECK_EXISTED_UNKNOWN) {
        writer_format(out, op->existed == LINCHECK_EXISTED_YES ? ", there was one before"
                                                               : ", there was none before");
    }
}

void lincheck_words_op(struct writer *out, const struct lincheck_op *op)
{
    write_deed(out, op);
    writer_format(out, " (%" PRIu64 "..", op->invoked);
    if (op->returned != LINCHECK_NEVER) {
        writer_format(out, "%" PRIu64, op->returned);
    }
    if (op->revision != LINCHECK_REVISION_UNKNOWN) {
        writer_format(out, ", revision %" PRIu64, op->revision);
    }
    if (op->mod_revision != 0) {
        writer_format(out, ", written at %" PRIu64, op->mod_revision);
    }
    if (op->txn != 0) {
        writer_format(out, ", transaction %" PRIu64, op->txn);
    }
    static const char *const outcomes[LINCHECK_OUTCOME_COUNT] = {
        "", ", outcome unknown", ", applied by the log", ", refused"};
    writer_format(out, "%s)", outcomes[op->outcome]);
}
