/*
 * Encodings of events, so that ten thousand who watch one key share one. Forgets the oldest of a
 * place when another event needs it, and everything when it has grown too large.
 */
#ifndef API_WATCH_CACHE_H
#define API_WATCH_CACHE_H

#include "api/watch_format.h"

#define WATCH_CACHE_PLACES 256u
#define WATCH_CACHE_BYTES_MAX (16u << 20)

struct watch_cache;

/* An empty one. Caller frees. */
struct watch_cache *api_watch_cache_new(void);
void api_watch_cache_free(struct watch_cache *cache); /* NULL: no-op */

/* The change as api_watch_format_change has it. Caller unrefs. */
struct buf *api_watch_cache_change(struct watch_cache *cache, struct watch_style style,
                                   const struct history_entry *entry, bool is_last);
/* Nobody watches any more. */
void api_watch_cache_clear(struct watch_cache *cache);
/* How many events were encoded. */
uint64_t api_watch_cache_encoded(const struct watch_cache *cache);

#endif
