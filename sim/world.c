#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

#define HEAP_ARITY 4u /* fewer levels, and the children share a cache line */

struct world {
    uint64_t seed;
    uint64_t now_ns;
    uint64_t order;
    uint64_t event_count;
    struct world_event **heap; /* heap[0] is the next */
    size_t count;
    size_t capacity;
    uint64_t trace_hash;
    bool is_trace_on;
    uint64_t line_count;
    struct trace_line lines[TRACE_LINES]; /* a ring */
};

struct world *world_new(uint64_t seed)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    world->seed = seed;
    world->trace_hash = seed;
    return world;
}

void world_free(struct world *world)
{
    if (world != NULL) {
        mem_free(world->heap);
        mem_free(world);
    }
}

uint64_t world_seed(const struct world *world)
{
    return world->seed;
}

uint64_t world_now_ns(const struct world *world)
{
    return world->now_ns;
}

uint64_t world_event_count(const struct world *world)
{
    return world->event_count;
}

/* ---- the queue: a heap that knows where each event stands ---- */

static bool is_before(const struct world_event *a, const struct world_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order; /* W1 */
}

static void put(struct world *world, size_t place, struct world_event *event)
{
    world->heap[place] = event;
    event->place = place + 1;
}

static void sift_up(struct world *world, size_t place, struct world_event *event)
{
    while (place > 0) {
        size_t parent = (place - 1) / HEAP_ARITY;
        if (!is_before(event, world->heap[parent])) {
            break;
        }
        put(world, place, world->heap[parent]);
        place = parent;
    }
    put(world, place, event);
}

static void sift_down(struct world *world, size_t place, struct world_event *event)
{
    for (;;) {
        size_t first = place * HEAP_ARITY + 1;
        if (first >= world->count) {
            break;
        }
        size_t end = first + HEAP_ARITY < world->count ? first + HEAP_ARITY : world->count;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++) {
            if (is_before(world->heap[child], world->heap[least])) {
                least = child;
            }
        }
        if (!is_before(world->heap[least], event)) {
            break;
        }
        put(world, place, world->heap[least]);
        place = least;
    }
    put(world, place, event);
}

void world_cancel(struct world *world, struct world_event *event)
{
    if (event->place == 0) {
        return;
    }
    size_t place = event->place - 1;
    ASSERT(world->heap[place] == event);
    event->place = 0;
    world->count--;
    if (place == world->count) {
        return;
    }
    struct world_event *last = world->heap[world->count];
    if (place > 0 && is_before(last, world->heap[(place - 1) / HEAP_ARITY])) {
        sift_up(world, place, last);
    } else {
        sift_down(world, place, last);
    }
}

void world_schedule(struct world *world, struct world_event *event, uint64_t at_ns)
{
    ASSERT(event->run != NULL);
    world_cancel(world, event);
    event->at_ns = at_ns < world->now_ns ? world->now_ns : at_ns;
    event->order = world->order++;
    if (world->count == world->capacity) {
        world->capacity = world->capacity == 0 ? 256 : world->capacity * 2;
        world->heap = mem_realloc(world->heap, world->capacity, sizeof(*world->heap));
    }
    world->count++;
    sift_up(world, world->count - 1, event);
}

struct world_event *world_peek(const struct world *world)
{
    return world->count > 0 ? world->heap[0] : NULL;
}

struct world_event *world_pop(struct world *world)
{
    struct world_event *event = world_peek(world);
    if (event != NULL) {
        world_cancel(world, event);
        ASSERT(event->at_ns >= world->now_ns);
        world->now_ns = event->at_ns;
        world->event_count++;
    }
    return event;
}

/* ---- chance ---- */

void world_chance(const struct world *world, const char *name, struct prng *out_prng)
{
    prng_init(out_prng, hash64(slice_from_text(name), world->seed));
}

bool chance_hits(struct prng *prng, uint32_t per_million)
{
    return per_million > 0 && prng_below(prng, 1000000) < per_million;
}

uint64_t chance_between(struct prng *prng, uint64_t low, uint64_t high)
{
    ASSERT(low <= high);
    return low + prng_below(prng, high - low + 1);
}

uint64_t chance_log(struct prng *prng, uint64_t low, uint64_t high)
{
    ASSERT(low > 0 && low <= high);
    /* Without floating point, which compilers may round differently: draw a power of two, then
     * within it. */
    unsigned doublings = 0;
    while (low <= (high >> doublings) / 2) {
        doublings++;
    }
    uint64_t begin = low << prng_below(prng, doublings + 1);
    uint64_t end = begin <= high / 2 ? begin * 2 - 1 : high;
    return chance_between(prng, begin, end);
}

/* ---- the trace ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

static uint64_t text_word(const char *text)
{
    uint64_t word = 0;
    for (; *text != '\0'; text++) {
        word = word * 31 + (uint8_t)*text;
    }
    return word;
}

static void print_line(const struct trace_line *line)
{
    (void)printf("%12.6f ", (double)line->at_ns / 1e9);
    if (line->host != 0) {
        (void)printf("n%" PRIu32 " ", line->host);
    } else {
        (void)printf("-- ");
    }
    (void)printf("%s %" PRIu64 " %" PRIu64 "\n", line->what, line->a, line->b);
}

void world_trace(struct world *world, const char *what, uint32_t host, uint64_t a, uint64_t b)
{
    struct trace_line *line = &world->lines[world->line_count % TRACE_LINES];
    *line = (struct trace_line){world->now_ns, what, host, a, b};
    world->line_count++;
    uint64_t hash = mix(mix(world->trace_hash, text_word(what)), host);
    world->trace_hash = mix(mix(mix(hash, world->now_ns), a), b);
    if (world->is_trace_on) {
        print_line(line);
    }
}

uint64_t world_trace_hash(const struct world *world)
{
    return world->trace_hash;
}

void world_trace_on(struct world *world)
{
    world->is_trace_on = true;
}

void world_trace_last(const struct world *world, uint32_t host, size_t count_max,
                      void (*each)(void *ctx, const struct trace_line *line), void *ctx)
{
    uint64_t oldest = world->line_count > TRACE_LINES ? world->line_count - TRACE_LINES : 0;
    uint64_t begin = world->line_count;
    for (size_t found = 0; begin > oldest && found < count_max; begin--) {
        const struct trace_line *line = &world->lines[(begin - 1) % TRACE_LINES];
        found += host == UINT32_MAX || line->host == host ? 1 : 0;
    }
    for (uint64_t i = begin; i < world->line_count; i++) {
        const struct trace_line *line = &world->lines[i % TRACE_LINES];
        if (host == UINT32_MAX || line->host == host) {
            each(ctx, line);
        }
    }
}
