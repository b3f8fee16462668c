#include "node/watches.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"

#define BUCKETS_MIN 64u
#define MATCHES_MAX 32u
/* W3: of one turn. Sending costs more than what is sent. */
#define TURN_WATCHES_MAX 32u
#define TURN_BYTES_MAX (256u << 10)
/* W2: changes that one watch looks at for one call, and what each counts among the bytes. */
#define LOOK_MAX 1024u
#define LOOK_COST 64u

/* Of all watches with one pattern. */
struct topic {
    struct topic *next; /* in its bucket */
    struct list idle;
    uint64_t watch_count;
    uint64_t hash;
    /* W2: every change at or after `known_from` that fits is among the last match_count numbers. */
    uint64_t known_from;
    uint64_t match_count; /* in all; number i stands at i % MATCHES_MAX */
    uint64_t matches[MATCHES_MAX];
    bool is_prefix;
    uint16_t pattern_size;
    uint8_t pattern[];
};

struct watches {
    struct env *env;
    struct history *history;
    struct topic **buckets;
    uint64_t bucket_count; /* a power of two */
    uint64_t topic_count;
    uint64_t key_topics;
    uint32_t prefix_topics[KEY_SIZE_MAX + 1]; /* by length */
    uint32_t length_count;
    uint16_t lengths[KEY_SIZE_MAX + 1]; /* those of prefix_topics that are not 0, in no order */
    struct list due;
    uint64_t seen; /* changes before this number were looked at */
    uint64_t count;
    uint64_t cost; /* W3: in bytes, of this turn */
    err ended;
    struct counter told;
};

/* ---- topics ---- */

static uint64_t hash_of(struct slice pattern, bool is_prefix)
{
    return hash64(pattern, is_prefix ? 1 : 0);
}

static struct slice pattern_of(const struct topic *topic)
{
    return (struct slice){topic->pattern, topic->pattern_size};
}

static struct topic **place_of(const struct watches *watches, uint64_t hash)
{
    return &watches->buckets[hash & (watches->bucket_count - 1)];
}

static struct topic *find_topic(const struct watches *watches, struct slice pattern, bool is_prefix)
{
    uint64_t hash = hash_of(pattern, is_prefix);
    for (struct topic *topic = *place_of(watches, hash); topic != NULL; topic = topic->next) {
        if (topic->hash == hash && topic->is_prefix == is_prefix &&
            slice_equal(pattern_of(topic), pattern)) {
            return topic;
        }
    }
    return NULL;
}

static void grow_buckets(struct watches *watches)
{
    struct topic **old = watches->buckets;
    uint64_t old_count = watches->bucket_count;
    watches->bucket_count = old_count * 2;
    watches->buckets = mem_calloc(watches->bucket_count, sizeof(struct topic *));
    for (uint64_t i = 0; i < old_count; i++) {
        for (struct topic *topic = old[i]; topic != NULL;) {
            struct topic *next = topic->next;
            struct topic **place = place_of(watches, topic->hash);
            topic->next = *place;
            *place = topic;
            topic = next;
        }
    }
    mem_free(old);
}

static void count_in(struct watches *watches, const struct topic *topic)
{
    watches->topic_count++;
    if (!topic->is_prefix) {
        watches->key_topics++;
        return;
    }
    watches->prefix_topics[topic->pattern_size]++;
    if (watches->prefix_topics[topic->pattern_size] == 1) {
        watches->lengths[watches->length_count] = topic->pattern_size;
        watches->length_count++;
    }
}

static void count_out(struct watches *watches, const struct topic *topic)
{
    watches->topic_count--;
    if (!topic->is_prefix) {
        watches->key_topics--;
        return;
    }
    watches->prefix_topics[topic->pattern_size]--;
    if (watches->prefix_topics[topic->pattern_size] > 0) {
        return;
    }
    uint32_t i = 0;
    while (watches->lengths[i] != topic->pattern_size) {
        i++;
        ASSERT(i < watches->length_count);
    }
    watches->length_count--;
    watches->lengths[i] = watches->lengths[watches->length_count];
}

