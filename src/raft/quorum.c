#include "raft/quorum.h"

#include "base/assert.h"

/* Keeps `sorted` in descending order. Sets are small: insertion is the fastest sort here. */
static void insert_descending(uint64_t *sorted, uint32_t count, uint64_t value)
{
    ASSERT(count < MEMBERS_MAX);
    uint32_t i = count;
    while (i > 0 && sorted[i - 1] < value) {
        sorted[i] = sorted[i - 1];
        i--;
    }
    sorted[i] = value;
}

uint64_t raft_quorum_committed(const struct id_set *voters, raft_quorum_index_fn *index_of,
                               const void *ctx)
{
    uint32_t count = voters->count;
    ASSERT(count <= MEMBERS_MAX);
    if (count == 0) {
        return RAFT_INDEX_ALL;
    }
    uint64_t sorted[MEMBERS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        insert_descending(sorted, i, index_of(ctx, voters->ids[i]));
    }
    /* Majority is count / 2 + 1: that many have acknowledged what stands at place count / 2. */
    return sorted[count / 2];
}

enum raft_vote_result raft_quorum_vote(const struct id_set *voters, raft_quorum_vote_fn *vote_of,
                                       const void *ctx)
{
    ASSERT(voters->count <= MEMBERS_MAX);
    if (voters->count == 0) {
        return RAFT_VOTE_WON;
    }
    uint32_t yes = 0;
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        enum raft_vote vote = vote_of(ctx, voters->ids[i]);
        yes += vote == RAFT_VOTE_YES ? 1 : 0;
        unknown += vote == RAFT_VOTE_NONE ? 1 : 0;
    }
    uint32_t majority = voters->count / 2 + 1;
    if (yes >= majority) {
        return RAFT_VOTE_WON;
    }
    return yes + unknown >= majority ? RAFT_VOTE_PENDING : RAFT_VOTE_LOST;
}

uint64_t raft_joint_committed(const struct conf_state *conf, raft_quorum_index_fn *index_of,
                              const void *ctx)
{
    uint64_t incoming = raft_quorum_committed(&conf->voters, index_of, ctx);
    uint64_t outgoing = raft_quorum_committed(&conf->voters_outgoing, index_of, ctx);
    return incoming < outgoing ? incoming : outgoing;
}

enum raft_vote_result raft_joint_vote(const struct conf_state *conf, raft_quorum_vote_fn *vote_of,
                                      const void *ctx)
{
    enum raft_vote_result incoming = raft_quorum_vote(&conf->voters, vote_of, ctx);
    enum raft_vote_result outgoing = raft_quorum_vote(&conf->voters_outgoing, vote_of, ctx);
    if (incoming == outgoing) {
        return incoming;
    }
    bool lost = incoming == RAFT_VOTE_LOST || outgoing == RAFT_VOTE_LOST;
    return lost ? RAFT_VOTE_LOST : RAFT_VOTE_PENDING;
}
