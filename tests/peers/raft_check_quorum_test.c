/* Elections again, with what keeps them from disturbing: check-quorum, leader stickiness, pre-vote;
 * and groups in which not everybody has the same options. */
#include "network.h"

static struct raft_config checking(bool pre_vote)
{
    struct raft_config config = default_config();
    config.check_quorum = true;
    config.pre_vote = pre_vote;
    return config;
}

/* peers: etcd/TestLeaderStepdownWhenQuorumActive, raftrs/test_leader_stepdown_when_quorum_active */
static void a_leader_that_hears_a_majority_stays(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct solo solo;
    solo_leader(&solo, 3, &config);
    for (uint32_t i = 0; i <= 3 * config.election_ticks; i++) {
        struct message answer = answer_of(solo.raft, MSG_HEARTBEAT_RESP, 2);
        assert_int_equal(raft_step(solo.raft, &answer), OK);
        raft_tick(solo.raft);
        (void)solo_ready(&solo);
    }
    assert_int_equal(solo.raft->role, RAFT_LEADER);
    solo_deinit(&solo);
}

/*
 * peers: etcd/TestLeaderStepdownWhenQuorumLost, raftrs/test_leader_stepdown_when_quorum_lost,
 * raftrs/test_switching_check_quorum
 */
static void a_leader_that_hears_nobody_goes_unless_it_does_not_check(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct solo solo;
    solo_leader(&solo, 3, &config);
    tick(solo.raft, config.election_ticks + 1);
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    (void)solo_ready(&solo);
    solo.raft->config.check_quorum = false;
    solo_lead(&solo);
    tick(solo.raft, config.election_ticks + 1);
    assert_int_equal(solo.raft->role, RAFT_LEADER);
    solo_deinit(&solo);
}

/*
 * peers: etcd/TestLeaderSupersedingWithCheckQuorum,
 * raftrs/test_leader_superseding_with_check_quorum
 */
static void a_leader_is_superseded_once_its_followers_have_lost_patience(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct group *group = group_new(3, &config);
    campaign(group, 1);
    expect_leader(group, 1);
    campaign(group, 3); /* 2 has just heard of 1 */
    assert_int_equal(group_raft(group, 3)->role, RAFT_CANDIDATE);
    struct raft *two = group_raft(group, 2);
    two->randomized_election_ticks = config.election_ticks + 1;
    tick(two, config.election_ticks);
    campaign(group, 3);
    expect_leader(group, 3);
    group_free(group);
}

/* peers: etcd/TestLeaderElectionWithCheckQuorum, raftrs/test_leader_election_with_check_quorum */
static void who_never_heard_a_leader_votes_at_once_and_who_did_after_its_timeout(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct group *group = group_new(3, &config);
    campaign(group, 1);
    expect_leader(group, 1);
    group->ignored[MSG_HEARTBEAT] = true;
    for (node_id id = 1; id <= 2; id++) {
        struct raft *raft = group_raft(group, id);
        raft->randomized_election_ticks = config.election_ticks + (uint32_t)id;
        tick(raft, config.election_ticks);
    }
    campaign(group, 3);
    expect_leader(group, 3);
    group_free(group);
}

/*
 * peers: etcd/TestFreeStuckCandidateWithCheckQuorum,
 * raftrs/test_free_stuck_candidate_with_check_quorum
 */
static void a_candidate_nobody_listens_to_is_freed_by_the_leaders_heartbeat(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct group *group = group_new(3, &config);
    campaign(group, 1);
    group_isolate(group, 1, true);
    for (uint64_t i = 1; i <= 2; i++) {
        campaign(group, 3);
        expect_role(group, 2, RAFT_FOLLOWER, 1);
        expect_role(group, 3, RAFT_CANDIDATE, 1 + i);
    }
    heal(group);
    struct message beat = {.type = MSG_HEARTBEAT, .from = 1, .to = 3, .term = 1};
    step(group, &beat);
    expect_role(group, 1, RAFT_FOLLOWER, 3); /* the answer carried the later term */
    campaign(group, 3);
    expect_role(group, 3, RAFT_LEADER, 4);
    group_free(group);
}

/*
 * peers: etcd/TestNonPromotableVoterWithCheckQuorum,
 * raftrs/test_non_promotable_voter_with_check_quorum
 */
static void a_node_that_does_not_know_itself_a_member_still_votes(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct group *group = group_new(2, &config);
    struct conf_change remove = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 2}}};
    struct raft *two = group_raft(group, 2);
    assert_int_equal(raft_apply_conf_change(two, &remove, NULL), OK);
    assert_int_equal(raft_campaign(two), ERR_FORBIDDEN);
    tick(two, config.election_ticks);
    campaign(group, 1);
    expect_leader(group, 1);
    assert_int_equal(two->leader, 1);
    group_free(group);
}

/*
 * peers: etcd/TestDisruptiveFollower, raftrs/test_disruptive_follower,
 * tinykv/TestDisruptiveFollower2AA
 */
