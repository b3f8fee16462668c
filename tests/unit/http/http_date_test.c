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

static void every_form_of_a_date_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* RFC 9110, 5.6.7, and the next two */
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 29 Feb 2000 11:59:59 GMT", 951825599},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228799},
        {"Fri, 31 Dec 9999 23:59:59 GMT", UINT64_C(253402300799)},
        {"Wednesday, 01-Jan-69 00:00:00 GMT", UINT64_C(3124224000)},
        {"Thursday, 01-Jan-70 00:00:00 GMT", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t seconds = 1;
        assert_true(http_date_parse(slice_from_text(cases[i].text), &seconds));
        assert_int_equal(seconds, cases[i].seconds);
    }
    for (uint64_t day = 0; day <= 400 * 366; day++) {
        char text[HTTP_DATE_SIZE + 1];
        uint64_t seconds = 0;
        http_date_format((day * 86400 + day % 86400) * 1000, text);
        assert_true(http_date_parse(slice_from_text(text), &seconds));
        assert_int_equal(seconds, day * 86400 + day % 86400);
    }
}

static void what_is_no_date_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "Sun",
        "Sun,",
        "yesterday",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 2001 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t seconds;
        if (http_date_parse(slice_from_text(texts[i]), &seconds)) {
            fail_msg("%s", texts[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written_as_the_rfc_wants_them),
        cmocka_unit_test(every_day_of_four_centuries_is_the_one_that_libc_says),
        cmocka_unit_test(every_form_of_a_date_is_read),
        cmocka_unit_test(what_is_no_date_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
