#include "api/range.h"

#include <string.h>

#include "api/text.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/decimal.h"

/* Digits; more than fit are as good as the largest number. False: it is none. */
static bool take_number(struct slice text, uint64_t *out_value)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    if (text.size > 0 && api_units_parse_u64(text, out_value) != OK) {
        *out_value = UINT64_MAX;
    }
    return text.size > 0;
}

/* "-500": the last 500. */
static enum range_verdict take_suffix(struct slice text, uint64_t size, struct range *out_range)
{
    uint64_t wanted;
    if (!take_number(text, &wanted)) {
        return RANGE_IGNORED;
    }
    if (wanted == 0) {
        return RANGE_UNSATISFIABLE;
    }
    if (size == 0) {
        return RANGE_IGNORED; /* all of it, which no Content-Range can say */
    }
    uint64_t taken = wanted < size ? wanted : size;
    *out_range = (struct range){size - taken, taken};
    return RANGE_PART;
}

enum range_verdict api_range_parse(struct slice text, uint64_t size, struct range *out_range)
{
    struct slice unit = api_text_trim(api_text_split(&text, '='));
    text = api_text_trim(text);
    if (!api_text_equals_nocase(unit, "bytes") || text.size == 0 ||
        memchr(text.data, ',', text.size) != NULL || memchr(text.data, '-', text.size) == NULL) {
        return RANGE_IGNORED;
    }
    struct slice first_text = api_text_split(&text, '-');
    if (first_text.size == 0) {
        return take_suffix(text, size, out_range);
    }
    uint64_t first;
    uint64_t last = UINT64_MAX;
    if (!take_number(first_text, &first) || (text.size > 0 && !take_number(text, &last)) ||
        last < first) {
        return RANGE_IGNORED;
    }
    if (first >= size) {
        return RANGE_UNSATISFIABLE;
    }
    last = last < size ? last : size - 1;
    *out_range = (struct range){first, last - first + 1};
    return RANGE_PART;
}

size_t api_range_write(char *target, const struct range *range, uint64_t size)
{
    static const char unit[] = "bytes ";
    char *cursor = target;
    memcpy(cursor, unit, sizeof(unit) - 1);
    cursor += sizeof(unit) - 1;
    if (range == NULL) {
        *cursor++ = '*';
    } else {
        ASSERT(range->size > 0);
        ASSERT(range->first + range->size <= size);
        cursor += decimal_write(cursor, range->first);
        *cursor++ = '-';
        cursor += decimal_write(cursor, range->first + range->size - 1);
    }
    *cursor++ = '/';
    cursor += decimal_write(cursor, size);
    ASSERT((size_t)(cursor - target) <= RANGE_CONTENT_SIZE_MAX);
    return (size_t)(cursor - target);
}
