#include "api/accept.h"

#include <string.h>

#include "api/text.h"
#include "base/assert.h"

/* How narrowly an entry covers an offer. */
enum precision {
    PRECISION_NONE,
    PRECISION_ALL,  /* an asterisk for both parts, or alone */
    PRECISION_TYPE, /* an asterisk for the second part */
    PRECISION_NAME,
};

struct opinion {
    unsigned quality;
    enum precision precision;
};

/* As api_text_split, but a separator within a quoted string is none. */
static struct slice split_quoted(struct slice *rest, uint8_t separator)
{
    struct slice part = *rest;
    bool is_quoted = false;
    for (size_t i = 0; i < part.size; i++) {
        uint8_t c = part.data[i];
        if (is_quoted && c == '\\') {
            i++; /* whatever it is, it is a part of the string */
        } else if (c == '"') {
            is_quoted = !is_quoted;
        } else if (!is_quoted && c == separator) {
            rest->data += i + 1;
            rest->size -= i + 1;
            part.size = i;
            return part;
        }
    }
    *rest = SLICE_EMPTY;
    return part;
}

/* "0.85": at most three digits, at most 1. */
static bool parse_quality(struct slice text, unsigned *out_quality)
{
    if (text.size == 0 || text.size > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.size > 1 && text.data[1] != '.')) {
        return false;
    }
    unsigned quality = (unsigned)(text.data[0] - '0') * ACCEPT_QUALITY_MAX;
    unsigned unit = ACCEPT_QUALITY_MAX / 10;
    for (size_t i = 2; i < text.size; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        quality += (unsigned)(text.data[i] - '0') * unit;
    }
    *out_quality = quality;
    return quality <= ACCEPT_QUALITY_MAX;
}

/* The q among an entry's parameters; false: it is malformed. */
static bool find_quality(struct slice parameters, unsigned *out_quality)
{
    *out_quality = ACCEPT_QUALITY_MAX;
    while (parameters.size > 0) {
        struct slice parameter = api_text_trim(split_quoted(&parameters, ';'));
        if (api_text_begins_nocase(parameter, "q=")) {
            return parse_quality((struct slice){parameter.data + 2, parameter.size - 2},
                                 out_quality);
        }
    }
    return true;
}

static enum precision compare(struct slice range, struct slice offer)
{
    if (slice_equal_nocase(range, offer)) {
        return PRECISION_NAME;
    }
    if (slice_equal(range, SLICE_LITERAL("*")) || slice_equal(range, SLICE_LITERAL("*/*"))) {
        return PRECISION_ALL;
    }
    bool is_type = range.size >= 3 && range.data[range.size - 2] == '/' &&
                   range.data[range.size - 1] == '*' && offer.size >= range.size;
    if (is_type && slice_equal_nocase((struct slice){range.data, range.size - 1},
                                      (struct slice){offer.data, range.size - 1})) {
        return PRECISION_TYPE;
    }
    return PRECISION_NONE;
}

static struct opinion opinion_of(struct slice field, struct slice offer)
{
    struct opinion opinion = {0, PRECISION_NONE};
    while (field.size > 0) {
        struct slice parameters = split_quoted(&field, ',');
        struct slice range = api_text_trim(split_quoted(&parameters, ';'));
        enum precision precision = compare(range, offer);
        unsigned quality;
        if (precision > opinion.precision && find_quality(parameters, &quality)) {
            opinion = (struct opinion){quality, precision};
        }
    }
    return opinion;
}

unsigned api_accept_quality(struct slice field, const char *offer)
{
    return opinion_of(field, slice_from_text(offer)).quality;
}

bool api_accept_refuses(struct slice field, const char *offer)
{
    struct opinion opinion = opinion_of(field, slice_from_text(offer));
    return opinion.precision != PRECISION_NONE && opinion.quality == 0;
}

size_t api_accept_choose(struct slice field, const char *const *offers, size_t count)
{
    ASSERT(count > 0);
    if (api_text_trim(field).size == 0) {
        return 0;
    }
    size_t best = count;
    struct opinion most = {0, PRECISION_NONE};
    for (size_t i = 0; i < count; i++) {
        struct opinion opinion = opinion_of(field, slice_from_text(offers[i]));
        if (opinion.quality > most.quality ||
            (opinion.quality == most.quality && opinion.quality > 0 &&
             opinion.precision > most.precision)) {
            most = opinion;
            best = i;
        }
    }
    return best;
}
