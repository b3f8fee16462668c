#include "api/text.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"

/* The eight digits of `value`, the first in the lowest byte. */
static uint64_t hex_of(uint32_t value)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t nibbles = __builtin_bswap32(value); /* the first byte lowest, then spread */
    nibbles = (nibbles | nibbles << 16) & UINT64_C(0x0000ffff0000ffff);
    nibbles = (nibbles | nibbles << 8) & UINT64_C(0x00ff00ff00ff00ff);
    nibbles = (nibbles >> 4 | nibbles << 8) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    uint64_t letters = (nibbles + ones * 6) >> 4 & ones; /* where the nibble is above 9 */
    return nibbles + ones * '0' + letters * ('a' - '0' - 10);
}

void api_text_hex64(char *target, uint64_t value)
{
    store_u64((uint8_t *)target, hex_of((uint32_t)(value >> 32)));
    store_u64((uint8_t *)target + 8, hex_of((uint32_t)value));
}

/* ---- comparing and cutting ---- */

bool api_text_begins_nocase(struct slice text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && slice_equal_nocase((struct slice){text.data, size},
                                                   (struct slice){(const uint8_t *)prefix, size});
}

struct slice api_text_split(struct slice *rest, char separator)
{
    const uint8_t *found = rest->size > 0 ? memchr(rest->data, separator, rest->size) : NULL;
    struct slice part = *rest;
    if (found == NULL) {
        *rest = SLICE_EMPTY;
        return part;
    }
    part.size = (size_t)(found - rest->data);
    rest->data = found + 1;
    rest->size -= part.size + 1;
    return part;
}

struct slice api_text_trim(struct slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* ---- encodings ---- */

/* The size of the UTF-8 character at the start of `text`, or 0 if there is none. */
static size_t utf8_size(struct slice text)
{
    ASSERT(text.size > 0);
    uint8_t first = text.data[0];
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (text.size < size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    uint8_t second = text.data[1];
    bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    bool is_surrogate = first == 0xed && second > 0x9f;
    bool is_beyond = first == 0xf4 && second > 0x8f;
    return is_overlong || is_surrogate || is_beyond ? 0 : size;
}

bool api_text_is_utf8(struct slice text)
{
    while (text.size > 0) {
        size_t size = utf8_size(text);
        if (size == 0) {
            return false;
        }
        text.data += size;
        text.size -= size;
    }
    return true;
}

void api_text_base64(struct writer *out, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes.data[i + 2] : 0;
        uint8_t *target = writer_extend(out, 4);
        target[0] = (uint8_t)digits[group >> 18];
        target[1] = (uint8_t)digits[group >> 12 & 63];
        target[2] = left > 1 ? (uint8_t)digits[group >> 6 & 63] : '=';
        target[3] = left > 2 ? (uint8_t)digits[group & 63] : '=';
    }
}

/* The value of a digit of base64, or 64. */
static uint32_t base64_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z') {
        return digit - (uint32_t)'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - (uint32_t)'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - (uint32_t)'0' + 52;
    }
    return digit == '+' ? 62 : digit == '/' ? 63 : 64;
}

err api_text_base64_decode(struct writer *out, struct slice text)
{
    size_t begin = out->size;
    size_t padding = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=') {
        padding++;
    }
    bool is_right = text.size % 4 == 0;
    for (size_t i = 0; i < text.size && is_right; i += 4) {
        size_t digits = i + 4 == text.size ? 4 - padding : 4;
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            uint32_t value = j < digits ? base64_value(text.data[i + j]) : 0;
            is_right = is_right && value < 64;
            group = group << 6 | value;
        }
        const uint8_t bytes[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
        writer_bytes(out, (struct slice){bytes, digits - 1});
        /* What the padding cuts off must be zero: each text stands for other bytes. */
        is_right = is_right && (digits > 3 || bytes[2] == 0) && (digits > 2 || bytes[1] == 0);
    }
    if (!is_right) {
        out->size = begin;
    }
    return is_right ? OK : ERR_MALFORMED;
}

static void write_json_ascii(struct writer *out, uint8_t byte)
{
    if (byte == '"' || byte == '\\') {
        writer_u8(out, '\\');
        writer_u8(out, byte);
    } else if (byte < 0x20 || byte == 0x7f) {
        writer_format(out, "\\u%04x", byte);
    } else {
        writer_u8(out, byte);
    }
}

void api_text_json(struct writer *out, struct slice text)
{
    writer_u8(out, '"');
    while (text.size > 0) {
        size_t size = utf8_size(text);
        if (size == 1) {
            write_json_ascii(out, text.data[0]);
        } else if (size > 1) {
            writer_bytes(out, (struct slice){text.data, size});
        } else {
            writer_bytes(out, SLICE_LITERAL("\\ufffd"));
            size = 1;
        }
        text.data += size;
        text.size -= size;
    }
    writer_u8(out, '"');
}

void api_text_json_member(struct writer *out, const char *name, struct slice bytes)
{
    if (api_text_is_utf8(bytes)) {
        writer_format(out, "\"%s\":", name);
        api_text_json(out, bytes);
    } else {
        writer_format(out, "\"%s_base64\":\"", name);
        api_text_base64(out, bytes);
        writer_u8(out, '"');
    }
}

/* ---- for people ---- */

/* The size of the character at the start of `text` if it may be shown, else 0. */
static size_t shown_size(struct slice text)
{
    size_t size = utf8_size(text);
    bool is_control = (size == 1 && (text.data[0] < 0x20 || text.data[0] == 0x7f)) ||
                      (size == 2 && text.data[0] == 0xc2 && text.data[1] < 0xa0);
    return is_control ? 0 : size;
}

static struct slice html_entity(uint8_t byte)
{
    switch (byte) {
    case '&':
        return SLICE_LITERAL("&amp;");
    case '<':
        return SLICE_LITERAL("&lt;");
    case '>':
        return SLICE_LITERAL("&gt;");
    case '"':
        return SLICE_LITERAL("&quot;");
    case '\'':
        return SLICE_LITERAL("&#39;");
    default:
        return SLICE_EMPTY;
    }
}

static void write_shown(struct writer *out, struct slice text, bool is_html)
{
    while (text.size > 0) {
        size_t size = shown_size(text);
        struct slice shown = {text.data, size};
        if (size == 0) {
            shown = SLICE_LITERAL("\xef\xbf\xbd"); /* U+FFFD */
            size = 1;
        } else if (is_html && html_entity(text.data[0]).size > 0) {
            shown = html_entity(text.data[0]);
        }
        writer_bytes(out, shown);
        text.data += size;
        text.size -= size;
    }
}

void api_text_plain(struct writer *out, struct slice text)
{
    write_shown(out, text, false);
}

void api_text_html(struct writer *out, struct slice text)
{
    write_shown(out, text, true);
}
