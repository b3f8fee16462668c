#include "proto/command.h"

#include <string.h>

#include "base/assert.h"

#define COMMAND_FORMAT 2u
#define COMMAND_FORMAT_WITHOUT_QUOTA 1u
#define COMMAND_HEADER_SIZE 25u
#define COMMAND_STAMP_OFFSET 2u
#define COMMAND_QUOTA_OFFSET 10u
#define COMMAND_KEY_SIZE_OFFSET 18u

_Static_assert(COMMAND_HEADER_SIZE + KEY_SIZE_MAX + CONTENT_TYPE_SIZE_MAX <= COMMAND_OVERHEAD_MAX,
               "what a command adds to its value is within what ENTRY_SIZE_MAX allows for");
_Static_assert(KEY_SIZE_MAX <= UINT16_MAX, "the size of a key is two bytes");
_Static_assert(CONTENT_TYPE_SIZE_MAX <= UINT8_MAX, "the size of a content type is one byte");

static bool is_valid(const struct command *command)
{
    if (command->key.size == 0 || command->key.size > KEY_SIZE_MAX ||
        command->content_type.size > CONTENT_TYPE_SIZE_MAX ||
        command->value.size > VALUE_SIZE_CEILING) {
        return false;
    }
    switch (command->type) {
    case COMMAND_PUT:
        return true;
    case COMMAND_DELETE:
        return command->value.size == 0 && command->content_type.size == 0;
    }
    return false;
}

static uint8_t *append(uint8_t *target, struct slice bytes)
{
    if (bytes.size > 0) {
        memcpy(target, bytes.data, bytes.size);
    }
    return target + bytes.size;
}

struct buf *command_encode(const struct command *command)
{
    ASSERT(is_valid(command));
    struct buf *encoded = buf_new(COMMAND_HEADER_SIZE + command->key.size +
                                  command->content_type.size + command->value.size);
    uint8_t *header = encoded->data;
    header[0] = COMMAND_FORMAT;
    header[1] = (uint8_t)command->type;
    store_u64(header + COMMAND_STAMP_OFFSET, command->stamp_ms);
    store_u64(header + COMMAND_QUOTA_OFFSET, command->quota_bytes);
    store_u16(header + COMMAND_KEY_SIZE_OFFSET, (uint16_t)command->key.size);
    header[20] = (uint8_t)command->content_type.size;
    store_u32(header + 21, (uint32_t)command->value.size);
    uint8_t *target = append(header + COMMAND_HEADER_SIZE, command->key);
    target = append(target, command->content_type);
    target = append(target, command->value);
    ASSERT(target == encoded->data + encoded->size);
    return encoded;
}

void command_stamp(struct buf *encoded, struct command_stamp stamp)
{
    ASSERT(encoded->ref_count == 1);
    ASSERT(encoded->size >= COMMAND_STAMP_OFFSET + sizeof(stamp.ms));
    store_u64(encoded->data + COMMAND_STAMP_OFFSET, stamp.ms);
    if (encoded->data[0] != COMMAND_FORMAT_WITHOUT_QUOTA) { /* an older node forwarded it */
        ASSERT(encoded->size >= COMMAND_HEADER_SIZE);
        store_u64(encoded->data + COMMAND_QUOTA_OFFSET, stamp.quota_bytes);
    }
}

struct slice command_key(const struct buf *encoded)
{
    if (encoded->size < COMMAND_HEADER_SIZE || encoded->data[0] != COMMAND_FORMAT) {
        return SLICE_EMPTY;
    }
    size_t size = load_u16(encoded->data + COMMAND_KEY_SIZE_OFFSET);
    bool is_whole = size <= encoded->size - COMMAND_HEADER_SIZE && size <= KEY_SIZE_MAX;
    return is_whole ? (struct slice){encoded->data + COMMAND_HEADER_SIZE, size} : SLICE_EMPTY;
}

enum command_type command_type_of(const struct buf *encoded)
{
    ASSERT(encoded->size >= COMMAND_STAMP_OFFSET);
    return (enum command_type)encoded->data[1];
}

err command_decode(struct slice bytes, struct command *out_command)
{
    struct reader in = reader_of(bytes);
    uint8_t format = reader_u8(&in);
    if (!reader_ok(&in)) {
        return ERR_MALFORMED;
    }
    if (format != COMMAND_FORMAT && format != COMMAND_FORMAT_WITHOUT_QUOTA) {
        return ERR_VERSION;
    }
    uint8_t type = reader_u8(&in);
    struct command command = {.stamp_ms = reader_u64(&in)};
    command.quota_bytes = format != COMMAND_FORMAT_WITHOUT_QUOTA ? reader_u64(&in) : 0;
    uint16_t key_size = reader_u16(&in);
    uint8_t content_type_size = reader_u8(&in);
    uint32_t value_size = reader_u32(&in);
    command.key = reader_bytes(&in, key_size);
    command.content_type = reader_bytes(&in, content_type_size);
    command.value = reader_bytes(&in, value_size);
    if (reader_finish(&in) != OK || (type != COMMAND_PUT && type != COMMAND_DELETE)) {
        return ERR_MALFORMED;
    }
    command.type = (enum command_type)type;
    if (!is_valid(&command)) {
        return ERR_MALFORMED;
    }
    *out_command = command;
    return OK;
}

/* ---- results ---- */

void command_err_encode(err e, struct writer *out)
{
    struct slice name = e == OK ? SLICE_EMPTY : slice_from_text(err_name(e));
    ASSERT(name.size <= UINT8_MAX);
    writer_u8(out, (uint8_t)name.size);
    writer_bytes(out, name);
}

err command_err_decode(struct reader *in)
{
    struct slice name = reader_bytes(in, reader_u8(in));
    if (name.size == 0) {
        return OK;
    }
    for (unsigned i = OK + 1; i < ERR_COUNT; i++) {
        if (slice_equal(name, slice_from_text(err_name((err)i)))) {
            return (err)i;
        }
    }
    return ERR_INTERNAL;
}

void command_result_encode(const struct command_result *result, struct writer *out)
{
    command_err_encode(result->e, out);
    writer_u8(out, result->existed);
    writer_u64(out, result->revision);
    writer_u64(out, result->create_revision);
    writer_u64(out, result->mod_revision);
    writer_u64(out, result->version);
    writer_u64(out, result->modified_ms);
}

err command_result_decode(struct reader *in, struct command_result *out_result)
{
    struct command_result result = {.e = command_err_decode(in)};
    uint8_t existed = reader_u8(in);
    result.existed = existed == 1;
    result.revision = reader_u64(in);
    result.create_revision = reader_u64(in);
    result.mod_revision = reader_u64(in);
    result.version = reader_u64(in);
    result.modified_ms = reader_u64(in);
    if (!reader_ok(in) || existed > 1) {
        return ERR_MALFORMED;
    }
    *out_result = result;
    return OK;
}
