/*
 * A cluster of cores in one process for fuzz_raft_cluster.c: disks, state machines and a network of
 * which every move is a call; and what has been seen of it, against which each move is checked.
 *
 * F1  A node sends after its disk what waits for it, and a crash takes what is not on the disk.
 * F2  History is indexed by term and index: a run that goes beyond INDEX_MAX or TERM_MAX is over.
 */
#ifndef TESTS_FUZZ_RAFT_CLUSTER_H
#define TESTS_FUZZ_RAFT_CLUSTER_H

#include "raft/raft_int.h"

#define NODES_MAX 5u
#define NETWORK_MAX 128u
#define OLD_MAX 32u
#define BATCHES_MAX 16u
#define INDEX_MAX 1024u
#define TERM_MAX 1024u
#define VARIANTS_MAX 16u /* entries that different terms put at one index */
#define READS_MAX 256u
#define SETTLE_ROUNDS 32u

/* A state machine: a hash over all that was applied. */
struct machine {
    struct raft_pos pos;
    struct conf_state conf;
    uint64_t hash;
};

/* What one ready asked to make durable, and what waits for it. */
struct batch {
    bool must_sync;
    bool has_hard_state;
    struct hard_state hard_state;
    struct raft_entries entries;
    bool has_snapshot;
    struct snapshot snapshot;
    struct raft_outbox after;
    bool has_mark;
    struct raft_mark mark;
};

struct node {
    node_id id;
    struct raft *raft; /* NULL: crashed */
    struct raft_config config;

    /* The disk. A hard state that need not be synced on its own is written and may be lost. */
    struct raft_pos compacted;
    struct raft_entries log;
    struct hard_state written;
    struct hard_state synced;
    struct machine checkpoint;

    /* Lost in a crash. */
    struct machine machine;
    struct raft_entries to_apply;
    struct batch batches[BATCHES_MAX];
    uint32_t batch_count;

    bool has_no_snapshot;
    bool is_cut; /* from all the others */

    /* What was seen of it: since its start, and the last vote that it ever gave. */
    uint64_t term;
    node_id vote;
    uint64_t committed;
    struct {
        uint64_t term;
        node_id candidate;
    } granted;
};

/* An entry that a leader made. Whatever the log: same place and term, same entry before it (paper,
 * section 5.3). */
struct made_entry {
    uint64_t term;
    uint64_t previous_term;
    uint64_t word;
};

struct history {
    node_id leader_of[TERM_MAX];
    struct made_entry made[INDEX_MAX][VARIANTS_MAX];
    struct {
        uint64_t term;
        uint64_t in_term; /* the term in which it was committed */
    } committed[INDEX_MAX];
    uint64_t committed_max;
    struct {
        bool is_known;
        uint64_t hash;
    } machine[INDEX_MAX]; /* after applying */
    uint64_t read_index_min[READS_MAX];
    uint32_t read_count;
};

struct cluster {
    struct reader in;
    bool is_hostile;
    bool is_over; /* F2 */
    bool has_lazy_disk;
    uint32_t count;
    struct node nodes[NODES_MAX + 1]; /* by id */
    struct raft_outbox network;
    struct raft_outbox old; /* delivered or lost, and may come again */
    struct history history;
};

static inline uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 1099511628211u;
    }
    return hash;
}

static inline uint64_t entry_word(const struct entry *entry)
{
    struct slice data = buf_slice(entry->data);
    return mix(14695981039346656037u + (uint64_t)entry->type, data.data, data.size);
}

static inline bool is_conf_change(const struct entry *entry)
{
    return entry->type == ENTRY_CONF_CHANGE || entry->type == ENTRY_CONF_CHANGE_V2;
}

/* ---- raft_cluster.c ---- */

/* A node's disk as its core reads it. */
struct raft_storage cluster_storage(struct node *node);
/* Makes a checkpoint of the state machine; the log goes up to `kept` entries before it. */
void cluster_compact(struct node *node, uint32_t kept);

/* The node with this id, or NULL. */
struct node *cluster_node(struct cluster *cluster, node_id id);
/* Gives a message to a running node; what that says. What it refuses as malformed must have changed
 * nothing. */
err cluster_step(struct cluster *cluster, struct node *node, const struct message *message);
/* The same for the node it is addressed to, if it runs and is not cut off. */
void cluster_deliver(struct cluster *cluster, const struct message *message);
/* Takes a message out of the network; it may come again. */
void cluster_retire(struct cluster *cluster, uint32_t position);

/* Takes one ready, if there is one and it is time for it. */
void cluster_take_ready(struct cluster *cluster, struct node *node);
/* The oldest batches become durable together; of their marks the last is enough. */
void cluster_persist(struct cluster *cluster, struct node *node, uint32_t count);
/* Applies at most so many of the entries that were handed out for it. */
void cluster_apply(struct cluster *cluster, struct node *node, uint32_t count);
/* All three until nothing is left to do. True if there was something. */
bool cluster_work(struct cluster *cluster, struct node *node);
/* Everything that is under way arrives, and what comes of it, for so many rounds. */
void cluster_settle(struct cluster *cluster, uint32_t rounds);

void cluster_crash(struct node *node);
/* Starts a node from its disk. */
void cluster_restart(struct cluster *cluster, struct node *node);

/* ---- raft_cluster_check.c ---- */

/* Called after whatever may have changed a node. */
void cluster_check(struct cluster *cluster, struct node *node);
/* State Machine Safety: at one index all state machines are equal. */
void cluster_check_machine(struct cluster *cluster, const struct machine *machine);
/* A read sees everything that was committed anywhere when it was asked for. */
void cluster_check_read(const struct cluster *cluster, const struct node *node,
                        const struct raft_read_state *read);
/* In one term a node gives one vote, whatever it forgets in between. Called for what it sends. */
void cluster_check_vote(struct node *node, const struct message *message);

#endif
