/*
 * Changes stand one behind the other in blocks, oldest first, each with what had to be copied right
 * behind it; a ring of slots finds them by number. No index by key is kept: appending is what every
 * write pays for, and the few that read the past look at what came since (scan_past.h).
 */
#include "node/history.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/record.h"

#define BLOCK_SIZE (64u << 10)
#define SLOTS_MIN 256u
/* What is copied behind a change at most; more of it gets a buf of its own. */
#define COPY_SIZE_MAX (8u << 10)

struct block {
    struct block *next;
    uint32_t used;
    uint32_t left; /* changes in it that are there */
    uint8_t bytes[BLOCK_SIZE - sizeof(struct block *) - 2 * sizeof(uint32_t)];
};

struct history {
    struct history_options options;
    uint64_t base;   /* H2 */
    uint64_t newest; /* of history_revised */
    uint64_t clock_ms;
    uint64_t held; /* from here up to first: dropped, and not yet freed (H5) */
    uint64_t first;
    uint64_t next;
    uint64_t end; /* H4: from here to next is the revision that is being told */
    uint64_t bytes;
    bool is_pinned;
    bool is_overrun;              /* the revision that is being told is more than is kept */
    struct history_entry **slots; /* by number, from held on; NULL: nothing was kept of it */
    uint64_t slot_count;          /* a power of two */
    struct block *oldest;
    struct block *youngest;
    struct block *spare;
};

static inline struct history_entry **slot_of(const struct history *history, uint64_t number)
{
    ASSERT(number >= history->held);
    ASSERT(number < history->next);
    return &history->slots[number & (history->slot_count - 1)];
}

/* ---- what is kept, in bytes (H3) ---- */

static uint64_t held_bytes(const struct buf *owner)
{
    return owner != NULL ? sizeof(*owner) + owner->size : 0;
}

