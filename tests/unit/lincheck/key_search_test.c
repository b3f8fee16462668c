/* The search against one that tries every order, on small histories without number. */
#include "lincheck/key_search.h"
#include "lincheck_testing.h"

#define HISTORIES 60000u
#define OPS_MAX 7u
#define INSTANTS 14u

/* ---- every order ---- */

static bool has_happened(unsigned placed, size_t i)
{
    return (placed >> i & 1) != 0;
}

static bool says_nothing(const struct lincheck_op *op)
{
    return op->outcome == LINCHECK_REFUSED ||
           (op->kind == LINCHECK_GET && op->outcome != LINCHECK_ANSWERED);
}

/* Nothing that still has to happen had returned when it began. */
static bool can_be_next(const struct lincheck_history *history, unsigned placed, size_t i)
{
    for (size_t j = 0; j < history->count; j++) {
        if (!has_happened(placed, j) && !says_nothing(&history->ops[j]) &&
            history->ops[j].returned < history->ops[i].invoked) {
            return false;
        }
    }
    return true;
}

static bool is_explained(const struct lincheck_op *op, uint64_t value)
{
    if (op->kind == LINCHECK_GET) {
        return op->value == value;
    }
    return op->existed == LINCHECK_EXISTED_UNKNOWN ||
           (op->existed == LINCHECK_EXISTED_YES) == (value != 0);
}

/* Whether what is not placed yet can follow when the key holds `value`. */
static bool has_order(const struct lincheck_history *history, unsigned placed, uint64_t value)
{
    bool is_done = true;
    for (size_t i = 0; i < history->count; i++) {
        const struct lincheck_op *op = &history->ops[i];
        if (has_happened(placed, i) || says_nothing(op)) {
            continue;
        }
        is_done = is_done && op->outcome == LINCHECK_UNKNOWN;
        if (can_be_next(history, placed, i) && is_explained(op, value) &&
            has_order(history, placed | 1u << i, op->kind == LINCHECK_GET ? value : op->value)) {
            return true;
        }
    }
    return is_done;
}

/* ---- small histories ---- */

static uint64_t below(struct prng *prng, uint64_t bound)
{
    return prng_below(prng, bound);
}

static enum lincheck_existed any_existed(struct prng *prng, uint64_t certainty)
{
    if (below(prng, 4) >= certainty) {
        return LINCHECK_EXISTED_UNKNOWN;
    }
    return below(prng, 2) == 0 ? LINCHECK_EXISTED_NO : LINCHECK_EXISTED_YES;
}

/* `style` makes some histories of puts and gets alone, some full of deletes, some of unknowns. */
static void add_any(struct prng *prng, uint64_t style, size_t count,
                    struct lincheck_history *history)
{
    uint64_t begin = below(prng, INSTANTS);
    struct lincheck_op op = {.invoked = begin,
                             .returned = begin + below(prng, INSTANTS - begin),
                             .revision = LINCHECK_REVISION_UNKNOWN};
    uint64_t die = below(prng, 10);
    op.kind = die < 5 ? LINCHECK_PUT : die < 8 || style % 3 == 0 ? LINCHECK_GET : LINCHECK_DELETE;
    if (op.kind == LINCHECK_PUT) {
        op.value = history->count + 1;
    } else if (op.kind == LINCHECK_GET) {
        op.value = below(prng, count + 1);
    }
    if (op.kind != LINCHECK_GET) {
        op.existed = any_existed(prng, style % 5);
        if (below(prng, 8) < style % 4) {
            op.outcome = below(prng, 2) == 0 ? LINCHECK_UNKNOWN : LINCHECK_APPLIED;
            op.revision = op.outcome == LINCHECK_APPLIED ? 1 : LINCHECK_REVISION_UNKNOWN;
            op.returned = LINCHECK_NEVER;
            op.existed = LINCHECK_EXISTED_UNKNOWN;
        }
    }
    (void)lincheck_history_add(history, &op);
}

static void fail_with(const struct lincheck_history *history, enum lincheck_verdict verdict)
{
    struct writer text = {0};
    lincheck_history_write(history, &text);
    fail_msg("the search says %s to\n%.*s", lincheck_verdict_name(verdict), (int)text.size,
             (const char *)text.data);
}

static void the_search_says_what_all_orders_say(void **state)
{
    (void)state;
    struct prng prng;
    struct lincheck_result result = {0};
    struct lincheck_options options = {.steps_max = 100000};
    unsigned legal = 0;
    prng_init(&prng, 1);
    for (unsigned i = 0; i < HISTORIES; i++) {
        struct lincheck_history history = {0};
        size_t count = 2 + below(&prng, OPS_MAX - 1);
        uint64_t style = prng_next(&prng);
        while (history.count < count) {
            add_any(&prng, style, count, &history);
        }
        bool expected = has_order(&history, 0, 0);
        enum lincheck_verdict verdict = lincheck_search(&history, &options, &result);
        if (verdict != (expected ? LINCHECK_LEGAL : LINCHECK_ILLEGAL)) {
            fail_with(&history, verdict);
        }
        legal += expected;
        lincheck_history_deinit(&history);
    }
    assert_in_range(legal, HISTORIES / 10, HISTORIES / 10 * 9);
    lincheck_result_deinit(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_says_what_all_orders_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
