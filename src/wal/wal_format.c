#include "wal/wal_format.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/crc32c.h"

static const uint8_t HEADER_MAGIC[8] = {'P', 'O', 'N', 'T', 'O', 'W', 'A', 'L'};
static const uint8_t MARK_MAGIC[8] = {'P', 'O', 'N', 'T', 'S', 'Y', 'N', 'C'};

/* Both sectors have magic, version and CRC in the same places, for ever (F3). */
enum {
    AT_VERSION = 8,
    AT_SECTOR_CRC = WAL_SECTOR_SIZE - 4,
};

enum {
    AT_CLUSTER_ID = 16,
    AT_NODE = 24,
    AT_SEQUENCE = 32,
    AT_SIZE = 40,
    AT_FIRST_BATCH = 48,
    AT_PREVIOUS_END = 56,
    AT_PREVIOUS_CRC = 64,
    AT_SALT = 72,
};

enum {
    AT_MARK_COUNT = 16,
    AT_MARK_SEQUENCE = 24,
    AT_MARK_END = 32,
    AT_MARK_LAST_CRC = 40,
};

enum {
    AT_RECORD_CRC = 0,
    AT_RECORD_PREVIOUS_CRC = 4,
    AT_RECORD_BATCH = 8,
    AT_RECORD_REGION = 16,
    AT_RECORD_SIZE = 24,
    AT_RECORD_KIND = 28,
    AT_RECORD_FLAGS = 29,
    AT_RECORD_CHECK = 30,
};

/* ---- sectors ---- */

static void sector_begin(uint8_t *target, const uint8_t *magic)
{
    memset(target, 0, WAL_SECTOR_SIZE);
    memcpy(target, magic, sizeof(HEADER_MAGIC));
    store_u32(target + AT_VERSION, WAL_VERSION);
}

static uint32_t sector_seal(uint8_t *target)
{
    uint32_t crc = crc32c(0, target, AT_SECTOR_CRC);
    store_u32(target + AT_SECTOR_CRC, crc);
    return crc;
}

/* The CRC comes before the version: a flipped bit in the version is damage. */
static err sector_check(const uint8_t *source, const uint8_t *magic)
{
    if (memcmp(source, magic, sizeof(HEADER_MAGIC)) != 0) {
        return ERR_DAMAGED;
    }
    if (load_u32(source + AT_SECTOR_CRC) != crc32c(0, source, AT_SECTOR_CRC)) {
        return ERR_DAMAGED;
    }
    return load_u32(source + AT_VERSION) == WAL_VERSION ? OK : ERR_VERSION;
}

void wal_header_encode(struct wal_header *header, uint8_t target[WAL_SECTOR_SIZE])
{
    ASSERT(header->sequence > 0);
    ASSERT(header->first_batch > 0);
    sector_begin(target, HEADER_MAGIC);
    store_u64(target + AT_CLUSTER_ID, header->cluster_id);
    store_u64(target + AT_NODE, header->node);
    store_u64(target + AT_SEQUENCE, header->sequence);
    store_u64(target + AT_SIZE, header->size);
    store_u64(target + AT_FIRST_BATCH, header->first_batch);
    store_u64(target + AT_PREVIOUS_END, header->previous_end);
    store_u32(target + AT_PREVIOUS_CRC, header->previous_crc);
    store_u64(target + AT_SALT, header->salt);
    header->crc = sector_seal(target);
}

err wal_header_decode(const uint8_t source[WAL_SECTOR_SIZE], struct wal_header *out_header)
{
    err e = sector_check(source, HEADER_MAGIC);
    if (e != OK) {
        return e;
    }
    *out_header = (struct wal_header){
        .cluster_id = load_u64(source + AT_CLUSTER_ID),
        .node = load_u64(source + AT_NODE),
        .sequence = load_u64(source + AT_SEQUENCE),
        .size = load_u64(source + AT_SIZE),
        .first_batch = load_u64(source + AT_FIRST_BATCH),
        .previous_end = load_u64(source + AT_PREVIOUS_END),
        .previous_crc = load_u32(source + AT_PREVIOUS_CRC),
        .salt = load_u64(source + AT_SALT),
        .crc = load_u32(source + AT_SECTOR_CRC),
    };
    return OK;
}

