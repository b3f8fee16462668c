/* Operations of a transaction on users' keys, and what belongs to a key: its time, its lease. */
#include <string.h>

#include "base/assert.h"
#include "base/decimal.h"
#include "store/apply_int.h"
#include "store/record.h"

#define DELETED_MAX 1000000u /* by one operation: all of them are in memory until it is done */

/* ---- time ---- */

static bool is_leased(const struct store_record *record)
{
    return (record->flags & STORE_RECORD_LEASED) != 0;
}

void apply_key_drop_time(struct stage *stage, struct slice key, const struct store_record *record)
{
    struct system_key place;
    ASSERT(record->expires_ms != 0);
    if (is_leased(record)) {
        (void)system_key_leased(&place, record->expires_ms, key);
    } else {
        (void)system_key_expiry(&place, record->expires_ms, SYSTEM_OF_KEY, key);
    }
    stage_delete(stage, STORE_SPACE_SYSTEM, system_key_slice(&place));
}

/* Puts the record on the operation's TTL or lease. ERR_LEASE_NOT_FOUND. */
static err set_time(struct txn_run *run, const struct txn_op *op, struct store_record *record)
{
    struct system_key place;
    struct system_lease lease;
    if (op->lease != 0) {
        if (!apply_lease_find(run, op->lease, &lease)) {
            return ERR_LEASE_NOT_FOUND;
        }
        record->flags |= STORE_RECORD_LEASED;
        record->expires_ms = op->lease;
        apply_put_system(run, system_key_leased(&place, op->lease, op->key));
    } else if (op->ttl_ms != 0) {
        record->expires_ms = run->region->elapsed_ms + op->ttl_ms;
        apply_put_system(run,
                         system_key_expiry(&place, record->expires_ms, SYSTEM_OF_KEY, op->key));
    }
    return OK;
}

/* As set_time; `existing`, which may be NULL, has what is replaced. */
static err change_time(struct txn_run *run, const struct txn_op *op,
                       const struct store_record *existing, struct store_record *record)
{
    bool has_time = existing != NULL && existing->expires_ms != 0;
    if (has_time && (op->flags & TXN_KEEP_TTL) != 0) {
        record->flags |= existing->flags & STORE_RECORD_LEASED;
        record->expires_ms = existing->expires_ms;
        return OK;
    }
    if (has_time) {
        apply_key_drop_time(&run->stage, op->key, existing);
    }
    return set_time(run, op, record);
}

uint64_t apply_key_ttl(const struct txn_run *run, const struct store_record *record)
{
    uint64_t due_ms = record->expires_ms;
    struct system_lease lease;
    if (due_ms != 0 && is_leased(record)) {
        if (!apply_lease_find(run, record->expires_ms, &lease)) {
            apply_end_inconsistent(run, "the lease of a key");
        }
        due_ms = lease.due_ms;
    }
    if (due_ms == 0) {
        return 0;
    }
    uint64_t now_ms = run->region->elapsed_ms;
    return due_ms > now_ms ? due_ms - now_ms : 1; /* due and not yet gone: there for everybody */
}

static void show(const struct store_record *record, struct txn_result *result)
{
    result->has_record = true;
    result->content_type = record->content_type;
    result->value = record->value;
}

void apply_key_describe(const struct txn_run *run, const struct store_record *record,
                        bool with_value, struct txn_result *result)
{
    result->create_revision = record->create_revision;
    result->mod_revision = record->mod_revision;
    result->version = record->version;
    result->modified_ms = record->modified_ms;
    result->ttl_ms = apply_key_ttl(run, record);
    result->lease = is_leased(record) ? record->expires_ms : 0;
    if (with_value) {
        show(record, result);
    }
}

/* The record is about to be replaced, and its value to be told after that. */
static void hold(struct txn_run *run, const struct store_record *record)
{
    ASSERT(run->held == NULL);
    run->held = buf_ref(record->owner);
}

/* ---- put ---- */

/* An owner that holds content type and value and nothing else; the record's slices lie in it then.
 * What shares the command's bytes keeps all of them, as long as the key is not written again. */
