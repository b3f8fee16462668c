/*
 * The certificate: the order of revisions as the order in which everything happened.
 *
 * K1  The order is by revision. Of one revision, the change that made it stands first, and what
 *     only looked on after it, by invocation: among those any order explains the answers, and this
 *     one contradicts no clock if one does not.
 * K2  A delete whose answer does not say whether it met a value is the change of its revision if
 *     nothing else is, and if there was a value.
 * K3  Refused operations, and reads without an answer, say nothing and stand nowhere.
 * K4  A key with an operation that has no revision is not replayed: that may have been anywhere.
 * K5  Changes of one transaction have one revision, each of another key: they stand together.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/mem.h"
#include "lincheck/sort.h"
#include "lincheck/table.h"
#include "lincheck/words.h"

/* A key as the replay finds it. */
struct cell {
    uint64_t value;        /* 0: absent */
    uint64_t mod_revision; /* of the last change; 0: none yet */
    size_t changed_by;     /* that operation, or LINCHECK_NO_OP */
    bool is_uncertain;     /* K4 */
};

struct replay {
    const struct lincheck_history *history;
    struct lincheck_result *result;
    struct lincheck_rank *order;
    size_t count;     /* of order */
    uint32_t *key_of; /* cell of each operation of the history */
    struct cell *cells;
    bool is_uncertain; /* any cell is */
};

static const struct lincheck_op *op_at(const struct replay *replay, size_t position)
{
    return &replay->history->ops[replay->order[position].index];
}

static struct cell *cell_at(const struct replay *replay, size_t position)
{
    return &replay->cells[replay->key_of[replay->order[position].index]];
}

/* ---- the order ---- */

static bool says_something(const struct lincheck_op *op)
{
    return op->outcome != LINCHECK_REFUSED &&
           (op->kind != LINCHECK_GET || op->outcome == LINCHECK_ANSWERED);
}

static void find_cells(struct replay *replay)
{
    const struct lincheck_history *history = replay->history;
    struct lincheck_table keys = {0};
    for (size_t i = 0; i < history->count; i++) {
        replay->key_of[i] = lincheck_table_add(&keys, history->ops[i].key, (uint32_t)keys.count);
    }
    replay->cells = mem_calloc(keys.count, sizeof(replay->cells[0]));
    for (size_t i = 0; i < keys.count; i++) {
        replay->cells[i].changed_by = LINCHECK_NO_OP;
    }
    lincheck_table_deinit(&keys);
}

static void find_order(struct replay *replay)
{
    const struct lincheck_history *history = replay->history;
    for (size_t i = 0; i < history->count; i++) {
        const struct lincheck_op *op = &history->ops[i];
        if (!says_something(op)) {
            continue;
        }
        if (op->revision == LINCHECK_REVISION_UNKNOWN) {
            replay->cells[replay->key_of[i]].is_uncertain = true;
            replay->is_uncertain = true;
            continue;
        }
        replay->order[replay->count] =
            (struct lincheck_rank){.key = op->invoked, .index = (uint32_t)i};
        replay->count++;
    }
    struct lincheck_rank *scratch = mem_calloc(replay->count, sizeof(scratch[0]));
    lincheck_sort(replay->order, scratch, replay->count);
    for (size_t i = 0; i < replay->count; i++) {
        replay->order[i].key = op_at(replay, i)->revision;
    }
    lincheck_sort(replay->order, scratch, replay->count);
    mem_free(scratch);
}

/* ---- the replay ---- */

static enum lincheck_verdict fail(struct replay *replay, enum lincheck_reason reason, size_t first,
                                  size_t second)
{
    return lincheck_result_set(replay->result, LINCHECK_ILLEGAL, reason, replay->history, first,
                               second);
}

static bool is_change(const struct lincheck_op *op)
{
    return op->kind == LINCHECK_PUT ||
           (op->kind == LINCHECK_DELETE && op->existed == LINCHECK_EXISTED_YES);
}

/* K2, before the revision's change is known: whether the delete would be one. */
static bool may_be_change(const struct replay *replay, size_t position)
{
    const struct lincheck_op *op = op_at(replay, position);
    const struct cell *cell = cell_at(replay, position);
    return op->kind == LINCHECK_DELETE && op->existed == LINCHECK_EXISTED_UNKNOWN &&
           !cell->is_uncertain && cell->value != 0;
}

