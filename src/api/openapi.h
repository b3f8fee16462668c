/*
 * The OpenAPI document: docs/openapi, put together and made a part of the program when it is built
 * (scripts/openapi.py, scripts/embed.py). tests/unit/api/route_openapi_test.c holds it against the
 * routes and their parameters.
 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "base/buf.h"

/* JSON in UTF-8, with a line end; static storage. */
extern const struct slice api_openapi_text;

#endif
