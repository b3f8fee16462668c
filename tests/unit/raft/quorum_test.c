#include "base/prng.h"
#include "fixture.h"
#include "raft/quorum.h"

/* What each id says, by id. */
struct words {
    uint64_t index[16];
    enum raft_vote vote[16];
};

static uint64_t index_of(const void *ctx, node_id id)
{
    return ((const struct words *)ctx)->index[id];
}

static enum raft_vote vote_of(const void *ctx, node_id id)
{
    return ((const struct words *)ctx)->vote[id];
}

static void no_voters_commit_everything_and_win(void **state)
{
    (void)state;
    struct words words = {0};
    struct id_set none = {0};
    assert_true(raft_quorum_committed(&none, index_of, &words) == RAFT_INDEX_ALL);
    assert_int_equal(raft_quorum_vote(&none, vote_of, &words), RAFT_VOTE_WON);
}

static void the_committed_index_is_what_a_majority_has(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        uint64_t index[6];
        uint64_t committed;
    } table[] = {
        {1, {0, 12}, 12},
        {2, {0, 12, 5}, 5},
        {3, {0, 12, 5, 0}, 5},
        {3, {0, 12, 5, 6}, 6},
        {3, {0, 100, 101, 103}, 101},
        {4, {0, 9, 8, 7, 6}, 7},
        {5, {0, 101, 104, 103, 103, 0}, 103},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct words words = {0};
        memcpy(words.index, table[i].index, sizeof(table[i].index));
        struct id_set voters = ids_to(table[i].count);
        assert_int_equal(raft_quorum_committed(&voters, index_of, &words), table[i].committed);
    }
}

/* By definition: the highest index that more than half have. */
static uint64_t committed_by_counting(const struct id_set *voters, const struct words *words)
{
    uint64_t best = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        uint64_t candidate = words->index[voters->ids[i]];
        uint32_t have = 0;
        for (uint32_t j = 0; j < voters->count; j++) {
            have += words->index[voters->ids[j]] >= candidate ? 1 : 0;
        }
        best = have * 2 > voters->count && candidate > best ? candidate : best;
    }
    return voters->count == 0 ? RAFT_INDEX_ALL : best;
}

static enum raft_vote_result vote_by_counting(const struct id_set *voters,
                                              const struct words *words)
{
    uint32_t yes = 0;
    uint32_t no = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        yes += words->vote[voters->ids[i]] == RAFT_VOTE_YES ? 1 : 0;
        no += words->vote[voters->ids[i]] == RAFT_VOTE_NO ? 1 : 0;
    }
    if (yes * 2 > voters->count || voters->count == 0) {
        return RAFT_VOTE_WON;
    }
    return no * 2 >= voters->count ? RAFT_VOTE_LOST : RAFT_VOTE_PENDING;
}

static struct id_set random_voters(struct prng *prng)
{
    struct id_set voters = {0};
    uint64_t count = prng_below(prng, 8);
    for (uint64_t i = 0; i < count; i++) {
        assert_true(id_set_add(&voters, 1 + prng_below(prng, 12)));
    }
    return voters;
}

static void arithmetic_agrees_with_counting(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    for (int round = 0; round < 20000; round++) {
        struct words words;
        for (size_t id = 0; id < 16; id++) {
            words.index[id] = prng_below(&prng, 6);
            words.vote[id] = (enum raft_vote)prng_below(&prng, 3);
        }
        struct conf_state conf = {.voters = random_voters(&prng),
                                  .voters_outgoing = random_voters(&prng)};
        uint64_t in = committed_by_counting(&conf.voters, &words);
        uint64_t out = committed_by_counting(&conf.voters_outgoing, &words);
        assert_true(raft_quorum_committed(&conf.voters, index_of, &words) == in);
        assert_true(raft_joint_committed(&conf, index_of, &words) == (in < out ? in : out));
        enum raft_vote_result a = vote_by_counting(&conf.voters, &words);
        enum raft_vote_result b = vote_by_counting(&conf.voters_outgoing, &words);
        assert_int_equal(raft_quorum_vote(&conf.voters, vote_of, &words), a);
        bool lost = a == RAFT_VOTE_LOST || b == RAFT_VOTE_LOST;
        bool won = a == RAFT_VOTE_WON && b == RAFT_VOTE_WON;
        enum raft_vote_result both = won ? RAFT_VOTE_WON : RAFT_VOTE_PENDING;
        assert_int_equal(raft_joint_vote(&conf, vote_of, &words), lost ? RAFT_VOTE_LOST : both);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_voters_commit_everything_and_win),
        cmocka_unit_test(the_committed_index_is_what_a_majority_has),
        cmocka_unit_test(arithmetic_agrees_with_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
