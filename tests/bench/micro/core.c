/*
 * Three cores in one process: proposals of one batch a turn, until all three have applied them.
 * What stands in for the log is raft-trace's, in memory, for the network a call of the other core.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "micro.h"
#include "raft/raft.h"
#include "storage.h"

#define CORES 3u
/* Entries that a core's log keeps: more than are ever on their way. */
#define LOG_KEPT UINT64_C(1024)

struct core {
    struct raft *raft;
    struct storage log;
    struct snapshot applied_state; /* none: nobody is ever behind the log */
    uint64_t applied;
};

struct group {
    struct core cores[CORES + 1]; /* by id */
    struct entry entries[MICRO_BATCH];
};

static void log_compact(struct core *core)
{
    uint64_t kept = core->log.entries.count;
    if (kept > 2 * LOG_KEPT) {
        storage_compact(&core->log, core->log.compacted.index + kept - LOG_KEPT);
    }
}

/* ---- the group ---- */

static void deliver(struct group *group, const struct message *messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(messages[i].to >= 1 && messages[i].to <= CORES);
        err e = raft_step(group->cores[messages[i].to].raft, &messages[i]);
        ASSERT(e == OK);
    }
}

/* One turn of a core: what its owner does with a ready (raft.h). */
static void take_ready(struct group *group, struct core *core)
{
    struct raft_ready ready;
    raft_ready(core->raft, &ready);
    deliver(group, ready.messages, ready.message_count);
    storage_append(&core->log, ready.entries, ready.entry_count);
    deliver(group, ready.messages_after_persist, ready.after_persist_count);
    if (ready.has_mark) {
        raft_persisted(core->raft, &ready.mark);
    }
    if (ready.committed_count > 0) {
        ASSERT(ready.committed[0].pos.index == core->applied + 1);
        core->applied += ready.committed_count;
        raft_applied(core->raft, core->applied);
        log_compact(core);
    }
}

static void settle(struct group *group)
{
    bool has_worked = true;
    while (has_worked) {
        has_worked = false;
        for (node_id id = 1; id <= CORES; id++) {
            while (raft_has_ready(group->cores[id].raft)) {
                take_ready(group, &group->cores[id]);
                has_worked = true;
            }
        }
    }
}

static struct raft_config config_of(struct core *core, node_id id)
{
    return (struct raft_config){
        .id = id,
        .election_ticks = 10,
        .heartbeat_ticks = 1,
        .max_size_per_message = 1u << 20,
        .max_committed_size_per_ready = 1u << 20,
        .max_uncommitted_size = 64u << 20,
        .max_inflight_messages = 256,
        .max_inflight_bytes = 64u << 20,
        .check_quorum = true,
        .pre_vote = true,
        .async_storage_writes = true,
        .commit_hints = true,
        .pace_probes = true,
        .disable_proposal_forwarding = true,
        .step_down_on_removal = true,
        .read_mode = RAFT_READ_SAFE,
        .seed = MICRO_SEED + id,
        .conf = {.voters = {.count = CORES, .ids = {1, 2, 3}}},
        .storage = storage_interface(&core->log),
    };
}

static struct group *group_new(void)
{
    struct group *group = mem_calloc(1, sizeof(*group));
    for (node_id id = 1; id <= CORES; id++) {
        storage_init(&group->cores[id].log, &group->cores[id].applied_state);
        struct raft_config config = config_of(&group->cores[id], id);
        err e = raft_new(&group->cores[id].raft, &config);
        ASSERT(e == OK);
    }
    err e = raft_campaign(group->cores[1].raft);
    ASSERT(e == OK);
    settle(group);
    return group;
}

static void group_free(struct group *group)
{
    for (node_id id = 1; id <= CORES; id++) {
        raft_free(group->cores[id].raft);
        storage_deinit(&group->cores[id].log);
    }
    mem_free(group);
}

static void commit_batch(void *ctx)
{
    struct group *group = ctx;
    err e = raft_propose(group->cores[1].raft, group->entries, MICRO_BATCH, NULL);
    ASSERT(e == OK);
    settle(group);
}

static void run_core(struct micro *micro)
{
    struct prng prng;
    prng_init(&prng, MICRO_SEED);
    struct group *group = group_new();
    uint64_t begin = group->cores[1].applied;
    while (micro->measured < micro->operations) {
        for (uint32_t i = 0; i < MICRO_BATCH; i++) {
            group->entries[i] = (struct entry){.data = micro_bytes(&prng, MICRO_VALUE_SIZE)};
        }
        micro_measure(micro, commit_batch, group, MICRO_BATCH);
        for (uint32_t i = 0; i < MICRO_BATCH; i++) {
            buf_unref(group->entries[i].data);
        }
        for (node_id id = 1; id <= CORES; id++) {
            ASSERT(group->cores[id].applied == begin + micro->measured);
        }
    }
    group_free(group);
}

int main(int argc, char **argv)
{
    static const struct micro_scenario scenarios[] = {{"core", 16384, run_core}};
    return micro_main(argc, argv, scenarios, 1);
}
