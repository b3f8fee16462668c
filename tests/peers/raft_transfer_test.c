/* Leadership handed over: to whom it goes, to whom it does not, and what ends an attempt. */
#include "network.h"

static struct group *group_led_by_1(bool check_quorum)
{
    struct raft_config config = default_config();
    config.check_quorum = check_quorum;
    struct group *group = group_new(3, &config);
    campaign(group, 1);
    expect_leader(group, 1);
    return group;
}

/* Asks `asked` to have leadership given to `target`, and lets everything happen that follows. */
static void transfer(struct group *group, node_id asked, node_id target)
{
    assert_int_equal(raft_transfer_leader(group_raft(group, asked), target), OK);
    group_settle(group);
}

/* 3 is cut off, and 1 tries to hand leadership to it. */
static struct group *group_with_a_pending_transfer(void)
{
    struct group *group = group_led_by_1(false);
    group_isolate(group, 3, true);
    transfer(group, 1, 3);
    assert_int_equal(group_raft(group, 1)->transfer_target, 3);
    return group;
}

/*
 * peers: etcd/TestLeaderTransferToUpToDateNode,
 * etcd/TestLeaderTransferToUpToDateNodeFromFollower, etcd/TestLeaderTransferWithCheckQuorum,
 * raftrs/test_leader_transfer_to_uptodate_node,
 * raftrs/test_leader_transfer_to_uptodate_node_from_follower,
 * raftrs/test_leader_transfer_with_check_quorum, tinykv/TestLeaderTransferToUpToDateNode3A,
 * tinykv/TestLeaderTransferToUpToDateNodeFromFollower3A
 */
static void leadership_goes_to_a_node_with_the_whole_log_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool ask_follower = i % 2 == 1;
        struct group *group = group_led_by_1(i / 2 == 1); /* also against the lease */
        transfer(group, ask_follower ? 2 : 1, 2);
        expect_settled_transfer(group, 1, 2);
        propose(group, 1, "x");
        transfer(group, ask_follower ? 1 : 2, 1);
        expect_settled_transfer(group, 1, 1);
        group_free(group);
    }
}

/*
 * peers: etcd/TestLeaderTransferToSlowFollower, raftrs/test_leader_transfer_to_slow_follower,
 * tinykv/TestLeaderTransferToSlowFollower3A
 */
static void a_slow_follower_gets_the_log_first(void **state)
{
    (void)state;
    struct group *group = group_led_by_1(false);
    group_isolate(group, 3, true);
    propose(group, 1, "x");
    heal(group);
    assert_int_equal(progress_of(group_raft(group, 1), 3)->match, 1);
    transfer(group, 1, 3);
    expect_settled_transfer(group, 1, 3);
    assert_int_equal(group_raft(group, 3)->role, RAFT_LEADER);
    group_free(group);
}

/*
 * peers: etcd/TestLeaderTransferAfterSnapshot, raftrs/test_leader_transfer_after_snapshot,
 * tinykv/TestLeaderTransferAfterSnapshot3A
 */
static void a_follower_that_needs_a_snapshot_leads_once_it_has_it(void **state)
{
    (void)state;
    struct group *group = group_led_by_1(false);
    group_isolate(group, 3, true);
    propose(group, 1, "x");
    memlog_compact(&group->peers[1].log, group->peers[1].applied);
    heal(group);
    assert_int_equal(progress_of(group_raft(group, 1), 3)->match, 1);
    struct raft_outbox held = {0};
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 3), OK);
    raft_tick(group_raft(group, 1));
    settle_holding(group, MSG_APP_RESP, &held);
    while (find_message(held.messages, held.count, MSG_APP_RESP)->reject) {
        /* Rejected what went before its log: the snapshot comes after that. */
        assert_int_equal(raft_step(group_raft(group, 1), &held.messages[0]), OK);
        raft_outbox_clear(&held);
        settle_holding(group, MSG_APP_RESP, &held);
    }
    assert_int_equal(group_raft(group, 1)->role, RAFT_LEADER);
    assert_int_equal(group->peers[3].log.compacted.index, 2); /* installed, not acknowledged */
    for (uint32_t i = 0; i < held.count; i++) {
        assert_int_equal(raft_step(group_raft(group, 1), &held.messages[i]), OK);
    }
    raft_outbox_deinit(&held);
    group_settle(group);
    expect_settled_transfer(group, 1, 3);
    group_free(group);
}

