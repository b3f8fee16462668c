/*
 * JSON of a client before json-c sees it: one value at a time, so that a body of many small parts
 * is never in memory as objects, which take fifty times its room. What json-c would take and change
 * without a word is refused: numbers beyond 64 bits, NaN, names with a NUL, half a surrogate pair.
 */
#ifndef API_JSON_SCAN_H
#define API_JSON_SCAN_H

#include <json-c/json_object.h>

#include "base/buf.h"
#include "base/err.h"

struct json_bounds {
    uint32_t depth; /* of arrays and objects in one another */
    uint32_t parts; /* commas and beginnings of arrays and objects: about its values */
};

/* Drops white space at the beginning. */
void api_json_skip(struct slice *rest);
/* Drops white space and the byte `wanted` after it; false: something else is there. */
bool api_json_take(struct slice *rest, uint8_t wanted);

/*
 * Takes the next value off `rest`, borrowed. Strings and numbers are as they should be then;
 * whether the rest is, json-c tells. ERR_BAD_REQUEST, ERR_TOO_LARGE (`bounds`), with static words
 * for it.
 */
MUST_USE err api_json_next(struct slice *rest, struct json_bounds bounds, struct slice *out_value,
                           const char **out_why);

/* The value that `text` is, which api_json_next has looked at; the caller puts it. NULL is JSON's
 * null. ERR_BAD_REQUEST, with static words. */
MUST_USE err api_json_parse(struct slice text, uint32_t depth, struct json_object **out_value,
                            const char **out_why);

/* The bytes of a string, borrowed. */
struct slice api_json_text(struct json_object *string);

#endif
