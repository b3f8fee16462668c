/* Both ways on long histories: what is right is accepted, and one operation that cannot have been
 * is found among hundreds. */
#include "lincheck/generate.h"
#include "lincheck_testing.h"

#define HISTORIES 60u

static struct lincheck_options options = {.search_ops_max = 100000};

static struct lincheck_history generated(struct prng *prng)
{
    struct lincheck_history history = {0};
    struct lincheck_load load = {.seed = prng_next(prng),
                                 .op_count = 300 + prng_below(prng, 300),
                                 .client_count = 1 + (unsigned)prng_below(prng, 20),
                                 .key_count = 1 + (unsigned)prng_below(prng, 4),
                                 .unknown_per_mille = (unsigned)prng_below(prng, 100)};
    lincheck_generate(&load, &history);
    return history;
}

static void assert_verdict(const struct lincheck_result *result, enum lincheck_verdict expected)
{
    if (result->verdict != expected) {
        fail_msg("%s\n%.*s", lincheck_verdict_name(result->verdict), (int)result->text.size,
                 (const char *)result->text.data);
    }
}

/* ---- damage that nothing can explain ---- */

typedef bool damage_fn(struct prng *prng, struct lincheck_history *history);

static bool is_answered(const struct lincheck_op *op, enum lincheck_kind kind)
{
    return op->kind == kind && op->outcome == LINCHECK_ANSWERED;
}

/* An answered read of a value, from a random place on; NULL: there is none. */
static struct lincheck_op *some_read(struct prng *prng, struct lincheck_history *history)
{
    size_t first = prng_below(prng, history->count);
    for (size_t i = 0; i < history->count; i++) {
        struct lincheck_op *op = &history->ops[(first + i) % history->count];
        if (is_answered(op, LINCHECK_GET) && op->value != 0) {
            return op;
        }
    }
    return NULL;
}

static bool reads_what_nobody_wrote(struct prng *prng, struct lincheck_history *history)
{
    struct lincheck_op *read = some_read(prng, history);
    if (read != NULL) {
        read->value = 1000000;
    }
    return read != NULL;
}

/* A value whose write begins after the read is over. */
static bool reads_the_future(struct prng *prng, struct lincheck_history *history)
{
    struct lincheck_op *read = some_read(prng, history);
    for (size_t i = 0; i < history->count && read != NULL; i++) {
        const struct lincheck_op *put = &history->ops[i];
        if (put->kind == LINCHECK_PUT && put->key == read->key && put->invoked > read->returned) {
            read->value = put->value;
            return true;
        }
    }
    return false;
}

/* A value that another put has replaced for sure: one after the other, and both before the read. */
static bool reads_what_is_overwritten(struct prng *prng, struct lincheck_history *history)
{
    struct lincheck_op *read = some_read(prng, history);
    const struct lincheck_op *newer = NULL;
    for (size_t i = history->count; i > 0 && read != NULL; i--) {
        const struct lincheck_op *put = &history->ops[i - 1];
        if (!is_answered(put, LINCHECK_PUT) || put->key != read->key) {
            continue;
        }
        if (newer == NULL && put->returned < read->invoked) {
            newer = put;
        } else if (newer != NULL && put->returned < newer->invoked) {
            read->value = put->value;
            return true;
        }
    }
    return false;
}

/* Nothing, after a put that no delete can have followed: there is none. */
static bool reads_nothing(struct prng *prng, struct lincheck_history *history)
{
    struct lincheck_op *read = some_read(prng, history);
    bool is_written = false;
    for (size_t i = 0; i < history->count && read != NULL; i++) {
        struct lincheck_op *op = &history->ops[i];
        if (op->key == read->key && op->kind == LINCHECK_DELETE) {
            return false;
        }
        is_written = is_written || (op->key == read->key && is_answered(op, LINCHECK_PUT) &&
                                    op->returned < read->invoked);
    }
    if (is_written) {
        read->value = 0;
        read->mod_revision = 0;
    }
    return is_written;
}

/* Of the history only one key, without its deletes and without what showed them. */
static bool reads_nothing_where_nothing_is_deleted(struct prng *prng,
                                                   struct lincheck_history *history)
{
    size_t kept = 0;
    uint64_t key = history->ops[0].key;
    for (size_t i = 0; i < history->count; i++) {
        struct lincheck_op *op = &history->ops[i];
        bool found_nothing = op->kind == LINCHECK_GET && op->value == 0;
        if (op->key == key && op->kind != LINCHECK_DELETE && !found_nothing) {
            op->existed = LINCHECK_EXISTED_UNKNOWN;
            history->ops[kept] = *op;
            kept++;
        }
    }
    history->count = kept;
    return kept > 0 && reads_nothing(prng, history);
}

