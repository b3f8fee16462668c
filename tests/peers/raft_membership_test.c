/* Members that come and go, learners, and changes that are not applied yet. */
#include "network.h"

static struct conf_change one(enum conf_change_type type, node_id id)
{
    return (struct conf_change){.count = 1, .changes = {{type, id}}};
}

static err apply(struct raft *raft, enum conf_change_type type, node_id id)
{
    struct conf_change change = one(type, id);
    return raft_apply_conf_change(raft, &change, NULL);
}

static void expect_ids(const struct id_set *set, struct id_set expected)
{
    assert_true(id_set_equal(set, &expected));
}

/*
 * peers: etcd/TestStepConfig, raftrs/test_step_config, etcd/TestStepIgnoreConfig,
 * raftrs/test_step_ignore_config
 */
static void a_second_change_before_the_first_is_applied_becomes_an_empty_entry(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_leader(&solo, 2, &config);
    struct conf_change change = one(CONF_CHANGE_ADD_VOTER, 3);
    uint64_t index = raft_log_last_index(&solo.raft->log);
    for (int i = 0; i < 2; i++) {
        struct raft_pos pos = {0};
        assert_int_equal(raft_propose_conf_change(solo.raft, &change, true, &pos), OK);
        assert_int_equal(pos.index, index + 1 + (uint64_t)i);
        assert_int_equal(solo.raft->pending_conf_index, index + 1);
    }
    const struct raft_ready *ready = solo_ready(&solo);
    assert_int_equal(ready->entry_count, 2);
    assert_int_equal(ready->entries[0].type, ENTRY_CONF_CHANGE);
    assert_int_equal(ready->entries[1].type, ENTRY_NORMAL);
    assert_null(ready->entries[1].data);
    solo_deinit(&solo);
}

/* peers: etcd/TestNewLeaderPendingConfig, raftrs/test_new_leader_pending_config */
static void a_new_leader_takes_its_whole_log_for_a_change_that_may_be_pending(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1};
    for (uint32_t count = 0; count <= 1; count++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 1, 0, log_terms, count);
        raft_become_candidate(solo.raft);
        raft_become_leader(solo.raft);
        assert_int_equal(solo.raft->pending_conf_index, count);
        solo_deinit(&solo);
    }
}

/*
 * peers: etcd/TestAddNode, raftrs/test_add_node, tinykv/TestAddNode3A, etcd/TestRemoveNode,
 * raftrs/test_remove_node, raftrs/test_remove_node_itself, tinykv/TestRemoveNode3A
 */
static void voters_come_and_go_but_the_last_one_stays(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_blank(&solo, 1, &config);
    assert_int_equal(apply(solo.raft, CONF_CHANGE_ADD_VOTER, 2), OK);
    expect_ids(&solo.raft->tracker.conf.voters, ids_to(2));
    assert_int_equal(apply(solo.raft, CONF_CHANGE_REMOVE, 2), OK);
    expect_ids(&solo.raft->tracker.conf.voters, ids_to(1));
    assert_int_equal(apply(solo.raft, CONF_CHANGE_REMOVE, 1), ERR_CONFLICT);
    expect_ids(&solo.raft->tracker.conf.voters, ids_to(1));
    solo_deinit(&solo);
}

/*
 * peers: etcd/TestAddLearner, raftrs/test_add_learner, etcd/TestRemoveLearner,
 * raftrs/test_remove_learner
 */
static void learners_are_promoted_demoted_and_removed(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_blank(&solo, 1, &config);
    const struct conf_state *conf = &solo.raft->tracker.conf;
    assert_int_equal(apply(solo.raft, CONF_CHANGE_ADD_LEARNER, 2), OK);
    expect_ids(&conf->learners, (struct id_set){.count = 1, .ids = {2}});
    assert_true(progress_of(solo.raft, 2)->is_learner);
    assert_false(progress_of(solo.raft, 1)->is_learner);
    assert_int_equal(apply(solo.raft, CONF_CHANGE_ADD_VOTER, 2), OK);
    assert_false(progress_of(solo.raft, 2)->is_learner);
    assert_int_equal(apply(solo.raft, CONF_CHANGE_ADD_LEARNER, 1), OK);
    assert_true(progress_of(solo.raft, 1)->is_learner);
    assert_int_equal(apply(solo.raft, CONF_CHANGE_ADD_VOTER, 1), OK);
    assert_false(progress_of(solo.raft, 1)->is_learner);

    assert_int_equal(apply(solo.raft, CONF_CHANGE_ADD_LEARNER, 2), OK);
    assert_int_equal(apply(solo.raft, CONF_CHANGE_REMOVE, 1), ERR_CONFLICT); /* the only voter */
    assert_int_equal(apply(solo.raft, CONF_CHANGE_REMOVE, 2), OK);
    expect_ids(&conf->voters, ids_to(1));
    assert_int_equal(conf->learners.count, 0);
    assert_int_equal(apply(solo.raft, CONF_CHANGE_REMOVE, 1), ERR_CONFLICT);
    solo_deinit(&solo);
}

