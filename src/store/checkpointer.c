/*
 * When the tail is frozen, who writes it, what happens when that fails, how it goes.
 *
 *     apply ──> active ──freeze──> frozen ──written, reader renewed──> drained ──slices──> gone
 *                                  │    ^
 *                                  └────┘ ERR_NO_SPACE: again after 1, 2, 4 … 30 s;
 *                                         ERR_MAP_FULL: at once, with twice the map
 */
#include "base/assert.h"
#include "base/flight.h"
#include "base/mem.h"
#include "store/region.h"
#include "store/store_int.h"

#define BACKOFF_MS_MIN 1000u
#define BACKOFF_MS_MAX 30000u

/* One turn's share of freeing a tail: about 0.3 ms. */
#define DRAIN_STEPS 512u

/*
 * Keys that are written again and again keep the tail small while the log grows: what a restart has
 * to replay, and the log has to keep, is bounded by this many times tail_bytes_max.
 */
#define REPLAY_FACTOR 4u

/* So few bytes of LMDB's pages are no reason for a checkpoint, however small the tail must be. */
#define COPIED_BYTES_MIN (4u << 20)

/* ---- freezing ---- */

/*
 * Of a large file a small tail changes many pages, and LMDB has each of them in memory until the
 * commit, and keeps that memory for the next one. So they are bounded like the tail. Their number
 * then stays far below that (2^17) from which LMDB writes early, and 0.9.24 loses memory.
 */
static bool is_wide(const struct store *store)
{
    uint64_t copied = store_checkpoint_copied_bytes(store->checkpoint, &store->active);
    return copied >= COPIED_BYTES_MIN && copied >= store->options.tail_bytes_max;
}

static bool is_due(const struct store *store)
{
    const struct store_options *options = &store->options;
    if (!store->is_dirty) {
        return false;
    }
    return store_tails_bytes(&store->active) >= options->tail_bytes_max ||
           store->applied_bytes / REPLAY_FACTOR >= options->tail_bytes_max || is_wide(store) ||
           env_now_ms(options->env) - store->dirty_since_ms >= options->checkpoint_age_ms_max;
}

/* The states of the regions that have moved (I4). */
static void batch_fill(struct store *store)
{
    struct checkpoint_batch *batch = &store->batch;
    size_t room = store->region_count;
    store->batch_regions = mem_realloc(store->batch_regions, room, sizeof(*store->batch_regions));
    store->positions = mem_realloc(store->positions, room, sizeof(*store->positions));
    writer_reset(&store->states);
    *batch = (struct checkpoint_batch){.tails = store->frozen, .regions = store->batch_regions};
    for (size_t i = 0; i < store->region_count; i++) {
        const struct store_region *region = store->regions[i];
        if (region->applied.index == region->checkpoint.index) {
            continue;
        }
        size_t begin = store->states.size;
        store_region_encode(region, &store->states);
        store->positions[batch->region_count] = region->applied;
        store->batch_regions[batch->region_count] = (struct checkpoint_region){
            .id = region->id, .state = {NULL, store->states.size - begin}};
        batch->region_count++;
    }
    const uint8_t *state = store->states.data; /* which has stopped moving */
    for (size_t i = 0; i < batch->region_count; i++) {
        store->batch_regions[i].state.data = state;
        state += store->batch_regions[i].state.size;
    }
}

static void freeze(struct store *store)
{
    ASSERT(!store_tails_are_there(&store->frozen));
    ASSERT(store->is_dirty);
    store_tails_freeze(&store->active);
    store->frozen = store->active;
    store->active = store_tails_new();
    store->is_dirty = false;
    store->is_wanted = false;
    store->applied_bytes = 0;
    batch_fill(store); /* of no region, if all that there is are mended records */
    if (store->options.companion.freeze != NULL) {
        store->options.companion.freeze(store->options.companion.ctx);
    }
    flight_note("store freezes its tail", store_tails_count(&store->frozen),
                store_tails_bytes(&store->frozen));
}

/* ---- writing ---- */

void store_job_run(struct env_job *job)
{
    struct store *store = CONTAINER_OF(job, struct store, job);
    const struct store_companion *companion = &store->options.companion;
    if (companion->write != NULL) {
        companion->write(companion->ctx);
    }
    store->job_error = store_checkpoint_write(store->checkpoint, &store->batch);
    if (store->job_error == ERR_NO_SPACE && companion->give_way != NULL &&
        companion->give_way(companion->ctx)) {
        store->job_error = store_checkpoint_write(store->checkpoint, &store->batch);
    }
}

static void submit(struct store *store)
{
    ASSERT(store_tails_are_there(&store->frozen));
    ASSERT(!store->is_writing);
    store->is_writing = true;
    store->stats.is_checkpointing = true;
    store->job_began_ns = env_now_ns(store->options.env);
    env_worker_submit(store->worker, &store->job);
}

static void attempt(struct store *store)
{
    store_checkpoint_reserve(store->checkpoint, &store->batch);
    submit(store);
}

void store_retire_tails(struct store *store, struct store_tails *tails)
{
    if (store_tails_are_there(tails)) {
        store_tails_free(&store->drained); /* nearly always gone long ago */
        store->drained = *tails;
        *tails = (struct store_tails){{NULL}};
    }
}

