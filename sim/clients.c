#include "sim/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "lincheck/lincheck.h"
#include "node/node_int.h"
#include "sim/checker.h"
#include "sim/election_watchers.h"
#include "sim/listers.h"
#include "sim/node_env.h"
#include "sim/txn_clients.h"
#include "sim/txn_model.h"
#include "sim/watchers.h"
#include "store/store_int.h"

#define VALUE_HEAD 24u
#define VALUE_MAGIC UINT64_C(0x6e6f6f746e6f7001)
/* Where a search has to decide (no revisions), histories are short; the certificate takes any. */
#define SEARCH_OPS_MAX 20000u
#define END_PATIENCE_MS 20000u
#define END_WRITES_MAX 8u /* fits within the smallest limit on proposals */

struct client {
    struct clients *clients;
    struct world_event next;
    uint32_t number;
};

enum operation_kind {
    OPERATION_GET,
    OPERATION_STALE_GET,
    OPERATION_PUT,
    OPERATION_DELETE,
    OPERATION_CONDITIONAL_PUT,
};

/* One operation on its way; freed when it is answered. */
struct operation {
    struct clients *clients;
    struct list link; /* in clients->operations */
    struct host *host;
    struct world_event arrival;
    struct node_write write;
    struct node_read read;
    enum operation_kind kind;
    uint32_t client;
    uint32_t key;
    bool is_taken;
    bool is_asked_at_end;
    uint64_t request;
    uint64_t invoked;
    char key_text[KEY_SIZE_MAX];
    size_t key_size;
};

struct clients {
    struct sim *sim;
    struct prng chance;
    struct prng conditions; /* which PUTs have one */
    struct client *clients;
    struct txn_clients *txns;
    struct watchers *watchers;
    struct election_watchers *election_watchers;
    struct listers *listers;
    uint64_t *seen; /* by key: the revision that it was last seen at; 0: it was not there */
    struct list operations;
    struct lincheck_history history;
    uint64_t instant; /* counts beginnings and ends: the simulated clock may stand still */
    uint64_t asked_well;
    bool is_stopped;
};

static void on_next(struct world_event *event);

struct clients *clients_new(struct sim *sim)
{
    struct clients *clients = mem_calloc(1, sizeof(*clients));
    clients->sim = sim;
    world_chance(sim->world, "clients", &clients->chance);
    world_chance(sim->world, "conditions", &clients->conditions);
    clients->txns = txn_clients_new(sim);
    const struct past *past = txn_model_past(checker_txn_model(sim->checker));
    clients->watchers = watchers_new(sim, past);
    clients->election_watchers = election_watchers_new(sim);
    clients->listers = listers_new(sim, past);
    clients->seen = mem_calloc(sim->plan.key_count, sizeof(*clients->seen));
    list_init(&clients->operations);
    clients->clients = mem_calloc(sim->plan.client_count, sizeof(*clients->clients));
    for (uint32_t i = 0; i < sim->plan.client_count; i++) {
        struct client *client = &clients->clients[i];
        client->clients = clients;
        client->number = i + 1;
        client->next.run = on_next;
        world_schedule(sim->world, &client->next, prng_below(&clients->chance, sim->plan.think_ns));
    }
    return clients;
}

/* ---- values: magic, request number, then bytes that follow from all bits of the number ---- */

static uint64_t seal_of(uint64_t request)
{
    uint64_t seal = (request + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return seal ^ (seal >> 32);
}

static uint8_t filler(uint64_t request, size_t at)
{
    return (uint8_t)(seal_of(request) + at * 7);
}

void clients_encode_value(struct writer *out, uint64_t request, size_t size)
{
    writer_u64(out, VALUE_MAGIC);
    writer_u64(out, request);
    writer_u64(out, seal_of(request));
    for (size_t at = 0; at < size; at++) {
        writer_u8(out, filler(request, at));
    }
}

uint64_t clients_request_of(struct slice value)
{
    if (value.size < VALUE_HEAD || load_u64(value.data) != VALUE_MAGIC) {
        return 0;
    }
    return load_u64(value.data + 8);
}

bool clients_is_whole(struct slice value)
{
    uint64_t request = clients_request_of(value);
    bool is_right = request != 0 && load_u64(value.data + 16) == seal_of(request);
    for (size_t at = VALUE_HEAD; at < value.size && is_right; at++) {
        is_right = value.data[at] == filler(request, at - VALUE_HEAD);
    }
    return is_right;
}

static bool is_among(uint64_t request, const uint64_t *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (requests[i] == request) {
            return true;
        }
    }
    return false;
}

