#include "http/http_guard.h"

#include <string.h>

#include "base/assert.h"
#include "http/http_percent.h"

#define CHUNK_DIGITS_MAX 16u /* 64 bits: more digits would overflow, zeros in front included */

/* Sets of ASCII characters, one bit each. */
static const uint64_t token_set[2] = {
    UINT64_C(0x03ff6cfa00000000), /* ! # $ % & ' * + - . 0-9 */
    UINT64_C(0x57ffffffc7fffffe), /* A-Z ^ _ ` a-z | ~ */
};
static const uint64_t host_set[2] = {
    UINT64_C(0x2fff7ff200000000), /* ! $ % & ' ( ) * + , - . 0-9 : ; = */
    UINT64_C(0x47fffffeaffffffe), /* A-Z [ ] _ a-z ~ */
};

static bool is_in(const uint64_t set[2], uint8_t byte)
{
    return byte < 128 && ((set[byte >> 6] >> (byte & 63)) & 1) != 0;
}

/*
 * What a URI may hold, and what people type without escaping it; but nothing that ends or splits
 * it.
 */
static bool is_target(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != '#';
}

/* Field values and chunk extensions: text, and bytes above ASCII, which mean nothing to us. */
static bool is_value(uint8_t byte)
{
    return (byte >= ' ' && byte != 0x7f) || byte == '\t';
}

static bool is_text(struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (!is_value(bytes.data[i])) {
            return false;
        }
    }
    return true;
}

bool http_guard_is_token(uint8_t byte)
{
    return is_in(token_set, byte);
}

bool http_guard_is_host(struct slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        if (!is_in(host_set, value.data[i])) {
            return false;
        }
    }
    return true;
}

enum http_line http_guard_find_line(struct slice bytes, size_t size_max, struct slice *out_line)
{
    ASSERT(size_max <= SIZE_MAX - 2);
    size_t window = bytes.size < size_max + 2 ? bytes.size : size_max + 2;
    const uint8_t *end = window > 0 ? memchr(bytes.data, '\n', window) : NULL;
    if (end == NULL) {
        /* A last byte may be the CR, which does not count. */
        return bytes.size > size_max + 1 ? HTTP_LINE_LONG : HTTP_LINE_PART;
    }
    size_t size = (size_t)(end - bytes.data);
    if (size == 0 || end[-1] != '\r') {
        return HTTP_LINE_BARE_LF;
    }
    *out_line = (struct slice){bytes.data, size - 1};
    ASSERT(out_line->size <= size_max);
    return HTTP_LINE_WHOLE;
}

static err refuse(err e, const char **out_detail, const char *detail)
{
    *out_detail = detail;
    return e;
}

/* "HTTP/1.0" or "HTTP/1.1": anything else that looks like a version is one we do not speak. */
static err check_version(struct slice version, const char **out_detail)
{
    bool is_version = version.size == 8 && memcmp(version.data, "HTTP/", 5) == 0 &&
                      version.data[5] >= '0' && version.data[5] <= '9' && version.data[6] == '.' &&
                      version.data[7] >= '0' && version.data[7] <= '9';
    if (!is_version) {
        return refuse(ERR_BAD_REQUEST, out_detail, "the request line does not end in HTTP/1.1");
    }
    if (version.data[5] != '1' || version.data[7] > '1') {
        return refuse(ERR_HTTP_VERSION, out_detail, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    return OK;
}

err http_guard_request_line(struct slice line, size_t target_size_max, const char **out_detail)
{
    size_t method_end = 0;
    while (method_end < line.size && is_in(token_set, line.data[method_end])) {
        method_end++;
    }
    if (method_end == 0 || method_end == line.size || line.data[method_end] != ' ') {
        return refuse(ERR_BAD_REQUEST, out_detail, "the request line has no method and target");
    }
    size_t target_begin = method_end + 1;
    size_t target_end = target_begin;
    while (target_end < line.size && is_target(line.data[target_end])) {
        target_end++;
    }
    if (target_end == target_begin) {
        return refuse(ERR_BAD_REQUEST, out_detail, "the request line has no target");
    }
    if (target_end - target_begin > target_size_max) {
        return refuse(ERR_URI_TOO_LONG, out_detail, "the target is too long");
    }
    if (target_end == line.size) {
        return refuse(ERR_HTTP_VERSION, out_detail, "HTTP/0.9 is not spoken here");
    }
    if (line.data[target_end] != ' ') {
        return refuse(ERR_BAD_REQUEST, out_detail,
                      "the target holds a character that must be percent-encoded");
    }
    struct slice version = {line.data + target_end + 1, line.size - target_end - 1};
    return check_version(version, out_detail);
}

err http_guard_field_line(struct slice line, const char **out_detail)
{
    size_t name_size = 0;
    while (name_size < line.size && is_in(token_set, line.data[name_size])) {
        name_size++;
    }
    uint8_t stop = name_size < line.size ? line.data[name_size] : 0;
    bool is_space = stop == ' ' || stop == '\t';
    if (name_size == 0 && is_space) {
        return refuse(ERR_BAD_REQUEST, out_detail, "a header field is folded over two lines");
    }
    if (is_space) {
        return refuse(ERR_BAD_REQUEST, out_detail,
                      "white space before the colon of a header field");
    }
    if (name_size == 0 || stop != ':') {
        return refuse(ERR_BAD_REQUEST, out_detail, "a header field has no proper name");
    }
    struct slice value = {line.data + name_size + 1, line.size - name_size - 1};
    if (!is_text(value)) {
        return refuse(ERR_BAD_REQUEST, out_detail, "a header field holds a control character");
    }
    return OK;
}

err http_guard_chunk_line(struct slice line, uint64_t *out_size, size_t *out_extension_size,
                          const char **out_detail)
{
    uint64_t size = 0;
    size_t digits = 0;
    while (digits < line.size && http_hex_value(line.data[digits]) < 16) {
        if (digits == CHUNK_DIGITS_MAX) {
            return refuse(ERR_BAD_REQUEST, out_detail, "a chunk size has too many digits");
        }
        size = size << 4 | http_hex_value(line.data[digits]);
        digits++;
    }
    struct slice extension = {line.data + digits, line.size - digits};
    if (digits == 0 || (extension.size > 0 && extension.data[0] != ';') || !is_text(extension)) {
        return refuse(ERR_BAD_REQUEST, out_detail, "a chunk size is malformed");
    }
    *out_size = size;
    *out_extension_size = extension.size;
    return OK;
}
