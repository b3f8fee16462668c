#include "wal/wal_mark.h"

#include <stdio.h>

#include "base/assert.h"

/* Fills the newest valid mark, if any; ERR_VERSION if a slot is whole and not of our version. */
static err read_slots(struct wal_marks *marks, struct wal_mark *out_mark)
{
    uint8_t bytes[WAL_MARK_FILE_SIZE] = {0};
    size_t size;
    err e = env_file_read(marks->file, 0, bytes, sizeof(bytes), &size);
    if (e != OK) {
        return e;
    }
    for (size_t i = 0; i < WAL_MARK_SLOT_COUNT; i++) {
        struct wal_mark mark;
        e = wal_mark_decode(bytes + i * WAL_SECTOR_SIZE, &mark);
        if (e == ERR_VERSION) {
            return e;
        }
        if (e == OK && mark.count > out_mark->count) {
            *out_mark = mark;
        }
    }
    return OK;
}

err wal_marks_open(struct wal_marks *marks, struct env *env, const char *directory,
                   struct wal_mark *out_mark, enum wal_marks_state *out_state,
                   struct err_note *note)
{
    int path_size = snprintf(marks->path, sizeof(marks->path), "%s/synced", directory);
    ASSERT(path_size > 0);
    ASSERT((size_t)path_size < sizeof(marks->path));
    marks->file = NULL;
    marks->count = 0;
    *out_mark = (struct wal_mark){0};
    *out_state = WAL_MARKS_MISSING;
    unsigned flags = ENV_OPEN_READ | ENV_OPEN_WRITE;
    err e = env_file_open(env, marks->path, flags, &marks->file, note);
    if (e == ERR_NO_FILE) {
        return env_file_open(env, marks->path, flags | ENV_OPEN_CREATE, &marks->file, note);
    }
    if (e != OK) {
        return e;
    }
    e = read_slots(marks, out_mark);
    if (e != OK) {
        return err_note_set(note, e, "%s: %s", marks->path, err_title(e));
    }
    marks->count = out_mark->count;
    *out_state = out_mark->count > 0 ? WAL_MARKS_VALID : WAL_MARKS_DAMAGED;
    return OK;
}

void wal_marks_deinit(struct wal_marks *marks)
{
    env_file_close(marks->file);
    marks->file = NULL;
}

err wal_marks_write(struct wal_marks *marks, struct wal_mark mark)
{
    uint8_t bytes[WAL_SECTOR_SIZE];
    marks->count++;
    mark.count = marks->count;
    wal_mark_encode(&mark, bytes);
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    uint64_t slot = mark.count % WAL_MARK_SLOT_COUNT;
    return env_file_write(marks->file, slot * WAL_SECTOR_SIZE, &part, 1);
}

err wal_marks_sync(struct wal_marks *marks)
{
    return env_file_sync(marks->file);
}