bool clients_find_value(const struct inode *inode, const uint64_t *requests, size_t count,
                        struct prng *chance, uint64_t *out_offset)
{
    uint8_t window[VALUE_HEAD];
    uint64_t found = 0;
    for (uint64_t at = 0; at + VALUE_HEAD < inode_extent(inode); at++) {
        if (inode_read(inode, at, window, sizeof(window)) == sizeof(window) &&
            load_u64(window) == VALUE_MAGIC && is_among(load_u64(window + 8), requests, count) &&
            prng_below(chance, ++found) == 0) {
            /* Of the magic alone: what follows an old one may be a live part of LMDB's page. */
            *out_offset = at + chance_between(chance, 0, 7);
        }
    }
    return found > 0;
}

/* Some keys are long, some are neighbours. */
static size_t key_of(uint32_t key, char text[KEY_SIZE_MAX])
{
    int size = snprintf(text, KEY_SIZE_MAX, "key-%u", key);
    size_t total = key % 8 == 7 ? (size_t)size + (size_t)(key * 37u % 400u) : (size_t)size;
    memset(text + size, '.', total - (size_t)size);
    return total;
}

size_t clients_stored_requests(const struct clients *clients, const struct host *host,
                               uint64_t *requests)
{
    size_t count = 0;
    char text[KEY_SIZE_MAX];
    for (uint32_t key = 0; key < clients->sim->plan.key_count; key++) {
        size_t size = key_of(key, text);
        struct slice name = {(const uint8_t *)text, size};
        struct store_record record;
        if (store_find_record(host->node->store, STORE_SPACE_USER, name, &record) == OK) {
            requests[count] = clients_request_of(record.value);
            count++;
        }
    }
    return count;
}

/* ---- outcomes ---- */

static bool is_put_kind(enum operation_kind kind)
{
    return kind == OPERATION_PUT || kind == OPERATION_CONDITIONAL_PUT;
}

static struct lincheck_op op_of(struct operation *operation)
{
    static const enum lincheck_kind kinds[] = {
        [OPERATION_GET] = LINCHECK_GET,
        [OPERATION_STALE_GET] = LINCHECK_GET,
        [OPERATION_PUT] = LINCHECK_PUT,
        [OPERATION_DELETE] = LINCHECK_DELETE,
        [OPERATION_CONDITIONAL_PUT] = LINCHECK_PUT,
    };
    bool is_put = is_put_kind(operation->kind);
    return (struct lincheck_op){
        .client = operation->client,
        .key = operation->key + 1,
        .value = is_put ? operation->request : 0,
        .request_id = operation->request,
        .invoked = operation->invoked,
        .returned = LINCHECK_NEVER,
        .revision = LINCHECK_REVISION_UNKNOWN,
        .kind = kinds[operation->kind],
        .outcome = LINCHECK_UNKNOWN,
    };
}

static void record(struct clients *clients, const struct lincheck_op *op)
{
    const char *problem = lincheck_op_problem(op);
    if (problem != NULL) {
        sim_fail(clients->sim, "an operation makes no sense: %s", problem);
    }
    (void)lincheck_history_add(&clients->history, op);
}

static void operation_free(struct operation *operation)
{
    list_remove(&operation->link);
    mem_free(operation);
}

