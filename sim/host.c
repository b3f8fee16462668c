#include "sim/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/node_int.h"
#include "sim/admin.h"
#include "sim/checker.h"
#include "sim/clients.h"
#include "sim/faults.h"
#include "sim/lmdb_calls.h"
#include "sim/network.h"
#include "sim/node_env.h"

/* After a start that was refused for want of space or by a failed sync, or that was put off. */
#define RETRY_NS (500 * SIM_MS)

/* All that a host has is looked through within a second. */
#define SCRUB_RATE_BYTES (1u << 20)

static void on_restart(struct world_event *event)
{
    host_start(CONTAINER_OF(event, struct host, restart));
}

static void on_closing(struct world_event *event);

struct host *host_new(struct sim *sim, uint32_t number)
{
    ASSERT(number > 0 && number <= PLAN_HOSTS_MAX);
    struct host *host = mem_calloc(1, sizeof(*host));
    host->sim = sim;
    host->number = number;
    host->disk = disk_new();
    host->restart.run = on_restart;
    host->closing.run = on_closing;
    (void)snprintf(host->address, sizeof(host->address), "host-%u:4000", number);
    (void)snprintf(host->directory, sizeof(host->directory), "data-%u", number);
    world_chance(sim->world, host->address, &host->chance);
    uint32_t ppm_max = sim->plan.clock_ppm_max;
    if (ppm_max > 0) {
        host->clock_ppm =
            (int32_t)prng_below(&host->chance, 2 * (uint64_t)ppm_max + 1) - (int32_t)ppm_max;
        sim_count(sim, SIM_CLOCK_SKEWED, 1);
    }
    host->clock_offset_ns = chance_between(&host->chance, 0, 1000 * SIM_SECOND);
    host->wall_skew_ms = (int64_t)prng_below(&host->chance, 2 * sim->plan.wall_skew_ms_max) -
                         (int64_t)sim->plan.wall_skew_ms_max;
    sim->hosts[number] = host;
    sim->host_count = number > sim->host_count ? number : sim->host_count;
    return host;
}

struct raft *host_raft(const struct host *host)
{
    const struct replica *replica = host_replica(host);
    return replica != NULL ? replica->raft : NULL;
}

struct replica *host_replica(const struct host *host)
{
    return host->node != NULL ? host->node->replica : NULL;
}

/* ---- a life ---- */

static void log_line(void *ctx, enum log_level level, const char *line, size_t size)
{
    struct host *host = ctx;
    (void)level;
    char *target = host->log_lines[host->log_line_count++ % HOST_LOG_LINES];
    size_t count = size < HOST_LOG_LINE_SIZE - 1 ? size : HOST_LOG_LINE_SIZE - 1;
    memcpy(target, line, count);
    target[count] = '\0';
    if (count > 0 && target[count - 1] == '\n') {
        target[count - 1] = '\0';
    }
}

static uint64_t log_clock(void *ctx)
{
    const struct host *host = ctx;
    return world_now_ns(host->sim->world) / SIM_MS;
}

struct opening {
    struct host *host;
    struct node *node;
    err e;
    struct err_note note;
};

/* Of those that are up, the one that has applied most; NULL: none is. */
static const struct replica *who_knows_most(const struct sim *sim)
{
    const struct replica *most = NULL;
    for (uint32_t i = 1; i <= sim->host_count; i++) {
        const struct replica *replica =
            host_is_up(sim->hosts[i]) ? host_replica(sim->hosts[i]) : NULL;
        if (replica != NULL && replica->applied > 0 &&
            (most == NULL || replica->applied > most->applied)) {
            most = replica;
        }
    }
    return most;
}

/* The first members; or, for who joins, those that there are now, as far as anybody knows. False:
 * nobody does, and whoever starts it waits until somebody can be asked. */
