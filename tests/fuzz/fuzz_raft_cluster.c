/* links: raft proto */
/*
 * A small cluster of cores whose every step the input chooses: ticks, the fate of each message, the
 * speed of each disk and state machine, proposals, changes of membership, crashes. The first byte
 * says what the network is like:
 *
 * HONEST   it loses, delays, repeats and reorders. After every step the properties of the paper's
 *          figure 3 are checked, and at the end the cluster has to recover.
 * HOSTILE  it also changes what it carries; `from` alone is true. Whoever forges an acknowledgement
 *          can lose entries: only what a node says of itself is checked.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "fuzz.h"
#include "raft_cluster.h"

#define HEAL_ROUNDS 500u
#define BURST_SIZE 512u
#define BURSTS_MAX 4u

/* ---- what the input may do ---- */

/* A number of up to a byte, and now and then one at which arithmetic breaks. */
static uint64_t change_number(struct cluster *cluster, uint64_t number)
{
    uint8_t choice = reader_u8(&cluster->in);
    switch (choice % 8) {
    case 0:
        return choice / 8;
    case 1:
        return number + 1;
    case 2:
        return number - 1;
    case 3:
        return number + choice / 8;
    case 4:
        return number - choice / 8;
    case 5:
        return UINT64_C(1) << (choice / 8 * 2);
    case 6:
        return (UINT64_C(1) << 62) - choice / 8;
    default:
        return UINT64_MAX - choice / 8;
    }
}

static void change_set(struct cluster *cluster, struct id_set *set)
{
    uint8_t choice = reader_u8(&cluster->in);
    set->count = choice % 4;
    for (uint32_t i = 0; i < set->count; i++) {
        set->ids[i] = change_number(cluster, i + 1);
    }
}

/* One field becomes something else, also what no bytes decode to. */
static void change_field(struct cluster *cluster, struct owned_message *owned)
{
    struct message *message = &owned->message;
    struct snapshot *snapshot = &owned->snapshot;
    uint64_t *const numbers[] = {
        &message->to,          &message->term,       &message->log_term,  &message->index,
        &message->commit,      &message->vote,       &message->read.node, &message->read.sequence,
        &message->reject_hint, &snapshot->pos.index, &snapshot->pos.term, &message->commit_term,
    };
    struct id_set *const sets[] = {&snapshot->conf.voters, &snapshot->conf.voters_outgoing,
                                   &snapshot->conf.learners, &snapshot->conf.learners_next};
    uint8_t choice = reader_u8(&cluster->in);
    uint32_t which = choice % 25;
    if (which < ARRAY_COUNT(numbers)) {
        *numbers[which] = change_number(cluster, *numbers[which]);
    } else if (which < 16) {
        change_set(cluster, sets[which - 12]);
    } else if (which < 19 && message->entry_count > 0) {
        struct entry *entry = &owned->entries[reader_u8(&cluster->in) % message->entry_count];
        if (which == 16) {
            entry->pos.term = change_number(cluster, entry->pos.term);
        } else if (which == 17) {
            entry->pos.index = change_number(cluster, entry->pos.index);
        } else {
            entry->type = (enum entry_type)(reader_u8(&cluster->in) % 8);
        }
    } else if (which == 19) {
        message->type = (enum message_type)(reader_u8(&cluster->in) % (MSG_TYPE_COUNT + 2));
    } else if (which == 20) {
        message->reject = !message->reject;
    } else if (which == 21) {
        message->is_transfer = !message->is_transfer;
    } else if (which == 22) {
        message->snapshot = message->snapshot == NULL ? snapshot : NULL;
    } else if (which == 23) {
        snapshot->conf.auto_leave = !snapshot->conf.auto_leave;
    } else if (message->entry_count > 0) {
        buf_drop(&owned->entries[message->entry_count - 1].data);
        message->entry_count--;
    }
}

/* The message as it is after it went over a bad line, or through a bad node. */
static void deliver_changed(struct cluster *cluster, const struct message *message)
{
    struct writer writer = {0};
    message_encode(message, &writer);
    uint8_t flips = reader_u8(&cluster->in) % 4;
    for (uint8_t i = 0; i < flips; i++) {
        size_t at = reader_u16(&cluster->in) % writer.size;
        writer.data[at] ^= reader_u8(&cluster->in);
    }
    struct reader reader = reader_of(writer_slice(&writer));
    struct owned_message owned;
    err e = message_decode(&reader, &owned);
    ASSERT(e == OK || flips > 0);
    if (e == OK) {
        owned.message.from = message->from;
        uint8_t fields = reader_u8(&cluster->in) % 4;
        for (uint8_t i = 0; i < fields; i++) {
            change_field(cluster, &owned);
        }
        struct node *node = cluster_node(cluster, message->to);
        if (node != NULL && node->raft != NULL) {
            cluster_step(cluster, node, &owned.message);
        }
        message_deinit(&owned);
    }
    writer_deinit(&writer);
}

