/*
 * The strict reading of one line: what a request line, a field line and a chunk-size line may look
 * like. It stands in front of the parser library, which is known to be loose about where lines end.
 *
 * A line here is what stands before its CR LF; that it has one, and is the whole line, is the
 * caller's part. Each function takes time linear in its line, and looks at no byte outside of it.
 */
#ifndef HTTP_HTTP_GUARD_H
#define HTTP_HTTP_GUARD_H

#include "base/buf.h"
#include "base/err.h"

enum http_line {
    HTTP_LINE_WHOLE,   /* a line and its CR LF */
    HTTP_LINE_PART,    /* its end has not come yet */
    HTTP_LINE_LONG,    /* it is longer than `size_max`, ended or not */
    HTTP_LINE_BARE_LF, /* it ends in LF without CR */
};

/*
 * Finds the first line of `bytes`; on HTTP_LINE_WHOLE, *out_line is that line without its CR LF.
 * Gives the same verdict however the same bytes were cut on their way here: a part is only called
 * long once no ending could make it short enough.
 */
enum http_line http_guard_find_line(struct slice bytes, size_t size_max, struct slice *out_line);

/*
 * Checks "METHOD SP TARGET SP HTTP/1.x" to the byte. ERR_BAD_REQUEST, ERR_HTTP_VERSION (0.9 too),
 * ERR_URI_TOO_LONG; *out_detail then says what is wrong, static storage.
 */
MUST_USE err http_guard_request_line(struct slice line, size_t target_size_max,
                                     const char **out_detail);

/*
 * Checks "NAME:VALUE": no fold, no space before the colon, no control characters. ERR_BAD_REQUEST.
 */
MUST_USE err http_guard_field_line(struct slice line, const char **out_detail);

/*
 * Checks "HEX[;EXTENSION]" and fills in the chunk's size and how many bytes the extension takes.
 * ERR_BAD_REQUEST.
 */
MUST_USE err http_guard_chunk_line(struct slice line, uint64_t *out_size,
                                   size_t *out_extension_size, const char **out_detail);

/* True if `byte` may begin a request: the first byte of a method. */
bool http_guard_is_token(uint8_t byte);

/* True if `value` can be the value of Host: nothing, or a name or address with an optional port. */
bool http_guard_is_host(struct slice value);

#endif
