/* Dates as HTTP writes them (RFC 9110, section 5.6.7). */
#ifndef HTTP_HTTP_DATE_H
#define HTTP_HTTP_DATE_H

#include <stdint.h>

#define HTTP_DATE_SIZE 29u /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/*
 * Fills `text`, NUL included, with the second in which `wall_ms` (since the epoch) lies; years to
 * 9999.
 */
void http_date_format(uint64_t wall_ms, char text[HTTP_DATE_SIZE + 1]);

#endif