enum fate {
    FATE_DELIVER,
    FATE_REPEAT,
    FATE_LOSE,
    FATE_CHANGE,
    FATE_AGAIN, /* one that had its fate before */
};

static void one_message(struct cluster *cluster, enum fate fate)
{
    struct raft_outbox *box = fate == FATE_AGAIN ? &cluster->old : &cluster->network;
    uint8_t choice = reader_u8(&cluster->in);
    if (box->count == 0) {
        return;
    }
    uint32_t position = choice % box->count;
    if (fate == FATE_CHANGE && cluster->is_hostile) {
        deliver_changed(cluster, &box->messages[position]);
    } else if (fate != FATE_LOSE) {
        cluster_deliver(cluster, &box->messages[position]);
    }
    if (fate == FATE_DELIVER || fate == FATE_LOSE) {
        cluster_retire(cluster, position);
    }
}

static void propose(struct cluster *cluster, struct node *node)
{
    uint8_t choice = reader_u8(&cluster->in);
    struct entry entries[3];
    uint32_t count = 1 + choice % ARRAY_COUNT(entries);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct entry){.data = choice < 32 ? NULL : buf_new(choice / 4)};
        for (size_t b = 0; b < entry_size(&entries[i]); b++) {
            entries[i].data->data[b] = (uint8_t)(choice + i);
        }
    }
    struct raft_pos first;
    err e = raft_propose(node->raft, entries, count, &first);
    ASSERT(e == OK || e == ERR_NOT_LEADER || e == ERR_PROPOSAL_DROPPED || e == ERR_OVERLOADED);
    for (uint32_t i = 0; i < count; i++) {
        buf_unref(entries[i].data);
    }
}

static void propose_change(struct cluster *cluster, struct node *node)
{
    uint8_t choice = reader_u8(&cluster->in);
    struct conf_change change = {
        .transition = (enum conf_transition)(choice / 4 % 3),
        .count = choice % 4,
    };
    bool is_v1 = choice / 16 % 4 == 0;
    for (uint32_t i = 0; i < change.count; i++) {
        uint8_t single = reader_u8(&cluster->in);
        change.changes[i].type = (enum conf_change_type)(single % 4);
        change.changes[i].id = 1 + single / 4 % cluster->count;
    }
    err allowed = raft_check_conf_change(node->raft, &change);
    struct raft_pos pos;
    err e = raft_propose_conf_change(node->raft, &change, is_v1, &pos);
    ASSERT(e == OK || e == ERR_NOT_LEADER || e == ERR_PROPOSAL_DROPPED || e == ERR_OVERLOADED ||
           (is_v1 && e == ERR_BAD_REQUEST));
    if (e == OK && node->raft->role == RAFT_LEADER && !cluster->is_hostile) {
        const struct raft_unstable *unstable = &node->raft->log.unstable;
        const struct entry *entry = &unstable->entries.items[pos.index - unstable->offset];
        ASSERT(is_conf_change(entry) == (allowed == OK));
    }
}

static void ask_read(struct cluster *cluster, struct node *node)
{
    struct history *history = &cluster->history;
    if (history->read_count == READS_MAX) {
        return;
    }
    history->read_index_min[history->read_count] = history->committed_max;
    history->read_count++;
    struct read_ctx ctx = {.node = node->id, .sequence = history->read_count};
    err e = raft_read_index(node->raft, ctx);
    ASSERT(e == OK || e == ERR_NO_LEADER || e == ERR_OVERLOADED);
}

static void advise(struct cluster *cluster, struct node *node)
{
    uint8_t choice = reader_u8(&cluster->in);
    node_id other = 1 + choice / 8 % (cluster->count + 1); /* or nobody that we know */
    err e = OK;
    switch (choice % 8) {
    case 0:
        raft_report_unreachable(node->raft, other);
        break;
    case 1:
    case 2:
        raft_report_snapshot(node->raft, other, choice % 8 == 1);
        break;
    case 3:
        e = raft_forget_leader(node->raft);
        break;
    case 4:
        e = raft_campaign(node->raft);
        break;
    case 5:
        raft_report_alive(node->raft, other);
        break;
    default:
        e = raft_transfer_leader(node->raft, other);
        break;
    }
    ASSERT(e == OK || e == ERR_FORBIDDEN || e == ERR_NO_LEADER || e == ERR_NOT_FOUND ||
           e == ERR_BUSY);
}

