#include "lincheck/generate.h"
#include "lincheck_testing.h"

static const struct lincheck_load load = {
    .seed = 3, .op_count = 3000, .client_count = 10, .key_count = 4, .unknown_per_mille = 50};

static void one_seed_makes_one_history(void **state)
{
    (void)state;
    struct writer texts[2] = {{0}};
    for (unsigned i = 0; i < 2; i++) {
        struct lincheck_history history = {0};
        lincheck_generate(&load, &history);
        lincheck_history_write(&history, &texts[i]);
        lincheck_history_deinit(&history);
    }
    assert_true(slice_equal(writer_slice(&texts[0]), writer_slice(&texts[1])));
    writer_deinit(&texts[0]);
    writer_deinit(&texts[1]);
}

static void all_kinds_and_outcomes_are_in_it(void **state)
{
    (void)state;
    struct lincheck_history history = {0};
    unsigned kinds[LINCHECK_KIND_COUNT] = {0};
    unsigned unknown = 0;
    unsigned beside = 0; /* invoked before the one before it in the order had returned */
    lincheck_generate(&load, &history);
    assert_int_equal(history.count, load.op_count);
    assert_true(history.is_log_complete);
    for (size_t i = 0; i < history.count; i++) {
        kinds[history.ops[i].kind]++;
        unknown += history.ops[i].outcome == LINCHECK_UNKNOWN;
        beside += i > 0 && history.ops[i].invoked < history.ops[i - 1].returned;
    }
    assert_in_range(kinds[LINCHECK_GET], 1200, 1800);
    assert_in_range(kinds[LINCHECK_PUT], 900, 1500);
    assert_in_range(kinds[LINCHECK_DELETE], 200, 400);
    assert_in_range(unknown, 90, 210);
    assert_in_range(beside, 1500, 3000);
    lincheck_history_deinit(&history);
}

static void a_client_does_one_thing_at_a_time(void **state)
{
    (void)state;
    struct lincheck_history history = {0};
    uint64_t returned[11] = {0};
    lincheck_generate(&load, &history);
    for (size_t i = 0; i < history.count; i++) {
        const struct lincheck_op *op = &history.ops[i];
        if (op->outcome == LINCHECK_ANSWERED) {
            assert_in_range(op->client, 1, 10);
            assert_true(returned[op->client] <= op->invoked);
            returned[op->client] = op->returned;
        }
    }
    lincheck_history_deinit(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_makes_one_history),
        cmocka_unit_test(all_kinds_and_outcomes_are_in_it),
        cmocka_unit_test(a_client_does_one_thing_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