/* peers: etcd/TestRaftNodes, raftrs/test_raft_nodes */
static void members_are_listed_by_id(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_blank(&solo, 1, &config);
    for (node_id id = 3; id >= 2; id--) {
        assert_int_equal(apply(solo.raft, CONF_CHANGE_ADD_VOTER, id), OK);
    }
    expect_ids(&solo.raft->tracker.conf.voters, ids_to(3));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(solo.raft->tracker.members[i].id, i + 1);
    }
    solo_deinit(&solo);
}

/* peers: etcd/TestLearnerCanVote */
static void a_learner_votes_when_it_is_asked(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.conf.voters = (struct id_set){.count = 1, .ids = {2}};
    config.conf.learners = ids_to(1);
    struct solo solo;
    solo_init(&solo, &config, 1, 0, NULL, 0);
    struct message ask = {
        .type = MSG_VOTE, .from = 2, .to = 1, .term = 2, .log_term = 2, .index = 11};
    assert_int_equal(raft_step(solo.raft, &ask), OK);
    const struct message *answer = only_sent(solo_ready(&solo));
    assert_int_equal(answer->type, MSG_VOTE_RESP);
    assert_false(answer->reject); /* it may be a voter by now, and not know it */
    solo_deinit(&solo);
}

/* peers: raftrs/test_learner_respond_vote */
static void a_candidate_asks_voters_only(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_with_learners(2, 3, &config);
    group_isolate(group, 2, true);
    assert_int_equal(raft_campaign(group_raft(group, 1)), OK);
    (void)group_work(group);
    assert_int_equal(group->network.count, 1);
    assert_int_equal(group->network.messages[0].to, 2);
    group_settle(group);
    assert_int_equal(group_raft(group, 1)->role, RAFT_CANDIDATE);
    assert_int_equal(apply(group_raft(group, 1), CONF_CHANGE_ADD_VOTER, 3), OK);
    campaign(group, 1);
    assert_int_equal(group_raft(group, 1)->role, RAFT_LEADER);
    group_free(group);
}

/* peers: etcd/TestLearnerLogReplication, raftrs/test_learner_log_replication */
static void a_learner_gets_the_log(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_with_learners(1, 2, &config);
    campaign(group, 1);
    beat(group, 1);
    propose(group, 1, "x");
    assert_int_equal(group_committed(group, 1), 2);
    assert_int_equal(group_committed(group, 2), 2);
    assert_int_equal(progress_of(group_raft(group, 1), 2)->match, 2);
    assert_int_equal(group->peers[2].applied, 2);
    group_free(group);
}

/*
 * peers: etcd/TestConfChangeCheckBeforeCampaign, etcd/TestConfChangeV2CheckBeforeCampaign,
 * raftrs/test_conf_change_check_before_campaign
 */