/* The position of the change that made the revision of the group [begin, end), or `end`. */
static size_t change_of(const struct replay *replay, size_t begin, size_t end)
{
    size_t found = end;
    for (size_t i = begin; i < end; i++) {
        if (is_change(op_at(replay, i))) {
            return i;
        }
        if (found == end && may_be_change(replay, i)) {
            found = i;
        }
    }
    return found;
}

/* K1: moves what stands at `position` to `begin`, and what is between up by one. */
static void move_first(struct replay *replay, size_t begin, size_t position)
{
    struct lincheck_rank moved = replay->order[position];
    for (size_t i = position; i > begin; i--) {
        replay->order[i] = replay->order[i - 1];
    }
    replay->order[begin] = moved;
}

static bool existed_fits(const struct lincheck_op *op, const struct cell *cell)
{
    return op->existed == LINCHECK_EXISTED_UNKNOWN ||
           (op->existed == LINCHECK_EXISTED_YES) == (cell->value != 0);
}

/* A change at the head of its group: what it answered, and what it leaves. */
static enum lincheck_verdict apply_change(struct replay *replay, size_t position)
{
    const struct lincheck_op *op = op_at(replay, position);
    struct cell *cell = cell_at(replay, position);
    size_t index = replay->order[position].index;
    if (op->revision == 0) {
        return fail(replay, LINCHECK_REASON_REVISION_ZERO, index, LINCHECK_NO_OP);
    }
    if (!cell->is_uncertain && !existed_fits(op, cell)) {
        return fail(replay, LINCHECK_REASON_EXISTED, index, cell->changed_by);
    }
    cell->value = op->value;
    cell->mod_revision = op->revision;
    cell->changed_by = index;
    return LINCHECK_LEGAL;
}

/* The words to a read that found something else than the replay has. */
static void explain_read(struct replay *replay, const struct lincheck_op *op,
                         const struct cell *cell)
{
    struct writer *out = &replay->result->text;
    writer_format(out, "  at revision %" PRIu64 " the key holds ", op->revision);
    lincheck_words_value(out, cell->value);
    if (cell->mod_revision != 0) {
        writer_format(out, ", since revision %" PRIu64, cell->mod_revision);
    }
    writer_format(out, "\n");
    for (size_t i = 0; i < replay->history->count && op->value != 0; i++) {
        const struct lincheck_op *write = &replay->history->ops[i];
        if (write->kind == LINCHECK_PUT && write->key == op->key && write->value == op->value) {
            writer_format(out, "  what was read: ");
            lincheck_words_op(out, write);
            writer_format(out, "\n");
        }
    }
}

/* Why the value that the read found is not the one it should be: as exactly as the writes tell. */
static enum lincheck_reason reason_of_value(const struct replay *replay,
                                            const struct lincheck_op *op)
{
    bool is_refused = false;
    for (size_t i = 0; i < replay->history->count && op->value != 0; i++) {
        const struct lincheck_op *write = &replay->history->ops[i];
        if (write->kind == LINCHECK_PUT && write->key == op->key && write->value == op->value) {
            if (write->outcome != LINCHECK_REFUSED) {
                return write->invoked > op->returned ? LINCHECK_REASON_BEFORE_INVOCATION
                                                     : LINCHECK_REASON_VALUE;
            }
            is_refused = true;
        }
    }
    if (is_refused) {
        return LINCHECK_REASON_REFUSED_VISIBLE;
    }
    return op->value != 0 ? LINCHECK_REASON_NEVER_WRITTEN : LINCHECK_REASON_VALUE;
}

/* What changes nothing: reads, and deletes that met nothing. `change` is the group's, or
 * LINCHECK_NO_OP. */
static enum lincheck_verdict look(struct replay *replay, size_t position, size_t change)
{
    const struct lincheck_op *op = op_at(replay, position);
    const struct cell *cell = cell_at(replay, position);
    size_t index = replay->order[position].index;
    if (is_change(op)) {
        return fail(replay, LINCHECK_REASON_REVISION_TAKEN, index, change);
    }
    if (cell->is_uncertain) {
        return LINCHECK_LEGAL;
    }
    if (op->kind == LINCHECK_DELETE) {
        if (cell->value == 0) {
            return LINCHECK_LEGAL;
        }
        /* There was a value, so it was a change; by its answer it was none, or it shares one. */
        enum lincheck_reason reason = op->existed == LINCHECK_EXISTED_NO
                                          ? LINCHECK_REASON_EXISTED
                                          : LINCHECK_REASON_REVISION_TAKEN;
        return fail(replay, reason, index, cell->changed_by);
    }
    enum lincheck_reason reason = LINCHECK_REASON_NONE;
    if (op->value != cell->value) {
        reason = reason_of_value(replay, op);
    } else if (op->mod_revision != 0 && op->mod_revision != cell->mod_revision) {
        reason = LINCHECK_REASON_MOD_REVISION;
    } else {
        return LINCHECK_LEGAL;
    }
    (void)fail(replay, reason, index, cell->changed_by);
    explain_read(replay, op, cell);
    return LINCHECK_ILLEGAL;
}