/* Nobody will ever say what became of it. */
static void operation_lost(struct operation *operation)
{
    struct clients *clients = operation->clients;
    bool is_write = is_put_kind(operation->kind) || operation->kind == OPERATION_DELETE;
    if (operation->is_taken && is_write) {
        sim_count(clients->sim, SIM_WRITE_UNKNOWN, 1);
        struct lincheck_op op = op_of(operation);
        record(clients, &op);
    }
}

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct operation *operation = CONTAINER_OF(write, struct operation, write);
    struct clients *clients = operation->clients;
    struct sim *sim = clients->sim;
    bool is_put = is_put_kind(operation->kind);
    struct lincheck_op op = op_of(operation);
    world_trace(sim->world, "answer", operation->host->number, operation->request,
                (uint64_t)result->e);
    if (result->e == OK) {
        op.outcome = LINCHECK_ANSWERED;
        op.returned = ++clients->instant;
        op.revision = result->revision;
        op.existed = result->existed ? LINCHECK_EXISTED_YES : LINCHECK_EXISTED_NO;
        sim_count(sim, SIM_WRITE_OK, 1);
        clients->asked_well += operation->is_asked_at_end ? 1 : 0;
        clients->seen[operation->key] = is_put ? result->revision : 0;
        if (is_put) {
            checker_acknowledged(sim->checker, operation->request, result->revision);
        }
    } else if (err_outcome(result->e) == OUTCOME_NOT_APPLIED) {
        op.outcome = LINCHECK_REFUSED;
        op.returned = ++clients->instant;
        sim_count(sim, SIM_WRITE_REFUSED, 1);
        /* At the end, too, that is an answer. */
        clients->asked_well += operation->is_asked_at_end && result->e == ERR_QUOTA ? 1 : 0;
        sim_count(sim, SIM_WRITE_NO_SPACE, result->e == ERR_NO_SPACE ? 1 : 0);
        checker_refused(sim->checker, operation->request, result->e);
    } else {
        sim_count(sim, SIM_WRITE_UNKNOWN, 1);
    }
    record(clients, &op);
    operation_free(operation);
}

static void check_stale(struct clients *clients, const struct host *host, struct slice value)
{
    uint64_t request = clients_request_of(value);
    if (request == 0 || checker_revision_of(clients->sim->checker, request) == 0) {
        sim_fail(clients->sim, "node %u serves a stale read with a value that nobody committed",
                 host->number);
    }
}

static void read_value(struct operation *operation, struct lincheck_op *op, struct slice value)
{
    struct clients *clients = operation->clients;
    if (!clients_is_whole(value)) {
        sim_fail(clients->sim, "node %u serves a value that nobody wrote", operation->host->number);
    }
    op->value = clients_request_of(value);
    check_stale(clients, operation->host, value);
}

static void read_done(struct node_read *read, err e, struct store_record *found)
{
    struct operation *operation = CONTAINER_OF(read, struct operation, read);
    struct clients *clients = operation->clients;
    struct sim *sim = clients->sim;
    struct host *host = operation->host;
    struct lincheck_op op = op_of(operation);
    world_trace(sim->world, "read", host->number, operation->key, (uint64_t)e);
    if (e == OK) {
        read_value(operation, &op, found->value);
        op.mod_revision = found->mod_revision;
        clients->seen[operation->key] = found->mod_revision;
        buf_unref(found->owner);
    } else if (e == ERR_MENDING && !host->is_rotten &&
               store_is_absence_proven(host->node->store, SLICE_LITERAL("?"))) {
        sim_fail(sim, "node %u mends what is whole", host->number);
    } else if (e == ERR_DIVERGED) {
        sim_fail(sim, "node %u takes its state for another one than the others have", host->number);
    } else if (e == ERR_CORRUPT && !host->is_rotten) {
        sim_fail(sim, "node %u says that an undamaged value is corrupt", host->number);
    }
    if (e == OK || e == ERR_NOT_FOUND) {
        op.outcome = LINCHECK_ANSWERED;
        op.returned = ++clients->instant;
        op.revision = node_revision(host->node);
        sim_count(sim, SIM_READ_OK, 1);
        clients->asked_well += operation->is_asked_at_end ? 1 : 0;
        if (operation->kind == OPERATION_STALE_GET) {
            /* As old as it likes, but of one state that there was. */
            op.invoked = 0;
        }
        record(clients, &op);
    } else {
        sim_count(sim, SIM_READ_FAILED, 1);
    }
    operation_free(operation);
}

/* ---- asking ---- */

