#include "sim/txn_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/mem.h"
#include "sim/past.h"
#include "sim/txn_model_int.h"

#define FORGOTTEN_AT_ONCE 2u
#define MARK_HIGH UINT64_C(0x74786e2d6d61726b)

void txn_model_complain(struct txn_model *model, const char *format, ...)
{
    if (!model->is_wrong) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(model->complaint, sizeof(model->complaint), format, args);
        va_end(args);
    }
    model->is_wrong = true;
}

/* Complains of a number that is not what it should be. */
void txn_model_expect(struct txn_model *model, const char *what, uint64_t is, uint64_t should_be)
{
    if (is != should_be) {
        txn_model_complain(model, "%s is %" PRIu64 " and has to be %" PRIu64, what, is, should_be);
    }
}

/* Room for one more in an array that doubles at each power of two; all zero. */
void *txn_model_grow(void *items, size_t *count, size_t item_size)
{
    if ((*count & (*count - 1)) == 0) {
        items = mem_realloc(items, *count == 0 ? 1 : 2 * *count, item_size);
    }
    memset((char *)items + *count * item_size, 0, item_size);
    *count += 1;
    return items;
}

struct txn_model *txn_model_new(const struct txn_model_options *options)
{
    struct txn_model *model = mem_calloc(1, sizeof(*model));
    model->options = *options;
    model->past = past_new();
    model->op_count = 1; /* none has the number 0 */
    model->ops = mem_calloc(1, sizeof(*model->ops));
    return model;
}

void txn_model_free(struct txn_model *model)
{
    for (size_t i = 0; i < model->key_count; i++) {
        buf_unref(model->keys[i].name);
        buf_unref(model->keys[i].value);
    }
    for (size_t i = 0; i < model->party_count; i++) {
        buf_unref(model->parties[i].lock);
    }
    for (size_t i = 0; i < model->answer_count; i++) {
        buf_unref(model->answers[i].key);
    }
    mem_free(model->keys);
    mem_free(model->leases);
    mem_free(model->parties);
    mem_free(model->leads);
    mem_free(model->answers);
    mem_free(model->ops);
    past_free(model->past);
    mem_free(model);
}

uint64_t txn_model_number(struct txn_model *model, uint64_t now_ns)
{
    model->ops = txn_model_grow(model->ops, &model->op_count, sizeof(*model->ops));
    model->ops[model->op_count - 1].asked_ns = now_ns;
    return model->op_count - 1;
}

struct hash128 txn_model_mark(uint64_t number)
{
    return (struct hash128){.low = number, .high = MARK_HIGH};
}

static struct slice value_of(const struct model_key *key)
{
    return buf_slice(key->value);
}

/* ---- operations ---- */

static void add(struct txn_model *model, const struct txn_op *op, const struct txn_result *result)
{
    struct model_key *key = txn_model_key_at(model, op->key);
    struct slice value = value_of(key);
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++) { /* ours are never negative */
        number = 10 * number + (uint64_t)(value.data[i] - '0');
    }
    number += op->number;
    char text[DECIMAL_SIZE_MAX + 1];
    size_t size = decimal_write(text, number);
    txn_model_put_key(model, key, op, (struct slice){(const uint8_t *)text, size});
    txn_model_expect(model, "a sum", result->number, number);
}

static void append(struct txn_model *model, const struct txn_op *op,
                   const struct txn_result *result)
{
    struct model_key *key = txn_model_key_at(model, op->key);
    struct writer value = {0};
    writer_bytes(&value, value_of(key));
    writer_bytes(&value, op->value);
    txn_model_put_key(model, key, op, writer_slice(&value));
    txn_model_expect(model, "a size after appending", result->number, value.size);
    writer_deinit(&value);
}

/* How much of a key's time is left; 0: it has none. */
static uint64_t left_ms(struct txn_model *model, const struct model_key *key)
{
    const struct model_lease *lease = txn_model_lease_at(model, key->lease);
    uint64_t due_ms = lease != NULL ? lease->due_ms : key->due_ms;
    if (due_ms == 0) {
        return 0;
    }
    return due_ms > model->elapsed_ms ? due_ms - model->elapsed_ms : 1;
}