static void run_disk(struct cluster *cluster, struct node *node)
{
    uint8_t choice = reader_u8(&cluster->in);
    switch (choice % 4) {
    case 0:
        cluster_take_ready(cluster, node);
        break;
    case 1:
        cluster_persist(cluster, node, 1 + choice / 4 % BATCHES_MAX);
        break;
    case 2:
        cluster_apply(cluster, node, 1 + choice / 4 % 8);
        break;
    default:
        node->has_no_snapshot = choice >= 128;
        cluster_compact(node, choice / 4 % 8);
        break;
    }
}

static void tick(struct cluster *cluster, uint32_t times)
{
    for (node_id id = 1; id <= cluster->count; id++) {
        struct node *node = &cluster->nodes[id];
        for (uint32_t i = 0; i < times && node->raft != NULL; i++) {
            raft_tick(node->raft);
            cluster_check(cluster, node);
        }
    }
}

/* What concerns one running node. */
static void act(struct cluster *cluster, struct node *node, uint32_t action)
{
    switch (action) {
    case 0:
    case 1:
        propose(cluster, node);
        break;
    case 2:
    case 3:
        propose_change(cluster, node);
        break;
    case 4:
        ask_read(cluster, node);
        break;
    case 5:
    case 6:
        advise(cluster, node);
        break;
    case 7:
        raft_tick(node->raft);
        break;
    case 8: {
        uint8_t times = reader_u8(&cluster->in) % 32;
        for (uint8_t i = 0; i < times; i++) {
            raft_tick(node->raft);
        }
        break;
    }
    case 9:
        (void)cluster_work(cluster, node);
        break;
    case 10:
        cluster_crash(node);
        break;
    case 11:
        node->is_cut = !node->is_cut;
        break;
    default:
        run_disk(cluster, node);
        break;
    }
    cluster_check(cluster, node);
}

static void one_step(struct cluster *cluster, uint8_t choice)
{
    uint32_t action = choice % 32;
    struct node *node = &cluster->nodes[1 + choice / 32 % cluster->count];
    if (action < 14) {
        if (node->raft != NULL) {
            act(cluster, node, action);
        } else {
            cluster_restart(cluster, node);
        }
    } else if (action < 19) {
        one_message(cluster, FATE_DELIVER);
    } else if (action < 20) {
        one_message(cluster, FATE_REPEAT);
    } else if (action < 21) {
        one_message(cluster, FATE_LOSE);
    } else if (action < 22) {
        one_message(cluster, FATE_AGAIN);
    } else if (action < 27) {
        one_message(cluster, FATE_CHANGE);
    } else if (action < 30) {
        cluster_settle(cluster, 1 + choice / 32);
    } else {
        tick(cluster, 1 + choice / 32);
        cluster_settle(cluster, SETTLE_ROUNDS);
    }
}

/* A long stretch of chance from a few bytes: what a fuzzer would have to find byte by byte. */
static void burst(struct cluster *cluster)
{
    struct prng prng;
    prng_init(&prng, reader_u16(&cluster->in));
    uint8_t block[BURST_SIZE];
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (uint8_t)prng_next(&prng);
    }
    struct reader rest = cluster->in;
    cluster->in = reader_of((struct slice){block, sizeof(block)});
    while (cluster->in.size > 0 && !cluster->in.failed && !cluster->is_over) {
        one_step(cluster, reader_u8(&cluster->in));
    }
    cluster->in = rest;
}

/* ---- the whole run ---- */

static uint64_t pick(struct cluster *cluster, const uint64_t values[4])
{
    return values[reader_u8(&cluster->in) % 4];
}

