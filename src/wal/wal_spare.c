#include "wal/wal_spare.h"

#include <errno.h>

#include "base/assert.h"
#include "wal/wal_writer.h"

#define RETRY_MS 1000u
#define CHUNK_SIZE                                                                                 \
    (256u << 10) /* how long a batch may have to wait for us: its write and its sync */

void wal_spares_reserve(struct wal_spares *spares, uint64_t number)
{
    if (number >= spares->next_number) {
        spares->next_number = number + 1;
    }
}

uint64_t wal_spares_number(struct wal_spares *spares)
{
    return spares->next_number++;
}

bool wal_spares_has_room(const struct wal_spares *spares)
{
    bool is_coming =
        spares->make.stage != WAL_MAKE_NONE && spares->make.size == spares->segment_size;
    return spares->count + (is_coming ? 1 : 0) < spares->count_max;
}

void wal_spares_adopt(struct wal_spares *spares, const struct wal_spare *spare)
{
    ASSERT(spares->count < WAL_SPARES_MAX);
    spares->list[spares->count] = *spare;
    spares->count++;
}

bool wal_spares_fits(const struct wal_spares *spares, uint64_t size)
{
    return size <= spares->segment_size ? spares->count > 0
                                        : spares->large.file != NULL && spares->large_size >= size;
}

struct wal_spare wal_spares_take(struct wal_spares *spares, uint64_t size, uint64_t *out_size)
{
    ASSERT(wal_spares_fits(spares, size));
    struct wal_spare spare = spares->large;
    if (size > spares->segment_size) {
        *out_size = spares->large_size;
        spares->large.file = NULL;
        return spare;
    }
    spare = spares->list[0];
    *out_size = spares->segment_size;
    spares->count--;
    for (size_t i = 0; i < spares->count; i++) {
        spares->list[i] = spares->list[i + 1];
    }
    return spare;
}

bool wal_spares_has_reserve(const struct wal_spares *spares)
{
    return spares->count > 0 || !spares->has_no_space;
}

uint64_t wal_spares_bytes(const struct wal_spares *spares)
{
    uint64_t bytes = spares->count * spares->segment_size;
    bytes += spares->large.file != NULL ? spares->large_size : 0;
    return bytes + (spares->make.stage != WAL_MAKE_NONE ? spares->make.size : 0);
}

/* ---- making ahead ---- */

/* P4: nothing of it is written yet, so without space there is nothing to be repaired. */
static void make_reserve(struct wal_make *make)
{
    if (make->obsolete != NULL) {
        env_file_close(make->obsolete);
        make->obsolete = NULL;
        wal_must(env_unlink(make->env, make->obsolete_path), "delete", make->obsolete_path);
    }
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE;
    make->e = env_file_open(make->env, make->path, flags, &make->file, NULL);
    if (make->e == OK) {
        make->e = env_file_allocate(make->file, make->size);
        if (make->e == ERR_NO_SPACE) {
            env_file_close(make->file);
            make->file = NULL;
            wal_must(env_unlink(make->env, make->path), "delete", make->path);
        }
    }
    if (make->e != ERR_NO_SPACE) {
        wal_must(make->e, "reserve", make->path);
    }
}

static void make_fill(struct wal_make *make)
{
    wal_must(wal_file_zero(make->file, make->filled, make->chunk), "write", make->path);
    wal_must(env_file_sync(make->file), "sync", make->path);
    make->filled += make->chunk;
    if (make->filled == make->size) {
        wal_must(env_rename(make->env, make->path, make->target_path), "rename", make->path);
    }
}

static void make_run(struct env_job *job)
{
    struct wal_make *make = CONTAINER_OF(job, struct wal_make, job);
    errno = 0;
    if (make->stage == WAL_MAKE_RESERVING) {
        make_reserve(make);
    } else {
        make_fill(make);
    }
}

static void make_begin(struct wal_spares *spares, uint64_t size)
{
    struct wal_make *make = &spares->make;
    ASSERT(make->stage == WAL_MAKE_NONE);
    ASSERT(make->file == NULL);
    make->stage = WAL_MAKE_RESERVING;
    make->is_wanted = false;
    make->is_urgent = false;
    make->env = spares->env;
    make->number = wal_spares_number(spares);
    make->size = size;
    make->filled = 0;
    wal_path_format(make->path, spares->directory, WAL_FILE_NEW, make->number);
    wal_path_format(make->target_path, spares->directory, WAL_FILE_SPARE, make->number);
    if (size > spares->segment_size && spares->large.file != NULL) {
        /* The batch has grown while it was being made. */
        make->obsolete = spares->large.file;
        wal_path_format(make->obsolete_path, spares->directory, WAL_FILE_SPARE,
                        spares->large.number);
        spares->large.file = NULL;
    }
}

/* The blocks are there, or not. */
static void make_reserved(struct wal_spares *spares)
{
    struct wal_make *make = &spares->make;
    spares->has_no_space = make->e != OK;
    if (make->e != OK) {
        make->stage = WAL_MAKE_NONE;
        spares->retry_at_ms = env_now_ms(spares->env) + RETRY_MS;
    } else {
        make->stage = make->is_wanted ? WAL_MAKE_FILLING : WAL_MAKE_RESERVED;
    }
}

/* It is filled, and has a spare's name. */
static void make_finished(struct wal_spares *spares)
{
    struct wal_make *make = &spares->make;
    struct wal_spare spare = {.number = make->number, .file = make->file};
    make->file = NULL;
    make->stage = WAL_MAKE_NONE;
    if (make->size == spares->segment_size) {
        wal_spares_adopt(spares, &spare);
        return;
    }
    ASSERT(spares->large.file == NULL);
    spares->large = spare;
    spares->large_size = make->size;
}