/* What a result tells of the key, which is what it was `before` the operation, or is now. */
static void check_told(struct txn_model *model, const struct txn_op *op,
                       const struct txn_result *result, const struct model_key *before,
                       const struct model_key *now)
{
    static const struct model_key none = {0};
    bool is_old_asked = (op->flags & TXN_RETURN_OLD) != 0 && op->type != TXN_TOUCH;
    bool is_new_asked = (op->flags & TXN_RETURN_NEW) != 0 || op->type == TXN_GET;
    const struct model_key *old = is_old_asked && before->is_there ? before : NULL;
    const struct model_key *described = op->type != TXN_DELETE ? now : old != NULL ? old : &none;
    const struct model_key *shown = old != NULL ? old : is_new_asked ? now : &none;
    txn_model_expect(model, "a revision told", result->mod_revision, described->mod_revision);
    txn_model_expect(model, "a revision of creation told", result->create_revision,
                     described->create_revision);
    txn_model_expect(model, "a version told", result->version, described->version);
    txn_model_expect(model, "a key's lease told", result->lease, described->lease);
    txn_model_expect(model, "a TTL told", result->ttl_ms, left_ms(model, described));
    txn_model_expect(model, "whether a value is told", result->has_record, shown->is_there);
    if (!slice_equal(result->value, value_of(shown))) {
        txn_model_complain(model, "a value is told that is not the key's");
    }
}

static void change_key(struct txn_model *model, struct model_key *key, const struct txn_op *op,
                       const struct txn_result *result)
{
    switch ((int)op->type) {
    case TXN_GET:
        break;
    case TXN_PUT:
        txn_model_put_key(model, key, op, op->value);
        break;
    case TXN_DELETE:
        if (key->is_there) {
            txn_model_delete_key(model, key);
        }
        break;
    case TXN_ADD:
        add(model, op, result);
        break;
    case TXN_APPEND:
        append(model, op, result);
        break;
    case TXN_TOUCH:
        txn_model_set_time(model, key, op);
        break;
    default:
        txn_model_complain(model, "an operation that the model does not know");
        break;
    }
}

static void key_op(struct txn_model *model, const struct txn_op *op,
                   const struct txn_result *result)
{
    struct model_key *key = txn_model_key_at(model, op->key);
    struct model_key before = *key;
    if (before.value != NULL) {
        (void)buf_ref(before.value);
    }
    key->is_shared = true;
    txn_model_expect(model, "whether a key was there", result->existed, key->is_there);
    change_key(model, key, op, result);
    check_told(model, op, result, &before, key);
    buf_unref(before.value);
}

/* All keys from the operation's on and before its end. */
static void delete_range(struct txn_model *model, const struct txn_op *op,
                         const struct txn_result *result)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->key_count; i++) {
        struct model_key *key = &model->keys[i];
        struct slice name = buf_slice(key->name);
        bool is_in = slice_compare(name, op->key) >= 0 &&
                     (op->end.size == 0 || slice_compare(name, op->end) < 0);
        key->is_shared = key->is_shared || is_in;
        if (is_in && key->is_there) {
            txn_model_delete_key(model, key);
            count++;
        }
    }
    txn_model_expect(model, "keys of a range that went", result->number, count);
    txn_model_expect(model, "whether a range had keys", result->existed, count > 0);
}

static void lease_op(struct txn_model *model, const struct txn_op *op,
                     const struct txn_result *result)
{
    struct model_lease *lease = txn_model_lease_at(model, op->lease);
    if ((lease == NULL) != (op->type == TXN_LEASE_GRANT)) {
        txn_model_complain(model, "lease %" PRIu64 " is %s", op->lease,
                           lease == NULL ? "not there" : "granted twice");
    } else if (op->type == TXN_LEASE_GRANT) {
        txn_model_grant(model, op->lease, op->ttl_ms);
    } else if (op->type == TXN_LEASE_KEEP) {
        txn_model_keep_lease(model, lease, op->ttl_ms);
    } else {
        txn_model_expect(model, "keys of a revoked lease", result->number,
                         txn_model_end_lease(model, op->lease));
    }
}

