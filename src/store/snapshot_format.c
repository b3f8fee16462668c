#include "store/snapshot_format.h"

#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "store/record.h"
#include "store/region.h"

#define FORMAT_VERSION 1u
#define MAGIC "pontsnap"

/* Where the fields of a chunk's head stand. */
enum offset {
    OFFSET_NUMBER = 0,
    OFFSET_SIZE = 4,
    OFFSET_KIND = 8,
    OFFSET_RESERVED = 9,
    OFFSET_CRC = 12,
};

#define RECORD_OVERHEAD 6u

_Static_assert(OFFSET_CRC + 4 == STORE_SNAPSHOT_HEAD_SIZE, "the CRC is the head's last field");
_Static_assert(STORE_SNAPSHOT_HEAD_SIZE + RECORD_OVERHEAD + STORE_SYSTEM_KEY_SIZE_MAX +
                       STORE_RECORD_HEAD_SIZE + CONTENT_TYPE_SIZE_MAX + VALUE_SIZE_CEILING <=
                   STORE_SNAPSHOT_CHUNK_MAX,
               "the largest record has a chunk");

/* ---- sums ---- */

err store_snapshot_sum(struct store_snapshot_sums *sums, enum store_space space, struct slice key,
                       struct slice bytes)
{
    if (key.size == 0 || key.size > store_key_size_max(space)) {
        return ERR_CORRUPT;
    }
    struct store_record record;
    err e = store_record_decode_in(bytes, space, key, &record);
    if (e == OK) {
        e = store_record_verify(&record, key);
    }
    if (e != OK) {
        return e;
    }
    if (record.value.size > VALUE_SIZE_CEILING) {
        return ERR_CORRUPT;
    }
    store_snapshot_sum_head(sums, space, key, &record);
    return OK;
}

void store_snapshot_sum_head(struct store_snapshot_sums *sums, enum store_space space,
                             struct slice key, const struct store_record *record)
{
    if (space == STORE_SPACE_USER) {
        sums->keys++;
        sums->key_bytes += key.size;
        sums->value_bytes += record->value.size;
    } else {
        sums->system_keys++;
        sums->system_bytes += key.size + record->value.size;
    }
    sums->state_hash = hash128_add(sums->state_hash, store_record_hash(record, key));
}

uint64_t store_snapshot_sum_records(const struct store_snapshot_sums *sums)
{
    return sums->keys + sums->system_keys;
}

bool store_snapshot_sums_agree(const struct store_snapshot_sums *sums,
                               const struct store_region *region)
{
    return sums->keys == region->keys && sums->key_bytes == region->key_bytes &&
           sums->value_bytes == region->value_bytes && sums->system_keys == region->system_keys &&
           sums->system_bytes == region->system_bytes &&
           hash128_equal(sums->state_hash, region->state_hash);
}

/* ---- the chain ---- */

/*
 * The CRC begins with the hash of all chunks before. It could not go on where the CRC before ended:
 * a region's state ends in a CRC of its own, by the same polynomial, and a CRC over both is the
 * same whatever the state is. A chunk of another snapshot would fit.
 */
static uint32_t chunk_crc(const struct store_snapshot_chain *chain, struct slice chunk)
{
    uint32_t crc = crc32c((uint32_t)chain->whole.low, chunk.data, OFFSET_CRC);
    return crc32c(crc, chunk.data + STORE_SNAPSHOT_HEAD_SIZE,
                  chunk.size - STORE_SNAPSHOT_HEAD_SIZE);
}

/* The hash of the whole: of the one so far and of this chunk, head and CRC included. */
static void chain_add(struct store_snapshot_chain *chain, struct slice chunk)
{
    struct hash128 hash = hash128(chunk);
    uint8_t bytes[32];
    store_u64(bytes, chain->whole.low);
    store_u64(bytes + 8, chain->whole.high);
    store_u64(bytes + 16, hash.low);
    store_u64(bytes + 24, hash.high);
    chain->whole = hash128((struct slice){bytes, sizeof(bytes)});
    chain->count++;
}

/* ---- making ---- */

size_t store_snapshot_begin(struct writer *out)
{
    size_t begin = out->size;
    (void)writer_extend(out, STORE_SNAPSHOT_HEAD_SIZE);
    return begin;
}

void store_snapshot_finish(struct store_snapshot_chain *chain, enum store_snapshot_kind kind,
                           struct writer *out, size_t begin)
{
    struct slice chunk = {out->data + begin, out->size - begin};
    ASSERT(chunk.size >= STORE_SNAPSHOT_HEAD_SIZE);
    ASSERT(chunk.size <= STORE_SNAPSHOT_CHUNK_MAX);
    uint8_t *head = out->data + begin;
    store_u32(head + OFFSET_NUMBER, chain->count);
    store_u32(head + OFFSET_SIZE, (uint32_t)(chunk.size - STORE_SNAPSHOT_HEAD_SIZE));
    head[OFFSET_KIND] = (uint8_t)kind;
    memset(head + OFFSET_RESERVED, 0, OFFSET_CRC - OFFSET_RESERVED);
    store_u32(head + OFFSET_CRC, chunk_crc(chain, chunk));
    chain_add(chain, chunk);
}

void store_snapshot_put_header(struct writer *out, const struct store_region *region)
{
    writer_bytes(out, SLICE_LITERAL(MAGIC));
    writer_u32(out, FORMAT_VERSION);
    writer_u64(out, region->id);
    store_region_encode(region, out);
}

void store_snapshot_put_record(struct writer *out, struct slice key, struct slice bytes)
{
    writer_u16(out, (uint16_t)key.size);
    writer_u32(out, (uint32_t)bytes.size);
    writer_bytes(out, key);
    writer_bytes(out, bytes);
}

