/* Majorities, and pairs of them: which index is committed, and whether a vote is won. Pure
 * arithmetic. */
#ifndef RAFT_QUORUM_H
#define RAFT_QUORUM_H

#include "proto/conf.h"

enum raft_vote {
    RAFT_VOTE_NONE, /* not heard of yet */
    RAFT_VOTE_YES,
    RAFT_VOTE_NO,
};

enum raft_vote_result {
    RAFT_VOTE_PENDING,
    RAFT_VOTE_LOST, /* a majority can not be reached any more */
    RAFT_VOTE_WON,
};

/* What a quorum commits that needs nobody's agreement. */
#define RAFT_INDEX_ALL UINT64_MAX

/* The index that `id` has acknowledged; 0 if nothing is known of it. */
typedef uint64_t raft_quorum_index_fn(const void *ctx, node_id id);
typedef enum raft_vote raft_quorum_vote_fn(const void *ctx, node_id id);

/* The highest index that a majority of `voters` has acknowledged; RAFT_INDEX_ALL without voters. */
uint64_t raft_quorum_committed(const struct id_set *voters, raft_quorum_index_fn *index_of,
                               const void *ctx);

/* The result of a vote among `voters`; won without voters. */
enum raft_vote_result raft_quorum_vote(const struct id_set *voters, raft_quorum_vote_fn *vote_of,
                                       const void *ctx);

/* The same where both halves of a joint configuration have to agree (dissertation, section 4.3). */
uint64_t raft_joint_committed(const struct conf_state *conf, raft_quorum_index_fn *index_of,
                              const void *ctx);
enum raft_vote_result raft_joint_vote(const struct conf_state *conf, raft_quorum_vote_fn *vote_of,
                                      const void *ctx);

#endif