static void nobody_leads_before_a_committed_change_is_applied_here(void **state)
{
    (void)state;
    for (int v1 = 0; v1 <= 1; v1++) {
        struct raft_config config = default_config();
        struct group *group = group_new(3, &config);
        campaign(group, 1);
        struct raft *leader = group_raft(group, 1);
        struct raft *heir = group_raft(group, 2);
        group->peers[1].is_apply_held = true;
        group->peers[2].is_apply_held = true;
        struct conf_change remove = one(CONF_CHANGE_REMOVE, 3);
        assert_int_equal(raft_propose_conf_change(leader, &remove, v1 == 1, NULL), OK);
        group_settle(group);
        assert_int_equal(group_committed(group, 2), 2);
        tick_until_it_campaigns(heir);
        assert_int_equal(heir->role, RAFT_FOLLOWER);
        assert_int_equal(raft_transfer_leader(leader, 2), OK);
        group_settle(group);
        assert_int_equal(leader->role, RAFT_LEADER);
        assert_int_equal(heir->role, RAFT_FOLLOWER);
        tick(leader, config.election_ticks); /* gives up */
        group_settle(group);
        group_apply_all(group, 2);
        assert_int_equal(raft_transfer_leader(leader, 2), OK);
        group_settle(group);
        assert_int_equal(leader->role, RAFT_FOLLOWER);
        assert_int_equal(heir->role, RAFT_LEADER);
        tick_until_it_campaigns(leader);
        assert_int_equal(leader->role, RAFT_FOLLOWER);
        group_apply_all(group, 1);
        tick_until_it_campaigns(leader);
        assert_int_equal(leader->role, RAFT_CANDIDATE);
        group_free(group);
    }
}

/* A snapshot of term and index 11 from node 2, for node 1. */
static void receive_snapshot(struct solo *solo, const struct conf_state *conf)
{
    struct snapshot snapshot = {.pos = {.term = 11, .index = 11}, .conf = *conf};
    struct message message = {
        .type = MSG_SNAP, .from = 2, .to = 1, .term = 11, .snapshot = &snapshot};
    assert_int_equal(raft_step(solo->raft, &message), OK);
}

/*
 * peers: etcd/TestRestore, raftrs/test_restore, tinykv/TestRestoreSnapshot2C,
 * etcd/TestRestoreWithLearner, raftrs/test_restore_with_learner,
 * etcd/TestRestoreWithVotersOutgoing, raftrs/test_restore_with_voters_outgoing,
 * etcd/TestRestoreVoterToLearner, raftrs/test_restore_depromote_voter,
 * etcd/TestRestoreLearnerPromotion, raftrs/test_restore_learner_promotion,
 * raftrs/test_restore_learner, etcd/TestRestoreFromSnapMsg, raftrs/test_restore_from_snap_msg,
 * tinykv/TestRestoreFromSnapMsg2C, tinykv/TestRestoreFromSnapWithOverlapingPeersMsg2C
 */
static void a_snapshot_brings_its_position_and_its_members_whatever_one_was(void **state)
{
    (void)state;
    static const struct {
        struct conf_state before;
        struct conf_state after;
    } table[] = {
        {{.voters = {2, {1, 2}}}, {.voters = {3, {1, 2, 3}}}},
        {{.voters = {2, {2, 3}}, .learners = {1, {1}}},
         {.voters = {2, {2, 3}}, .learners = {1, {1}}}},
        {{.voters = {2, {1, 2}}}, {.voters = {3, {2, 3, 4}}, .voters_outgoing = {3, {1, 2, 3}}}},
        {{.voters = {3, {1, 2, 3}}}, {.voters = {2, {2, 3}}, .learners = {1, {1}}}},
        {{.voters = {2, {2, 3}}, .learners = {1, {1}}}, {.voters = {3, {1, 2, 3}}}},
        {{.voters = {3, {1, 2, 3}}}, {.voters = {3, {1, 3, 4}}}},
        {{.voters = {0, {0}}}, {.voters = {2, {2, 3}}, .learners = {1, {1}}}}, /* a blank node */
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct solo solo = {0};
        struct raft_config config = default_config();
        config.id = 1;
        config.conf = table[i].before;
        config.storage = memlog_storage(&solo.log);
        assert_int_equal(raft_new(&solo.raft, &config), OK);
        receive_snapshot(&solo, &table[i].after);
        const struct raft *raft = solo.raft;
        assert_int_equal(raft->leader, 2);
        assert_int_equal(raft_log_last_index(&raft->log), 11);
        assert_int_equal(term_at(raft, 11), 11);
        assert_int_equal(raft->log.committed, 11);
        assert_true(conf_state_equal(&raft->tracker.conf, &table[i].after));
        for (uint32_t m = 0; m < raft->tracker.count; m++) {
            const struct raft_progress *member = &raft->tracker.members[m];
            bool is_learner = id_set_has(&table[i].after.learners, member->id);
            assert_int_equal(member->is_learner, is_learner);
        }
        raft_ready(solo.raft, &solo.ready);
        assert_non_null(solo.ready.snapshot);
        receive_snapshot(&solo, &table[i].after); /* again: there is nothing to install */
        tick_until_it_campaigns(solo.raft);
        assert_int_equal(raft->role, RAFT_FOLLOWER); /* not before it is installed */
        raft_ready(solo.raft, &solo.ready);
        assert_null(solo.ready.snapshot);
        assert_int_equal(solo.ready.messages_after_persist[0].index, 11);
        raft_free(solo.raft);
    }
}

