#include "sim/txn_clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "node/node_int.h"
#include "sim/checker.h"
#include "sim/node_env.h"
#include "sim/txn_model.h"

#define KEYS 3u /* of each kind */
#define LOCKS 2u
#define ELECTION LOCKS /* as a lock's number */
#define KNOWN 4u       /* tokens of a lock, or leases, that are remembered */
#define ATTEMPTS_MAX 12u
#define RANGE_IN 24u   /* so many there is one delete of a range */
#define ELSE_IN 3u     /* likewise: checks with an alternative */
#define ELECTION_IN 3u /* likewise: an election in place of a lock */
#define PAUSE_NS (3 * SIM_SECOND)
#define VALUE_SIZE_MAX 64u

enum kind {
    KIND_ADD,
    KIND_APPEND,
    KIND_PUT_TTL,
    KIND_TOUCH,
    KIND_PLAIN_PUT,
    KIND_PLAIN_DELETE,
    KIND_DELETE,
    KIND_CONDITIONAL,
    KIND_GRANT,
    KIND_KEEP,
    KIND_REVOKE,
    KIND_PUT_ON_LEASE,
    KIND_PAIR_PUT,
    KIND_PAIR_GET,
    KIND_LOCK,
    KIND_RENEW,
    KIND_LEAVE,
    KIND_UNLOCK,
    KIND_FENCED_PUT,
    KINDS_COMMON,
    KIND_DELETE_RANGE = KINDS_COMMON,
    KINDS
};

static const char *const kinds[KINDS] = {
    "add",     "append",         "put with a TTL",  "touch",      "put",
    "delete",  "delete",         "conditional put", "lease",      "keep-alive",
    "revoke",  "put on a lease", "put of two",      "get of two", "lock",
    "renewal", "leave",          "unlock",          "fenced put", "delete of a range",
};

/* What is asked for, the same in each attempt. */
struct request {
    struct txn_clients *clients;
    struct world_event again;
    uint64_t number;
    enum kind kind;
    char key[32];
    char other_key[32];
    char end[32]; /* of a range that begins with `key`; empty: it has none, and other kinds */
    char idempotency_key[32]; /* empty: it is asked for once */
    uint64_t ttl_ms;
    uint64_t lease;
    uint64_t wait_ms;
    uint8_t flags;    /* of its operation */
    bool has_else;    /* what is done if its check fails: its key is read, a number grows */
    uint64_t operand; /* a token, a place, or the revision that a key has to have */
    uint32_t lock;
    uint32_t attempts; /* that are left */
    uint32_t under_way;
    size_t value_size;
};

struct attempt {
    struct request *request;
    struct list link; /* in clients->attempts */
    struct host *host;
    struct world_event arrival;
    struct node_write write;
    bool is_taken;
};

/* A ring of what was learned last. */
struct known {
    uint64_t numbers[KNOWN];
    uint64_t count;
};

struct txn_clients {
    struct sim *sim;
    struct txn_model *model;
    struct prng chance;
    struct prng flags; /* who keeps a TTL, who unlocks by force */
    struct prng rare;  /* what came later: old dice stay where they are */
    struct list attempts;
    struct known tokens[LOCKS + 1]; /* the last one's: the election's */
    struct known places[LOCKS + 1];
    struct known leases;
    struct known revisions[KEYS]; /* of the keys that conditional writes are of */
    bool is_stopped;
};

static void on_again(struct world_event *event);

struct txn_clients *txn_clients_new(struct sim *sim)
{
    struct txn_clients *clients = mem_calloc(1, sizeof(*clients));
    clients->sim = sim;
    clients->model = checker_txn_model(sim->checker);
    world_chance(sim->world, "transactions", &clients->chance);
    world_chance(sim->world, "flags of transactions", &clients->flags);
    world_chance(sim->world, "rare transactions", &clients->rare);
    list_init(&clients->attempts);
    return clients;
}

bool txn_clients_has(struct slice key)
{
    size_t size = sizeof(TXN_CLIENTS_PREFIX) - 1;
    return key.size >= size && memcmp(key.data, TXN_CLIENTS_PREFIX, size) == 0;
}

