/* links: wal proto env */
/*
 * Starts a log from a segment whose bytes behind the header are the input. The first byte of the
 * input says whether the records are sealed again before (bit 0: mutations get past the CRCs),
 * whether the file `synced` says that all of it had been durable (bit 1), and whether a byte is
 * damaged after that (bit 2; the input's last two bytes say which). A log that opens must be whole:
 * every entry can be read, it takes another one, and opens again. One that is damaged is looked
 * through for holes, which are offered the entries that had been there, and others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/codec.h"
#include "env/uv.h"
#include "fuzz.h"
#include "wal/wal.h"
#include "wal/wal_format.h"
#include "wal/wal_hole.h"
#include "wal/wal_mend.h"

#define SEGMENT_SIZE_MAX (1u << 16)
#define CLUSTER 7u
#define NODE 1u
#define DIRECTORY_SIZE 128
#define PATH_SIZE 256

enum {
    MODE_SEAL = 1,
    MODE_MARK = 2,
    MODE_DAMAGE = 4,
};

/* One environment and directory for all inputs: the process is the test. */
static struct env *environment;
static char directory[DIRECTORY_SIZE];
static uint8_t image[SEGMENT_SIZE_MAX];

static void path_of(char path[PATH_SIZE], const char *name)
{
    (void)snprintf(path, PATH_SIZE, "%s/%s", directory, name);
}

static void remove_file(void *ctx, const char *name)
{
    (void)ctx;
    char path[PATH_SIZE];
    path_of(path, name);
    ASSERT(unlink(path) == 0);
}

static void clear(void)
{
    ASSERT(env_dir_list(environment, directory, remove_file, NULL) == OK);
}

static void finish(void)
{
    clear();
    (void)rmdir(directory);
    env_uv_close(environment);
    environment = NULL;
}

static void begin(void)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(directory, sizeof(directory), "%s/pontoon-fuzz-XXXXXX", parent);
    ASSERT(mkdtemp(directory) != NULL);
    environment = env_uv_open();
    ASSERT(atexit(finish) == 0);
}

static void put_file(const char *name, const uint8_t *bytes, size_t size)
{
    char path[PATH_SIZE];
    path_of(path, name);
    FILE *stream = fopen(path, "wb");
    ASSERT(stream != NULL);
    ASSERT(fwrite(bytes, 1, size, stream) == size);
    ASSERT(fclose(stream) == 0);
}

/* Makes a chain of records of whatever stands there; returns where it ends. */
static struct wal_mark seal_records(size_t size, uint32_t header_crc)
{
    struct wal_mark mark = {.count = 1, .sequence = 1};
    struct wal_seal seal = {
        .header_crc = header_crc,
        .offset = WAL_SECTOR_SIZE,
        .batch = 1,
        .flags = WAL_FLAG_FIRST,
        .previous_crc = header_crc,
    };
    mark.end = seal.offset;
    mark.last_crc = header_crc;
    while (seal.offset + WAL_RECORD_HEAD_SIZE <= size) {
        uint8_t *head = image + seal.offset;
        size_t payload_size = load_u32(head + 24);
        if (payload_size > size - seal.offset - WAL_RECORD_HEAD_SIZE || head[28] == 0) {
            break;
        }
        bool is_last = (head[29] & WAL_FLAG_LAST) != 0;
        seal.flags = (uint8_t)((seal.flags & WAL_FLAG_FIRST) | (is_last ? WAL_FLAG_LAST : 0));
        seal.previous_crc =
            wal_record_seal(head, WAL_RECORD_HEAD_SIZE + payload_size, SLICE_EMPTY, &seal);
        seal.offset += WAL_RECORD_HEAD_SIZE + payload_size;
        seal.flags = 0;
        if (is_last) {
            seal.offset = wal_sector_round(seal.offset);
            seal.batch++;
            seal.flags = WAL_FLAG_FIRST;
            mark.end = seal.offset;
            mark.last_crc = seal.previous_crc;
        }
    }
    return mark;
}

/* Writes the directory that the input stands for. Returns the segment's size; `image` has what was
 * there before the damage. */
static size_t put_input(uint8_t mode, const uint8_t *data, size_t size)
{
    size_t size_max = SEGMENT_SIZE_MAX - 2 * WAL_SECTOR_SIZE;
    size = size < size_max ? size : size_max;
    size_t file_size = wal_sector_round(WAL_SECTOR_SIZE + size) + WAL_SECTOR_SIZE;
    struct wal_header header = {
        .cluster_id = CLUSTER,
        .node = NODE,
        .sequence = 1,
        .size = file_size,
        .first_batch = 1,
        .salt = 1,
    };
    memset(image, 0, file_size);
    wal_header_encode(&header, image);
    if (size > 0) {
        memcpy(image + WAL_SECTOR_SIZE, data, size);
    }
    size_t spoilt = size < 2 ? 0 : load_u16(data + size - 2) % file_size;
    clear();
    if ((mode & MODE_SEAL) != 0) {
        struct wal_mark mark = seal_records(file_size, header.crc);
        if ((mode & MODE_MARK) != 0) {
            uint8_t marks[WAL_MARK_FILE_SIZE] = {0};
            wal_mark_encode(&mark, marks + WAL_SECTOR_SIZE);
            put_file("synced", marks, sizeof(marks));
        }
    }
    uint8_t mask = (mode & MODE_DAMAGE) != 0 && spoilt >= WAL_SECTOR_SIZE ? 0x5a : 0;
    image[spoilt] ^= mask;
    put_file("0000000000000001.seg", image, file_size);
    image[spoilt] ^= mask;
    return file_size;
}

