#include "sim/txn_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/command.h"
#include "sim/txn_clients.h"
#include "sim/txn_model.h"

#define RANGE_IN 16u   /* in so many there is one delete of a range */
#define ELSE_IN 3u     /* likewise: checks with an alternative */
#define RETURN_IN 3u   /* likewise: operations that tell a record */
#define MORE_IN 2u     /* likewise: checks with more of them */
#define ELECTION_IN 3u /* likewise: an election in place of a lock */
#define VALUE_SIZE_MAX 64u

static const char *const kinds[REQUEST_KINDS] = {
    "add",
    "append",
    "put with a TTL",
    "touch",
    "put",
    "delete",
    "delete",
    "conditional put",
    "lease",
    "keep-alive",
    "revoke",
    "put on a lease",
    "put of two",
    "get of two",
    "lock",
    "renewal",
    "leave",
    "unlock",
    "fenced put",
    "delete of a range",
    "delete of a range and a put",
};

void txn_dice_init(struct txn_dice *dice, const struct world *world, uint64_t ttl_ms_max)
{
    *dice = (struct txn_dice){.ttl_ms_max = ttl_ms_max};
    world_chance(world, "transactions", &dice->chance);
    world_chance(world, "flags of transactions", &dice->flags);
    world_chance(world, "rare transactions", &dice->rare);
}

void txn_known_learn(struct txn_known *known, uint64_t number)
{
    known->numbers[known->count++ % TXN_REQUEST_KNOWN] = number;
}

/* ---- as a command ---- */

bool txn_request_is_plain(const struct txn_request *request)
{
    return request->kind == REQUEST_PLAIN_PUT || request->kind == REQUEST_PLAIN_DELETE;
}

static void write_value(const struct txn_request *request, struct writer *out)
{
    writer_format(out, "%" PRIu64 ";", request->number);
    while (out->size < request->value_size) {
        writer_u8(out, (uint8_t)('a' + (request->number + out->size) % 26));
    }
}

void txn_request_lock_name(uint32_t lock, char out_name[TXN_REQUEST_LOCK_SIZE])
{
    (void)snprintf(out_name, TXN_REQUEST_LOCK_SIZE, "%c%u",
                   lock == TXN_REQUEST_ELECTION ? TXN_LOCK_ELECTION : TXN_LOCK_PLAIN, lock);
}

/* How many may hold it. */
static uint64_t holders_of(const struct txn_request *request)
{
    return request->lock == TXN_REQUEST_ELECTION ? 1 : 1 + request->lock;
}

static void add_checks(const struct txn_request *request, struct txn_builder *builder)
{
    struct txn_check check = {.relation = TXN_EQUAL, .number = request->operand};
    char name[TXN_REQUEST_LOCK_SIZE];
    if (request->kind == REQUEST_CONDITIONAL) {
        check.target = TXN_MOD_REVISION;
        check.key = slice_from_text(request->range.key);
        txn_add_check(builder, &check);
    } else if (request->kind == REQUEST_FENCED_PUT) {
        txn_request_lock_name(request->lock, name);
        check.target = TXN_FENCE;
        check.key = slice_from_text(name);
        txn_add_check(builder, &check);
    }
    for (uint32_t i = 0; i < request->condition_count; i++) {
        const struct txn_condition *condition = &request->conditions[i];
        txn_add_check(builder, &(struct txn_check){
                                   .target = condition->target,
                                   .relation = condition->relation,
                                   .key = slice_from_text(condition->range.key),
                                   .end = slice_from_text(condition->range.end),
                                   .value = slice_from_text(condition->value),
                                   .number = condition->number,
                                   .is_or = condition->is_or,
                               });
    }
}