void store_attempt_succeeded(struct store *store)
{
    store->backoff_ms = 0;
    if (store->failure != OK) {
        LOG_INFO(store->options.log, "checkpoints succeed again");
        store->failure = OK;
    }
}

static void written(struct store *store)
{
    store_checkpoint_refresh(store->checkpoint); /* I3: the frozen tail is not needed any more */
    store->generation++;
    for (size_t i = 0; i < store->batch.region_count; i++) {
        struct store_region *region = store_find_region(store, store->batch_regions[i].id);
        ASSERT(region != NULL);
        region->checkpoint = store->positions[i];
    }
    store_retire_tails(store, &store->frozen);
    store_attempt_succeeded(store);
    uint64_t duration_ns = env_now_ns(store->options.env) - store->job_began_ns;
    histogram_observe(&store->stats.checkpoint_us, duration_ns / 1000);
    store->stats.checkpoints++;
    store_count_tail(store);
    store_count_file(store);
    flight_note("store checkpoint is durable", store->stats.checkpoints, duration_ns / 1000);
    if (store->options.checkpointed != NULL && !store->is_closing) {
        store->options.checkpointed(store->options.ctx);
    }
}

void store_attempt_failed(struct store *store, err e)
{
    uint64_t backoff_ms = 2 * store->backoff_ms;
    backoff_ms = backoff_ms < BACKOFF_MS_MIN ? BACKOFF_MS_MIN : backoff_ms;
    store->backoff_ms = backoff_ms > BACKOFF_MS_MAX ? BACKOFF_MS_MAX : backoff_ms;
    store->retry_at_ms = env_now_ms(store->options.env) + store->backoff_ms;
    store->stats.checkpoint_failures++;
    if (store->failure != e) {
        LOG_ERROR(store->options.log, "checkpoint failed, it will be tried again", LOG_ERR(e),
                  LOG_TEXT("path", store_path(store)),
                  LOG_U64("tail_bytes", store->stats.tail_bytes));
        store->failure = e;
    }
    flight_note("store checkpoint failed", (uint64_t)e, store->backoff_ms);
}

void store_companion_done(struct store *store)
{
    if (store->options.companion.done != NULL) {
        store->options.companion.done(store->options.companion.ctx);
    }
}

void store_job_done(struct env_job *job)
{
    struct store *store = CONTAINER_OF(job, struct store, job);
    ASSERT(store->is_writing);
    store->is_writing = false;
    store_companion_done(store);
    store->stats.is_checkpointing = false;
    if (store->job_error == OK) {
        written(store);
    } else if (store->job_error == ERR_MAP_FULL) { /* the estimate was too low */
        store_checkpoint_grow(store->checkpoint);
        submit(store);
    } else {
        store_attempt_failed(store, store->job_error);
    }
}

void store_checkpointer_deinit(struct store *store)
{
    ASSERT(!store->is_writing);
    store_tails_free(&store->frozen);
    store_tails_free(&store->drained);
    writer_deinit(&store->states);
    writer_deinit(&store->results);
    mem_free(store->batch_regions);
    mem_free(store->positions);
}

/* ---- the interface ---- */

static void drain(struct store *store)
{
    if (!store_tails_drain(&store->drained, DRAIN_STEPS)) {
        env_turn_wake(store->options.env); /* go on, though nothing else may happen */
    }
}

/* After a failure only once its backoff is over. */
static bool may_try(const struct store *store)
{
    return env_now_ms(store->options.env) >= store->retry_at_ms;
}

void store_turn(struct store *store)
{
    drain(store);
    if (store_is_busy(store)) {
        return;
    }
    if (store->install.incoming != NULL) {
        if (may_try(store)) {
            store_install_attempt(store);
        }
    } else if (store_tails_are_there(&store->frozen)) {
        if (may_try(store)) {
            attempt(store);
        }
    } else if (is_due(store) || (store->is_wanted && store->is_dirty)) {
        freeze(store);
        attempt(store);
    }
    if (!store->is_writing) {
        store_scrub_turn(store);
    }
}

void store_checkpoint(struct store *store)
{
    if (store_is_busy(store)) {
        store->is_wanted = !store->is_writing; /* it must not go under in the scrub's pieces */
        return;
    }
    if (store->install.incoming != NULL) {
        store_install_attempt(store);
        return;
    }
    if (!store_tails_are_there(&store->frozen)) {
        if (!store->is_dirty) {
            return;
        }
        freeze(store);
    }
    attempt(store);
}

void store_checkpoint_soon(struct store *store)
{
    if (store->install.incoming == NULL && !store_tails_are_there(&store->frozen)) {
        store_checkpoint(store);
    }
}

bool store_is_full(const struct store *store)
{
    return store->failure == ERR_NO_SPACE;
}

err store_health(const struct store *store)
{
    bool is_outgrown = store_tails_bytes(&store->active) > 2 * store->options.tail_bytes_max;
    if (!is_outgrown || !store_tails_are_there(&store->frozen)) {
        return OK;
    }
    return store->failure != OK ? store->failure : ERR_OVERLOADED;
}
