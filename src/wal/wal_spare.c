#include "wal/wal_spare.h"

#include <errno.h>

#include "base/assert.h"
#include "wal/wal_writer.h"

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
    size_t coming = spares->make.is_running ? 1 : 0;
    return spares->count + coming < spares->count_max;
}

void wal_spares_adopt(struct wal_spares *spares, const struct wal_spare *spare)
{
    ASSERT(spares->count < WAL_SPARES_MAX);
    spares->list[spares->count] = *spare;
    spares->count++;
}

bool wal_spares_take(struct wal_spares *spares, struct wal_spare *out_spare)
{
    if (spares->count == 0) {
        return false;
    }
    *out_spare = spares->list[0];
    spares->count--;
    for (size_t i = 0; i < spares->count; i++) {
        spares->list[i] = spares->list[i + 1];
    }
    return true;
}

/* ---- making ahead ---- */

static void make_run(struct env_job *job)
{
    struct wal_make *make = CONTAINER_OF(job, struct wal_make, job);
    errno = 0;
    if (make->file == NULL) {
        unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE;
        wal_must(env_file_open(make->env, make->path, flags, &make->file, NULL), "create",
                 make->path);
        wal_must(env_file_allocate(make->file, make->size), "allocate", make->path);
    }
    uint64_t left = make->size - make->filled;
    uint64_t chunk = left < CHUNK_SIZE ? left : CHUNK_SIZE;
    wal_must(wal_file_zero(make->file, make->filled, chunk), "write", make->path);
    wal_must(env_file_sync(make->file), "sync", make->path);
    make->filled += chunk;
    if (make->filled == make->size) {
        wal_must(env_rename(make->env, make->path, make->target_path), "rename", make->path);
    }
}

static void make_done(struct env_job *job)
{
    struct wal_make *make = CONTAINER_OF(job, struct wal_make, job);
    struct wal_spares *spares = CONTAINER_OF(make, struct wal_spares, make);
    if (make->filled < make->size) {
        if (!spares->is_closing) {
            env_worker_submit(spares->worker, &make->job);
        }
        return;
    }
    make->is_running = false;
    struct wal_spare spare = {.number = make->number, .file = make->file};
    make->file = NULL;
    wal_spares_adopt(spares, &spare);
}

void wal_spares_make_ahead(struct wal_spares *spares)
{
    struct wal_make *make = &spares->make;
    if (spares->count > 0 || make->is_running || spares->recycle.is_running || spares->is_closing) {
        return;
    }
    make->job = (struct env_job){.run = make_run, .done = make_done};
    make->is_running = true;
    make->env = spares->env;
    make->number = wal_spares_number(spares);
    make->size = spares->segment_size;
    make->filled = 0;
    wal_path_format(make->path, spares->directory, WAL_FILE_NEW, make->number);
    wal_path_format(make->target_path, spares->directory, WAL_FILE_SPARE, make->number);
    env_worker_submit(spares->worker, &make->job);
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
        spares->recycled(spares->ctx);
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
    env_file_close(spares->make.file);
    if (spares->make.is_running) {
        /* What is half made is of no use; should it stay, the next start deletes it. */
        (void)!env_unlink(spares->env, spares->make.path);
    }
    ASSERT(!spares->recycle.is_running);
}