void wal_mark_encode(const struct wal_mark *mark, uint8_t target[WAL_SECTOR_SIZE])
{
    ASSERT(mark->sequence > 0);
    ASSERT(mark->end >= WAL_SECTOR_SIZE);
    sector_begin(target, MARK_MAGIC);
    store_u64(target + AT_MARK_COUNT, mark->count);
    store_u64(target + AT_MARK_SEQUENCE, mark->sequence);
    store_u64(target + AT_MARK_END, mark->end);
    store_u32(target + AT_MARK_LAST_CRC, mark->last_crc);
    sector_seal(target);
}

err wal_mark_decode(const uint8_t source[WAL_SECTOR_SIZE], struct wal_mark *out_mark)
{
    err e = sector_check(source, MARK_MAGIC);
    if (e != OK) {
        return e;
    }
    *out_mark = (struct wal_mark){
        .count = load_u64(source + AT_MARK_COUNT),
        .sequence = load_u64(source + AT_MARK_SEQUENCE),
        .end = load_u64(source + AT_MARK_END),
        .last_crc = load_u32(source + AT_MARK_LAST_CRC),
    };
    return OK;
}

/* ---- records ---- */

/*
 * The CRC of a head without its check, which is the low half of that CRC. F1: CRC32C of four
 * differing bytes is a bijection, so no two offsets of a segment have one seed.
 */
static uint32_t head_crc(const uint8_t *head, uint32_t header_crc, uint64_t offset)
{
    uint8_t place[8];
    store_u64(place, offset);
    uint32_t seed = crc32c(header_crc, place, sizeof(place));
    return crc32c(seed, head + AT_RECORD_PREVIOUS_CRC, AT_RECORD_CHECK - AT_RECORD_PREVIOUS_CRC);
}

void wal_record_encode(uint8_t head[WAL_RECORD_HEAD_SIZE], enum wal_kind kind, region_id region,
                       size_t payload_size)
{
    ASSERT(payload_size <= UINT32_MAX);
    memset(head, 0, WAL_RECORD_HEAD_SIZE);
    store_u32(head + AT_RECORD_SIZE, (uint32_t)payload_size);
    head[AT_RECORD_KIND] = (uint8_t)kind;
    store_u64(head + AT_RECORD_REGION, region);
}

uint32_t wal_record_seal(uint8_t *head, size_t head_size, struct slice data,
                         const struct wal_seal *seal)
{
    ASSERT(head_size >= WAL_RECORD_HEAD_SIZE);
    ASSERT(load_u32(head + AT_RECORD_SIZE) == head_size - WAL_RECORD_HEAD_SIZE + data.size);
    store_u32(head + AT_RECORD_PREVIOUS_CRC, seal->previous_crc);
    head[AT_RECORD_FLAGS] = seal->flags;
    store_u64(head + AT_RECORD_BATCH, seal->batch);
    uint32_t crc = head_crc(head, seal->header_crc, seal->offset);
    store_u16(head + AT_RECORD_CHECK, (uint16_t)crc);
    crc = crc32c(crc, head + AT_RECORD_CHECK, head_size - AT_RECORD_CHECK);
    crc = crc32c(crc, data.data, data.size);
    store_u32(head + AT_RECORD_CRC, crc);
    return crc;
}

/* What stands in the head, unchecked, if there is room for all of it and it is no empty place. */
static bool parse_record(struct slice bytes, struct wal_record *out_record)
{
    if (bytes.size < WAL_RECORD_HEAD_SIZE) {
        return false;
    }
    const uint8_t *head = bytes.data;
    size_t size = load_u32(head + AT_RECORD_SIZE);
    uint64_t batch = load_u64(head + AT_RECORD_BATCH);
    if (batch == 0 || size > bytes.size - WAL_RECORD_HEAD_SIZE) {
        return false;
    }
    *out_record = (struct wal_record){
        .crc = load_u32(head + AT_RECORD_CRC),
        .previous_crc = load_u32(head + AT_RECORD_PREVIOUS_CRC),
        .kind = (enum wal_kind)head[AT_RECORD_KIND],
        .flags = head[AT_RECORD_FLAGS],
        .batch = batch,
        .region = load_u64(head + AT_RECORD_REGION),
        .payload = {head + WAL_RECORD_HEAD_SIZE, size},
    };
    return true;
}

