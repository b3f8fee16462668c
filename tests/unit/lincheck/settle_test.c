#include "lincheck_testing.h"

static struct lincheck_history history;
static struct lincheck_result result;

static int tear_down(void **state)
{
    (void)state;
    lincheck_history_deinit(&history);
    lincheck_result_deinit(&result);
    return 0;
}

static void assert_settles(const char *lines, enum lincheck_reason reason)
{
    history = history_of(lines);
    enum lincheck_verdict verdict = lincheck_settle(&history, &result);
    assert_string_equal(lincheck_reason_name(result.reason), lincheck_reason_name(reason));
    assert_int_equal(verdict, reason == LINCHECK_REASON_NONE ? LINCHECK_LEGAL : LINCHECK_ILLEGAL);
    assert_int_equal(result.verdict, verdict);
}

static void a_write_in_the_log_has_happened(void **state)
{
    (void)state;
    assert_settles("put client=1 key=1 value=1 time=0.. request=5\n"
                   "applied request=5 revision=9\n",
                   LINCHECK_REASON_NONE);
    assert_int_equal(history.count, 1);
    assert_int_equal(history.ops[0].outcome, LINCHECK_APPLIED);
    assert_int_equal(history.ops[0].revision, 9);
    assert_true(history.ops[0].returned == LINCHECK_NEVER);
}

static void a_write_that_a_complete_log_does_not_have_is_dropped(void **state)
{
    (void)state;
    assert_settles("get client=1 key=1 time=0..1\n"
                   "put client=1 key=1 value=1 time=0.. request=5\n"
                   "put client=1 key=1 value=2 time=0..9\n"
                   "complete\n",
                   LINCHECK_REASON_NONE);
    assert_int_equal(history.count, 2);
    assert_int_equal(history.ops[0].kind, LINCHECK_GET);
    assert_int_equal(history.ops[1].value, 2);
}

static void a_log_that_is_not_complete_says_nothing_by_silence(void **state)
{
    (void)state;
    assert_settles("put client=1 key=1 value=1 time=0.. request=5\n"
                   "put client=1 key=1 value=2 time=0..1 request=6 revision=4\n"
                   "applied request=7 revision=9\n",
                   LINCHECK_REASON_NONE);
    assert_int_equal(history.count, 2);
    assert_int_equal(history.ops[0].outcome, LINCHECK_UNKNOWN);
}

static void a_write_without_a_request_id_stays_unknown(void **state)
{
    (void)state;
    assert_settles("put client=1 key=1 value=1 time=0..\ncomplete\n", LINCHECK_REASON_NONE);
    assert_int_equal(history.count, 1);
    assert_int_equal(history.ops[0].outcome, LINCHECK_UNKNOWN);
}

static void an_answer_gets_the_revision_that_it_lacks(void **state)
{
    (void)state;
    assert_settles("put client=1 key=1 value=1 time=0..3 request=5\n"
                   "applied request=5 revision=9\n",
                   LINCHECK_REASON_NONE);
    assert_int_equal(history.ops[0].revision, 9);
    assert_int_equal(history.ops[0].outcome, LINCHECK_ANSWERED);
}

static void a_request_that_was_applied_twice_is_found(void **state)
{
    (void)state;
    assert_settles("applied request=5 revision=9\n"
                   "applied request=6 revision=10\n"
                   "applied request=5 revision=11\n",
                   LINCHECK_REASON_LOG_TWICE);
    assert_text_contains(&result, "line 1 of the log: request 5, revision 9");
    assert_text_contains(&result, "line 3 of the log: request 5, revision 11");
}

static void a_log_whose_revisions_go_backwards_is_found(void **state)
{
    (void)state;
    assert_settles("applied request=5 revision=9\n"
                   "applied request=6 revision=9\n"
                   "applied request=7 revision=8\n",
                   LINCHECK_REASON_LOG_BACKWARDS);
    assert_text_contains(&result, "line 2 of the log");
}

static void a_refused_write_in_the_log_is_found(void **state)
{
    (void)state;
    assert_settles("put client=1 key=1 value=1 time=0..4 request=5 outcome=refused\n"
                   "applied request=5 revision=9\n",
                   LINCHECK_REASON_LOG_REFUSED);
    assert_text_contains(&result, "in the log it has revision 9");
}

static void an_acknowledged_write_that_the_log_lost_is_found(void **state)
{
    (void)state;
    assert_settles("put client=1 key=1 value=1 time=0..4 request=5 revision=3\ncomplete\n",
                   LINCHECK_REASON_LOG_LOST);
    assert_int_equal(result.first, 0);
}

static void an_answer_with_another_revision_than_the_log_is_found(void **state)
{
    (void)state;
    assert_settles("put client=1 key=1 value=1 time=0..4 request=5 revision=3\n"
                   "applied request=5 revision=9\n",
                   LINCHECK_REASON_LOG_REVISION);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_in_the_log_has_happened),
        TEST(a_write_that_a_complete_log_does_not_have_is_dropped),
        TEST(a_log_that_is_not_complete_says_nothing_by_silence),
        TEST(a_write_without_a_request_id_stays_unknown),
        TEST(an_answer_gets_the_revision_that_it_lacks),
        TEST(a_request_that_was_applied_twice_is_found),
        TEST(a_log_whose_revisions_go_backwards_is_found),
        TEST(a_refused_write_in_the_log_is_found),
        TEST(an_acknowledged_write_that_the_log_lost_is_found),
        TEST(an_answer_with_another_revision_than_the_log_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