/* T3 */
static void lock(struct txn_model *model, const struct txn_op *op, const struct txn_result *result)
{
    bool is_free = txn_model_count_of(model, op->key, true) < op->number &&
                   txn_model_count_of(model, op->key, false) == 0;
    struct model_party *party = txn_model_add_party(model, op);
    if (is_free) {
        txn_model_hold(model, party);
    } else {
        party->token = party->place = ++model->last_token;
    }
    txn_model_expect(model, "whether a lock is held", result->is_held, is_free);
    txn_model_expect(model, "a token, or place", result->number, party->token);
}

static void leave(struct txn_model *model, const struct txn_op *op, const struct txn_result *result)
{
    struct model_party *party = txn_model_party_at(model, op->key, false, op->number);
    if (party != NULL) {
        txn_model_drop_party(model, party);
        txn_model_expect(model, "whether a place was there", result->existed, true);
        return;
    }
    for (size_t i = 0; i < model->party_count && party == NULL; i++) {
        struct model_party *other = &model->parties[i];
        bool is_it = other->is_holder && other->place == op->number &&
                     slice_equal(buf_slice(other->lock), op->key);
        party = is_it ? other : NULL;
    }
    txn_model_expect(model, "whether who waited holds the lock", result->is_held, party != NULL);
    if (party != NULL) {
        txn_model_expect(model, "a token after waiting", result->number, party->token);
    }
}

/* Who holds the lock does no more, and their lease ends with it. */
static void let_go(struct txn_model *model, struct model_party *party)
{
    if (txn_model_lease_at(model, party->lease) != NULL) {
        (void)txn_model_end_lease(model, party->lease);
    } else {
        txn_model_end_holder(model, party);
    }
}

/* RENEW and UNLOCK: by a token. */
static void token_op(struct txn_model *model, const struct txn_op *op)
{
    struct model_party *party = txn_model_party_at(model, op->key, true, op->number);
    if (party == NULL) {
        txn_model_complain(model, "token %" PRIu64 " is good, and holds nothing", op->number);
        return;
    }
    struct model_lease *lease = txn_model_lease_at(model, party->lease);
    if (op->type == TXN_UNLOCK) {
        let_go(model, party);
        return;
    }
    if (op->value.size > 0) {
        txn_model_say(model, party, op->value);
    }
    if (lease != NULL) {
        txn_model_keep_lease(model, lease, op->ttl_ms);
    }
}

/* Whoever holds the lock with a token behind `after`, the oldest first; NULL: nobody. */
static struct model_party *next_holder(struct txn_model *model, struct slice lock, uint64_t after)
{
    struct model_party *next = NULL;
    for (size_t i = 0; i < model->party_count; i++) {
        struct model_party *party = &model->parties[i];
        bool fits =
            party->is_holder && party->token > after && slice_equal(buf_slice(party->lock), lock);
        next = fits && (next == NULL || party->token < next->token) ? party : next;
    }
    return next;
}

/* All who hold it; who comes to hold it by that keeps it. */
static void unlock_by_force(struct txn_model *model, const struct txn_op *op,
                            const struct txn_result *result)
{
    uint64_t newest = model->last_token;
    uint64_t token = 0;
    struct model_party *party = next_holder(model, op->key, token);
    while (party != NULL && party->token <= newest) {
        token = party->token;
        let_go(model, party);
        party = next_holder(model, op->key, token);
    }
    txn_model_expect(model, "whether a lock was held", result->existed, token != 0);
    txn_model_expect(model, "the last token that is good no more", result->number, token);
}

