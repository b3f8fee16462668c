#include "http/http_date.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/decimal.h"

#define DAY_SECONDS 86400u
#define YEAR_9999_END_SECONDS UINT64_C(253402300800)

/* The Gregorian calendar repeats itself every 400 years of so many days. */
#define ERA_DAYS 146097u
#define CENTURY_DAYS 36524u
#define LEAP_CYCLE_DAYS 1461u
#define MARCH_0000_TO_1970_DAYS 719468u

struct date {
    unsigned year;
    unsigned month; /* 0: January */
    unsigned day;   /* of the month, from 1 */
};

/*
 * The date of a day since 1970-01-01. Years are counted from March here, so that a leap day is the
 * last of its year, and the months before it are as long every year: five of them have 153 days.
 */
static struct date date_of(unsigned days)
{
    days += MARCH_0000_TO_1970_DAYS;
    unsigned in_era = days % ERA_DAYS;
    /* Without the leap days before it, a day of the era lies in the year that division says. */
    unsigned leap_days =
        in_era / (LEAP_CYCLE_DAYS - 1) - in_era / CENTURY_DAYS + in_era / (ERA_DAYS - 1);
    unsigned year = (in_era - leap_days) / 365;
    unsigned in_year = in_era - (year * 365 + year / 4 - year / 100);
    unsigned month = (in_year * 5 + 2) / 153; /* 0: March */
    bool is_next_year = month >= 10;
    return (struct date){
        .year = days / ERA_DAYS * 400 + year + (is_next_year ? 1 : 0),
        .month = is_next_year ? month - 10 : month + 2,
        .day = in_year - (month * 153 + 2) / 5 + 1,
    };
}

/* By hand: it is in every answer with a value, and printf and gmtime took more than all else. */
void http_date_format(uint64_t wall_ms, char text[HTTP_DATE_SIZE + 1])
{
    static const char days[] = "Thu, Fri, Sat, Sun, Mon, Tue, Wed, "; /* as 1970 began */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t seconds = wall_ms / 1000;
    seconds = seconds < YEAR_9999_END_SECONDS ? seconds : YEAR_9999_END_SECONDS - 1;
    unsigned day = (unsigned)(seconds / DAY_SECONDS);
    unsigned second = (unsigned)(seconds % DAY_SECONDS);
    struct date date = date_of(day);
    ASSERT(date.month < 12);
    memcpy(text, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_SIZE + 1);
    memcpy(text, days + (size_t)(day % 7) * 5, 5);
    decimal_write_pair(text + 5, date.day);
    memcpy(text + 8, months + (size_t)date.month * 3, 3);
    decimal_write_pair(text + 12, date.year / 100);
    decimal_write_pair(text + 14, date.year % 100);
    decimal_write_pair(text + 17, second / 3600);
    decimal_write_pair(text + 20, second / 60 % 60);
    decimal_write_pair(text + 23, second % 60);
}