/* ---- what must hold of a log that opens ---- */

static void on_persisted(void *ctx, uint64_t ticket)
{
    (void)ctx;
    (void)ticket;
}

static struct wal_options options_of_log(void)
{
    return (struct wal_options){
        .env = environment,
        .directory = directory,
        .cluster_id = CLUSTER,
        .node = NODE,
        .segment_size_bytes = SEGMENT_SIZE_MAX,
        .cache_bytes_max = 1, /* what can be read back is read back */
        .persisted = on_persisted,
    };
}

static err open_log(struct wal **out_wal)
{
    const struct wal_options options = options_of_log();
    struct err_note note;
    return wal_open(out_wal, &options, &note);
}

static void check_region(void *ctx, region_id region)
{
    struct wal *wal = ctx;
    struct wal_bounds bounds = wal_bounds(wal, region);
    ASSERT(bounds.last_index >= bounds.compacted.index);
    for (uint64_t i = bounds.compacted.index + 1; i <= bounds.last_index; i++) {
        struct entry entry;
        uint32_t count;
        err e = wal_read(wal, &(struct wal_range){region, i, i + 1, 0}, &entry, 1, &count);
        ASSERT(e == OK);
        ASSERT(count == 1);
        ASSERT(entry.pos.index == i);
        uint64_t term;
        e = wal_term(wal, region, i, &term);
        ASSERT(e == OK);
        ASSERT(entry.pos.term == term);
        buf_unref(entry.data);
    }
}

static void check_log(struct wal *wal)
{
    const region_id region = 4242;
    wal_regions(wal, check_region, wal);
    struct wal_bounds bounds = wal_bounds(wal, region);
    struct entry entry = {.pos = {.term = 1, .index = bounds.last_index + 1}};
    (void)wal_append(wal, &(struct wal_append){
                              .region = region,
                              .entries = &entry,
                              .entry_count = 1,
                          });
    wal_close(wal);
    err e = open_log(&wal);
    ASSERT(e == OK);
    ASSERT(wal_bounds(wal, region).last_index == bounds.last_index + 1);
    wal_regions(wal, check_region, wal);
    wal_close(wal);
}

/* What had been there, or nearly. */
static void offer(struct wal_mend *mend, const struct wal_mend_gap *gap, size_t size)
{
    const struct slice rest = {image + gap->offset, size - gap->offset};
    struct wal_record record;
    struct entry entry;
    struct slice data;
    struct entry empty[WAL_HOLE_ENTRIES_MAX];
    for (uint64_t i = gap->low; i < gap->high; i++) {
        empty[i - gap->low] = (struct entry){.pos = {.term = 1, .index = i}};
    }
    (void)wal_mend_offer(mend, gap->number, empty, (uint32_t)(gap->high - gap->low));
    if (rest.size > WAL_RECORD_HEAD_SIZE && load_u64(rest.data + 8) != 0 &&
        load_u32(rest.data + 24) <= rest.size - WAL_RECORD_HEAD_SIZE) {
        record = wal_record_view(rest);
        if (wal_entry_decode(record.payload, &entry, &data) == OK) {
            entry.data = data.size > 0 ? buf_copy(data) : NULL;
            (void)wal_mend_offer(mend, gap->number, &entry, 1);
            buf_unref(entry.data);
        }
    }
}

/* Of a damaged log: what peers may do about it. */
static void mend(size_t size)
{
    const struct wal_options options = options_of_log();
    const region_id region = load_u64(image + WAL_SECTOR_SIZE + 16);
    struct wal_mend *mend;
    struct err_note note;
    if (wal_mend_open(&mend, &options, region, &note) != OK) {
        return;
    }
    struct wal_mend_gap gap = {.number = 0};
    while (wal_mend_next(mend, gap.number, &gap)) {
        ASSERT(gap.high >= gap.low);
        ASSERT(gap.high - gap.low <= WAL_HOLE_ENTRIES_MAX);
        offer(mend, &gap, size);
        gap.number++;
    }
    const struct wal_range range = {.region = region, .low = 1, .high = 9, .size_max = 1};
    struct entry found[8];
    for (uint32_t count = wal_mend_read(mend, &range, found); count > 0; count--) {
        buf_unref(found[count - 1].data);
    }
    wal_mend_close(mend);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (environment == NULL) {
        begin();
    }
    if (size == 0) {
        return 0;
    }
    size_t file_size = put_input(data[0], data + 1, size - 1);
    struct wal *wal;
    err e = open_log(&wal);
    if (e == OK) {
        check_log(wal);
    } else {
        ASSERT(e == ERR_DAMAGED || e == ERR_VERSION);
        mend(file_size);
    }
    env_uv_run_once(environment, false);
    return 0;
}
