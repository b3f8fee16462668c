#include "node/scan_past.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

#define KEYS_MAX 4096u /* gathered at a time */
#define ENTRIES_MAX ((size_t)2 * KEYS_MAX)

static int compare(const void *a, const void *b)
{
    const struct history_entry *left = *(const struct history_entry *const *)a;
    const struct history_entry *right = *(const struct history_entry *const *)b;
    int order = slice_compare(left->key, right->key);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static int compare_back(const void *a, const void *b)
{
    const struct history_entry *left = *(const struct history_entry *const *)a;
    const struct history_entry *right = *(const struct history_entry *const *)b;
    int order = slice_compare(right->key, left->key);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

/* Sorts what was gathered, and leaves of each of the nearest keys its first change (P1). */
static void condense(struct scan_past *past)
{
    uint32_t count = 0;
    qsort(past->entries, past->count, sizeof(*past->entries),
          past->is_reverse ? compare_back : compare);
    for (uint32_t i = 0; i < past->count; i++) {
        const struct history_entry *entry = past->entries[i];
        if (count > 0 && slice_equal(entry->key, past->entries[count - 1]->key)) {
            continue;
        }
        if (count == KEYS_MAX) {
            past->is_whole = false;
            break;
        }
        past->entries[count++] = entry;
    }
    past->count = count;
}

static bool is_within(const struct store_range *range, struct slice key)
{
    return (range->begin.size == 0 || slice_compare(key, range->begin) >= 0) &&
           (range->end.size == 0 || slice_compare(key, range->end) < 0);
}

/* What is farther than all that there is room for cannot be among the nearest. */
static bool is_too_far(const struct scan_past *past, struct slice key)
{
    if (past->is_whole) {
        return false;
    }
    int order = slice_compare(key, past->entries[KEYS_MAX - 1]->key);
    return past->is_reverse ? order < 0 : order > 0;
}

static void gather(struct scan_past *past)
{
    past->count = 0;
    past->next = 0;
    past->is_whole = true;
    uint64_t end = history_end(past->history);
    for (uint64_t number = history_find(past->history, past->revision); number < end; number++) {
        const struct history_entry *entry = history_at_number(past->history, number);
        if (!is_within(&past->range, entry->key) || is_too_far(past, entry->key)) {
            continue;
        }
        past->entries[past->count++] = entry;
        if (past->count == ENTRIES_MAX) {
            condense(past);
        }
    }
    condense(past);
}

void scan_past_open(struct scan_past *past, const struct history *history, uint64_t revision,
                    struct store_range range, bool is_reverse)
{
    ASSERT(history_covers(history, revision));
    *past = (struct scan_past){
        .history = history, .revision = revision, .range = range, .is_reverse = is_reverse};
    past->entries = mem_alloc(ENTRIES_MAX * sizeof(*past->entries));
    gather(past);
}

void scan_past_close(struct scan_past *past)
{
    mem_free(past->entries);
    *past = (struct scan_past){.history = NULL};
}

/* Where what was gathered ends, another part of it begins. */
static void gather_more(struct scan_past *past)
{
    struct slice last = past->entries[past->count - 1]->key;
    *(past->is_reverse ? &past->range.end : &past->range.begin) = last;
    gather(past);
    if (!past->is_reverse && past->count > 0) { /* the bound itself, once more */
        ASSERT(slice_equal(past->entries[0]->key, last));
        past->next = 1;
    }
}

const struct history_entry *scan_past_peek(struct scan_past *past)
{
    if (past->next == past->count && past->count > 0 && !past->is_whole) {
        gather_more(past);
    }
    return past->next < past->count ? past->entries[past->next] : NULL;
}

void scan_past_advance(struct scan_past *past)
{
    ASSERT(past->next < past->count);
    past->next++;
}

void scan_past_skip(struct scan_past *past, struct slice key)
{
    const struct history_entry *entry = scan_past_peek(past);
    while (entry != NULL) {
        int order = slice_compare(entry->key, key);
        if (past->is_reverse ? order < 0 : order >= 0) {
            break;
        }
        scan_past_advance(past);
        entry = scan_past_peek(past);
    }
}

bool scan_past_has_any(const struct history *history, uint64_t revision, struct store_range range)
{
    uint64_t first = history_find(history, revision);
    for (uint64_t number = history_end(history); number > first; number--) {
        if (is_within(&range, history_at_number(history, number - 1)->key)) {
            return true;
        }
    }
    return false;
}
