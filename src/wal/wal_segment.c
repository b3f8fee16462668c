#include "wal/wal_segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define ZEROS_SIZE (64u << 10)
#define ZERO_PARTS_MAX 16
#define NUMBER_DIGITS 16u

static const uint8_t ZEROS[ZEROS_SIZE];
static const char *const ENDINGS[] = {".seg", ".spare", ".new"};

/* ---- names ---- */

void wal_path_format(char path[WAL_PATH_SIZE], const char *directory, enum wal_file_type type,
                     uint64_t number)
{
    ASSERT(type < WAL_FILE_OTHER);
    int size =
        snprintf(path, WAL_PATH_SIZE, "%s/%016" PRIx64 "%s", directory, number, ENDINGS[type]);
    ASSERT(size > 0);
    ASSERT((size_t)size < WAL_PATH_SIZE);
}

enum wal_file_type wal_name_parse(const char *name, uint64_t *out_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < NUMBER_DIGITS; i++) {
        uint64_t digit;
        if (name[i] >= '0' && name[i] <= '9') {
            digit = (uint64_t)(name[i] - '0');
        } else if (name[i] >= 'a' && name[i] <= 'f') {
            digit = (uint64_t)(name[i] - 'a') + 10;
        } else {
            return WAL_FILE_OTHER;
        }
        number = number << 4 | digit;
    }
    for (size_t type = 0; type < ARRAY_COUNT(ENDINGS); type++) {
        if (strcmp(name + NUMBER_DIGITS, ENDINGS[type]) == 0) {
            *out_number = number;
            return (enum wal_file_type)type;
        }
    }
    return WAL_FILE_OTHER;
}

/* ---- files ---- */

err wal_file_zero(struct env_file *file, uint64_t offset, uint64_t size)
{
    while (size > 0) {
        struct iovec parts[ZERO_PARTS_MAX];
        int part_count = 0;
        uint64_t written = 0;
        while (part_count < ZERO_PARTS_MAX && written < size) {
            uint64_t part_size = size - written < ZEROS_SIZE ? size - written : ZEROS_SIZE;
            parts[part_count] = (struct iovec){(void *)(uintptr_t)ZEROS, part_size};
            part_count++;
            written += part_size;
        }
        err e = env_file_write(file, offset, parts, part_count);
        if (e != OK) {
            return e;
        }
        offset += written;
        size -= written;
    }
    return OK;
}

err wal_file_create(struct env *env, const char *path, uint64_t begin, uint64_t size,
                    struct env_file **out_file, struct err_note *note)
{
    ASSERT(begin <= size);
    struct env_file *file;
    err e = env_file_open(env, path,
                          ENV_OPEN_READ | ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE,
                          &file, note);
    if (e != OK) {
        return e;
    }
    e = env_file_allocate(file, size);
    if (e == OK) {
        e = wal_file_zero(file, begin, size - begin);
    }
    if (e != OK) {
        env_file_close(file);
        return err_note_set(note, e, "%s: cannot fill %" PRIu64 " bytes with zeros: %s", path, size,
                            err_title(e));
    }
    *out_file = file;
    return OK;
}

/* ---- the table ---- */

void wal_segments_deinit(struct wal_segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        env_file_close(segments->list[i].file);
    }
    mem_free(segments->list);
    *segments = (struct wal_segments){0};
}

void wal_segments_push(struct wal_segments *segments, const struct wal_segment *segment)
{
    ASSERT(segment->sequence > 0);
    ASSERT(segment->sequence < UINT32_MAX); /* struct wal_place; 2^32 segments are 256 PiB */
    ASSERT(segment->size <= UINT32_MAX);
    if (segments->count > 0) {
        ASSERT(segment->sequence == segments->list[segments->count - 1].sequence + 1); /* S1 */
    }
    if (segments->count == segments->capacity) {
        segments->capacity = segments->capacity > 0 ? segments->capacity * 2 : 8;
        segments->list = mem_realloc(segments->list, segments->capacity, sizeof(*segments->list));
    }
    segments->list[segments->count] = *segment;
    segments->count++;
    segments->size_bytes += segment->size;
}

struct wal_segment wal_segments_pop(struct wal_segments *segments)
{
    ASSERT(segments->count > 1);
    struct wal_segment oldest = segments->list[0];
    ASSERT(oldest.live_bytes == 0);
    segments->count--;
    memmove(segments->list, segments->list + 1, segments->count * sizeof(*segments->list));
    segments->size_bytes -= oldest.size;
    return oldest;
}

struct wal_segment *wal_segments_at(const struct wal_segments *segments, uint64_t sequence)
{
    ASSERT(segments->count > 0);
    ASSERT(sequence >= segments->list[0].sequence);
    ASSERT(sequence - segments->list[0].sequence < segments->count);
    return &segments->list[sequence - segments->list[0].sequence];
}

struct wal_segment *wal_segments_current(const struct wal_segments *segments)
{
    ASSERT(segments->count > 0);
    return &segments->list[segments->count - 1];
}

void wal_segments_hold(struct wal_segments *segments, uint64_t sequence, uint64_t size)
{
    wal_segments_at(segments, sequence)->live_bytes += size;
    segments->live_bytes += size;
}

void wal_segments_release(struct wal_segments *segments, uint64_t sequence, uint64_t size,
                          uint64_t batch)
{
    struct wal_segment *segment = wal_segments_at(segments, sequence);
    ASSERT(segment->live_bytes >= size);
    segment->live_bytes -= size;
    segments->live_bytes -= size;
    if (segment->release_batch < batch) {
        segment->release_batch = batch;
    }
}