static void carry_out(struct txn_model *model, const struct txn_op *op,
                      const struct txn_result *result)
{
    switch (op->type) {
    case TXN_GET:
    case TXN_PUT:
    case TXN_DELETE:
    case TXN_ADD:
    case TXN_APPEND:
    case TXN_TOUCH:
        key_op(model, op, result);
        break;
    case TXN_DELETE_RANGE:
        delete_range(model, op, result);
        break;
    case TXN_LEASE_GRANT:
    case TXN_LEASE_KEEP:
    case TXN_LEASE_REVOKE:
        lease_op(model, op, result);
        break;
    case TXN_LOCK:
        lock(model, op, result);
        break;
    case TXN_LOCK_LEAVE:
        leave(model, op, result);
        break;
    case TXN_LOCK_RENEW:
    case TXN_UNLOCK:
        if ((op->flags & TXN_FORCE) != 0) {
            unlock_by_force(model, op, result);
        } else {
            token_op(model, op);
        }
        break;
    case TXN_EXPIRE:
        txn_model_expect(model, "what has expired", result->number,
                         txn_model_expire(model, op->number));
        break;
    }
}

/* The operations of one branch; there is a result for each, and none besides. */
static void carry_out_all(struct txn_model *model, struct slice branch)
{
    struct reader ops = reader_of(branch);
    struct reader results = reader_of(model->entry->result->results);
    struct txn_op op;
    while (txn_next_op(&ops, &op)) {
        struct txn_result result;
        if (results.size == 0 || txn_result_decode(&results, &result) != OK) {
            txn_model_complain(model, "an operation has no result");
            return;
        }
        carry_out(model, &op, &result);
    }
    txn_model_expect(model, "what is left of results", results.size, 0);
}

/* ---- refusals: is there a reason? ---- */

/* What frees goes on past a quota, but what is remembered of it may be too large. */
static bool may_be_over_quota(const struct txn_model *model, const struct txn *txn)
{
    bool has_failed = model->entry->result->has_failed;
    struct reader ops = reader_of(has_failed ? txn->else_ops : txn->then_ops);
    struct txn_op op;
    bool may_grow = txn->idempotency_key.size > 0;
    while (!may_grow && txn_next_op(&ops, &op)) {
        may_grow = !txn_op_only_frees(op.type);
    }
    return may_grow && model->entry->command->quota_bytes != 0;
}

static bool has_reason(struct txn_model *model, const struct txn *txn, const struct txn_op *op)
{
    switch ((int)model->entry->result->e) {
    case ERR_QUOTA:
        return may_be_over_quota(model, txn);
    case ERR_NOT_FOUND:
        return op->type == TXN_TOUCH && !txn_model_key_at(model, op->key)->is_there;
    case ERR_LEASE_NOT_FOUND:
        return txn_model_lease_at(model, op->lease) == NULL;
    case ERR_FENCE_LOST:
        return txn_model_party_at(model, op->key, true, op->number) == NULL;
    case ERR_LOCKED:
        return op->wait_ms == 0 && (txn_model_count_of(model, op->key, true) >= op->number ||
                                    txn_model_count_of(model, op->key, false) > 0);
    default:
        return false;
    }
}

static void check_refusal(struct txn_model *model, const struct txn *txn)
{
    const struct command_result *result = model->entry->result;
    struct reader ops = reader_of(result->has_failed ? txn->else_ops : txn->then_ops);
    struct txn_op op = {0};
    if (result->has_failed && !txn->has_else) {
        txn_model_check_failed(model, txn);
        return;
    }
    uint32_t failed = txn_model_failed_check(model, txn);
    txn_model_expect(model, "whether a check fails", result->has_failed, failed != UINT32_MAX);
    for (uint32_t i = 0; i <= result->failed && txn_next_op(&ops, &op); i++) {
    }
    if (!has_reason(model, txn, &op)) {
        txn_model_complain(model, "%s is answered without a reason", err_name(result->e));
    }
}

/* ---- commands ---- */

