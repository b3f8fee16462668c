/*
 * A counter that three nodes agree on, with nothing but the consensus core (raft, proto, base). All
 * of them live in this process: a disk is an array, the way to a node is a block of bytes. What a
 * real program has to keep is the order of things in node_turn (src/raft/README.md).
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "raft/raft.h"

#define NODES 3u
#define LOG_MAX 64u

struct node {
    /* The disk. log[i] has index i; log[0] is all zero, the place before the first entry. */
    struct entry log[LOG_MAX];
    uint64_t last;
    struct hard_state hard_state;
    /* Memory. */
    struct raft *raft; /* NULL: crashed */
    uint64_t counter;  /* the state machine */
    struct writer inbox;
};

/* ---- the disk, as the core reads it: all of the log, so that nobody needs a snapshot ---- */

static uint64_t disk_first(void *ctx)
{
    (void)ctx;
    return 1;
}

static uint64_t disk_last(void *ctx)
{
    return ((struct node *)ctx)->last;
}

static err disk_term(void *ctx, uint64_t index, uint64_t *out_term)
{
    const struct node *node = ctx;
    if (index > node->last) {
        return ERR_UNAVAILABLE;
    }
    *out_term = node->log[index].pos.term;
    return OK;
}

static err disk_entries(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                        struct raft_entries *out_entries)
{
    const struct node *node = ctx;
    uint64_t size = 0;
    for (uint64_t index = low; index < high; index++) {
        size += raft_entry_weight(&node->log[index]);
        if (index > low && size > size_max) {
            break;
        }
        raft_entries_push(out_entries, &node->log[index]);
    }
    return OK;
}

static err disk_snapshot(void *ctx, struct snapshot *out_snapshot)
{
    (void)ctx;
    (void)out_snapshot;
    return ERR_UNAVAILABLE;
}

/* New entries replace whatever is there from the first of them on. With a real disk this is durable
 * only after a sync, which may run beside the loop: then what follows in node_turn waits for it. */
static void disk_write(struct node *node, const struct raft_ready *ready)
{
    for (uint32_t i = 0; i < ready->entry_count; i++) {
        const struct entry *entry = &ready->entries[i];
        while (node->last >= entry->pos.index) {
            buf_drop(&node->log[node->last--].data);
        }
        ASSERT(entry->pos.index < LOG_MAX);
        node->last = entry->pos.index;
        node->log[node->last] = *entry;
        buf_ref(entry->data); /* the ready's own reference is borrowed */
    }
    if (ready->has_hard_state) {
        node->hard_state = ready->hard_state;
    }
}

/* ---- a node ---- */

static void node_start(struct node *node, node_id id)
{
    const struct raft_config config = {
        .id = id,
        .election_ticks = 10,
        .heartbeat_ticks = 1,
        .pre_vote = true,
        .check_quorum = true,
        .seed = id,
        .hard_state = node->hard_state,
        .applied = 0, /* the counter is not on the disk: what is committed is applied again */
        .conf.voters = {.count = NODES, .ids = {1, 2, 3}}, /* at index `applied` */
        .storage = {node, disk_first, disk_last, disk_term, disk_entries, disk_snapshot},
    };
    node->counter = 0;
    err e = raft_new(&node->raft, &config);
    ASSERT(e == OK);
}

static void node_crash(struct node *node)
{
    raft_free(node->raft);
    node->raft = NULL;
    writer_reset(&node->inbox);
}

/* What is for the node itself goes straight back in. What is lost on its way does no harm. */
static void send(struct node *nodes, const struct message *messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct node *target = &nodes[messages[i].to];
        if (messages[i].to == messages[i].from) {
            (void)!raft_step(target->raft, &messages[i]);
        } else if (target->raft != NULL) {
            message_encode(&messages[i], &target->inbox);
        }
    }
}

static void receive(struct node *node)
{
    struct reader in = reader_of(writer_slice(&node->inbox));
    struct owned_message owned;
    while (in.size > 0 && message_decode(&in, &owned) == OK) {
        (void)!raft_step(node->raft, &owned.message); /* refused is as good as lost */
        message_deinit(&owned);
    }
    writer_reset(&node->inbox);
}

/* One turn of a node's loop: the contract, in its order. */
static void node_turn(struct node *nodes, struct node *node)
{
    receive(node);
    while (raft_has_ready(node->raft)) {
        struct raft_ready ready;
        raft_ready(node->raft, &ready);
        send(nodes, ready.messages, ready.message_count);
        disk_write(node, &ready);
        /* Durable: only now may anyone hear of votes and acknowledgements. */
        send(nodes, ready.messages_after_persist, ready.after_persist_count);
        if (ready.has_mark) {
            raft_persisted(node->raft, &ready.mark);
        }
        /* Committed: a majority has it on its disks, so it may be acted upon. */
        for (uint32_t i = 0; i < ready.committed_count; i++) {
            node->counter += entry_size(&ready.committed[i]);
            raft_applied(node->raft, ready.committed[i].pos.index);
        }
    }
}

/* ---- what happens ---- */

/* Lets the clock tick, until nobody has anything to do. Returns who leads. */
static node_id run(struct node *nodes, uint32_t ticks)
{
    node_id leader = 0;
    for (uint32_t turn = 0; turn < 10 * ticks; turn++) {
        for (node_id id = 1; id <= NODES; id++) {
            struct raft_status status = {.id = id};
            if (nodes[id].raft != NULL) {
                if (turn % 10 == 0) {
                    raft_tick(nodes[id].raft);
                }
                node_turn(nodes, &nodes[id]);
                raft_status(nodes[id].raft, &status);
            }
            leader = status.role == RAFT_LEADER ? id : leader;
        }
    }
    return leader;
}

/* An entry counts as many as it has bytes. */
static void add(struct node *nodes, node_id leader, const char *text)
{
    struct entry entry = {.data = buf_copy(slice_from_text(text))};
    err e = raft_propose(nodes[leader].raft, &entry, 1, NULL);
    buf_unref(entry.data); /* the core has its own reference */
    printf("node %" PRIu64 " leads and is asked to add %s: %s\n", leader, text, err_name(e));
}

static void show(const struct node *nodes)
{
    for (node_id id = 1; id <= NODES; id++) {
        const char *state = nodes[id].raft == NULL ? " (crashed)" : "";
        printf("    node %" PRIu64 ": counter %" PRIu64 ", log of %" PRIu64 "%s\n", id,
               nodes[id].counter, nodes[id].last, state);
    }
}

int main(void)
{
    struct node nodes[NODES + 1] = {0}; /* by id */
    for (node_id id = 1; id <= NODES; id++) {
        node_start(&nodes[id], id);
    }
    node_id leader = run(nodes, 50);
    add(nodes, leader, "+++");
    (void)run(nodes, 2);
    show(nodes);

    add(nodes, leader, "+++++++"); /* taken is not committed: it is on no disk yet, and lost */
    node_crash(&nodes[leader]);
    node_id crashed = leader;
    leader = run(nodes, 50);
    add(nodes, leader, "++");
    (void)run(nodes, 2);
    show(nodes);

    node_start(&nodes[crashed], crashed); /* from its disk; the others tell it what it missed */
    (void)run(nodes, 2);
    show(nodes);
    for (node_id id = 1; id <= NODES; id++) {
        ASSERT(nodes[id].counter == 5);
        node_crash(&nodes[id]);
        writer_deinit(&nodes[id].inbox);
        for (; nodes[id].last > 0; nodes[id].last--) {
            buf_drop(&nodes[id].log[nodes[id].last].data);
        }
    }
    return 0;
}
