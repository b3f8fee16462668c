#include "api/etag.h"

#include "api/text.h"
#include "base/assert.h"
#include "base/decimal.h"

#define GZIP_SUFFIX "-gzip\""
#define GZIP_SUFFIX_SIZE (sizeof(GZIP_SUFFIX) - 1)

size_t api_etag_write(char *target, uint64_t revision)
{
    target[0] = '"';
    size_t digits = decimal_write(target + 1, revision);
    target[1 + digits] = '"';
    ASSERT(digits + 2 <= ETAG_SIZE_MAX);
    return digits + 2;
}

size_t api_etag_write_gzip(char *target, uint64_t revision)
{
    size_t quote = api_etag_write(target, revision) - 1;
    ASSERT(quote + GZIP_SUFFIX_SIZE <= ETAG_SIZE_MAX);
    memcpy(target + quote, GZIP_SUFFIX, GZIP_SUFFIX_SIZE);
    return quote + GZIP_SUFFIX_SIZE;
}

/* Takes the next tag off a list; without its W/ if that does not matter. */
static struct slice take(struct slice *list, enum etag_comparison comparison)
{
    /* Our tags have no comma in them: a split one of others cannot match. */
    struct slice tag = api_text_trim(api_text_split(list, ','));
    if (comparison == ETAG_WEAK && tag.size > 2 && tag.data[0] == 'W' && tag.data[1] == '/') {
        tag = (struct slice){tag.data + 2, tag.size - 2};
    }
    return tag;
}

/* What stands before "-gzip" and the closing quote, or before that quote alone. */
static struct slice stem_of(struct slice tag)
{
    const struct slice gzip = SLICE_INIT(GZIP_SUFFIX);
    size_t rest = tag.size > gzip.size ? tag.size - gzip.size : 0;
    if (rest > 0 && slice_equal((struct slice){tag.data + rest, gzip.size}, gzip)) {
        return (struct slice){tag.data, rest};
    }
    bool is_closed = tag.size > 1 && tag.data[tag.size - 1] == '"';
    return is_closed ? (struct slice){tag.data, tag.size - 1} : SLICE_EMPTY;
}

bool api_etag_list_has(struct slice list, struct slice etag, enum etag_comparison comparison)
{
    if (slice_equal(list, SLICE_LITERAL("*"))) {
        return true;
    }
    struct slice stem = stem_of(etag);
    ASSERT(stem.size > 0);
    while (list.size > 0) {
        if (slice_equal(stem_of(take(&list, comparison)), stem)) {
            return true;
        }
    }
    return false;
}
