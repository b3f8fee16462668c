#include "base/flight.h"
#include "base_testing.h"

static char text[1 << 16];

static void print_record(void)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    flight_print(fds[1]); /* a record fits into a pipe */
    (void)close(fds[1]);
    size_t size = 0;
    ssize_t count;
    do {
        count = read(fds[0], text + size, sizeof(text) - 1 - size);
        size += count > 0 ? (size_t)count : 0;
    } while (count > 0);
    text[size] = '\0';
    (void)close(fds[0]);
}

/* The record belongs to the process: the tests run in this order. */

static void an_empty_record_prints_nothing(void **state)
{
    (void)state;
    print_record();
    assert_string_equal(text, "");
}

static void events_are_printed_oldest_first(void **state)
{
    (void)state;
    flight_note("first", 1, 2);
    flight_note("second", UINT64_MAX, 0);
    print_record();
    assert_string_equal(text, "flight record, oldest first:\n"
                              "  0 first 1 2\n"
                              "  1 second 18446744073709551615 0\n");
}

static void the_ring_keeps_the_last_512_events(void **state)
{
    (void)state;
    for (uint64_t i = 2; i < 1000; i++) {
        flight_note("event", i, 0);
    }
    print_record();
    assert_non_null(strstr(text, "oldest first:\n  488 event 488 0\n"));
    assert_null(strstr(text, " 487 "));
    assert_non_null(strstr(text, "  999 event 999 0\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_record_prints_nothing),
        cmocka_unit_test(events_are_printed_oldest_first),
        cmocka_unit_test(the_ring_keeps_the_last_512_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