/* What is done if all checks hold, or what if not, if that is said. */
static void carry_out_branch(struct txn_model *model, const struct txn *txn)
{
    const struct command_result *result = model->entry->result;
    uint32_t failed = txn_model_failed_check(model, txn);
    if (!txn->has_else) {
        txn_model_expect(model, "the check that fails", failed, UINT32_MAX);
    }
    txn_model_expect(model, "whether a check fails", result->has_failed, failed != UINT32_MAX);
    if (result->has_failed) {
        txn_model_expect(model, "the check that fails", result->failed, failed);
    }
    carry_out_all(model, failed == UINT32_MAX ? txn->then_ops : txn->else_ops);
}

/* Of all that was answered, but for whether it was repeated. */
static uint64_t hash_of(const struct command_result *result)
{
    struct command_result first = *result;
    struct writer encoded = {0};
    first.is_replayed = false;
    command_result_encode(&first, &encoded);
    uint64_t hash = hash64(writer_slice(&encoded), 0);
    writer_deinit(&encoded);
    return hash;
}

static struct model_answer *answer_at(struct txn_model *model, struct slice key)
{
    for (size_t i = 0; i < model->answer_count; i++) {
        if (slice_equal(buf_slice(model->answers[i].key), key)) {
            return &model->answers[i];
        }
    }
    return NULL;
}

static void remember(struct txn_model *model, const struct txn *txn)
{
    const struct txn_model_entry *entry = model->entry;
    err e = entry->result->e;
    if (txn->idempotency_key.size == 0 || e == ERR_QUOTA || e == ERR_TOO_LARGE || e == ERR_LOCKED) {
        return;
    }
    for (unsigned i = 0;
         i < FORGOTTEN_AT_ONCE && model->answer_count >= entry->command->clock.idempotency_count;
         i++) {
        txn_model_forget_oldest(model);
    }
    model->answers = txn_model_grow(model->answers, &model->answer_count, sizeof(*model->answers));
    model->answers[model->answer_count - 1] = (struct model_answer){
        .key = buf_copy(txn->idempotency_key),
        .number = txn->fingerprint.low,
        .hash = hash_of(entry->result),
        .due_ms = model->elapsed_ms + entry->command->clock.idempotency_age_ms,
    };
}

/* T1; whether it is carried out now. */
static bool is_first(struct txn_model *model, const struct txn *txn)
{
    const struct command_result *result = model->entry->result;
    const struct model_answer *answer = answer_at(model, txn->idempotency_key);
    if (result->is_replayed != (answer != NULL)) {
        txn_model_complain(model,
                           "a command of operation %" PRIu64 " is%s taken for a repeated one",
                           txn->fingerprint.low, answer != NULL ? " not" : "");
    } else if (answer != NULL && answer->hash != hash_of(result)) {
        txn_model_complain(model,
                           "operation %" PRIu64 " is answered otherwise when it is asked again",
                           txn->fingerprint.low);
    }
    return answer == NULL;
}

/* The operation of ours that it belongs to; NULL: it is none. */
static struct model_op *op_of(struct txn_model *model, const struct txn *txn)
{
    bool is_ours = txn->fingerprint.high == MARK_HIGH && txn->fingerprint.low < model->op_count;
    return is_ours ? &model->ops[txn->fingerprint.low] : NULL;
}

static void note_op(struct txn_model *model, const struct txn *txn, struct model_op *op)
{
    const struct command_result *result = model->entry->result;
    if (op->is_done && !result->is_replayed) {
        txn_model_complain(model, "operation %" PRIu64 " is carried out twice",
                           txn->fingerprint.low);
    }
    if (op->is_refused && result->e == OK) {
        txn_model_complain(model, "operation %" PRIu64 " was refused and is carried out",
                           txn->fingerprint.low);
    }
    op->is_applied = true;
    op->is_done = op->is_done || result->e == OK;
    op->hash = hash_of(result);
}

