/* A transaction as a whole: checks, operations, then everything at once, or nothing. */
#include "base/assert.h"
#include "store/apply_int.h"
#include "store/distrust.h"
#include "store/record.h"

/* The applied state's record. */
static bool find_applied(struct txn_run *run, enum store_space space, struct slice key,
                         struct store_record *out_record)
{
    err e = store_find_record(run->store, space, key, out_record);
    if (e != OK && e != ERR_NOT_FOUND) {
        apply_end_inconsistent(run, "a record that a transaction replaces");
    }
    return e == OK;
}

/* ---- checks ---- */

static bool relates(enum txn_relation relation, int order)
{
    switch (relation) {
    case TXN_EQUAL:
        return order == 0;
    case TXN_NOT_EQUAL:
        return order != 0;
    case TXN_LESS:
        return order < 0;
    case TXN_LESS_OR_EQUAL:
        return order <= 0;
    case TXN_GREATER:
        return order > 0;
    case TXN_GREATER_OR_EQUAL:
        return order >= 0;
    }
    return false;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* `record` is NULL if the key is not there. */
static bool holds_of(const struct txn_check *check, const struct store_record *record)
{
    static const struct store_record none = {0};
    bool is_there = record != NULL;
    record = is_there ? record : &none;
    uint64_t number = 0;
    switch (check->target) {
    case TXN_MOD_REVISION:
        number = record->mod_revision;
        break;
    case TXN_CREATE_REVISION:
        number = record->create_revision;
        break;
    case TXN_VERSION:
        number = record->version;
        break;
    case TXN_LEASE:
        number = (record->flags & STORE_RECORD_LEASED) != 0 ? record->expires_ms : 0;
        break;
    case TXN_VALUE:
        return is_there && relates(check->relation, slice_compare(record->value, check->value));
    case TXN_FENCE:
        return false; /* of no record */
    }
    return relates(check->relation, compare_numbers(number, check->number));
}

static bool holds_of_range(struct txn_run *run, const struct txn_check *check)
{
    struct system_key key = {0};
    struct store_record record;
    struct slice from = check->key;
    while (stage_next(&run->stage, STORE_SPACE_USER, from, &key, &record) &&
           slice_compare(system_key_slice(&key), check->end) < 0) {
        if (check->target == TXN_VALUE && record.owner == NULL &&
            store_record_verify(&record, system_key_slice(&key)) != OK) {
            apply_end_inconsistent(run, "a value that a check compares");
        }
        if (!holds_of(check, &record)) {
            return false;
        }
        system_key_step(&key);
        from = system_key_slice(&key);
    }
    return true;
}

static bool holds(struct txn_run *run, const struct txn_check *check)
{
    if (check->target == TXN_FENCE) {
        bool is_held = apply_lock_is_held(run, check->key, check->number);
        return relates(check->relation, is_held ? 0 : 1);
    }
    if (check->end.size > 0) {
        return holds_of_range(run, check);
    }
    struct store_record record;
    bool is_there =
        stage_find(&run->stage, STORE_SPACE_USER, check->key, check->target == TXN_VALUE, &record);
    return holds_of(check, is_there ? &record : NULL);
}

/* What the client is shown of the key whose check has failed. */
static void describe_failed(struct txn_run *run, const struct txn_check *check,
                            struct command_result *result)
{
    struct store_record record;
    if (check->target != TXN_FENCE && check->end.size == 0 &&
        stage_find(&run->stage, STORE_SPACE_USER, check->key, false, &record)) {
        result->existed = true;
        result->create_revision = record.create_revision;
        result->mod_revision = record.mod_revision;
        result->version = record.version;
        result->modified_ms = record.modified_ms;
    }
}

static void fail(struct txn_run *run, const struct txn_check *check, uint32_t place,
                 struct command_result *result)
{
    result->has_failed = true;
    result->failed = place;
    if (!run->txn.has_else) {
        result->e = check->target == TXN_FENCE ? ERR_FENCE_LOST : ERR_PRECONDITION_FAILED;
        describe_failed(run, check, result);
    }
}

/* Whether all hold; else which one does not is in the result. */
static bool check_all(struct txn_run *run, struct command_result *result)
{
    struct reader walk = reader_of(run->txn.checks);
    struct txn_check first = {0}; /* of those of which one is enough */
    struct txn_check check;
    uint32_t place = 0;
    bool does_hold = true;
    for (uint32_t i = 0; txn_next_check(&walk, &check); i++) {
        if (!check.is_or) {
            if (!does_hold) {
                break;
            }
            first = check;
            place = i;
            does_hold = holds(run, &check);
        } else if (!does_hold) {
            does_hold = holds(run, &check);
        }
    }
    if (!does_hold) {
        fail(run, &first, place, result);
    }
    return does_hold;
}

/* ---- operations ---- */

static err apply_op(struct txn_run *run, const struct txn_op *op, struct txn_result *result)
{
    switch (op->type) {
    case TXN_GET:
    case TXN_PUT:
    case TXN_DELETE:
    case TXN_DELETE_RANGE:
    case TXN_ADD:
    case TXN_APPEND:
    case TXN_TOUCH:
        return apply_key_op(run, op, result);
    case TXN_LEASE_GRANT:
    case TXN_LEASE_KEEP:
    case TXN_LEASE_REVOKE:
        return apply_lease_op(run, op, result);
    case TXN_LOCK:
    case TXN_LOCK_RENEW:
    case TXN_LOCK_LEAVE:
    case TXN_UNLOCK:
        return apply_lock_op(run, op, result);
    case TXN_EXPIRE:
        run->is_expiry = true;
        result->number = apply_expire(run, op->number);
        return OK;
    }
    return ERR_BAD_REQUEST;
}

/* The fields that a command of one write has: those of its only operation. */
static void show_single(const struct txn_result *op, struct command_result *result)
{
    result->existed = op->existed;
    result->create_revision = op->create_revision;
    result->mod_revision = op->mod_revision;
    result->version = op->version;
    result->modified_ms = op->modified_ms;
}

static void apply_ops(struct txn_run *run, struct slice ops, struct command_result *result)
{
    struct reader walk = reader_of(ops);
    struct txn_op op;
    for (uint32_t i = 0; result->e == OK && txn_next_op(&walk, &op); i++) {
        struct txn_result one = {.type = op.type};
        result->e = apply_op(run, &op, &one);
        if (result->e == OK || result->e == ERR_LOCKED) { /* which tells who has it */
            txn_result_encode(&one, run->results);
        }
        buf_drop(&run->held);
        if (run->results->size > TXN_RESULTS_SIZE_MAX) {
            result->e = ERR_TOO_LARGE;
        }
        if (result->e != OK) {
            result->failed = i;
        }
        show_single(&one, result);
    }
}

/* ---- the quota ---- */

/*
 * By so much what only frees may let the records grow past the quota, all in all: so that a delete
 * with an idempotency key goes on, too. What is remembered of one operation is smaller, with any
 * key, and --idempotency-keys bounds how often it is.
 */
#define REMEMBERED_PAST_QUOTA_MAX 1024u

struct growth {
    uint64_t before;
    uint64_t after;
};

/* Adds what the records of the space among the changes counted before, and will, in a quota. */
static void add_growth(struct txn_run *run, enum store_space space, struct growth *growth)
{
    const struct store_tail *changes = run->stage.changes.of[space];
    if (changes == NULL) {
        return;
    }
    struct store_tail_cursor cursor = store_tail_seek(changes, SLICE_EMPTY);
    for (const struct store_tail_entry *entry = store_tail_next(&cursor); entry != NULL;
         entry = store_tail_next(&cursor)) {
        struct slice key = {entry->key, entry->key_size};
        uint64_t cost = key.size + STORE_RECORD_COST;
        struct store_record existing;
        if (find_applied(run, space, key, &existing)) {
            growth->before += cost + existing.value.size;
        }
        if (!entry->is_tombstone) {
            growth->after += cost + entry->record.value.size;
        }
    }
}

/* Whether the operations that were carried out can only free; none were of what was refused. */
static bool only_frees(const struct txn_run *run, const struct command_result *result)
{
    struct reader walk = reader_of(result->has_failed ? run->txn.else_ops : run->txn.then_ops);
    struct txn_op op;
    while (result->e == OK && txn_next_op(&walk, &op)) {
        if (!txn_op_only_frees(op.type)) {
            return false;
        }
    }
    return true;
}

/* Of all that the stage has: the operations' changes, and what is remembered of them. */
static bool outgrows_quota(struct txn_run *run, const struct command_result *result)
{
    uint64_t quota = run->command->quota_bytes;
    if (quota == 0 || stage_is_empty(&run->stage)) {
        return false;
    }
    uint64_t allowance = 0;
    if (only_frees(run, result)) {
        if (run->txn.idempotency_key.size == 0) {
            return false; /* who waited for a lock may have it now, in a few bytes more */
        }
        allowance = REMEMBERED_PAST_QUOTA_MAX;
    }
    struct growth growth = {0};
    for (int space = 0; space < STORE_SPACES; space++) {
        add_growth(run, (enum store_space)space, &growth);
    }
    uint64_t used = store_region_used(run->region);
    return growth.after > growth.before + allowance && used + growth.after - growth.before > quota;
}

/* ---- taking over ---- */

/* One change of the stage becomes one of the applied state. */
static void take_over_entry(struct txn_run *run, enum store_space space,
                            const struct store_tail_entry *entry)
{
    struct store *store = run->store;
    struct store_region *region = run->region;
    struct slice key = {entry->key, entry->key_size};
    struct store_record existing;
    bool existed = find_applied(run, space, key, &existing);
    if (entry->is_tombstone && !existed) {
        return;
    }
    const struct store_record *record = entry->is_tombstone ? NULL : &entry->record;
    if (existed) {
        store_count_out(region, space, key, &existing);
    }
    if (record != NULL) {
        store_count_in(region, space, key, record);
    }
    bool is_change = record == NULL || (run->is_revision && record->mod_revision == run->revision);
    if (space == STORE_SPACE_SYSTEM) {
        apply_note_due(store, key, record != NULL);
        if (store->options.system_changed != NULL) {
            store->options.system_changed(store->options.ctx, region->id, key);
        }
    } else if (is_change) { /* a touched key is what it was */
        const struct store_change change = {
            .kind = record != NULL ? STORE_CHANGE_PUT
                                   : (run->is_expiry ? STORE_CHANGE_EXPIRE : STORE_CHANGE_DELETE),
            .revision = region->revision,
            .clock_ms = region->clock_ms,
            .key = key,
            .record = record,
            .replaced = existed ? &existing : NULL,
        };
        apply_tell_change(store, region, &change);
    }
    if (record != NULL) {
        store_tail_put(store->active.of[space], key, record);
    } else {
        store_tail_delete(store->active.of[space], key);
    }
    if (space == STORE_SPACE_USER && record != NULL && !existed) {
        store_census_came(store, region, key);
    } else if (space == STORE_SPACE_USER && record == NULL) {
        store_census_went(store, region, key);
    }
}

static void take_over(struct txn_run *run)
{
    run->region->last_token = run->last_token;
    run->region->idempotency_keys = run->idempotency_keys;
    run->store->due.age_floor_ms = run->age_floor_ms; /* before what is put lowers it */
    if (run->is_revision) {
        run->region->revision = run->revision;
    }
    for (int space = 0; space < STORE_SPACES; space++) {
        const struct store_tail *changes = run->stage.changes.of[space];
        if (changes == NULL) {
            continue;
        }
        struct store_tail_cursor cursor = store_tail_seek(changes, SLICE_EMPTY);
        for (const struct store_tail_entry *entry = store_tail_next(&cursor); entry != NULL;
             entry = store_tail_next(&cursor)) {
            take_over_entry(run, (enum store_space)space, entry);
        }
    }
}

/* ---- the whole ---- */

void apply_put_system(struct txn_run *run, struct slice key)
{
    struct buf *owner = writer_to_buf(&run->scratch);
    struct store_record record = {
        .owner = owner,
        .value = buf_slice(owner),
        .create_revision = run->revision,
        .mod_revision = run->revision,
        .version = 1,
        .modified_ms = run->region->clock_ms,
    };
    stage_put(&run->stage, STORE_SPACE_SYSTEM, key, &record);
    buf_unref(owner);
    writer_reset(&run->scratch);
}

void apply_drop_time(struct store *store, struct store_region *region, struct slice key,
                     const struct store_record *record)
{
    struct txn_run run = {
        .store = store,
        .region = region,
        .last_token = region->last_token,
        .idempotency_keys = region->idempotency_keys,
        .age_floor_ms = store->due.age_floor_ms,
    };
    stage_init(&run.stage, store);
    apply_key_drop_time(&run.stage, key, record);
    take_over(&run);
    stage_reset(&run.stage);
}

void apply_end_inconsistent(const struct txn_run *run, const char *what)
{
    store_end_damaged(run->store->options.env, run->store->directory, what);
}

/* Drops what was done. */
static void refuse(struct txn_run *run, err e, struct command_result *result)
{
    stage_reset(&run->stage);
    run->is_revision = false;
    run->last_token = run->region->last_token;
    run->idempotency_keys = run->region->idempotency_keys;
    run->age_floor_ms = run->store->due.age_floor_ms;
    if (e != ERR_LOCKED) {
        writer_reset(run->results);
    }
    result->e = e;
    result->revision = run->region->revision;
    result->results = writer_slice(run->results);
}

static void run_txn(struct txn_run *run, struct command_result *result)
{
    bool all_hold = check_all(run, result);
    struct slice ops = all_hold ? run->txn.then_ops : run->txn.else_ops;
    run->is_single = (all_hold ? run->txn.then_count : run->txn.else_count) == 1;
    apply_ops(run, ops, result);
    result->revision = run->is_revision ? run->revision : run->region->revision;
    result->results = writer_slice(run->results);
    if (result->e == OK && run->is_revision && run->region->revision == REVISION_MAX) {
        result->e = ERR_QUOTA;
    }
    if (result->e != OK) {
        refuse(run, result->e, result);
    }
    if (run->txn.idempotency_key.size > 0) {
        apply_answer_remember(run, result);
    }
    if (outgrows_quota(run, result)) {
        refuse(run, ERR_QUOTA, result);
    }
}

void apply_txn(struct store *store, struct store_region *region, const struct command *command,
               struct buf *owner, struct command_result *out_result)
{
    struct txn_run run = {
        .store = store,
        .region = region,
        .command = command,
        .owner = owner,
        .revision = region->revision + 1,
        .last_token = region->last_token,
        .idempotency_keys = region->idempotency_keys,
        .age_floor_ms = store->due.age_floor_ms,
        .results = &store->results,
    };
    struct command_result result = {.e = txn_decode(command->value, &run.txn)};
    ASSERT(result.e == OK); /* command_decode has looked */
    writer_reset(run.results);
    stage_init(&run.stage, store);
    if (command->clock.elapsed_ms > region->elapsed_ms) {
        region->elapsed_ms = command->clock.elapsed_ms;
    }
    bool has_key = run.txn.idempotency_key.size > 0;
    if (!has_key || !apply_answer_find(&run, &result)) {
        run_txn(&run, &result);
        take_over(&run);
    }
    stage_reset(&run.stage);
    writer_deinit(&run.scratch);
    *out_result = result;
}
