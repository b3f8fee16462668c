/* Into a file of its own: see snapshot.h. What becomes of that file is install.c's. */
#include <errno.h>

#include "base/assert.h"
#include "base/mem.h"
#include "store/snapshot_int.h"
#include "store/store_int.h"

/* So that no sync holds up the loop for long, nor the syncs of others on the same disk (Q2). */
#define SYNC_BYTES (1u << 20)

struct store_incoming {
    struct store *store;
    region_id region; /* what was announced */
    struct raft_pos pos;
    char *path; /* when it is complete */
    char *partial_path;
    struct env_file *file; /* NULL: complete, or not even begun */
    uint64_t size;
    uint64_t synced_size;
    struct store_snapshot_check check;
    err failure;
};

static char *path_of(const struct store_incoming *incoming, const char *suffix)
{
    struct writer path = {0};
    writer_format(&path, "%s/%016llx-%016llx-%016llx%s", incoming->store->incoming_directory,
                  (unsigned long long)incoming->region, (unsigned long long)incoming->pos.index,
                  (unsigned long long)incoming->pos.term, suffix);
    writer_u8(&path, '\0');
    char *text = mem_strdup((const char *)path.data);
    writer_deinit(&path);
    return text;
}

static void incoming_free(struct store_incoming *incoming)
{
    env_file_close(incoming->file);
    mem_free(incoming->path);
    mem_free(incoming->partial_path);
    mem_free(incoming);
}

err store_incoming_begin(struct store *store, region_id region, struct raft_pos pos,
                         struct store_incoming **out_incoming, struct err_note *note)
{
    ASSERT(region != 0);
    err e = env_dir_create(store->options.env, store->incoming_directory, note);
    if (e != OK) {
        return e;
    }
    struct store_incoming *incoming = mem_calloc(1, sizeof(*incoming));
    incoming->store = store;
    incoming->region = region;
    incoming->pos = pos;
    incoming->path = path_of(incoming, STORE_STAGED_SUFFIX);
    incoming->partial_path = path_of(incoming, STORE_UNSTAGED_SUFFIX);
    e = env_file_open(store->options.env, incoming->partial_path,
                      ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &incoming->file, note);
    if (e != OK) {
        incoming_free(incoming);
        return e;
    }
    *out_incoming = incoming;
    return OK;
}

/* Only a full disk is lived through; a failed sync is final (E2). */
static err survive(const char *path, err e)
{
    if (e != OK && e != ERR_NO_SPACE) {
        fatal(0, "write %s: %s", path, err_title(e));
    }
    return e;
}

static err append(struct store_incoming *incoming, struct slice chunk)
{
    struct iovec part = {(void *)(uintptr_t)chunk.data, chunk.size};
    err e = env_file_write(incoming->file, incoming->size, &part, 1);
    if (e != OK) {
        return survive(incoming->partial_path, e);
    }
    incoming->size += chunk.size;
    if (incoming->size - incoming->synced_size < SYNC_BYTES && !incoming->check.is_complete) {
        return OK;
    }
    incoming->synced_size = incoming->size;
    return survive(incoming->partial_path, env_file_sync(incoming->file));
}

/* N3: from the rename on it is a redo log. */
static err complete(struct store_incoming *incoming)
{
    struct store *store = incoming->store;
    struct env *env = store->options.env;
    env_file_close(incoming->file);
    incoming->file = NULL;
    err e = env_rename(env, incoming->partial_path, incoming->path);
    if (e == OK) {
        e = env_dir_sync(env, store->incoming_directory);
    }
    if (e == OK) { /* where the directory itself may be new */
        e = env_dir_sync(env, store->directory);
    }
    return survive(incoming->path, e);
}

static err take(struct store_incoming *incoming, struct slice chunk, bool is_last)
{
    struct store_snapshot_check *check = &incoming->check;
    struct reader records;
    err e = store_snapshot_check(check, chunk, &records);
    if (e != OK) {
        return e;
    }
    if (check->region.id != incoming->region ||
        check->region.applied.index != incoming->pos.index ||
        check->region.applied.term != incoming->pos.term || check->is_complete != is_last) {
        return ERR_DAMAGED;
    }
    e = append(incoming, chunk);
    return e == OK && is_last ? complete(incoming) : e;
}

err store_incoming_write(struct store_incoming *incoming, struct slice chunk, bool is_last)
{
    if (incoming->failure != OK) {
        return incoming->failure;
    }
    if (store_incoming_is_complete(incoming)) {
        return ERR_DAMAGED;
    }
    incoming->failure = take(incoming, chunk, is_last);
    return incoming->failure;
}

bool store_incoming_is_complete(const struct store_incoming *incoming)
{
    return incoming->check.is_complete && incoming->failure == OK;
}

const struct membership *store_incoming_membership(const struct store_incoming *incoming)
{
    return &store_incoming_region(incoming)->membership;
}

const struct store_region *store_incoming_region(const struct store_incoming *incoming)
{
    ASSERT(store_incoming_is_complete(incoming));
    return &incoming->check.region;
}

const char *store_incoming_path(const struct store_incoming *incoming)
{
    return incoming->path;
}

uint64_t store_incoming_size(const struct store_incoming *incoming)
{
    return incoming->size;
}

void store_incoming_close(struct store_incoming *incoming)
{
    if (incoming == NULL) {
        return;
    }
    if (store_incoming_is_complete(incoming)) {
        incoming_free(incoming);
    } else {
        store_incoming_discard(incoming);
    }
}

void store_incoming_discard(struct store_incoming *incoming)
{
    if (incoming == NULL) {
        return;
    }
    struct store *store = incoming->store;
    /* A complete one would be installed by the next store_open, and nobody would expect that. */
    bool was_complete = store_incoming_is_complete(incoming);
    /* Which name it has depends on where it failed. */
    const char *paths[] = {incoming->partial_path, incoming->path};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        err e = env_unlink(store->options.env, paths[i]);
        if (e != OK && e != ERR_NO_FILE && was_complete) {
            fatal(errno, "remove %s", paths[i]);
        }
        if (e != OK && e != ERR_NO_FILE) {
            LOG_WARN(store->options.log, "a snapshot could not be removed", LOG_ERR(e),
                     LOG_TEXT("path", paths[i]));
        }
    }
    if (was_complete && env_dir_sync(store->options.env, store->incoming_directory) != OK) {
        fatal(errno, "sync %s", store->incoming_directory);
    }
    incoming_free(incoming);
}