static bool find_members(struct host *host)
{
    struct sim *sim = host->sim;
    const struct replica *replica = who_knows_most(sim);
    if (!host->is_joining) {
        host->member_count = sim->plan.founder_count;
        for (uint32_t i = 0; i < host->member_count; i++) {
            struct member *member = &host->members[i];
            member->id = i + 1;
            (void)snprintf(member->peer_address, sizeof(member->peer_address), "host-%u:4000",
                           i + 1);
        }
    } else if (replica != NULL) {
        host->member_count = replica->membership.member_count;
        memcpy(host->members, replica->membership.members, sizeof(host->members));
    }
    return host->member_count > 0;
}

static void open_node(void *ctx)
{
    struct opening *opening = ctx;
    struct host *host = opening->host;
    const struct plan *plan = &host->sim->plan;
    struct node_options options = {
        .env = host->env,
        .log = host->log,
        .data_directory = host->directory,
        .version = "simulated",
        .id = host->number,
        .cluster_name = "simulation",
        .is_joining = host->is_joining,
        .cluster_id = host->cluster_id,
        .members = host->members,
        .member_count = host->member_count,
        .peer_listen = host->address,
        .client_address = host->address,
        .heartbeat_ms = plan->heartbeat_ms,
        .election_timeout_ms = plan->election_timeout_ms,
        .tail_bytes_max = plan->tail_bytes_max,
        .checkpoint_age_ms_max = plan->checkpoint_age_ms_max,
        .segment_size_bytes = plan->segment_size_bytes,
        .entry_cache_bytes_max = plan->entry_cache_bytes_max,
        .log_keep_bytes_max = plan->log_keep_bytes_max,
        .log_keep_entries_max = plan->log_keep_entries_max,
        .log_keep_age_ms_max = plan->log_keep_age_ms_max,
        .history_bytes_max = plan->history_bytes_max,
        .history_revisions_max = plan->history_revisions_max,
        .history_age_ms_max = plan->history_age_ms_max,
        .snapshot_rate_bytes = plan->snapshot_rate_bytes,
        .snapshot_chunk_bytes = plan->snapshot_chunk_bytes,
        .scrub_rate_bytes = SCRUB_RATE_BYTES,
        .message_bytes_max = plan->message_bytes_max,
        .inflight_messages_max = plan->inflight_messages_max,
        .pending_bytes_max = plan->proposals_bytes_max,
        .proposed_bytes_max = plan->proposals_bytes_max,
        .idempotency_age_ms = plan->idempotency_age_ms,
        .idempotency_count = plan->idempotency_count,
        .quota_bytes = plan->quota_bytes == 0 ? 0 : plan->quota_bytes + UINT64_C(64) * host->number,
    };
    opening->e = node_open(&opening->node, &options, &opening->note);
}

static void say(struct host *host, const char text[ERR_NOTE_SIZE])
{
    memcpy(host->last_words, text, sizeof(host->last_words));
}

/* The node would not start: which is right only if its data was spoilt. */
static void start_refused(struct host *host, const struct opening *opening)
{
    struct sim *sim = host->sim;
    say(host, opening->note.text);
    world_trace(sim->world, "start refused", host->number, (uint64_t)opening->e, 0);
    network_life_ended(sim->network, host->env, false);
    lmdb_calls_end(host->env);
    host->env->is_dead = true;
    host->env = NULL;
    if (opening->e == ERR_NO_SPACE && host->was_refused) {
        host_start_later(host, RETRY_NS);
        return;
    }
    if (opening->e == ERR_IO && host->has_sync_failed) {
        (void)disk_crash(host->disk, faults_crash_kind(sim->faults, host), &host->chance);
        host_start_later(host, RETRY_NS);
        return;
    }
    if (!host->is_rotten || opening->e != ERR_DAMAGED) {
        sim_fail(sim, "node %u refuses to start, and not for its disk: %s: %s", host->number,
                 err_name(opening->e), opening->note.text);
    }
    sim_count(sim, SIM_ROT_FOUND, 1);
    host->state = HOST_REFUSES;
}

