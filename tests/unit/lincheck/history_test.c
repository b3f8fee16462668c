#include "lincheck_testing.h"

static struct lincheck_op answered(enum lincheck_kind kind)
{
    return (struct lincheck_op){.kind = kind,
                                .key = 1,
                                .value = kind == LINCHECK_PUT ? 7 : 0,
                                .invoked = 10,
                                .returned = 20,
                                .revision = LINCHECK_REVISION_UNKNOWN};
}

static void assert_problem(const struct lincheck_op *op, const char *words)
{
    const char *problem = lincheck_op_problem(op);
    assert_non_null(problem);
    assert_non_null(strstr(problem, words));
}

static void operations_are_kept_in_their_order(void **state)
{
    (void)state;
    struct lincheck_history history = {0};
    struct lincheck_op op = answered(LINCHECK_PUT);
    for (uint64_t i = 0; i < 1000; i++) {
        op.value = i + 1;
        assert_int_equal(lincheck_history_add(&history, &op), i);
        lincheck_history_add_applied(&history, i + 1, i);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(history.ops[i].value, i + 1);
        assert_int_equal(history.applied[i].request_id, i + 1);
        assert_int_equal(history.applied[i].revision, i);
    }
    lincheck_history_deinit(&history);
    assert_int_equal(history.count, 0);
}

static void a_plain_answer_of_each_kind_is_right(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < LINCHECK_KIND_COUNT; kind++) {
        struct lincheck_op op = answered((enum lincheck_kind)kind);
        assert_null(lincheck_op_problem(&op));
    }
}

static void instants_must_fit_the_outcome(void **state)
{
    (void)state;
    struct lincheck_op op = answered(LINCHECK_PUT);
    op.returned = 9;
    assert_problem(&op, "before it was invoked");
    op.returned = LINCHECK_NEVER;
    assert_problem(&op, "an answer has an instant");
    op.outcome = LINCHECK_UNKNOWN;
    assert_null(lincheck_op_problem(&op));
    op.returned = 20;
    assert_problem(&op, "has not returned");
    op.invoked = LINCHECK_NEVER;
    assert_problem(&op, "never invoked");
}

static void values_must_fit_the_kind(void **state)
{
    (void)state;
    struct lincheck_op op = answered(LINCHECK_PUT);
    op.value = 0;
    assert_problem(&op, "needs a value");
    op = answered(LINCHECK_DELETE);
    op.value = 1;
    assert_problem(&op, "has no value");
    op = answered(LINCHECK_GET);
    op.existed = LINCHECK_EXISTED_NO;
    assert_problem(&op, "a get says by its value");
    op = answered(LINCHECK_GET);
    op.request_id = 1;
    assert_problem(&op, "in no log");
    op = answered(LINCHECK_GET);
    op.txn = 1;
    assert_problem(&op, "no change of a transaction");
    op = answered(LINCHECK_GET);
    op.mod_revision = 1;
    assert_problem(&op, "found a value");
    op.value = 3;
    assert_null(lincheck_op_problem(&op));
}

static void only_answers_say_what_was_found(void **state)
{
    (void)state;
    struct lincheck_op op = answered(LINCHECK_PUT);
    op.outcome = LINCHECK_REFUSED;
    assert_null(lincheck_op_problem(&op));
    op.revision = 1;
    assert_problem(&op, "no revision");
    op.revision = LINCHECK_REVISION_UNKNOWN;
    op.existed = LINCHECK_EXISTED_YES;
    assert_problem(&op, "only an answer");
    op = answered(LINCHECK_PUT);
    op.outcome = LINCHECK_APPLIED;
    op.returned = LINCHECK_NEVER;
    assert_problem(&op, "needs its revision");
    op.revision = 1;
    assert_null(lincheck_op_problem(&op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_kept_in_their_order),
        cmocka_unit_test(a_plain_answer_of_each_kind_is_right),
        cmocka_unit_test(instants_must_fit_the_outcome),
        cmocka_unit_test(values_must_fit_the_kind),
        cmocka_unit_test(only_answers_say_what_was_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
