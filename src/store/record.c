#include "store/record.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/crc32c.h"

#define FORMAT_VERSION 1u

/* Where the fields stand; README.md has the table. */
enum offset {
    OFFSET_FORMAT = 0,
    OFFSET_FLAGS = 1,
    OFFSET_CONTENT_TYPE_SIZE = 2,
    OFFSET_RESERVED = 3,
    OFFSET_VALUE_SIZE = 4,
    OFFSET_CREATE_REVISION = 8,
    OFFSET_MOD_REVISION = 16,
    OFFSET_VERSION = 24,
    OFFSET_MODIFIED_MS = 32,
    OFFSET_EXPIRES_MS = 40,
    OFFSET_VALUE_CRC = 48,
    OFFSET_HEAD_CRC = 52,
};

_Static_assert(OFFSET_HEAD_CRC + 4 == STORE_RECORD_HEAD_SIZE, "the CRC is the head's last field");
_Static_assert(CONTENT_TYPE_SIZE_MAX <= UINT8_MAX, "its size has one byte");
_Static_assert(VALUE_SIZE_CEILING <= UINT32_MAX, "its size has four bytes");

static uint32_t value_crc(const struct store_record *record, struct slice key)
{
    uint8_t revision[8];
    store_u64(revision, record->mod_revision);
    uint32_t crc = crc32c(0, key.data, key.size);
    crc = crc32c(crc, revision, sizeof(revision));
    return crc32c(crc, record->value.data, record->value.size);
}

static uint32_t head_crc(const uint8_t *head, struct slice content_type, struct slice key)
{
    uint32_t crc = crc32c(0, head, OFFSET_HEAD_CRC);
    crc = crc32c(crc, content_type.data, content_type.size);
    return crc32c(crc, key.data, key.size);
}

static void encode_head(const struct store_record *record, struct slice key, uint8_t *head)
{
    ASSERT(record->content_type.size <= CONTENT_TYPE_SIZE_MAX);
    ASSERT(record->value.size <= VALUE_SIZE_CEILING);
    head[OFFSET_FORMAT] = FORMAT_VERSION;
    head[OFFSET_FLAGS] = record->flags;
    head[OFFSET_CONTENT_TYPE_SIZE] = (uint8_t)record->content_type.size;
    head[OFFSET_RESERVED] = 0;
    store_u32(head + OFFSET_VALUE_SIZE, (uint32_t)record->value.size);
    store_u64(head + OFFSET_CREATE_REVISION, record->create_revision);
    store_u64(head + OFFSET_MOD_REVISION, record->mod_revision);
    store_u64(head + OFFSET_VERSION, record->version);
    store_u64(head + OFFSET_MODIFIED_MS, record->modified_ms);
    store_u64(head + OFFSET_EXPIRES_MS, record->expires_ms);
    store_u32(head + OFFSET_VALUE_CRC, record->value_crc);
    store_u32(head + OFFSET_HEAD_CRC, head_crc(head, record->content_type, key));
}

/* memcpy may not be given NULL, which an empty slice often is. Returns where the copy ends. */
static uint8_t *copy(uint8_t *target, struct slice bytes)
{
    if (bytes.size > 0) {
        memcpy(target, bytes.data, bytes.size);
    }
    return target + bytes.size;
}

void store_record_seal(struct store_record *record, struct slice key)
{
    ASSERT(key.size > 0);
    ASSERT(key.size <= STORE_SYSTEM_KEY_SIZE_MAX);
    record->value_crc = value_crc(record, key);
}

size_t store_record_size(const struct store_record *record)
{
    return STORE_RECORD_HEAD_SIZE + record->content_type.size + record->value.size;
}

void store_record_encode(const struct store_record *record, struct slice key, uint8_t *target)
{
    encode_head(record, key, target);
    uint8_t *end = copy(target + STORE_RECORD_HEAD_SIZE, record->content_type);
    end = copy(end, record->value);
    ASSERT((size_t)(end - target) == store_record_size(record));
}

err store_record_decode(struct slice bytes, struct slice key, struct store_record *out_record)
{
    if (bytes.size < STORE_RECORD_HEAD_SIZE) {
        return ERR_CORRUPT;
    }
    const uint8_t *head = bytes.data;
    size_t content_type_size = head[OFFSET_CONTENT_TYPE_SIZE];
    size_t value_size = load_u32(head + OFFSET_VALUE_SIZE);
    if (bytes.size != STORE_RECORD_HEAD_SIZE + content_type_size + value_size) {
        return ERR_CORRUPT;
    }
    struct slice content_type = {head + STORE_RECORD_HEAD_SIZE, content_type_size};
    if (load_u32(head + OFFSET_HEAD_CRC) != head_crc(head, content_type, key)) {
        return ERR_CORRUPT;
    }
    if (head[OFFSET_FORMAT] != FORMAT_VERSION) {
        return ERR_CORRUPT; /* the file's format record promises version 1 throughout */
    }
    *out_record = (struct store_record){
        .owner = NULL,
        .value = {content_type.data + content_type_size, value_size},
        .content_type = content_type,
        .create_revision = load_u64(head + OFFSET_CREATE_REVISION),
        .mod_revision = load_u64(head + OFFSET_MOD_REVISION),
        .version = load_u64(head + OFFSET_VERSION),
        .modified_ms = load_u64(head + OFFSET_MODIFIED_MS),
        .expires_ms = load_u64(head + OFFSET_EXPIRES_MS),
        .value_crc = load_u32(head + OFFSET_VALUE_CRC),
        .flags = head[OFFSET_FLAGS],
    };
    return OK;
}

err store_record_decode_in(struct slice bytes, enum store_space space, struct slice key,
                           struct store_record *out_record)
{
    struct store_record record;
    err e = store_record_decode(bytes, key, &record);
    if (e == OK && !store_record_is_of(&record, space)) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        *out_record = record;
    }
    return e;
}

err store_record_verify(const struct store_record *record, struct slice key)
{
    return value_crc(record, key) == record->value_crc ? OK : ERR_CORRUPT;
}

/*
 * Head, content type, key: in this order the sizes in the head make the concatenation unambiguous.
 * The value counts through its CRC, so that replacing 64 MiB costs what replacing a byte costs.
 */
struct hash128 store_record_hash(const struct store_record *record, struct slice key)
{
    uint8_t bytes[STORE_RECORD_HEAD_SIZE + CONTENT_TYPE_SIZE_MAX + STORE_SYSTEM_KEY_SIZE_MAX];
    ASSERT(key.size <= STORE_SYSTEM_KEY_SIZE_MAX);
    encode_head(record, key, bytes);
    uint8_t *end = copy(bytes + STORE_RECORD_HEAD_SIZE, record->content_type);
    end = copy(end, key);
    return hash128((struct slice){bytes, (size_t)(end - bytes)});
}
