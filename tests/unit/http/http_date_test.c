#include <time.h>

#include "http/http_date.h"
#include "http_test.h"

static void dates_are_written_as_the_rfc_wants_them(void **state)
{
    (void)state;
    static const struct {
        uint64_t wall_ms;
        const char *text;
    } cases[] = {
        {UINT64_C(784111777000), "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110, 5.6.7 */
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {999, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {UINT64_C(951825599999), "Tue, 29 Feb 2000 11:59:59 GMT"},
        {UINT64_C(1735689599000), "Tue, 31 Dec 2024 23:59:59 GMT"},
        {UINT64_C(253402300799000), "Fri, 31 Dec 9999 23:59:59 GMT"},
        {UINT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[HTTP_DATE_SIZE + 1];
        http_date_format(cases[i].wall_ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void every_day_of_four_centuries_is_the_one_that_libc_says(void **state)
{
    (void)state;
    for (time_t day = 0; day <= 400 * 366; day++) {
        time_t moment = day * 86400 + day % 86400;
        struct tm date;
        char expected[HTTP_DATE_SIZE + 1];
        char text[HTTP_DATE_SIZE + 1];
        assert_non_null(gmtime_r(&moment, &date));
        size_t size = strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &date);
        assert_int_equal(size, HTTP_DATE_SIZE);
        http_date_format((uint64_t)moment * 1000, text);
        assert_string_equal(text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written_as_the_rfc_wants_them),
        cmocka_unit_test(every_day_of_four_centuries_is_the_one_that_libc_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
