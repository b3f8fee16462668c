#include "http/http_date.h"

#include <stdio.h>
#include <time.h>

#include "base/assert.h"

#define YEAR_9999_END_SECONDS UINT64_C(253402300800)

void http_date_format(uint64_t wall_ms, char text[HTTP_DATE_SIZE + 1])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t seconds = wall_ms / 1000;
    time_t moment = (time_t)(seconds < YEAR_9999_END_SECONDS ? seconds : YEAR_9999_END_SECONDS - 1);
    struct tm date;
    struct tm *known = gmtime_r(&moment, &date);
    ASSERT(known != NULL);
    /* Names of our own: strftime's depend on the locale. */
    char line[64];
    int size =
        snprintf(line, sizeof(line), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                 days + (size_t)date.tm_wday * 3, date.tm_mday, months + (size_t)date.tm_mon * 3,
                 date.tm_year + 1900, date.tm_hour, date.tm_min, date.tm_sec);
    ASSERT(size == (int)HTTP_DATE_SIZE);
    for (size_t i = 0; i <= HTTP_DATE_SIZE; i++) {
        text[i] = line[i];
    }
}
