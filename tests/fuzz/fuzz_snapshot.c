/* links: store proto env */
/*
 * Snapshots as they come in. The first byte says how the rest is read: as the bytes of a snapshot,
 * chunk after chunk (0), or as chunks (kind, a u16 with the size, payload) whose checksums are made
 * right, down to those of the region's state and of the records (1): so that mutations get past
 * them. What is accepted as complete must be what it says, and become the same bytes again.
 */
#include "base/assert.h"
#include "base/crc32c.h"
#include "fuzz.h"
#include "store/record.h"
#include "store/region.h"
#include "store/snapshot_format.h"

#define STATE_OFFSET 20u /* in the header's payload */
#define CRC_SIZE 4u

static void seal_state(uint8_t *payload, size_t size)
{
    if (size >= STATE_OFFSET + CRC_SIZE) {
        size_t state_size = size - STATE_OFFSET - CRC_SIZE;
        store_u32(payload + size - CRC_SIZE, crc32c(0, payload + STATE_OFFSET, state_size));
    }
}

/* The record at the front of the payload; returns how far it reaches, 0: it has no right size. */
static size_t seal_record(uint8_t *payload, size_t size)
{
    struct reader in = reader_of((struct slice){payload, size});
    struct slice key;
    struct slice bytes;
    if (!store_snapshot_next_record(&in, &key, &bytes) || key.size == 0 ||
        key.size > STORE_SYSTEM_KEY_SIZE_MAX || bytes.size < STORE_RECORD_HEAD_SIZE) {
        return 0;
    }
    uint8_t *head = payload + (bytes.data - payload);
    size_t type_size = head[2];
    size_t rest = bytes.size - STORE_RECORD_HEAD_SIZE;
    if (type_size > rest) {
        return 0;
    }
    const uint8_t *type = head + STORE_RECORD_HEAD_SIZE;
    store_u32(head + 4, (uint32_t)(rest - type_size));
    uint32_t crc = crc32c(0, key.data, key.size);
    crc = crc32c(crc, head + 16, 8);
    store_u32(head + 48, crc32c(crc, type + type_size, rest - type_size));
    crc = crc32c(0, head, 52);
    crc = crc32c(crc, type, type_size);
    store_u32(head + 52, crc32c(crc, key.data, key.size));
    return size - in.size;
}

static void seal_records(uint8_t *payload, size_t size)
{
    size_t done = 1;
    for (size_t offset = 0; offset < size && done > 0; offset += done) {
        done = seal_record(payload + offset, size - offset);
    }
}

/* Makes the bytes of a snapshot out of chunks without checksums. */
static void seal(struct reader in, struct writer *out)
{
    struct store_snapshot_chain chain = {0};
    while (in.size > 0) {
        uint8_t kind = reader_u8(&in);
        struct slice payload = reader_bytes(&in, reader_u16(&in));
        if (!reader_ok(&in)) {
            break;
        }
        size_t begin = store_snapshot_begin(out);
        if (kind == STORE_SNAPSHOT_END && payload.size >= 8) { /* the hash no fuzzer guesses */
            store_snapshot_put_end(out, load_u64(payload.data), &chain);
        } else {
            writer_bytes(out, payload);
        }
        uint8_t *target = out->data + begin + STORE_SNAPSHOT_HEAD_SIZE;
        if (kind == STORE_SNAPSHOT_HEADER) {
            seal_state(target, payload.size);
        } else if (kind == STORE_SNAPSHOT_RECORDS || kind == STORE_SNAPSHOT_SYSTEM_RECORDS) {
            seal_records(target, payload.size);
        }
        store_snapshot_finish(&chain, (enum store_snapshot_kind)kind, out, begin);
    }
}

/* The next chunk of the snapshot, or what is left of it. */
static struct slice next_chunk(struct reader *in)
{
    size_t size = in->size;
    if (in->size >= STORE_SNAPSHOT_HEAD_SIZE) {
        size_t chunk_size;
        if (store_snapshot_chunk_size(in->data, &chunk_size) == OK && chunk_size < size) {
            size = chunk_size;
        }
    }
    return reader_bytes(in, size);
}

static struct slice payload_of(struct slice chunk)
{
    return (struct slice){chunk.data + STORE_SNAPSHOT_HEAD_SIZE,
                          chunk.size - STORE_SNAPSHOT_HEAD_SIZE};
}

/* The chunk as it would be made from what was found in it. */
static void remake(const struct store_snapshot_check *check, struct slice chunk,
                   struct reader records, struct store_snapshot_chain *chain, struct writer *out)
{
    enum store_snapshot_kind kind = STORE_SNAPSHOT_END;
    size_t begin = store_snapshot_begin(out);
    if (chain->count == 0) {
        kind = STORE_SNAPSHOT_HEADER;
        if (chunk.data[STORE_SNAPSHOT_HEAD_SIZE + STATE_OFFSET] == 1) {
            writer_bytes(out, payload_of(chunk)); /* a state of a format that nobody writes now */
        } else {
            store_snapshot_put_header(out, &check->region);
        }
    } else if (check->is_complete) {
        store_snapshot_put_end(out, store_snapshot_sum_records(&check->sums), chain);
    } else {
        kind = check->space == STORE_SPACE_USER ? STORE_SNAPSHOT_RECORDS
                                                : STORE_SNAPSHOT_SYSTEM_RECORDS;
        struct slice key;
        struct slice bytes;
        while (records.size > 0) {
            bool is_record = store_snapshot_next_record(&records, &key, &bytes);
            ASSERT(is_record);
            store_snapshot_put_record(out, key, bytes);
        }
    }
    store_snapshot_finish(chain, kind, out, begin);
    ASSERT(slice_equal((struct slice){out->data + begin, out->size - begin}, chunk));
}

static void check_all(struct slice bytes)
{
    struct store_snapshot_check check = {0};
    struct store_snapshot_chain chain = {0};
    struct writer remade = {0};
    struct reader in = reader_of(bytes);
    err e = OK;
    while (e == OK && in.size > 0) {
        struct slice chunk = next_chunk(&in);
        struct reader records;
        e = store_snapshot_check(&check, chunk, &records);
        if (e == OK) {
            remake(&check, chunk, records, &chain, &remade);
        } else {
            ASSERT(e == ERR_DAMAGED || e == ERR_VERSION);
        }
    }
    if (check.is_complete) {
        ASSERT(store_snapshot_sums_agree(&check.sums, &check.region));
        ASSERT(check.region.id != 0);
    }
    writer_deinit(&remade);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice rest = {data + 1, size - 1};
    if (data[0] == 0) {
        check_all(rest);
        return 0;
    }
    struct writer sealed = {0};
    seal(reader_of(rest), &sealed);
    check_all(writer_slice(&sealed));
    writer_deinit(&sealed);
    return 0;
}
