#include "sim/past.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define KEY_SHOWN_MAX 40

struct change {
    uint64_t revision;
    enum store_change_kind kind;
    size_t key;        /* its number */
    struct buf *value; /* of a PUT */
    size_t before;     /* number of the key's change before this one, and 1; 0: none */
};

struct key {
    struct buf *name;
    size_t last; /* number of its last change, and 1; 0: none */
};

struct past {
    struct key *keys; /* in no order */
    size_t key_count;
    size_t key_capacity;
    struct change *changes;
    size_t change_count;
    size_t change_capacity;
};

struct past *past_new(void)
{
    return mem_calloc(1, sizeof(struct past));
}

void past_free(struct past *past)
{
    for (size_t i = 0; i < past->key_count; i++) {
        buf_unref(past->keys[i].name);
    }
    for (size_t i = 0; i < past->change_count; i++) {
        buf_unref(past->changes[i].value);
    }
    mem_free(past->keys);
    mem_free(past->changes);
    mem_free(past);
}

/* ---- what happens ---- */

static size_t key_at(struct past *past, struct slice name)
{
    for (size_t i = 0; i < past->key_count; i++) {
        if (slice_equal(buf_slice(past->keys[i].name), name)) {
            return i;
        }
    }
    if (past->key_count == past->key_capacity) {
        past->key_capacity = 2 * past->key_capacity + 16;
        past->keys = mem_realloc(past->keys, past->key_capacity, sizeof(*past->keys));
    }
    past->keys[past->key_count] = (struct key){.name = buf_copy(name)};
    return past->key_count++;
}

static struct slice name_of(const struct past *past, size_t change)
{
    return buf_slice(past->keys[past->changes[change].key].name);
}

/* The last change takes its place among those of its revision: in the order of their keys. */
static void settle(struct past *past)
{
    struct change *changes = past->changes;
    for (size_t at = past->change_count - 1;
         at > 0 && changes[at - 1].revision == changes[at].revision &&
         slice_compare(name_of(past, at - 1), name_of(past, at)) > 0;
         at--) {
        struct change later = changes[at - 1];
        changes[at - 1] = changes[at];
        changes[at] = later;
        past->keys[changes[at - 1].key].last = at;
        past->keys[later.key].last = at + 1;
    }
}

/* The key's last change, which is of the last revision, has not happened. */
static void take_back(struct past *past, struct key *key)
{
    struct change *changes = past->changes;
    size_t at = key->last - 1;
    key->last = changes[at].before;
    past->change_count--;
    for (; at < past->change_count; at++) {
        changes[at] = changes[at + 1];
        past->keys[changes[at].key].last = at + 1;
    }
}

/* The key's last change, of the same revision, and this one count as one. Whoever looks sees none
 * where the key was not there before the revision and is not there after it. */
static void join(struct past *past, struct key *key, const struct change *change)
{
    struct change *same = &past->changes[key->last - 1];
    bool was_there = same->before != 0 && past->changes[same->before - 1].kind == STORE_CHANGE_PUT;
    buf_unref(same->value);
    same->value = change->value;
    same->kind = change->kind;
    if (change->kind != STORE_CHANGE_PUT && !was_there) {
        take_back(past, key);
    }
}

static void note(struct past *past, const struct change *change)
{
    struct key *key = &past->keys[change->key];
    if (key->last != 0 && past->changes[key->last - 1].revision == change->revision) {
        join(past, key, change);
        return;
    }
    if (past->change_count == past->change_capacity) {
        past->change_capacity = 2 * past->change_capacity + 256;
        past->changes = mem_realloc(past->changes, past->change_capacity, sizeof(*past->changes));
    }
    ASSERT(past->change_count == 0 ||
           past->changes[past->change_count - 1].revision <= change->revision);
    past->changes[past->change_count] = *change;
    past->changes[past->change_count].before = key->last;
    past->change_count++;
    key->last = past->change_count;
    settle(past);
}

