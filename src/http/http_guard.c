#include "http/http_guard.h"

#include <string.h>

#include "base/assert.h"
#include "http/http_percent.h"

#define CHUNK_DIGITS_MAX 16u /* 64 bits: more digits would overflow, zeros in front included */

#define DEL 0x7f

/* What a byte may be part of: a method or a field's name; the value of Host. */
#define TOKEN 1u
#define HOST 2u
#define BOTH (TOKEN | HOST)

/* clang-format off */
static const uint8_t classes[256] = {
    ['0'] = BOTH, ['1'] = BOTH, ['2'] = BOTH, ['3'] = BOTH, ['4'] = BOTH,
    ['5'] = BOTH, ['6'] = BOTH, ['7'] = BOTH, ['8'] = BOTH, ['9'] = BOTH,

    ['A'] = BOTH, ['B'] = BOTH, ['C'] = BOTH, ['D'] = BOTH, ['E'] = BOTH, ['F'] = BOTH,
    ['G'] = BOTH, ['H'] = BOTH, ['I'] = BOTH, ['J'] = BOTH, ['K'] = BOTH, ['L'] = BOTH,
    ['M'] = BOTH, ['N'] = BOTH, ['O'] = BOTH, ['P'] = BOTH, ['Q'] = BOTH, ['R'] = BOTH,
    ['S'] = BOTH, ['T'] = BOTH, ['U'] = BOTH, ['V'] = BOTH, ['W'] = BOTH, ['X'] = BOTH,
    ['Y'] = BOTH, ['Z'] = BOTH,

    ['a'] = BOTH, ['b'] = BOTH, ['c'] = BOTH, ['d'] = BOTH, ['e'] = BOTH, ['f'] = BOTH,
    ['g'] = BOTH, ['h'] = BOTH, ['i'] = BOTH, ['j'] = BOTH, ['k'] = BOTH, ['l'] = BOTH,
    ['m'] = BOTH, ['n'] = BOTH, ['o'] = BOTH, ['p'] = BOTH, ['q'] = BOTH, ['r'] = BOTH,
    ['s'] = BOTH, ['t'] = BOTH, ['u'] = BOTH, ['v'] = BOTH, ['w'] = BOTH, ['x'] = BOTH,
    ['y'] = BOTH, ['z'] = BOTH,

    ['!'] = BOTH, ['$'] = BOTH, ['%'] = BOTH, ['&'] = BOTH, ['\''] = BOTH, ['*'] = BOTH,
    ['+'] = BOTH, ['-'] = BOTH, ['.'] = BOTH, ['_'] = BOTH, ['~'] = BOTH,

    ['#'] = TOKEN, ['^'] = TOKEN, ['`'] = TOKEN, ['|'] = TOKEN,

    ['('] = HOST, [')'] = HOST, [','] = HOST, [':'] = HOST, [';'] = HOST, ['='] = HOST,
    ['['] = HOST, [']'] = HOST,
};
/* clang-format on */

static bool is_token(uint8_t byte)
{
    return (classes[byte] & TOKEN) != 0;
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
    return (byte >= ' ' && byte != DEL) || byte == '\t';
}

/* Whether one of eight bytes is below ' ' or DEL: none that is_value refuses is missed. */
static bool has_control(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t below_space = word - ones * ' ';
    uint64_t equal_del = (word ^ ones * DEL) - ones;
    return ((below_space | equal_del) & ~word & ones * 0x80) != 0;
}

static bool is_text(struct slice bytes)
{
    const size_t step = sizeof(uint64_t);
    bool is_suspect = bytes.size < step;
    for (size_t i = 0; i + step < bytes.size && !is_suspect; i += step) {
        is_suspect = has_control(bytes.data + i);
    }
    /* The last step ends where the text does, and may look at bytes again. */
    if (!is_suspect && !has_control(bytes.data + bytes.size - step)) {
        return true;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if (!is_value(bytes.data[i])) {
            return false;
        }
    }
    return true;
}

bool http_guard_is_token(uint8_t byte)
{
    return is_token(byte);
}

bool http_guard_is_host(struct slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        if ((classes[value.data[i]] & HOST) == 0) {
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
    while (method_end < line.size && is_token(line.data[method_end])) {
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
    while (name_size < line.size && is_token(line.data[name_size])) {
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
