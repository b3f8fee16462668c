/*
 * A staged snapshot becomes the region's state: while the store runs, or at its opening, when a
 * crash has left a complete one (N3).
 *
 *     store_install ──> attempt, at once or in the turn after a checkpoint under way
 *                        │ ^ │ └──> ERR_DAMAGED, ERR_IO ──> file removed, done(e)
 *                        │ │ └──> OK ──> taken over, file removed, done(OK)
 *                        └─┘ ERR_NO_SPACE: again after 1, 2, 4 … 30 s (store_turn);
 *                            ERR_MAP_FULL: at once, with twice the map
 */
#include "base/assert.h"
#include "base/flight.h"
#include "base/mem.h"
#include "store/region.h"
#include "store/snapshot_int.h"
#include "store/store_int.h"

static struct checkpoint_replacement replacement_of(const struct store *store,
                                                    const struct store_region *region,
                                                    uint64_t size_bytes, struct writer *state)
{
    writer_reset(state);
    store_region_encode(region, state);
    return (struct checkpoint_replacement){
        .range = store_region_range(store, region->id),
        .region = {.id = region->id, .state = writer_slice(state)},
        .size_bytes = size_bytes,
        .next = store_staged_next,
    };
}

/* LMDB has it: what the store keeps in memory follows. */
static void take_over(struct store *store, const struct store_region *installed)
{
    store_checkpoint_refresh(store->checkpoint);
    store->generation++;
    struct store_region *region = store_find_region(store, installed->id);
    if (region == NULL) {
        region = store_add_region(store, installed->id);
    }
    *region = *installed;
    store_census_drop(store, region); /* it was of the other state */
    ASSERT(region->checkpoint.index == region->applied.index);
    /* Both tails are older than what was installed, and nobody else's: there is one region. */
    store_retire_tails(store, &store->frozen);
    store_retire_tails(store, &store->active);
    store->active = store_tails_new();
    store->is_dirty = false;
    store->applied_bytes = 0;
    store->due = (struct store_due){0};
    store_count_tail(store);
    store_count_file(store);
}

/* ---- while the store runs ---- */

bool store_is_installing(const struct store *store, region_id region)
{
    const struct store_incoming *incoming = store->install.incoming;
    return incoming != NULL && store_incoming_region(incoming)->id == region;
}

/* On the worker's thread. It removes the file too: of a large one that takes a while. */
void store_install_run(struct env_job *job)
{
    struct store_install *install = CONTAINER_OF(job, struct store_install, job);
    struct store *store = CONTAINER_OF(install, struct store, install);
    const struct store_companion *companion = &store->options.companion;
    const char *path = store_incoming_path(install->incoming);
    struct checkpoint_replacement replacement = install->replacement;
    struct store_staged *staged;
    install->job_error = store_staged_open(store->options.env, path, &staged, NULL);
    if (install->job_error != OK) {
        return;
    }
    replacement.ctx = staged;
    if (companion->replace != NULL) {
        install->job_error = companion->replace(companion->ctx);
    }
    if (install->job_error == OK) {
        install->job_error = store_checkpoint_replace(store->checkpoint, &replacement);
    }
    store_staged_close(staged);
    if (install->job_error == OK) {
        install->unlink_error = env_unlink(store->options.env, path);
    }
}

static void submit(struct store *store)
{
    ASSERT(!store->is_writing);
    store->is_writing = true;
    env_worker_submit(store->worker, &store->install.job);
}

void store_install_attempt(struct store *store)
{
    struct store_install *install = &store->install;
    install->replacement = replacement_of(store, store_incoming_region(install->incoming),
                                          store_incoming_size(install->incoming), &install->state);
    store_checkpoint_replace_reserve(store->checkpoint, &install->replacement);
    submit(store);
}

void store_install(struct store *store, struct store_incoming *incoming,
                   void (*done)(void *ctx, err e), void *ctx)
{
    ASSERT(store->install.incoming == NULL);
    ASSERT(store_incoming_is_complete(incoming));
    const struct store_region *next = store_incoming_region(incoming);
    const struct store_region *region = store_find_region(store, next->id);
    ASSERT(region == NULL || region->applied.index < next->applied.index);
    store->install.incoming = incoming;
    store->install.done = done;
    store->install.ctx = ctx;
    flight_note("store takes a snapshot in", next->id, next->applied.index);
    if (!store_is_busy(store)) {
        store_install_attempt(store);
    }
}

/* The end of it, whatever that is. */
static void finish(struct store *store, err e)
{
    struct store_install *install = &store->install;
    struct store_incoming *incoming = install->incoming;
    install->incoming = NULL;
    if (e == OK) {
        take_over(store, store_incoming_region(incoming));
        store_attempt_succeeded(store);
        if (install->unlink_error != OK) { /* the next store_open tries again */
            LOG_WARN(store->options.log, "a snapshot could not be removed",
                     LOG_ERR(install->unlink_error),
                     LOG_TEXT("path", store_incoming_path(incoming)));
        }
        store_incoming_close(incoming);
    } else {
        store_incoming_discard(incoming);
    }
    flight_note("store has taken a snapshot in", (uint64_t)e, 0);
    if (!store->is_closing) {
        install->done(install->ctx, e);
    }
}

