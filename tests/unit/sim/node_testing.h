/*
 * Nodes of which the checker sees what the tests put there: a core with a log of terms, committed
 * up to somewhere, in a role and a term; and a store that has a state hash.
 */
#ifndef NODE_TESTING_H
#define NODE_TESTING_H

#include "node/node_int.h"
#include "proto/command.h"
#include "raft/raft_int.h"
#include "sim_testing.h"
#include "store/store_int.h"
#include "wal/wal_int.h"

#define LOG_MAX 32u

struct a_node {
    struct node node;
    struct replica replica;
    struct raft raft;
    struct raft_storage storage;
    uint64_t terms[LOG_MAX]; /* by index; 0: there is no entry */
    struct wal wal;
    struct store store;
    struct store_region region;
    struct store_region *regions[1];
};

static inline uint64_t first_index(void *ctx)
{
    (void)ctx;
    return 1;
}

static inline uint64_t last_index(void *ctx)
{
    const struct a_node *node = ctx;
    uint64_t last = 0;
    while (last + 1 < LOG_MAX && node->terms[last + 1] != 0) {
        last++;
    }
    return last;
}

static inline err term_at(void *ctx, uint64_t index, uint64_t *out_term)
{
    const struct a_node *node = ctx;
    *out_term = node->terms[index];
    return OK;
}

static inline struct a_node *node_of(struct sim *sim, uint32_t number)
{
    return CONTAINER_OF(sim->hosts[number]->node, struct a_node, node);
}

static inline void new_life(struct sim *sim, uint32_t number)
{
    struct a_node *old = sim->hosts[number]->node != NULL ? node_of(sim, number) : NULL;
    struct a_node *node = mem_calloc(1, sizeof(*node));
    node->storage = (struct raft_storage){
        .ctx = node, .first_index = first_index, .last_index = last_index, .term = term_at};
    if (old != NULL) {
        memcpy(node->terms, old->terms, sizeof(node->terms));
        node->raft.term = old->raft.term;
    }
    raft_log_init(&node->raft.log, &node->storage, UINT64_MAX);
    node->raft.id = number;
    node->raft.tracker.members[0] = (struct raft_progress){.id = number};
    node->raft.tracker.count = 1;
    node->node.replica = &node->replica;
    node->replica.node = &node->node;
    node->replica.raft = &node->raft;
    node->node.store = &node->store;
    node->node.wal = &node->wal;
    node->region.id = REGION_FIRST;
    node->regions[0] = &node->region;
    node->store.regions = node->regions;
    node->store.region_count = 1;
    sim->hosts[number]->node = &node->node;
    (void)testing_life(sim, number);
    checker_life_begins(sim->checker, sim->hosts[number]);
}

/* Three nodes whose logs hold entries 1 to 3 of term 1; nothing is committed. */
static inline struct sim *three_nodes(void)
{
    struct sim *sim = testing_sim(3);
    for (uint32_t i = 1; i <= 3; i++) {
        new_life(sim, i);
        struct a_node *node = node_of(sim, i);
        node->terms[1] = node->terms[2] = node->terms[3] = 1;
        node->raft.term = 1;
        raft_unstable_init(&node->raft.log.unstable, 3);
        checker_after_turn(sim->checker, sim->hosts[i]);
    }
    return sim;
}

static inline struct buf *put_of(uint64_t request)
{
    struct writer value = {0};
    clients_encode_value(&value, request, 5);
    struct command command = {
        .type = COMMAND_PUT, .key = SLICE_LITERAL("k"), .value = writer_slice(&value)};
    struct buf *encoded = command_encode(&command);
    writer_deinit(&value);
    return encoded;
}

/* Node `number` applies the entry of term 1 at `index` and has state `hash` then. */
static inline void applies(struct sim *sim, uint32_t number, uint64_t index, uint64_t request,
                           uint64_t hash)
{
    struct buf *data = put_of(request);
    struct command_result result = {.revision = index + 100};
    node_of(sim, number)->region.state_hash.low = hash;
    checker_applied(sim->checker, sim->hosts[number], (struct raft_pos){1, index}, data, &result);
    buf_unref(data);
}

static inline void leads(struct sim *sim, uint32_t number, uint64_t term)
{
    node_of(sim, number)->raft.term = term;
    node_of(sim, number)->raft.role = RAFT_LEADER;
    checker_after_turn(sim->checker, sim->hosts[number]);
}

static inline void commits(struct sim *sim, uint32_t number, uint64_t index)
{
    node_of(sim, number)->raft.log.committed = index;
    checker_after_turn(sim->checker, sim->hosts[number]);
}

static inline void follows(struct sim *sim, uint32_t number, uint64_t term)
{
    node_of(sim, number)->raft.term = term;
    node_of(sim, number)->raft.role = RAFT_FOLLOWER;
    checker_after_turn(sim->checker, sim->hosts[number]);
}

#endif
