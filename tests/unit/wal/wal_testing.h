/*
 * What the tests of the log share: a log in a directory of its own, entries whose bytes follow from
 * where they stand, and images of the directory: what a crash leaves, and what damage does to it.
 */
#ifndef WAL_TESTING_H
#define WAL_TESTING_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "env/uv.h"
#include "wal/wal_int.h"

#define CLUSTER UINT64_C(0x1122334455667788)
#define NODE 3u
#define PATH_SIZE 256
#define ENTRIES_MAX 4096u

/* ---- a log ---- */

struct fixture {
    struct env *env;
    struct wal *wal;
    struct wal_options options;
    uint64_t persisted; /* the last ticket that was reported */
    struct err_note note;
    char directory[PATH_SIZE];
};

static inline void fixture_persisted(void *ctx, uint64_t ticket)
{
    struct fixture *fixture = ctx;
    assert_true(ticket > fixture->persisted);
    fixture->persisted = ticket;
}

/* In memory where there is such a place: thousands of logs are synced here. */
static inline void fixture_init(struct fixture *fixture, uint64_t segment_size)
{
    *fixture = (struct fixture){.env = env_uv_open()};
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(fixture->directory, PATH_SIZE, "%s/pontoon-wal-XXXXXX", parent);
    assert_non_null(mkdtemp(fixture->directory));
    fixture->options = (struct wal_options){
        .env = fixture->env,
        .directory = fixture->directory,
        .cluster_id = CLUSTER,
        .node = NODE,
        .segment_size_bytes = segment_size,
        .persisted = fixture_persisted,
        .ctx = fixture,
    };
}

static inline err fixture_try_open(struct fixture *fixture)
{
    fixture->persisted = 0;
    fixture->note.text[0] = '\0';
    return wal_open(&fixture->wal, &fixture->options, &fixture->note);
}

static inline void fixture_open(struct fixture *fixture)
{
    if (fixture_try_open(fixture) != OK) {
        fail_msg("wal_open: %s", fixture->note.text);
    }
}

static inline void fixture_close(struct fixture *fixture)
{
    wal_close(fixture->wal);
    fixture->wal = NULL;
    env_uv_run_once(fixture->env, false);
}

static inline void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

static inline void directory_clear(const char *directory)
{
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            char path[2 * PATH_SIZE];
            (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
            assert_int_equal(unlink(path), 0);
        }
    }
    (void)closedir(dir);
}

static inline void fixture_deinit(struct fixture *fixture)
{
    wal_close(fixture->wal);
    env_uv_close(fixture->env);
    directory_clear(fixture->directory);
    assert_int_equal(rmdir(fixture->directory), 0);
}

/* Runs turns until `condition` holds: what the log does by itself comes with its worker's jobs. */
#define AWAIT(fixture, condition)                                                                  \
    do {                                                                                           \
        while (!(condition)) {                                                                     \
            env_uv_run_once((fixture)->env, true);                                                 \
        }                                                                                          \
    } while (0)

/* Waits until the log's worker has nothing to do. */
static inline void fixture_settle(struct fixture *fixture)
{
    const struct wal *wal = fixture->wal;
    const struct wal_spares *spares = &wal->spares;
    AWAIT(fixture,
          !wal->is_writing && !spares->recycle.is_running &&
              (spares->make.stage == WAL_MAKE_NONE || spares->make.stage == WAL_MAKE_RESERVED));
}

/* Waits until `ticket` is durable. */
static inline void fixture_wait(struct fixture *fixture, uint64_t ticket)
{
    wal_flush(fixture->wal);
    AWAIT(fixture, fixture->persisted >= ticket);
}

/* ---- entries ---- */

/* The data of an entry: its size and bytes follow from its place. */
static inline struct buf *entry_data(region_id region, struct raft_pos pos, size_t size)
{
    if (size == 0) {
        return NULL;
    }
    struct buf *data = buf_new(size);
    for (size_t i = 0; i < size; i++) {
        data->data[i] = (uint8_t)(region * 31 + pos.index * 7 + pos.term * 13 + i);
    }
    return data;
}

/* Appends entries [first, first + count) of `term`, `size` bytes each; returns the ticket. */
static inline uint64_t append(struct fixture *fixture, region_id region, struct raft_pos first,
                              uint32_t count, size_t size)
{
    struct entry *entries = mem_calloc(count, sizeof(*entries));
    for (uint32_t i = 0; i < count; i++) {
        entries[i].pos = (struct raft_pos){.term = first.term, .index = first.index + i};
        entries[i].type = (enum entry_type)(entries[i].pos.index % 4);
        entries[i].data = entry_data(region, entries[i].pos, size);
    }
    uint64_t ticket = wal_append(fixture->wal, &(struct wal_append){
                                                   .region = region,
                                                   .entries = entries,
                                                   .entry_count = count,
                                               });
    for (uint32_t i = 0; i < count; i++) {
        buf_unref(entries[i].data);
    }
    mem_free(entries);
    return ticket;
}

/* The same, and waits until it is durable. */
static inline void append_wait(struct fixture *fixture, region_id region, struct raft_pos first,
                               uint32_t count, size_t size)
{
    fixture_wait(fixture, append(fixture, region, first, count, size));
}

