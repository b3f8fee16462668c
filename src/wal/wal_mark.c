#include "wal/wal_mark.h"

#include <stdio.h>

#include "base/assert.h"

static void format_path(char path[WAL_PATH_SIZE], const char *directory)
{
    int size = snprintf(path, WAL_PATH_SIZE, "%s/synced", directory);
    ASSERT(size > 0);
    ASSERT((size_t)size < WAL_PATH_SIZE);
}

static bool is_blank(const uint8_t *slot)
{
    for (size_t i = 0; i < WAL_SECTOR_SIZE; i++) {
        if (slot[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Fills the view; ERR_VERSION if a slot is whole and not of our version. */
static err read_slots(struct env_file *file, struct wal_marks_view *out_view)
{
    uint8_t bytes[WAL_MARK_FILE_SIZE] = {0};
    size_t size;
    err e = env_file_read(file, 0, bytes, sizeof(bytes), &size);
    if (e != OK) {
        return e;
    }
    *out_view = (struct wal_marks_view){.state = WAL_MARKS_DAMAGED};
    for (size_t i = 0; i < WAL_MARK_SLOT_COUNT; i++) {
        const uint8_t *slot = bytes + i * WAL_SECTOR_SIZE;
        struct wal_mark mark;
        e = wal_mark_decode(slot, &mark);
        if (e == ERR_VERSION) {
            return e;
        }
        if (e == OK && mark.count > out_view->mark.count) {
            out_view->mark = mark;
            out_view->state = WAL_MARKS_VALID;
        }
        out_view->bad_slots += e != OK && !is_blank(slot) ? 1 : 0;
    }
    return OK;
}

err wal_marks_look(struct env *env, const char *directory, struct wal_marks_view *out_view,
                   struct err_note *note)
{
    char path[WAL_PATH_SIZE];
    struct env_file *file = NULL;
    format_path(path, directory);
    *out_view = (struct wal_marks_view){.state = WAL_MARKS_MISSING};
    err e = env_file_open(env, path, ENV_OPEN_READ, &file, note);
    if (e != OK) {
        return e == ERR_NO_FILE ? OK : e;
    }
    e = read_slots(file, out_view);
    env_file_close(file);
    return e == OK ? OK : err_note_set(note, e, "%s: %s", path, err_title(e));
}

err wal_marks_open(struct wal_marks *marks, struct env *env, const char *directory,
                   struct wal_mark *out_mark, enum wal_marks_state *out_state,
                   struct err_note *note)
{
    format_path(marks->path, directory);
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
    struct wal_marks_view view;
    e = read_slots(marks->file, &view);
    if (e != OK) {
        return err_note_set(note, e, "%s: %s", marks->path, err_title(e));
    }
    marks->count = view.mark.count;
    *out_mark = view.mark;
    *out_state = view.state;
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
