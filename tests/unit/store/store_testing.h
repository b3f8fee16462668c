/*
 * What the store's tests share: cmocka with its prerequisites, a store in a directory of its own.
 */
#ifndef STORE_TESTING_H
#define STORE_TESTING_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../env/env_testing.h"
#include "base/mem.h"
#include "store/snapshot.h"
#include "store/store.h"

#define REGION 1u

/* The number's key, written into `text`: in the order of the numbers. */
#define KEY_TEXT_SIZE 32u
static inline struct slice key_of(char *text, uint64_t number)
{
    int size = snprintf(text, KEY_TEXT_SIZE, "key-%08llu", (unsigned long long)number);
    return (struct slice){(const uint8_t *)text, (size_t)size};
}

/* A directory and the loop; `store_directory` stands in it and is not made. */
struct place {
    char directory[64];
    char store_directory[80];
    char data_path[96];
    char incoming_directory[96];
    struct env *env;
};

static inline void place_make(struct place *place)
{
    (void)snprintf(place->directory, sizeof(place->directory), "/tmp/pontoon-store-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->store_directory, sizeof(place->store_directory), "%s/store",
                   place->directory);
    (void)snprintf(place->data_path, sizeof(place->data_path), "%s/data.mdb",
                   place->store_directory);
    (void)snprintf(place->incoming_directory, sizeof(place->incoming_directory), "%s/incoming",
                   place->store_directory);
    place->env = env_uv_open();
}

static inline void count_name(void *ctx, const char *name)
{
    (void)name;
    unsigned *count = ctx;
    (*count)++;
}

/* Files of snapshots that come in, complete or not. */
static inline unsigned staged_count(const struct place *place)
{
    unsigned count = 0;
    err e = env_dir_list(place->env, place->incoming_directory, count_name, &count);
    assert_true(e == OK || e == ERR_NO_FILE);
    return count;
}

