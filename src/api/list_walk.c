#include "api/list_walk.h"

#include <string.h>

#include "api/list_glob.h"
#include "base/assert.h"
#include "base/codec.h"
#include "base/hash.h"

/* ---- bounds ---- */

static struct slice bound_slice(const struct list_bound *bound)
{
    return bound->is_set ? (struct slice){bound->bytes, bound->size} : SLICE_EMPTY;
}

static void bound_set(struct list_bound *bound, struct slice key)
{
    ASSERT(key.size <= sizeof(bound->bytes));
    memmove(bound->bytes, key.data, key.size);
    bound->size = key.size;
    bound->is_set = true;
}

/* The first that comes behind `key`. */
static void bound_set_behind(struct list_bound *bound, struct slice key)
{
    ASSERT(key.size < sizeof(bound->bytes));
    bound_set(bound, key);
    bound->bytes[bound->size++] = 0;
}

/* The first that comes behind all that begin with `prefix`. False: there is none. */
static bool bound_set_behind_all(struct list_bound *bound, struct slice prefix)
{
    bound_set(bound, prefix);
    while (bound->size > 0 && bound->bytes[bound->size - 1] == UINT8_MAX) {
        bound->size--;
    }
    if (bound->size == 0) {
        bound->is_set = false;
        return false;
    }
    bound->bytes[bound->size - 1]++;
    return true;
}

static void raise(struct list_bound *begin, const struct list_bound *other)
{
    if (other->is_set &&
        (!begin->is_set || slice_compare(bound_slice(begin), bound_slice(other)) < 0)) {
        *begin = *other;
    }
}

static void lower(struct list_bound *end, const struct list_bound *other)
{
    if (other->is_set &&
        (!end->is_set || slice_compare(bound_slice(other), bound_slice(end)) < 0)) {
        *end = *other;
    }
}

static void raise_to(struct list_bound *begin, struct slice key)
{
    struct list_bound other = {.is_set = false};
    if (key.size > 0) {
        bound_set(&other, key);
        raise(begin, &other);
    }
}

static void lower_to(struct list_bound *end, struct slice key)
{
    struct list_bound other = {.is_set = false};
    if (key.size > 0) {
        bound_set(&other, key);
        lower(end, &other);
    }
}

static void narrow_to_prefix(struct list_walk *walk, struct slice prefix)
{
    struct list_bound behind = {.is_set = false};
    if (prefix.size > 0 && bound_set_behind_all(&behind, prefix)) {
        lower(&walk->end, &behind);
    }
    raise_to(&walk->begin, prefix);
}

/* ---- the walk ---- */

void api_list_walk_init(struct list_walk *walk, const struct list_params *params)
{
    *walk = (struct list_walk){
        .is_reverse = params->is_reverse,
        .prefix = params->prefix,
        .delimiter = params->delimiter,
        .match = params->match,
        .filter = params->filter,
    };
    struct list_bound behind = {.is_set = false};
    if (params->after.size > 0) {
        bound_set_behind(&behind, params->after);
    }
    raise(&walk->begin, &behind);
    raise_to(&walk->begin, params->start);
    lower_to(&walk->end, params->end);
    lower_to(&walk->end, params->before);
    narrow_to_prefix(walk, params->prefix);
    narrow_to_prefix(walk, api_list_glob_prefix(params->match));
}

struct node_scan_options api_list_walk_options(const struct list_walk *walk, uint64_t revision)
{
    return (struct node_scan_options){
        .range = {bound_slice(&walk->begin), bound_slice(&walk->end)},
        .is_reverse = walk->is_reverse,
        .revision = revision,
    };
}

static void leave_key(struct list_walk *walk, struct slice key)
{
    if (walk->is_reverse) {
        bound_set(&walk->end, key);
    } else {
        bound_set_behind(&walk->begin, key);
    }
}

