/* The history file (README.md): lines of words, each field with its name. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "lincheck/lincheck.h"

#define HEADER "pontoon-history 1"

enum field {
    FIELD_CLIENT,
    FIELD_KEY,
    FIELD_VALUE,
    FIELD_TIME,
    FIELD_REQUEST,
    FIELD_REVISION,
    FIELD_WRITTEN,
    FIELD_EXISTED,
    FIELD_OUTCOME,
    FIELD_TXN,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {"client",  "key",      "value",   "time",
                                                     "request", "revision", "written", "existed",
                                                     "outcome", "txn"};
static const char *const kind_names[LINCHECK_KIND_COUNT] = {"get", "put", "delete"};

#define BIT(field) (1u << (field))
#define OP_NEEDS (BIT(FIELD_CLIENT) | BIT(FIELD_KEY) | BIT(FIELD_TIME))
#define APPLIED_NEEDS (BIT(FIELD_REQUEST) | BIT(FIELD_REVISION))

/* ---- words ---- */

static bool is_text(struct slice word, const char *text)
{
    return slice_equal(word, slice_from_text(text));
}

/* Takes what stands before the first `end` out of `rest`, and that byte with it. */
static struct slice take_until(struct slice *rest, uint8_t end)
{
    const uint8_t *found = rest->size > 0 ? memchr(rest->data, end, rest->size) : NULL;
    size_t size = found != NULL ? (size_t)(found - rest->data) : rest->size;
    struct slice word = {rest->data, size};
    size_t taken = found != NULL ? size + 1 : size;
    rest->data = taken > 0 ? rest->data + taken : rest->data;
    rest->size -= taken;
    return word;
}

/* Digits alone; below the number that stands for "unknown" and "never". */
static bool parse_number(struct slice word, uint64_t *out_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < word.size; i++) {
        uint8_t digit = (uint8_t)(word.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            return false;
        }
    }
    *out_number = number;
    return word.size > 0 && number != UINT64_MAX;
}

/* "10..25", or "10.." for what has not returned. */
static bool parse_time(struct slice word, struct lincheck_op *op)
{
    struct slice first = take_until(&word, '.');
    bool has_two_dots = word.size > 0 && word.data[0] == '.';
    (void)take_until(&word, '.');
    op->returned = LINCHECK_NEVER;
    return has_two_dots && parse_number(first, &op->invoked) &&
           (word.size == 0 || parse_number(word, &op->returned));
}

static bool parse_existed(struct slice word, struct lincheck_op *op)
{
    op->existed = is_text(word, "yes") ? LINCHECK_EXISTED_YES : LINCHECK_EXISTED_NO;
    return is_text(word, "yes") || is_text(word, "no");
}

static bool parse_outcome(struct slice word, struct lincheck_op *op)
{
    op->outcome = is_text(word, "applied") ? LINCHECK_APPLIED : LINCHECK_REFUSED;
    return is_text(word, "applied") || is_text(word, "refused");
}

/* ---- lines ---- */

static bool parse_field(enum field field, struct slice word, struct lincheck_op *op)
{
    switch (field) {
    case FIELD_CLIENT:
        return parse_number(word, &op->client);
    case FIELD_KEY:
        return parse_number(word, &op->key);
    case FIELD_VALUE:
        return parse_number(word, &op->value);
    case FIELD_TIME:
        return parse_time(word, op);
    case FIELD_REQUEST:
        return parse_number(word, &op->request_id);
    case FIELD_REVISION:
        return parse_number(word, &op->revision);
    case FIELD_WRITTEN:
        return parse_number(word, &op->mod_revision);
    case FIELD_EXISTED:
        return parse_existed(word, op);
    case FIELD_OUTCOME:
        return parse_outcome(word, op);
    case FIELD_TXN:
        return parse_number(word, &op->txn);
    case FIELD_COUNT:
        break;
    }
    return false;
}

static enum field field_of(struct slice name)
{
    unsigned field = 0;
    while (field < FIELD_COUNT && !is_text(name, field_names[field])) {
        field++;
    }
    return (enum field)field;
}

/* Reads "name=value" words into `op` and their names into `out_seen`; returns what is wrong. */
static const char *parse_fields(struct slice line, struct lincheck_op *op, unsigned *out_seen)
{
    *op = (struct lincheck_op){.revision = LINCHECK_REVISION_UNKNOWN};
    unsigned seen = 0;
    while (line.size > 0) {
        struct slice value = take_until(&line, ' ');
        if (value.size == 0) {
            continue;
        }
        enum field field = field_of(take_until(&value, '='));
        if (field == FIELD_COUNT) {
            return "there is a field that has no such name";
        }
        if ((seen & BIT(field)) != 0) {
            return "there is a field twice";
        }
        seen |= BIT(field);
        if (!parse_field(field, value, op)) {
            return "there is a field with a value that it cannot have";
        }
    }
    *out_seen = seen;
    return NULL;
}