static enum txn_type type_of(enum txn_request_kind kind)
{
    static const enum txn_type types[REQUEST_KINDS] = {
        [REQUEST_ADD] = TXN_ADD,
        [REQUEST_APPEND] = TXN_APPEND,
        [REQUEST_PUT_TTL] = TXN_PUT,
        [REQUEST_TOUCH] = TXN_TOUCH,
        [REQUEST_DELETE] = TXN_DELETE,
        [REQUEST_CONDITIONAL] = TXN_PUT,
        [REQUEST_GRANT] = TXN_LEASE_GRANT,
        [REQUEST_KEEP] = TXN_LEASE_KEEP,
        [REQUEST_REVOKE] = TXN_LEASE_REVOKE,
        [REQUEST_PUT_ON_LEASE] = TXN_PUT,
        [REQUEST_PAIR_PUT] = TXN_PUT,
        [REQUEST_PAIR_GET] = TXN_GET,
        [REQUEST_LOCK] = TXN_LOCK,
        [REQUEST_RENEW] = TXN_LOCK_RENEW,
        [REQUEST_LEAVE] = TXN_LOCK_LEAVE,
        [REQUEST_UNLOCK] = TXN_UNLOCK,
        [REQUEST_FENCED_PUT] = TXN_PUT,
        [REQUEST_DELETE_RANGE] = TXN_DELETE_RANGE,
        [REQUEST_RANGE_AND_PUT] = TXN_PUT,
    };
    return types[kind];
}

static void add_ops(const struct txn_request *request, struct slice value,
                    struct txn_builder *builder)
{
    char name[TXN_REQUEST_LOCK_SIZE];
    bool is_of_lock = request->kind >= REQUEST_LOCK && request->kind <= REQUEST_UNLOCK;
    enum txn_type type = type_of(request->kind);
    bool has_value = type == TXN_PUT || type == TXN_APPEND || type == TXN_LOCK ||
                     (type == TXN_LOCK_RENEW && request->number % 2 == 0);
    bool has_key = type < TXN_LEASE_GRANT || type > TXN_LEASE_REVOKE;
    txn_request_lock_name(request->lock, name);
    struct txn_op op = {
        .type = type,
        .key = !has_key     ? SLICE_EMPTY
               : is_of_lock ? slice_from_text(name)
                            : slice_from_text(request->range.key),
        .end = slice_from_text(request->range.end),
        .value = has_value ? value : SLICE_EMPTY,
        .ttl_ms = request->ttl_ms,
        .lease = request->lease,
        .number = request->operand,
        .wait_ms = request->wait_ms,
        .flags = request->flags,
    };
    if (request->kind == REQUEST_LOCK) {
        op.number = holders_of(request);
    } else if (request->kind == REQUEST_ADD) {
        op.number = 1 + request->number % 7;
    } else if (!is_of_lock) {
        op.number = 0;
    }
    txn_add_op(builder, &op, false);
    if (request->other_key[0] != '\0') {
        op.key = slice_from_text(request->other_key);
        txn_add_op(builder, &op, false);
    }
}

/* A range goes, and a key, mostly of it, is put before that, behind it, or both. */
static void add_range_and_put(const struct txn_request *request, struct slice value,
                              struct txn_builder *builder)
{
    bool is_number = request->operand != 0;
    struct txn_op range = {
        .type = TXN_DELETE_RANGE,
        .key = slice_from_text(request->range.key),
        .end = slice_from_text(request->range.end),
    };
    struct txn_op put = {
        .type = is_number ? TXN_ADD : TXN_PUT,
        .key = slice_from_text(request->other_key),
        .value = is_number ? SLICE_EMPTY : value,
        .number = request->operand,
        .ttl_ms = request->ttl_ms,
        .flags = request->flags,
    };
    if (request->puts != TXN_REQUEST_PUT_BEHIND) {
        txn_add_op(builder, &put, false);
    }
    txn_add_op(builder, &range, false);
    if (request->puts != TXN_REQUEST_PUT_BEFORE) {
        txn_add_op(builder, &put, false);
    }
}

static void add_alternative(const struct txn_request *request, struct txn_builder *builder)
{
    char name[32];
    struct txn_op read = {.type = TXN_GET, .key = slice_from_text(request->range.key)};
    struct txn_op grow = {.type = TXN_ADD, .number = 1};
    (void)snprintf(name, sizeof(name), TXN_CLIENTS_PREFIX "number-%u", request->lock);
    grow.key = slice_from_text(name);
    txn_add_op(builder, &read, true);
    txn_add_op(builder, &grow, true);
}