static struct buf *own(struct store_record *record)
{
    struct buf *owner = buf_new(record->content_type.size + record->value.size);
    if (record->content_type.size > 0) {
        memcpy(owner->data, record->content_type.data, record->content_type.size);
    }
    if (record->value.size > 0) {
        memcpy(owner->data + record->content_type.size, record->value.data, record->value.size);
    }
    record->content_type = (struct slice){owner->data, record->content_type.size};
    record->value = (struct slice){owner->data + record->content_type.size, record->value.size};
    record->owner = owner;
    return owner;
}

/* Puts `value` under the operation's key: a new revision of it. `owner`, in which the slices lie,
 * is shared; NULL: they are copied. */
static err put(struct txn_run *run, const struct txn_op *op, const struct store_record *existing,
               struct store_record *record, struct txn_result *result)
{
    record->create_revision = existing != NULL ? existing->create_revision : run->revision;
    record->mod_revision = run->revision;
    record->version = existing != NULL ? existing->version + 1 : 1;
    record->modified_ms = run->region->clock_ms;
    result->existed = existing != NULL;
    err e = change_time(run, op, existing, record);
    if (e != OK) {
        return e;
    }
    if ((op->flags & TXN_RETURN_OLD) != 0 && existing != NULL) {
        hold(run, existing);
    }
    struct buf *copy = record->owner == NULL ? own(record) : NULL;
    stage_put(&run->stage, STORE_SPACE_USER, op->key, record);
    apply_key_describe(run, record, (op->flags & TXN_RETURN_NEW) != 0, result);
    if ((op->flags & TXN_RETURN_OLD) != 0 && existing != NULL) {
        show(existing, result);
    }
    buf_unref(copy); /* the stage has it */
    run->is_revision = true;
    return OK;
}

static err put_value(struct txn_run *run, const struct txn_op *op,
                     const struct store_record *existing, struct txn_result *result)
{
    struct store_record record = {
        .owner = run->is_single ? run->owner : NULL,
        .value = op->value,
        .content_type = op->content_type,
    };
    return put(run, op, existing, &record, result);
}

/* ---- numbers, appending ---- */

/* A decimal number, with its sign, and nothing else: whatever strtoll and the like take besides
 * would be written back another way. */
static bool parse_number(struct slice text, int64_t *out_number)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    size_t i = is_negative ? 1 : 0;
    if (i == text.size || text.size > DECIMAL_SIZE_MAX) {
        return false;
    }
    int64_t number = 0;
    for (; i < text.size; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, is_negative ? -digit : digit, &number)) {
            return false;
        }
    }
    *out_number = number;
    return true;
}

static size_t write_number(char text[DECIMAL_SIZE_MAX + 1], int64_t number)
{
    bool is_negative = number < 0;
    uint64_t absolute = is_negative ? 0 - (uint64_t)number : (uint64_t)number;
    text[0] = '-';
    return is_negative + decimal_write(text + is_negative, absolute);
}

/* An absent key counts as 0. ERR_NOT_A_NUMBER: also if the sum is none that has 64 bits. */
static err add(struct txn_run *run, const struct txn_op *op, const struct store_record *existing,
               struct txn_result *result)
{
    int64_t number = 0;
    int64_t sum;
    if ((existing != NULL && !parse_number(existing->value, &number)) ||
        __builtin_add_overflow(number, (int64_t)op->number, &sum)) {
        return ERR_NOT_A_NUMBER;
    }
    char text[DECIMAL_SIZE_MAX + 1];
    size_t size = write_number(text, sum);
    struct store_record record = {
        .value = {(const uint8_t *)text, size},
        .content_type = existing != NULL ? existing->content_type : SLICE_EMPTY,
    };
    err e = put(run, op, existing, &record, result);
    result->number = (uint64_t)sum;
    return e;
}

/* ERR_TOO_LARGE: the value would be larger than whoever asked for it lets one be, or than any can
 * be. */