/* With all keys that begin so. */
static void leave_prefix(struct list_walk *walk, struct node_scan *scan, struct slice prefix)
{
    if (walk->is_reverse) {
        bound_set(&walk->end, prefix);
        node_scan_skip(scan, bound_slice(&walk->end));
    } else if (bound_set_behind_all(&walk->begin, prefix)) {
        node_scan_skip(scan, bound_slice(&walk->begin));
    } else {
        walk->is_over = true;
    }
}

/* The part of `key` up to and with the first delimiter behind the list's prefix; empty: none. */
static struct slice common_prefix(const struct list_walk *walk, struct slice key)
{
    if (walk->delimiter.size == 0 || key.size < walk->prefix.size) {
        return SLICE_EMPTY;
    }
    const uint8_t *rest = key.data + walk->prefix.size;
    const uint8_t *found =
        memmem(rest, key.size - walk->prefix.size, walk->delimiter.data, walk->delimiter.size);
    return found == NULL
               ? SLICE_EMPTY
               : (struct slice){key.data, (size_t)(found - key.data) + walk->delimiter.size};
}

/* Whether the key where the scan stands is one of the list's. Errors of node_scan_record. */
static err look_at(const struct list_walk *walk, struct node_scan *scan, bool *out_is_taken)
{
    struct store_record record;
    bool is_taken = walk->match.size == 0 || api_list_glob_matches(walk->match, scan->key);
    if (is_taken && api_list_filter_is_set(&walk->filter)) {
        err e = node_scan_record(scan, false, &record);
        if (e != OK) {
            return e;
        }
        is_taken = api_list_filter_takes(&walk->filter, &record);
    }
    *out_is_taken = is_taken;
    return OK;
}

err api_list_walk_next(struct list_walk *walk, struct node_scan *scan, uint64_t *budget,
                       struct list_item *out_item)
{
    for (; *budget > 0; (*budget)--) {
        err e = walk->is_over ? ERR_NOT_FOUND : node_scan_next(scan);
        if (e != OK) {
            walk->is_over = walk->is_over || e == ERR_NOT_FOUND;
            return e;
        }
        struct slice key = scan->key;
        bool is_taken;
        e = look_at(walk, scan, &is_taken);
        if (e != OK) {
            return e;
        }
        if (!is_taken) {
            leave_key(walk, key);
            continue;
        }
        struct slice prefix = common_prefix(walk, key);
        *out_item = (struct list_item){prefix.size > 0, prefix.size > 0 ? prefix : key};
        if (prefix.size > 0) {
            leave_prefix(walk, scan, prefix);
        } else {
            leave_key(walk, key);
        }
        (*budget)--;
        return OK;
    }
    return walk->is_over ? ERR_NOT_FOUND : ERR_OVERLOADED;
}

void api_list_walk_back(struct list_walk *walk, const struct list_item *item)
{
    walk->is_over = false;
    if (!walk->is_reverse) {
        bound_set(&walk->begin, item->key);
    } else if (!item->is_prefix) {
        bound_set_behind(&walk->end, item->key);
    } else {
        (void)bound_set_behind_all(&walk->end, item->key);
    }
}

struct slice api_list_walk_place(const struct list_walk *walk)
{
    return walk->is_over ? SLICE_EMPTY : bound_slice(walk->is_reverse ? &walk->end : &walk->begin);
}

void api_list_walk_resume(struct list_walk *walk, struct slice place)
{
    if (walk->is_reverse) {
        lower_to(&walk->end, place);
    } else {
        raise_to(&walk->begin, place);
    }
}

uint64_t api_list_walk_hash(const struct list_params *params)
{
    const struct slice parts[] = {params->prefix, params->start, params->end,      params->after,
                                  params->before, params->match, params->delimiter};
    struct writer bytes = {0};
    writer_u8(&bytes, params->is_reverse);
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        writer_sized(&bytes, parts[i]);
    }
    api_list_filter_write(&params->filter, &bytes); /* nothing if unset: cursors of before fit */
    uint64_t hash = hash64(writer_slice(&bytes), 0);
    writer_deinit(&bytes);
    return hash;
}