err wal_record_decode_head(struct slice bytes, uint32_t header_crc, uint64_t offset,
                           struct wal_record *out_record)
{
    struct wal_record record;
    if (!parse_record(bytes, &record) || (uint16_t)head_crc(bytes.data, header_crc, offset) !=
                                             load_u16(bytes.data + AT_RECORD_CHECK)) {
        return ERR_DAMAGED;
    }
    *out_record = record;
    return OK;
}

err wal_record_decode(struct slice bytes, uint32_t header_crc, uint64_t offset,
                      struct wal_record *out_record)
{
    struct wal_record record;
    if (!parse_record(bytes, &record)) {
        return ERR_DAMAGED;
    }
    uint32_t crc = head_crc(bytes.data, header_crc, offset);
    if ((uint16_t)crc != load_u16(bytes.data + AT_RECORD_CHECK)) {
        return ERR_DAMAGED;
    }
    crc = crc32c(crc, bytes.data + AT_RECORD_CHECK,
                 WAL_RECORD_HEAD_SIZE - AT_RECORD_CHECK + record.payload.size);
    if (crc != record.crc) {
        return ERR_DAMAGED;
    }
    *out_record = record;
    return OK;
}

struct wal_record wal_record_view(struct slice bytes)
{
    struct wal_record record;
    bool is_there = parse_record(bytes, &record);
    ASSERT(is_there);
    return record;
}

bool wal_head_is_entry(const uint8_t *head, region_id *out_region, struct raft_pos *out_pos)
{
    if (head[AT_RECORD_KIND] != WAL_KIND_ENTRY) {
        return false;
    }
    *out_region = load_u64(head + AT_RECORD_REGION);
    out_pos->index = load_u64(head + WAL_RECORD_HEAD_SIZE);
    out_pos->term = load_u64(head + WAL_RECORD_HEAD_SIZE + 8);
    return true;
}

/* ---- payloads ---- */

void wal_entry_encode(uint8_t target[WAL_ENTRY_HEAD_SIZE], struct raft_pos pos,
                      enum entry_type type)
{
    store_u64(target, pos.index);
    store_u64(target + 8, pos.term);
    target[16] = (uint8_t)type;
}

err wal_entry_decode(struct slice payload, struct entry *out_entry, struct slice *out_data)
{
    if (payload.size < WAL_ENTRY_HEAD_SIZE) {
        return ERR_MALFORMED;
    }
    const uint8_t *head = payload.data;
    if (load_u64(head) == 0 || load_u64(head) >= UINT64_MAX - 1) { /* there is always a next one */
        return ERR_MALFORMED;
    }
    if (head[16] > ENTRY_BOOTSTRAP) {
        return ERR_VERSION;
    }
    *out_entry = (struct entry){
        .pos = {.term = load_u64(head + 8), .index = load_u64(head)},
        .type = (enum entry_type)head[16],
        .data = NULL,
    };
    *out_data = (struct slice){head + WAL_ENTRY_HEAD_SIZE, payload.size - WAL_ENTRY_HEAD_SIZE};
    return OK;
}

void wal_hard_state_encode(uint8_t target[WAL_HARD_STATE_PAYLOAD_SIZE],
                           const struct hard_state *hard_state)
{
    store_u64(target, hard_state->term);
    store_u64(target + 8, hard_state->vote);
    store_u64(target + 16, hard_state->commit);
}

err wal_hard_state_decode(struct slice payload, struct hard_state *out_hard_state)
{
    if (payload.size != WAL_HARD_STATE_PAYLOAD_SIZE) {
        return ERR_MALFORMED;
    }
    *out_hard_state = (struct hard_state){
        .term = load_u64(payload.data),
        .vote = load_u64(payload.data + 8),
        .commit = load_u64(payload.data + 16),
    };
    return OK;
}

void wal_pos_encode(uint8_t target[WAL_POS_PAYLOAD_SIZE], struct raft_pos pos)
{
    store_u64(target, pos.index);
    store_u64(target + 8, pos.term);
}

err wal_pos_decode(struct slice payload, struct raft_pos *out_pos)
{
    if (payload.size != WAL_POS_PAYLOAD_SIZE) {
        return ERR_MALFORMED;
    }
    *out_pos = (struct raft_pos){
        .term = load_u64(payload.data + 8),
        .index = load_u64(payload.data),
    };
    return out_pos->index < UINT64_MAX - 1 ? OK : ERR_MALFORMED;
}