static inline void place_remove(struct place *place)
{
    assert_int_equal(staged_count(place), 0);
    (void)rmdir(place->incoming_directory);
    env_uv_close(place->env);
    const char *names[] = {"data.mdb", "lock.mdb", "owner.lock", "distrusted", "damaged.mdb"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", place->store_directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(place->store_directory);
    assert_int_equal(rmdir(place->directory), 0);
}

/* A store, and the log that it is fed from: where it stands. */
struct world {
    struct place place;
    struct store_options options;
    struct store *store;
    uint64_t index; /* of the last entry */
    uint64_t stamp_ms;
    unsigned checkpointed; /* how often it was reported */
    void *told;            /* a test's own: what its callbacks were told */
};

static inline void world_on_checkpointed(void *ctx)
{
    struct world *world = ctx;
    world->checkpointed++;
}

/*
 * Opens with what is in world->options, as after a crash or a clean end: the index is the applied
 * one.
 */
static inline void world_open(struct world *world)
{
    struct err_note note = {""};
    world->options.env = world->place.env;
    world->options.directory = world->place.store_directory;
    world->options.checkpointed = world_on_checkpointed;
    world->options.ctx = world;
    err e = store_open(&world->store, &world->options, &note);
    if (e != OK) {
        fail_msg("open: %s: %s", err_name(e), note.text);
    }
    const struct store_region *region = store_region(world->store, REGION);
    world->index = region != NULL ? region->applied.index : 0;
}

static inline struct raft_pos world_next(struct world *world)
{
    world->index++;
    return (struct raft_pos){.term = 1, .index = world->index};
}

/* The region's first entry. */
static inline void world_bootstrap(struct world *world)
{
    struct membership membership = {.conf = {.voters = {.count = 1, .ids = {7}}}};
    struct member member = {.id = 7, .peer_address = "127.0.0.1:4000"};
    assert_true(membership_put(&membership, &member));
    store_apply_membership(world->store, REGION, world_next(world), &membership);
}

/* A store that is new, and has its region. */
static inline void world_make(struct world *world)
{
    place_make(&world->place);
    world_open(world);
    world_bootstrap(world);
}

/* The same for a child process, at a place that its parent makes before and removes after. */
static inline void world_make_in_child(struct world *world)
{
    world->place.env = env_uv_open();
    world_open(world);
    world_bootstrap(world);
}

static inline void world_reopen(struct world *world)
{
    store_close(world->store);
    world_open(world);
}

static inline void world_remove(struct world *world)
{
    store_close(world->store);
    place_remove(&world->place);
}

/* Applies the command as it comes out of the log: decoded from an entry's buf. */
static inline struct command_result world_apply(struct world *world, const struct command *command)
{
    struct buf *owner = command_encode(command);
    struct command decoded;
    assert_int_equal(command_decode(buf_slice(owner), &decoded), OK);
    struct command_result result;
    memset(&result, 0xa5, sizeof(result));
    store_apply(world->store, REGION, world_next(world), &decoded, owner, &result);
    buf_unref(owner);
    return result;
}

static inline struct command_result world_put(struct world *world, struct slice key,
                                              struct slice value)
{
    struct command command = {
        .type = COMMAND_PUT, .stamp_ms = world->stamp_ms, .key = key, .value = value};
    return world_apply(world, &command);
}

static inline struct command_result world_delete(struct world *world, struct slice key)
{
    struct command command = {.type = COMMAND_DELETE, .stamp_ms = world->stamp_ms, .key = key};
    return world_apply(world, &command);
}

/* Checkpoints what there is, and waits for it. */
static inline void world_checkpoint(struct world *world)
{
    uint64_t before = store_stats(world->store)->checkpoints;
    store_checkpoint(world->store);
    while (store_stats(world->store)->checkpoints == before) {
        env_uv_run_once(world->place.env, true);
    }
}

static inline void assert_value(struct world *world, struct slice key, struct slice value)
{
    struct store_record record;
    assert_int_equal(store_get(world->store, key, &record), OK);
    assert_true(slice_equal(record.value, value));
    buf_unref(record.owner);
}

static inline void assert_no_value(struct world *world, struct slice key, err expected)
{
    struct store_record record;
    assert_int_equal(store_get(world->store, key, &record), expected);
}

static inline const struct store_region *world_region(const struct world *world)
{
    return store_region(world->store, REGION);
}

/* ---- snapshots ---- */

/* A whole snapshot: its chunks one after the other, and where each begins. */
#define CHUNKS_MAX 256u
struct chunks {
    struct writer bytes;
    size_t begins[CHUNKS_MAX + 1];
    size_t count;
    struct raft_pos pos;
};

static inline struct slice chunk_at(const struct chunks *chunks, size_t index)
{
    size_t begin = chunks->begins[index];
    return (struct slice){chunks->bytes.data + begin, chunks->begins[index + 1] - begin};
}

/* Reads the rest of an open snapshot. */
static inline void chunks_read(struct chunks *chunks, struct store_snapshot *snapshot,
                               size_t size_max)
{
    bool is_last = false;
    chunks->pos = store_snapshot_pos(snapshot);
    while (!is_last) {
        assert_true(chunks->count < CHUNKS_MAX);
        chunks->begins[chunks->count++] = chunks->bytes.size;
        assert_int_equal(store_snapshot_read(snapshot, size_max, &chunks->bytes, &is_last), OK);
        chunks->begins[chunks->count] = chunks->bytes.size;
    }
}

/* Checkpoints the world if there is something to, and reads its snapshot. */
static inline struct chunks world_export(struct world *world, size_t size_max)
{
    struct chunks chunks = {0};
    struct store_snapshot *snapshot;
    if (world_region(world)->checkpoint.index < world_region(world)->applied.index) {
        world_checkpoint(world);
    }
    assert_int_equal(store_snapshot_open(world->store, REGION, &snapshot), OK);
    chunks_read(&chunks, snapshot, size_max);
    store_snapshot_close(snapshot);
    return chunks;
}

static inline struct store_incoming *world_begin(struct world *world, struct raft_pos pos)
{
    struct store_incoming *incoming;
    struct err_note note = {""};
    err e = store_incoming_begin(world->store, REGION, pos, &incoming, &note);
    if (e != OK) {
        fail_msg("begin: %s: %s", err_name(e), note.text);
    }
    return incoming;
}

/* All chunks, staged: complete. */
static inline struct store_incoming *world_stage(struct world *world, const struct chunks *chunks)
{
    struct store_incoming *incoming = world_begin(world, chunks->pos);
    for (size_t i = 0; i < chunks->count; i++) {
        bool is_last = i + 1 == chunks->count;
        assert_int_equal(store_incoming_write(incoming, chunk_at(chunks, i), is_last), OK);
        assert_true(store_incoming_is_complete(incoming) == is_last);
    }
    return incoming;
}

/* Runs `child` in a process of its own, its standard error thrown away; returns how that ended. */
static inline int status_of(void (*child)(void *ctx), void *ctx)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(98);
        }
        child(ctx);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static inline bool exited_with(int status, int code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* In a child, where cmocka cannot fail: ends it with the line. */
static inline void expect(bool condition, int line)
{
    if (!condition) {
        _exit(line % 256 == 0 ? 1 : line % 256);
    }
}

#define EXPECT(condition) expect((condition), __LINE__)

#endif
