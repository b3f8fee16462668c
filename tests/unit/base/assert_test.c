#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/assert.h"
#include "base/flight.h"
#include "base_testing.h"

static struct death death;

static void fail_an_assert(void)
{
    flight_note("leader elected", 7, 3);
    int one = 1;
    ASSERT(one == 2);
}

static void a_failed_assert_says_what_and_where_and_aborts(void **state)
{
    (void)state;
    death_of(fail_an_assert, &death);
    assert_true(WIFSIGNALED(death.status));
    assert_int_equal(WTERMSIG(death.status), SIGABRT);
    assert_non_null(strstr(death.text, "flight record, oldest first:\n  0 leader elected 7 3\n"));
    assert_non_null(strstr(death.text, "backtrace:\n"));
    assert_non_null(strstr(death.text, "test_base_assert+0x"));
    const char *last = strstr(death.text, "assert failed: one == 2 at ");
    assert_non_null(last);
    assert_non_null(strstr(last, "assert_test.c:"));
    assert_non_null(strstr(last, " in fail_an_assert\n"));
    assert_string_equal(strchr(last, '\n'), "\n");
}

static void a_true_assert_evaluates_once_and_goes_on(void **state)
{
    (void)state;
    int count = 0;
    ASSERT(++count == 1);
    assert_int_equal(count, 1);
}

static void die_with_an_errno(void)
{
    fatal(ENOSPC, "write %s", "wal/0001.seg");
}

static void fatal_ends_with_the_cause_and_status_1(void **state)
{
    (void)state;
    death_of(die_with_an_errno, &death);
    assert_true(WIFEXITED(death.status));
    assert_int_equal(WEXITSTATUS(death.status), 1);
    assert_string_equal(death.text, "fatal: write wal/0001.seg: No space left on device\n");
}

static void die_after_an_event(void)
{
    flight_note("segment opened", 1, 2);
    fatal(0, "log is damaged");
}

static void fatal_prints_the_flight_record_before_its_last_line(void **state)
{
    (void)state;
    death_of(die_after_an_event, &death);
    assert_string_equal(death.text, "flight record, oldest first:\n  0 segment opened 1 2\n"
                                    "fatal: log is damaged\n");
}

static void note_at_exit(void)
{
    (void)!write(STDERR_FILENO, "destructor\n", 11);
}

static void die_with_a_destructor(void)
{
    (void)atexit(note_at_exit);
    fatal(0, "x");
}

static void fatal_runs_no_destructors(void **state)
{
    (void)state;
    death_of(die_with_a_destructor, &death);
    assert_string_equal(death.text, "fatal: x\n");
}

static void die_behind_a_full_pipe(void)
{
    int fds[2];
    if (pipe(fds) != 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK) != 0) {
        _exit(98);
    }
    char page[4096] = {0};
    while (write(fds[1], page, sizeof(page)) > 0) {
    }
    if (fcntl(fds[1], F_SETFL, 0) != 0) {
        _exit(98);
    }
    (void)dup2(fds[1], STDERR_FILENO);
    (void)alarm(30);
    fail_an_assert();
}

static void a_process_whose_standard_error_nobody_reads_still_dies(void **state)
{
    (void)state;
    death_of(die_behind_a_full_pipe, &death);
    assert_true(WIFSIGNALED(death.status));
    assert_int_equal(WTERMSIG(death.status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_assert_says_what_and_where_and_aborts),
        cmocka_unit_test(a_true_assert_evaluates_once_and_goes_on),
        cmocka_unit_test(fatal_ends_with_the_cause_and_status_1),
        cmocka_unit_test(fatal_prints_the_flight_record_before_its_last_line),
        cmocka_unit_test(fatal_runs_no_destructors),
        cmocka_unit_test(a_process_whose_standard_error_nobody_reads_still_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
