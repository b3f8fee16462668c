/*
 * Memory from the heap. A small allocation that fails ends the process (docs/STYLE.md: no NOMEM
 * paths): what can grow is refused by its limit before it is allocated.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* `size` bytes, uninitialised; never NULL, also for size 0. Caller frees with mem_free. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));

/* `count` times `size` zeroed bytes; overflow of the product ends the process. */
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* `pointer` (may be NULL) resized to `count` times `size` bytes. */
void *mem_realloc(void *pointer, size_t count, size_t size) __attribute__((returns_nonnull));

/* A copy of the NUL-terminated `text`. */
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));

/* Frees `pointer`; accepts NULL. */
void mem_free(void *pointer);

#endif
