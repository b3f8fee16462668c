#include "api/etag.h"

#include "api/text.h"
#include "base/assert.h"
#include "base/decimal.h"

size_t api_etag_write(char *target, uint64_t revision)
{
    target[0] = '"';
    size_t digits = decimal_write(target + 1, revision);
    target[1 + digits] = '"';
    ASSERT(digits + 2 <= ETAG_SIZE_MAX);
    return digits + 2;
}

bool api_etag_list_has(struct slice list, struct slice etag, enum etag_comparison comparison)
{
    if (slice_equal(list, SLICE_LITERAL("*"))) {
        return true;
    }
    while (list.size > 0) { /* our tags have no comma in them: a split one of others cannot match */
        struct slice tag = api_text_trim(api_text_split(&list, ','));
        if (comparison == ETAG_WEAK && tag.size > 2 && tag.data[0] == 'W' && tag.data[1] == '/') {
            tag = (struct slice){tag.data + 2, tag.size - 2};
        }
        if (slice_equal(tag, etag)) {
            return true;
        }
    }
    return false;
}