void past_put(struct past *past, uint64_t revision, struct slice key, struct buf *value)
{
    note(past, &(struct change){.revision = revision,
                                .kind = STORE_CHANGE_PUT,
                                .key = key_at(past, key),
                                .value = buf_ref(value)});
}

void past_remove(struct past *past, uint64_t revision, struct slice key,
                 enum store_change_kind kind)
{
    note(past, &(struct change){.revision = revision, .kind = kind, .key = key_at(past, key)});
}

/* What the key was at `revision`; NULL: it was not there. */
static const struct change *was(const struct past *past, const struct key *key, uint64_t revision)
{
    size_t number = key->last;
    while (number != 0 && past->changes[number - 1].revision > revision) {
        number = past->changes[number - 1].before;
    }
    bool is_there = number != 0 && past->changes[number - 1].kind == STORE_CHANGE_PUT;
    return is_there ? &past->changes[number - 1] : NULL;
}

/* Some keys are long. */
static int shown(struct slice key)
{
    return key.size < KEY_SHOWN_MAX ? (int)key.size : KEY_SHOWN_MAX;
}

/* ---- watching ---- */

static bool fits(const struct past_pattern *pattern, struct slice key)
{
    if (!pattern->is_prefix || key.size < pattern->text.size) {
        return slice_equal(key, pattern->text);
    }
    return slice_equal((struct slice){key.data, pattern->text.size}, pattern->text);
}

/* The next change that it has to be told of; NULL: there is none. */
static const struct change *next_change(struct past_watch *watch)
{
    const struct past *past = watch->past;
    while (watch->next < past->change_count && !fits(&watch->pattern, name_of(past, watch->next))) {
        watch->next++;
    }
    return watch->next < past->change_count ? &past->changes[watch->next] : NULL;
}

void past_watch_from(struct past_watch *watch, uint64_t revision)
{
    const struct past *past = watch->past;
    size_t low = 0;
    size_t high = past->change_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (past->changes[middle].revision <= revision) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    watch->id = revision;
    watch->next = low;
}

static const char *complain(struct past_watch *watch, const char *what, uint64_t revision,
                            struct slice key)
{
    (void)snprintf(watch->complaint, sizeof(watch->complaint),
                   "who watches %.*s%s and has all up to revision %" PRIu64 " is told %s: %.*s "
                   "at revision %" PRIu64,
                   (int)watch->pattern.text.size, (const char *)watch->pattern.text.data,
                   watch->pattern.is_prefix ? "*" : "", watch->id, what, shown(key),
                   (const char *)key.data, revision);
    return watch->complaint;
}

/* What is wrong with which change is told; NULL: nothing. */
static const char *misplaced(const struct past_watch *watch, const struct change *change,
                             const struct past_event *event)
{
    if (event->revision <= watch->id) {
        return "once more of a change";
    }
    if (change == NULL || event->revision < change->revision) {
        return "of a change that did not happen then";
    }
    if (event->revision > change->revision) {
        return "nothing of what came before";
    }
    bool is_it = slice_equal(name_of(watch->past, watch->next), event->key);
    return is_it ? NULL : "of another change first";
}

/* What is wrong with how it is told. */
static const char *misstated(const struct past_watch *watch, const struct change *change,
                             const struct past_event *event)
{
    const struct past *past = watch->past;
    const struct change *before = change->before != 0 ? &past->changes[change->before - 1] : NULL;
    bool has_replaced = before != NULL && before->kind == STORE_CHANGE_PUT;
    if (change->kind != event->kind) {
        return "of another kind of change";
    }
    if (change->kind == STORE_CHANGE_PUT && !slice_equal(buf_slice(change->value), event->value)) {
        return "another value";
    }
    bool is_so = has_replaced == event->has_replaced &&
                 (!has_replaced || slice_equal(buf_slice(before->value), event->replaced));
    return is_so || event->is_damaged ? NULL : "another value that was replaced";
}