static void apply_txn(struct txn_model *model, const struct txn *txn)
{
    const struct txn_model_entry *entry = model->entry;
    struct model_op *op = op_of(model, txn);
    model->asked_ns = op != NULL ? op->asked_ns : entry->now_ns;
    model->is_revision = false;
    if (entry->command->clock.elapsed_ms > model->elapsed_ms) {
        model->elapsed_ms = entry->command->clock.elapsed_ms;
    }
    if (op != NULL) {
        note_op(model, txn, op);
    }
    if (!is_first(model, txn)) {
        return;
    }
    if (entry->result->e != OK) {
        check_refusal(model, txn);
    } else {
        carry_out_branch(model, txn);
        txn_model_expect(model, "a revision", entry->result->revision,
                         model->revision + (model->is_revision ? 1 : 0));
    }
    remember(model, txn);
    model->revision = entry->result->revision;
}

static void apply_plain(struct txn_model *model)
{
    const struct command *command = model->entry->command;
    const struct command_result *result = model->entry->result;
    static const struct txn_op without_ttl = {.type = TXN_PUT};
    if (result->e == OK) {
        struct model_key *key = txn_model_key_at(model, command->key);
        if (key->is_shared) {
            txn_model_expect(model, "whether a key was there", result->existed, key->is_there);
        }
        if (command->type == COMMAND_PUT) {
            model->revision = result->revision - 1;
            txn_model_put_key(model, key, &without_ttl, command->value);
        } else if (key->is_there) {
            model->revision = result->revision - 1;
            txn_model_delete_key(model, key);
        }
    }
    model->revision = result->revision;
}

const char *txn_model_apply(struct txn_model *model, const struct txn_model_entry *entry)
{
    struct txn txn;
    model->entry = entry;
    model->is_wrong = false;
    model->is_expiry = false;
    if (entry->command->type != COMMAND_TXN) {
        apply_plain(model);
    } else if (txn_decode(entry->command->value, &txn) != OK) {
        txn_model_complain(model, "a transaction that nobody can read was applied");
    } else {
        apply_txn(model, &txn);
    }
    model->entry = NULL;
    return model->is_wrong ? model->complaint : NULL;
}

const char *txn_model_answered(struct txn_model *model, uint64_t number,
                               const struct command_result *result)
{
    const struct model_op *op = &model->ops[number];
    model->is_wrong = false;
    if (!op->is_applied) {
        txn_model_complain(model, "operation %" PRIu64 " is answered and was applied nowhere",
                           number);
    } else if (op->hash != hash_of(result) && !op->is_forgotten) {
        txn_model_complain(model, "operation %" PRIu64 " is answered otherwise than it was applied",
                           number);
    }
    return model->is_wrong ? model->complaint : NULL;
}

const char *txn_model_refused(struct txn_model *model, uint64_t number)
{
    struct model_op *op = &model->ops[number];
    model->is_wrong = false;
    if (op->is_done) {
        txn_model_complain(model, "operation %" PRIu64 " is refused and was carried out", number);
    }
    op->is_refused = true;
    return model->is_wrong ? model->complaint : NULL;
}

uint64_t txn_model_timed(const struct txn_model *model)
{
    uint64_t count = model->lease_count;
    for (size_t i = 0; i < model->key_count; i++) {
        count += model->keys[i].due_ms != 0 ? 1 : 0;
    }
    for (size_t i = 0; i < model->party_count; i++) {
        count += model->parties[i].is_holder ? 0 : 1;
    }
    return count;
}

void txn_model_each(const struct txn_model *model,
                    void (*each)(void *ctx, const struct txn_model_key *key), void *ctx)
{
    for (size_t i = 0; i < model->key_count; i++) {
        const struct model_key *key = &model->keys[i];
        const struct txn_model_key shown = {
            .key = buf_slice(key->name),
            .value = value_of(key),
            .create_revision = key->create_revision,
            .mod_revision = key->mod_revision,
            .version = key->version,
            .expires_ms = key->lease != 0 ? key->lease : key->due_ms,
            .is_leased = key->lease != 0,
        };
        if (key->is_there) {
            each(ctx, &shown);
        }
    }
}

const struct past *txn_model_past(const struct txn_model *model)
{
    return model->past;
}