/*
 * peers: etcd/TestProvideSnap, raftrs/test_provide_snap, tinykv/TestProvideSnap2C,
 * etcd/TestIgnoreProvidingSnap, raftrs/test_ignore_providing_snapshot
 */
static void who_is_behind_the_log_gets_a_snapshot_if_it_was_heard_of(void **state)
{
    (void)state;
    for (int heard = 0; heard <= 1; heard++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_after_snapshot(&solo, 2, 11, &config);
        solo_lead(&solo);
        struct raft_progress *two = progress_of(solo.raft, 2);
        two->recent_active = heard == 1;
        raft_progress_become_probe(two);
        two->next = raft_log_first_index(&solo.raft->log) - 1;
        solo_propose(&solo, "x");
        const struct raft_ready *ready = solo_ready(&solo);
        assert_int_equal(count_all_sent(ready), heard);
        if (heard == 1) {
            const struct message *sent = only_sent(ready);
            assert_int_equal(sent->type, MSG_SNAP);
            assert_int_equal(sent->snapshot->pos.index, 11);
            assert_int_equal(two->state, RAFT_PROGRESS_SNAPSHOT);
        }
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestLearnerReceiveSnapshot, raftrs/test_learner_receive_snapshot */
static void a_learner_gets_a_snapshot(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_with_learners(1, 2, &config);
    group_isolate(group, 2, true);
    campaign(group, 1);
    for (int i = 0; i < 10; i++) {
        propose(group, 1, "x");
    }
    memlog_compact(&group->peers[1].log, group->peers[1].applied);
    heal(group);
    beat(group, 1);
    assert_int_equal(group_committed(group, 2), group_committed(group, 1));
    assert_int_equal(group->peers[2].log.compacted.index, 11);
    group_free(group);
}

/* peers: etcd/TestSlowNodeRestore, raftrs/test_slow_node_restore, tinykv/TestSlowNodeRestore2C */
static void a_slow_node_goes_on_from_the_snapshot_with_the_log(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    campaign(group, 1);
    group_isolate(group, 3, true);
    for (int i = 0; i <= 100; i++) {
        propose(group, 1, "x");
    }
    memlog_compact(&group->peers[1].log, group->peers[1].applied);
    heal(group);
    do {
        beat(group, 1);
    } while (!progress_of(group_raft(group, 1), 3)->recent_active);
    propose(group, 1, "y");
    propose(group, 1, "z");
    assert_int_equal(group_committed(group, 3), 104);
    assert_int_equal(group_committed(group, 3), group_committed(group, 1));
    assert_int_equal(group->peers[3].log.compacted.index, 102);
    group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_change_before_the_first_is_applied_becomes_an_empty_entry),
        cmocka_unit_test(a_new_leader_takes_its_whole_log_for_a_change_that_may_be_pending),
        cmocka_unit_test(voters_come_and_go_but_the_last_one_stays),
        cmocka_unit_test(learners_are_promoted_demoted_and_removed),
        cmocka_unit_test(members_are_listed_by_id),
        cmocka_unit_test(a_learner_votes_when_it_is_asked),
        cmocka_unit_test(a_candidate_asks_voters_only),
        cmocka_unit_test(a_learner_gets_the_log),
        cmocka_unit_test(nobody_leads_before_a_committed_change_is_applied_here),
        cmocka_unit_test(a_snapshot_brings_its_position_and_its_members_whatever_one_was),
        cmocka_unit_test(who_is_behind_the_log_gets_a_snapshot_if_it_was_heard_of),
        cmocka_unit_test(a_learner_gets_a_snapshot),
        cmocka_unit_test(a_slow_node_goes_on_from_the_snapshot_with_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
