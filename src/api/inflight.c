#include "api/inflight.h"

#include "base/assert.h"
#include "base/hash.h"

void api_inflight_init(struct inflight *inflight, uint64_t seed)
{
    inflight->seed = seed;
    inflight->count = 0;
    for (size_t i = 0; i < INFLIGHT_BUCKETS; i++) {
        list_init(&inflight->buckets[i]);
    }
}

bool api_inflight_begin(struct inflight *inflight, struct inflight_entry *entry, struct slice key)
{
    ASSERT(entry->key.data == NULL);
    ASSERT(key.size > 0);
    struct list *bucket = &inflight->buckets[hash64(key, inflight->seed) % INFLIGHT_BUCKETS];
    LIST_FOREACH (link, bucket) {
        if (slice_equal(CONTAINER_OF(link, struct inflight_entry, link)->key, key)) {
            return false;
        }
    }
    entry->key = key;
    list_push_back(bucket, &entry->link);
    inflight->count++;
    return true;
}

void api_inflight_end(struct inflight *inflight, struct inflight_entry *entry)
{
    if (entry->key.data == NULL) {
        return;
    }
    ASSERT(inflight->count > 0);
    list_remove(&entry->link);
    entry->key = SLICE_EMPTY;
    inflight->count--;
}