/* If the key is as it was last seen, or is not there. */
static struct buf *conditional_put(const struct operation *operation, struct slice key,
                                   struct slice value)
{
    struct txn_builder builder = {0};
    const struct txn_check check = {
        .target = TXN_MOD_REVISION,
        .relation = TXN_EQUAL,
        .key = key,
        .number = operation->clients->seen[operation->key],
    };
    const struct txn_op op = {.type = TXN_PUT, .key = key, .value = value};
    txn_add_check(&builder, &check);
    txn_add_op(&builder, &op, false);
    struct txn txn = txn_builder_result(&builder);
    const struct command command = {.type = COMMAND_TXN, .key = key, .txn = &txn};
    struct buf *encoded = command_encode(&command);
    txn_builder_deinit(&builder);
    return encoded;
}

static struct buf *command_of(struct operation *operation, size_t value_size)
{
    struct writer value = {0};
    struct slice key = {(const uint8_t *)operation->key_text, operation->key_size};
    struct command command = {
        .type = operation->kind == OPERATION_PUT ? COMMAND_PUT : COMMAND_DELETE,
        .key = key,
    };
    if (is_put_kind(operation->kind)) {
        clients_encode_value(&value, operation->request, value_size);
        command.value = writer_slice(&value);
    }
    struct buf *encoded = operation->kind == OPERATION_CONDITIONAL_PUT
                              ? conditional_put(operation, key, command.value)
                              : command_encode(&command);
    writer_deinit(&value);
    return encoded;
}

/* The operation reaches the node. */
static void on_arrival(struct world_event *event)
{
    struct operation *operation = CONTAINER_OF(event, struct operation, arrival);
    struct clients *clients = operation->clients;
    struct host *host = operation->host;
    if (host->node == NULL) { /* it is starting: nobody listens yet */
        buf_drop(&operation->write.command);
        operation_free(operation);
        return;
    }
    struct slice key = {(const uint8_t *)operation->key_text, operation->key_size};
    uint64_t patience_ms =
        operation->is_asked_at_end ? END_PATIENCE_MS : clients->sim->plan.timeout_ms;
    uint64_t deadline_ms = env_now_ms(host->env) + patience_ms;
    operation->is_taken = true;
    operation->invoked = ++clients->instant;
    world_trace(clients->sim->world, "ask", host->number, operation->request,
                (uint64_t)operation->kind);
    if (operation->write.command != NULL) {
        operation->write.deadline_ms = deadline_ms;
        operation->write.done = write_done;
        node_write(host->node, key, &operation->write);
    } else {
        operation->read.key = key;
        operation->read.deadline_ms = deadline_ms;
        operation->read.done = read_done;
        operation->read.consistency =
            operation->kind == OPERATION_STALE_GET ? READ_STALE : READ_LINEARIZABLE;
        node_read(host->node, &operation->read);
    }
}

static void on_not_arrived(struct world_event *event)
{
    struct operation *operation = CONTAINER_OF(event, struct operation, arrival);
    (void)operation; /* clients_life_ended has done with it */
}

static struct operation *ask(struct clients *clients, struct host *host, enum operation_kind kind,
                             uint32_t key)
{
    struct operation *operation = mem_calloc(1, sizeof(*operation));
    operation->clients = clients;
    operation->host = host;
    operation->kind = kind;
    operation->key = key;
    operation->key_size = key_of(key, operation->key_text);
    operation->arrival.run = on_arrival;
    operation->arrival.drop = on_not_arrived;
    list_push_back(&clients->operations, &operation->link);
    if (is_put_kind(kind) || kind == OPERATION_DELETE) {
        operation->request = checker_request(clients->sim->checker);
        size_t size = (size_t)prng_below(&clients->chance, clients->sim->plan.value_size_max + 1);
        operation->write.command = command_of(operation, size);
    }
    env_sim_schedule(host->env, &operation->arrival, world_now_ns(clients->sim->world));
    return operation;
}

static enum operation_kind draw_kind(struct clients *clients)
{
    const struct plan *plan = &clients->sim->plan;
    uint64_t draw = prng_below(&clients->chance, 1000000);
    if (draw < plan->put_share) {
        bool is_conditional = plan->conditional_share > 0 &&
                              chance_hits(&clients->conditions, plan->conditional_share);
        return is_conditional ? OPERATION_CONDITIONAL_PUT : OPERATION_PUT;
    }
    draw -= plan->put_share;
    if (draw < plan->delete_share) {
        return OPERATION_DELETE;
    }
    draw -= plan->delete_share;
    return draw < plan->stale_share ? OPERATION_STALE_GET : OPERATION_GET;
}

