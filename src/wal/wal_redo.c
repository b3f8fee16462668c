#include "wal/wal_redo.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "wal/wal_segment.h"

#define VERSION 1u
#define HEAD_SIZE 16u
#define PLACE_SIZE 24u
#define PLACES_MAX 65536u
#define PIECE_SIZE 65536u

static const char magic[8] = {'P', 'O', 'N', 'T', 'R', 'E', 'D', 'O'};

static void format_path(char path[WAL_PATH_SIZE], const char *directory)
{
    int size = snprintf(path, WAL_PATH_SIZE, "%s/" WAL_REDO_NAME, directory);
    ASSERT(size > 0);
    ASSERT((size_t)size < WAL_PATH_SIZE);
}

static err fail(struct err_note *note, err e, const char *path)
{
    return err_note_set(note, e, "%s: %s", path, err_title(e));
}

/* ---- making it ---- */

err wal_redo_note(struct env *env, const char *directory, const struct wal_redo_place *places,
                  uint32_t count, struct err_note *note)
{
    char path[WAL_PATH_SIZE];
    struct env_file *file = NULL;
    struct writer bytes = {0};
    ASSERT(count <= PLACES_MAX);
    format_path(path, directory);
    writer_bytes(&bytes, (struct slice){(const uint8_t *)magic, sizeof(magic)});
    writer_u32(&bytes, VERSION);
    writer_u32(&bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_u64(&bytes, places[i].segment);
        writer_u64(&bytes, places[i].offset);
        writer_u64(&bytes, places[i].size);
    }
    writer_u32(&bytes, crc32c(0, bytes.data, bytes.size));
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE;
    err e = env_file_open(env, path, flags, &file, note);
    if (e == OK) {
        struct iovec part = {.iov_base = bytes.data, .iov_len = bytes.size};
        e = env_file_write(file, 0, &part, 1);
        e = e == OK ? env_file_sync(file) : e;
        e = e == OK ? env_dir_sync(env, directory) : e;
        e = e == OK ? OK : fail(note, e, path);
    }
    env_file_close(file);
    writer_deinit(&bytes);
    return e;
}

/* ---- doing it ---- */

/* Writes what can be read there once more. */
static err rewrite(struct env_file *file, const struct wal_redo_place *place)
{
    uint8_t *piece = mem_alloc(PIECE_SIZE);
    uint64_t done = 0;
    size_t size = 1;
    err e = OK;
    while (e == OK && done < place->size && size > 0) {
        uint64_t left = place->size - done;
        e = env_file_read(file, place->offset + done, piece,
                          left < PIECE_SIZE ? (size_t)left : PIECE_SIZE, &size);
        struct iovec part = {.iov_base = piece, .iov_len = size};
        if (e == OK && size > 0) { /* else the file ends before that */
            e = env_file_write(file, place->offset + done, &part, 1);
        }
        done += size;
    }
    mem_free(piece);
    return e;
}

static err redo_place(struct env *env, const char *directory, const struct wal_redo_place *place,
                      struct err_note *note)
{
    char path[WAL_PATH_SIZE];
    struct env_file *file = NULL;
    wal_path_format(path, directory, WAL_FILE_SEGMENT, place->segment);
    err e = env_file_open(env, path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, note);
    if (e == ERR_NO_FILE) {
        return OK;
    }
    if (e == OK) {
        e = rewrite(file, place);
        e = e == OK ? env_file_sync(file) : e;
        e = e == OK ? OK : fail(note, e, path);
    }
    env_file_close(file);
    return e;
}

static err redo_all(struct env *env, const char *directory, struct slice bytes,
                    struct err_note *note)
{
    struct reader reader = reader_of(bytes);
    struct slice head = reader_bytes(&reader, sizeof(magic));
    uint32_t version = reader_u32(&reader);
    uint32_t count = reader_u32(&reader);
    if (!reader_ok(&reader) || memcmp(head.data, magic, sizeof(magic)) != 0 || version != VERSION ||
        count > PLACES_MAX || bytes.size != HEAD_SIZE + (size_t)count * PLACE_SIZE + 4 ||
        load_u32(bytes.data + bytes.size - 4) != crc32c(0, bytes.data, bytes.size - 4)) {
        return OK; /* it was never durable */
    }
    err e = OK;
    for (uint32_t i = 0; i < count && e == OK; i++) {
        struct wal_redo_place place = {.segment = reader_u64(&reader)};
        place.offset = reader_u64(&reader);
        place.size = reader_u64(&reader);
        e = redo_place(env, directory, &place, note);
    }
    return e;
}

err wal_redo(struct env *env, const char *directory, struct err_note *note)
{
    char path[WAL_PATH_SIZE];
    struct env_file *file = NULL;
    uint64_t size = 0;
    size_t read_size = 0;
    format_path(path, directory);
    err e = env_file_open(env, path, ENV_OPEN_READ, &file, note);
    if (e != OK) {
        return e == ERR_NO_FILE ? OK : e;
    }
    e = env_file_size(file, &size);
    size = size < HEAD_SIZE + (uint64_t)PLACES_MAX * PLACE_SIZE + 4 ? size : 0;
    uint8_t *bytes = mem_alloc((size_t)size + 1);
    if (e == OK) {
        e = env_file_read(file, 0, bytes, (size_t)size, &read_size);
    }
    env_file_close(file);
    e = e == OK ? redo_all(env, directory, (struct slice){bytes, read_size}, note)
                : fail(note, e, path);
    mem_free(bytes);
    if (e == OK) {
        e = wal_redo_forget(env, directory);
        e = e == OK ? OK : fail(note, e, path);
    }
    return e;
}

err wal_redo_forget(struct env *env, const char *directory)
{
    char path[WAL_PATH_SIZE];
    format_path(path, directory);
    err e = env_unlink(env, path);
    return e == OK ? env_dir_sync(env, directory) : e;
}