bool txn_clients_next(struct txn_clients *clients)
{
    uint32_t share = clients->sim->plan.txn_share;
    return share > 0 && chance_hits(&clients->chance, share);
}

static void learn(struct known *known, uint64_t number)
{
    known->numbers[known->count++ % KNOWN] = number;
}

/* The newest, mostly; 0: none is known. */
static uint64_t recall(struct txn_clients *clients, const struct known *known)
{
    if (known->count == 0) {
        return 0;
    }
    uint64_t kept = known->count < KNOWN ? known->count : KNOWN;
    uint64_t back = prng_below(&clients->chance, 3) == 0 ? prng_below(&clients->chance, kept) : 0;
    return known->numbers[(known->count - 1 - back) % KNOWN];
}

/* ---- what is asked for ---- */

static bool is_plain(const struct request *request)
{
    return request->kind == KIND_PLAIN_PUT || request->kind == KIND_PLAIN_DELETE;
}

static void write_value(const struct request *request, struct writer *out)
{
    writer_format(out, "%" PRIu64 ";", request->number);
    while (out->size < request->value_size) {
        writer_u8(out, (uint8_t)('a' + (request->number + out->size) % 26));
    }
}

/* As commands name it. */
static void write_lock_name(const struct request *request, char *name, size_t size)
{
    (void)snprintf(name, size, "%c%u",
                   request->lock == ELECTION ? TXN_LOCK_ELECTION : TXN_LOCK_PLAIN, request->lock);
}

/* How many may hold it. */
static uint64_t holders_of(const struct request *request)
{
    return request->lock == ELECTION ? 1 : 1 + request->lock;
}

static void add_checks(const struct request *request, struct txn_builder *builder)
{
    struct txn_check check = {.relation = TXN_EQUAL, .number = request->operand};
    char name[8];
    if (request->kind == KIND_CONDITIONAL) {
        check.target = TXN_MOD_REVISION;
        check.key = slice_from_text(request->key);
        txn_add_check(builder, &check);
    } else if (request->kind == KIND_FENCED_PUT) {
        write_lock_name(request, name, sizeof(name));
        check.target = TXN_FENCE;
        check.key = slice_from_text(name);
        txn_add_check(builder, &check);
    }
}

static enum txn_type type_of(enum kind kind)
{
    static const enum txn_type types[KINDS] = {
        [KIND_ADD] = TXN_ADD,
        [KIND_APPEND] = TXN_APPEND,
        [KIND_PUT_TTL] = TXN_PUT,
        [KIND_TOUCH] = TXN_TOUCH,
        [KIND_DELETE] = TXN_DELETE,
        [KIND_CONDITIONAL] = TXN_PUT,
        [KIND_GRANT] = TXN_LEASE_GRANT,
        [KIND_KEEP] = TXN_LEASE_KEEP,
        [KIND_REVOKE] = TXN_LEASE_REVOKE,
        [KIND_PUT_ON_LEASE] = TXN_PUT,
        [KIND_PAIR_PUT] = TXN_PUT,
        [KIND_PAIR_GET] = TXN_GET,
        [KIND_LOCK] = TXN_LOCK,
        [KIND_RENEW] = TXN_LOCK_RENEW,
        [KIND_LEAVE] = TXN_LOCK_LEAVE,
        [KIND_UNLOCK] = TXN_UNLOCK,
        [KIND_FENCED_PUT] = TXN_PUT,
        [KIND_DELETE_RANGE] = TXN_DELETE_RANGE,
    };
    return types[kind];
}

