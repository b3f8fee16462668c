#include "store/scrub.h"

#include <string.h>

#include "base/assert.h"
#include "base/flight.h"
#include "store/record.h"
#include "store/region.h"
#include "store/store_int.h"

/* ---- a piece, on the worker's thread ---- */

static struct slice place(const struct store_scrub *scrub)
{
    return (struct slice){scrub->from, scrub->from_size};
}

static void set_place(struct store_scrub *scrub, struct slice key, bool is_done)
{
    ASSERT(key.size <= sizeof(scrub->from));
    memmove(scrub->from, key.data, key.size);
    scrub->from_size = (uint16_t)key.size;
    scrub->is_from_done = is_done;
}

static void note_finding(struct store_scrub *scrub, struct slice key, struct slice bytes)
{
    struct store_scrub_finding *finding = &scrub->findings[scrub->finding_count];
    struct store_record record;
    finding->space = scrub->space;
    memcpy(finding->key, key.data, key.size);
    finding->key_size = (uint16_t)key.size;
    if (store_record_decode_in(bytes, scrub->space, key, &record) == OK) {
        finding->revision = record.mod_revision;
        store_snapshot_sum_head(&scrub->sums, scrub->space, key, &record);
    } else {
        finding->revision = 0;
        scrub->is_sum_useless = true;
    }
    scrub->finding_count++;
}

/* B3. */
static bool on_record(void *ctx, struct slice key, struct slice bytes, bool is_found)
{
    struct store_scrub *scrub = ctx;
    if (scrub->is_from_done && slice_equal(key, place(scrub))) {
        return true; /* of the piece before */
    }
    if (key.size == 0 || key.size > store_key_size_max(scrub->space)) {
        scrub->fault = "a key has a size that none can have";
        return false;
    }
    if (scrub->is_from_done && slice_compare(place(scrub), key) > 0) {
        scrub->fault = "its keys are not in order";
        return false;
    }
    if (!is_found) {
        scrub->fault = "looking a key up does not lead to its record";
        return false;
    }
    if (store_snapshot_sum(&scrub->sums, scrub->space, key, bytes) != OK) {
        note_finding(scrub, key, bytes);
    }
    scrub->records++;
    scrub->bytes += key.size + bytes.size;
    set_place(scrub, key, true);
    return scrub->finding_count < SCRUB_FINDINGS_MAX;
}

void store_scrub_run(struct env_job *job)
{
    struct store_scrub *scrub = CONTAINER_OF(job, struct store_scrub, job);
    struct store *store = CONTAINER_OF(scrub, struct store, scrub);
    struct checkpoint_piece piece = {
        .space = scrub->space,
        .from = place(scrub),
        .size_max = SCRUB_PIECE_SIZE,
        .each = on_record,
        .ctx = scrub,
    };
    /* The cursor reads piece.from only before the first record is told, which may replace it. */
    scrub->error = store_checkpoint_walk(store->checkpoint, &piece, &scrub->is_end);
}

/* ---- what follows, on the loop ---- */

static void distrust(struct store *store, const char *why)
{
    store->stats.scrub_faults++;
    if (store->options.distrusted != NULL) {
        store->options.distrusted(store->options.ctx, why);
    }
}

/* The records that were damaged when the piece was read, to whom it concerns. False: it has no
 * room, and the walk has to come back to them. */
static bool tell_findings(struct store *store)
{
    struct store_scrub *scrub = &store->scrub;
    for (uint32_t i = 0; i < scrub->finding_count; i++) {
        const struct store_scrub_finding *finding = &scrub->findings[i];
        struct slice key = {finding->key, finding->key_size};
        if (!store_is_damaged(store, finding->space, key)) {
            continue; /* a write has replaced it since */
        }
        if (finding->space == STORE_SPACE_SYSTEM) {
            distrust(store, "a record of the system's is damaged, which no other member mends");
        } else if (store->options.damaged != NULL &&
                   !store->options.damaged(store->options.ctx, key, finding->revision)) {
            set_place(scrub, key, false);
            scrub->is_end = false;
            scrub->is_sum_useless = true;
            return false;
        }
        store->stats.scrub_damaged++;
    }
    return true;
}

static err compare_region(void *ctx, region_id id, struct slice state)
{
    const struct store_scrub *scrub = ctx;
    struct store_region region;
    err e = store_region_decode(state, id, &region);
    if (e == OK && !store_snapshot_sums_agree(&scrub->sums, &region)) {
        e = ERR_CORRUPT;
    }
    return e;
}