static void a_late_heartbeat_to_a_candidate_of_a_later_term_deposes_the_leader(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct group *group = group_in_term_1(3, &config);
    campaign(group, 1);
    expect_leader(group, 1);
    tick_until_it_campaigns(group_raft(group, 3)); /* its requests wait for its disk */
    expect_role(group, 1, RAFT_LEADER, 2);
    expect_role(group, 2, RAFT_FOLLOWER, 2);
    expect_role(group, 3, RAFT_CANDIDATE, 3);
    group->ignored[MSG_VOTE] = true;
    struct message beat = {.type = MSG_HEARTBEAT, .from = 1, .to = 3, .term = 2};
    step(group, &beat);
    expect_role(group, 1, RAFT_FOLLOWER, 3);
    expect_role(group, 2, RAFT_FOLLOWER, 2);
    expect_role(group, 3, RAFT_CANDIDATE, 3);
    group_free(group);
}

/* peers: etcd/TestDisruptiveFollowerPreVote, raftrs/test_disruptive_follower_pre_vote */
static void a_pre_candidate_behind_in_its_log_does_not_disturb(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct group *group = group_in_term_1(3, &config);
    campaign(group, 1);
    group_isolate(group, 3, true);
    for (int i = 0; i < 3; i++) {
        propose(group, 1, "x");
    }
    for (node_id id = 1; id <= 3; id++) {
        group_raft(group, id)->config.pre_vote = true;
    }
    heal(group);
    campaign(group, 3);
    expect_role(group, 1, RAFT_LEADER, 2);
    expect_role(group, 2, RAFT_FOLLOWER, 2);
    expect_role(group, 3, RAFT_PRE_CANDIDATE, 2);
    struct message beat = {.type = MSG_HEARTBEAT, .from = 1, .to = 3, .term = 2};
    step(group, &beat);
    expect_leader(group, 1);
    group_free(group);
}

/* peers: etcd/TestPreVoteWithCheckQuorum */
static void followers_without_a_leader_elect_one_although_they_remember_the_last(void **state)
{
    (void)state;
    struct raft_config config = checking(true);
    struct group *group = group_in_term_1(3, &config);
    campaign(group, 1);
    group_isolate(group, 1, true);
    campaign(group, 3); /* 2 remembers its leader, 3 does not any more */
    assert_int_equal(group_raft(group, 3)->role, RAFT_PRE_CANDIDATE);
    campaign(group, 2);
    expect_role(group, 2, RAFT_LEADER, 3);
    expect_role(group, 3, RAFT_FOLLOWER, 3);
    group_free(group);
}

/* peers: raftrs/test_prevote_with_check_quorum */
static void a_pre_candidate_that_fell_behind_helps_to_elect_another(void **state)
{
    (void)state;
    struct raft_config config = checking(true);
    struct group *group = group_in_term_1(3, &config);
    campaign(group, 1);
    group_isolate(group, 3, true);
    campaign(group, 3);
    assert_int_equal(group_raft(group, 3)->role, RAFT_PRE_CANDIDATE);
    for (node_id to = 2; to >= 1; to--) { /* to 2 and back: two terms on */
        assert_int_equal(raft_transfer_leader(group_raft(group, 3 - to), to), OK);
        group_settle(group);
    }
    expect_role(group, 1, RAFT_LEADER, 4);
    expect_role(group, 2, RAFT_FOLLOWER, 4);
    expect_role(group, 3, RAFT_PRE_CANDIDATE, 2);
    heal(group);
    group_isolate(group, 1, true);
    tick_until_it_campaigns(group_raft(group, 3));
    group_settle(group);
    campaign(group, 2);
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    assert_int_equal(group_raft(group, 3)->role, RAFT_FOLLOWER);
    group_free(group);
}

/*
 * peers: etcd/TestNodeWithSmallerTermCanCompleteElection,
 * raftrs/test_node_with_smaller_term_can_complete_election
 */
static void a_node_that_fell_terms_behind_does_not_keep_the_others_from_electing(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.pre_vote = true;
    struct group *group = group_in_term_1(3, &config);
    group_isolate(group, 3, true);
    campaign(group, 1);
    expect_role(group, 1, RAFT_LEADER, 2);
    campaign(group, 3);
    campaign(group, 2);
    expect_role(group, 1, RAFT_FOLLOWER, 3);
    expect_role(group, 2, RAFT_LEADER, 3);
    expect_role(group, 3, RAFT_PRE_CANDIDATE, 1);
    heal(group);
    group_isolate(group, 2, true); /* as if it had crashed */
    campaign(group, 3);
    campaign(group, 1);
    assert_true(group_raft(group, 1)->role == RAFT_LEADER ||
                group_raft(group, 3)->role == RAFT_LEADER);
    group_free(group);
}

/*
 * peers: etcd/TestPreVoteWithSplitVote, raftrs/test_prevote_with_split_vote,
 * tinykv/TestSplitVote2AA
 */
