/*
 * The simulated world's clock, its queue of events, its chance and its trace. Everything that
 * happens in a simulation is an event of this queue; there is one thread and no other time.
 *
 * W1  Events run in the order of (instant, order of scheduling): nothing depends on addresses, on
 *     the real clock or on the machine. Same seed, same trace, same hash.
 * W2  Every source of chance is a stream of its own, split off the seed by name, so that a change
 *     of one part of the simulator does not move the dice of the others.
 * W3  The trace is a hash over every event that is noted, and a ring of the last ones for people.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/prng.h"

#define SIM_US UINT64_C(1000)
#define SIM_MS UINT64_C(1000000)
#define SIM_SECOND UINT64_C(1000000000)
#define SIM_NEVER UINT64_MAX

struct env;
struct world;

/* Something that happens at an instant: a field of whoever it happens to. All zero is idle. */
struct world_event {
    void (*run)(struct world_event *event);
    void (*drop)(struct world_event *event); /* in its place if that life is over; or NULL */
    struct env *env; /* on whose loop thread it runs; NULL: outside of all nodes */
    bool is_quiet;   /* not the loop's own doing (a worker's): no turn ends after it */
    /* The world's own: */
    uint64_t at_ns;
    uint64_t order;
    size_t place; /* in the heap, from 1 on; 0: not queued */
};

/* An empty world; `seed` decides everything in it. Caller frees. */
struct world *world_new(uint64_t seed);
/* Frees the queue, not what the events belong to. NULL: no-op. */
void world_free(struct world *world);

/* What it was made with. */
uint64_t world_seed(const struct world *world);
/* The instant of the event that runs. */
uint64_t world_now_ns(const struct world *world);
/* Events that have run. */
uint64_t world_event_count(const struct world *world);

/* (Re)schedules: `event` runs at `at_ns`, or now if that has passed. It stays its owner's. */
void world_schedule(struct world *world, struct world_event *event, uint64_t at_ns);
/* Takes it out of the queue; idempotent. */
void world_cancel(struct world *world, struct world_event *event);
static inline bool world_is_scheduled(const struct world_event *event)
{
    return event->place != 0;
}
/* The next event and its instant, still queued; NULL: none is left. */
struct world_event *world_peek(const struct world *world);
/* Takes the next event out and moves the clock to it. NULL: none is left. */
struct world_event *world_pop(struct world *world);

/* ---- chance ---- */

/* The stream called `name` of this world's seed (W2). */
void world_chance(const struct world *world, const char *name, struct prng *out_prng);
/* True `per_million` times in a million. */
bool chance_hits(struct prng *prng, uint32_t per_million);
/* Uniform in [low, high]. */
uint64_t chance_between(struct prng *prng, uint64_t low, uint64_t high);
/* In [low, high], each order of magnitude alike. low > 0. */
uint64_t chance_log(struct prng *prng, uint64_t low, uint64_t high);

/* ---- the trace ---- */

/* One noted event: `what` has static storage, `host` is 0 for the world's own. */
struct trace_line {
    uint64_t at_ns;
    const char *what;
    uint32_t host;
    uint64_t a;
    uint64_t b;
};

#define TRACE_LINES 4096u

/* Notes an event in hash and ring, and prints it if the trace is on. */
void world_trace(struct world *world, const char *what, uint32_t host, uint64_t a, uint64_t b);
/* The hash over everything noted so far. */
uint64_t world_trace_hash(const struct world *world);
/* Prints each line to standard output as it is noted. */
void world_trace_on(struct world *world);
/* Calls `each` for the last `count_max` lines of `host` (of all: UINT32_MAX), oldest first. */
void world_trace_last(const struct world *world, uint32_t host, size_t count_max,
                      void (*each)(void *ctx, const struct trace_line *line), void *ctx);

#endif
