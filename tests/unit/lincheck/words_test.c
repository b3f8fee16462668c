#include "lincheck/words.h"
#include "lincheck_testing.h"

static void assert_words(const struct lincheck_op *op, const char *words)
{
    struct writer out = {0};
    lincheck_words_op(&out, op);
    assert_int_equal(out.size, strlen(words));
    assert_memory_equal(out.data, words, out.size);
    writer_deinit(&out);
}

static void an_operation_is_one_clause(void **state)
{
    (void)state;
    struct lincheck_op op = {.client = 3,
                             .kind = LINCHECK_PUT,
                             .key = 5,
                             .value = 7,
                             .invoked = 10,
                             .returned = 20,
                             .revision = 4,
                             .existed = LINCHECK_EXISTED_NO};
    assert_words(&op,
                 "client 3 put value 7 into key 5, there was none before (10..20, revision 4)");
    op = (struct lincheck_op){.client = 3,
                              .kind = LINCHECK_DELETE,
                              .key = 5,
                              .invoked = 10,
                              .returned = LINCHECK_NEVER,
                              .revision = LINCHECK_REVISION_UNKNOWN,
                              .outcome = LINCHECK_UNKNOWN};
    assert_words(&op, "client 3 deleted key 5 (10.., outcome unknown)");
    op.kind = LINCHECK_GET;
    assert_words(&op, "client 3 read key 5 (10.., outcome unknown)");
    op.outcome = LINCHECK_ANSWERED;
    op.returned = 11;
    assert_words(&op, "client 3 read key 5 and found nothing (10..11)");
}

static void every_verdict_and_reason_has_a_name_and_words(void **state)
{
    (void)state;
    assert_string_equal(lincheck_verdict_name(LINCHECK_LEGAL), "legal");
    assert_string_equal(lincheck_verdict_name(LINCHECK_UNDECIDED), "undecided");
    assert_string_equal(lincheck_verdict_name(LINCHECK_ILLEGAL), "illegal");
    assert_string_equal(lincheck_reason_name(LINCHECK_REASON_NO_ORDER), "NO_ORDER");
    for (unsigned i = 0; i < LINCHECK_REASON_COUNT; i++) {
        assert_true(strlen(lincheck_reason_words((enum lincheck_reason)i)) > 10);
    }
}

static void a_result_begins_anew_with_each_check(void **state)
{
    (void)state;
    struct lincheck_history history = history_of("get client=1 key=9 time=0..1\n");
    struct lincheck_result result = {0};
    for (unsigned i = 0; i < 2; i++) {
        lincheck_result_reset(&result);
        assert_int_equal(result.text.size, 0);
        assert_true(result.first == LINCHECK_NO_OP);
        (void)lincheck_result_set(&result, LINCHECK_ILLEGAL, LINCHECK_REASON_VALUE, &history, 0,
                                  LINCHECK_NO_OP);
        assert_int_equal(result.key, 9);
        assert_text_contains(&result, "key 9: ");
    }
    lincheck_result_deinit(&result);
    lincheck_history_deinit(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operation_is_one_clause),
        cmocka_unit_test(every_verdict_and_reason_has_a_name_and_words),
        cmocka_unit_test(a_result_begins_anew_with_each_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
