#include "http/http_query.h"

#include <string.h>

#include "base/assert.h"
#include "http/http_percent.h"

struct http_query http_query_of(struct slice query, uint8_t *memory)
{
    ASSERT(memory != NULL || query.size == 0);
    return (struct http_query){.rest = query, .memory = memory};
}

/* Cuts *rest at the first `mark`, which goes; without one all of it is taken. */
static struct slice cut(struct slice *rest, uint8_t mark, bool *out_found)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, mark, rest->size) : NULL;
    *out_found = end != NULL;
    size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    struct slice front = {rest->data, size};
    size_t gone = end != NULL ? size + 1 : size;
    *rest = (struct slice){rest->size > 0 ? rest->data + gone : rest->data, rest->size - gone};
    return front;
}

static struct slice decode(struct http_query *query, struct slice text)
{
    struct slice decoded = SLICE_EMPTY;
    if (http_percent_decode(text, query->memory, &decoded) != OK) {
        query->has_failed = true;
        return SLICE_EMPTY;
    }
    if (decoded.size > 0) {
        query->memory += decoded.size;
    }
    return decoded;
}

bool http_query_next(struct http_query *query, struct http_parameter *out_parameter)
{
    bool found;
    struct slice part = SLICE_EMPTY;
    while (part.size == 0 && query->rest.size > 0) {
        part = cut(&query->rest, '&', &found);
    }
    if (part.size == 0 || query->has_failed) {
        return false;
    }
    struct slice name = cut(&part, '=', &found);
    out_parameter->name = decode(query, name);
    out_parameter->value = decode(query, part);
    out_parameter->has_value = found;
    return !query->has_failed;
}

err http_query_finish(const struct http_query *query)
{
    return query->has_failed ? ERR_BAD_REQUEST : OK;
}
