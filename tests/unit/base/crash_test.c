#include <pthread.h>
#include <semaphore.h>

#include "base/crash.h"
#include "base_testing.h"

static int fds[2];
static struct crash_out out;

static int set_up(void **state)
{
    (void)state;
    crash_init(&out, -1);
    return pipe(fds);
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(fds[0]);
    return close(fds[1]);
}

static void assert_printed(const char *expected)
{
    char text[4096];
    ssize_t size = read(fds[0], text, sizeof(text) - 1);
    assert_true(size >= 0);
    text[size] = '\0';
    assert_string_equal(text, expected);
}

static void numbers_are_printed_in_full(void **state)
{
    (void)state;
    crash_init(&out, fds[1]);
    crash_u64(&out, 0);
    crash_text(&out, " ");
    crash_u64(&out, UINT64_MAX);
    crash_text(&out, " ");
    crash_hex(&out, UINT64_MAX);
    crash_text(&out, " ");
    crash_hex(&out, 0x10);
    crash_flush(&out);
    assert_printed("0 18446744073709551615 0xffffffffffffffff 0x10");
}

static void nothing_is_written_before_the_flush(void **state)
{
    (void)state;
    crash_init(&out, fds[1]);
    crash_text(&out, "early");
    assert_int_equal(write(fds[1], "|", 1), 1);
    crash_flush(&out);
    assert_printed("|early");
}

static void a_text_longer_than_the_block_comes_out_whole(void **state)
{
    (void)state;
    char text[3001];
    memset(text, 'x', sizeof(text) - 1);
    text[3000] = '\0';
    crash_init(&out, fds[1]);
    crash_text(&out, text);
    crash_flush(&out);
    assert_printed(text);
}

static void a_descriptor_that_cannot_be_written_is_given_up(void **state)
{
    (void)state;
    crash_init(&out, fds[0]);
    crash_text(&out, "x");
    crash_flush(&out);
    assert_true(out.failed);
    crash_text(&out, "y");
    crash_flush(&out);
    assert_int_equal(out.size, 0);
}

static sem_t has_begun;

static void *write_slowly(void *ctx)
{
    (void)ctx;
    bool may_write = crash_line_begin();
    (void)sem_post(&has_begun);
    (void)usleep(20000); /* the crash has come meanwhile */
    if (may_write && write(fds[1], "a line, ", 8) == 8) {
        crash_line_end();
    }
    return NULL;
}

/* In a process of its own: the end of one thread's is that of all. */
static void die_while_another_writes(void)
{
    pthread_t thread;
    if (sem_init(&has_begun, 0, 0) != 0 || pthread_create(&thread, NULL, write_slowly, NULL) != 0 ||
        sem_wait(&has_begun) != 0) {
        _exit(98);
    }
    crash_begin();
    crash_init(&out, fds[1]);
    crash_text(&out, crash_line_begin() ? "another" : "the end");
    crash_flush(&out);
    _exit(pthread_join(thread, NULL));
}

static void who_dies_lets_a_line_end_and_none_begin(void **state)
{
    (void)state;
    static struct death death;
    death_of(die_while_another_writes, &death);
    assert_int_equal(death.status, 0);
    assert_printed("a line, the end");
}

static void die_in_the_middle_of_a_line(void)
{
    _exit(crash_line_begin() ? (crash_begin(), 0) : 98);
}

static void who_dies_in_a_line_of_its_own_does_not_wait_for_ever(void **state)
{
    (void)state;
    static struct death death;
    death_of(die_in_the_middle_of_a_line, &death);
    assert_int_equal(death.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_are_printed_in_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_before_the_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_longer_than_the_block_comes_out_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_descriptor_that_cannot_be_written_is_given_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_dies_lets_a_line_end_and_none_begin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_dies_in_a_line_of_its_own_does_not_wait_for_ever,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