static const char *parse_op(enum lincheck_kind kind, struct slice line,
                            struct lincheck_history *history)
{
    struct lincheck_op op;
    unsigned seen;
    const char *problem = parse_fields(line, &op, &seen);
    if (problem != NULL) {
        return problem;
    }
    if ((seen & OP_NEEDS) != OP_NEEDS) {
        return "an operation needs client, key and time";
    }
    op.kind = kind;
    if ((seen & BIT(FIELD_OUTCOME)) == 0) {
        op.outcome = op.returned == LINCHECK_NEVER ? LINCHECK_UNKNOWN : LINCHECK_ANSWERED;
    }
    problem = lincheck_op_problem(&op);
    if (problem == NULL && history->count == LINCHECK_OPS_MAX) {
        problem = "there are too many operations";
    }
    if (problem == NULL) {
        (void)lincheck_history_add(history, &op);
    }
    return problem;
}

static const char *parse_applied(struct slice line, struct lincheck_history *history)
{
    struct lincheck_op fields;
    unsigned seen;
    const char *problem = parse_fields(line, &fields, &seen);
    if (problem == NULL && (seen != APPLIED_NEEDS || fields.request_id == 0)) {
        problem = "a line of the log has a request that is not 0 and a revision, and no more";
    }
    if (problem == NULL && history->applied_count == LINCHECK_OPS_MAX) {
        problem = "the log is too long";
    }
    if (problem == NULL) {
        lincheck_history_add_applied(history, fields.request_id, fields.revision);
    }
    return problem;
}

static const char *parse_line(struct slice line, struct lincheck_history *history)
{
    if (line.size == 0 || line.data[0] == '#') {
        return NULL;
    }
    struct slice rest = line;
    struct slice word = take_until(&rest, ' ');
    for (unsigned kind = 0; kind < LINCHECK_KIND_COUNT; kind++) {
        if (is_text(word, kind_names[kind])) {
            return parse_op((enum lincheck_kind)kind, rest, history);
        }
    }
    if (is_text(word, "applied")) {
        return parse_applied(rest, history);
    }
    if (is_text(line, "complete")) {
        history->is_log_complete = true;
        return NULL;
    }
    return "a line begins with get, put, delete, applied or complete";
}

err lincheck_history_parse(struct slice text, struct lincheck_history *history,
                           struct err_note *note)
{
    ASSERT(history->count == 0 && history->applied_count == 0);
    struct slice rest = text;
    size_t number = 1;
    const char *problem = NULL;
    if (!is_text(take_until(&rest, '\n'), HEADER)) {
        problem = "the first line has to be \"" HEADER "\"";
    }
    while (problem == NULL && rest.size > 0) {
        number++;
        problem = parse_line(take_until(&rest, '\n'), history);
    }
    if (problem != NULL) {
        lincheck_history_deinit(history);
        return err_note_set(note, ERR_MALFORMED, "line %zu: %s", number, problem);
    }
    return OK;
}

/* ---- writing ---- */

static void write_number(struct writer *out, enum field field, uint64_t number)
{
    writer_format(out, " %s=%" PRIu64, field_names[field], number);
}

static void write_op(struct writer *out, const struct lincheck_op *op)
{
    writer_format(out, "%s", kind_names[op->kind]);
    write_number(out, FIELD_CLIENT, op->client);
    write_number(out, FIELD_KEY, op->key);
    if (op->value != 0) {
        write_number(out, FIELD_VALUE, op->value);
    }
    writer_format(out, " time=%" PRIu64 "..", op->invoked);
    if (op->returned != LINCHECK_NEVER) {
        writer_format(out, "%" PRIu64, op->returned);
    }
    if (op->request_id != 0) {
        write_number(out, FIELD_REQUEST, op->request_id);
    }
    if (op->revision != LINCHECK_REVISION_UNKNOWN) {
        write_number(out, FIELD_REVISION, op->revision);
    }
    if (op->mod_revision != 0) {
        write_number(out, FIELD_WRITTEN, op->mod_revision);
    }
    if (op->txn != 0) {
        write_number(out, FIELD_TXN, op->txn);
    }
    static const char *const existed[] = {"", " existed=no", " existed=yes"};
    static const char *const outcomes[LINCHECK_OUTCOME_COUNT] = {"", "", " outcome=applied",
                                                                 " outcome=refused"};
    writer_format(out, "%s%s\n", existed[op->existed], outcomes[op->outcome]);
}

void lincheck_history_write(const struct lincheck_history *history, struct writer *out)
{
    writer_format(out, HEADER "\n");
    for (size_t i = 0; i < history->count; i++) {
        write_op(out, &history->ops[i]);
    }
    for (size_t i = 0; i < history->applied_count; i++) {
        writer_format(out, "applied");
        write_number(out, FIELD_REQUEST, history->applied[i].request_id);
        write_number(out, FIELD_REVISION, history->applied[i].revision);
        writer_format(out, "\n");
    }
    if (history->is_log_complete) {
        writer_format(out, "complete\n");
    }
}
