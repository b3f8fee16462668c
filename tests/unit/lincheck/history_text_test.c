#include "lincheck_testing.h"

static const char whole[] = "pontoon-history 1\n"
                            "put client=1 key=2 value=3 time=4..5 request=6 revision=7 existed=no\n"
                            "put client=1 key=2 value=4 time=4..\n"
                            "put client=1 key=2 value=5 time=4.. request=9 revision=8 "
                            "outcome=applied\n"
                            "put client=1 key=2 value=6 time=4..9 outcome=refused\n"
                            "get client=1 key=2 time=4..5 revision=0\n"
                            "get client=1 key=2 value=3 time=4..18446744073709551614 revision=7 "
                            "written=7\n"
                            "delete client=0 key=0 time=0..0 txn=3 existed=yes\n"
                            "applied request=6 revision=7\n"
                            "applied request=9 revision=8\n"
                            "complete\n";

static void assert_refused(const char *text, const char *words)
{
    struct lincheck_history history = {0};
    struct err_note note = {""};
    assert_int_equal(lincheck_history_parse(slice_from_text(text), &history, &note), ERR_MALFORMED);
    if (strstr(note.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, note.text);
    }
    assert_null(history.ops);
}

static void assert_line_refused(const char *line, const char *words)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "pontoon-history 1\n\n%s\n", line);
    assert_refused(text, words);
    assert_refused(text, "line 3: ");
}

static void what_is_written_is_what_was_read(void **state)
{
    (void)state;
    struct lincheck_history history = {0};
    struct writer out = {0};
    assert_int_equal(lincheck_history_parse(SLICE_LITERAL(whole), &history, NULL), OK);
    lincheck_history_write(&history, &out);
    assert_int_equal(out.size, sizeof(whole) - 1);
    assert_memory_equal(out.data, whole, out.size);
    writer_deinit(&out);
    lincheck_history_deinit(&history);
}

static void each_field_comes_to_its_place(void **state)
{
    (void)state;
    struct lincheck_history history = {0};
    assert_int_equal(lincheck_history_parse(SLICE_LITERAL(whole), &history, NULL), OK);
    assert_int_equal(history.count, 7);
    const struct lincheck_op *op = &history.ops[0];
    assert_int_equal(op->kind, LINCHECK_PUT);
    assert_int_equal(op->client, 1);
    assert_int_equal(op->key, 2);
    assert_int_equal(op->value, 3);
    assert_int_equal(op->invoked, 4);
    assert_int_equal(op->returned, 5);
    assert_int_equal(op->request_id, 6);
    assert_int_equal(op->revision, 7);
    assert_int_equal(op->existed, LINCHECK_EXISTED_NO);
    assert_int_equal(op->outcome, LINCHECK_ANSWERED);
    assert_int_equal(op[1].outcome, LINCHECK_UNKNOWN);
    assert_true(op[1].returned == LINCHECK_NEVER);
    assert_true(op[1].revision == LINCHECK_REVISION_UNKNOWN);
    assert_int_equal(op[2].outcome, LINCHECK_APPLIED);
    assert_int_equal(op[3].outcome, LINCHECK_REFUSED);
    assert_int_equal(op[4].value, 0);
    assert_int_equal(op[4].revision, 0);
    assert_int_equal(op[5].mod_revision, 7);
    assert_int_equal(op[6].existed, LINCHECK_EXISTED_YES);
    assert_int_equal(op[6].txn, 3);
    assert_int_equal(history.applied_count, 2);
    assert_int_equal(history.applied[1].request_id, 9);
    assert_int_equal(history.applied[1].revision, 8);
    assert_true(history.is_log_complete);
    lincheck_history_deinit(&history);
}

static void comments_empty_lines_and_the_order_of_fields_do_not_matter(void **state)
{
    (void)state;
    struct lincheck_history history = {0};
    struct slice text = SLICE_LITERAL("pontoon-history 1\n# hello\n\n"
                                      "get  time=1..2 key=3   client=4 ");
    assert_int_equal(lincheck_history_parse(text, &history, NULL), OK);
    assert_int_equal(history.count, 1);
    assert_int_equal(history.ops[0].client, 4);
    assert_false(history.is_log_complete);
    lincheck_history_deinit(&history);
}

static void another_file_is_refused(void **state)
{
    (void)state;
    assert_refused("", "line 1: the first line");
    assert_refused("pontoon-history 2\n", "line 1: the first line");
    assert_refused("get client=1 key=1 time=1..2\n", "line 1: the first line");
}

static void a_line_that_says_nothing_known_is_refused(void **state)
{
    (void)state;
    assert_line_refused("cas client=1 key=1 time=1..2", "a line begins with");
    assert_line_refused(" get client=1 key=1 time=1..2", "a line begins with");
    assert_line_refused("complete now", "a line begins with");
    assert_line_refused("get client=1 key=1 time=1..2 color=3", "no such name");
    assert_line_refused("get client=1 key=1 time=1..2 key=1", "twice");
    assert_line_refused("get client=1 key=1", "needs client, key and time");
    assert_line_refused("get client=1 time=1..2", "needs client, key and time");
    assert_line_refused("put client=1 key=1 time=1..2", "a put needs a value");
    assert_line_refused("applied request=1", "a line of the log");
    assert_line_refused("applied request=0 revision=1", "a line of the log");
    assert_line_refused("applied request=1 revision=1 key=1", "a line of the log");
}

static void a_value_that_is_none_of_the_field_is_refused(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "key=",      "key=-1",    "key=1x",     "key=18446744073709551615",
        "key",       "time=1",    "time=1.2",   "time=1...2",
        "time=..2",  "time=1..x", "existed=",   "existed=maybe",
        "outcome=?", "time=",     "revision=x", "key=18446744073709551616",
        "request=x", "written=x", "value=x",    "client=99999999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "get %s", fields[i]);
        assert_line_refused(line, "a value that it cannot have");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_what_was_read),
        cmocka_unit_test(each_field_comes_to_its_place),
        cmocka_unit_test(comments_empty_lines_and_the_order_of_fields_do_not_matter),
        cmocka_unit_test(another_file_is_refused),
        cmocka_unit_test(a_line_that_says_nothing_known_is_refused),
        cmocka_unit_test(a_value_that_is_none_of_the_field_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
