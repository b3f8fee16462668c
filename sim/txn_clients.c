#include "sim/txn_clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "node/node_int.h"
#include "sim/checker.h"
#include "sim/node_env.h"
#include "sim/txn_model.h"
#include "sim/txn_request.h"

#define ATTEMPTS_MAX 12u
#define PAUSE_NS (3 * SIM_SECOND)

struct request {
    struct txn_clients *clients;
    struct txn_request asked;
    struct world_event again;
    uint32_t attempts; /* that are left */
    uint32_t under_way;
};

struct attempt {
    struct request *request;
    struct list link; /* in clients->attempts */
    struct host *host;
    struct world_event arrival;
    struct node_write write;
    bool is_taken;
};

struct txn_clients {
    struct sim *sim;
    struct txn_model *model;
    struct txn_dice dice;
    struct list attempts;
    bool is_stopped;
};

static void on_again(struct world_event *event);

struct txn_clients *txn_clients_new(struct sim *sim)
{
    struct txn_clients *clients = mem_calloc(1, sizeof(*clients));
    clients->sim = sim;
    clients->model = checker_txn_model(sim->checker);
    txn_dice_init(&clients->dice, sim->world, sim->plan.ttl_ms_max);
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
    return share > 0 && chance_hits(&clients->dice.chance, share);
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
                 request->asked.number);
    }
    if (request->asked.kind == REQUEST_LOCK && !first.is_held) {
        txn_known_learn(&clients->dice.places[request->asked.lock], first.number);
    } else if ((request->asked.kind == REQUEST_LOCK || request->asked.kind == REQUEST_LEAVE) &&
               first.is_held) {
        txn_known_learn(&clients->dice.tokens[request->asked.lock], first.number);
    } else if (request->asked.kind == REQUEST_GRANT) {
        txn_known_learn(&clients->dice.leases, request->asked.lease);
    } else if (request->asked.kind == REQUEST_CONDITIONAL) {
        txn_known_learn(&clients->dice.revisions[request->asked.lock], first.mod_revision);
    } else if (request->asked.kind == REQUEST_DELETE_RANGE) {
        sim_count(clients->sim, SIM_TXN_RANGE, first.number);
    } else if (request->asked.kind == REQUEST_PAIR_GET) {
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
    bool is_repeated = request->asked.idempotency_key[0] != '\0';
    if (is_of_applying(result->e)) {
        must(clients, txn_model_answered(clients->model, request->asked.number, result));
        sim_count(clients->sim, result->e == OK ? SIM_TXN_OK : SIM_TXN_REFUSED, 1);
        sim_count(clients->sim, SIM_TXN_REPLAYED, result->is_replayed ? 1 : 0);
        sim_count(clients->sim, SIM_TXN_ELSE, result->e == OK && result->has_failed ? 1 : 0);
    } else if (err_outcome(result->e) != OUTCOME_NOT_APPLIED) {
        sim_count(clients->sim, SIM_TXN_UNKNOWN, 1);
    } else if (!is_repeated) {
        must(clients, txn_model_refused(clients->model, request->asked.number));
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
    bool is_enough = is_answered && prng_below(&clients->dice.chance, 4) != 0;
    bool goes_on = request->asked.idempotency_key[0] != '\0' && !is_enough &&
                   request->attempts > 0 && !clients->is_stopped;
    if (goes_on && !world_is_scheduled(&request->again)) {
        request->attempts--;
        world_schedule(clients->sim->world, &request->again,
                       world_now_ns(clients->sim->world) +
                           prng_below(&clients->dice.chance, PAUSE_NS));
    } else if (request->under_way == 0 && !world_is_scheduled(&request->again)) {
        mem_free(request);
    }
}

static void on_done(struct node_write *write, const struct command_result *result)
{
    struct attempt *attempt = CONTAINER_OF(write, struct attempt, write);
    struct request *request = attempt->request;
    world_trace(request->clients->sim->world, "txn answer", attempt->host->number,
                request->asked.number, (uint64_t)result->e);
    if (!txn_request_is_plain(&request->asked)) {
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
    world_trace(clients->sim->world, "txn ask", host->number, request->asked.number,
                (uint64_t)request->asked.kind);
    attempt->is_taken = true;
    attempt->write.deadline_ms = env_now_ms(host->env) + clients->sim->plan.timeout_ms;
    attempt->write.done = on_done;
    node_write(host->node, slice_from_text(request->asked.range.key), &attempt->write);
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
    attempt->write.command = txn_request_command(&request->asked);
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
    struct host *host = sim->hosts[1 + prng_below(&clients->dice.chance, sim->host_count)];
    if (!clients->is_stopped && host_is_up(host)) {
        try_at(request, host);
    } else {
        request->under_way++;
        attempt_ended(request, false);
    }
}

void txn_clients_ask(struct txn_clients *clients, struct host *host)
{
    struct world *world = clients->sim->world;
    struct request *request = mem_calloc(1, sizeof(*request));
    uint64_t number = txn_model_number(clients->model, world_now_ns(world));
    request->clients = clients;
    request->again.run = on_again;
    request->attempts = ATTEMPTS_MAX;
    if (!txn_request_draw(&clients->dice, number, &request->asked)) {
        mem_free(request);
        return;
    }
    if (request->asked.idempotency_key[0] != '\0' && prng_below(&clients->dice.chance, 4) == 0) {
        world_schedule(world, &request->again, /* twice, at nearly one time */
                       world_now_ns(world) + prng_below(&clients->dice.chance, 20 * SIM_MS));
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
                      attempt->host->number, txn_request_text(&attempt->request->asked),
                      attempt->request->asked.range.key, attempt->request->asked.number,
                      attempt->is_taken ? "" : ", which has not arrived");
    }
}