/* The next piece is the space's first. */
static void begin_space(struct store_scrub *scrub, enum store_space space)
{
    scrub->space = space;
    scrub->from_size = 0;
    scrub->is_from_done = false;
}

static void finish_pass(struct store *store, bool is_comparable)
{
    struct store_scrub *scrub = &store->scrub;
    uint64_t now_ms = env_now_ms(store->options.env);
    uint64_t next_ms = scrub->begun_ms + SCRUB_PERIOD_MS;
    ASSERT(store->region_count <= 1); /* all records are its */
    if (is_comparable) {
        err e = store_checkpoint_each_region(store->checkpoint, compare_region, scrub);
        scrub->is_proven = scrub->is_proven || e == OK;
        if (e != OK) {
            distrust(store, "its records are not those that its state counts");
        }
    }
    if (!scrub->is_proven) {
        bool is_moved = scrub->generation != store->generation;
        next_ms = now_ms + (is_moved ? 0 : SCRUB_RETRY_MS);
        scrub->due_ms = next_ms;
    }
    store->stats.scrub_passes++;
    store->stats.scrub_pass_ms = now_ms - scrub->begun_ms;
    store->stats.scrub_pass_records = 0;
    begin_space(scrub, STORE_SPACE_USER);
    scrub->sums = (struct store_snapshot_sums){0};
    scrub->due_ms = scrub->due_ms > next_ms ? scrub->due_ms : next_ms;
    flight_note("store has been scrubbed", store->stats.scrub_passes, now_ms - scrub->begun_ms);
}

/* B2. What was missed is not made up for. */
static void pace(struct store *store)
{
    struct store_scrub *scrub = &store->scrub;
    uint64_t now_ms = env_now_ms(store->options.env);
    if (!scrub->is_proven) {
        scrub->due_ms = now_ms;
        return;
    }
    uint64_t from_ms = scrub->due_ms + 1000 > now_ms ? scrub->due_ms : now_ms;
    scrub->due_ms = from_ms + scrub->bytes * 1000 / store->options.scrub_rate;
}

void store_scrub_done(struct env_job *job)
{
    struct store_scrub *scrub = CONTAINER_OF(job, struct store_scrub, job);
    struct store *store = CONTAINER_OF(scrub, struct store, scrub);
    ASSERT(scrub->is_running);
    scrub->is_running = false;
    if (store->is_closing) {
        return;
    }
    store->stats.scrub_records += scrub->records;
    store->stats.scrub_pass_records += scrub->records;
    store->stats.scrub_bytes += scrub->bytes;
    bool has_fault = scrub->error != OK || scrub->fault != NULL;
    pace(store);
    bool has_room = tell_findings(store);
    bool is_comparable =
        !has_fault && !scrub->is_sum_useless && scrub->generation == store->generation;
    if (has_fault) {
        distrust(store, scrub->fault != NULL ? scrub->fault : "a page cannot be read");
    }
    if (has_room && !has_fault && scrub->is_end && scrub->space == STORE_SPACE_USER) {
        begin_space(scrub, STORE_SPACE_SYSTEM);
    } else if (has_room && (scrub->is_end || has_fault)) {
        finish_pass(store, is_comparable);
    }
    if (env_now_ms(store->options.env) >= scrub->due_ms) {
        env_turn_wake(store->options.env);
    }
}

bool store_is_absence_proven(const struct store *store, struct slice key)
{
    const struct store_tail *active = store->active.of[STORE_SPACE_USER];
    const struct store_tail *frozen = store->frozen.of[STORE_SPACE_USER];
    return store->scrub.is_proven || store->options.scrub_rate == 0 ||
           store_tail_get(active, key) != NULL ||
           (frozen != NULL && store_tail_get(frozen, key) != NULL);
}

void store_scrub_turn(struct store *store)
{
    struct store_scrub *scrub = &store->scrub;
    uint64_t now_ms = env_now_ms(store->options.env);
    if (store->options.scrub_rate == 0 || scrub->is_running || now_ms < scrub->due_ms) {
        return;
    }
    ASSERT(!store->is_writing);
    if (scrub->space == STORE_SPACE_USER && scrub->from_size == 0) {
        scrub->begun_ms = now_ms;
        scrub->generation = store->generation;
        scrub->is_sum_useless = false;
    }
    scrub->is_end = false;
    scrub->fault = NULL;
    scrub->records = 0;
    scrub->bytes = 0;
    scrub->finding_count = 0;
    scrub->is_running = true;
    env_worker_submit(store->worker, &scrub->job);
}