struct buf *txn_request_command(const struct txn_request *request)
{
    struct writer value = {0};
    struct txn_builder builder = {0};
    struct txn txn;
    write_value(request, &value);
    struct command command = {.key = slice_from_text(request->range.key)};
    if (txn_request_is_plain(request)) {
        bool is_put = request->kind == REQUEST_PLAIN_PUT;
        command.type = is_put ? COMMAND_PUT : COMMAND_DELETE;
        command.value = is_put ? writer_slice(&value) : SLICE_EMPTY;
    } else {
        add_checks(request, &builder);
        if (request->kind == REQUEST_RANGE_AND_PUT) {
            add_range_and_put(request, writer_slice(&value), &builder);
        } else {
            add_ops(request, writer_slice(&value), &builder);
        }
        if (request->has_else) {
            add_alternative(request, &builder);
        }
        builder.txn.idempotency_key = slice_from_text(request->idempotency_key);
        builder.txn.fingerprint = txn_model_mark(request->number);
        txn = txn_builder_result(&builder);
        command.type = COMMAND_TXN;
        command.txn = &txn;
    }
    struct buf *encoded = command_encode(&command);
    txn_builder_deinit(&builder);
    writer_deinit(&value);
    return encoded;
}

/* ---- drawn ---- */

/* The newest, mostly; 0: none is known. */
static uint64_t recall(struct prng *chance, const struct txn_known *known)
{
    if (known->count == 0) {
        return 0;
    }
    uint64_t kept = known->count < TXN_REQUEST_KNOWN ? known->count : TXN_REQUEST_KNOWN;
    uint64_t back = prng_below(chance, 3) == 0 ? prng_below(chance, kept) : 0;
    return known->numbers[(known->count - 1 - back) % TXN_REQUEST_KNOWN];
}

/* Some keys of a kind; all of both that are always written together; or all from one kind on. */
static void draw_range(struct prng *rare, struct txn_request_range *range)
{
    static const char *const counted[] = {"number", "text", "if", "ttl"};
    const char *what = counted[prng_below(rare, ARRAY_COUNT(counted))];
    uint32_t from = (uint32_t)prng_below(rare, TXN_REQUEST_KEYS);
    uint32_t end = from + 1 + (uint32_t)prng_below(rare, TXN_REQUEST_KEYS - from);
    switch (prng_below(rare, 8)) {
    case 0:
        (void)snprintf(range->key, sizeof(range->key), TXN_CLIENTS_PREFIX "p");
        (void)snprintf(range->end, sizeof(range->end), TXN_CLIENTS_PREFIX "s");
        break;
    case 1: /* nobody has keys behind ours */
        (void)snprintf(range->key, sizeof(range->key), TXN_CLIENTS_PREFIX "ttl-%u", from);
        break;
    default:
        (void)snprintf(range->key, sizeof(range->key), TXN_CLIENTS_PREFIX "%s-%u", what, from);
        (void)snprintf(range->end, sizeof(range->end), TXN_CLIENTS_PREFIX "%s-%u", what, end);
        break;
    }
}

/* What is put is the range's first key, one behind that which is hardly ever there, or one of those
 * that have a TTL, wherever that is. */
static void draw_range_and_put(struct prng *rare, uint64_t ttl_ms, struct txn_request *request)
{
    static const char numbers[] = TXN_CLIENTS_PREFIX "number";
    char *key = request->other_key;
    draw_range(rare, &request->range);
    request->puts = (enum txn_request_puts)prng_below(rare, TXN_REQUEST_PUTS);
    request->ttl_ms = prng_below(rare, 3) == 0 ? ttl_ms : 0;
    switch (prng_below(rare, 3)) {
    case 0:
        (void)snprintf(key, sizeof(request->other_key), TXN_CLIENTS_PREFIX "ttl-%u",
                       (uint32_t)prng_below(rare, TXN_REQUEST_KEYS));
        break;
    case 1:
        (void)snprintf(key, sizeof(request->other_key), "%s+", request->range.key);
        break;
    default:
        memcpy(key, request->range.key, sizeof(request->range.key));
        request->operand =
            strncmp(key, numbers, sizeof(numbers) - 1) == 0 ? 1 : 0; /* it stays one */
        break;
    }
}

/* The election, or the lock of that number. */
static uint32_t draw_lock(struct txn_dice *dice, enum txn_request_kind kind, uint32_t number)
{
    bool is_of_lock = kind >= REQUEST_LOCK && kind <= REQUEST_FENCED_PUT;
    bool is_election = is_of_lock && prng_below(&dice->rare, ELECTION_IN) == 0;
    return is_election ? TXN_REQUEST_ELECTION : number % TXN_REQUEST_LOCKS;
}

