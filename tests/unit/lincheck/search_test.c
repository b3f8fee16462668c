#include "lincheck/generate.h"
#include "lincheck_testing.h"

static struct lincheck_history history;
static struct lincheck_result result;
static struct lincheck_options options;

static int set_up(void **state)
{
    (void)state;
    options = (struct lincheck_options){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
    return 0;
}

static void generate(size_t count, unsigned clients, unsigned keys)
{
    struct lincheck_load load = {.seed = 5,
                                 .op_count = count,
                                 .client_count = clients,
                                 .key_count = keys,
                                 .unknown_per_mille = 10};
    lincheck_generate(&load, &history);
}

static void add_client(uint64_t client, enum lincheck_kind kind, uint64_t value, uint64_t at)
{
    struct lincheck_op op = {.client = client,
                             .kind = kind,
                             .key = 1,
                             .value = value,
                             .invoked = at,
                             .returned = at + 1,
                             .revision = LINCHECK_REVISION_UNKNOWN};
    (void)lincheck_history_add(&history, &op);
}

static void keys_are_searched_apart(void **state)
{
    (void)state;
    history = history_of("put client=1 key=1 value=1 time=0..10\n"
                         "put client=1 key=2 value=1 time=20..30\n"
                         "get client=2 key=1 value=1 time=40..50\n"
                         "get client=2 key=2 time=40..50\n");
    assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_ILLEGAL);
    assert_int_equal(result.key, 2);
}

static void the_longest_order_and_what_cannot_follow_it_are_told(void **state)
{
    (void)state;
    history = history_of("put client=1 key=1 value=1 time=0..10\n"
                         "get client=1 key=1 value=1 time=11..12\n"
                         "put client=1 key=1 value=2 time=20..30\n"
                         "get client=2 key=1 value=1 time=40..50\n"
                         "get client=3 key=1 value=2 time=40..50\n");
    assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_ILLEGAL);
    assert_int_equal(result.prefix_count, 2);
    static const char words[] =
        "key 1: no order of the operations explains their answers\n"
        "  client 1 put value 2 into key 1 (20..30)\n"
        "  client 2 read key 1 and found value 1 (40..50)\n"
        "  the longest order that explains some of them has 2 of 5; it ends with\n"
        "    client 1 put value 1 into key 1 (0..10)\n"
        "    client 1 read key 1 and found value 1 (11..12)\n"
        "  then the key holds value 1, and none of these can be next:\n"
        "    client 1 put value 2 into key 1 (20..30): that value has yet to be read\n";
    assert_int_equal(result.text.size, sizeof(words) - 1);
    assert_memory_equal(result.text.data, words, result.text.size);
}

static void writes_of_one_value_are_undecided(void **state)
{
    (void)state;
    history = history_of("put client=1 key=1 value=1 time=0..10\n"
                         "put client=1 key=1 value=1 time=20..30\n");
    assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_UNDECIDED);
    assert_int_equal(result.reason, LINCHECK_REASON_SAME_VALUE);
    assert_int_equal(result.first, 0);
    assert_int_equal(result.second, 1);
}

static void a_violation_counts_more_than_what_is_undecided_before_it(void **state)
{
    (void)state;
    history = history_of("put client=1 key=1 value=1 time=0..10\n"
                         "put client=1 key=1 value=1 time=20..30\n"
                         "get client=1 key=2 value=1 time=40..50\n"
                         "put client=1 key=3 value=1 time=60..70\n");
    assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_ILLEGAL);
    assert_int_equal(result.reason, LINCHECK_REASON_NEVER_WRITTEN);
}

static void a_search_without_steps_left_is_undecided(void **state)
{
    (void)state;
    generate(200, 10, 1);
    options.steps_max = 20;
    assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_UNDECIDED);
    assert_int_equal(result.reason, LINCHECK_REASON_STEPS);
    assert_int_equal(result.steps, 20);
}

static void a_long_history_with_unknown_outcomes_takes_few_steps(void **state)
{
    (void)state;
    generate(20000, 30, 1);
    assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_LEGAL);
    assert_in_range(result.steps, 1, 2 * history.count);
}

/* The case that a search without I1, I2 and S4 does not end: one stale read behind many writes of
 * unknown outcome, any of which may have happened anywhere. */
static void a_violation_among_unknown_outcomes_is_found_soon(void **state)
{
    (void)state;
    generate(20000, 30, 1);
    uint64_t at = UINT64_C(1) << 40;
    add_client(90, LINCHECK_PUT, 1000001, at);
    add_client(90, LINCHECK_PUT, 1000002, at + 10);
    add_client(91, LINCHECK_GET, 1000001, at + 20);
    assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_ILLEGAL);
    assert_int_equal(result.reason, LINCHECK_REASON_NO_ORDER);
    assert_in_range(result.steps, 1, 1000000);
}

static void the_verdict_does_not_depend_on_the_salt(void **state)
{
    (void)state;
    generate(2000, 30, 3);
    for (options.salt = 0; options.salt < 20; options.salt++) {
        assert_int_equal(lincheck_search(&history, &options, &result), LINCHECK_LEGAL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_searched_apart),
        TEST(the_longest_order_and_what_cannot_follow_it_are_told),
        TEST(writes_of_one_value_are_undecided),
        TEST(a_violation_counts_more_than_what_is_undecided_before_it),
        TEST(a_search_without_steps_left_is_undecided),
        TEST(a_long_history_with_unknown_outcomes_takes_few_steps),
        TEST(a_violation_among_unknown_outcomes_is_found_soon),
        TEST(the_verdict_does_not_depend_on_the_salt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
