/* Dates as HTTP writes them (RFC 9110, section 5.6.7). */
#ifndef HTTP_HTTP_DATE_H
#define HTTP_HTTP_DATE_H

#include <stdint.h>

#include "base/buf.h"

#define HTTP_DATE_SIZE 29u /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/*
 * Fills `text`, NUL included, with the second in which `wall_ms` (since the epoch) lies; years to
 * 9999.
 */
void http_date_format(uint64_t wall_ms, char text[HTTP_DATE_SIZE + 1]);

/*
 * The second that `text` names, since the epoch, in any of the three forms that a recipient has to
 * know; an rfc850 date's two digits are the year of 1970 to 2069. False: it is none of them, or no
 * day of the calendar, or before 1970.
 */
bool http_date_parse(struct slice text, uint64_t *out_seconds);

#endif