static void assert_found(damage_fn *damage)
{
    struct prng prng;
    struct lincheck_result result = {0};
    unsigned damaged = 0;
    prng_init(&prng, 9);
    for (unsigned i = 0; i < HISTORIES; i++) {
        struct lincheck_history history = generated(&prng);
        if (damage(&prng, &history)) {
            damaged++;
            (void)lincheck_search(&history, &options, &result); /* with its unknown outcomes */
            assert_verdict(&result, LINCHECK_ILLEGAL);
            assert_int_equal(lincheck_settle(&history, &result), LINCHECK_LEGAL);
            (void)lincheck_certificate(&history, &result);
            assert_verdict(&result, LINCHECK_ILLEGAL);
            (void)lincheck_search(&history, &options, &result);
            assert_verdict(&result, LINCHECK_ILLEGAL);
        }
        lincheck_history_deinit(&history);
    }
    assert_in_range(damaged, HISTORIES / 2, HISTORIES);
    lincheck_result_deinit(&result);
}

static void a_value_that_nobody_wrote_is_found(void **state)
{
    (void)state;
    assert_found(reads_what_nobody_wrote);
}

static void a_value_from_the_future_is_found(void **state)
{
    (void)state;
    assert_found(reads_the_future);
}

static void an_overwritten_value_is_found(void **state)
{
    (void)state;
    assert_found(reads_what_is_overwritten);
}

static void a_value_that_went_missing_is_found(void **state)
{
    (void)state;
    assert_found(reads_nothing_where_nothing_is_deleted);
}

/* ---- what is right ---- */

static void what_a_right_store_did_is_legal_by_both_ways(void **state)
{
    (void)state;
    struct prng prng;
    struct lincheck_result result = {0};
    prng_init(&prng, 4);
    for (unsigned i = 0; i < HISTORIES; i++) {
        struct lincheck_history history = generated(&prng);
        (void)lincheck_search(&history, &options, &result);
        assert_verdict(&result, LINCHECK_LEGAL);
        (void)lincheck_run(&history, &options, &result);
        assert_verdict(&result, LINCHECK_LEGAL);
        (void)lincheck_certificate(&history, &result);
        assert_verdict(&result, LINCHECK_LEGAL);
        lincheck_history_deinit(&history);
    }
    lincheck_result_deinit(&result);
}

static void what_stays_unknown_is_left_to_the_search(void **state)
{
    (void)state;
    struct lincheck_options none = {0};
    struct lincheck_result result = {0};
    struct lincheck_history history =
        history_of("put client=1 key=1 value=1 time=0..\n"
                   "get client=2 key=1 value=1 time=10..20 revision=1\n"
                   "put client=2 key=2 value=2 time=30..40 revision=2\n");
    assert_int_equal(lincheck_run(&history, &none, &result), LINCHECK_LEGAL);
    assert_in_range(result.steps, 1, 2); /* the other key was certified */
    history.ops[1].value = 3;
    assert_int_equal(lincheck_run(&history, &none, &result), LINCHECK_ILLEGAL);
    assert_int_equal(result.reason, LINCHECK_REASON_NEVER_WRITTEN);
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
}

static void a_search_that_gives_up_says_nothing_against_a_certificate(void **state)
{
    (void)state;
    struct lincheck_options few = {.search_ops_max = 100, .steps_max = 1};
    struct lincheck_result result = {0};
    struct lincheck_history history =
        history_of("put client=1 key=1 value=1 time=0..10 revision=1\n"
                   "put client=2 key=1 value=2 time=0..10 revision=2\n"
                   "put client=3 key=1 value=3 time=0..10 revision=3\n");
    assert_int_equal(lincheck_run(&history, &few, &result), LINCHECK_LEGAL);
    assert_int_equal(result.reason, LINCHECK_REASON_NONE);
    assert_int_equal(result.text.size, 0);
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
}

static void what_the_log_contradicts_is_illegal(void **state)
{
    (void)state;
    struct lincheck_result result = {0};
    struct lincheck_history history =
        history_of("put client=1 key=1 value=1 time=0..10 request=1 revision=1\n"
                   "complete\n");
    assert_int_equal(lincheck_run(&history, &options, &result), LINCHECK_ILLEGAL);
    assert_int_equal(result.reason, LINCHECK_REASON_LOG_LOST);
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_nobody_wrote_is_found),
        cmocka_unit_test(a_value_from_the_future_is_found),
        cmocka_unit_test(an_overwritten_value_is_found),
        cmocka_unit_test(a_value_that_went_missing_is_found),
        cmocka_unit_test(what_a_right_store_did_is_legal_by_both_ways),
        cmocka_unit_test(what_stays_unknown_is_left_to_the_search),
        cmocka_unit_test(a_search_that_gives_up_says_nothing_against_a_certificate),
        cmocka_unit_test(what_the_log_contradicts_is_illegal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
