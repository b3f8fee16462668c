#include "wal/wal_writer.h"

#include <errno.h>

#include "base/assert.h"
#include "env/errno.h"

void wal_must(err e, const char *what, const char *path)
{
    if (e == OK) {
        return;
    }
    if (errno != 0 && env_err_of_errno(errno) == e) {
        fatal(errno, "wal: %s %s", what, path);
    }
    fatal(0, "wal: %s %s: %s", what, path, err_title(e)); /* it was no system call's */
}

static void write_batch(struct wal_write *write)
{
    struct slice header = SLICE_EMPTY;
    uint64_t offset = write->seal.offset;
    if (write->is_new_segment) {
        ASSERT(offset == WAL_SECTOR_SIZE);
        header = (struct slice){write->header, sizeof(write->header)};
        offset = 0;
    }
    int part_count;
    write->last_crc = wal_batch_seal(write->batch, &write->seal, header, &part_count);
    write->end = write->seal.offset + wal_batch_size(write->batch);
    wal_must(env_file_write(write->file, offset, write->batch->parts, part_count), "write",
             write->path);
}

static void write_mark(struct wal_write *write)
{
    struct wal_mark mark = {
        .sequence = write->sequence,
        .end = write->end,
        .last_crc = write->last_crc,
    };
    wal_must(wal_marks_write(write->marks, mark), "write", write->marks->path);
    if (write->is_new_segment) {
        wal_must(wal_marks_sync(write->marks), "sync", write->marks->path);
    }
}

void wal_write_run(struct env_job *job)
{
    struct wal_write *write = CONTAINER_OF(job, struct wal_write, job);
    errno = 0; /* fatal's text is of the call that failed: nothing before it has */
    ASSERT(write->file != NULL);
    write_batch(write);
    uint64_t begin_ns = env_now_ns(write->env);
    wal_must(env_file_sync(write->file), "sync", write->path);
    write->sync_ns = env_now_ns(write->env) - begin_ns;
    if (write->is_new_segment) {
        wal_must(env_rename(write->env, write->source_path, write->path), "rename",
                 write->source_path);
        wal_must(env_dir_sync(write->env, write->directory), "sync", write->directory);
    }
    write_mark(write); /* after the sync: the mark is never ahead of the disk */
}
