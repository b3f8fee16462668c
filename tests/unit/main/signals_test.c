#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "main/signals.h"

static void a_signal_is_something_to_read(void **state)
{
    (void)state;
    struct signals signals;
    struct signal_seen seen;
    main_signals_open(&signals);
    assert_false(main_signals_next(&signals, &seen));
    assert_int_equal(kill(getpid(), SIGTERM), 0); /* it would end this test */
    struct pollfd wait = {.fd = signals.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_true(main_signals_next(&signals, &seen));
    assert_int_equal(seen.number, SIGTERM);
    assert_false(seen.is_of_terminal);
    assert_false(main_signals_next(&signals, &seen));
    main_signals_close(&signals);
}

static void afterwards_all_is_as_before(void **state)
{
    (void)state;
    struct signals signals;
    sigset_t before;
    sigset_t after;
    sigset_t meanwhile;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
    main_signals_open(&signals);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &meanwhile), 0);
    main_signals_close(&signals);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
    assert_int_equal(sigismember(&meanwhile, SIGINT), 1);
    for (int number = 1; number < 32; number++) {
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_something_to_read),
        cmocka_unit_test(afterwards_all_is_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
