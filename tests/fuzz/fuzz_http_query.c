/* links: http */
/*
 * A query: its parameters lie within the memory they were given, one after the other, and take no
 * more than the query itself; and to decode once is to decode once.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "fuzz.h"
#include "http/http_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *memory = mem_alloc(size);
    const uint8_t *end = memory;
    struct http_query query = http_query_of((struct slice){data, size}, memory);
    struct http_parameter parameter;
    size_t count = 0;
    while (http_query_next(&query, &parameter)) {
        count++;
        ASSERT(parameter.name.size == 0 || parameter.name.data == end);
        end += parameter.name.size;
        ASSERT(parameter.value.size == 0 || parameter.value.data == end);
        end += parameter.value.size;
        ASSERT(parameter.has_value || parameter.value.size == 0);
        ASSERT((size_t)(end - memory) <= size);
    }
    ASSERT(count <= size / 2 + 1);
    ASSERT(!http_query_next(&query, &parameter));
    ASSERT(http_query_finish(&query) == OK || http_query_finish(&query) == ERR_BAD_REQUEST);
    mem_free(memory);
    return 0;
}