void store_install_done(struct env_job *job)
{
    struct store_install *install = CONTAINER_OF(job, struct store_install, job);
    struct store *store = CONTAINER_OF(install, struct store, install);
    ASSERT(store->is_writing);
    store->is_writing = false;
    store_companion_done(store);
    if (install->job_error == ERR_MAP_FULL) { /* the estimate was too low */
        store_checkpoint_grow(store->checkpoint);
        submit(store);
    } else if (install->job_error == ERR_NO_SPACE) {
        store_attempt_failed(store, install->job_error);
    } else {
        finish(store, install->job_error);
    }
}

void store_install_deinit(struct store *store)
{
    store_incoming_close(store->install.incoming); /* it stays on the disk */
    writer_deinit(&store->install.state);
}

/* ---- at opening ---- */

struct names {
    char **items;
    size_t count;
};

static void add_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    names->items = mem_realloc(names->items, names->count + 1, sizeof(*names->items));
    names->items[names->count++] = mem_strdup(name);
}

static bool ends_with(const char *name, struct slice suffix)
{
    struct slice text = slice_from_text(name);
    struct slice end = {text.data + text.size - suffix.size, suffix.size};
    return text.size >= suffix.size && slice_equal(end, suffix);
}

/* Opens the file anew for each attempt: one that the map ends has read some of it. */
static err redo(struct store *store, const char *path, struct err_note *note)
{
    struct store_staged *staged;
    err e = store_staged_open(store->options.env, path, &staged, note);
    if (e != OK) {
        return e;
    }
    const struct store_region *next = store_staged_region(staged);
    const struct store_region *region = store_find_region(store, next->id);
    if (region == NULL && store->region_count > 0) { /* nothing of ours has put it there */
        e = err_note_set(note, ERR_DAMAGED, "%s is of another region", path);
    } else if (region == NULL || region->applied.index < next->applied.index) {
        struct writer state = {0};
        struct checkpoint_replacement replacement =
            replacement_of(store, next, store_staged_size(staged), &state);
        replacement.ctx = staged;
        store_checkpoint_replace_reserve(store->checkpoint, &replacement);
        e = store_checkpoint_replace(store->checkpoint, &replacement);
        writer_deinit(&state);
        if (e == OK) {
            take_over(store, next);
            LOG_INFO(store->options.log, "a snapshot that had come in was taken over",
                     LOG_U64("region", next->id), LOG_U64("index", next->applied.index));
        } else {
            err_note_set(note, e, "take %s over: %s", path, err_title(e));
        }
    }
    store_staged_close(staged);
    return e;
}

/*
 * A damaged file goes, and the old state stays: it was not yet taken over. Whoever has built on it
 * already, as a log that begins after it, has to notice that the store is behind.
 */
static err recover(struct store *store, const char *name, struct err_note *note)
{
    struct writer path = {0};
    writer_format(&path, "%s/%s", store->incoming_directory, name);
    writer_u8(&path, '\0');
    const char *text = (const char *)path.data;
    err e = OK;
    if (ends_with(name, SLICE_LITERAL(STORE_STAGED_SUFFIX))) {
        while ((e = redo(store, text, note)) == ERR_MAP_FULL) {
            store_checkpoint_grow(store->checkpoint);
        }
        if (e == ERR_DAMAGED) {
            LOG_WARN(store->options.log, "a snapshot that had come in is damaged, it is removed",
                     LOG_TEXT("path", text));
            e = OK;
        }
    } else if (!ends_with(name, SLICE_LITERAL(STORE_UNSTAGED_SUFFIX))) {
        writer_deinit(&path);
        return OK; /* not ours */
    }
    if (e == OK) {
        e = env_unlink(store->options.env, text);
        if (e != OK) {
            err_note_set(note, e, "remove %s: %s", text, err_title(e));
        }
    }
    writer_deinit(&path);
    return e;
}

err store_install_recover(struct store *store, struct err_note *note)
{
    struct names names = {0};
    err e = env_dir_list(store->options.env, store->incoming_directory, add_name, &names);
    if (e == ERR_NO_FILE) {
        e = OK;
    } else if (e != OK) {
        err_note_set(note, e, "list %s: %s", store->incoming_directory, err_title(e));
    }
    for (size_t i = 0; i < names.count; i++) {
        if (e == OK) {
            e = recover(store, names.items[i], note);
        }
        mem_free(names.items[i]);
    }
    mem_free(names.items);
    return e;
}
