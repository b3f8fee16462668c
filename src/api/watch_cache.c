#include "api/watch_cache.h"

#include "base/mem.h"

/* One event in one form: its place follows from its number and the form. */
struct place {
    uint64_t number; /* 0: none is there */
    struct watch_style style;
    bool is_last;
    struct buf *bytes;
};

struct watch_cache {
    struct writer scratch;
    uint64_t bytes;
    uint64_t encoded;
    struct place places[WATCH_CACHE_PLACES];
};

struct watch_cache *api_watch_cache_new(void)
{
    return mem_calloc(1, sizeof(struct watch_cache));
}

static void empty(struct watch_cache *cache, struct place *place)
{
    if (place->bytes != NULL) {
        cache->bytes -= place->bytes->size;
        buf_drop(&place->bytes);
        place->number = 0;
    }
}

void api_watch_cache_clear(struct watch_cache *cache)
{
    for (uint32_t i = 0; i < WATCH_CACHE_PLACES; i++) {
        empty(cache, &cache->places[i]);
    }
    writer_deinit(&cache->scratch);
}

void api_watch_cache_free(struct watch_cache *cache)
{
    if (cache != NULL) {
        api_watch_cache_clear(cache);
        mem_free(cache);
    }
}

static struct place *place_of(struct watch_cache *cache, struct watch_style style, uint64_t number)
{
    uint64_t form = (style.form == WATCH_FORM_NDJSON ? 1u : 0u) + (style.has_prev ? 2u : 0u);
    return &cache->places[(number * 4 + form) % WATCH_CACHE_PLACES];
}

struct buf *api_watch_cache_change(struct watch_cache *cache, struct watch_style style,
                                   const struct history_entry *entry, bool is_last)
{
    struct place *place = place_of(cache, style, entry->number);
    bool is_there = place->bytes != NULL && place->number == entry->number &&
                    place->style.form == style.form && place->style.has_prev == style.has_prev &&
                    place->is_last == is_last;
    if (is_there) {
        return buf_ref(place->bytes);
    }
    writer_reset(&cache->scratch);
    api_watch_format_change(&cache->scratch, style, entry, is_last);
    cache->encoded++;
    empty(cache, place);
    if (cache->bytes + cache->scratch.size > WATCH_CACHE_BYTES_MAX) {
        struct buf *bytes = writer_to_buf(&cache->scratch);
        api_watch_cache_clear(cache);
        *place = (struct place){entry->number, style, is_last, bytes};
    } else {
        *place = (struct place){entry->number, style, is_last, writer_to_buf(&cache->scratch)};
    }
    cache->bytes += place->bytes->size;
    return buf_ref(place->bytes);
}

uint64_t api_watch_cache_encoded(const struct watch_cache *cache)
{
    return cache->encoded;
}
