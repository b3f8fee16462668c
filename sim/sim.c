#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"
#include "raft/raft_int.h"
#include "sim/admin.h"
#include "sim/census.h"
#include "sim/checker.h"
#include "sim/clients.h"
#include "sim/faults.h"
#include "sim/network.h"
#include "sim/node_env.h"
#include "sim/txn_model.h"

/* How long a healed cluster may take for each of the steps of its end. */
#define LIVENESS_NS_MIN (30 * SIM_SECOND)
#define LIVENESS_ELECTIONS 40u
#define SETTLE_ROUNDS_MAX 40
/* Events at one instant: more is a loop that does not end. */
#define EVENTS_AT_ONCE_MAX 1000000u

static struct sim *current;

struct sim *sim_current(void)
{
    return current;
}

const char *sim_count_text(enum sim_count count)
{
#define SIM_COUNT_TEXT(name, text) [SIM_##name] = (text),
    static const char *const texts[SIM_COUNT_COUNT] = {SIM_COUNT_LIST(SIM_COUNT_TEXT)};
#undef SIM_COUNT_TEXT
    return texts[count];
}

/* ---- running ---- */

/* The write of a store that failed is told only when its job is done, on a slow disk. */
#define SYNC_ERROR_NS_MAX (60 * SIM_SECOND)

static void check_sync_error(struct sim *sim, const struct host *host, uint64_t grace_ns)
{
    if (host->has_sync_failed && world_now_ns(sim->world) >= host->sync_failed_ns + grace_ns) {
        sim_fail(sim, "node %u goes on after a sync that failed at %.6f s", host->number,
                 (double)host->sync_failed_ns / 1e9);
    }
}

static void run_event(struct sim *sim, struct world_event *event)
{
    struct env *env = event->env;
    if (env == NULL) {
        event->run(event);
        return;
    }
    if (env->is_dead) {
        if (event->drop != NULL) {
            event->drop(event);
        }
        return;
    }
    if (world_now_ns(sim->world) < env->held_until_ns) {
        world_schedule(sim->world, event, env->held_until_ns);
        return;
    }
    struct host *host = env->host;
    enum env_end end = env_sim_turn(env, event);
    if (end != ENV_RUNS) {
        host_life_ended(host, end);
    } else {
        host_look_at_repair(host);
        checker_after_turn(sim->checker, host);
        check_sync_error(sim, host, SYNC_ERROR_NS_MAX);
    }
}

/* Runs until `is_done` says so or the time is up; whether it was done. */
static bool run_until(struct sim *sim, uint64_t until_ns, bool (*is_done)(struct sim *sim))
{
    uint64_t instant_ns = 0;
    uint64_t at_once = 0;
    for (;;) {
        if (is_done != NULL && is_done(sim)) {
            return true;
        }
        struct world_event *event = world_peek(sim->world);
        if (event == NULL || event->at_ns > until_ns) {
            return false;
        }
        event = world_pop(sim->world);
        at_once = event->at_ns == instant_ns ? at_once + 1 : 0;
        instant_ns = event->at_ns;
        if (at_once > EVENTS_AT_ONCE_MAX) {
            sim_fail(sim, "time stands still: an endless loop of events");
        }
        run_event(sim, event);
    }
}

/* ---- the end: faults are off, and a healed cluster has to work ---- */

static bool is_out_of_it(const struct host *host)
{
    return host->state == HOST_GONE || host->state == HOST_REFUSES ||
           !admin_is_member(host->sim->admin, host);
}

/* Everybody is up, knows one leader, and has applied what it has committed. */
static bool is_settled(struct sim *sim)
{
    struct host *leader = checker_leader(sim->checker);
    if (leader == NULL) {
        return false;
    }
    const struct replica *lead = host_replica(leader);
    if (!admin_is_done(sim->admin) || lead->applied != raft_log_last_index(&lead->raft->log)) {
        return false;
    }
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        const struct host *host = sim->hosts[i];
        if (is_out_of_it(host)) {
            continue;
        }
        const struct replica *replica = host_is_up(host) ? host_replica(host) : NULL;
        if (replica == NULL || replica->raft == NULL || replica->leader != leader->number ||
            replica->applied != lead->applied ||
            replica->applied < checker_committed(sim->checker)) {
            return false;
        }
    }
    return true;
}

static bool is_answered(struct sim *sim)
{
    return clients_pending(sim->clients) == 0;
}

static bool is_told(struct sim *sim)
{
    return clients_are_told(sim->clients);
}

/* Nothing is left that ends by itself. */
static bool is_timeless(struct sim *sim)
{
    return txn_model_timed(checker_txn_model(sim->checker)) == 0;
}

static uint64_t liveness_ns(const struct sim *sim)
{
    uint64_t ns = SIM_MS * sim->plan.election_timeout_ms * LIVENESS_ELECTIONS;
    return ns > LIVENESS_NS_MIN ? ns : LIVENESS_NS_MIN;
}

static void wait_for(struct sim *sim, bool (*is_done)(struct sim *sim), uint64_t length_ns,
                     const char *what)
{
    if (!run_until(sim, world_now_ns(sim->world) + length_ns, is_done)) {
        sim_fail(sim, "liveness: %s within %.1f s of calm", what, (double)length_ns / 1e9);
    }
}

