/*
 * Three cores in one process: proposals of one batch a turn, until all three have applied them.
 * What stands in for the log is a list in memory, for the network a call of the other core.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "micro.h"
#include "raft/entries_int.h"
#include "raft/raft.h"

#define CORES 3u
#define LOG_KEPT 1024u /* entries that a core's log keeps behind what is applied */

struct core {
    struct raft *raft;
    struct raft_pos compacted;
    struct raft_entries log;
    uint64_t applied;
};

struct group {
    struct core cores[CORES + 1]; /* by id */
    struct entry entries[MICRO_BATCH];
};

/* ---- the log in memory ---- */

static uint64_t log_first(void *ctx)
{
    return ((struct core *)ctx)->compacted.index + 1;
}

static uint64_t log_last(void *ctx)
{
    const struct core *core = ctx;
    return core->compacted.index + core->log.count;
}

static err log_term(void *ctx, uint64_t index, uint64_t *out_term)
{
    const struct core *core = ctx;
    if (index < core->compacted.index) {
        return ERR_COMPACTED;
    }
    if (index > log_last(ctx)) {
        return ERR_UNAVAILABLE;
    }
    uint64_t offset = index - core->compacted.index;
    *out_term = offset == 0 ? core->compacted.term : core->log.items[offset - 1].pos.term;
    return OK;
}

static err log_entries(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                       struct raft_entries *out_entries)
{
    const struct core *core = ctx;
    if (low <= core->compacted.index) {
        return ERR_COMPACTED;
    }
    uint64_t used = 0;
    for (uint64_t index = low; index < high; index++) {
        const struct entry *entry = &core->log.items[index - core->compacted.index - 1];
        uint64_t weight = raft_entry_weight(entry);
        if (index > low && (used >= size_max || weight > size_max - used)) {
            break;
        }
        raft_entries_push(out_entries, entry);
        used += weight;
    }
    return OK;
}

static err log_snapshot(void *ctx, struct snapshot *out_snapshot)
{
    (void)ctx;
    (void)out_snapshot;
    return ERR_UNAVAILABLE;
}

/* With one leader nothing is ever replaced. */
static void log_append(struct core *core, const struct raft_ready *ready)
{
    for (uint32_t i = 0; i < ready->entry_count; i++) {
        ASSERT(ready->entries[i].pos.index == log_last(core) + 1);
        raft_entries_push(&core->log, &ready->entries[i]);
    }
}

static void log_compact(struct core *core)
{
    uint64_t kept = log_last(core) - core->applied + LOG_KEPT;
    if (core->log.count > 2 * kept) {
        uint32_t count = core->log.count - (uint32_t)kept;
        core->compacted = core->log.items[count - 1].pos;
        raft_entries_drop_front(&core->log, count);
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
    log_append(core, &ready);
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
        .storage = {core, log_first, log_last, log_term, log_entries, log_snapshot},
    };
}

static struct group *group_new(void)
{
    struct group *group = mem_calloc(1, sizeof(*group));
    for (node_id id = 1; id <= CORES; id++) {
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
        raft_entries_deinit(&group->cores[id].log);
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
