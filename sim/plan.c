#include "sim/plan.h"

#include <string.h>

#include "base/compiler.h"
#include "sim/world.h"

static const char *const names[PLAN_PROFILE_COUNT] = {
    [PLAN_SWARM] = "swarm",     [PLAN_QUIET] = "quiet", [PLAN_CRASH] = "crash",
    [PLAN_NETWORK] = "network", [PLAN_DISK] = "disk",   [PLAN_MEMBERSHIP] = "membership",
};

const char *plan_profile_name(enum plan_profile profile)
{
    return names[profile];
}

bool plan_profile_find(const char *name, enum plan_profile *out_profile)
{
    for (int i = 0; i < PLAN_PROFILE_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out_profile = (enum plan_profile)i;
            return true;
        }
    }
    return false;
}

static bool draw_bool(struct prng *prng)
{
    return prng_below(prng, 2) == 0;
}

/* One of a list. */
#define DRAW_OF(prng, ...)                                                                         \
    ((const uint64_t[]){__VA_ARGS__})[prng_below(prng, sizeof((const uint64_t[]){__VA_ARGS__}) /   \
                                                           sizeof(uint64_t))]

static void draw_node(struct plan *plan, struct prng *prng)
{
    plan->founder_count = (uint32_t)DRAW_OF(prng, 1, 3, 3, 3, 3, 3, 4, 5, 5, 7);
    plan->heartbeat_ms = (uint32_t)DRAW_OF(prng, 20, 50, 50, 100, 200);
    plan->election_timeout_ms = plan->heartbeat_ms * (uint32_t)chance_between(prng, 4, 10);
    plan->tail_bytes_max = chance_log(prng, 2 << 10, 1 << 20);
    plan->checkpoint_age_ms_max = chance_log(prng, 200, 60000);
    plan->segment_size_bytes = chance_log(prng, 8 << 10, 256 << 10);
    plan->entry_cache_bytes_max = chance_log(prng, 4 << 10, 1 << 20);
    /* How soon who is behind gets a snapshot instead of the log. */
    plan->log_keep_bytes_max = draw_bool(prng) ? 1 << 30 : chance_log(prng, 4 << 10, 1 << 20);
    plan->message_bytes_max = draw_bool(prng) ? 0 : chance_log(prng, 1, 64 << 10);
    plan->inflight_messages_max = (uint32_t)DRAW_OF(prng, 0, 0, 0, 1, 2, 8);
    plan->proposals_bytes_max = draw_bool(prng) ? 0 : chance_log(prng, 64 << 10, 1 << 20);
}

static void draw_network(struct plan *plan, struct prng *prng)
{
    plan->turn_ns = chance_log(prng, 1 * SIM_US, 2 * SIM_MS);
    plan->latency_ns = chance_log(prng, 20 * SIM_US, 20 * SIM_MS);
    plan->jitter_ns = chance_log(prng, 10 * SIM_US, 10 * SIM_MS);
    if (draw_bool(prng)) {
        plan->loss = (uint32_t)chance_log(prng, 100, 100000);
    }
    if (draw_bool(prng)) {
        plan->doubling = (uint32_t)chance_log(prng, 100, 100000);
    }
    if (draw_bool(prng)) {
        plan->reordering = (uint32_t)chance_log(prng, 100, 100000);
    }
    if (draw_bool(prng)) {
        plan->corruption = (uint32_t)chance_log(prng, 10, 3000);
    }
    if (draw_bool(prng)) {
        plan->delaying = (uint32_t)chance_log(prng, 100, 50000);
    }
    plan->delay_ns_max = chance_log(prng, 10 * SIM_MS, 3 * SIM_SECOND);
    plan->cut_drops = draw_bool(prng);
}

static void draw_disk(struct plan *plan, struct prng *prng)
{
    plan->write_ns = chance_log(prng, 2 * SIM_US, 500 * SIM_US);
    plan->sync_ns = chance_log(prng, 50 * SIM_US, 20 * SIM_MS);
    plan->clock_ppm_max = (uint32_t)DRAW_OF(prng, 0, 100, 10000, 200000);
    plan->wall_skew_ms_max = chance_log(prng, 1, 86400000);
}

