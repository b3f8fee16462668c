#include "api/precondition.h"

#include "api/etag.h"
#include "base/assert.h"
#include "http/http_date.h"

/* A date's second, if the field is there and has one. */
static bool take_date(const struct http_request *request, const char *name, uint64_t *out_seconds)
{
    struct slice text = http_header(request, name);
    return text.data != NULL && http_date_parse(text, out_seconds);
}

enum precondition api_precondition_of_read(const struct http_request *request,
                                           const struct validators *validators)
{
    uint64_t modified = validators->modified_ms / 1000;
    uint64_t seconds;
    struct slice match = http_header(request, "if-match");
    if (match.data != NULL) {
        if (!api_etag_list_has(match, validators->etag, ETAG_STRONG)) {
            return PRECONDITION_FAILED;
        }
    } else if (take_date(request, "if-unmodified-since", &seconds) && modified > seconds) {
        return PRECONDITION_FAILED;
    }
    struct slice none_match = http_header(request, "if-none-match");
    if (none_match.data != NULL) {
        return api_etag_list_has(none_match, validators->etag, ETAG_WEAK) ? PRECONDITION_UNCHANGED
                                                                          : PRECONDITION_HOLDS;
    }
    bool is_unchanged = take_date(request, "if-modified-since", &seconds) && modified <= seconds;
    return is_unchanged ? PRECONDITION_UNCHANGED : PRECONDITION_HOLDS;
}

bool api_precondition_range(const struct http_request *request, const struct validators *validators)
{
    struct slice text = http_header(request, "if-range");
    ASSERT(validators->etag.size > 0);
    if (text.data == NULL || slice_equal(text, validators->etag)) {
        return true;
    }
    uint64_t seconds;
    return validators->version == 1 && http_date_parse(text, &seconds) &&
           seconds == validators->modified_ms / 1000;
}