static void on_next(struct world_event *event)
{
    struct client *client = CONTAINER_OF(event, struct client, next);
    struct clients *clients = client->clients;
    struct sim *sim = clients->sim;
    if (clients->is_stopped) {
        return;
    }
    struct host *host = sim->hosts[1 + prng_below(&clients->chance, sim->host_count)];
    for (uint32_t i = 0; i < sim->plan.burst && host_is_up(host); i++) {
        if (txn_clients_next(clients->txns)) {
            txn_clients_ask(clients->txns, host);
            continue;
        }
        uint32_t key = (uint32_t)prng_below(&clients->chance, sim->plan.key_count);
        ask(clients, host, draw_kind(clients), key)->client = client->number;
    }
    uint64_t think_ns = sim->plan.think_ns * sim->plan.burst;
    world_schedule(sim->world, event,
                   world_now_ns(sim->world) + 1 + prng_below(&clients->chance, 2 * think_ns));
}

void clients_life_ended(struct clients *clients, const struct host *host)
{
    txn_clients_life_ended(clients->txns, host);
    watchers_life_ended(clients->watchers, host);
    election_watchers_life_ended(clients->election_watchers, host);
    listers_life_ended(clients->listers, host);
    LIST_FOREACH (link, &clients->operations) {
        struct operation *operation = CONTAINER_OF(link, struct operation, link);
        if (operation->host == host) {
            operation_lost(operation);
            world_cancel(clients->sim->world, &operation->arrival);
            /* Its memory stays: the dead node may have it in a list. */
            list_remove(&operation->link);
        }
    }
}

void clients_node_closes(struct clients *clients, const struct host *host)
{
    watchers_node_closes(clients->watchers, host);
    election_watchers_node_closes(clients->election_watchers, host);
}

void clients_stop(struct clients *clients)
{
    clients->is_stopped = true;
    txn_clients_stop(clients->txns);
    watchers_calm(clients->watchers);
    election_watchers_calm(clients->election_watchers);
    listers_stop(clients->listers);
}

bool clients_are_told(struct clients *clients)
{
    bool are_level = watchers_are_level(clients->watchers);
    return election_watchers_are_level(clients->election_watchers) && are_level;
}

uint64_t clients_pending(struct clients *clients)
{
    uint64_t count = txn_clients_pending(clients->txns);
    LIST_FOREACH (link, &clients->operations) {
        count++;
    }
    return count;
}

void clients_tell(struct clients *clients, FILE *out)
{
    static const char *const kinds[] = {"get", "stale get", "put", "delete", "conditional put"};
    txn_clients_tell(clients->txns, out);
    watchers_tell(clients->watchers, out);
    election_watchers_tell(clients->election_watchers, out);
    LIST_FOREACH (link, &clients->operations) {
        const struct operation *operation = CONTAINER_OF(link, struct operation, link);
        (void)fprintf(out, "    node %u has a %s of key %u, request %" PRIu64 "%s\n",
                      operation->host->number, kinds[operation->kind], operation->key,
                      operation->request, operation->is_taken ? "" : ", which has not arrived");
    }
}

uint64_t clients_ask_all(struct clients *clients, struct host *host)
{
    clients->asked_well = 0;
    uint32_t count = clients->sim->plan.key_count;
    for (uint32_t key = 0; key < count; key++) {
        ask(clients, host, OPERATION_GET, key)->is_asked_at_end = true;
    }
    uint32_t write_count = count < END_WRITES_MAX ? count : END_WRITES_MAX;
    for (uint32_t key = 0; key < write_count; key++) {
        ask(clients, host, OPERATION_PUT, key)->is_asked_at_end = true;
    }
    return count + write_count;
}

uint64_t clients_asked_well(const struct clients *clients)
{
    return clients->asked_well;
}

/* ---- the history ---- */

struct settling {
    struct sim *sim;
    struct lincheck_history *history;
    uint64_t *deletes; /* by key: not refused, and not yet met in the log */
};