const char *past_watch_told(struct past_watch *watch, const struct past_event *event)
{
    const struct change *change = next_change(watch);
    const char *what = misplaced(watch, change, event);
    what = what == NULL ? misstated(watch, change, event) : what;
    if (what != NULL) {
        return complain(watch, what, event->revision, event->key);
    }
    watch->next++;
    change = next_change(watch);
    bool is_last = change == NULL || change->revision != event->revision;
    if (event->is_last != is_last) {
        return complain(watch, is_last ? "that more of a revision follows" : "half of a revision",
                        event->revision, event->key);
    }
    watch->id = is_last ? event->revision : watch->id;
    return NULL;
}

const char *past_watch_level(struct past_watch *watch, uint64_t revision)
{
    const struct change *change = next_change(watch);
    if (change != NULL && change->revision <= revision) {
        return complain(watch, "that this is all, and it is not", change->revision,
                        name_of(watch->past, watch->next));
    }
    watch->id = revision > watch->id ? revision : watch->id;
    return NULL;
}

bool past_watch_is_level(struct past_watch *watch)
{
    return next_change(watch) == NULL;
}

/* ---- listing ---- */

static bool is_ahead(const struct past_list *list, struct slice key)
{
    const struct store_range *range = &list->range;
    bool is_within = (range->begin.size == 0 || slice_compare(key, range->begin) >= 0) &&
                     (range->end.size == 0 || slice_compare(key, range->end) < 0);
    int order = list->last != NULL ? slice_compare(key, buf_slice(list->last)) : 0;
    return is_within && (list->last == NULL || (list->is_reverse ? order < 0 : order > 0));
}

static struct slice key_of(const struct past *past, const struct change *change)
{
    return buf_slice(past->keys[change->key].name);
}

/* What comes next, as it was; NULL: nothing. */
static const struct change *next_listed(const struct past_list *list)
{
    const struct past *past = list->past;
    const struct change *next = NULL;
    for (size_t i = 0; i < past->key_count; i++) {
        struct slice name = buf_slice(past->keys[i].name);
        int order = next != NULL ? slice_compare(name, key_of(past, next)) : 0;
        bool is_nearer = next == NULL || (list->is_reverse ? order > 0 : order < 0);
        const struct change *change =
            is_nearer && is_ahead(list, name) ? was(past, &past->keys[i], list->revision) : NULL;
        next = change != NULL ? change : next;
    }
    return next;
}

static const char *complain_of_list(struct past_list *list, const char *what, struct slice key)
{
    (void)snprintf(list->complaint, sizeof(list->complaint),
                   "a list of revision %" PRIu64 " that %s: %.*s", list->revision, what, shown(key),
                   (const char *)key.data);
    return list->complaint;
}

const char *past_list_told(struct past_list *list, struct slice key, struct slice value,
                           uint64_t mod_revision)
{
    const struct change *next = next_listed(list);
    struct slice name = next != NULL ? key_of(list->past, next) : SLICE_EMPTY;
    int order = slice_compare(name, key);
    if (next == NULL || (list->is_reverse ? order < 0 : order > 0)) {
        return complain_of_list(list, "has a key that was not there, or has it twice", key);
    }
    if (order != 0) {
        return complain_of_list(list, "leaves out a key", name);
    }
    if (next->revision != mod_revision || !slice_equal(buf_slice(next->value), value)) {
        return complain_of_list(list, "has a key as it was at another revision", key);
    }
    buf_unref(list->last);
    list->last = buf_ref(list->past->keys[next->key].name);
    return NULL;
}

const char *past_list_ended(struct past_list *list)
{
    const struct change *next = next_listed(list);
    return next == NULL ? NULL
                        : complain_of_list(list, "ends before a key", key_of(list->past, next));
}

void past_list_from(struct past_list *list, uint64_t revision)
{
    buf_drop(&list->last);
    list->revision = revision;
}
