/*
 * Small texts of HTTP and JSON: numbers, lists, base64, UTF-8. Nothing here allocates but what
 * appends to a writer, and nothing depends on the locale.
 */
#ifndef API_TEXT_H
#define API_TEXT_H

#include <string.h>

#include "base/buf.h"
#include "base/codec.h"

/* For printf's "%.*s". */
#define SLICE_ARGS(slice) (int)(slice).size, (const char *)(slice).data

#define TEXT_HEX64_SIZE 16u

/* Writes `value` as TEXT_HEX64_SIZE lower-case hex digits, without a NUL. */
void api_text_hex64(char *target, uint64_t value);

/* Whether `text` begins with `prefix` (NUL-terminated), upper and lower case being the same. */
bool api_text_begins_nocase(struct slice text, const char *prefix);
/* Whether `text` equals `other` (NUL-terminated), upper and lower case being the same. */
static inline bool api_text_equals_nocase(struct slice text, const char *other)
{
    return text.size == strlen(other) && slice_equal_nocase(text, slice_from_text(other));
}
/*
 * Takes the part before the first `separator` off `rest` and returns it; the whole if there is
 * none.
 */
struct slice api_text_split(struct slice *rest, char separator);
/* Without spaces and tabs at either end. */
struct slice api_text_trim(struct slice text);

/* RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. */
bool api_text_is_utf8(struct slice text);

/* Appends base64 (RFC 4648, section 4, with padding). */
void api_text_base64(struct writer *out, struct slice bytes);
/*
 * Appends the bytes of a base64 text: of the one form that api_text_base64 writes, so without
 * spaces, with padding, and without stray bits. ERR_MALFORMED; `out` is as it was then.
 */
MUST_USE err api_text_base64_decode(struct writer *out, struct slice text);
/* Appends a JSON string, quotes included; a byte that is not UTF-8 becomes U+FFFD. */
void api_text_json(struct writer *out, struct slice text);
/* Appends a member of a JSON object: "NAME":"…", or "NAME_base64":"…" of bytes that are no text. */
void api_text_json_member(struct writer *out, const char *name, struct slice bytes);
/*
 * Appends a line for a terminal: what would steer it (C0, DEL and C1, so line ends, too), or is not
 * UTF-8, becomes U+FFFD.
 */
void api_text_plain(struct writer *out, struct slice text);
/* Appends the same as the text of an HTML element or of a quoted attribute. */
void api_text_html(struct writer *out, struct slice text);

#endif