static struct topic *add_topic(struct watches *watches, struct slice pattern, bool is_prefix)
{
    if (watches->topic_count == watches->bucket_count) {
        grow_buckets(watches);
    }
    struct topic *topic = mem_calloc(1, sizeof(*topic) + pattern.size);
    list_init(&topic->idle);
    topic->hash = hash_of(pattern, is_prefix);
    topic->known_from = watches->seen;
    topic->is_prefix = is_prefix;
    topic->pattern_size = (uint16_t)pattern.size;
    if (pattern.size > 0) {
        memcpy(topic->pattern, pattern.data, pattern.size);
    }
    struct topic **place = place_of(watches, topic->hash);
    topic->next = *place;
    *place = topic;
    count_in(watches, topic);
    return topic;
}

static void remove_topic(struct watches *watches, struct topic *topic)
{
    struct topic **place = place_of(watches, topic->hash);
    while (*place != topic) {
        place = &(*place)->next;
    }
    *place = topic->next;
    count_out(watches, topic);
    mem_free(topic);
}

/* ---- the object ---- */

struct watches *watches_new(struct env *env, struct history *history)
{
    struct watches *watches = mem_calloc(1, sizeof(*watches));
    watches->env = env;
    watches->history = history;
    watches->bucket_count = BUCKETS_MIN;
    watches->buckets = mem_calloc(watches->bucket_count, sizeof(struct topic *));
    watches->seen = history_end(history);
    list_init(&watches->due);
    return watches;
}

void watches_free(struct watches *watches)
{
    if (watches == NULL) {
        return;
    }
    ASSERT(watches->count == 0);
    ASSERT(watches->topic_count == 0);
    mem_free(watches->buckets);
    mem_free(watches);
}

uint64_t watches_count(const struct watches *watches)
{
    return watches->count;
}

struct counter *watches_told(struct watches *watches)
{
    return &watches->told;
}

/* ---- a turn ---- */

static void make_due(struct watches *watches, struct topic *topic)
{
    list_splice_back(&watches->due, &topic->idle);
}

static void match(struct watches *watches, struct slice pattern, bool is_prefix, uint64_t number)
{
    struct topic *topic = find_topic(watches, pattern, is_prefix);
    if (topic == NULL) {
        return;
    }
    uint64_t *place = &topic->matches[topic->match_count % MATCHES_MAX];
    if (topic->match_count >= MATCHES_MAX) {
        topic->known_from = *place + 1;
    }
    *place = number;
    topic->match_count++;
    make_due(watches, topic);
}

static void look_at(struct watches *watches, uint64_t number)
{
    struct slice key = history_at_number(watches->history, number)->key;
    if (watches->key_topics > 0) {
        match(watches, key, false, number);
    }
    for (uint32_t i = 0; i < watches->length_count; i++) {
        if (watches->lengths[i] <= key.size) {
            match(watches, (struct slice){key.data, watches->lengths[i]}, true, number);
        }
    }
}

static void make_all_due(struct watches *watches)
{
    for (uint64_t i = 0; i < watches->bucket_count; i++) {
        for (struct topic *topic = watches->buckets[i]; topic != NULL; topic = topic->next) {
            make_due(watches, topic);
        }
    }
}

/* What came before `first` was not looked at and is gone: everybody is too late. */
static void lose_all(struct watches *watches, uint64_t first)
{
    for (uint64_t i = 0; i < watches->bucket_count; i++) {
        for (struct topic *topic = watches->buckets[i]; topic != NULL; topic = topic->next) {
            topic->known_from = first;
            topic->match_count = 0; /* else what these make way for would count as known again */
            make_due(watches, topic);
        }
    }
    watches->seen = first;
}

static void look(struct watches *watches)
{
    uint64_t first = history_first(watches->history);
    uint64_t end = history_end(watches->history);
    if (watches->seen < first) { /* it began anew, or had more than it keeps in one turn */
        lose_all(watches, first);
    }
    if (watches->topic_count > 0) {
        for (; watches->seen < end; watches->seen++) {
            look_at(watches, watches->seen);
        }
    }
    watches->seen = end;
}

void watches_turn(struct watches *watches)
{
    look(watches);
    watches->cost = 0;
    for (uint32_t i = 0; i < TURN_WATCHES_MAX && watches->cost < TURN_BYTES_MAX; i++) {
        if (list_is_empty(&watches->due)) {
            return;
        }
        struct watch *watch = CONTAINER_OF(watches->due.next, struct watch, link);
        list_remove(&watch->link);
        watches->cost += watch->ready(watch);
    }
    if (!list_is_empty(&watches->due)) {
        env_turn_wake(watches->env);
    }
}