static void make_submit(struct wal_spares *spares)
{
    struct wal_make *make = &spares->make;
    uint64_t left = make->size - make->filled;
    make->chunk = left < CHUNK_SIZE || make->is_urgent ? left : CHUNK_SIZE;
    env_worker_submit(spares->worker, &make->job);
}

static void make_done(struct env_job *job)
{
    struct wal_make *make = CONTAINER_OF(job, struct wal_make, job);
    struct wal_spares *spares = CONTAINER_OF(make, struct wal_spares, make);
    if (make->stage == WAL_MAKE_RESERVING) {
        make_reserved(spares);
    } else if (make->filled == make->size) {
        make_finished(spares);
    }
    if (make->stage == WAL_MAKE_FILLING && !spares->is_closing) {
        make_submit(spares);
    } else if (!spares->is_closing) {
        spares->changed(spares->ctx);
    }
}

/* Whether nothing stands in the way of making one; after a refusal only when its time is over. */
static bool can_make(const struct wal_spares *spares)
{
    return spares->make.stage == WAL_MAKE_NONE && !spares->recycle.is_running &&
           !spares->is_closing &&
           (!spares->has_no_space || env_now_ms(spares->env) >= spares->retry_at_ms);
}

static void make_start(struct wal_spares *spares, uint64_t size)
{
    make_begin(spares, size);
    spares->make.job = (struct env_job){.run = make_run, .done = make_done};
    make_submit(spares);
}

/* What is reserved, or about to be, is filled as well. */
static void make_fill_too(struct wal_spares *spares)
{
    struct wal_make *make = &spares->make;
    make->is_wanted = true;
    if (make->stage == WAL_MAKE_RESERVED && !spares->is_closing) {
        make->stage = WAL_MAKE_FILLING;
        make_submit(spares);
    }
}

void wal_spares_reserve_ahead(struct wal_spares *spares)
{
    if (spares->count == 0 && can_make(spares)) {
        make_start(spares, spares->segment_size);
    }
}

void wal_spares_make_ahead(struct wal_spares *spares)
{
    wal_spares_reserve_ahead(spares);
    if (spares->count == 0) {
        make_fill_too(spares);
    }
}

static uint64_t size_to_make(const struct wal_spares *spares, uint64_t size)
{
    return size <= spares->segment_size ? spares->segment_size : wal_sector_round(size + size / 4);
}

void wal_spares_make(struct wal_spares *spares, uint64_t size)
{
    if (size > spares->segment_size && can_make(spares)) {
        make_start(spares, size_to_make(spares, size));
    } else if (size <= spares->segment_size) {
        wal_spares_reserve_ahead(spares);
    }
    spares->make.is_urgent = true;
    make_fill_too(spares);
}

err wal_spares_make_now(struct wal_spares *spares, uint64_t size)
{
    struct wal_make *make = &spares->make;
    ASSERT(spares->is_closing);
    if (make->stage == WAL_MAKE_NONE) {
        make_begin(spares, size_to_make(spares, size));
        make_reserve(make);
        if (make->e != OK) {
            make->stage = WAL_MAKE_NONE;
            return make->e;
        }
    }
    make->chunk = make->size - make->filled;
    make_fill(make);
    make_finished(spares);
    return OK;
}

/* ---- recycling ---- */

static void recycle_run(struct env_job *job)
{
    struct wal_recycle *recycle = CONTAINER_OF(job, struct wal_recycle, job);
    errno = 0;
    if (recycle->is_kept) {
        wal_must(env_rename(recycle->env, recycle->path, recycle->target_path), "rename",
                 recycle->path);
    } else {
        env_file_close(recycle->file);
        recycle->file = NULL;
        wal_must(env_unlink(recycle->env, recycle->path), "delete", recycle->path);
    }
    wal_must(env_dir_sync(recycle->env, recycle->directory), "sync", recycle->directory); /* P2 */
}

static void recycle_done(struct env_job *job)
{
    struct wal_recycle *recycle = CONTAINER_OF(job, struct wal_recycle, job);
    struct wal_spares *spares = CONTAINER_OF(recycle, struct wal_spares, recycle);
    recycle->is_running = false;
    if (recycle->is_kept) {
        struct wal_spare spare = {.number = recycle->number, .file = recycle->file};
        recycle->file = NULL;
        wal_spares_adopt(spares, &spare);
    }
    if (!spares->is_closing) {
        spares->changed(spares->ctx);
    }
}

void wal_spares_recycle(struct wal_spares *spares, const struct wal_segment *segment)
{
    struct wal_recycle *recycle = &spares->recycle;
    ASSERT(!recycle->is_running);
    ASSERT(segment->file != NULL);
    recycle->job = (struct env_job){.run = recycle_run, .done = recycle_done};
    recycle->is_running = true;
    recycle->env = spares->env;
    recycle->directory = spares->directory;
    recycle->number = wal_spares_number(spares);
    recycle->file = segment->file;
    recycle->is_kept = segment->size == spares->segment_size && wal_spares_has_room(spares);
    wal_path_format(recycle->path, spares->directory, WAL_FILE_SEGMENT, segment->sequence);
    wal_path_format(recycle->target_path, spares->directory, WAL_FILE_SPARE, recycle->number);
    env_worker_submit(spares->worker, &recycle->job);
}

void wal_spares_deinit(struct wal_spares *spares)
{
    for (size_t i = 0; i < spares->count; i++) {
        env_file_close(spares->list[i].file);
    }
    spares->count = 0;
    env_file_close(spares->large.file);
    if (spares->make.file != NULL) {
        env_file_close(spares->make.file);
        /* What is half made is of no use; should it stay, the next start deletes it. */
        (void)!env_unlink(spares->env, spares->make.path);
    }
    ASSERT(!spares->recycle.is_running);
}
