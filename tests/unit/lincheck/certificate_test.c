/* The certificate against every order of small histories, with revisions; anomalies_test.c has the
 * ways in which it is to fail. */
#include "lincheck/generate.h"
#include "lincheck_testing.h"

#define HISTORIES 30000u
#define OPS_MAX 7u
#define KEYS 2u

/* ---- every order that the revisions allow ---- */

struct model {
    uint64_t revision;
    uint64_t value[KEYS];
    uint64_t mod_revision[KEYS];
};

static bool says_nothing(const struct lincheck_op *op)
{
    return op->outcome == LINCHECK_REFUSED ||
           (op->kind == LINCHECK_GET && op->outcome != LINCHECK_ANSWERED);
}

static bool can_be_next(const struct lincheck_history *history, unsigned placed, size_t i)
{
    for (size_t j = 0; j < history->count; j++) {
        if ((placed >> j & 1) == 0 && !says_nothing(&history->ops[j]) &&
            history->ops[j].returned < history->ops[i].invoked) {
            return false;
        }
    }
    return true;
}

/* Whether the store, being as `model` says, answers so; `model` is then what follows. */
static bool answers(struct model *model, const struct lincheck_op *op)
{
    bool exists = model->value[op->key] != 0;
    bool changes = op->kind == LINCHECK_PUT || (op->kind == LINCHECK_DELETE && exists);
    if (op->revision < model->revision || (changes && op->revision == model->revision)) {
        return false;
    }
    model->revision = op->revision; /* changes that nobody recorded may have been between */
    if (op->kind == LINCHECK_GET) {
        return op->value == model->value[op->key] &&
               (op->mod_revision == 0 || op->mod_revision == model->mod_revision[op->key]);
    }
    if (op->existed != LINCHECK_EXISTED_UNKNOWN &&
        (op->existed == LINCHECK_EXISTED_YES) != exists) {
        return false;
    }
    if (changes) {
        model->value[op->key] = op->value;
        model->mod_revision[op->key] = op->revision;
    }
    return true;
}

static bool has_order(const struct lincheck_history *history, unsigned placed, struct model model)
{
    bool is_done = true;
    for (size_t i = 0; i < history->count; i++) {
        if ((placed >> i & 1) != 0 || says_nothing(&history->ops[i])) {
            continue;
        }
        is_done = false;
        struct model after = model;
        if (can_be_next(history, placed, i) && answers(&after, &history->ops[i]) &&
            has_order(history, placed | 1u << i, after)) {
            return true;
        }
    }
    return is_done;
}

/* ---- histories that are right, or almost ---- */

static uint64_t nearby(struct prng *prng, uint64_t number, uint64_t distance)
{
    uint64_t moved = number + prng_below(prng, 2 * distance + 1);
    return moved > distance ? moved - distance : 0;
}

/* One field of one operation becomes another that it could have had. */
static void damage(struct prng *prng, struct lincheck_op *op)
{
    struct lincheck_op changed = *op;
    switch (prng_below(prng, 6)) {
    case 0:
        changed.revision = nearby(prng, op->revision, 2);
        break;
    case 1:
        changed.invoked = nearby(prng, op->invoked, 30);
        break;
    case 2:
        changed.returned = nearby(prng, op->returned, 30);
        break;
    case 3:
        changed.existed = (enum lincheck_existed)prng_below(prng, 3);
        break;
    case 4:
        changed.mod_revision = nearby(prng, op->mod_revision, 1);
        break;
    default:
        changed.value = nearby(prng, op->value, 2);
        break;
    }
    if (lincheck_op_problem(&changed) == NULL) {
        *op = changed;
    }
}