/*
 * peers: etcd/TestLeaderTransferToSelf, raftrs/test_leader_transfer_to_self,
 * tinykv/TestLeaderTransferToSelf3A, etcd/TestLeaderTransferToNonExistingNode,
 * raftrs/test_leader_transfer_to_non_existing_node, tinykv/TestLeaderTransferToNonExistingNode3A
 */
static void a_transfer_to_oneself_or_to_nobody_changes_nothing(void **state)
{
    (void)state;
    struct group *group = group_led_by_1(false);
    transfer(group, 1, 1);
    expect_settled_transfer(group, 1, 1);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 4), ERR_NOT_FOUND);
    struct message ask = {.type = MSG_TRANSFER_LEADER, .from = 4, .to = 1, .term = 1};
    step(group, &ask);
    expect_settled_transfer(group, 1, 1);
    group_free(group);
}

/* peers: raftrs/test_leader_transfer_to_learner */
static void a_learner_is_not_given_leadership(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_with_learners(1, 2, &config);
    campaign(group, 1);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 2), ERR_NOT_FOUND);
    struct message ask = {.type = MSG_TRANSFER_LEADER, .from = 2, .to = 1, .term = 1};
    step(group, &ask);
    expect_settled_transfer(group, 1, 1);
    group_free(group);
}

/* peers: etcd/TestLeaderTransferTimeout, raftrs/test_leader_transfer_timeout */
static void an_attempt_ends_after_one_election_timeout(void **state)
{
    (void)state;
    struct group *group = group_with_a_pending_transfer();
    struct raft *leader = group_raft(group, 1);
    tick(leader, 1);
    assert_int_equal(leader->transfer_target, 3);
    tick(leader, 8);
    assert_int_equal(leader->transfer_target, 3);
    tick(leader, 1);
    expect_settled_transfer(group, 1, 1);
    group_free(group);
}

/* peers: etcd/TestLeaderTransferIgnoreProposal, raftrs/test_leader_transfer_ignore_proposal */
static void no_proposal_is_taken_while_leadership_moves(void **state)
{
    (void)state;
    struct group *group = group_with_a_pending_transfer();
    assert_int_equal(group_propose(group, 1, "x"), ERR_PROPOSAL_DROPPED);
    group_settle(group);
    assert_int_equal(group_propose(group, 2, "forwarded"), OK);
    group_settle(group);
    assert_int_equal(progress_of(group_raft(group, 1), 1)->match, 1);
    group_free(group);
}

/*
 * peers: etcd/TestLeaderTransferReceiveHigherTermVote,
 * raftrs/test_leader_transfer_receive_higher_term_vote,
 * tinykv/TestLeaderTransferReceiveHigherTermVote3A
 */
static void an_election_of_another_node_ends_an_attempt(void **state)
{
    (void)state;
    struct group *group = group_with_a_pending_transfer();
    campaign(group, 2);
    expect_settled_transfer(group, 1, 2);
    group_free(group);
}

/*
 * peers: etcd/TestLeaderTransferRemoveNode, raftrs/test_leader_transfer_remove_node,
 * tinykv/TestLeaderTransferRemoveNode3A
 */
static void removing_the_target_ends_an_attempt(void **state)
{
    (void)state;
    struct group *group = group_led_by_1(false);
    group->ignored[MSG_TIMEOUT_NOW] = true;
    transfer(group, 1, 3);
    assert_int_equal(group_raft(group, 1)->transfer_target, 3);
    struct conf_change remove = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 3}}};
    assert_int_equal(raft_apply_conf_change(group_raft(group, 1), &remove, NULL), OK);
    expect_settled_transfer(group, 1, 1);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 3), ERR_NOT_FOUND);
    expect_settled_transfer(group, 1, 1);
    group_free(group);
}

