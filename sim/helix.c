#include "sim/helix.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "proto/entry.h"
#include "wal/wal_format.h"
#include "wal/wal_segment.h"

#define SEGMENTS_MAX 4096u

/* The newest record of an entry; inode NULL: there is none. */
struct strand_record {
    uint64_t term;
    struct inode *inode;
    uint64_t offset;
    uint64_t size;
};

/* What one host's log has, by index. */
struct strand {
    struct strand_record *records;
    uint64_t capacity;
    uint64_t compacted;
    struct inode *segments[SEGMENTS_MAX]; /* in the order of their names, which is the log's */
    uint64_t sequences[SEGMENTS_MAX];
    size_t segment_count;
};

static void collect_segment(void *ctx, const char *path, struct inode *inode)
{
    struct strand *strand = ctx;
    const char *slash = strrchr(path, '/');
    uint64_t sequence;
    if (slash == NULL || wal_name_parse(slash + 1, &sequence) != WAL_FILE_SEGMENT) {
        return;
    }
    ASSERT(strand->segment_count < SEGMENTS_MAX);
    size_t i = strand->segment_count++;
    for (; i > 0 && strand->sequences[i - 1] > sequence; i--) {
        strand->sequences[i] = strand->sequences[i - 1];
        strand->segments[i] = strand->segments[i - 1];
    }
    strand->sequences[i] = sequence;
    strand->segments[i] = inode;
}

static void note_entry(struct strand *strand, uint64_t index, const struct strand_record *record)
{
    if (index >= strand->capacity) {
        uint64_t capacity = 2 * index + 64;
        strand->records = mem_realloc(strand->records, capacity, sizeof(*strand->records));
        memset(strand->records + strand->capacity, 0,
               (capacity - strand->capacity) * sizeof(*strand->records));
        strand->capacity = capacity;
    }
    strand->records[index] = *record;
}

static void note_record(struct strand *strand, struct inode *inode, uint64_t offset,
                        const struct wal_record *record)
{
    struct entry entry;
    struct slice data;
    struct raft_pos pos;
    if (record->kind == WAL_KIND_ENTRY && wal_entry_decode(record->payload, &entry, &data) == OK) {
        const struct strand_record noted = {entry.pos.term, inode, offset, wal_record_size(record)};
        note_entry(strand, entry.pos.index, &noted);
    } else if (record->kind != WAL_KIND_HARD_STATE && wal_pos_decode(record->payload, &pos) == OK) {
        strand->compacted = pos.index > strand->compacted ? pos.index : strand->compacted;
    }
}

/* Record after record, as long as they are whole: the log is, but for a torn end. */
static void read_segment(struct strand *strand, struct inode *inode)
{
    size_t size = inode_extent(inode);
    uint8_t *bytes = mem_alloc(size + 1);
    struct wal_header header;
    struct wal_record record;
    size = inode_read(inode, 0, bytes, size);
    uint64_t offset = WAL_SECTOR_SIZE;
    uint64_t batch = 0;
    bool is_whole = size > WAL_SECTOR_SIZE && wal_header_decode(bytes, &header) == OK;
    while (is_whole && offset < size) {
        struct slice rest = {bytes + offset, size - offset};
        is_whole = wal_record_decode(rest, header.crc, offset, &record) == OK &&
                   record.batch >= batch; /* else of an earlier life of the place */
        if (is_whole) {
            note_record(strand, inode, offset, &record);
            batch = record.batch;
            offset += wal_record_size(&record);
            offset = (record.flags & WAL_FLAG_LAST) != 0 ? wal_sector_round(offset) : offset;
        }
    }
    mem_free(bytes);
}

/* Entry `index` is everywhere the same, and needed. */
static bool is_common(struct strand *const strands[HELIX_HOSTS], uint64_t index)
{
    for (uint32_t i = 0; i < HELIX_HOSTS; i++) {
        const struct strand *strand = strands[i];
        if (index <= strand->compacted || index >= strand->capacity ||
            strand->records[index].inode == NULL ||
            strand->records[index].term != strands[0]->records[index].term) {
            return false;
        }
    }
    return true;
}

static void flip(const struct strand_record *record, struct prng *chance)
{
    uint64_t at = record->offset + prng_below(chance, record->size);
    inode_rot(record->inode, at, (uint8_t)(1u << prng_below(chance, 8)));
}

uint32_t helix_rot(struct host *const hosts[HELIX_HOSTS], struct prng *chance)
{
    struct strand *strands[HELIX_HOSTS];
    uint32_t counts[HELIX_HOSTS] = {0};
    uint32_t total = 0;
    for (uint32_t i = 0; i < HELIX_HOSTS; i++) {
        strands[i] = mem_calloc(1, sizeof(*strands[i]));
        disk_each(hosts[i]->disk, collect_segment, strands[i]);
        for (size_t k = 0; k < strands[i]->segment_count; k++) {
            read_segment(strands[i], strands[i]->segments[k]);
        }
    }
    for (uint64_t index = 1; index < strands[0]->capacity; index++) {
        counts[index % HELIX_HOSTS] += is_common(strands, index) ? 1 : 0;
    }
    bool is_for_all = counts[0] > 0 && counts[1] > 0 && counts[2] > 0;
    for (uint64_t index = 1; is_for_all && index < strands[0]->capacity; index++) {
        if (is_common(strands, index)) {
            flip(&strands[index % HELIX_HOSTS]->records[index], chance);
            total++;
        }
    }
    for (uint32_t i = 0; i < HELIX_HOSTS; i++) {
        mem_free(strands[i]->records);
        mem_free(strands[i]);
    }
    return total;
}
