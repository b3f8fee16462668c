/*
 * Byte by byte (little-endian):
 *
 *     txn      u8 size, idempotency key; u64 low, u64 high of the fingerprint; u8 has_else;
 *              u32 checks, u32 size; u32 ops, u32 size; u32 else-ops, u32 size; then the three
 *     check    u8 target, u8 relation (0x80: is_or), u16 key size, u16 end size, u32 value size,
 *              u64 number; key, end, value
 *     op       u8 type, u8 flags, u16 key size, u16 end size, u8 content type size, u32 value size,
 *              u64 ttl, u64 lease, u64 number, u64 wait; key, end, content type, value
 *     result   u8 type, u8 bits, u64 create, mod, version, modified, ttl, lease, number;
 *              u8 content type size, u32 value size; content type, value
 */
#include "proto/txn.h"

#include <string.h>

#include "base/assert.h"

#define TXN_HEADER_SIZE 42u /* without the idempotency key */
#define CHECK_OR 0x80u      /* in the relation's byte */

_Static_assert(KEY_SIZE_MAX <= UINT16_MAX, "the size of a key is two bytes");
_Static_assert(TXN_LOCK_NAME_SIZE_MAX < KEY_SIZE_MAX, "a lock's name is checked as a key");
_Static_assert(TXN_IDEMPOTENCY_KEY_SIZE_MAX <= UINT8_MAX, "its size is one byte");

/* ---- what is valid ---- */

static bool is_key(struct slice key)
{
    return key.size > 0 && key.size <= KEY_SIZE_MAX;
}

static bool is_lock_name(struct slice key)
{
    return key.size > 1 && key.size <= 1 + TXN_LOCK_NAME_SIZE_MAX &&
           (key.data[0] == TXN_LOCK_PLAIN || key.data[0] == TXN_LOCK_ELECTION);
}

static bool is_check_valid(const struct txn_check *check)
{
    bool is_fence = check->target == TXN_FENCE;
    return check->target >= 1 && check->target <= TXN_TARGETS && check->relation >= 1 &&
           check->relation <= TXN_RELATIONS && check->end.size <= KEY_SIZE_MAX &&
           check->value.size <= VALUE_SIZE_CEILING &&
           (check->value.size == 0 || check->target == TXN_VALUE) &&
           (is_fence ? is_lock_name(check->key) && check->end.size == 0 : is_key(check->key));
}

/* What its key is, by the type. */
static bool is_op_key_valid(const struct txn_op *op)
{
    switch (op->type) {
    case TXN_GET:
    case TXN_PUT:
    case TXN_DELETE:
    case TXN_ADD:
    case TXN_APPEND:
    case TXN_TOUCH:
        return is_key(op->key);
    case TXN_DELETE_RANGE:
        return op->key.size <= KEY_SIZE_MAX;
    case TXN_LEASE_GRANT:
    case TXN_LEASE_KEEP:
    case TXN_LEASE_REVOKE:
        return op->key.size == 0 && op->lease != 0;
    case TXN_LOCK:
        return is_lock_name(op->key) && (op->lease != 0) == (op->ttl_ms != 0) && op->number > 0;
    case TXN_LOCK_RENEW:
    case TXN_LOCK_LEAVE:
    case TXN_UNLOCK:
        return is_lock_name(op->key);
    case TXN_EXPIRE:
        return op->key.size == 0 && op->number > 0;
    }
    return false;
}

static bool is_op_valid(const struct txn_op *op)
{
    bool has_value = op->type == TXN_PUT || op->type == TXN_APPEND || op->type == TXN_LOCK ||
                     op->type == TXN_LOCK_RENEW;
    bool is_of_key = op->type != TXN_LOCK && op->type != TXN_LEASE_GRANT &&
                     op->type != TXN_LEASE_KEEP; /* which is on one of them */
    bool has_time = !is_of_key || op->ttl_ms == 0 || op->lease == 0;
    return op->flags <= TXN_FLAGS && is_op_key_valid(op) &&
           (op->end.size == 0 || op->type == TXN_DELETE_RANGE) && op->end.size <= KEY_SIZE_MAX &&
           (has_value || (op->value.size == 0 && op->content_type.size == 0)) &&
           op->content_type.size <= CONTENT_TYPE_SIZE_MAX && op->value.size <= VALUE_SIZE_CEILING &&
           op->ttl_ms <= TXN_TTL_MS_MAX && op->wait_ms <= TXN_TTL_MS_MAX && has_time;
}

/* ---- checks and operations ---- */

void txn_add_check(struct txn_builder *builder, const struct txn_check *check)
{
    ASSERT(is_check_valid(check));
    ASSERT(builder->txn.check_count < TXN_CHECKS_MAX);
    if (check->is_or) {
        ASSERT(builder->txn.check_count > 0);
    }
    struct writer *out = &builder->checks;
    size_t begin = out->size;
    writer_u8(out, (uint8_t)check->target);
    writer_u8(out, (uint8_t)((unsigned)check->relation | (check->is_or ? CHECK_OR : 0)));
    writer_u16(out, (uint16_t)check->key.size);
    writer_u16(out, (uint16_t)check->end.size);
    writer_u32(out, (uint32_t)check->value.size);
    writer_u64(out, check->number);
    ASSERT(out->size - begin == TXN_CHECK_HEADER_SIZE);
    writer_bytes(out, check->key);
    writer_bytes(out, check->end);
    writer_bytes(out, check->value);
    builder->txn.check_count++;
}

