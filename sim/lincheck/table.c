#include "lincheck/table.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define CAPACITY_MIN 64u
#define KEPT_MAX 65536u /* slots: more are given back when cleared, for the next may need few */

/* The finalizer of splitmix64. */
uint64_t lincheck_mix(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* At most half full, so that runs of used slots stay short. */
static bool must_grow(size_t count, size_t capacity)
{
    return count >= capacity / 2;
}

static size_t grown(size_t capacity)
{
    return capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity * 2;
}

/* ---- the table ---- */

/* The slot that holds `key`, or the free one where it would stand. */
static struct lincheck_slot *slot_of(const struct lincheck_table *table, uint64_t key)
{
    size_t mask = table->capacity - 1;
    size_t at = (size_t)lincheck_mix(key) & mask;
    while (table->slots[at].is_used && table->slots[at].key != key) {
        at = (at + 1) & mask;
    }
    return &table->slots[at];
}

static void table_grow(struct lincheck_table *table)
{
    struct lincheck_table larger = {.capacity = grown(table->capacity), .count = table->count};
    larger.slots = mem_calloc(larger.capacity, sizeof(larger.slots[0]));
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].is_used) {
            *slot_of(&larger, table->slots[i].key) = table->slots[i];
        }
    }
    mem_free(table->slots);
    *table = larger;
}

void lincheck_table_deinit(struct lincheck_table *table)
{
    mem_free(table->slots);
    *table = (struct lincheck_table){0};
}

void lincheck_table_clear(struct lincheck_table *table)
{
    if (table->capacity > KEPT_MAX) {
        lincheck_table_deinit(table);
    } else if (table->count > 0) {
        memset(table->slots, 0, table->capacity * sizeof(table->slots[0]));
    }
    table->count = 0;
}

uint32_t lincheck_table_add(struct lincheck_table *table, uint64_t key, uint32_t value)
{
    if (must_grow(table->count, table->capacity)) {
        table_grow(table);
    }
    struct lincheck_slot *slot = slot_of(table, key);
    if (!slot->is_used) {
        *slot = (struct lincheck_slot){.key = key, .value = value, .is_used = true};
        table->count++;
    }
    return slot->value;
}

bool lincheck_table_find(const struct lincheck_table *table, uint64_t key, uint32_t *out_value)
{
    if (table->count == 0) {
        return false;
    }
    const struct lincheck_slot *slot = slot_of(table, key);
    if (slot->is_used) {
        *out_value = slot->value;
    }
    return slot->is_used;
}

/* ---- the memory ---- */

static bool is_covered(struct lincheck_state state, const struct lincheck_state *seen)
{
    return seen->used[0] <= state.used[0] && seen->used[1] <= state.used[1];
}

/* The free slot for `state`; NULL if a state that covers it was seen. Several states of one hash
 * stand one behind the other. */
static struct lincheck_state *free_slot(const struct lincheck_memory *memory,
                                        struct lincheck_state state)
{
    size_t mask = memory->capacity - 1;
    size_t at = (size_t)state.hash & mask;
    while (memory->slots[at].hash != 0) {
        if (memory->slots[at].hash == state.hash && is_covered(state, &memory->slots[at])) {
            return NULL;
        }
        at = (at + 1) & mask;
    }
    return &memory->slots[at];
}

static void memory_grow(struct lincheck_memory *memory)
{
    struct lincheck_memory larger = {.capacity = grown(memory->capacity)};
    larger.slots = mem_calloc(larger.capacity, sizeof(larger.slots[0]));
    for (size_t i = 0; i < memory->capacity; i++) {
        struct lincheck_state *slot =
            memory->slots[i].hash != 0 ? free_slot(&larger, memory->slots[i]) : NULL;
        if (slot != NULL) { /* what is covered by now is not needed */
            *slot = memory->slots[i];
            larger.count++;
        }
    }
    mem_free(memory->slots);
    *memory = larger;
}

void lincheck_memory_deinit(struct lincheck_memory *memory)
{
    mem_free(memory->slots);
    *memory = (struct lincheck_memory){0};
}

void lincheck_memory_clear(struct lincheck_memory *memory)
{
    if (memory->capacity > KEPT_MAX) {
        lincheck_memory_deinit(memory);
    } else if (memory->count > 0) {
        memset(memory->slots, 0, memory->capacity * sizeof(memory->slots[0]));
    }
    memory->count = 0;
}

bool lincheck_memory_add(struct lincheck_memory *memory, struct lincheck_state state)
{
    if (must_grow(memory->count, memory->capacity)) {
        memory_grow(memory);
    }
    state.hash = state.hash == 0 ? 1 : state.hash;
    struct lincheck_state *slot = free_slot(memory, state);
    if (slot != NULL) {
        *slot = state;
        memory->count++;
    }
    return slot != NULL;
}
