/*
 * Content codings (RFC 9110, section 8.4), with zlib: gzip on the way out, gzip and deflate on the
 * way in. Values are stored as they are; a coding is of one message.
 */
#ifndef API_ENCODING_H
#define API_ENCODING_H

#include "base/buf.h"
#include "base/codec.h"
#include "base/err.h"

#define ENCODING_GZIP_BYTES_MIN 1024u /* below, a coding saves nothing worth its time */
/*
 * Above, a value is sent as it is. Compressing takes the loop's one thread 10 ms a MiB of JSON, and
 * up to 34 of noise: more at once would be felt by everybody else.
 */
#define ENCODING_GZIP_BYTES_MAX (256u << 10)

enum encoding {
    ENCODING_IDENTITY,
    ENCODING_GZIP,
    ENCODING_DEFLATE, /* that of zlib (RFC 1950), as RFC 9110 means it */
    ENCODING_UNKNOWN,
};

/* Of a Content-Encoding; an empty one is IDENTITY. Several codings are UNKNOWN. */
enum encoding api_encoding_of(struct slice content_encoding);
/* Whether bodies of this media type usually shrink: text, JSON, XML and the like. */
bool api_encoding_is_compressible(struct slice content_type);

enum encoding_choice {
    ENCODING_CHOICE_PLAIN, /* gzip is not asked for, or less than the value as it is */
    ENCODING_CHOICE_GZIP,  /* where it is worth it */
    ENCODING_CHOICE_FORCED /* gzip alone will do: identity;q=0 */
};

/* What Accept-Encoding asks for. */
enum encoding_choice api_encoding_choose(struct slice accept_encoding);
/* The bytes as gzip, the same each time. Caller unrefs. */
struct buf *api_encoding_gzip(struct slice bytes);
/*
 * Appends what `bytes`, in GZIP or DEFLATE, decode to, and never more than `size_max` bytes of it:
 * ERR_TOO_LARGE. ERR_MALFORMED: they are damaged, cut, or something follows. `out` is then half
 * filled.
 */
MUST_USE err api_encoding_decode(enum encoding encoding, struct slice bytes, size_t size_max,
                                 struct writer *out);

#endif