/* peers: etcd/TestLeaderTransferDemoteNode */
static void demoting_the_target_ends_an_attempt_when_it_has_no_vote_any_more(void **state)
{
    (void)state;
    struct group *group = group_led_by_1(false);
    group->ignored[MSG_TIMEOUT_NOW] = true;
    transfer(group, 1, 3);
    struct raft *leader = group_raft(group, 1);
    struct conf_change demote = {
        .count = 2, .changes = {{CONF_CHANGE_REMOVE, 3}, {CONF_CHANGE_ADD_LEARNER, 3}}};
    assert_int_equal(raft_apply_conf_change(leader, &demote, NULL), OK);
    assert_int_equal(leader->transfer_target, 3); /* still a voter of the outgoing half */
    struct conf_change leave = {0};
    assert_int_equal(raft_apply_conf_change(leader, &leave, NULL), OK);
    expect_settled_transfer(group, 1, 1);
    group_free(group);
}

/*
 * peers: etcd/TestLeaderTransferBack, raftrs/test_leader_transfer_back,
 * tinykv/TestLeaderTransferBack3A
 */
static void a_leader_may_take_a_pending_transfer_back(void **state)
{
    (void)state;
    struct group *group = group_with_a_pending_transfer();
    transfer(group, 1, 1);
    expect_settled_transfer(group, 1, 1);
    propose(group, 1, "x");
    group_free(group);
}

/*
 * peers: etcd/TestLeaderTransferSecondTransferToAnotherNode,
 * raftrs/test_leader_transfer_second_transfer_to_another_node,
 * tinykv/TestLeaderTransferSecondTransferToAnotherNode3A
 */
static void a_second_transfer_replaces_the_first(void **state)
{
    (void)state;
    struct group *group = group_with_a_pending_transfer();
    transfer(group, 1, 2);
    expect_settled_transfer(group, 1, 2);
    group_free(group);
}

/*
 * peers: etcd/TestLeaderTransferSecondTransferToSameNode,
 * raftrs/test_leader_transfer_second_transfer_to_same_node
 */
static void asking_again_gives_no_more_time(void **state)
{
    (void)state;
    struct group *group = group_with_a_pending_transfer();
    struct raft *leader = group_raft(group, 1);
    tick(leader, 1);
    assert_int_equal(raft_transfer_leader(leader, 3), ERR_BUSY);
    struct message ask = {.type = MSG_TRANSFER_LEADER, .from = 3, .to = 1, .term = 1};
    assert_int_equal(raft_step(leader, &ask), OK);
    tick(leader, 9);
    expect_settled_transfer(group, 1, 1);
    group_free(group);
}

/*
 * peers: etcd/TestTransferNonMember, raftrs/test_transfer_non_member,
 * tinykv/TestTransferNonMember3A
 */
static void who_is_no_member_any_more_does_not_take_leadership(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.conf.voters = (struct id_set){.count = 3, .ids = {2, 3, 4}};
    struct solo solo;
    solo_init(&solo, &config, 1, 0, NULL, 0);
    struct message now = {.type = MSG_TIMEOUT_NOW, .from = 2, .to = 1, .term = 1};
    assert_int_equal(raft_step(solo.raft, &now), OK);
    for (node_id id = 2; id <= 3; id++) {
        struct message yes = answer_of(solo.raft, MSG_VOTE_RESP, id);
        assert_int_equal(raft_step(solo.raft, &yes), OK);
    }
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    assert_int_equal(solo.raft->term, 1);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leadership_goes_to_a_node_with_the_whole_log_and_back),
        cmocka_unit_test(a_slow_follower_gets_the_log_first),
        cmocka_unit_test(a_follower_that_needs_a_snapshot_leads_once_it_has_it),
        cmocka_unit_test(a_transfer_to_oneself_or_to_nobody_changes_nothing),
        cmocka_unit_test(a_learner_is_not_given_leadership),
        cmocka_unit_test(an_attempt_ends_after_one_election_timeout),
        cmocka_unit_test(no_proposal_is_taken_while_leadership_moves),
        cmocka_unit_test(an_election_of_another_node_ends_an_attempt),
        cmocka_unit_test(removing_the_target_ends_an_attempt),
        cmocka_unit_test(demoting_the_target_ends_an_attempt_when_it_has_no_vote_any_more),
        cmocka_unit_test(a_leader_may_take_a_pending_transfer_back),
        cmocka_unit_test(a_second_transfer_replaces_the_first),
        cmocka_unit_test(asking_again_gives_no_more_time),
        cmocka_unit_test(who_is_no_member_any_more_does_not_take_leadership),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