static void draw_clients(struct plan *plan, struct prng *prng)
{
    plan->client_count = (uint32_t)chance_between(prng, 1, 8);
    plan->think_ns = chance_log(prng, 50 * SIM_MS, 2 * SIM_SECOND);
    plan->timeout_ms = chance_log(prng, 200, 10000);
    plan->key_count = (uint32_t)chance_log(prng, 1, 64);
    plan->put_share = (uint32_t)chance_between(prng, 300000, 800000);
    plan->delete_share = (uint32_t)chance_between(prng, 0, 150000);
    plan->stale_share = (uint32_t)chance_between(prng, 0, 100000);
    plan->value_size_max = (uint32_t)chance_log(prng, 16, 4096);
    plan->burst = (uint32_t)DRAW_OF(prng, 1, 1, 1, 2, 8, 32);
}

static uint32_t weight(struct prng *prng, uint32_t max)
{
    return draw_bool(prng) ? (uint32_t)chance_between(prng, 1, max) : 0;
}

static void draw_weights(struct plan *plan, struct prng *prng)
{
    struct plan_weights *weights = &plan->weights; /* one a statement: dice have an order */
    weights->crash = weight(prng, 10);
    weights->crash_effect = weight(prng, 10);
    weights->crash_all = weight(prng, 3);
    weights->stop = weight(prng, 4);
    weights->pause = weight(prng, 6);
    weights->cut = weight(prng, 10);
    weights->clog = weight(prng, 6);
    weights->reset = weight(prng, 6);
    weights->disk_slow = weight(prng, 4);
    weights->disk_stall = weight(prng, 4);
    weights->sync_error = weight(prng, 3);
    weights->disk_full = weight(prng, 3);
    weights->rot = weight(prng, 3);
    weights->wipe = weight(prng, 3);
    weights->clock_jump = weight(prng, 3);
    weights->membership = weight(prng, 6);
    weights->transfer = weight(prng, 6);
    weights->campaign = weight(prng, 3);
    plan->fault_gap_ns = chance_log(prng, 300 * SIM_MS, 20 * SIM_SECOND);
    plan->fault_length_ns = chance_log(prng, 200 * SIM_MS, 15 * SIM_SECOND);
    plan->down_ns = chance_log(prng, 10 * SIM_MS, 10 * SIM_SECOND);
    plan->leader_crash = draw_bool(prng) ? 0 : (uint32_t)chance_between(prng, 10000, 800000);
    if (plan->is_crash_heavy) {
        plan->weights.crash = 10 + plan->weights.crash;
        plan->weights.crash_effect = 20;
        plan->weights.crash_all = 4;
        plan->fault_gap_ns = chance_log(prng, 100 * SIM_MS, 2 * SIM_SECOND);
        plan->down_ns = chance_log(prng, 10 * SIM_MS, 1 * SIM_SECOND);
    }
}

static void draw_changes(struct plan *plan, struct prng *prng)
{
    plan->is_admin_hasty = plan->profile != PLAN_QUIET && draw_bool(prng);
    plan->change_by_request = (uint32_t)DRAW_OF(prng, 0, 300000, 900000);
    plan->changes = (struct plan_changes){.add = 4, .remove = 2, .replace = 2, .role = 2};
    if (plan->is_admin_hasty) {
        plan->changes.add = 1 + weight(prng, 5);
        plan->changes.remove = weight(prng, 6);
        plan->changes.replace = weight(prng, 6);
        plan->changes.role = weight(prng, 12);
        plan->change_at_once = (uint32_t)chance_between(prng, 10000, 1000000);
        plan->change_cut = (uint32_t)chance_between(prng, 10000, 500000);
    }
}

/* Stalls below the election timeout and a follower that is cut off: neither may cost a leader. */
static void be_quiet(struct plan *plan, struct prng *prng)
{
    plan->weights = (struct plan_weights){.disk_stall = 1, .cut = 1};
    plan->leader_crash = 0;
    plan->loss = plan->doubling = plan->reordering = plan->corruption = plan->delaying = 0;
    plan->latency_ns = chance_log(prng, 20 * SIM_US, 2 * SIM_MS);
    plan->jitter_ns = plan->latency_ns;
    plan->clock_ppm_max = 100;
    plan->sync_ns = chance_log(prng, 50 * SIM_US, 5 * SIM_MS);
    plan->fault_length_ns = plan->election_timeout_ms * SIM_MS / 2;
    plan->fault_gap_ns = 5 * SIM_SECOND;
    plan->founder_count = plan->founder_count == 1 ? 3 : plan->founder_count;
}

