/*
 * A page of a list of keys (docs/api.md, section 3): its keys and the prefixes beside them, in the
 * order of their bytes.
 */
#ifndef MAIN_LISTING_H
#define MAIN_LISTING_H

#include <json-c/json_object.h>

#include "base/codec.h"
#include "base/err.h"

struct listing_item {
    struct slice name; /* of the key, or the prefix */
    bool is_prefix;
    struct json_object *row; /* of a key: as the node told it; NULL: a prefix */
};

/*
 * Calls `each` with every item of `page`, which borrows it; `is_reverse`: the page's own order is
 * the reverse one. ERR_MALFORMED, with a note: it is no page.
 */
MUST_USE err main_listing_each(struct json_object *page, bool is_reverse,
                               void (*each)(void *ctx, const struct listing_item *item), void *ctx,
                               struct err_note *note);
/*
 * The path of the next page, borrowed from `page`; NULL: it is the last one. A path that leads
 * elsewhere, not to `root` ("/kv"), is none.
 */
const char *main_listing_next(struct json_object *page, const char *root);
/* The bytes of `name` or `name_base64` in `row`, appended. ERR_MALFORMED: neither is there. */
MUST_USE err main_listing_bytes(struct json_object *row, const char *name, struct writer *out);

#endif