/* K5, behind `first`, the revision's change: whether this one happened with it. */
static bool is_together(const struct replay *replay, size_t first, size_t position)
{
    const struct lincheck_op *op = op_at(replay, position);
    return op->txn != 0 && op->txn == op_at(replay, first)->txn &&
           (is_change(op) || may_be_change(replay, position)) &&
           cell_at(replay, position)->mod_revision != op->revision;
}

/* K5: applies what stands in (first, end) and happened with `first`. Returns how much that was. */
static size_t apply_together(struct replay *replay, size_t first, size_t end,
                             enum lincheck_verdict *verdict)
{
    size_t count = 0;
    for (size_t i = first + 1; i < end && *verdict == LINCHECK_LEGAL; i++) {
        if (is_together(replay, first, i)) {
            count++;
            move_first(replay, first + count, i);
            *verdict = apply_change(replay, first + count);
        }
    }
    return count;
}

static enum lincheck_verdict replay_group(struct replay *replay, size_t begin, size_t end)
{
    enum lincheck_verdict verdict = LINCHECK_LEGAL;
    size_t change = change_of(replay, begin, end);
    size_t position = begin;
    size_t changed_by = LINCHECK_NO_OP;
    if (change != end) {
        move_first(replay, begin, change);
        changed_by = replay->order[begin].index;
        verdict = apply_change(replay, begin);
        position += 1 + apply_together(replay, begin, end, &verdict);
    }
    while (position < end && verdict == LINCHECK_LEGAL) {
        verdict = look(replay, position, changed_by);
        position++;
    }
    return verdict;
}

static enum lincheck_verdict replay_all(struct replay *replay)
{
    enum lincheck_verdict verdict = LINCHECK_LEGAL;
    size_t begin = 0;
    while (begin < replay->count && verdict == LINCHECK_LEGAL) {
        size_t end = begin + 1;
        while (end < replay->count && replay->order[end].key == replay->order[begin].key) {
            end++;
        }
        verdict = replay_group(replay, begin, end);
        begin = end;
    }
    return verdict;
}

/* ---- the clocks ---- */

/* From the end to the beginning: nothing may have returned before what stands in front of it was
 * invoked. */
static enum lincheck_verdict check_real_time(struct replay *replay)
{
    uint64_t earliest = LINCHECK_NEVER;
    size_t earliest_index = LINCHECK_NO_OP;
    for (size_t i = replay->count; i > 0; i--) {
        const struct lincheck_op *op = op_at(replay, i - 1);
        if (earliest < op->invoked) {
            return fail(replay, LINCHECK_REASON_REAL_TIME, replay->order[i - 1].index,
                        earliest_index);
        }
        if (op->returned < earliest) {
            earliest = op->returned;
            earliest_index = replay->order[i - 1].index;
        }
    }
    return LINCHECK_LEGAL;
}

enum lincheck_verdict lincheck_certificate(const struct lincheck_history *history,
                                           struct lincheck_result *result)
{
    lincheck_result_reset(result);
    struct replay replay = {.history = history, .result = result};
    replay.order = mem_calloc(history->count, sizeof(replay.order[0]));
    replay.key_of = mem_calloc(history->count, sizeof(replay.key_of[0]));
    find_cells(&replay);
    find_order(&replay);
    enum lincheck_verdict verdict = replay_all(&replay);
    if (verdict == LINCHECK_LEGAL) {
        verdict = check_real_time(&replay);
    }
    if (verdict == LINCHECK_LEGAL && replay.is_uncertain) {
        verdict = lincheck_result_set(result, LINCHECK_UNDECIDED, LINCHECK_REASON_NO_REVISIONS,
                                      history, LINCHECK_NO_OP, LINCHECK_NO_OP);
    }
    mem_free(replay.cells);
    mem_free(replay.key_of);
    mem_free(replay.order);
    return verdict;
}
