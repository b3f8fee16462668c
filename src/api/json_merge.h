/* JSON Merge Patch (RFC 7396). */
#ifndef API_JSON_MERGE_H
#define API_JSON_MERGE_H

#include "base/codec.h"
#include "base/err.h"

#define JSON_MERGE_DEPTH_MAX 64u
#define JSON_MERGE_PARTS_MAX 262144u /* about 40 MiB of objects */

/* Which of the two documents an error is of. */
enum json_merge_side {
    JSON_MERGE_TARGET,
    JSON_MERGE_PATCH,
};

/*
 * Appends what `patch` makes of `target`; data NULL: there is none. Members stay in their order,
 * new ones come behind them; numbers stay as they are written (but -0 is 0), strings and white
 * space may be written another way. ERR_BAD_REQUEST: no JSON, ERR_TOO_LARGE: too deep, too many
 * parts; both
 * with the side and static words.
 */
MUST_USE err api_json_merge(struct slice target, struct slice patch, struct writer *out,
                            enum json_merge_side *out_side, const char **out_why);

#endif
