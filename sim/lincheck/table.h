/*
 * Hash tables of the checkers: numbers to indices, and the states of a search. They grow, and never
 * forget one entry alone.
 */
#ifndef LINCHECK_TABLE_H
#define LINCHECK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Spreads the bits of `value`: every bit of it changes about half of the result's. One to one. */
uint64_t lincheck_mix(uint64_t value);

struct lincheck_slot {
    uint64_t key;
    uint32_t value;
    bool is_used;
};

/* All zero is an empty one. */
struct lincheck_table {
    struct lincheck_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

/* Frees the memory and leaves an empty table. */
void lincheck_table_deinit(struct lincheck_table *table);
/* Empties the table; keeps its memory if that is little. */
void lincheck_table_clear(struct lincheck_table *table);
/* The value under `key`, which is `value` now if there was none. */
uint32_t lincheck_table_add(struct lincheck_table *table, uint64_t key, uint32_t value);
/* Whether there is a value under `key`; fills `out_value` with it. */
bool lincheck_table_find(const struct lincheck_table *table, uint64_t key, uint32_t *out_value);

/* A state of a search: the hash of what it has to know, and how much of what it may use is used. */
struct lincheck_state {
    uint64_t hash; /* its bits are spread already; 0 and 1 are one */
    uint32_t used[2];
};

/* The states that a search has seen. All zero is an empty one. */
struct lincheck_memory {
    struct lincheck_state *slots; /* hash 0: free */
    size_t capacity;              /* 0 or a power of two */
    size_t count;
};

/* Frees the memory and leaves an empty one. */
void lincheck_memory_deinit(struct lincheck_memory *memory);
/* Forgets all states; keeps the memory if that is little. */
void lincheck_memory_clear(struct lincheck_memory *memory);
/* Whether `state` is worth a search: no state with its hash was seen that had used as little or
 * less of both. It is seen now. */
bool lincheck_memory_add(struct lincheck_memory *memory, struct lincheck_state state);

#endif
