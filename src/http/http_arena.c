#include "http/http_arena.h"

#include "base/assert.h"
#include "base/mem.h"

#define ALIGNMENT 16u
#define BLOCK_SIZE_MIN 4096u

struct http_arena_block {
    struct http_arena_block *next;
    _Alignas(ALIGNMENT) uint8_t data[];
};

void http_arena_init(struct http_arena *arena)
{
    arena->cursor = arena->first;
    arena->end = arena->first + sizeof(arena->first);
    arena->blocks = NULL;
}

void http_arena_deinit(struct http_arena *arena)
{
    while (arena->blocks != NULL) {
        struct http_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        mem_free(block);
    }
    http_arena_init(arena);
}

void *http_arena_alloc(struct http_arena *arena, size_t size)
{
    ASSERT(size <= SIZE_MAX / 2);
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded > (size_t)(arena->end - arena->cursor)) {
        size_t capacity = rounded > BLOCK_SIZE_MIN ? rounded : BLOCK_SIZE_MIN;
        struct http_arena_block *block = mem_alloc(sizeof(*block) + capacity);
        block->next = arena->blocks;
        arena->blocks = block;
        arena->cursor = block->data;
        arena->end = block->data + capacity;
    }
    void *memory = arena->cursor;
    arena->cursor += rounded;
    ASSERT(arena->cursor <= arena->end);
    return memory;
}
