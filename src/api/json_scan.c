#include "api/json_scan.h"

#include <json-c/json_tokener.h>

#include "base/assert.h"

#define SURROGATE_HIGH 0xd800u
#define SURROGATE_LOW 0xdc00u
#define SURROGATE_END 0xe000u

/* Where a scan is. */
struct scan {
    const uint8_t *at;
    const uint8_t *end;
    struct json_bounds bounds;
    uint32_t depth;
    uint32_t parts;
    const char *why; /* NULL: nothing is wrong */
};

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* What stands between values. */
static bool is_structure(uint8_t byte)
{
    return byte == ',' || byte == ':' || byte == '[' || byte == ']' || byte == '{' || byte == '}';
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

void api_json_skip(struct slice *rest)
{
    while (rest->size > 0 && is_space(rest->data[0])) {
        rest->data++;
        rest->size--;
    }
}

bool api_json_take(struct slice *rest, uint8_t wanted)
{
    api_json_skip(rest);
    if (rest->size == 0 || rest->data[0] != wanted) {
        return false;
    }
    rest->data++;
    rest->size--;
    return true;
}

static bool fail(struct scan *scan, const char *why)
{
    scan->why = why;
    return false;
}

static size_t left(const struct scan *scan)
{
    return (size_t)(scan->end - scan->at);
}

/* ---- strings ---- */

/* The number of four hex digits, or UINT32_MAX. */
static uint32_t hex4(const uint8_t *digits)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t byte = digits[i];
        uint8_t letter = byte | 0x20u;
        bool is_letter = letter >= 'a' && letter <= 'f';
        if (!is_letter && !is_digit(byte)) {
            return UINT32_MAX;
        }
        value = value << 4 | (uint32_t)(is_letter ? letter - 'a' + 10 : byte - '0');
    }
    return value;
}

static bool is_surrogate(uint32_t unit)
{
    return unit >= SURROGATE_HIGH && unit < SURROGATE_END;
}

/* Behind "\u". */
static bool scan_unicode(struct scan *scan, bool *out_is_nul)
{
    uint32_t unit = left(scan) >= 4 ? hex4(scan->at) : UINT32_MAX;
    if (unit == UINT32_MAX) {
        return fail(scan, "four hex digits have to follow every \\u");
    }
    scan->at += 4;
    *out_is_nul = *out_is_nul || unit == 0;
    if (!is_surrogate(unit)) {
        return true;
    }
    uint32_t second = 0;
    if (left(scan) >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u') {
        second = hex4(scan->at + 2);
    }
    if (unit >= SURROGATE_LOW || second < SURROGATE_LOW || second >= SURROGATE_END) {
        return fail(scan, "half of a surrogate pair is no character");
    }
    scan->at += 6;
    return true;
}

/* Behind the opening quote. A name is followed by a colon. */
static bool scan_string(struct scan *scan)
{
    bool has_nul = false;
    while (scan->at < scan->end && *scan->at != '"') {
        bool is_escape = *scan->at == '\\';
        if (*scan->at < ' ') {
            return fail(scan, "a control character in a string is written as an escape, such as "
                              "\\n or \\u0001");
        }
        scan->at++;
        if (!is_escape) {
            continue;
        }
        if (scan->at == scan->end) {
            break;
        }
        bool is_unicode = *scan->at == 'u';
        scan->at++;
        if (is_unicode && !scan_unicode(scan, &has_nul)) {
            return false;
        }
    }
    if (scan->at == scan->end) {
        return fail(scan, "a string has no end");
    }
    scan->at++;
    const uint8_t *next = scan->at;
    while (next < scan->end && is_space(*next)) {
        next++;
    }
    bool is_name = next < scan->end && *next == ':';
    return !(is_name && has_nul) || fail(scan, "the name of a member has a NUL in it");
}

/* ---- numbers and words ---- */

static size_t count_digits(struct slice text)
{
    size_t count = 0;
    while (count < text.size && is_digit(text.data[count])) {
        count++;
    }
    return count;
}

static struct slice behind(struct slice text, size_t size)
{
    return (struct slice){text.data + size, text.size - size};
}

/* Whether a whole number is one of int64 or uint64: json-c makes the nearest of it. */
static bool fits(struct slice digits, bool is_negative)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digits.data[i] - '0'), &value)) {
            return false;
        }
    }
    return !is_negative || value <= UINT64_C(1) << 63;
}

