/*
 * Histories that no right store can have, each with what the certificate says to it and, when the
 * revisions are taken away, what the search says; and odd ones that are right. The form of the
 * lines: sim/lincheck/README.md.
 */
#include "lincheck_testing.h"

#define LEGAL LINCHECK_REASON_NONE
#define REASON(name) LINCHECK_REASON_##name

struct history_case {
    const char *name;
    enum lincheck_reason certificate;
    enum lincheck_reason search; /* without revisions */
    const char *lines;
};

static const struct history_case cases[] = {
    /* ---- what reads found ---- */
    {"a_read_is_stale_and_its_revision_says_so", REASON(REAL_TIME), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=1 key=1 value=2 time=20..30 revision=2\n"
     "get client=2 key=1 value=1 time=40..50 revision=1\n"},
    {"a_read_is_stale_and_claims_the_newest_revision", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=1 key=1 value=2 time=20..30 revision=2\n"
     "get client=2 key=1 value=1 time=40..50 revision=2\n"},
    {"an_acknowledged_write_is_missing", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 time=20..30 revision=1\n"},
    {"an_acknowledged_write_is_missing_from_a_node_that_lags", REASON(REAL_TIME), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 time=20..30 revision=0\n"},
    {"an_update_is_lost", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=1 key=1 value=1 time=11..14 revision=1\n"
     "put client=2 key=1 value=2 time=20..30 revision=2\n"
     "get client=1 key=1 value=1 time=40..50 revision=2\n"
     "get client=2 key=1 value=1 time=60..70 revision=2\n"},
    {"a_value_is_read_that_nobody_wrote", REASON(NEVER_WRITTEN), REASON(NEVER_WRITTEN),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 value=7 time=20..30 revision=1\n"},
    {"a_value_of_another_key_is_read", REASON(NEVER_WRITTEN), REASON(NEVER_WRITTEN),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=2 value=1 time=20..30 revision=1\n"},
    {"a_write_that_was_refused_is_visible", REASON(REFUSED_VISIBLE), REASON(REFUSED_VISIBLE),
     "put client=1 key=1 value=1 time=0..10 outcome=refused\n"
     "get client=2 key=1 value=1 time=20..30 revision=0\n"},
    {"a_value_is_read_before_its_write_began", REASON(BEFORE_INVOCATION), REASON(BEFORE_INVOCATION),
     "get client=2 key=1 value=1 time=0..10 revision=0\n"
     "put client=1 key=1 value=1 time=20..30 revision=1\n"},
    {"a_value_and_its_revision_come_from_the_future", REASON(REAL_TIME), REASON(BEFORE_INVOCATION),
     "put client=1 key=1 value=1 time=0..5 revision=1\n"
     "get client=2 key=1 value=2 time=10..15 revision=2 written=2\n"
     "put client=1 key=1 value=2 time=20..30 revision=2\n"},
    {"an_overwritten_value_is_read_after_the_newer_one", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=1 key=1 value=2 time=15..100 revision=2\n"
     "get client=2 key=1 value=2 time=20..30 revision=2\n"
     "get client=3 key=1 value=1 time=40..50 revision=2\n"},
    {"two_reads_of_one_client_go_backwards", REASON(REAL_TIME), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=1 key=1 value=2 time=15..100 revision=2\n"
     "get client=2 key=1 value=2 time=20..30 revision=2\n"
     "get client=2 key=1 value=1 time=31..50 revision=1\n"},
    {"two_readers_disagree_about_the_order_of_two_writes", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..100 revision=1\n"
     "put client=2 key=1 value=2 time=0..100 revision=2\n"
     "get client=3 key=1 value=1 time=10..20 revision=1\n"
     "get client=4 key=1 value=2 time=30..40 revision=2\n"
     "get client=3 key=1 value=1 time=50..60 revision=3\n"},
    {"an_unknown_write_is_seen_and_then_unseen", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=2 key=1 value=2 time=20.. outcome=applied revision=2\n"
     "get client=3 key=1 value=2 time=30..40 revision=2\n"
     "get client=3 key=1 value=1 time=50..60 revision=2\n"},
    {"a_request_is_applied_twice_around_another", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 value=1 time=11..12 revision=1\n"
     "put client=2 key=1 value=2 time=20..30 revision=2\n"
     "get client=2 key=1 value=2 time=40..50 revision=2\n"
     "get client=2 key=1 value=1 time=60..70 revision=3\n"},
    /* ---- deletes ---- */
    {"a_deleted_value_comes_back", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=1 key=1 time=20..30 revision=2 existed=yes\n"
     "get client=2 key=1 value=1 time=40..50 revision=2\n"},
    {"a_value_comes_back_after_it_was_seen_to_be_gone", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=1 key=1 time=15..90 revision=2 existed=yes\n"
     "get client=2 key=1 time=20..30 revision=2\n"
     "get client=2 key=1 value=1 time=40..50 revision=2\n"},
    {"an_unknown_delete_is_seen_and_then_unseen", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=2 key=1 time=20.. outcome=applied revision=2\n"
     "get client=3 key=1 time=30..40 revision=2\n"
     "get client=3 key=1 value=1 time=50..60 revision=2\n"},
    {"a_value_vanishes_without_a_delete", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 value=1 time=20..30 revision=1\n"
     "get client=2 key=1 time=40..50 revision=1\n"
     "get client=2 key=1 value=1 time=60..70 revision=1\n"},
    {"a_delete_did_not_delete", REASON(VALUE), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=2 key=1 time=20..30 revision=2\n"
     "get client=1 key=1 value=1 time=40..50 revision=2\n"},
    /* ---- what writes met ---- */
    {"a_put_meets_a_value_that_was_not_there", REASON(EXISTED), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1 existed=yes\n"},
    {"a_key_is_made_twice", REASON(EXISTED), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..50 revision=1 existed=no\n"
     "put client=2 key=1 value=2 time=0..50 revision=2 existed=no\n"},
    {"a_delete_overlooks_a_value", REASON(EXISTED), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=1 key=1 time=20..30 revision=1 existed=no\n"},
    {"one_value_is_deleted_twice", REASON(EXISTED), REASON(NO_ORDER),
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=2 key=1 time=20..50 revision=2 existed=yes\n"
     "delete client=3 key=1 time=20..50 revision=3 existed=yes\n"},
    {"a_delete_meets_what_is_not_there_yet", REASON(EXISTED), REASON(NO_ORDER),
     "delete client=1 key=1 time=0..10 revision=1 existed=yes\n"
     "put client=2 key=1 value=1 time=20..30 revision=2\n"},
    /* ---- what only revisions show ---- */
    {"revisions_go_backwards_in_time", REASON(REAL_TIME), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=2\n"
     "put client=1 key=1 value=2 time=20..30 revision=1\n"},
    {"revisions_go_backwards_from_key_to_key", REASON(REAL_TIME), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=2\n"
     "put client=2 key=2 value=2 time=20..30 revision=1\n"},
    {"a_read_of_another_key_falls_behind", REASON(REAL_TIME), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=1 key=2 time=20..30 revision=0\n"},
    {"a_read_says_that_its_value_is_of_another_revision", REASON(MOD_REVISION), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=1 key=2 value=2 time=20..30 revision=2\n"
     "get client=1 key=1 value=1 time=40..50 revision=2 written=2\n"},
    {"two_writes_have_one_revision", REASON(REVISION_TAKEN), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=2 key=2 value=2 time=0..10 revision=1\n"},
    {"a_delete_shares_the_revision_of_a_put", REASON(REVISION_TAKEN), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=1 key=2 value=2 time=20..30 revision=2\n"
     "delete client=1 key=1 time=20..40 revision=2\n"},
    {"a_write_has_the_revision_of_the_beginning", REASON(REVISION_ZERO), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=0\n"},
    {"a_write_applied_late_by_the_log_has_a_revision_from_before_it_began", REASON(REAL_TIME),
     LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=2\n"
     "put client=2 key=1 value=2 time=20.. outcome=applied revision=1\n"},
    /* ---- transactions: a line a key ---- */
    {"half_of_a_transaction_is_seen", REASON(VALUE), LEGAL,
     "put client=1 key=1 value=1 time=0..50 revision=1 txn=1\n"
     "put client=1 key=2 value=1 time=0..50 revision=1 txn=1\n"
     "get client=2 key=1 value=1 time=10..20 revision=1\n"
     "get client=2 key=2 time=30..40 revision=1\n"},
    {"a_transaction_writes_what_another_has_changed_since", REASON(VALUE), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 value=1 time=20..60 revision=2\n" /* what was read at 3 */
     "put client=3 key=1 value=2 time=30..40 revision=2\n"
     "put client=2 key=2 value=1 time=20..60 revision=3 txn=1\n"
     "delete client=2 key=1 time=20..60 revision=3 txn=1 existed=yes\n"},
    {"two_transactions_have_one_revision", REASON(REVISION_TAKEN), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1 txn=1\n"
     "put client=2 key=2 value=2 time=0..10 revision=1 txn=2\n"},
    {"a_transaction_writes_a_key_twice", REASON(REVISION_TAKEN), LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1 txn=1\n"
     "put client=1 key=1 value=2 time=0..10 revision=1 txn=1\n"},
    {"a_transaction_is_whole", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=3 key=3 time=30..40 revision=2\n"
     "get client=2 key=1 value=1 time=20..50 revision=1\n"
     "delete client=2 key=1 time=20..50 revision=2 txn=7 existed=yes\n"
     "put client=2 key=2 value=1 time=20..50 revision=2 txn=7 existed=no\n"
     "get client=3 key=2 value=1 time=60..70 revision=2 written=2\n"
     "get client=3 key=1 time=60..70 revision=2\n"},
    {"what_a_transaction_deletes_need_not_be_said_to_have_been", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1 txn=1\n"
     "put client=1 key=2 value=1 time=0..10 revision=1 txn=1\n"
     "delete client=0 key=1 time=20.. outcome=applied revision=2 txn=2\n"
     "delete client=0 key=2 time=20.. outcome=applied revision=2 txn=2\n"
     "get client=3 key=1 time=60..70 revision=2\n"
     "get client=3 key=2 time=60..70 revision=2\n"},
    /* ---- odd, and right ---- */
    {"nothing_happened", LEGAL, LEGAL, ""},
    {"before_the_first_write_there_is_nothing", LEGAL, LEGAL,
     "get client=1 key=1 time=0..10 revision=0\n"
     "delete client=1 key=1 time=20..30 revision=0 existed=no\n"},
    {"reads_beside_a_write_find_either", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "put client=1 key=1 value=2 time=20..60 revision=2\n"
     "get client=2 key=1 value=1 time=30..50 revision=1\n"
     "get client=3 key=1 value=2 time=30..50 revision=2\n"},
    {"what_ends_at_an_instant_is_beside_what_begins_at_it", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 time=10..20 revision=0\n"},
    {"an_unknown_write_takes_effect_much_later", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0.. outcome=applied revision=2\n"
     "put client=2 key=1 value=2 time=10..20 revision=1\n"
     "get client=2 key=1 value=2 time=30..40 revision=1\n"
     "get client=2 key=1 value=1 time=50..60 revision=2\n"},
    {"an_unknown_write_shows_itself_by_what_another_met", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0.. outcome=applied revision=1\n"
     "put client=2 key=1 value=2 time=10..20 revision=2 existed=yes\n"},
    {"an_unknown_delete_shows_itself_by_what_another_met", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=2 key=1 time=20.. outcome=applied revision=2\n"
     "put client=3 key=1 value=2 time=30..40 revision=3 existed=no\n"},
    {"a_delete_that_met_nothing_shares_a_revision", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "delete client=1 key=2 time=20..30 revision=1 existed=no\n"
     "delete client=1 key=2 time=40..50 revision=1\n"},
    {"a_delete_that_does_not_say_what_it_met_is_the_change", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 revision=1\n"
     "get client=2 key=1 time=15..40 revision=2\n"
     "delete client=1 key=1 time=20..30 revision=2\n"
     "delete client=1 key=1 time=50..60 revision=2\n"},
    {"a_refused_write_and_an_unanswered_read_say_nothing", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..10 outcome=refused\n"
     "get client=2 key=1 time=0..\n"
     "get client=3 key=1 time=20..30 revision=0\n"},
    {"writes_beside_each_other_have_the_order_that_reads_saw", LEGAL, LEGAL,
     "put client=1 key=1 value=1 time=0..100 revision=2\n"
     "put client=2 key=1 value=2 time=0..100 revision=3\n"
     "put client=3 key=1 value=3 time=0..100 revision=1\n"
     "get client=4 key=1 value=3 time=10..20 revision=1 written=1\n"
     "get client=4 key=1 value=1 time=30..40 revision=2 written=2\n"
     "get client=4 key=1 value=2 time=50..60 revision=3 written=3\n"},
};

static void assert_reason(const struct lincheck_history *history,
                          const struct lincheck_result *result, enum lincheck_reason expected)
{
    if (result->reason != expected) {
        fail_msg("%s, not %s\n%.*s", lincheck_reason_name(result->reason),
                 lincheck_reason_name(expected), (int)result->text.size,
                 (const char *)result->text.data);
    }
    assert_int_equal(result->verdict, expected == LEGAL ? LINCHECK_LEGAL : LINCHECK_ILLEGAL);
    if (expected == LEGAL) {
        assert_int_equal(result->text.size, 0);
    } else {
        assert_in_range(result->first, 0, history->count - 1);
        assert_text_contains(result, "client ");
    }
}

static void is_judged_rightly(void **state)
{
    const struct history_case *test = *state;
    struct lincheck_history history = history_of(test->lines);
    struct lincheck_result result = {0};
    struct lincheck_options options = {.search_ops_max = 100};
    (void)lincheck_certificate(&history, &result);
    assert_reason(&history, &result, test->certificate);
    (void)lincheck_run(&history, &options, &result);
    assert_reason(&history, &result, test->certificate);
    forget_revisions(&history);
    (void)lincheck_search(&history, &options, &result);
    assert_reason(&history, &result, test->search);
    lincheck_result_deinit(&result);
    lincheck_history_deinit(&history);
}

/* What only such an answer shows is legal without it; all else is found as before. */
static void reads_alone_show_what_is_wrong_with_reads(void **state)
{
    (void)state;
    struct lincheck_result result = {0};
    struct lincheck_options options = {0};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct lincheck_history history = history_of(cases[i].lines);
        forget_revisions(&history);
        for (size_t op = 0; op < history.count; op++) {
            history.ops[op].existed = LINCHECK_EXISTED_UNKNOWN;
        }
        (void)lincheck_search(&history, &options, &result);
        assert_reason(&history, &result,
                      cases[i].certificate == REASON(EXISTED) ? LEGAL : cases[i].search);
        lincheck_history_deinit(&history);
    }
    lincheck_result_deinit(&result);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_COUNT(cases) + 1] = {
        cmocka_unit_test(reads_alone_show_what_is_wrong_with_reads)};
    static struct history_case copies[ARRAY_COUNT(cases)]; /* cmocka's states are not const */
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        copies[i] = cases[i];
        tests[i + 1] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = is_judged_rightly, .initial_state = &copies[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
