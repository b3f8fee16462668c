#include "http/http_date.h"

#include <string.h>
#include <time.h>

#include "base/assert.h"

#define YEAR_9999_END_SECONDS UINT64_C(253402300800)

/* As `count` digits; returns where they end. */
static char *put_number(char *target, unsigned number, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        target[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return target + count;
}

static char *put_text(char *target, const char *text, size_t size)
{
    memcpy(target, text, size);
    return target + size;
}

/* By hand: it is in every answer with a value, and printf took a fifth of all its instructions. */
void http_date_format(uint64_t wall_ms, char text[HTTP_DATE_SIZE + 1])
{
    static const char days[] = "Sun, Mon, Tue, Wed, Thu, Fri, Sat, ";
    static const char months[] = " Jan  Feb  Mar  Apr  May  Jun  Jul  Aug  Sep  Oct  Nov  Dec ";
    uint64_t seconds = wall_ms / 1000;
    time_t moment = (time_t)(seconds < YEAR_9999_END_SECONDS ? seconds : YEAR_9999_END_SECONDS - 1);
    struct tm date;
    struct tm *known = gmtime_r(&moment, &date);
    ASSERT(known != NULL);
    char *end = put_text(text, days + (size_t)date.tm_wday * 5, 5);
    end = put_number(end, (unsigned)date.tm_mday, 2);
    end = put_text(end, months + (size_t)date.tm_mon * 5, 5);
    end = put_number(end, (unsigned)date.tm_year + 1900, 4);
    end = put_text(end, " ", 1);
    end = put_number(end, (unsigned)date.tm_hour, 2);
    end = put_text(end, ":", 1);
    end = put_number(end, (unsigned)date.tm_min, 2);
    end = put_text(end, ":", 1);
    end = put_number(end, (unsigned)date.tm_sec, 2);
    end = put_text(end, " GMT", sizeof(" GMT"));
    ASSERT(end == text + HTTP_DATE_SIZE + 1);
}
