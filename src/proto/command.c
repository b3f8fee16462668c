#include "proto/command.h"

#include <string.h>

#include "base/assert.h"

#define COMMAND_FORMAT 2u
#define COMMAND_FORMAT_WITHOUT_QUOTA 1u
#define COMMAND_HEADER_SIZE 25u
#define COMMAND_STAMP_OFFSET 2u
#define COMMAND_QUOTA_OFFSET 10u
#define COMMAND_KEY_SIZE_OFFSET 18u

/* Of a TXN: stamp and quota stand where they always do, then the clock, the size of the key, the
 * key, the transaction. */
#define COMMAND_FORMAT_TXN 3u
#define COMMAND_TXN_HEADER_SIZE 44u
#define COMMAND_CLOCK_OFFSET 18u

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
    case COMMAND_TXN:
        return true;
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

static struct buf *encode_txn(const struct command *command)
{
    size_t size = COMMAND_TXN_HEADER_SIZE + command->key.size + txn_size(command->txn);
    ASSERT(size <= ENTRY_SIZE_MAX);
    struct buf *encoded = buf_new(size);
    uint8_t *header = encoded->data;
    memset(header, 0, COMMAND_TXN_HEADER_SIZE);
    header[0] = COMMAND_FORMAT_TXN;
    header[1] = COMMAND_TXN;
    store_u16(header + COMMAND_TXN_HEADER_SIZE - 2, (uint16_t)command->key.size);
    txn_encode(command->txn, append(header + COMMAND_TXN_HEADER_SIZE, command->key));
    command_stamp(encoded, (struct command_stamp){.ms = command->stamp_ms,
                                                  .quota_bytes = command->quota_bytes,
                                                  .clock = command->clock});
    return encoded;
}

struct buf *command_encode(const struct command *command)
{
    ASSERT(is_valid(command));
    if (command->type == COMMAND_TXN) {
        return encode_txn(command);
    }
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
    if (encoded->data[0] == COMMAND_FORMAT_TXN) {
        ASSERT(encoded->size >= COMMAND_TXN_HEADER_SIZE);
        uint8_t *clock = encoded->data + COMMAND_CLOCK_OFFSET;
        store_u64(clock, stamp.clock.elapsed_ms);
        store_u64(clock + 8, stamp.clock.idempotency_age_ms);
        store_u64(clock + 16, stamp.clock.idempotency_count);
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

static err decode_txn(struct reader in, struct command *out_command)
{
    uint8_t type = reader_u8(&in);
    struct command command = {.type = COMMAND_TXN, .stamp_ms = reader_u64(&in)};
    command.quota_bytes = reader_u64(&in);
    command.clock.elapsed_ms = reader_u64(&in);
    command.clock.idempotency_age_ms = reader_u64(&in);
    command.clock.idempotency_count = reader_u64(&in);
    command.key = reader_bytes(&in, reader_u16(&in));
    command.value = reader_bytes(&in, in.size);
    struct txn txn;
    if (!reader_ok(&in) || type != COMMAND_TXN || command.key.size == 0 ||
        command.key.size > KEY_SIZE_MAX || txn_decode(command.value, &txn) != OK) {
        return ERR_MALFORMED;
    }
    *out_command = command;
    return OK;
}

err command_decode(struct slice bytes, struct command *out_command)
{
    struct reader in = reader_of(bytes);
    uint8_t format = reader_u8(&in);
    if (!reader_ok(&in)) {
        return ERR_MALFORMED;
    }
    if (format == COMMAND_FORMAT_TXN) {
        return decode_txn(in, out_command);
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

bool command_only_frees(const struct buf *encoded)
{
    if (command_type_of(encoded) != COMMAND_TXN) {
        return command_type_of(encoded) == COMMAND_DELETE;
    }
    struct command command;
    struct txn txn;
    if (command_decode(buf_slice(encoded), &command) != OK ||
        txn_decode(command.value, &txn) != OK || txn.idempotency_key.size > 0) {
        return false;
    }
    const struct slice branches[] = {txn.then_ops, txn.else_ops};
    for (size_t i = 0; i < ARRAY_COUNT(branches); i++) {
        struct reader walk = reader_of(branches[i]);
        struct txn_op op;
        while (txn_next_op(&walk, &op)) {
            if (!txn_op_only_frees(op.type)) {
                return false;
            }
        }
    }
    return true;
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

enum result_bit {
    RESULT_EXISTED = 1,
    RESULT_REPLAYED = 2,
    RESULT_FAILED = 4,
};

void command_result_encode(const struct command_result *result, struct writer *out)
{
    command_err_encode(result->e, out);
    writer_u8(out, (uint8_t)((result->existed ? RESULT_EXISTED : 0) |
                             (result->is_replayed ? RESULT_REPLAYED : 0) |
                             (result->has_failed ? RESULT_FAILED : 0)));
    writer_u64(out, result->revision);
    writer_u64(out, result->create_revision);
    writer_u64(out, result->mod_revision);
    writer_u64(out, result->version);
    writer_u64(out, result->modified_ms);
    writer_u32(out, result->failed);
    writer_sized(out, result->results);
}

static bool are_results_valid(struct slice results)
{
    struct reader walk = reader_of(results);
    while (walk.size > 0) {
        struct txn_result result;
        if (txn_result_decode(&walk, &result) != OK) {
            return false;
        }
    }
    return true;
}

err command_result_decode(struct reader *in, struct command_result *out_result)
{
    struct command_result result = {.e = command_err_decode(in)};
    uint8_t bits = reader_u8(in);
    result.existed = (bits & RESULT_EXISTED) != 0;
    result.is_replayed = (bits & RESULT_REPLAYED) != 0;
    result.has_failed = (bits & RESULT_FAILED) != 0;
    result.revision = reader_u64(in);
    result.create_revision = reader_u64(in);
    result.mod_revision = reader_u64(in);
    result.version = reader_u64(in);
    result.modified_ms = reader_u64(in);
    result.failed = reader_u32(in);
    result.results = reader_sized(in, TXN_RESULTS_SIZE_MAX);
    if (!reader_ok(in) || bits >= 2 * RESULT_FAILED || !are_results_valid(result.results)) {
        return ERR_MALFORMED;
    }
    *out_result = result;
    return OK;
}