/* What the operation is of, and with. */
static void draw_request(struct txn_dice *dice, struct txn_request *request)
{
    struct prng *chance = &dice->chance;
    uint32_t number = (uint32_t)prng_below(chance, TXN_REQUEST_KEYS);
    uint64_t ttl_ms = chance_log(chance, 50, dice->ttl_ms_max);
    const char *what = "ttl";
    request->lock = draw_lock(dice, request->kind, number);
    switch ((int)request->kind) {
    case REQUEST_ADD:
        what = "number";
        break;
    case REQUEST_APPEND:
        what = "text";
        break;
    case REQUEST_CONDITIONAL:
        what = "if";
        request->lock = number; /* whose revision it is */
        request->operand =
            prng_below(chance, 3) == 0 ? 0 : recall(chance, &dice->revisions[number]);
        request->ttl_ms = prng_below(chance, 3) == 0 ? ttl_ms : 0;
        break;
    case REQUEST_PUT_TTL:
        request->ttl_ms = ttl_ms;
        break;
    case REQUEST_TOUCH:
        request->ttl_ms = prng_below(chance, 4) == 0 ? 0 : ttl_ms;
        break;
    case REQUEST_GRANT:
        request->lease = request->number;
        request->ttl_ms = ttl_ms;
        break;
    case REQUEST_KEEP:
    case REQUEST_REVOKE:
    case REQUEST_PUT_ON_LEASE:
        request->lease = recall(chance, &dice->leases);
        break;
    case REQUEST_PAIR_PUT:
    case REQUEST_PAIR_GET:
        what = "pair";
        (void)snprintf(request->other_key, sizeof(request->other_key), TXN_CLIENTS_PREFIX "riap-%u",
                       number);
        break;
    case REQUEST_LOCK:
        request->lease = request->number;
        request->ttl_ms = ttl_ms;
        request->wait_ms = prng_below(chance, 3) == 0 ? 0 : chance_log(chance, 50, ttl_ms + 50);
        break;
    case REQUEST_LEAVE:
        request->operand = recall(chance, &dice->places[request->lock]);
        break;
    case REQUEST_RENEW:
    case REQUEST_UNLOCK:
    case REQUEST_FENCED_PUT:
        what = "fenced";
        request->operand = recall(chance, &dice->tokens[request->lock]);
        break;
    default:
        break;
    }
    (void)snprintf(request->range.key, sizeof(request->range.key), TXN_CLIENTS_PREFIX "%s-%u", what,
                   number);
    if (request->kind == REQUEST_DELETE_RANGE) {
        draw_range(&dice->rare, &request->range);
    } else if (request->kind == REQUEST_RANGE_AND_PUT) {
        draw_range_and_put(&dice->rare, ttl_ms, request);
    }
}

/* A lock's fence, or how a key is to be, or each that there is of some. */
static void draw_condition(struct txn_dice *dice, struct txn_condition *condition)
{
    static const enum txn_target targets[] = {TXN_MOD_REVISION, TXN_CREATE_REVISION, TXN_VERSION,
                                              TXN_VALUE};
    struct prng *rare = &dice->rare;
    condition->is_or = prng_below(rare, 3) != 0;
    if (prng_below(rare, 4) == 0) {
        uint32_t lock = (uint32_t)prng_below(rare, TXN_REQUEST_LOCKS + 1);
        condition->target = TXN_FENCE;
        condition->relation = TXN_EQUAL;
        condition->number = recall(rare, &dice->tokens[lock]);
        txn_request_lock_name(lock, condition->range.key);
        return;
    }
    uint32_t number = (uint32_t)prng_below(rare, TXN_REQUEST_KEYS);
    condition->target = targets[prng_below(rare, ARRAY_COUNT(targets))];
    condition->relation = (enum txn_relation)(1 + prng_below(rare, TXN_RELATIONS));
    if (condition->target == TXN_VALUE) {
        (void)snprintf(condition->value, sizeof(condition->value), "%u", number);
    } else if (condition->target == TXN_VERSION) {
        condition->number = number;
    } else {
        condition->number = prng_below(rare, 4) == 0 ? 0 : recall(rare, &dice->revisions[number]);
    }
    if (prng_below(rare, 2) == 0) {
        draw_range(rare, &condition->range);
    } else {
        (void)snprintf(condition->range.key, sizeof(condition->range.key),
                       TXN_CLIENTS_PREFIX "if-%u", number);
    }
}

