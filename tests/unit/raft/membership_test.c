#include "fixture.h"

/* Node 1 leads; its log has a beginning that only a snapshot can tell a new member of. */
static void lead_from_a_snapshot(struct group *group)
{
    group_elect(group, 1);
    memlog_compact(&group->peers[1].log, group->peers[1].applied);
}

/* Proposes on node 1 and lets everybody apply. */
static void change(struct group *group, const struct conf_change *change)
{
    struct raft_pos pos = {0};
    assert_int_equal(raft_check_conf_change(group_raft(group, 1), change), OK);
    assert_int_equal(raft_propose_conf_change(group_raft(group, 1), change, false, &pos), OK);
    group_settle(group);
}

static void a_learner_catches_up_and_becomes_a_voter(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_add_blank(group, &config);
    lead_from_a_snapshot(group);
    struct conf_change add = {.count = 1, .changes = {{CONF_CHANGE_ADD_LEARNER, 4}}};
    change(group, &add);
    raft_tick(group_raft(group, 1));
    group_settle(group);
    assert_int_equal(group->peers[4].applied, group->peers[1].applied);
    assert_int_equal(raft_campaign(group_raft(group, 4)), ERR_FORBIDDEN);
    add.changes[0].type = CONF_CHANGE_ADD_VOTER;
    change(group, &add);
    assert_int_equal(raft_campaign(group_raft(group, 4)), OK);
    group_settle(group);
    assert_int_equal(group_raft(group, 4)->role, RAFT_LEADER);
    group_free(group);
}

static void several_changes_pass_through_a_joint_configuration_by_themselves(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_add_blank(group, &config);
    lead_from_a_snapshot(group);
    struct conf_change swap = {.count = 2,
                               .changes = {{CONF_CHANGE_ADD_VOTER, 4}, {CONF_CHANGE_REMOVE, 3}}};
    change(group, &swap);
    const struct conf_state *conf = &group_raft(group, 1)->tracker.conf;
    assert_false(raft_conf_is_joint(conf));
    assert_int_equal(conf->voters.count, 3);
    assert_true(id_set_has(&conf->voters, 4));
    assert_false(id_set_has(&conf->voters, 3));
    raft_tick(group_raft(group, 1));
    group_settle(group);
    assert_int_equal(group->peers[4].applied, group->peers[1].applied);
    group_free(group);
}

static void a_joint_configuration_survives_restarts_until_it_is_left(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    struct conf_change demote = {.transition = CONF_TRANSITION_EXPLICIT,
                                 .count = 1,
                                 .changes = {{CONF_CHANGE_ADD_LEARNER, 3}}};
    change(group, &demote);
    for (node_id id = 1; id <= 3; id++) {
        group_crash(group, id);
        group_start(group, id);
    }
    const struct conf_state *conf = &group_raft(group, 1)->tracker.conf;
    assert_true(raft_conf_is_joint(conf));
    assert_true(id_set_has(&conf->learners_next, 3)); /* still a voter in the outgoing half */
    group_elect(group, 1);
    assert_true(raft_conf_is_joint(conf)); /* nobody leaves it unasked */
    struct conf_change add = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, 3}}};
    assert_int_equal(raft_check_conf_change(group_raft(group, 1), &add), ERR_BUSY);
    struct conf_change leave = {.count = 0};
    change(group, &leave);
    assert_false(raft_conf_is_joint(conf));
    assert_int_equal(conf->voters.count, 2);
    assert_true(id_set_has(&conf->learners, 3));
    assert_int_equal(raft_campaign(group_raft(group, 3)), ERR_FORBIDDEN);
    group_free(group);
}

static void a_joint_configuration_needs_both_halves(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_add_blank(group, &config);
    group_add_blank(group, &config);
    lead_from_a_snapshot(group);
    struct conf_change replace = {.transition = CONF_TRANSITION_EXPLICIT,
                                  .count = 4,
                                  .changes = {{CONF_CHANGE_ADD_VOTER, 4},
                                              {CONF_CHANGE_ADD_VOTER, 5},
                                              {CONF_CHANGE_REMOVE, 2},
                                              {CONF_CHANGE_REMOVE, 3}}};
    group_isolate(group, 4, true);
    group_isolate(group, 5, true);
    change(group, &replace);
    uint64_t committed = group_committed(group, 1);
    assert_int_equal(group_propose(group, 1, "x"), OK);
    group_settle(group);
    assert_int_equal(group_committed(group, 1), committed); /* 1 2 3 are not enough */
    group_isolate(group, 4, false);
    raft_tick(group_raft(group, 1));
    group_settle(group);
    assert_int_equal(group_committed(group, 1), committed + 1);
    struct conf_change leave = {0};
    change(group, &leave);
    assert_false(raft_conf_is_joint(&group_raft(group, 1)->tracker.conf));
    group_free(group);
}

