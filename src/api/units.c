#include "api/units.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/compiler.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Each from the largest to the smallest; the smallest has factor 1. */
static const struct unit duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {{"TiB", UINT64_C(1) << 40},
                                         {"GiB", UINT64_C(1) << 30},
                                         {"MiB", UINT64_C(1) << 20},
                                         {"KiB", UINT64_C(1) << 10},
                                         {"", 1}};

err api_units_parse_u64(struct slice text, uint64_t *out_value)
{
    uint64_t value = 0;
    if (text.size == 0) {
        return ERR_BAD_REQUEST;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t digit = text.data[i];
        if (digit < '0' || digit > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digit - '0'), &value)) {
            return ERR_BAD_REQUEST;
        }
    }
    *out_value = value;
    return OK;
}

err api_units_parse_i64(struct slice text, int64_t *out_value)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    struct slice digits = is_negative ? (struct slice){text.data + 1, text.size - 1} : text;
    uint64_t size;
    if (api_units_parse_u64(digits, &size) != OK ||
        size > (uint64_t)INT64_MAX + (is_negative ? 1 : 0)) {
        return ERR_BAD_REQUEST;
    }
    *out_value = (int64_t)(is_negative ? 0 - size : size);
    return OK;
}

static err parse_with_unit(struct slice text, const struct unit *units, size_t unit_count,
                           uint64_t *out_value)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    uint64_t value;
    if (api_units_parse_u64((struct slice){text.data, digits}, &value) != OK) {
        return ERR_BAD_REQUEST;
    }
    struct slice suffix = {text.data + digits, text.size - digits};
    for (size_t i = 0; i < unit_count; i++) {
        if (slice_equal(suffix, slice_from_text(units[i].name))) {
            bool overflows = __builtin_mul_overflow(value, units[i].factor, out_value);
            return overflows ? ERR_BAD_REQUEST : OK;
        }
    }
    return ERR_BAD_REQUEST;
}

err api_units_parse_duration(struct slice text, uint64_t *out_ms)
{
    return parse_with_unit(text, duration_units, ARRAY_COUNT(duration_units), out_ms);
}

err api_units_parse_size(struct slice text, uint64_t *out_bytes)
{
    return parse_with_unit(text, size_units, ARRAY_COUNT(size_units), out_bytes);
}

/* In the largest unit that divides `value`. */
static void format_with_unit(uint64_t value, const struct unit *units, char *target)
{
    while (units->factor > 1 && (value == 0 || value % units->factor != 0)) {
        units++;
    }
    (void)snprintf(target, UNITS_TEXT_SIZE, "%" PRIu64 "%s", value / units->factor, units->name);
}

void api_units_format_duration(uint64_t ms, char target[UNITS_TEXT_SIZE])
{
    format_with_unit(ms, duration_units, target);
}

void api_units_format_size(uint64_t bytes, char target[UNITS_TEXT_SIZE])
{
    format_with_unit(bytes, size_units, target);
}