bool txn_next_check(struct reader *walk, struct txn_check *out_check)
{
    if (walk->size == 0) {
        return false;
    }
    struct txn_check check = {.target = reader_u8(walk)};
    uint8_t relation = reader_u8(walk);
    check.relation = relation & (CHECK_OR - 1);
    check.is_or = (relation & CHECK_OR) != 0;
    size_t key_size = reader_u16(walk);
    size_t end_size = reader_u16(walk);
    size_t value_size = reader_u32(walk);
    check.number = reader_u64(walk);
    check.key = reader_bytes(walk, key_size);
    check.end = reader_bytes(walk, end_size);
    check.value = reader_bytes(walk, value_size);
    *out_check = check;
    return reader_ok(walk);
}

void txn_add_op(struct txn_builder *builder, const struct txn_op *op, bool is_else)
{
    ASSERT(is_op_valid(op));
    ASSERT(builder->txn.then_count + builder->txn.else_count < TXN_OPS_MAX);
    struct writer *out = is_else ? &builder->else_ops : &builder->then_ops;
    writer_u8(out, (uint8_t)op->type);
    writer_u8(out, op->flags);
    writer_u16(out, (uint16_t)op->key.size);
    writer_u16(out, (uint16_t)op->end.size);
    writer_u8(out, (uint8_t)op->content_type.size);
    writer_u32(out, (uint32_t)op->value.size);
    writer_u64(out, op->ttl_ms);
    writer_u64(out, op->lease);
    writer_u64(out, op->number);
    writer_u64(out, op->wait_ms);
    writer_bytes(out, op->key);
    writer_bytes(out, op->end);
    writer_bytes(out, op->content_type);
    writer_bytes(out, op->value);
    builder->txn.then_count += is_else ? 0 : 1;
    builder->txn.else_count += is_else ? 1 : 0;
    builder->txn.has_else = builder->txn.has_else || is_else;
}

bool txn_next_op(struct reader *walk, struct txn_op *out_op)
{
    if (walk->size == 0) {
        return false;
    }
    struct txn_op op = {.type = reader_u8(walk)};
    op.flags = reader_u8(walk);
    size_t key_size = reader_u16(walk);
    size_t end_size = reader_u16(walk);
    size_t content_type_size = reader_u8(walk);
    size_t value_size = reader_u32(walk);
    op.ttl_ms = reader_u64(walk);
    op.lease = reader_u64(walk);
    op.number = reader_u64(walk);
    op.wait_ms = reader_u64(walk);
    op.key = reader_bytes(walk, key_size);
    op.end = reader_bytes(walk, end_size);
    op.content_type = reader_bytes(walk, content_type_size);
    op.value = reader_bytes(walk, value_size);
    *out_op = op;
    return reader_ok(walk);
}

/* ---- the whole ---- */

struct txn txn_builder_result(const struct txn_builder *builder)
{
    struct txn txn = builder->txn;
    txn.checks = writer_slice(&builder->checks);
    txn.then_ops = writer_slice(&builder->then_ops);
    txn.else_ops = writer_slice(&builder->else_ops);
    return txn;
}

size_t txn_builder_size(const struct txn_builder *builder)
{
    struct txn txn = txn_builder_result(builder);
    return txn_size(&txn);
}

void txn_builder_deinit(struct txn_builder *builder)
{
    writer_deinit(&builder->checks);
    writer_deinit(&builder->then_ops);
    writer_deinit(&builder->else_ops);
}

size_t txn_size(const struct txn *txn)
{
    return TXN_HEADER_SIZE + txn->idempotency_key.size + txn->checks.size + txn->then_ops.size +
           txn->else_ops.size;
}

static uint8_t *put(uint8_t *target, struct slice bytes)
{
    if (bytes.size > 0) {
        memcpy(target, bytes.data, bytes.size);
    }
    return target + bytes.size;
}

static uint8_t *put_part(uint8_t *target, uint32_t count, struct slice part)
{
    ASSERT(part.size <= UINT32_MAX);
    store_u32(target, count);
    store_u32(target + 4, (uint32_t)part.size);
    return target + 8;
}

void txn_encode(const struct txn *txn, uint8_t *target)
{
    ASSERT(txn->idempotency_key.size <= TXN_IDEMPOTENCY_KEY_SIZE_MAX);
    uint8_t *place = target;
    *place++ = (uint8_t)txn->idempotency_key.size;
    place = put(place, txn->idempotency_key);
    store_u64(place, txn->fingerprint.low);
    store_u64(place + 8, txn->fingerprint.high);
    place[16] = txn->has_else;
    place = put_part(place + 17, txn->check_count, txn->checks);
    place = put_part(place, txn->then_count, txn->then_ops);
    place = put_part(place, txn->else_count, txn->else_ops);
    place = put(place, txn->checks);
    place = put(place, txn->then_ops);
    place = put(place, txn->else_ops);
    ASSERT((size_t)(place - target) == txn_size(txn));
}