static void add_ops(const struct request *request, struct slice value, struct txn_builder *builder)
{
    char name[8];
    bool is_of_lock = request->kind >= KIND_LOCK && request->kind <= KIND_UNLOCK;
    enum txn_type type = type_of(request->kind);
    bool has_value = type == TXN_PUT || type == TXN_APPEND || type == TXN_LOCK;
    bool has_key = type < TXN_LEASE_GRANT || type > TXN_LEASE_REVOKE;
    write_lock_name(request, name, sizeof(name));
    struct txn_op op = {
        .type = type,
        .key = !has_key     ? SLICE_EMPTY
               : is_of_lock ? slice_from_text(name)
                            : slice_from_text(request->key),
        .end = slice_from_text(request->end),
        .value = has_value ? value : SLICE_EMPTY,
        .ttl_ms = request->ttl_ms,
        .lease = request->lease,
        .number = request->operand,
        .wait_ms = request->wait_ms,
        .flags = request->flags,
    };
    if (request->kind == KIND_LOCK) {
        op.number = holders_of(request);
    } else if (request->kind == KIND_ADD) {
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

static void add_alternative(const struct request *request, struct txn_builder *builder)
{
    char name[32];
    struct txn_op read = {.type = TXN_GET, .key = slice_from_text(request->key)};
    struct txn_op grow = {.type = TXN_ADD, .number = 1};
    (void)snprintf(name, sizeof(name), TXN_CLIENTS_PREFIX "number-%u", request->lock);
    grow.key = slice_from_text(name);
    txn_add_op(builder, &read, true);
    txn_add_op(builder, &grow, true);
}

static struct buf *command_of(const struct request *request)
{
    struct writer value = {0};
    struct txn_builder builder = {0};
    struct txn txn;
    write_value(request, &value);
    struct command command = {.key = slice_from_text(request->key)};
    if (is_plain(request)) {
        bool is_put = request->kind == KIND_PLAIN_PUT;
        command.type = is_put ? COMMAND_PUT : COMMAND_DELETE;
        command.value = is_put ? writer_slice(&value) : SLICE_EMPTY;
    } else {
        add_checks(request, &builder);
        add_ops(request, writer_slice(&value), &builder);
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

/* ---- what is answered ---- */

/* Whether applying has answered so, once and for all. */
static bool is_of_applying(err e)
{
    return e == OK || e == ERR_PRECONDITION_FAILED || e == ERR_FENCE_LOST ||
           e == ERR_LEASE_NOT_FOUND || e == ERR_NOT_FOUND || e == ERR_LOCKED;
}

static void check_pair(struct txn_clients *clients, const struct txn_result *one,
                       const struct txn_result *other)
{
    if (one->existed != other->existed || one->mod_revision != other->mod_revision ||
        !slice_equal(one->value, other->value)) {
        sim_fail(clients->sim, "two keys that are always written together differ in one read");
    }
}

static void learn_of(struct request *request, const struct command_result *result)
{
    struct txn_clients *clients = request->clients;
    struct reader walk = reader_of(result->results);
    struct txn_result first;
    struct txn_result second;
    if (txn_result_decode(&walk, &first) != OK) {
        sim_fail(clients->sim, "operation %" PRIu64 " is answered without a result",
                 request->number);
    }
    if (request->kind == KIND_LOCK && !first.is_held) {
        learn(&clients->places[request->lock], first.number);
    } else if ((request->kind == KIND_LOCK || request->kind == KIND_LEAVE) && first.is_held) {
        learn(&clients->tokens[request->lock], first.number);
    } else if (request->kind == KIND_GRANT) {
        learn(&clients->leases, request->lease);
    } else if (request->kind == KIND_CONDITIONAL) {
        learn(&clients->revisions[request->lock], first.mod_revision);
    } else if (request->kind == KIND_DELETE_RANGE) {
        sim_count(clients->sim, SIM_TXN_RANGE, first.number);
    } else if (request->kind == KIND_PAIR_GET) {
        if (walk.size == 0 || txn_result_decode(&walk, &second) != OK) {
            sim_fail(clients->sim, "a read of two keys is answered by one");
        }
        check_pair(clients, &first, &second);
    }
}

static void must(struct txn_clients *clients, const char *complaint)
{
    if (complaint != NULL) {
        sim_fail(clients->sim, "transactions: %s", complaint);
    }
}

static void note_answer(struct request *request, const struct command_result *result)
{
    struct txn_clients *clients = request->clients;
    bool is_repeated = request->idempotency_key[0] != '\0';
    if (is_of_applying(result->e)) {
        must(clients, txn_model_answered(clients->model, request->number, result));
        sim_count(clients->sim, result->e == OK ? SIM_TXN_OK : SIM_TXN_REFUSED, 1);
        sim_count(clients->sim, SIM_TXN_REPLAYED, result->is_replayed ? 1 : 0);
        sim_count(clients->sim, SIM_TXN_ELSE, result->e == OK && result->has_failed ? 1 : 0);
    } else if (err_outcome(result->e) != OUTCOME_NOT_APPLIED) {
        sim_count(clients->sim, SIM_TXN_UNKNOWN, 1);
    } else if (!is_repeated) {
        must(clients, txn_model_refused(clients->model, request->number));
    }
    if (result->e == OK) {
        learn_of(request, result);
    }
}

/* The attempt is over, however. */
static void attempt_ended(struct request *request, bool is_answered)
{
    struct txn_clients *clients = request->clients;
    request->under_way--;
    bool is_enough = is_answered && prng_below(&clients->chance, 4) != 0;
    bool goes_on = request->idempotency_key[0] != '\0' && !is_enough && request->attempts > 0 &&
                   !clients->is_stopped;
    if (goes_on && !world_is_scheduled(&request->again)) {
        request->attempts--;
        world_schedule(clients->sim->world, &request->again,
                       world_now_ns(clients->sim->world) + prng_below(&clients->chance, PAUSE_NS));
    } else if (request->under_way == 0 && !world_is_scheduled(&request->again)) {
        mem_free(request);
    }
}

static void on_done(struct node_write *write, const struct command_result *result)
{
    struct attempt *attempt = CONTAINER_OF(write, struct attempt, write);
    struct request *request = attempt->request;
    world_trace(request->clients->sim->world, "txn answer", attempt->host->number, request->number,
                (uint64_t)result->e);
    if (!is_plain(request)) {
        note_answer(request, result);
    }
    list_remove(&attempt->link);
    mem_free(attempt);
    attempt_ended(request, is_of_applying(result->e));
}

/* ---- asking ---- */

/* The transaction reaches the node. */
static void on_arrival(struct world_event *event)
{
    struct attempt *attempt = CONTAINER_OF(event, struct attempt, arrival);
    struct request *request = attempt->request;
    struct txn_clients *clients = request->clients;
    struct host *host = attempt->host;
    if (host->node == NULL) { /* it is starting: nobody listens yet */
        buf_drop(&attempt->write.command);
        list_remove(&attempt->link);
        mem_free(attempt);
        attempt_ended(request, false);
        return;
    }
    world_trace(clients->sim->world, "txn ask", host->number, request->number,
                (uint64_t)request->kind);
    attempt->is_taken = true;
    attempt->write.deadline_ms = env_now_ms(host->env) + clients->sim->plan.timeout_ms;
    attempt->write.done = on_done;
    node_write(host->node, slice_from_text(request->key), &attempt->write);
}

static void on_not_arrived(struct world_event *event)
{
    (void)event; /* txn_clients_life_ended has done with it */
}

static void try_at(struct request *request, struct host *host)
{
    struct txn_clients *clients = request->clients;
    struct attempt *attempt = mem_calloc(1, sizeof(*attempt));
    attempt->request = request;
    attempt->host = host;
    attempt->arrival.run = on_arrival;
    attempt->arrival.drop = on_not_arrived;
    attempt->write.command = command_of(request);
    list_push_back(&clients->attempts, &attempt->link);
    request->under_way++;
    env_sim_schedule(host->env, &attempt->arrival, world_now_ns(clients->sim->world));
}

/* Through any node that is up. */
static void on_again(struct world_event *event)
{
    struct request *request = CONTAINER_OF(event, struct request, again);
    struct txn_clients *clients = request->clients;
    struct sim *sim = clients->sim;
    struct host *host = sim->hosts[1 + prng_below(&clients->chance, sim->host_count)];
    if (!clients->is_stopped && host_is_up(host)) {
        try_at(request, host);
    } else {
        request->under_way++;
        attempt_ended(request, false);
    }
}

/* Some keys of a kind; all of both that are always written together; or all from one kind on. */
static void draw_range(struct txn_clients *clients, struct request *request)
{
    static const char *const counted[] = {"number", "text", "if", "ttl"};
    struct prng *rare = &clients->rare;
    const char *what = counted[prng_below(rare, ARRAY_COUNT(counted))];
    uint32_t from = (uint32_t)prng_below(rare, KEYS);
    uint32_t end = from + 1 + (uint32_t)prng_below(rare, KEYS - from);
    switch (prng_below(rare, 8)) {
    case 0:
        (void)snprintf(request->key, sizeof(request->key), TXN_CLIENTS_PREFIX "p");
        (void)snprintf(request->end, sizeof(request->end), TXN_CLIENTS_PREFIX "s");
        break;
    case 1: /* nobody has keys behind ours */
        (void)snprintf(request->key, sizeof(request->key), TXN_CLIENTS_PREFIX "ttl-%u", from);
        break;
    default:
        (void)snprintf(request->key, sizeof(request->key), TXN_CLIENTS_PREFIX "%s-%u", what, from);
        (void)snprintf(request->end, sizeof(request->end), TXN_CLIENTS_PREFIX "%s-%u", what, end);
        break;
    }
}

/* What the operation is of, and with. */
static void draw_request(struct txn_clients *clients, struct request *request)
{
    struct prng *chance = &clients->chance;
    uint32_t number = (uint32_t)prng_below(chance, KEYS);
    uint64_t ttl_ms = chance_log(chance, 50, clients->sim->plan.ttl_ms_max);
    const char *what = "ttl";
    request->lock = number % LOCKS;
    if (request->kind >= KIND_LOCK && request->kind <= KIND_FENCED_PUT &&
        prng_below(&clients->rare, ELECTION_IN) == 0) {
        request->lock = ELECTION;
    }
    switch ((int)request->kind) {
    case KIND_ADD:
        what = "number";
        break;
    case KIND_APPEND:
        what = "text";
        break;
    case KIND_CONDITIONAL:
        what = "if";
        request->lock = number; /* whose revision it is */
        request->operand =
            prng_below(chance, 3) == 0 ? 0 : recall(clients, &clients->revisions[number]);
        request->ttl_ms = prng_below(chance, 3) == 0 ? ttl_ms : 0;
        break;
    case KIND_PUT_TTL:
        request->ttl_ms = ttl_ms;
        break;
    case KIND_TOUCH:
        request->ttl_ms = prng_below(chance, 4) == 0 ? 0 : ttl_ms;
        break;
    case KIND_GRANT:
        request->lease = request->number;
        request->ttl_ms = ttl_ms;
        break;
    case KIND_KEEP:
    case KIND_REVOKE:
    case KIND_PUT_ON_LEASE:
        request->lease = recall(clients, &clients->leases);
        break;
    case KIND_PAIR_PUT:
    case KIND_PAIR_GET:
        what = "pair";
        (void)snprintf(request->other_key, sizeof(request->other_key), TXN_CLIENTS_PREFIX "riap-%u",
                       number);
        break;
    case KIND_LOCK:
        request->lease = request->number;
        request->ttl_ms = ttl_ms;
        request->wait_ms = prng_below(chance, 3) == 0 ? 0 : chance_log(chance, 50, ttl_ms + 50);
        break;
    case KIND_LEAVE:
        request->operand = recall(clients, &clients->places[request->lock]);
        break;
    case KIND_RENEW:
    case KIND_UNLOCK:
    case KIND_FENCED_PUT:
        what = "fenced";
        request->operand = recall(clients, &clients->tokens[request->lock]);
        break;
    default:
        break;
    }
    (void)snprintf(request->key, sizeof(request->key), TXN_CLIENTS_PREFIX "%s-%u", what, number);
    if (request->kind == KIND_DELETE_RANGE) {
        draw_range(clients, request);
    }
}

/* Whether the TTL, or lease, of what may have one stays; whether a lock is taken from whoever holds
 * it. */
static uint8_t draw_flags(struct txn_clients *clients, enum kind kind)
{
    bool may_keep = kind == KIND_PUT_TTL || kind == KIND_CONDITIONAL || kind == KIND_PUT_ON_LEASE;
    if (!may_keep && kind != KIND_UNLOCK) {
        return 0;
    }
    bool is_drawn = prng_below(&clients->flags, 4) == 0;
    return !is_drawn ? 0 : may_keep ? TXN_KEEP_TTL : TXN_FORCE;
}

static bool is_repeatable(struct txn_clients *clients, enum kind kind)
{
    return kind == KIND_ADD || kind == KIND_APPEND ||
           ((kind == KIND_CONDITIONAL || kind == KIND_PAIR_PUT) &&
            prng_below(&clients->chance, 2) == 0);
}

/* It needs a lease, token or place, and none is known. */
static bool is_pointless(const struct request *request)
{
    bool needs_lease = request->kind == KIND_KEEP || request->kind == KIND_REVOKE ||
                       request->kind == KIND_PUT_ON_LEASE;
    bool needs_number = request->kind == KIND_RENEW || request->kind == KIND_LEAVE ||
                        request->kind == KIND_UNLOCK || request->kind == KIND_FENCED_PUT;
    return (needs_lease && request->lease == 0) || (needs_number && request->operand == 0);
}

void txn_clients_ask(struct txn_clients *clients, struct host *host)
{
    struct request *request = mem_calloc(1, sizeof(*request));
    request->clients = clients;
    request->again.run = on_again;
    request->number = txn_model_number(clients->model, world_now_ns(clients->sim->world));
    request->kind = (enum kind)prng_below(&clients->chance, KINDS_COMMON);
    if (prng_below(&clients->rare, RANGE_IN) == 0) {
        request->kind = KIND_DELETE_RANGE;
    }
    request->value_size = prng_below(&clients->chance, VALUE_SIZE_MAX);
    request->attempts = ATTEMPTS_MAX;
    draw_request(clients, request);
    request->flags = draw_flags(clients, request->kind);
    request->has_else = (request->kind == KIND_CONDITIONAL || request->kind == KIND_FENCED_PUT) &&
                        prng_below(&clients->rare, ELSE_IN) == 0;
    if (is_pointless(request)) {
        mem_free(request);
        return;
    }
    if (is_repeatable(clients, request->kind)) {
        (void)snprintf(request->idempotency_key, sizeof(request->idempotency_key), "i-%" PRIu64,
                       request->number);
        if (prng_below(&clients->chance, 4) == 0) { /* twice, at nearly one time */
            world_schedule(clients->sim->world, &request->again,
                           world_now_ns(clients->sim->world) +
                               prng_below(&clients->chance, 20 * SIM_MS));
        }
    }
    try_at(request, host);
}

/* ---- ends ---- */

void txn_clients_life_ended(struct txn_clients *clients, const struct host *host)
{
    LIST_FOREACH (link, &clients->attempts) {
        struct attempt *attempt = CONTAINER_OF(link, struct attempt, link);
        if (attempt->host == host) {
            struct request *request = attempt->request;
            world_cancel(clients->sim->world, &attempt->arrival);
            /* Its memory stays: the dead node may have it in a list. */
            list_remove(&attempt->link);
            attempt_ended(request, false);
        }
    }
}

void txn_clients_stop(struct txn_clients *clients)
{
    clients->is_stopped = true;
}

uint64_t txn_clients_pending(struct txn_clients *clients)
{
    uint64_t count = 0;
    LIST_FOREACH (link, &clients->attempts) {
        count++;
    }
    return count;
}

void txn_clients_tell(struct txn_clients *clients, FILE *out)
{
    LIST_FOREACH (link, &clients->attempts) {
        const struct attempt *attempt = CONTAINER_OF(link, struct attempt, link);
        (void)fprintf(out, "    node %u has a %s of %s, operation %" PRIu64 "%s\n",
                      attempt->host->number, kinds[attempt->request->kind], attempt->request->key,
                      attempt->request->number, attempt->is_taken ? "" : ", which has not arrived");
    }
}
