/* links: api */
/*
 * An Accept field: what is chosen is one of the offers, liked as much as any, and the choice is the
 * same again; a field with another entry behind it is read as far as it was.
 */
#include "api/accept.h"
#include "base/assert.h"
#include "base/compiler.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const offers[] = {"application/json", "text/plain", "text/html", "gzip"};
    struct slice field = {data, size};
    size_t chosen = api_accept_choose(field, offers, ARRAY_COUNT(offers));
    ASSERT(chosen <= ARRAY_COUNT(offers));
    ASSERT(chosen == api_accept_choose(field, offers, ARRAY_COUNT(offers)));
    unsigned best = 0;
    for (size_t i = 0; i < ARRAY_COUNT(offers); i++) {
        unsigned quality = api_accept_quality(field, offers[i]);
        ASSERT(quality <= ACCEPT_QUALITY_MAX);
        best = quality > best ? quality : best;
    }
    if (chosen < ARRAY_COUNT(offers) && best > 0) {
        ASSERT(api_accept_quality(field, offers[chosen]) == best);
    }
    if (chosen == ARRAY_COUNT(offers)) {
        ASSERT(best == 0);
    }
    return 0;
}
