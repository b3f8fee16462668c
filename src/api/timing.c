#include "api/timing.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

#define ROW_SIZE_MAX 40u

/* Appends a row; returns the size so far. */
static size_t put(char *text, size_t size, const char *name, uint64_t us)
{
    char *target = text + size;
    int added = snprintf(target, ROW_SIZE_MAX, "%s%s;dur=%" PRIu64 ".%03u", size > 0 ? ", " : "",
                         name, us / 1000, (unsigned)(us % 1000));
    ASSERT(added > 0);
    ASSERT((size_t)added < ROW_SIZE_MAX);
    return size + (size_t)added;
}

void api_timing_add(struct exchange *x, const struct timing_row *rows, size_t row_count)
{
    ASSERT(row_count <= TIMING_ROWS_MAX);
    if (LIKELY(!x->prefer.timing)) {
        return;
    }
    uint64_t now_ns = env_now_ns(x->api->options.env);
    uint64_t started_ns = http_started_ns(x->request);
    char *text = http_alloc(x->request, (row_count + 1) * ROW_SIZE_MAX);
    size_t size = 0;
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].us != 0) {
            size = put(text, size, rows[i].name, rows[i].us);
        }
    }
    size = put(text, size, "total", now_ns > started_ns ? (now_ns - started_ns) / 1000 : 0);
    api_exchange_field(x, "Server-Timing", (struct slice){(const uint8_t *)text, size});
    api_exchange_field(x, "Preference-Applied", SLICE_LITERAL("timing"));
}