static size_t aligned(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static bool lies_in(struct slice slice, const struct buf *owner)
{
    return owner != NULL && slice.data >= owner->data &&
           slice.data + slice.size <= owner->data + owner->size;
}

/* ---- places ---- */

static void *allocate(struct history *history, size_t size)
{
    struct block *block = history->youngest;
    ASSERT(size <= sizeof(block->bytes));
    if (block != NULL && block->left == 0) {
        block->used = 0;
    }
    if (block == NULL || size > sizeof(block->bytes) - block->used) {
        block = history->spare != NULL ? history->spare : mem_alloc(sizeof(*block));
        history->spare = NULL;
        block->next = NULL;
        block->used = 0;
        block->left = 0;
        if (history->youngest != NULL) {
            history->youngest->next = block;
        } else {
            history->oldest = block;
        }
        history->youngest = block;
    }
    void *place = block->bytes + block->used;
    block->used += (uint32_t)size;
    block->left++;
    return place;
}

/* The oldest change goes out of its block, and the block with the last one in it. */
static void release(struct history *history)
{
    struct block *block = history->oldest;
    ASSERT(block->left > 0);
    block->left--;
    if (block->left > 0 || block == history->youngest) {
        return;
    }
    history->oldest = block->next;
    if (history->spare == NULL) {
        history->spare = block;
    } else {
        mem_free(block);
    }
}

static void grow_slots(struct history *history)
{
    uint64_t count = history->slot_count == 0 ? SLOTS_MIN : history->slot_count * 2;
    struct history_entry **slots = mem_calloc(count, sizeof(*slots));
    for (uint64_t number = history->held; number < history->next; number++) {
        slots[number & (count - 1)] = *slot_of(history, number);
    }
    mem_free(history->slots);
    history->slots = slots;
    history->slot_count = count;
}

/* Behind it there is a slot for the next number. */
static inline void make_slot(struct history *history)
{
    if (history->next - history->held == history->slot_count) {
        grow_slots(history);
    }
}

/* The next number is the change's. NULL: of which nothing is kept. */
static inline void set_slot(struct history *history, struct history_entry *entry)
{
    history->slots[history->next & (history->slot_count - 1)] = entry;
    history->next++;
}

/* ---- dropping ---- */

static inline void let_go(struct history *history, const struct history_entry *entry)
{
    buf_unref(entry->record.owner);
    buf_unref(entry->replaced.owner);
    release(history);
}

static void drop_first(struct history *history)
{
    const struct history_entry *entry = *slot_of(history, history->first);
    ASSERT(history->bytes >= entry->bytes);
    history->bytes -= entry->bytes;
    history->first++;
    if (!history->is_pinned) { /* H5 */
        history->held = history->first;
        let_go(history, entry);
    }
}

static bool is_empty(const struct history *history)
{
    return history->first == history->next;
}

static const struct history_entry *first_entry(const struct history *history)
{
    return *slot_of(history, history->first);
}

/* H1: the whole of the oldest revision. */
static void drop_revision(struct history *history)
{
    history->base = first_entry(history)->revision;
    while (!is_empty(history) && first_entry(history)->revision == history->base) {
        drop_first(history);
    }
}

static bool is_too_much(const struct history *history)
{
    const struct history_options *options = &history->options;
    return history->bytes > options->bytes_max ||
           history->newest - history->base > options->revisions_max ||
           (options->age_ms_max > 0 &&
            history->clock_ms - first_entry(history)->clock_ms > options->age_ms_max);
}

/* ---- what the store tells ---- */

struct history *history_new(const struct history_options *options, uint64_t revision)
{
    struct history *history = mem_calloc(1, sizeof(*history));
    history->options = *options;
    history->base = revision;
    history->newest = revision;
    history->held = 1;
    history->first = 1;
    history->next = 1;
    history->end = 1;
    return history;
}

void history_free(struct history *history)
{
    if (history == NULL) {
        return;
    }
    if (history->is_pinned) {
        history_unpin(history);
    }
    while (!is_empty(history)) {
        drop_first(history);
    }
    ASSERT(history->bytes == 0);
    mem_free(history->oldest); /* where the next one would have gone */
    mem_free(history->spare);
    mem_free(history->slots);
    mem_free(history);
}

static struct slice copy_behind(uint8_t **target, struct slice bytes)
{
    struct slice copy = {*target, bytes.size};
    if (bytes.size > 0) {
        memcpy(*target, bytes.data, bytes.size);
        *target += bytes.size;
    }
    return copy;
}

/* A record too large to stand behind its change: in a buf of its own. */
static void copy_apart(struct store_record *record)
{
    record->owner = buf_new(record->value.size + record->content_type.size);
    uint8_t *target = record->owner->data;
    record->value = copy_behind(&target, record->value);
    record->content_type = copy_behind(&target, record->content_type);
}

/* `entry` is where the change will stand, with `copied` bytes of room behind it. */
static void fill(struct history_entry *entry, const struct store_change *change)
{
    uint8_t *behind = (uint8_t *)(entry + 1);
    entry->revision = change->revision;
    entry->clock_ms = change->clock_ms;
    entry->kind = change->kind;
    entry->has_replaced = change->replaced != NULL;
    entry->is_copy = false;
    entry->key = change->key;
    entry->record.owner = NULL;
    if (change->record != NULL) {
        entry->record = *change->record;
        buf_ref(entry->record.owner);
    }
    if (!lies_in(change->key, entry->record.owner)) {
        entry->key = copy_behind(&behind, change->key);
    }
    entry->replaced.owner = NULL;
    if (change->replaced != NULL) {
        entry->replaced = *change->replaced;
        buf_ref(entry->replaced.owner);
    }
    if (!entry->has_replaced || entry->replaced.owner != NULL) {
        return;
    }
    entry->is_copy = true;
    if (entry->replaced.value.size + entry->replaced.content_type.size > COPY_SIZE_MAX) {
        copy_apart(&entry->replaced);
    } else {
        entry->replaced.value = copy_behind(&behind, entry->replaced.value);
        entry->replaced.content_type = copy_behind(&behind, entry->replaced.content_type);
    }
}

static size_t size_behind(const struct store_change *change)
{
    bool is_kept = change->record != NULL && lies_in(change->key, change->record->owner);
    size_t size = is_kept ? 0 : change->key.size;
    const struct store_record *replaced = change->replaced;
    if (replaced != NULL && replaced->owner == NULL) {
        size_t copied = replaced->value.size + replaced->content_type.size;
        size += copied <= COPY_SIZE_MAX ? copied : 0;
    }
    return size;
}

/* The next number goes by, with all before it. */
static void skip_number(struct history *history)
{
    ASSERT(is_empty(history));
    make_slot(history);
    set_slot(history, NULL);
    history->first = history->next;
    if (!history->is_pinned) {
        history->held = history->first;
    }
}

/* What is told alone is more than may be kept: as if it had been kept, and dropped. */
static void overrun(struct history *history)
{
    while (!is_empty(history)) {
        drop_first(history);
    }
    history->is_overrun = true;
}

void history_changed(struct history *history, const struct store_change *change)
{
    ASSERT(change->revision > history->newest);
    ASSERT(change->record == NULL || change->record->owner != NULL);
    history->clock_ms = change->clock_ms;
    if (history->is_overrun) {
        skip_number(history);
        return;
    }
    make_slot(history);
    size_t size = aligned(sizeof(struct history_entry) + size_behind(change));
    struct history_entry *entry = allocate(history, size);
    fill(entry, change);
    entry->number = history->next;
    entry->bytes = sizeof(struct history_entry *) + size + held_bytes(entry->record.owner) +
                   held_bytes(entry->replaced.owner);
    set_slot(history, entry);
    history->bytes += entry->bytes;
    while (history->bytes > history->options.bytes_max && !history->is_overrun) {
        if (first_entry(history)->revision == change->revision) {
            overrun(history);
        } else {
            drop_revision(history);
        }
    }
}

void history_revised(struct history *history, uint64_t revision)
{
    ASSERT(revision > history->newest);
    history->newest = revision;
    history->end = history->next;
    if (history->is_overrun) {
        history->is_overrun = false;
        history->base = revision;
    }
    while (!is_empty(history) && is_too_much(history)) {
        drop_revision(history);
    }
}

void history_restart(struct history *history, uint64_t revision)
{
    while (!is_empty(history)) {
        drop_first(history);
    }
    skip_number(history); /* who was at the end has missed something, too */
    history->end = history->next;
    history->base = revision;
    history->newest = revision;
    history->is_overrun = false;
}

void history_pin(struct history *history)
{
    ASSERT(!history->is_pinned);
    history->is_pinned = true;
}

void history_unpin(struct history *history)
{
    ASSERT(history->is_pinned);
    history->is_pinned = false;
    while (history->held < history->first) {
        const struct history_entry *entry = *slot_of(history, history->held);
        history->held++;
        if (entry != NULL) {
            let_go(history, entry);
        }
    }
}

/* ---- what is there ---- */

uint64_t history_oldest(const struct history *history)
{
    return history->base;
}

uint64_t history_newest(const struct history *history)
{
    return history->newest;
}

bool history_covers(const struct history *history, uint64_t revision)
{
    return revision >= history->base && revision <= history->newest;
}

uint64_t history_bytes(const struct history *history)
{
    return history->bytes;
}

uint64_t history_first(const struct history *history)
{
    return history->first < history->end ? history->first : history->end;
}

uint64_t history_end(const struct history *history)
{
    return history->end;
}

uint64_t history_find(const struct history *history, uint64_t revision)
{
    ASSERT(revision >= history->base);
    uint64_t low = history_first(history);
    uint64_t high = history->end;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if ((*slot_of(history, middle))->revision <= revision) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct history_entry *history_at_number(const struct history *history, uint64_t number)
{
    ASSERT(number < history->end);
    return *slot_of(history, number);
}

const struct store_record *history_replaced(const struct history_entry *entry, bool *out_is_damaged)
{
    *out_is_damaged = entry->has_replaced && entry->is_copy &&
                      store_record_verify(&entry->replaced, entry->key) != OK;
    return entry->has_replaced && !*out_is_damaged ? &entry->replaced : NULL;
}