static void lean_to(struct plan *plan)
{
    struct plan_weights *weights = &plan->weights;
    if (plan->profile == PLAN_NETWORK) {
        weights->cut += 20;
        weights->clog += 10;
        weights->reset += 5;
        weights->pause += 5;
        plan->loss += 20000;
        plan->doubling += 5000;
        plan->reordering += 10000;
    } else if (plan->profile == PLAN_DISK) {
        weights->crash_effect += 20;
        weights->sync_error += 5;
        weights->disk_full += 5;
        weights->disk_slow += 5;
        weights->disk_stall += 5;
        weights->rot += 5;
    } else if (plan->profile == PLAN_MEMBERSHIP) {
        weights->membership += 30;
        weights->transfer += 20;
        weights->wipe += 5;
        weights->campaign += 5;
    }
}

/* Last of all, so that older dice stay where they were. */
static void draw_snapshots(struct plan *plan, struct prng *prng)
{
    plan->log_keep_entries_max = draw_bool(prng) ? 1000000 : chance_log(prng, 8, 2000);
    plan->log_keep_age_ms_max = draw_bool(prng) ? 0 : chance_log(prng, 500, 120000);
    plan->snapshot_rate_bytes = draw_bool(prng) ? 0 : chance_log(prng, 4 << 10, 4 << 20);
    plan->snapshot_chunk_bytes = draw_bool(prng) ? 0 : chance_log(prng, 64, 16 << 10);
}

/* After that, likewise. */
static void draw_transactions(struct plan *plan, struct prng *prng)
{
    plan->txn_share = (uint32_t)DRAW_OF(prng, 0, 100000, 300000, 500000);
    plan->conditional_share = (uint32_t)DRAW_OF(prng, 0, 100000, 500000);
    plan->ttl_ms_max = chance_log(prng, 500, 20000);
    plan->idempotency_count = DRAW_OF(prng, 4, 32, 150);
    plan->idempotency_age_ms = chance_log(prng, 2000, 600000);
    if (plan->txn_share > 0 && plan->snapshot_rate_bytes > 0) { /* there is more to send */
        plan->snapshot_rate_bytes += 8 << 10;
    }
}

void plan_draw(struct plan *plan, enum plan_profile profile, struct prng *prng)
{
    *plan = (struct plan){.profile = profile};
    plan->is_crash_heavy = profile == PLAN_CRASH || (profile == PLAN_SWARM && draw_bool(prng));
    plan->duration_ns = chance_between(prng, 60, 240) * SIM_SECOND;
    draw_node(plan, prng);
    draw_network(plan, prng);
    draw_disk(plan, prng);
    draw_clients(plan, prng);
    draw_weights(plan, prng);
    draw_changes(plan, prng);
    if (profile == PLAN_QUIET) {
        be_quiet(plan, prng);
    }
    lean_to(plan);
    draw_snapshots(plan, prng);
    plan->quota_bytes = draw_bool(prng) ? 0 : chance_log(prng, 200, 64 << 10);
    if (profile != PLAN_QUIET) {
        plan->weights.helix = weight(prng, 2);
        plan->weights.helix += profile == PLAN_DISK ? 2 : 0;
    }
    draw_transactions(plan, prng);
}

void plan_draw_past(struct plan *plan, struct prng *prng)
{
    plan->watcher_count = (uint32_t)prng_below(prng, 4);
    plan->lister_count = (uint32_t)prng_below(prng, 3);
    plan->watch_cut = draw_bool(prng) ? 0 : (uint32_t)chance_log(prng, 1000, 200000);
    plan->watch_slow = draw_bool(prng) ? 0 : (uint32_t)chance_log(prng, 1000, 200000);
    plan->watch_pause_ns_max = chance_log(prng, 10 * SIM_MS, 10 * SIM_SECOND);
    plan->history_revisions_max = chance_log(prng, 4, 10000);
    plan->history_bytes_max = draw_bool(prng) ? 32 << 20 : chance_log(prng, 1 << 10, 1 << 20);
    plan->history_age_ms_max = draw_bool(prng) ? 600000 : chance_log(prng, 200, 60000);
}