static void begin(struct cluster *cluster)
{
    uint8_t mode = reader_u8(&cluster->in);
    uint8_t size = reader_u8(&cluster->in);
    uint8_t more = reader_u8(&cluster->in);
    cluster->is_hostile = (mode & 1) != 0;
    cluster->has_lazy_disk = (more & 1) != 0;
    cluster->count = 1 + size % NODES_MAX;
    struct raft_config config = {
        .election_ticks = 3 + more / 32,
        .heartbeat_ticks = 1 + more / 16 % 2,
        .pre_vote = (mode & 2) != 0,
        .check_quorum = (mode & 4) != 0,
        .async_storage_writes = (mode & 8) != 0,
        .pace_probes = (more & 2) != 0,
        .commit_hints = true, /* else a cluster may be left without a leader for ever */
        .read_mode = (mode & 20) == 20 ? RAFT_READ_LEASE : RAFT_READ_SAFE,
        .step_down_on_removal = (mode & 32) != 0,
        .disable_proposal_forwarding = (mode & 64) != 0,
        .disable_conf_change_validation = (mode & 128) != 0 && cluster->is_hostile,
        .max_size_per_message = pick(cluster, (uint64_t[]){0, 1, 60, 200}),
        .max_committed_size_per_ready = pick(cluster, (uint64_t[]){0, 1, 60, 200}),
        .max_uncommitted_size = pick(cluster, (uint64_t[]){0, 1, 60, 200}),
        .max_inflight_messages = (uint32_t)pick(cluster, (uint64_t[]){0, 1, 2, 5}),
        .max_inflight_bytes = pick(cluster, (uint64_t[]){0, 1, 60, 200}),
        .seed = mode * 256u + size,
    };
    struct conf_state conf = {0};
    uint32_t voters = 1 + size / 8 % cluster->count;
    uint32_t learners = size / 64 % 4;
    for (node_id id = 1; id <= cluster->count; id++) {
        struct id_set *set = id <= voters ? &conf.voters : &conf.learners;
        bool added = id > voters + learners || id_set_add(set, id);
        ASSERT(added);
    }
    for (node_id id = 1; id <= cluster->count; id++) {
        struct node *node = &cluster->nodes[id];
        node->id = id;
        node->config = config;
        node->config.id = id;
        node->config.seed += id * 65536;
        node->config.storage = cluster_storage(node);
        if (conf_state_has(&conf, id)) { /* the others wait for a snapshot */
            node->compacted = (struct raft_pos){.term = 1, .index = 1};
            node->synced = (struct hard_state){.term = 1, .commit = 1};
            node->checkpoint = (struct machine){.pos = node->compacted, .conf = conf};
        }
        cluster_restart(cluster, node);
    }
}

static bool is_caught_up(struct cluster *cluster, const struct node *leader)
{
    struct id_set members;
    uint64_t last = raft_log_last_index(&leader->raft->log);
    bool is_done = leader->committed == last &&
                   raft_conf_members(&leader->machine.conf, &members) &&
                   !leader->machine.conf.auto_leave;
    for (uint32_t i = 0; is_done && i < members.count; i++) {
        is_done = cluster_node(cluster, members.ids[i])->machine.pos.index == last;
    }
    return is_done;
}

/* A leader tries to commit something, and to bring it to everybody. True once it has. */
static bool heal_round(struct cluster *cluster, uint32_t round)
{
    tick(cluster, 1);
    cluster_settle(cluster, SETTLE_ROUNDS);
    for (node_id id = 1; id <= cluster->count; id++) {
        struct node *node = &cluster->nodes[id];
        if (node->raft->role != RAFT_LEADER) {
            continue;
        }
        if (round > 0 && is_caught_up(cluster, node)) {
            return true;
        }
        for (node_id other = 1; other <= cluster->count; other++) {
            raft_report_snapshot(node->raft, other, false); /* if under way: lost */
        }
        if (round % 16 == 0) {
            struct entry entry = {.type = ENTRY_NORMAL};
            err e = raft_propose(node->raft, &entry, 1, NULL);
            ASSERT(e == OK || e == ERR_PROPOSAL_DROPPED || e == ERR_OVERLOADED);
        }
        cluster_check(cluster, node);
    }
    return false;
}

/* Once all nodes and messages get through again, there is a leader, all have what it has, and a
 * joint configuration that is to be left by itself is left. */
static void heal(struct cluster *cluster)
{
    for (node_id id = 1; id <= cluster->count; id++) {
        cluster->nodes[id].has_no_snapshot = false;
        cluster->nodes[id].is_cut = false;
        if (cluster->nodes[id].raft == NULL) {
            cluster_restart(cluster, &cluster->nodes[id]);
        }
    }
    bool is_done = false;
    for (uint32_t round = 0; round < HEAL_ROUNDS && !is_done && !cluster->is_over; round++) {
        is_done = heal_round(cluster, round);
    }
    ASSERT(is_done || cluster->is_over);
}

static void end(struct cluster *cluster)
{
    for (node_id id = 1; id <= cluster->count; id++) {
        cluster_crash(&cluster->nodes[id]);
        raft_entries_deinit(&cluster->nodes[id].to_apply);
        raft_entries_deinit(&cluster->nodes[id].log);
    }
    raft_outbox_deinit(&cluster->network);
    raft_outbox_deinit(&cluster->old);
    mem_free(cluster);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cluster *cluster = mem_calloc(1, sizeof(*cluster));
    cluster->in = reader_of((struct slice){data, size});
    begin(cluster);
    uint32_t bursts = 0;
    while (cluster->in.size > 0 && !cluster->in.failed && !cluster->is_over) {
        uint8_t choice = reader_u8(&cluster->in);
        if (choice == UINT8_MAX && bursts < BURSTS_MAX) {
            bursts++;
            burst(cluster);
        } else {
            one_step(cluster, choice);
        }
    }
    if (!cluster->is_hostile && !cluster->is_over) {
        heal(cluster);
    }
    end(cluster);
    return 0;
}