static struct lincheck_history small_history(struct prng *prng, struct lincheck_result *result)
{
    struct lincheck_history history = {0};
    struct lincheck_load load = {.seed = prng_next(prng),
                                 .op_count = 2 + prng_below(prng, OPS_MAX - 1),
                                 .client_count = 1 + (unsigned)prng_below(prng, 4),
                                 .key_count = 1 + (unsigned)prng_below(prng, KEYS),
                                 .unknown_per_mille = 200};
    lincheck_generate(&load, &history);
    assert_int_equal(lincheck_settle(&history, result), LINCHECK_LEGAL);
    uint64_t damages = prng_below(prng, 4);
    for (uint64_t i = 0; i < damages && history.count > 0; i++) {
        damage(prng, &history.ops[prng_below(prng, history.count)]);
    }
    return history;
}

static void the_certificate_says_what_all_orders_say(void **state)
{
    (void)state;
    struct prng prng;
    struct lincheck_result result = {0};
    unsigned legal = 0;
    prng_init(&prng, 1);
    for (unsigned i = 0; i < HISTORIES; i++) {
        struct lincheck_history history = small_history(&prng, &result);
        bool expected = has_order(&history, 0, (struct model){0});
        enum lincheck_verdict verdict = lincheck_certificate(&history, &result);
        if (verdict != (expected ? LINCHECK_LEGAL : LINCHECK_ILLEGAL)) {
            struct writer text = {0};
            lincheck_history_write(&history, &text);
            fail_msg("expected %d:\n%.*s%.*s", expected, (int)text.size, (const char *)text.data,
                     (int)result.text.size, (const char *)result.text.data);
        }
        legal += expected;
        lincheck_history_deinit(&history);
    }
    assert_in_range(legal, HISTORIES / 10, HISTORIES / 10 * 9);
    lincheck_result_deinit(&result);
}

/* ---- without all revisions ---- */

static void what_has_no_revision_leaves_its_key_undecided(void **state)
{
    (void)state;
    struct lincheck_result result = {0};
    struct lincheck_history history =
        history_of("put client=1 key=1 value=1 time=0..\n"
                   "get client=2 key=1 value=1 time=10..20 revision=3\n"
                   "put client=2 key=2 value=2 time=30..40 revision=4\n");
    assert_int_equal(lincheck_certificate(&history, &result), LINCHECK_UNDECIDED);
    assert_int_equal(result.reason, LINCHECK_REASON_NO_REVISIONS);
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
}

static void the_other_keys_are_judged_all_the_same(void **state)
{
    (void)state;
    struct lincheck_result result = {0};
    struct lincheck_history history =
        history_of("put client=1 key=1 value=1 time=0..\n"
                   "put client=2 key=2 value=2 time=30..40 revision=4\n"
                   "get client=2 key=2 time=50..60 revision=4\n");
    assert_int_equal(lincheck_certificate(&history, &result), LINCHECK_ILLEGAL);
    assert_int_equal(result.reason, LINCHECK_REASON_VALUE);
    assert_int_equal(result.key, 2);
    assert_int_equal(result.first, 2);
    assert_int_equal(result.second, 1);
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
}

static void a_stale_read_is_told_in_words(void **state)
{
    (void)state;
    struct lincheck_result result = {0};
    struct lincheck_history history =
        history_of("put client=1 key=5 value=1 time=0..10 revision=1\n"
                   "put client=1 key=5 value=2 time=20..30 revision=2\n"
                   "get client=2 key=5 value=1 time=40..50 revision=2 written=1\n");
    assert_int_equal(lincheck_certificate(&history, &result), LINCHECK_ILLEGAL);
    static const char words[] =
        "key 5: a read does not find what the order of revisions says\n"
        "  client 2 read key 5 and found value 1 (40..50, revision 2, written at 1)\n"
        "  client 1 put value 2 into key 5 (20..30, revision 2)\n"
        "  at revision 2 the key holds value 2, since revision 2\n"
        "  what was read: client 1 put value 1 into key 5 (0..10, revision 1)\n";
    assert_int_equal(result.text.size, sizeof(words) - 1);
    assert_memory_equal(result.text.data, words, result.text.size);
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_certificate_says_what_all_orders_say),
        cmocka_unit_test(what_has_no_revision_leaves_its_key_undecided),
        cmocka_unit_test(the_other_keys_are_judged_all_the_same),
        cmocka_unit_test(a_stale_read_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