static inline void vote_wait(struct fixture *fixture, region_id region, uint64_t term, node_id vote)
{
    struct hard_state hard_state = {.term = term, .vote = vote, .commit = term * 2};
    fixture_wait(fixture, wal_append(fixture->wal, &(struct wal_append){
                                                       .region = region,
                                                       .hard_state = &hard_state,
                                                   }));
}

/* Entry `pos` must be what `append` made of it with `size` bytes. */
static inline void expect_entry(struct fixture *fixture, region_id region, struct raft_pos pos,
                                size_t size)
{
    struct entry entry;
    uint32_t count = 0;
    assert_int_equal(wal_read(fixture->wal,
                              &(struct wal_range){region, pos.index, pos.index + 1, 0}, &entry, 1,
                              &count),
                     OK);
    assert_int_equal(count, 1);
    assert_int_equal(entry.pos.index, pos.index);
    assert_int_equal(entry.pos.term, pos.term);
    assert_int_equal(entry.type, pos.index % 4);
    uint64_t term;
    assert_int_equal(wal_term(fixture->wal, region, pos.index, &term), OK);
    assert_int_equal(term, pos.term);
    struct buf *expected = entry_data(region, pos, size);
    assert_true(slice_equal(buf_slice(entry.data), buf_slice(expected)));
    buf_unref(expected);
    buf_unref(entry.data);
}

static inline void expect_entries(struct fixture *fixture, region_id region, struct raft_pos first,
                                  uint32_t count, size_t size)
{
    for (uint32_t i = 0; i < count; i++) {
        expect_entry(fixture, region, (struct raft_pos){first.term, first.index + i}, size);
    }
}

static inline void expect_bounds(struct fixture *fixture, region_id region, uint64_t compacted,
                                 uint64_t last)
{
    struct wal_bounds bounds = wal_bounds(fixture->wal, region);
    assert_int_equal(bounds.compacted.index, compacted);
    assert_int_equal(bounds.last_index, last);
}

/* ---- files ---- */

#define FILES_MAX 512

struct file_image {
    char name[64];
    uint8_t *data;
    size_t size;
};

/* All files of a directory, by name. */
struct image {
    struct file_image files[FILES_MAX];
    size_t count;
};

static inline void file_read(const char *path, struct file_image *file)
{
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    long size = ftell(stream);
    assert_true(size >= 0);
    rewind(stream);
    file->size = (size_t)size;
    file->data = mem_alloc(file->size);
    assert_int_equal(fread(file->data, 1, file->size, stream), file->size);
    (void)fclose(stream);
}

static inline int file_image_compare(const void *a, const void *b)
{
    const struct file_image *left = a;
    const struct file_image *right = b;
    return strcmp(left->name, right->name);
}

/* What a crash of the process would leave at this moment. */
static inline void image_take(struct image *image, const char *directory)
{
    image->count = 0;
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        assert_true(image->count < FILES_MAX);
        struct file_image *file = &image->files[image->count];
        assert_true(strlen(entry->d_name) < sizeof(file->name));
        memcpy(file->name, entry->d_name, strlen(entry->d_name) + 1);
        char path[2 * PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/%.63s", directory, file->name);
        file_read(path, file);
        image->count++;
    }
    (void)closedir(dir);
    qsort(image->files, image->count, sizeof(image->files[0]), file_image_compare);
}

static inline void file_write(const char *directory, const struct file_image *file)
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, file->name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(file->data, 1, file->size, stream), file->size);
    assert_int_equal(fclose(stream), 0);
}

static inline void image_put(const struct image *image, const char *directory)
{
    directory_clear(directory);
    for (size_t i = 0; i < image->count; i++) {
        file_write(directory, &image->files[i]);
    }
}

static inline void image_deinit(struct image *image)
{
    for (size_t i = 0; i < image->count; i++) {
        mem_free(image->files[i].data);
    }
    image->count = 0;
}

/* The file called `name`; NULL if there is none. */
static inline struct file_image *image_file(struct image *image, const char *name)
{
    for (size_t i = 0; i < image->count; i++) {
        if (strcmp(image->files[i].name, name) == 0) {
            return &image->files[i];
        }
    }
    return NULL;
}

/* The last segment. */
static inline struct file_image *image_last_segment(struct image *image)
{
    for (size_t i = image->count; i > 0; i--) {
        if (strstr(image->files[i - 1].name, ".seg") != NULL) {
            return &image->files[i - 1];
        }
    }
    fail_msg("no segment");
    return NULL;
}

/* Takes file `name` out of the image. */
static inline void image_remove(struct image *image, const char *name)
{
    struct file_image *file = image_file(image, name);
    assert_non_null(file);
    mem_free(file->data);
    *file = image->files[image->count - 1];
    image->count--;
}

/* Takes the image of an open log's directory and closes the log: as if it had crashed. */
static inline void fixture_crash(struct fixture *fixture, struct image *image)
{
    fixture_settle(fixture);
    image_take(image, fixture->directory);
    fixture_close(fixture);
    image_put(image, fixture->directory);
}

#endif
