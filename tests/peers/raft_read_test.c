/* Reads through the leader's word. More of them: tests/unit/raft/read_test.c. */
#include "network.h"

/* In turn, each of the first `askers` nodes asks after ten more proposals. */
static void expect_fresh_reads(struct group *group, uint32_t askers)
{
    for (uint64_t round = 1; round <= 6; round++) {
        for (int i = 0; i < 10; i++) {
            propose(group, 1, "");
        }
        node_id id = 1 + (round - 1) % askers;
        struct peer *peer = &group->peers[id];
        peer->read_state_count = 0;
        struct read_ctx ctx = {.node = id, .sequence = round};
        assert_int_equal(raft_read_index(peer->raft, ctx), OK);
        group_settle(group);
        assert_int_equal(peer->read_state_count, 1);
        assert_int_equal(peer->read_states[0].index, 1 + 10 * round);
        assert_int_equal(peer->read_states[0].ctx.sequence, round);
    }
}

/*
 * peers: etcd/TestReadOnlyOptionSafe, raftrs/test_read_only_option_safe,
 * etcd/TestReadOnlyOptionLease, raftrs/test_read_only_option_lease
 */
static void leader_and_followers_read_what_is_committed_when_they_ask(void **state)
{
    (void)state;
    for (int lease = 0; lease <= 1; lease++) {
        struct raft_config config = default_config();
        config.check_quorum = lease == 1;
        config.read_mode = lease == 1 ? RAFT_READ_LEASE : RAFT_READ_SAFE;
        struct group *group = group_new(3, &config);
        campaign(group, 1);
        expect_fresh_reads(group, 3);
        group_free(group);
    }
}

/* peers: etcd/TestReadOnlyWithLearner, raftrs/test_read_only_with_learner */
static void a_learner_reads_too(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_with_learners(1, 2, &config);
    campaign(group, 1);
    expect_fresh_reads(group, 2);
    group_free(group);
}

/* peers: etcd/TestReadOnlyForNewLeader, raftrs/test_read_only_for_new_leader */
static void a_leader_keeps_reads_until_it_has_committed_in_its_term(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 1};
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    for (node_id id = 1; id <= 3; id++) {
        struct past past = {.term = 1, .commit = id == 1 ? 1 : 2, .terms = log_terms, .count = 2};
        give_past(group, id, &past);
    }
    group->ignored[MSG_APP] = true;
    campaign(group, 1);
    expect_leader(group, 1);
    struct read_ctx ctx = {.node = 1, .sequence = 1};
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx), OK);
    group_settle(group);
    assert_int_equal(group->peers[1].read_state_count, 0);
    heal(group);
    beat(group, 1);
    propose(group, 1, "x");
    assert_int_equal(group_committed(group, 1), 4);
    assert_int_equal(group->peers[1].read_state_count, 1);
    ctx.sequence = 2;
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx), OK);
    group_settle(group);
    assert_int_equal(group->peers[1].read_state_count, 2);
    /* The first was confirmed by the first commit of the term, before the proposal. */
    assert_int_equal(group->peers[1].read_states[0].index, 3);
    assert_int_equal(group->peers[1].read_states[1].index, 4);
    group_free(group);
}

/* peers: etcd/TestRaftFreesReadOnlyMem, raftrs/test_raft_frees_read_only_mem */
static void a_confirmed_read_leaves_the_queue(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_leader(&solo, 2, &config);
    acknowledge(solo.raft, 2, 1);
    (void)solo_ready(&solo);
    struct message ask = {
        .type = MSG_READ_INDEX, .from = 2, .to = 1, .read = {.node = 2, .sequence = 7}};
    assert_int_equal(raft_step(solo.raft, &ask), OK);
    assert_int_equal(solo.raft->reads.count, 1);
    struct message answer = answer_of(solo.raft, MSG_HEARTBEAT_RESP, 2);
    const struct message *beat = only_sent(solo_ready(&solo));
    assert_int_equal(beat->type, MSG_HEARTBEAT);
    answer.read = beat->read;
    assert_int_equal(raft_step(solo.raft, &answer), OK);
    assert_int_equal(solo.raft->reads.count, 0);
    const struct message *told = only_sent(solo_ready(&solo));
    assert_int_equal(told->type, MSG_READ_INDEX_RESP);
    assert_int_equal(told->read.sequence, 7);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leader_and_followers_read_what_is_committed_when_they_ask),
        cmocka_unit_test(a_learner_reads_too),
        cmocka_unit_test(a_leader_keeps_reads_until_it_has_committed_in_its_term),
        cmocka_unit_test(a_confirmed_read_leaves_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
