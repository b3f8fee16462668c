#include "node/router.h"

#include "base/assert.h"
#include "base/mem.h"

/* How many ranges start at or before `key`. */
static uint32_t ranges_up_to(const struct router *router, struct slice key)
{
    uint32_t low = 0;
    uint32_t high = router->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(buf_slice(router->ranges[middle].start), key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void router_add(struct router *router, struct slice start, struct replica *replica)
{
    ASSERT(replica != NULL);
    uint32_t place = ranges_up_to(router, start);
    router->ranges = mem_realloc(router->ranges, router->count + 1, sizeof(*router->ranges));
    for (uint32_t i = router->count; i > place; i--) {
        router->ranges[i] = router->ranges[i - 1];
    }
    router->ranges[place] = (struct router_range){
        .start = start.size == 0 ? NULL : buf_copy(start),
        .replica = replica,
    };
    router->count++;
}

struct replica *router_find(const struct router *router, struct slice key)
{
    uint32_t count = ranges_up_to(router, key);
    return count == 0 ? NULL : router->ranges[count - 1].replica;
}

void router_deinit(struct router *router)
{
    for (uint32_t i = 0; i < router->count; i++) {
        buf_drop(&router->ranges[i].start);
    }
    mem_free(router->ranges);
    *router = (struct router){0};
}