/* What a write with a check has besides: more checks, an alternative. */
static void draw_conditions(struct txn_dice *dice, struct txn_request *request)
{
    if (request->kind != REQUEST_CONDITIONAL && request->kind != REQUEST_FENCED_PUT) {
        return;
    }
    request->has_else = prng_below(&dice->rare, ELSE_IN) == 0;
    if (prng_below(&dice->rare, MORE_IN) == 0) {
        request->condition_count = 1 + (uint32_t)prng_below(&dice->rare, TXN_REQUEST_CONDITIONS);
    }
    for (uint32_t i = 0; i < request->condition_count; i++) {
        draw_condition(dice, &request->conditions[i]);
    }
}

/* Whether the record that was, or that is, is told. */
static uint8_t draw_return(struct txn_dice *dice, enum txn_request_kind kind)
{
    enum txn_type type = type_of(kind);
    bool is_of_key = type == TXN_PUT || type == TXN_ADD || type == TXN_APPEND ||
                     type == TXN_TOUCH || type == TXN_DELETE;
    if (!is_of_key || prng_below(&dice->rare, RETURN_IN) != 0) {
        return 0;
    }
    static const uint8_t flags[] = {TXN_RETURN_OLD, TXN_RETURN_NEW,
                                    TXN_RETURN_OLD | TXN_RETURN_NEW};
    return flags[prng_below(&dice->rare, ARRAY_COUNT(flags))];
}

/* Whether the TTL, or lease, of what may have one stays; whether a lock is taken from whoever holds
 * it. */
static uint8_t draw_flags(struct txn_dice *dice, enum txn_request_kind kind)
{
    bool may_keep = kind == REQUEST_PUT_TTL || kind == REQUEST_CONDITIONAL ||
                    kind == REQUEST_PUT_ON_LEASE || kind == REQUEST_RANGE_AND_PUT;
    uint8_t flags = draw_return(dice, kind);
    if ((may_keep || kind == REQUEST_UNLOCK) && prng_below(&dice->flags, 4) == 0) {
        flags |= may_keep ? TXN_KEEP_TTL : TXN_FORCE;
    }
    return flags;
}

static bool is_repeatable(struct txn_dice *dice, enum txn_request_kind kind)
{
    return kind == REQUEST_ADD || kind == REQUEST_APPEND ||
           ((kind == REQUEST_CONDITIONAL || kind == REQUEST_PAIR_PUT) &&
            prng_below(&dice->chance, 2) == 0);
}

/* It needs a lease, token or place, and none is known. */
static bool is_pointless(const struct txn_request *request)
{
    bool needs_lease = request->kind == REQUEST_KEEP || request->kind == REQUEST_REVOKE ||
                       request->kind == REQUEST_PUT_ON_LEASE;
    bool needs_number = request->kind == REQUEST_RENEW || request->kind == REQUEST_LEAVE ||
                        request->kind == REQUEST_UNLOCK || request->kind == REQUEST_FENCED_PUT;
    return (needs_lease && request->lease == 0) || (needs_number && request->operand == 0);
}

bool txn_request_draw(struct txn_dice *dice, uint64_t number, struct txn_request *out_request)
{
    struct txn_request request = {.number = number};
    request.kind = (enum txn_request_kind)prng_below(&dice->chance, REQUEST_KINDS_COMMON);
    if (prng_below(&dice->rare, RANGE_IN) == 0) {
        request.kind =
            prng_below(&dice->rare, 2) == 0 ? REQUEST_DELETE_RANGE : REQUEST_RANGE_AND_PUT;
    }
    request.value_size = prng_below(&dice->chance, VALUE_SIZE_MAX);
    draw_request(dice, &request);
    request.flags = draw_flags(dice, request.kind);
    draw_conditions(dice, &request);
    if (is_pointless(&request)) {
        return false;
    }
    if (is_repeatable(dice, request.kind)) {
        (void)snprintf(request.idempotency_key, sizeof(request.idempotency_key), "i-%" PRIu64,
                       number);
    }
    *out_request = request;
    return true;
}

const char *txn_request_text(const struct txn_request *request)
{
    return kinds[request->kind];
}