/* RFC 8259, section 6. */
static const char *check_number(struct slice text)
{
    static const char malformed[] = "a number is not one of JSON's";
    bool is_negative = text.data[0] == '-';
    struct slice rest = behind(text, is_negative);
    size_t whole = count_digits(rest);
    struct slice digits = {rest.data, whole};
    if (whole == 0 || (whole > 1 && rest.data[0] == '0')) {
        return malformed;
    }
    rest = behind(rest, whole);
    bool is_whole = rest.size == 0;
    if (rest.size > 0 && rest.data[0] == '.') {
        rest = behind(rest, 1);
        size_t fraction = count_digits(rest);
        if (fraction == 0) {
            return malformed;
        }
        rest = behind(rest, fraction);
    }
    if (rest.size > 0 && (rest.data[0] | 0x20u) == 'e') {
        bool has_sign = rest.size > 1 && (rest.data[1] == '+' || rest.data[1] == '-');
        rest = behind(rest, 1 + has_sign);
        size_t exponent = count_digits(rest);
        if (exponent == 0) {
            return malformed;
        }
        rest = behind(rest, exponent);
    }
    if (rest.size > 0) {
        return malformed;
    }
    return is_whole && !fits(digits, is_negative) ? "a whole number has more than 64 bits" : NULL;
}

static bool scan_plain(struct scan *scan)
{
    const uint8_t *begin = scan->at;
    while (scan->at < scan->end && !is_space(*scan->at) && *scan->at != '"' &&
           !is_structure(*scan->at)) {
        scan->at++;
    }
    struct slice text = {begin, (size_t)(scan->at - begin)};
    if (text.size == 0) {
        return fail(scan, "a value is missing");
    }
    if (slice_equal(text, SLICE_LITERAL("true")) || slice_equal(text, SLICE_LITERAL("false")) ||
        slice_equal(text, SLICE_LITERAL("null"))) {
        return true;
    }
    if (text.data[0] != '-' && !is_digit(text.data[0])) {
        return fail(scan, "there is something that is no value");
    }
    const char *why = check_number(text);
    return why == NULL || fail(scan, why);
}

/* ---- a value ---- */

/* One byte of structure; what is wrong with their order json-c finds. */
static bool scan_structure(struct scan *scan)
{
    uint8_t byte = *scan->at++;
    if (byte == '{' || byte == '[') {
        scan->depth++;
        scan->parts++;
    } else if (byte == '}' || byte == ']') {
        scan->depth--;
    } else {
        scan->parts += byte == ',' ? 1 : 0;
    }
    return scan->depth <= scan->bounds.depth && scan->parts <= scan->bounds.parts;
}

/* The next string, plain value or byte of structure. */
static bool scan_next(struct scan *scan)
{
    while (scan->depth > 0 && scan->at < scan->end && is_space(*scan->at)) {
        scan->at++;
    }
    if (scan->at == scan->end) {
        return fail(scan, scan->depth > 0 ? "an array or object has no end" : "a value is missing");
    }
    if (*scan->at == '"') {
        scan->at++;
        return scan_string(scan);
    }
    bool begins = *scan->at == '{' || *scan->at == '[';
    return begins || (scan->depth > 0 && is_structure(*scan->at)) ? scan_structure(scan)
                                                                  : scan_plain(scan);
}

err api_json_next(struct slice *rest, struct json_bounds bounds, struct slice *out_value,
                  const char **out_why)
{
    api_json_skip(rest);
    struct scan scan = {.at = rest->data, .end = rest->data + rest->size, .bounds = bounds};
    do {
        if (!scan_next(&scan)) {
            bool is_bound = scan.why == NULL;
            const char *bound = scan.depth > bounds.depth ? "arrays and objects are nested too deep"
                                                          : "it has too many parts";
            *out_why = is_bound ? bound : scan.why;
            return is_bound ? ERR_TOO_LARGE : ERR_BAD_REQUEST;
        }
    } while (scan.depth > 0);
    *out_value = (struct slice){rest->data, (size_t)(scan.at - rest->data)};
    *rest = (struct slice){scan.at, left(&scan)};
    return OK;
}

err api_json_parse(struct slice text, uint32_t depth, struct json_object **out_value,
                   const char **out_why)
{
    ASSERT(text.size <= INT32_MAX);
    /* One more for the value itself, and one that json-c never reaches. */
    struct json_tokener *tokener = json_tokener_new_ex((int)depth + 2);
    ASSERT(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value =
        json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.size);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) { /* a number goes on until something else comes */
        value = json_tokener_parse_ex(tokener, " ", 1);
        error = json_tokener_get_error(tokener);
    } else if (error == json_tokener_success && json_tokener_get_parse_end(tokener) != text.size) {
        error = json_tokener_error_parse_unexpected;
    }
    json_tokener_free(tokener);
    if (error != json_tokener_success) {
        (void)json_object_put(value);
        *out_why = json_tokener_error_desc(error);
        return ERR_BAD_REQUEST;
    }
    *out_value = value;
    return OK;
}

struct slice api_json_text(struct json_object *string)
{
    ASSERT(json_object_is_type(string, json_type_string));
    return (struct slice){(const uint8_t *)json_object_get_string(string),
                          (size_t)json_object_get_string_len(string)};
}
