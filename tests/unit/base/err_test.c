#include "base/err.h"
#include "base_testing.h"

static void names_and_statuses_come_from_the_list(void **state)
{
    (void)state;
    assert_string_equal(err_name(OK), "OK");
    assert_string_equal(err_name(ERR_QUOTA), "ERR_QUOTA");
    assert_int_equal(err_http_status(ERR_QUOTA), 507);
    assert_string_equal(err_slug(ERR_QUOTA), "quota");
    assert_string_equal(err_title(ERR_QUOTA), "Storage quota reached");
    assert_int_equal(err_outcome(ERR_QUOTA), OUTCOME_NOT_APPLIED);
    assert_int_equal(err_outcome(ERR_OUTCOME_UNKNOWN), OUTCOME_UNKNOWN);
}

static void every_error_has_all_its_parts(void **state)
{
    (void)state;
    for (err e = OK + 1; e < ERR_COUNT; e++) {
        assert_memory_equal(err_name(e), "ERR_", 4);
        assert_in_range(err_http_status(e), e == ERR_REDIRECT ? 307 : 400, 599);
        assert_true(strlen(err_title(e)) > 0);
        size_t size = strlen(err_slug(e));
        assert_true(size > 0);
        assert_int_equal(strspn(err_slug(e), "abcdefghijklmnopqrstuvwxyz-"), size);
    }
}

static void a_client_error_never_leaves_the_outcome_open(void **state)
{
    (void)state;
    for (err e = OK + 1; e < ERR_COUNT; e++) {
        int status = err_http_status(e);
        if (status < 500 || status == 503 || status == 507) {
            assert_int_equal(err_outcome(e), OUTCOME_NOT_APPLIED);
        }
        if (status == 504 && e != ERR_BEHIND) { /* that one is of reads alone */
            assert_int_equal(err_outcome(e), OUTCOME_UNKNOWN);
        }
    }
}

static void a_note_is_wrapped_outermost_first(void **state)
{
    (void)state;
    struct err_note note = {{0}};
    assert_int_equal(err_note_set(&note, ERR_DAMAGED, "record at %d", 8192), ERR_DAMAGED);
    assert_int_equal(err_note_wrap(&note, ERR_DAMAGED, "%s", "wal/0003.seg"), ERR_DAMAGED);
    assert_int_equal(err_note_wrap(&note, ERR_DAMAGED, "open data"), ERR_DAMAGED);
    assert_string_equal(note.text, "open data: wal/0003.seg: record at 8192");
}

static void a_missing_note_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(err_note_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(err_note_wrap(NULL, ERR_IO, "x"), ERR_IO);
}

static void a_note_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct err_note note = {{0}};
    char text[2 * ERR_NOTE_SIZE];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    err_note_set(&note, ERR_IO, "%s", text);
    assert_int_equal(strlen(note.text), ERR_NOTE_SIZE - 1);
    err_note_wrap(&note, ERR_IO, "outer");
    assert_int_equal(strlen(note.text), ERR_NOTE_SIZE - 1);
    assert_memory_equal(note.text, "outer: aaa", 10);
    err_note_wrap(&note, ERR_IO, "%s", text);
    assert_int_equal(strlen(note.text), ERR_NOTE_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_statuses_come_from_the_list),
        cmocka_unit_test(every_error_has_all_its_parts),
        cmocka_unit_test(a_client_error_never_leaves_the_outcome_open),
        cmocka_unit_test(a_note_is_wrapped_outermost_first),
        cmocka_unit_test(a_missing_note_is_accepted),
        cmocka_unit_test(a_note_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
