/* The commands of the interaction scripts. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "changes.h"
#include "cluster.h"
#include "drivers.h"
#include "print.h"
#include "raft/raft_int.h"

struct interaction {
    struct cluster cluster;
    bool is_quiet; /* log-level none: only errors show */
};

/* One run of one command. `out` takes its output, `error` what also shows when it is quiet. */
struct run {
    struct interaction *interaction;
    struct cluster *cluster;
    const struct script_block *block;
    node_id ids[CLUSTER_NODES_MAX]; /* the nodes it names */
    unsigned id_count;
    struct node *node; /* the first of them, or NULL */
    struct text *out;
    struct text *error;
};

struct interaction *interaction_new(void)
{
    return mem_calloc(1, sizeof(struct interaction));
}

void interaction_free(struct interaction *interaction)
{
    cluster_deinit(&interaction->cluster);
    mem_free(interaction);
}

static void set_log_level(struct interaction *interaction, const char *level)
{
    interaction->is_quiet = strcmp(level, "none") == 0 || strcmp(level, "NONE") == 0;
}

static void run_log_level(struct run *run)
{
    if (run->block->arg_count == 1) {
        set_log_level(run->interaction, run->block->args[0].key);
    }
}

static void read_ids(const struct script_block *block, const char *key, struct id_set *out_ids)
{
    const struct script_arg *arg = script_find(block, key);
    for (unsigned i = 0; arg != NULL && i < arg->value_count; i++) {
        bool added = id_set_add(out_ids, script_parse_number(arg->values[i]));
        ASSERT(added);
    }
}

static void run_add_nodes(struct run *run)
{
    const struct script_block *block = run->block;
    bool is_lease = strcmp(script_value(block, "read-only", "safe"), "lease-based") == 0;
    struct raft_config config = {
        .max_inflight_messages = (uint32_t)script_number(block, "inflight", 0),
        .max_committed_size_per_ready = script_number(block, "max-committed-size-per-ready", 0),
        .check_quorum = script_flag(block, "checkquorum"),
        .pre_vote = script_flag(block, "prevote"),
        .async_storage_writes = script_flag(block, "async-storage-writes"),
        .disable_conf_change_validation = script_flag(block, "disable-conf-change-validation"),
        .step_down_on_removal = script_flag(block, "step-down-on-removal"),
        .read_mode = is_lease ? RAFT_READ_LEASE : RAFT_READ_SAFE,
    };
    read_ids(block, "voters", &config.conf.voters);
    read_ids(block, "learners", &config.conf.learners);
    uint64_t index = script_number(block, "index", 0);
    const char *content = script_value(block, "content", "");
    for (uint64_t i = 0; i < script_parse_number(block->args[0].key); i++) {
        cluster_add(run->cluster, &config, index, content);
    }
}

static void run_campaign(struct run *run)
{
    (void)(raft_campaign(run->node->raft) == OK); /* a refusal is only logged */
}

static void run_forget_leader(struct run *run)
{
    (void)(raft_forget_leader(run->node->raft) == OK);
}

static void run_transfer(struct run *run)
{
    struct node *from = cluster_node(run->cluster, script_number(run->block, "from", 0));
    (void)(raft_transfer_leader(from->raft, script_number(run->block, "to", 0)) == OK);
}

static void report_proposal(struct run *run, err e)
{
    if (e == ERR_BAD_REQUEST) {
        text_add(run->error, "v1 conf change can only have one operation and no transition\n");
    } else if (e != OK) {
        text_add(run->error, "raft proposal dropped\n");
    }
}

static void run_propose(struct run *run)
{
    struct entry entry = {.type = ENTRY_NORMAL};
    entry.data = buf_copy(slice_from_text(run->block->args[1].key));
    report_proposal(run, raft_propose(run->node->raft, &entry, 1, NULL));
    buf_unref(entry.data);
}