void host_start(struct host *host)
{
    struct sim *sim = host->sim;
    ASSERT(host->state == HOST_DOWN);
    if (!find_members(host)) {
        host_start_later(host, RETRY_NS);
        return;
    }
    host->env = env_sim_new(host);
    host->lives++;
    host->has_sync_failed = false;
    host->was_refused = false;
    if (host->lives > 1) {
        sim_count(sim, SIM_RESTART, 1);
    }
    struct log_options log_options = {
        .level = LOG_LEVEL_INFO,
        .node_id = host->number,
        .sink = log_line,
        .sink_ctx = host,
        .clock = log_clock,
        .clock_ctx = host,
    };
    host->log = log_new(&log_options);
    world_trace(sim->world, "start", host->number, host->lives, 0);
    faults_life_begins(sim->faults, host);
    checker_life_begins(sim->checker, host);
    host->state = HOST_RUNNING;
    struct opening opening = {.host = host};
    enum env_end end = env_sim_call(host->env, open_node, &opening);
    if (end != ENV_RUNS) {
        host_life_ended(host, end);
    } else if (opening.e != OK) {
        host->state = HOST_DOWN;
        start_refused(host, &opening);
    } else {
        host->node = opening.node;
    }
}

void host_start_later(struct host *host, uint64_t delay_ns)
{
    world_schedule(host->sim->world, &host->restart, world_now_ns(host->sim->world) + delay_ns);
}

/* The life is over, however; what is left of it is cut off from the world. */
static void bury(struct host *host, bool is_power_cut)
{
    struct env *env = host->env;
    env->is_dead = true;
    network_life_ended(host->sim->network, env, is_power_cut);
    lmdb_calls_end(env);
    clients_life_ended(host->sim->clients, host);
    admin_life_ended(host->sim->admin, host);
    world_cancel(host->sim->world, &host->closing);
    host->is_stopping = false;
    host->env = NULL;
    host->node = NULL;
    host->log = NULL;
    host->state = HOST_DOWN;
}

void host_crash(struct host *host, enum disk_crash kind)
{
    struct sim *sim = host->sim;
    if (host->state != HOST_RUNNING) {
        return;
    }
    bury(host, kind != DISK_CRASH_PROCESS);
    struct disk_loss lost = disk_crash(host->disk, kind, &host->chance);
    world_trace(sim->world, "crash", host->number, (uint64_t)kind, lost.sectors);
    sim_count(sim, kind == DISK_CRASH_PROCESS ? SIM_CRASH_PROCESS : SIM_CRASH_POWER, 1);
    sim_count(sim, SIM_SECTORS_LOST, lost.sectors);
    sim_count(sim, SIM_CRASH_TORN, lost.is_torn ? 1 : 0);
    host_start_later(host, faults_down_ns(sim->faults));
}

void host_life_ended(struct host *host, enum env_end end)
{
    struct sim *sim = host->sim;
    if (end == ENV_CRASHED) {
        sim_count(sim, SIM_CRASH_AT_EFFECT, 1);
        host_crash(host, faults_crash_kind(sim->faults, host));
        return;
    }
    world_trace(sim->world, "fatal", host->number, 0, 0);
    sim_count(sim, SIM_FATAL_STOP, 1);
    bool was_excused = faults_excuse_fatal(sim->faults, host);
    bury(host, false);
    if (!was_excused) {
        sim_fail(sim, "node %u stopped itself without a fault of its disk: %s", host->number,
                 host->last_words);
    }
    /* The process alone may have died, or what stopped it takes the machine along. */
    sim_count(sim, SIM_SECTORS_LOST,
              disk_crash(host->disk, faults_crash_kind(sim->faults, host), &host->chance).sectors);
    host_start_later(host, faults_down_ns(sim->faults));
}

static void close_node(void *ctx)
{
    struct host *host = ctx;
    clients_node_closes(host->sim->clients, host);
    node_close(host->node);
    log_free(host->log);
}

