/*
 * Memory that goes all at once: what a request needs until it is answered and sent. The first block
 * is part of the owner, so that an ordinary request allocates nothing.
 */
#ifndef HTTP_HTTP_ARENA_H
#define HTTP_HTTP_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_ARENA_INLINE_SIZE 2560u /* a request of ten fields and its answer */

struct http_arena_block;

struct http_arena {
    uint8_t *cursor;
    uint8_t *end;
    struct http_arena_block *blocks; /* from the heap, newest first */
    _Alignas(16) uint8_t first[HTTP_ARENA_INLINE_SIZE];
};

/* Prepares an empty arena. It must not move afterwards. */
void http_arena_init(struct http_arena *arena);
/* Gives everything back. */
void http_arena_deinit(struct http_arena *arena);
/* `size` uninitialised bytes, aligned to 16, that live until http_arena_deinit. */
void *http_arena_alloc(struct http_arena *arena, size_t size) __attribute__((returns_nonnull));

#endif