void watches_end(struct watches *watches, err e)
{
    if (watches->ended == e) {
        return;
    }
    watches->ended = e;
    if (e != OK) {
        make_all_due(watches);
        env_turn_wake(watches->env);
    }
}

err watches_ended(const struct watches *watches)
{
    return watches->ended;
}

/* ---- one watch ---- */

void watch_open(struct watches *watches, struct watch *watch, uint64_t position)
{
    ASSERT(watch->ready != NULL);
    ASSERT(watch->is_prefix || watch->pattern.size > 0);
    ASSERT(watch->pattern.size <= KEY_SIZE_MAX);
    if (watches->topic_count == 0) {
        watches->seen = history_end(watches->history); /* nobody has looked */
    }
    watch->watches = watches;
    watch->topic = find_topic(watches, watch->pattern, watch->is_prefix);
    if (watch->topic == NULL) {
        watch->topic = add_topic(watches, watch->pattern, watch->is_prefix);
    }
    watch->topic->watch_count++;
    watches->count++;
    watch->position = position;
    list_init(&watch->link);
    watch_again(watch);
}

void watch_close(struct watch *watch)
{
    struct watches *watches = watch->watches;
    struct topic *topic = watch->topic;
    ASSERT(watches->count > 0 && topic->watch_count > 0);
    list_remove(&watch->link);
    watches->count--;
    topic->watch_count--;
    watch->topic = NULL;
    watch->watches = NULL;
    if (topic->watch_count == 0) {
        remove_topic(watches, topic);
    }
}

bool watch_fits(const struct watch *watch, struct slice key)
{
    if (!watch->is_prefix) {
        return slice_equal(key, watch->pattern);
    }
    return key.size >= watch->pattern.size &&
           slice_equal((struct slice){key.data, watch->pattern.size}, watch->pattern);
}

/* The first of the topic's matches at or after `from`, or the end of what was looked at. */
static uint64_t next_match(const struct topic *topic, uint64_t from, uint64_t seen)
{
    uint64_t next = seen;
    uint64_t count = topic->match_count < MATCHES_MAX ? topic->match_count : MATCHES_MAX;
    for (uint64_t i = 0; i < count; i++) { /* from the newest on back */
        uint64_t number = topic->matches[(topic->match_count - 1 - i) % MATCHES_MAX];
        if (number < from) {
            break;
        }
        next = number;
    }
    return next;
}

/* What the topic does not know: looks at some of it. OK to go on: *number is known_from. */
static enum watch_found find_before_known(const struct watch *watch, uint64_t *number)
{
    const struct history *history = watch->watches->history;
    uint64_t known_from = watch->topic->known_from;
    uint64_t end = known_from - *number > LOOK_MAX ? *number + LOOK_MAX : known_from;
    if (*number < history_first(history)) {
        return WATCH_GONE;
    }
    watch->watches->cost += (end - *number) * LOOK_COST;
    while (*number < end && !watch_fits(watch, history_at_number(history, *number)->key)) {
        *number += 1;
    }
    if (*number < end) {
        return WATCH_FOUND;
    }
    return end < known_from ? WATCH_LATER : WATCH_NOTHING;
}

enum watch_found watch_find(const struct watch *watch, uint64_t from, uint64_t *out_number)
{
    const struct watches *watches = watch->watches;
    enum watch_found found = WATCH_NOTHING;
    *out_number = from;
    if (from < watch->topic->known_from) {
        found = find_before_known(watch, out_number);
    }
    if (found != WATCH_NOTHING) {
        return found;
    }
    *out_number = next_match(watch->topic, *out_number, watches->seen);
    if (*out_number >= watches->seen) {
        return WATCH_NOTHING;
    }
    return *out_number < history_first(watches->history) ? WATCH_GONE : WATCH_FOUND;
}

void watch_rest(struct watch *watch)
{
    ASSERT(list_is_empty(&watch->link));
    watch->position = watch->watches->seen;
    list_push_back(&watch->topic->idle, &watch->link);
}

void watch_again(struct watch *watch)
{
    ASSERT(list_is_empty(&watch->link));
    list_push_back(&watch->watches->due, &watch->link);
    env_turn_wake(watch->watches->env);
}

bool watch_is_level(const struct watch *watch)
{
    uint64_t number;
    return watch->watches->seen == history_end(watch->watches->history) &&
           watch_find(watch, watch->position, &number) == WATCH_NOTHING;
}

err watch_ended(const struct watch *watch)
{
    return watch->watches->ended;
}