static void run_propose_conf_change(struct run *run)
{
    struct conf_change change = {0};
    const char *transition = script_value(run->block, "transition", "auto");
    if (strcmp(transition, "implicit") == 0) {
        change.transition = CONF_TRANSITION_IMPLICIT;
    } else if (strcmp(transition, "explicit") == 0) {
        change.transition = CONF_TRANSITION_EXPLICIT;
    }
    if (!changes_parse(text_get(&run->block->input), &change)) {
        text_add(run->error, "unknown input\n");
        return;
    }
    bool v1 = script_flag(run->block, "v1");
    report_proposal(run, raft_propose_conf_change(run->node->raft, &change, v1, NULL));
}

typedef void process_fn(struct cluster *cluster, node_id id, struct text *out);

static void process_each(struct run *run, const char *heading, process_fn *process)
{
    bool several = run->id_count > 1;
    for (unsigned i = 0; i < run->id_count; i++) {
        if (several) {
            text_add(run->out, "> %llu %s\n", (unsigned long long)run->ids[i], heading);
        }
        run->out->indent += several ? 2 : 0;
        process(run->cluster, run->ids[i], run->out);
        run->out->indent -= several ? 2 : 0;
    }
}

static void run_process_ready(struct run *run)
{
    process_each(run, "handling Ready", cluster_process_ready);
}

static void run_process_append(struct run *run)
{
    process_each(run, "processing append thread", cluster_process_append);
}

static void run_process_apply(struct run *run)
{
    process_each(run, "processing apply thread", cluster_process_apply);
}

static void run_deliver(struct run *run)
{
    const char *type = script_value(run->block, "type", NULL);
    unsigned count = 0;
    for (unsigned i = 0; i < run->id_count; i++) {
        count += cluster_deliver(run->cluster, run->ids[i], type, false, run->out);
    }
    const struct script_arg *drop = script_find(run->block, "drop");
    for (unsigned i = 0; drop != NULL && i < drop->value_count; i++) {
        node_id id = script_parse_number(drop->values[i]);
        count += cluster_deliver(run->cluster, id, type, true, run->out);
    }
    if (count == 0) {
        text_add(run->out, "no messages\n");
    }
}

static void run_stabilize(struct run *run)
{
    if (run->id_count == 0) {
        for (unsigned i = 0; i < run->cluster->node_count; i++) {
            run->ids[i] = i + 1;
        }
        run->id_count = run->cluster->node_count;
    }
    cluster_stabilize(run->cluster, run->ids, run->id_count, run->out);
}

static void run_status(struct run *run)
{
    struct raft_status status;
    raft_status(run->node->raft, &status);
    print_members(run->out, status.members, status.member_count);
}

static void run_raft_log(struct run *run)
{
    const struct raft_storage storage = storage_interface(&run->node->storage);
    uint64_t first = storage.first_index(storage.ctx);
    uint64_t last = storage.last_index(storage.ctx);
    if (last < first) {
        text_add(run->out, "log is empty: first index=%llu, last index=%llu",
                 (unsigned long long)first, (unsigned long long)last);
        return;
    }
    for (uint32_t i = 0; i < run->node->storage.entries.count; i++) {
        print_entry(run->out, &run->node->storage.entries.items[i]);
        text_add(run->out, "\n");
    }
}

static void run_compact(struct run *run)
{
    storage_compact(&run->node->storage, run->ids[1]);
    run_raft_log(run);
}

static void run_raft_state(struct run *run)
{
    for (unsigned i = 0; i < run->cluster->node_count; i++) {
        struct raft_status status;
        raft_status(run->cluster->nodes[i].raft, &status);
        bool is_voter = raft_conf_is_voter(&status.conf, status.id);
        text_add(run->out, "%llu: %s (%s) Term:%llu Lead:%llu\n", (unsigned long long)status.id,
                 print_role_name(status.role), is_voter ? "Voter" : "Non-Voter",
                 (unsigned long long)status.hard_state.term, (unsigned long long)status.leader);
    }
}

