/* What the tests of snapshots between whole nodes share. */
#ifndef SNAPSHOTS_TESTING_H
#define SNAPSHOTS_TESTING_H

#include "node/node_int.h"
#include "node_testing.h"

/* A small tail, so that checkpoints come soon, and a log that is cut for who lags behind. */
static inline void a_cluster(struct cluster *cluster)
{
    cluster_init_with(cluster, 3, 64u << 10, 128u << 10);
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    put_at_least_once(cluster, 0, "first", "1");
    learn_cluster_id(cluster);
}

static inline void wait_for_cut(struct cluster *cluster, uint32_t leader, uint64_t least)
{
    struct checkpoint_wait wait = {cluster, leader, least, true};
    assert_true(turn_until(cluster, is_checkpointed, &wait));
}

static inline uint64_t first_index(const struct cluster *cluster, uint32_t i)
{
    struct node_status status;
    node_status(cluster->nodes[i], &status);
    return status.first_index;
}

/* Stops one, writes until the log without which it cannot go on is cut; returns its number. */
static inline uint32_t leave_behind(struct cluster *cluster, int count, size_t size)
{
    uint32_t leader = leader_of(cluster);
    uint32_t behind = (leader + 1) % 3;
    stop_node(cluster, behind);
    write_large(cluster, leader, count, size);
    wait_for_cut(cluster, leader, (uint64_t)count / 2);
    return behind;
}

struct progress {
    struct node *node;
    uint32_t chunks;
};

static inline bool has_chunks(void *ctx)
{
    const struct progress *progress = ctx;
    return progress->node->snapshots.in.received >= progress->chunks;
}

static inline bool is_installing(void *ctx)
{
    const struct progress *progress = ctx;
    return progress->node->replica->install.is_running;
}

static inline bool is_unannounced(void *ctx)
{
    const struct progress *progress = ctx;
    return progress->node->identity.installing_region == 0;
}

#endif
