/* The nodes that a command may ask: --endpoints, PONTOON_ENDPOINTS. */
#ifndef MAIN_ENDPOINTS_H
#define MAIN_ENDPOINTS_H

#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"

#define ENDPOINTS_DEFAULT "127.0.0.1:3000"
#define ENDPOINT_SIZE (ADDRESS_SIZE_MAX + sizeof("[]:65535"))

struct endpoints {
    char addresses[MEMBERS_MAX][ENDPOINT_SIZE]; /* HOST:PORT */
    size_t count;                               /* at least 1 */
};

/*
 * Parses "HOST:PORT,http://HOST:PORT/,…". ERR_BAD_REQUEST, with a note: what is not of that form,
 * https, none at all, too many.
 */
MUST_USE err main_endpoints_parse(const char *text, struct endpoints *out_endpoints,
                                  struct err_note *note);

#endif