static void on_closing(struct world_event *event)
{
    struct host *host = CONTAINER_OF(event, struct host, closing);
    struct sim *sim = host->sim;
    enum env_end end = env_sim_call(host->env, close_node, host);
    if (end != ENV_RUNS) {
        host_life_ended(host, end);
        return;
    }
    sim_count(sim, SIM_STOP_CLEAN, 1);
    bury(host, false);
    host_start_later(host, faults_down_ns(sim->faults));
}

/* The node may be in the middle of its turn: it is closed after that. */
static void on_finished(void *ctx)
{
    struct host *host = ctx;
    struct world *world = host->sim->world;
    world_schedule(world, &host->closing, world_now_ns(world));
}

static void on_drained(struct node_drain *drain, err e)
{
    struct host *host = CONTAINER_OF(drain, struct host, drain);
    if (e == OK) { /* else it is gone already */
        node_finish(host->node, on_finished, host);
    }
}

static void drain_node(void *ctx)
{
    struct host *host = ctx;
    host->drain = (struct node_drain){.is_final = true, .done = on_drained};
    node_drain(host->node, &host->drain);
}

void host_stop(struct host *host)
{
    if (!host_is_up(host) || host->is_stopping) {
        return;
    }
    world_trace(host->sim->world, "stop", host->number, 0, 0);
    host->is_stopping = true;
    enum env_end end = env_sim_call(host->env, drain_node, host);
    if (end != ENV_RUNS) {
        host_life_ended(host, end);
    }
}

/* A log that was opened, and was mended, is whole; so is one whose holes were all in a torn end. */
static void look_at_log(struct host *host, const struct replica *replica)
{
    bool is_open = replica != NULL && replica->raft != NULL;
    bool is_mended = is_open && host->node->log_mend.records.value > 0;
    if (host->is_log_rotten && !host->is_mending && is_open && (is_mended || host->is_holed)) {
        host->is_rotten = false;
        host->is_log_rotten = false;
        host->is_holed = false;
        sim_count(host->sim, SIM_LOG_MENDED, is_mended ? 1 : 0);
        world_trace(host->sim->world, "mended", host->number, replica->applied, 0);
    }
}

void host_look_at_repair(struct host *host)
{
    const struct replica *replica = host_replica(host);
    if (replica != NULL && replica->repair.is_waiting && !host->is_mending && !host->is_rotten) {
        sim_fail(host->sim, "node %u has lost what nobody took from it: its log begins at %" PRIu64,
                 host->number, replica->repair.index_min + 1);
    }
    if (replica != NULL && replica->repair.is_log_lost) {
        bool is_news = !host->is_mending;
        sim_count(host->sim, SIM_ROT_FOUND, is_news ? 1 : 0);
        host->is_mending = true;
        host->mends_from = UINT64_MAX; /* nobody may be spoilt meanwhile */
        if (is_news) {
            admin_mending(host->sim->admin);
        }
    }
    look_at_log(host, replica);
    if (host->is_mending && replica != NULL && replica->raft != NULL &&
        host->node->identity.lost_region == 0) {
        host->is_mending = false;
        if (host->is_log_rotten && replica->repair.logs.value > 0) {
            host->is_rotten = false;
            host->is_log_rotten = false;
            host->is_holed = false;
            sim_count(host->sim, SIM_LOG_REPAIRED, 1);
        }
        sim_count(host->sim, SIM_REPAIRED, 1);
        world_trace(host->sim->world, "repaired", host->number, replica->applied, 0);
    }
}

void host_pause(struct host *host, uint64_t until_ns)
{
    if (host->env != NULL && host->env->held_until_ns < until_ns) {
        host->env->held_until_ns = until_ns;
    }
}

void host_retire(struct host *host)
{
    if (host->state == HOST_RUNNING) {
        bury(host, true);
    }
    world_cancel(host->sim->world, &host->restart);
    host->state = HOST_GONE;
}
