#include "http/http_date.h"

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

/* ---- reading one ---- */

/* What is left to read of a date. */
struct cursor {
    struct slice rest;
    bool is_bad;
};

static void expect(struct cursor *cursor, const char *text)
{
    size_t size = strlen(text);
    cursor->is_bad =
        cursor->is_bad || cursor->rest.size < size || memcmp(cursor->rest.data, text, size) != 0;
    if (!cursor->is_bad) {
        cursor->rest = (struct slice){cursor->rest.data + size, cursor->rest.size - size};
    }
}

/* Exactly `size` digits; `pad` may stand in place of leading ones. */
static unsigned take_digits(struct cursor *cursor, size_t size, char pad)
{
    unsigned value = 0;
    cursor->is_bad = cursor->is_bad || cursor->rest.size < size;
    for (size_t i = 0; i < size && !cursor->is_bad; i++) {
        uint8_t digit = cursor->rest.data[i];
        bool is_pad = value == 0 && i + 1 < size && pad != '\0' && digit == (uint8_t)pad;
        cursor->is_bad = !is_pad && (digit < '0' || digit > '9');
        value = is_pad ? 0 : value * 10 + (unsigned)(digit - '0');
    }
    if (!cursor->is_bad) {
        cursor->rest = (struct slice){cursor->rest.data + size, cursor->rest.size - size};
    }
    return value;
}

/* One of `count` names of three letters; their case matters. */
static unsigned take_name(struct cursor *cursor, const char *names, unsigned count)
{
    cursor->is_bad = cursor->is_bad || cursor->rest.size < 3;
    for (unsigned i = 0; i < count && !cursor->is_bad; i++) {
        if (memcmp(cursor->rest.data, names + (size_t)i * 3, 3) == 0) {
            cursor->rest = (struct slice){cursor->rest.data + 3, cursor->rest.size - 3};
            return i;
        }
    }
    cursor->is_bad = true;
    return 0;
}

static unsigned take_month(struct cursor *cursor)
{
    return take_name(cursor, "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
}

/* "08:49:37", as seconds of the day; a leap second is the last one of its minute. */
static unsigned take_time(struct cursor *cursor)
{
    unsigned hour = take_digits(cursor, 2, '\0');
    expect(cursor, ":");
    unsigned minute = take_digits(cursor, 2, '\0');
    expect(cursor, ":");
    unsigned second = take_digits(cursor, 2, '\0');
    cursor->is_bad = cursor->is_bad || hour > 23 || minute > 59 || second > 60;
    return hour * 3600 + minute * 60 + (second < 60 ? second : 59);
}

/* "nday", "sday", "nesday": what an rfc850 date has of its day's name after three letters. */
static void skip_day(struct cursor *cursor)
{
    while (cursor->rest.size > 0 && cursor->rest.data[0] >= 'a' && cursor->rest.data[0] <= 'z') {
        cursor->rest = (struct slice){cursor->rest.data + 1, cursor->rest.size - 1};
    }
}

/* "Sun Nov  6 08:49:37 1994", behind the name of the day. */
static unsigned take_asctime(struct cursor *cursor, struct date *date)
{
    expect(cursor, " ");
    date->month = take_month(cursor);
    expect(cursor, " ");
    date->day = take_digits(cursor, 2, ' ');
    expect(cursor, " ");
    unsigned second = take_time(cursor);
    expect(cursor, " ");
    date->year = take_digits(cursor, 4, '\0');
    return second;
}

/* ", 06 Nov 1994 08:49:37 GMT", or ", 06-Nov-94 08:49:37 GMT", behind the name of the day. */
static unsigned take_with_comma(struct cursor *cursor, struct date *date)
{
    expect(cursor, ", ");
    date->day = take_digits(cursor, 2, '\0');
    bool is_rfc850 = !cursor->is_bad && cursor->rest.size > 0 && cursor->rest.data[0] == '-';
    const char *separator = is_rfc850 ? "-" : " ";
    expect(cursor, separator);
    date->month = take_month(cursor);
    expect(cursor, separator);
    date->year = take_digits(cursor, is_rfc850 ? 2 : 4, '\0');
    if (is_rfc850) {
        date->year += date->year < 70 ? 2000 : 1900;
    }
    expect(cursor, " ");
    unsigned second = take_time(cursor);
    expect(cursor, " GMT");
    return second;
}

static unsigned month_days(const struct date *date)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
    ASSERT(date->month < 12);
    return date->month == 1 && is_leap ? 29 : days[date->month];
}

/* Days since 1970-01-01; the inverse of date_of. */
static unsigned days_of(const struct date *date)
{
    unsigned month = (date->month + 10) % 12; /* 0: March */
    unsigned year = date->year - (date->month < 2 ? 1 : 0);
    unsigned days = year * 365 + year / 4 - year / 100 + year / 400;
    return days + (month * 153 + 2) / 5 + date->day - 1 - MARCH_0000_TO_1970_DAYS;
}

bool http_date_parse(struct slice text, uint64_t *out_seconds)
{
    struct cursor cursor = {.rest = text};
    struct date date = {.year = 0};
    (void)take_name(&cursor, "SunMonTueWedThuFriSat", 7);
    skip_day(&cursor);
    bool has_comma = cursor.rest.size > 0 && cursor.rest.data[0] == ',';
    unsigned second = has_comma ? take_with_comma(&cursor, &date) : take_asctime(&cursor, &date);
    if (cursor.is_bad || cursor.rest.size > 0 || date.year < 1970 || date.day == 0) {
        return false;
    }
    if (date.day > month_days(&date)) {
        return false; /* the 30th of February */
    }
    *out_seconds = (uint64_t)days_of(&date) * DAY_SECONDS + second;
    return true;
}
