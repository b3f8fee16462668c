/* A cluster in one process, driven step by step; each step writes what it does. */
#ifndef RAFT_TRACE_CLUSTER_H
#define RAFT_TRACE_CLUSTER_H

#include "storage.h"
#include "text.h"
#include "wire.h"

#define CLUSTER_NODES_MAX 32

struct node {
    struct raft *raft;
    bool async_storage_writes;
    struct storage storage;
    struct snapshot applied; /* the state machine: its data is all applied data in one */
    struct wire_list append_work;
    struct wire_list apply_work;
};

/* Node ids are positions plus 1. All zero is a cluster without nodes. */
struct cluster {
    struct node nodes[CLUSTER_NODES_MAX];
    unsigned node_count;
    struct wire_list network; /* sent and not delivered, in order */
};

/*
 * A node that starts from a snapshot at `pos` (term 0: from nothing) with config->conf and
 * `content`. Fills in the rest of `config`.
 */
void cluster_add(struct cluster *cluster, struct raft_config *config, uint64_t index,
                 const char *content);
void cluster_deinit(struct cluster *cluster);
/* NULL if there is no such node. */
struct node *cluster_node(struct cluster *cluster, node_id id);

void cluster_process_ready(struct cluster *cluster, node_id id, struct text *out);
void cluster_process_append(struct cluster *cluster, node_id id, struct text *out);
void cluster_process_apply(struct cluster *cluster, node_id id, struct text *out);
/*
 * Delivers, or drops, what is on its way to `id`, of one type (NULL: of any). Returns how many
 * messages that were.
 */
unsigned cluster_deliver(struct cluster *cluster, node_id id, const char *type, bool drop,
                         struct text *out);
/* Until these nodes have nothing left to do. */
void cluster_stabilize(struct cluster *cluster, const node_id *ids, unsigned count,
                       struct text *out);

#endif