size_t store_snapshot_record_size(struct slice key, struct slice bytes)
{
    return RECORD_OVERHEAD + key.size + bytes.size;
}

void store_snapshot_put_end(struct writer *out, uint64_t record_count,
                            const struct store_snapshot_chain *chain)
{
    writer_u64(out, record_count);
    writer_u64(out, chain->whole.low);
    writer_u64(out, chain->whole.high);
}

/* ---- checking ---- */

static err check_header(struct store_snapshot_check *check, struct reader in)
{
    struct slice magic = reader_bytes(&in, sizeof(MAGIC) - 1);
    uint32_t format = reader_u32(&in);
    if (!reader_ok(&in) || !slice_equal(magic, SLICE_LITERAL(MAGIC))) {
        return ERR_DAMAGED;
    }
    if (format != FORMAT_VERSION) {
        return ERR_VERSION;
    }
    region_id id = reader_u64(&in);
    struct store_region region;
    err e = store_region_decode((struct slice){in.data, in.size}, id, &region);
    if (e != OK) {
        return e == ERR_VERSION ? e : ERR_DAMAGED;
    }
    if (id == 0) {
        return ERR_DAMAGED;
    }
    check->region = region;
    return OK;
}

bool store_snapshot_next_record(struct reader *records, struct slice *out_key,
                                struct slice *out_bytes)
{
    size_t key_size = reader_u16(records);
    size_t size = reader_u32(records);
    *out_key = reader_bytes(records, key_size);
    *out_bytes = reader_bytes(records, size);
    return reader_ok(records);
}

/* Keys grow from record to record, across chunks too, and the system's come last. */
static err check_records(struct store_snapshot_check *check, enum store_space space,
                         struct reader in)
{
    if (in.size == 0 || space < check->space) {
        return ERR_DAMAGED;
    }
    if (space != check->space) {
        check->space = space;
        check->last_key_size = 0;
    }
    while (in.size > 0) {
        struct slice key;
        struct slice bytes;
        struct slice last = {check->last_key, check->last_key_size};
        if (!store_snapshot_next_record(&in, &key, &bytes) ||
            (last.size > 0 && slice_compare(last, key) >= 0) ||
            store_snapshot_sum(&check->sums, space, key, bytes) != OK) {
            return ERR_DAMAGED;
        }
        memcpy(check->last_key, key.data, key.size);
        check->last_key_size = key.size;
    }
    return OK;
}

static err check_end(struct store_snapshot_check *check, struct reader in)
{
    uint64_t record_count = reader_u64(&in);
    struct hash128 whole = {.low = reader_u64(&in)};
    whole.high = reader_u64(&in);
    if (reader_finish(&in) != OK || record_count != store_snapshot_sum_records(&check->sums) ||
        !hash128_equal(whole, check->chain.whole) ||
        !store_snapshot_sums_agree(&check->sums, &check->region)) {
        return ERR_DAMAGED;
    }
    check->is_complete = true;
    return OK;
}

err store_snapshot_chunk_size(const uint8_t *head, size_t *out_size)
{
    size_t size = load_u32(head + OFFSET_SIZE);
    if (size > STORE_SNAPSHOT_CHUNK_MAX - STORE_SNAPSHOT_HEAD_SIZE) {
        return ERR_DAMAGED;
    }
    *out_size = STORE_SNAPSHOT_HEAD_SIZE + size;
    return OK;
}

/* The chunk as such: that it is the next one, and what it was. */
static err check_chunk(const struct store_snapshot_check *check, struct slice chunk)
{
    static const uint8_t zero[OFFSET_CRC - OFFSET_RESERVED];
    size_t size;
    if (chunk.size < STORE_SNAPSHOT_HEAD_SIZE || check->is_complete ||
        store_snapshot_chunk_size(chunk.data, &size) != OK || size != chunk.size) {
        return ERR_DAMAGED;
    }
    bool is_first = check->chain.count == 0;
    if (load_u32(chunk.data + OFFSET_NUMBER) != check->chain.count ||
        load_u32(chunk.data + OFFSET_CRC) != chunk_crc(&check->chain, chunk) ||
        memcmp(chunk.data + OFFSET_RESERVED, zero, sizeof(zero)) != 0 ||
        is_first != (chunk.data[OFFSET_KIND] == STORE_SNAPSHOT_HEADER)) {
        return ERR_DAMAGED;
    }
    return OK;
}

err store_snapshot_check(struct store_snapshot_check *check, struct slice chunk,
                         struct reader *out_records)
{
    err e = check_chunk(check, chunk);
    if (e != OK) {
        return e;
    }
    struct reader payload = reader_of((struct slice){chunk.data + STORE_SNAPSHOT_HEAD_SIZE,
                                                     chunk.size - STORE_SNAPSHOT_HEAD_SIZE});
    *out_records = reader_of(SLICE_EMPTY);
    switch (chunk.data[OFFSET_KIND]) {
    case STORE_SNAPSHOT_HEADER:
        e = check_header(check, payload);
        break;
    case STORE_SNAPSHOT_RECORDS:
        e = check_records(check, STORE_SPACE_USER, payload);
        *out_records = payload;
        break;
    case STORE_SNAPSHOT_SYSTEM_RECORDS:
        e = check_records(check, STORE_SPACE_SYSTEM, payload);
        *out_records = payload;
        break;
    case STORE_SNAPSHOT_END:
        e = check_end(check, payload);
        break;
    default:
        e = ERR_DAMAGED;
        break;
    }
    if (e == OK) {
        chain_add(&check->chain, chunk);
    }
    return e;
}