/* Grows as long as anybody gets further. */
static uint64_t progress_of_all(const struct sim *sim)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        const struct replica *replica = host_replica(sim->hosts[i]);
        bool is_open = replica != NULL && replica->raft != NULL;
        sum += is_open ? replica->applied + raft_log_last_index(&replica->raft->log) : 0;
    }
    return sum;
}

/* With one small message under way at a time it may take long: as long as it goes on, it is
 * fine. */
static void settle(struct sim *sim, uint64_t length_ns)
{
    for (int i = 0; i < SETTLE_ROUNDS_MAX; i++) {
        uint64_t before = progress_of_all(sim);
        if (run_until(sim, world_now_ns(sim->world) + length_ns, is_settled)) {
            return;
        }
        if (progress_of_all(sim) == before) {
            break;
        }
    }
    sim_fail(sim, "liveness: the nodes do not agree on a leader and a state within %.1f s of calm",
             (double)length_ns / 1e9);
}

/* A small tail may be full for a moment: that is told as "overloaded", and asked again. Who has
 * ended by then need not answer: what it may end for the checker knows, and settle asks. */
static void ask_everything(struct sim *sim, struct host *host)
{
    uint64_t until_ns = world_now_ns(sim->world) + liveness_ns(sim);
    while (host_is_up(host)) {
        uint64_t count = clients_ask_all(sim->clients, host);
        wait_for(sim, is_answered, liveness_ns(sim), "an operation is not answered");
        uint64_t well = clients_asked_well(sim->clients);
        if (well == count || host->is_rotten) {
            return;
        }
        if (world_now_ns(sim->world) > until_ns) {
            sim_fail(sim,
                     "liveness: node %u answers %" PRIu64 " of %" PRIu64
                     " operations of a calm cluster",
                     host->number, well, count);
        }
        (void)run_until(sim, world_now_ns(sim->world) + SIM_SECOND, NULL);
    }
}

static void end_calmly(struct sim *sim)
{
    world_trace(sim->world, "calm", 0, 0, 0);
    clients_stop(sim->clients);
    faults_calm(sim->faults);
    for (uint32_t i = 1; i <= sim->host_count; i++) { /* pauses end when they end */
        const struct env *env = sim->hosts[i]->env;
        (void)run_until(sim, env != NULL ? env->held_until_ns : 0, NULL);
    }
    settle(sim, liveness_ns(sim) + 2 * sim->plan.down_ns);
    /* As of now: at an instant without a leader nobody is a member. */
    bool is_asked[PLAN_HOSTS_MAX + 1] = {false};
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        is_asked[i] = !is_out_of_it(sim->hosts[i]);
    }
    wait_for(sim, is_answered, 2 * (sim->plan.timeout_ms + 2000) * SIM_MS,
             "an operation is not answered");
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        /* One whose rot was found by now may be down: whether it comes back, settle asks. */
        if (is_asked[i] && host_is_up(sim->hosts[i])) {
            check_sync_error(sim, sim->hosts[i], 0);
            ask_everything(sim, sim->hosts[i]);
        }
    }
    settle(sim, liveness_ns(sim));
    /* Who waits for a lock may come to hold it, for as long again. By a clock that runs slowly. */
    uint64_t ttl_ns = 2 * sim->plan.ttl_ms_max * SIM_MS;
    wait_for(sim, is_timeless, ttl_ns + ttl_ns / 4 + liveness_ns(sim),
             "something with a TTL does not end");
    settle(sim, liveness_ns(sim));
    wait_for(sim, is_told, liveness_ns(sim), "who watches is not told of all that has changed");
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        if (is_asked[i] && host_is_up(sim->hosts[i]) && !sim->hosts[i]->is_rotten) {
            census_take(sim, sim->hosts[i]);
        }
    }
}

static struct sim *sim_new(const struct sim_options *options)
{
    struct sim *sim = mem_calloc(1, sizeof(*sim));
    sim->out = options->out;
    sim->world = world_new(options->seed);
    if (options->is_traced) {
        world_trace_on(sim->world);
    }
    struct prng chance;
    world_chance(sim->world, "plan", &chance);
    plan_draw(&sim->plan, options->profile, &chance);
    world_chance(sim->world, "plan of the past", &chance);
    plan_draw_past(&sim->plan, &chance);
    if (options->simulated_ns_max > 0 && sim->plan.duration_ns > options->simulated_ns_max) {
        sim->plan.duration_ns = options->simulated_ns_max;
    }
    sim->simulated_ns_max = options->simulated_ns_max;
    current = sim;
    sim->network = network_new(sim);
    sim->checker = checker_new(sim);
    sim->faults = faults_new(sim);
    sim->admin = admin_new(sim);
    for (uint32_t i = 1; i <= sim->plan.founder_count; i++) {
        host_start_later(host_new(sim, i), i * SIM_MS);
    }
    sim->clients = clients_new(sim);
    return sim;
}

void sim_run(const struct sim_options *options, struct sim_result *out_result)
{
    struct sim *sim = sim_new(options);
    (void)run_until(sim, sim->plan.duration_ns, NULL);
    end_calmly(sim);
    *out_result = (struct sim_result){.simulated_ns = world_now_ns(sim->world)};
    out_result->operations = clients_check(sim->clients);
    sim->counts[SIM_EVENT] = world_event_count(sim->world);
    out_result->trace_hash = world_trace_hash(sim->world);
    memcpy(out_result->counts, sim->counts, sizeof(sim->counts));
}