static void removing_a_member_may_commit_what_waited_for_it(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(2, &config);
    group_elect(group, 1);
    struct conf_change remove = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 2}}};
    struct raft_pos pos = {0};
    assert_int_equal(raft_propose_conf_change(group_raft(group, 1), &remove, true, &pos), OK);
    assert_int_equal(group_work(group), true);
    while (group->network.count > 0) {
        group_deliver(group, 0);
        group_drop(group, 0);
    }
    assert_int_equal(group_propose(group, 1, "x"), OK);
    (void)group_work(group); /* 2 has acknowledged the change, not the proposal */
    group->blocked[1][2] = true;
    group_settle(group);
    assert_int_equal(group_committed(group, 1), pos.index + 1);
    group_free(group);
}

static void a_smaller_quorum_may_confirm_reads_that_waited_for_it(void **state)
{
    (void)state;
    for (int early = 0; early <= 1; early++) { /* before or after the first commit of the term */
        static const uint64_t log_terms[] = {1};
        struct raft_config config = default_config();
        config.conf.voters = ids_to(2);
        struct solo solo;
        solo_init(&solo, &config, 1, 1, log_terms, 1);
        solo_lead(&solo);
        uint64_t last = raft_log_last_index(&solo.raft->log);
        if (early == 0) {
            struct message ack = {
                .type = MSG_APP_RESP, .from = 2, .to = 1, .term = solo.raft->term, .index = last};
            assert_int_equal(raft_step(solo.raft, &ack), OK);
        }
        struct read_ctx ctx = {.node = 1, .sequence = 1};
        assert_int_equal(raft_read_index(solo.raft, ctx), OK);
        assert_int_equal(solo_ready(&solo)->read_state_count, 0);
        struct conf_change remove = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 2}}};
        assert_int_equal(raft_apply_conf_change(solo.raft, &remove, NULL), OK);
        const struct raft_ready *ready = solo_ready(&solo);
        assert_int_equal(ready->read_state_count, 1);
        assert_int_equal(ready->read_states[0].index, last);
        solo_deinit(&solo);
    }
}

static void a_removed_leader_steps_down_if_it_is_told_to(void **state)
{
    (void)state;
    for (int told = 0; told <= 1; told++) {
        struct raft_config config = default_config();
        config.step_down_on_removal = told == 1;
        struct group *group = group_new(3, &config);
        group_elect(group, 1);
        struct conf_change remove = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 1}}};
        change(group, &remove);
        assert_int_equal(group_raft(group, 1)->role, told == 1 ? RAFT_FOLLOWER : RAFT_LEADER);
        err e = told == 1 ? ERR_NOT_LEADER : ERR_PROPOSAL_DROPPED;
        assert_int_equal(group_propose(group, 1, "x"), e);
        group_free(group);
    }
}

static void a_bootstrap_gives_a_blank_node_its_first_members_once(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(0, &config);
    group_add_blank(group, &config);
    struct conf_state conf = {.voters = ids_to(3)};
    struct conf_state invalid = {.learners = ids_to(3)};
    assert_int_equal(raft_apply_bootstrap(group_raft(group, 1), &invalid), ERR_CONFLICT);
    assert_int_equal(raft_apply_bootstrap(group_raft(group, 1), &conf), OK);
    assert_int_equal(raft_apply_bootstrap(group_raft(group, 1), &conf), OK);
    conf.voters = ids_to(4);
    assert_int_equal(raft_apply_bootstrap(group_raft(group, 1), &conf), ERR_CONFLICT);
    assert_int_equal(group_raft(group, 1)->tracker.count, 3);
    group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learner_catches_up_and_becomes_a_voter),
        cmocka_unit_test(several_changes_pass_through_a_joint_configuration_by_themselves),
        cmocka_unit_test(a_joint_configuration_survives_restarts_until_it_is_left),
        cmocka_unit_test(a_joint_configuration_needs_both_halves),
        cmocka_unit_test(removing_a_member_may_commit_what_waited_for_it),
        cmocka_unit_test(a_smaller_quorum_may_confirm_reads_that_waited_for_it),
        cmocka_unit_test(a_removed_leader_steps_down_if_it_is_told_to),
        cmocka_unit_test(a_bootstrap_gives_a_blank_node_its_first_members_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