static err append(struct txn_run *run, const struct txn_op *op, const struct store_record *existing,
                  struct txn_result *result)
{
    static const struct store_record none = {0};
    const struct store_record *old = existing != NULL ? existing : &none;
    bool has_limit = op->number != 0 && op->number < VALUE_SIZE_CEILING;
    uint64_t limit = has_limit ? op->number : VALUE_SIZE_CEILING;
    if (old->value.size > limit || op->value.size > limit - old->value.size) {
        return ERR_TOO_LARGE;
    }
    struct slice content_type = op->content_type.size > 0 ? op->content_type : old->content_type;
    struct buf *owner = buf_new(content_type.size + old->value.size + op->value.size);
    uint8_t *target = owner->data;
    const struct slice parts[] = {content_type, old->value, op->value};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (parts[i].size > 0) {
            memcpy(target, parts[i].data, parts[i].size);
        }
        target += parts[i].size;
    }
    struct store_record record = {
        .owner = owner,
        .content_type = {owner->data, content_type.size},
        .value = {owner->data + content_type.size, old->value.size + op->value.size},
    };
    err e = put(run, op, existing, &record, result);
    result->number = record.value.size;
    buf_unref(owner);
    return e;
}

/* ---- the others ---- */

/* The record stays what it is, at its revision, but for its time. ERR_NOT_FOUND. */
static err touch(struct txn_run *run, const struct txn_op *op, const struct store_record *existing,
                 struct txn_result *result)
{
    if (existing == NULL) {
        return ERR_NOT_FOUND;
    }
    struct store_record record = *existing;
    record.flags &= (uint8_t)~STORE_RECORD_LEASED;
    record.expires_ms = 0;
    result->existed = true;
    err e = change_time(run, op, existing, &record);
    if (e != OK) {
        return e;
    }
    struct buf *copy = record.owner == NULL ? own(&record) : NULL;
    stage_put(&run->stage, STORE_SPACE_USER, op->key, &record);
    apply_key_describe(run, &record, (op->flags & TXN_RETURN_NEW) != 0, result);
    buf_unref(copy);
    return OK;
}

void apply_key_delete(struct txn_run *run, struct slice key, const struct store_record *existing)
{
    if (existing->expires_ms != 0) {
        apply_key_drop_time(&run->stage, key, existing);
    }
    stage_delete(&run->stage, STORE_SPACE_USER, key);
    run->is_revision = true;
}

static err delete_one(struct txn_run *run, const struct txn_op *op,
                      const struct store_record *existing, struct txn_result *result)
{
    result->existed = existing != NULL;
    if (existing == NULL) {
        return OK;
    }
    if ((op->flags & TXN_RETURN_OLD) != 0) {
        hold(run, existing);
        apply_key_describe(run, existing, true, result);
    }
    apply_key_delete(run, op->key, existing);
    return OK;
}

/* ERR_TOO_LARGE. */
static err delete_range(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    struct system_key key = {0};
    struct store_record record;
    struct slice from = op->key;
    while (stage_next(&run->stage, STORE_SPACE_USER, from, &key, &record) &&
           (op->end.size == 0 || slice_compare(system_key_slice(&key), op->end) < 0)) {
        if (result->number == DELETED_MAX) {
            return ERR_TOO_LARGE;
        }
        apply_key_delete(run, system_key_slice(&key), &record);
        result->number++;
        system_key_step(&key);
        from = system_key_slice(&key);
    }
    result->existed = result->number > 0;
    return OK;
}

static bool needs_value(const struct txn_op *op)
{
    return op->type == TXN_GET || op->type == TXN_ADD || op->type == TXN_APPEND ||
           op->type == TXN_TOUCH || (op->flags & TXN_RETURN_OLD) != 0;
}

err apply_key_op(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    if (op->type == TXN_DELETE_RANGE) {
        return delete_range(run, op, result);
    }
    struct store_record record;
    const struct store_record *existing = NULL;
    if (stage_find(&run->stage, STORE_SPACE_USER, op->key, needs_value(op), &record)) {
        existing = &record;
    }
    switch ((int)op->type) {
    case TXN_PUT:
        return put_value(run, op, existing, result);
    case TXN_DELETE:
        return delete_one(run, op, existing, result);
    case TXN_ADD:
        return add(run, op, existing, result);
    case TXN_APPEND:
        return append(run, op, existing, result);
    case TXN_TOUCH:
        return touch(run, op, existing, result);
    default:
        ASSERT(op->type == TXN_GET);
        result->existed = existing != NULL;
        if (existing != NULL) {
            apply_key_describe(run, existing, true, result);
        }
        return OK;
    }
}