static bool are_checks_valid(struct slice checks, uint32_t count)
{
    struct reader walk = reader_of(checks);
    struct txn_check check;
    uint32_t seen = 0;
    while (txn_next_check(&walk, &check)) {
        if (!is_check_valid(&check) || (seen == 0 && check.is_or)) {
            return false;
        }
        seen++;
    }
    return reader_finish(&walk) == OK && seen == count && count <= TXN_CHECKS_MAX;
}

static bool are_ops_valid(struct slice ops, uint32_t count)
{
    struct reader walk = reader_of(ops);
    struct txn_op op;
    uint32_t seen = 0;
    while (txn_next_op(&walk, &op)) {
        if (!is_op_valid(&op)) {
            return false;
        }
        seen++;
    }
    return reader_finish(&walk) == OK && seen == count && count <= TXN_OPS_MAX;
}

err txn_decode(struct slice bytes, struct txn *out_txn)
{
    struct reader in = reader_of(bytes);
    struct txn txn = {.idempotency_key = reader_bytes(&in, reader_u8(&in))};
    txn.fingerprint.low = reader_u64(&in);
    txn.fingerprint.high = reader_u64(&in);
    uint8_t has_else = reader_u8(&in);
    txn.has_else = has_else == 1;
    txn.check_count = reader_u32(&in);
    size_t checks_size = reader_u32(&in);
    txn.then_count = reader_u32(&in);
    size_t then_size = reader_u32(&in);
    txn.else_count = reader_u32(&in);
    size_t else_size = reader_u32(&in);
    txn.checks = reader_bytes(&in, checks_size);
    txn.then_ops = reader_bytes(&in, then_size);
    txn.else_ops = reader_bytes(&in, else_size);
    if (reader_finish(&in) != OK || has_else > 1 || (txn.else_count > 0 && has_else == 0) ||
        !are_checks_valid(txn.checks, txn.check_count) ||
        !are_ops_valid(txn.then_ops, txn.then_count) ||
        !are_ops_valid(txn.else_ops, txn.else_count) ||
        txn.then_count + txn.else_count > TXN_OPS_MAX) {
        return ERR_MALFORMED;
    }
    *out_txn = txn;
    return OK;
}

bool txn_op_only_frees(enum txn_type type)
{
    return type == TXN_GET || type == TXN_DELETE || type == TXN_DELETE_RANGE ||
           type == TXN_LEASE_REVOKE || type == TXN_LOCK_LEAVE || type == TXN_UNLOCK ||
           type == TXN_EXPIRE;
}

/* ---- results ---- */

enum result_bit {
    RESULT_EXISTED = 1,
    RESULT_RECORD = 2,
    RESULT_HELD = 4,
};

void txn_result_encode(const struct txn_result *result, struct writer *out)
{
    ASSERT(result->content_type.size <= CONTENT_TYPE_SIZE_MAX);
    ASSERT(result->value.size <= VALUE_SIZE_CEILING);
    writer_u8(out, (uint8_t)result->type);
    writer_u8(out, (uint8_t)((result->existed ? RESULT_EXISTED : 0) |
                             (result->has_record ? RESULT_RECORD : 0) |
                             (result->is_held ? RESULT_HELD : 0)));
    writer_u64(out, result->create_revision);
    writer_u64(out, result->mod_revision);
    writer_u64(out, result->version);
    writer_u64(out, result->modified_ms);
    writer_u64(out, result->ttl_ms);
    writer_u64(out, result->lease);
    writer_u64(out, result->number);
    writer_u8(out, (uint8_t)result->content_type.size);
    writer_u32(out, (uint32_t)result->value.size);
    writer_bytes(out, result->content_type);
    writer_bytes(out, result->value);
}

err txn_result_decode(struct reader *in, struct txn_result *out_result)
{
    struct txn_result result = {.type = reader_u8(in)};
    uint8_t bits = reader_u8(in);
    result.existed = (bits & RESULT_EXISTED) != 0;
    result.has_record = (bits & RESULT_RECORD) != 0;
    result.is_held = (bits & RESULT_HELD) != 0;
    result.create_revision = reader_u64(in);
    result.mod_revision = reader_u64(in);
    result.version = reader_u64(in);
    result.modified_ms = reader_u64(in);
    result.ttl_ms = reader_u64(in);
    result.lease = reader_u64(in);
    result.number = reader_u64(in);
    size_t content_type_size = reader_u8(in);
    size_t value_size = reader_u32(in);
    result.content_type = reader_bytes(in, content_type_size);
    result.value = reader_bytes(in, value_size);
    if (!reader_ok(in) || bits >= 2 * RESULT_HELD || result.type < 1 || result.type > TXN_TYPES) {
        return ERR_MALFORMED;
    }
    *out_result = result;
    return OK;
}
