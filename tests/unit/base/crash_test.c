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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_are_printed_in_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_before_the_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_longer_than_the_block_comes_out_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_descriptor_that_cannot_be_written_is_given_up, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
