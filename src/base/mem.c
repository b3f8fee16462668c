#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static size_t product(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        fatal(ENOMEM, "allocate %zu times %zu bytes", count, size);
    }
    return total;
}

/* malloc(0) may return NULL, which would look like a failure. */
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

void *mem_alloc(size_t size)
{
    void *pointer = malloc(at_least_one(size));
    if (pointer == NULL) {
        fatal(ENOMEM, "allocate %zu bytes", size);
    }
    return pointer;
}

void *mem_calloc(size_t count, size_t size)
{
    size_t total = product(count, size);
    void *pointer = calloc(1, at_least_one(total));
    if (pointer == NULL) {
        fatal(ENOMEM, "allocate %zu bytes", total);
    }
    return pointer;
}

void *mem_realloc(void *pointer, size_t count, size_t size)
{
    size_t total = product(count, size);
    void *resized = realloc(pointer, at_least_one(total));
    if (resized == NULL) {
        fatal(ENOMEM, "allocate %zu bytes", total);
    }
    return resized;
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    memcpy(copy, text, size);
    return copy;
}

void mem_free(void *pointer)
{
    free(pointer);
}