static void after_a_split_vote_the_next_to_campaign_wins(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = default_config();
        config.pre_vote = pre_vote == 1;
        struct group *group = group_in_term_1(3, &config);
        campaign(group, 1);
        group_isolate(group, 1, true);
        assert_int_equal(raft_campaign(group_raft(group, 2)), OK); /* at the same moment */
        assert_int_equal(raft_campaign(group_raft(group, 3)), OK);
        group_settle(group);
        expect_role(group, 2, RAFT_CANDIDATE, 3);
        expect_role(group, 3, RAFT_CANDIDATE, 3);
        campaign(group, 2);
        expect_role(group, 2, RAFT_LEADER, 4);
        expect_role(group, 3, RAFT_FOLLOWER, 4);
        group_free(group);
    }
}

/*
 * A group that is being taught pre-votes while it runs: 1 leads in term 2; 3 was away, campaigned
 * itself into term 4 without them, and has the shorter log.
 */
static struct group *half_migrated_group(void)
{
    struct raft_config config = default_config();
    config.pre_vote = true;
    struct group *group = group_in_term_1(3, &config);
    group_raft(group, 3)->config.pre_vote = false;
    campaign(group, 1);
    group_isolate(group, 3, true);
    propose(group, 1, "x");
    campaign(group, 3);
    campaign(group, 3);
    expect_role(group, 1, RAFT_LEADER, 2);
    expect_role(group, 2, RAFT_FOLLOWER, 2);
    expect_role(group, 3, RAFT_CANDIDATE, 4);
    group_raft(group, 3)->config.pre_vote = true;
    heal(group);
    return group;
}

/*
 * peers: etcd/TestPreVoteMigrationCanCompleteElection,
 * raftrs/test_prevote_migration_can_complete_election
 */
static void a_half_migrated_group_elects_when_its_leader_is_gone(void **state)
{
    (void)state;
    struct group *group = half_migrated_group();
    group_isolate(group, 1, true);
    campaign(group, 3);
    campaign(group, 2); /* learns of term 4 */
    assert_int_equal(group_raft(group, 2)->role, RAFT_FOLLOWER);
    assert_int_equal(group_raft(group, 3)->role, RAFT_PRE_CANDIDATE);
    campaign(group, 3);
    campaign(group, 2);
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    assert_int_equal(group_raft(group, 3)->role, RAFT_FOLLOWER);
    group_free(group);
}

/*
 * peers: etcd/TestPreVoteMigrationWithFreeStuckPreCandidate,
 * raftrs/test_prevote_migration_with_free_stuck_pre_candidate
 */
static void a_pre_candidate_of_a_later_term_is_freed_by_the_leaders_heartbeat(void **state)
{
    (void)state;
    struct group *group = half_migrated_group();
    for (int i = 0; i < 2; i++) {
        campaign(group, 3);
        expect_role(group, 1, RAFT_LEADER, 2);
        expect_role(group, 2, RAFT_FOLLOWER, 2);
        expect_role(group, 3, RAFT_PRE_CANDIDATE, 4);
    }
    struct message beat = {.type = MSG_HEARTBEAT, .from = 1, .to = 3, .term = 2};
    step(group, &beat);
    expect_role(group, 1, RAFT_FOLLOWER, 4);
    group_free(group);
}

/* peers: etcd/TestAddNodeCheckQuorum, raftrs/test_add_node_check_quorum */
static void a_new_member_has_one_timeout_to_speak_up(void **state)
{
    (void)state;
    struct raft_config config = checking(false);
    struct solo solo;
    solo_leader(&solo, 1, &config);
    tick(solo.raft, config.election_ticks - 1);
    struct conf_change add = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, 2}}};
    assert_int_equal(raft_apply_conf_change(solo.raft, &add, NULL), OK);
    raft_tick(solo.raft); /* checks the quorum */
    assert_int_equal(solo.raft->role, RAFT_LEADER);
    tick(solo.raft, config.election_ticks);
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_that_hears_a_majority_stays),
        cmocka_unit_test(a_leader_that_hears_nobody_goes_unless_it_does_not_check),
        cmocka_unit_test(a_leader_is_superseded_once_its_followers_have_lost_patience),
        cmocka_unit_test(who_never_heard_a_leader_votes_at_once_and_who_did_after_its_timeout),
        cmocka_unit_test(a_candidate_nobody_listens_to_is_freed_by_the_leaders_heartbeat),
        cmocka_unit_test(a_node_that_does_not_know_itself_a_member_still_votes),
        cmocka_unit_test(a_late_heartbeat_to_a_candidate_of_a_later_term_deposes_the_leader),
        cmocka_unit_test(a_pre_candidate_behind_in_its_log_does_not_disturb),
        cmocka_unit_test(followers_without_a_leader_elect_one_although_they_remember_the_last),
        cmocka_unit_test(a_pre_candidate_that_fell_behind_helps_to_elect_another),
        cmocka_unit_test(a_node_that_fell_terms_behind_does_not_keep_the_others_from_electing),
        cmocka_unit_test(after_a_split_vote_the_next_to_campaign_wins),
        cmocka_unit_test(a_half_migrated_group_elects_when_its_leader_is_gone),
        cmocka_unit_test(a_pre_candidate_of_a_later_term_is_freed_by_the_leaders_heartbeat),
        cmocka_unit_test(a_new_member_has_one_timeout_to_speak_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
