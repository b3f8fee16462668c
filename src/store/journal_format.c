#include "store/journal_format.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "store/record.h"

#define MAGIC "pontoon\1"
#define MAGIC_SIZE (sizeof(MAGIC) - 1)

/* Of a change. */
#define HAS_RECORD 0x01u
#define HAS_REPLACED 0x02u
#define RECORD_SIZE_MAX (STORE_RECORD_HEAD_SIZE + CONTENT_TYPE_SIZE_MAX + VALUE_SIZE_CEILING)

/* Where in a block what stands. */
enum offset {
    OFFSET_SIZE = 0, /* of the body: all after the head */
    OFFSET_CRC = 4,
    OFFSET_AFTER = 8,
    OFFSET_THROUGH = 16,
    OFFSET_CHANGES = 24,
};

_Static_assert(STORE_JOURNAL_HEADER_SIZE == MAGIC_SIZE + 8, "magic and region");
_Static_assert(OFFSET_AFTER == STORE_JOURNAL_BLOCK_HEAD_SIZE, "the body is behind the head");

void store_journal_header_encode(region_id region, uint8_t target[STORE_JOURNAL_HEADER_SIZE])
{
    memcpy(target, MAGIC, MAGIC_SIZE);
    store_u64(target + MAGIC_SIZE, region);
}

bool store_journal_header_is(struct slice bytes, region_id region)
{
    uint8_t header[STORE_JOURNAL_HEADER_SIZE];
    store_journal_header_encode(region, header);
    return bytes.size >= sizeof(header) && memcmp(bytes.data, header, sizeof(header)) == 0;
}

/* ---- writing ---- */

void store_journal_block_begin(struct writer *block, uint64_t after)
{
    ASSERT(block->size == 0);
    writer_u32(block, 0);
    writer_u32(block, 0);
    writer_u64(block, after);
    writer_u64(block, after);
}

static void add_record(struct writer *block, const struct store_record *record, struct slice key)
{
    size_t size = store_record_size(record);
    writer_u32(block, (uint32_t)size);
    store_record_encode(record, key, writer_extend(block, size));
}

void store_journal_block_add(struct writer *block, const struct store_change *change)
{
    unsigned has =
        (change->record != NULL ? HAS_RECORD : 0) | (change->replaced != NULL ? HAS_REPLACED : 0);
    writer_u64(block, change->revision);
    writer_u64(block, change->clock_ms);
    writer_u8(block, (uint8_t)change->kind);
    writer_u8(block, (uint8_t)has);
    writer_sized(block, change->key);
    if (change->record != NULL) {
        add_record(block, change->record, change->key);
    }
    if (change->replaced != NULL) {
        add_record(block, change->replaced, change->key);
    }
}

void store_journal_block_end(struct writer *block, uint64_t through)
{
    ASSERT(block->size >= OFFSET_CHANGES);
    ASSERT(block->size - STORE_JOURNAL_BLOCK_HEAD_SIZE <= UINT32_MAX);
    uint32_t size = (uint32_t)(block->size - STORE_JOURNAL_BLOCK_HEAD_SIZE);
    store_u64(block->data + OFFSET_THROUGH, through);
    store_u32(block->data + OFFSET_SIZE, size);
    store_u32(block->data + OFFSET_CRC, crc32c(0, block->data + OFFSET_AFTER, size));
}

/* ---- reading ---- */

err store_journal_block_open(struct slice bytes, struct store_journal_block *out_block,
                             size_t *out_size)
{
    if (bytes.size == 0) {
        return ERR_NOT_FOUND;
    }
    if (bytes.size < OFFSET_CHANGES) {
        return ERR_CORRUPT;
    }
    size_t size = load_u32(bytes.data + OFFSET_SIZE);
    if (size < OFFSET_CHANGES - OFFSET_AFTER || size > bytes.size - OFFSET_AFTER ||
        load_u32(bytes.data + OFFSET_CRC) != crc32c(0, bytes.data + OFFSET_AFTER, size)) {
        return ERR_CORRUPT;
    }
    *out_block = (struct store_journal_block){
        .after = load_u64(bytes.data + OFFSET_AFTER),
        .through = load_u64(bytes.data + OFFSET_THROUGH),
        .changes = reader_of(
            (struct slice){bytes.data + OFFSET_CHANGES, size - (OFFSET_CHANGES - OFFSET_AFTER)}),
        .revision = load_u64(bytes.data + OFFSET_AFTER),
    };
    *out_size = OFFSET_AFTER + size;
    return out_block->through >= out_block->after ? OK : ERR_CORRUPT;
}

/* In a buf of its own, as a record that is shared has to be. */
static void own(struct store_record *record)
{
    record->owner = buf_new(record->value.size + record->content_type.size);
    uint8_t *target = record->owner->data;
    if (record->value.size > 0) {
        memcpy(target, record->value.data, record->value.size);
    }
    record->value.data = target;
    target += record->value.size;
    if (record->content_type.size > 0) {
        memcpy(target, record->content_type.data, record->content_type.size);
    }
    record->content_type.data = target;
}

/* Kind and flags belong together, and the revisions never go back. */
static bool is_sound(const struct store_journal_block *block, const struct store_change *change,
                     unsigned has)
{
    bool has_record = (has & HAS_RECORD) != 0;
    return change->kind <= STORE_CHANGE_EXPIRE &&
           (change->kind == STORE_CHANGE_PUT) == has_record &&
           (has & ~(HAS_RECORD | HAS_REPLACED)) == 0 && change->revision > block->after &&
           change->revision >= block->revision && change->revision <= block->through &&
           change->key.size > 0;
}

err store_journal_block_next(struct store_journal_block *block, struct store_journal_change *out)
{
    struct reader *changes = &block->changes;
    if (reader_finish(changes) == OK) {
        return ERR_NOT_FOUND;
    }
    struct store_change *change = &out->change;
    *change = (struct store_change){.record = NULL};
    change->revision = reader_u64(changes);
    change->clock_ms = reader_u64(changes);
    change->kind = (enum store_change_kind)reader_u8(changes);
    unsigned has = reader_u8(changes);
    change->key = reader_sized(changes, KEY_SIZE_MAX);
    struct slice record =
        (has & HAS_RECORD) != 0 ? reader_sized(changes, RECORD_SIZE_MAX) : SLICE_EMPTY;
    struct slice replaced =
        (has & HAS_REPLACED) != 0 ? reader_sized(changes, RECORD_SIZE_MAX) : SLICE_EMPTY;
    if (!reader_ok(changes) || !is_sound(block, change, has)) {
        return ERR_CORRUPT;
    }
    err e = OK;
    if ((has & HAS_REPLACED) != 0) {
        change->replaced = &out->replaced;
        e = store_record_decode_in(replaced, STORE_SPACE_USER, change->key, &out->replaced);
    }
    if (e == OK && (has & HAS_RECORD) != 0) {
        change->record = &out->record;
        e = store_record_decode_in(record, STORE_SPACE_USER, change->key, &out->record);
        e = e == OK ? store_record_verify(&out->record, change->key) : e;
    }
    if (e != OK) {
        return e;
    }
    if (change->record != NULL) {
        own(&out->record);
    } else {
        out->record.owner = NULL;
    }
    block->revision = change->revision;
    return OK;
}