static uint32_t key_number(const struct settling *settling, struct slice key)
{
    char text[KEY_SIZE_MAX];
    for (uint32_t number = 0; number < settling->sim->plan.key_count; number++) {
        size_t size = key_of(number, text);
        if (slice_equal(key, (struct slice){(const uint8_t *)text, size})) {
            return number;
        }
    }
    sim_fail(settling->sim, "something was deleted whose key nobody has");
}

/* Of those that deleted `key` at `revision`, or may have: the answered one, or the oldest. */
static struct lincheck_op *find_delete(struct lincheck_history *history, uint64_t key,
                                       uint64_t revision)
{
    struct lincheck_op *oldest = NULL;
    for (size_t i = 0; i < history->count; i++) {
        struct lincheck_op *op = &history->ops[i];
        if (op->kind != LINCHECK_DELETE || op->request_id == 0 || op->key != key) {
            continue;
        }
        if (op->outcome == LINCHECK_ANSWERED && op->revision == revision) {
            return op;
        }
        if (op->outcome == LINCHECK_UNKNOWN && (oldest == NULL || op->invoked < oldest->invoked)) {
            oldest = op;
        }
    }
    return oldest;
}

/*
 * A DELETE has no room for a request number, so the log cannot name it. Each deletion that nobody
 * was told of belongs to the oldest DELETE of its key that nobody was told about: if any
 * assignment explains the history, this one does. One that found nothing is counted alone.
 */
static void settle_delete(struct settling *settling, const struct checker_write *write)
{
    uint32_t number = key_number(settling, write->key);
    struct lincheck_op *op =
        write->existed ? find_delete(settling->history, number + 1, write->revision) : NULL;
    if (settling->deletes[number] == 0 || (write->existed && op == NULL)) {
        sim_fail(settling->sim,
                 "key %u was deleted at revision %" PRIu64
                 " by nobody whose DELETE was answered so or may have been applied",
                 number, write->revision);
    }
    settling->deletes[number]--;
    if (op != NULL) {
        op->outcome = op->outcome == LINCHECK_UNKNOWN ? LINCHECK_APPLIED : op->outcome;
        op->revision = write->revision;
        lincheck_history_add_applied(settling->history, op->request_id, write->revision);
    }
}

static void settle_write(void *ctx, const struct checker_write *write)
{
    struct settling *settling = ctx;
    if (write->request == 0) {
        settle_delete(settling, write);
    } else {
        lincheck_history_add_applied(settling->history, write->request, write->revision);
    }
}

void clients_settle(struct sim *sim, struct lincheck_history *history)
{
    struct settling settling = {.sim = sim, .history = history};
    settling.deletes = mem_calloc(sim->plan.key_count, sizeof(*settling.deletes));
    for (size_t i = 0; i < history->count; i++) {
        struct lincheck_op *op = &history->ops[i];
        if (op->kind != LINCHECK_DELETE) {
            continue;
        }
        settling.deletes[op->key - 1] += op->outcome != LINCHECK_REFUSED ? 1 : 0;
        if (op->existed == LINCHECK_EXISTED_NO) { /* it made no revision that the log could name */
            op->request_id = 0;
        }
    }
    checker_each_write(sim->checker, settle_write, &settling);
    mem_free(settling.deletes);
    history->is_log_complete = true;
}

uint64_t clients_check(struct clients *clients)
{
    struct lincheck_history *history = &clients->history;
    LIST_FOREACH (link, &clients->operations) {
        operation_lost(CONTAINER_OF(link, struct operation, link));
    }
    clients_settle(clients->sim, history);
    struct lincheck_options options = {.search_ops_max = SEARCH_OPS_MAX};
    struct lincheck_result result = {0};
    enum lincheck_verdict verdict = lincheck_run(history, &options, &result);
    if (verdict != LINCHECK_LEGAL) {
        sim_fail(clients->sim, "the clients' history is %s: %s\n%.*s",
                 lincheck_verdict_name(verdict), lincheck_reason_words(result.reason),
                 (int)result.text.size, (const char *)result.text.data);
    }
    lincheck_result_deinit(&result);
    uint64_t count = history->count;
    lincheck_history_deinit(history);
    return count;
}
