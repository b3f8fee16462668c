#include "store/backup.h"

#include "base/assert.h"
#include "base/mem.h"
#include "store/checkpoint.h"
#include "store/record.h"
#include "store/region.h"
#include "store/snapshot_int.h"

#define READ_SIZE (1u << 20)
#define MAP_SIZE (64u << 20) /* as a new store's; it grows by what comes in */

/* ---- checked as it comes ---- */

/* The users' records of a chunk that was checked, down to their own checksums. */
static void hand_out(const struct store_backup_check *check, struct reader records)
{
    struct slice key;
    struct slice bytes;
    while (store_snapshot_next_record(&records, &key, &bytes)) {
        struct store_record record;
        err e = store_record_decode(bytes, key, &record);
        ASSERT(e == OK);
        check->record(check->ctx, key, &record);
    }
}

/* A head or a chunk is all there. */
static err take_whole(struct store_backup_check *check)
{
    if (check->chunk_size == 0) {
        return store_snapshot_chunk_size(check->chunk.data, &check->chunk_size);
    }
    struct reader records;
    err e = store_snapshot_check(&check->snapshot, writer_slice(&check->chunk), &records);
    if (e == OK && check->record != NULL && check->snapshot.space == STORE_SPACE_USER) {
        hand_out(check, records);
    }
    writer_reset(&check->chunk);
    check->chunk_size = 0;
    return e;
}

err store_backup_take(struct store_backup_check *check, struct slice bytes)
{
    while (bytes.size > 0) {
        if (check->snapshot.is_complete) {
            return ERR_DAMAGED; /* there is nothing behind the end */
        }
        size_t whole = check->chunk_size == 0 ? STORE_SNAPSHOT_HEAD_SIZE : check->chunk_size;
        size_t missing = whole - check->chunk.size;
        size_t size = bytes.size < missing ? bytes.size : missing;
        writer_bytes(&check->chunk, (struct slice){bytes.data, size});
        bytes = (struct slice){bytes.data + size, bytes.size - size};
        check->size_bytes += size;
        if (size == missing) {
            err e = take_whole(check);
            if (e != OK) {
                return e;
            }
        }
    }
    return OK;
}

err store_backup_finish(const struct store_backup_check *check, struct store_backup *out_backup)
{
    if (!check->snapshot.is_complete) {
        return ERR_DAMAGED;
    }
    *out_backup = (struct store_backup){
        .state = check->snapshot.region,
        .whole = check->snapshot.chain.whole,
        .size_bytes = check->size_bytes,
    };
    return OK;
}

void store_backup_check_deinit(struct store_backup_check *check)
{
    writer_deinit(&check->chunk);
}

/* ---- files ---- */

static err refuse(const char *path, err e, struct err_note *note)
{
    if (e == ERR_DAMAGED) {
        return err_note_set(note, e, "%s is no whole backup: it was cut short, or damaged since",
                            path);
    }
    if (e == ERR_VERSION) {
        return err_note_set(note, e, "%s was written by a newer pontoon: restore it with that one",
                            path);
    }
    return err_note_set(note, e, "read %s: %s", path, err_title(e));
}

static err check_file(struct env_file *file, struct store_backup_check *check)
{
    uint8_t *block = mem_alloc(READ_SIZE);
    size_t size = READ_SIZE;
    err e = OK;
    for (uint64_t offset = 0; e == OK && size == READ_SIZE; offset += size) {
        e = env_file_read(file, offset, block, READ_SIZE, &size);
        if (e == OK) {
            e = store_backup_take(check, (struct slice){block, size});
        }
    }
    mem_free(block);
    return e;
}

err store_backup_read(struct env *env, const char *path, struct store_backup *out_backup,
                      struct err_note *note)
{
    struct env_file *file;
    err e = env_file_open(env, path, ENV_OPEN_READ, &file, note);
    if (e != OK) {
        return e;
    }
    struct store_backup_check check = {.size_bytes = 0};
    e = check_file(file, &check);
    if (e == OK) {
        e = store_backup_finish(&check, out_backup);
    }
    store_backup_check_deinit(&check);
    env_file_close(file);
    return e == OK ? OK : refuse(path, e, note);
}

/* One attempt; ERR_MAP_FULL: again, with a larger map. */
static err put_all(struct env *env, const char *path, struct checkpoint *checkpoint,
                   const struct store_region *state, struct err_note *note)
{
    struct store_staged *staged;
    err e = store_staged_open(env, path, &staged, note);
    if (e != OK) {
        return e;
    }
    struct writer encoded = {0};
    store_region_encode(state, &encoded);
    struct checkpoint_replacement replacement = {
        .range = {SLICE_EMPTY, SLICE_EMPTY}, /* there is one region: all keys are its */
        .region = {.id = state->id, .state = writer_slice(&encoded)},
        .size_bytes = store_staged_size(staged),
        .next = store_staged_next,
        .ctx = staged,
    };
    store_checkpoint_replace_reserve(checkpoint, &replacement);
    e = store_checkpoint_replace(checkpoint, &replacement);
    writer_deinit(&encoded);
    store_staged_close(staged);
    return e == OK || e == ERR_MAP_FULL ? e : refuse(path, e, note);
}

err store_backup_restore(struct env *env, const char *path, const char *directory,
                         const struct store_region *state, struct err_note *note)
{
    struct checkpoint *checkpoint;
    const struct checkpoint_options options = {
        .env = env, .directory = directory, .map_size_bytes = MAP_SIZE};
    err e = store_checkpoint_open(&checkpoint, &options, note);
    if (e != OK) {
        return e;
    }
    ASSERT(store_checkpoint_figures(checkpoint).records[STORE_SPACE_USER] == 0);
    ASSERT(store_checkpoint_figures(checkpoint).records[STORE_SPACE_SYSTEM] == 0);
    while ((e = put_all(env, path, checkpoint, state, note)) == ERR_MAP_FULL) {
        store_checkpoint_grow(checkpoint);
    }
    store_checkpoint_close(checkpoint);
    return e;
}