static void run_tick_election(struct run *run)
{
    for (uint32_t i = 0; i < run->node->raft->config.election_ticks; i++) {
        raft_tick(run->node->raft);
    }
}

static void run_tick_heartbeat(struct run *run)
{
    for (uint32_t i = 0; i < run->node->raft->config.heartbeat_ticks; i++) {
        raft_tick(run->node->raft);
    }
}

static void run_set_timeout(struct run *run)
{
    run->node->raft->randomized_election_ticks = (uint32_t)script_number(run->block, "timeout", 3);
}

static void run_report_unreachable(struct run *run)
{
    raft_report_unreachable(run->node->raft, run->ids[1]);
}

/* By hand, whether or not the receiver needs it. */
static void run_send_snapshot(struct run *run)
{
    struct raft_status status;
    raft_status(run->node->raft, &status);
    struct message message = {
        .type = MSG_SNAP,
        .from = run->ids[0],
        .to = run->ids[1],
        .term = status.hard_state.term,
        .snapshot = &run->node->applied,
    };
    struct wire wire = wire_copy(&message);
    print_wire(run->out, &wire);
    wire_list_push(&run->cluster->network, wire);
}

static void run_nothing(struct run *run)
{
    ASSERT(run->block != NULL);
}

struct command {
    const char *name;
    void (*run)(struct run *run);
    unsigned id_count_min; /* numbers it needs; the first is a node, except for add-nodes */
};

static const struct command commands[] = {
    {"_breakpoint", run_nothing, 0},
    {"add-nodes", run_add_nodes, 1},
    {"campaign", run_campaign, 1},
    {"compact", run_compact, 2},
    {"deliver-msgs", run_deliver, 0},
    {"forget-leader", run_forget_leader, 1},
    {"log-level", run_log_level, 0},
    {"process-append-thread", run_process_append, 1},
    {"process-apply-thread", run_process_apply, 1},
    {"process-ready", run_process_ready, 1},
    {"propose", run_propose, 1},
    {"propose-conf-change", run_propose_conf_change, 1},
    {"raft-log", run_raft_log, 1},
    {"raft-state", run_raft_state, 0},
    {"report-unreachable", run_report_unreachable, 2},
    {"send-snapshot", run_send_snapshot, 2},
    {"set-randomized-election-timeout", run_set_timeout, 1},
    {"stabilize", run_stabilize, 0},
    {"status", run_status, 1},
    {"tick-election", run_tick_election, 1},
    {"tick-heartbeat", run_tick_heartbeat, 1},
    {"transfer-leadership", run_transfer, 0},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

void interaction_run(struct interaction *interaction, const struct script_block *block,
                     struct text *out)
{
    struct text output = {0};
    struct text error = {0};
    struct run run = {
        .interaction = interaction,
        .cluster = &interaction->cluster,
        .block = block,
        .out = &output,
        .error = &error,
    };
    run.id_count = script_ids(block, run.ids, CLUSTER_NODES_MAX);
    run.node = run.id_count > 0 ? cluster_node(run.cluster, run.ids[0]) : NULL;
    const struct command *command = find_command(block->name);
    bool was_quiet = interaction->is_quiet;
    const char *level = script_value(block, "log-level", NULL);
    if (level != NULL) {
        set_log_level(interaction, level);
    }
    bool needs_node = command != NULL && command->id_count_min > 0 && run.node == NULL &&
                      command->run != run_add_nodes;
    if (command == NULL) {
        text_add(&error, "unknown command\n");
    } else if (run.id_count < command->id_count_min || needs_node) {
        text_add(&error, "no such node\n");
    } else {
        command->run(&run);
    }
    if (!interaction->is_quiet) {
        text_add(out, "%s", text_get(&output));
    }
    if (level != NULL) {
        interaction->is_quiet = was_quiet;
    }
    text_add(out, "%s", text_get(&error));
    text_deinit(&output);
    text_deinit(&error);
}
