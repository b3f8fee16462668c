#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static void a_silent_leader_is_replaced_after_a_timeout(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    uint32_t patience = solo.raft->randomized_election_ticks;
    for (uint32_t i = 1; i < patience; i++) {
        raft_tick(solo.raft);
        assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    }
    raft_tick(solo.raft);
    assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
    assert_int_equal(solo.raft->term, 3);
    solo_deinit(&solo);
}

static void one_vote_a_term_and_only_for_a_log_that_is_up_to_date(void **state)
{
    (void)state;
    static const struct {
        node_id voted_for;
        struct raft_pos log;
        bool granted;
    } table[] = {
        {0, {2, 3}, true}, {0, {2, 2}, false}, {0, {1, 9}, false}, {0, {3, 1}, true},
        {2, {2, 3}, true}, {3, {2, 3}, false}, {3, {3, 9}, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 5, 1, log_terms, 3);
        solo.raft->vote = table[i].voted_for;
        struct message ask = {.type = MSG_VOTE,
                              .from = 2,
                              .to = 1,
                              .term = 5,
                              .log_term = table[i].log.term,
                              .index = table[i].log.index};
        assert_int_equal(raft_step(solo.raft, &ask), OK);
        const struct raft_ready *ready = solo_ready(&solo);
        assert_int_equal(ready->messages_after_persist[0].type, MSG_VOTE_RESP);
        assert_int_equal(ready->messages_after_persist[0].reject, !table[i].granted);
        solo_deinit(&solo);
    }
}

static void a_candidate_wins_with_a_majority_and_gives_up_without_one(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.conf.voters = ids_to(5);
    for (int won = 0; won <= 1; won++) {
        struct solo solo;
        solo_init(&solo, &config, 2, 1, log_terms, 3);
        assert_int_equal(raft_campaign(solo.raft), OK);
        (void)solo_ready(&solo);
        for (node_id id = 2; id <= 4; id++) {
            struct message vote = {
                .type = MSG_VOTE_RESP, .from = id, .to = 1, .term = 3, .reject = won == 0};
            assert_int_equal(raft_step(solo.raft, &vote), OK);
            if (id == 2) {
                assert_int_equal(raft_step(solo.raft, &vote), OK); /* twice counts once */
                assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
            }
        }
        assert_int_equal(solo.raft->role, won == 1 ? RAFT_LEADER : RAFT_FOLLOWER);
        solo_deinit(&solo);
    }
}

static void learners_and_strangers_do_not_campaign(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.conf.voters = (struct id_set){.count = 1, .ids = {2}};
    config.conf.learners = (struct id_set){.count = 1, .ids = {1}};
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    assert_int_equal(raft_campaign(solo.raft), ERR_FORBIDDEN);
    for (int i = 0; i < 100; i++) {
        raft_tick(solo.raft);
    }
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    struct message now = {.type = MSG_TIMEOUT_NOW, .from = 2, .to = 1, .term = 2};
    assert_int_equal(raft_step(solo.raft, &now), OK);
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    solo_deinit(&solo);
}

static void whose_storage_does_not_answer_stands_back_but_votes(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    raft_stand_back(solo.raft, true);
    assert_int_equal(raft_campaign(solo.raft), ERR_FORBIDDEN);
    for (int i = 0; i < 100; i++) {
        raft_tick(solo.raft);
    }
    struct message now = {.type = MSG_TIMEOUT_NOW, .from = 2, .to = 1, .term = 2};
    assert_int_equal(raft_step(solo.raft, &now), OK);
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    struct message ask = {
        .type = MSG_VOTE, .from = 3, .to = 1, .term = 3, .log_term = 2, .index = 3};
    solo.raft->leader = 0;
    assert_int_equal(raft_step(solo.raft, &ask), OK);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_false(ready->messages_after_persist[0].reject);
    raft_stand_back(solo.raft, false);
    assert_int_equal(raft_campaign(solo.raft), OK);
    assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
    solo_deinit(&solo);
}

static void a_follower_waits_on_for_a_leader_that_is_alive_and_for_nobody_else(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct message heartbeat = {.type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = 2};
    assert_int_equal(raft_step(solo.raft, &heartbeat), OK);
    for (int i = 0; i < 100; i++) {
        raft_tick(solo.raft);
        raft_report_alive(solo.raft, 2);
    }
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    for (int i = 0; i < 100; i++) {
        raft_tick(solo.raft);
        raft_report_alive(solo.raft, 3);
        raft_report_alive(solo.raft, 7);
    }
    assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
    raft_report_alive(solo.raft, 2);
    assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
    solo_deinit(&solo);
}

/* Whether leader 1 of three still leads after long, with `alive` known to be there and silent. */
static bool leads_on(const struct raft_config *config, node_id alive)
{
    struct group *group = group_new(3, config);
    group_elect(group, 1);
    group_isolate(group, 1, true);
    for (int i = 0; i < 100; i++) {
        raft_tick(group_raft(group, 1));
        raft_report_alive(group_raft(group, 1), alive);
        group_settle(group);
    }
    bool leads = group_raft(group, 1)->role == RAFT_LEADER;
    group_free(group);
    return leads;
}

static void a_leader_counts_who_is_alive_unless_a_lease_rests_on_it(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.check_quorum = true;
    assert_true(leads_on(&config, 2));
    assert_false(leads_on(&config, 1));
    assert_false(leads_on(&config, 7));
    config.read_mode = RAFT_READ_LEASE;
    assert_false(leads_on(&config, 2));
}

static void nobody_campaigns_before_a_committed_change_is_applied(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo.log.entries.items[1].type = ENTRY_CONF_CHANGE;
    raft_log_commit_to(&solo.raft->log, 2);
    assert_int_equal(raft_campaign(solo.raft), ERR_FORBIDDEN);
    solo_deinit(&solo);
}

static void nobody_campaigns_before_a_snapshot_is_installed(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct snapshot snapshot = {.pos = {.term = 2, .index = 9}, .conf.voters = ids_to(3)};
    struct message message = {
        .type = MSG_SNAP, .from = 2, .to = 1, .term = 2, .snapshot = &snapshot};
    assert_int_equal(raft_step(solo.raft, &message), OK);
    assert_int_equal(raft_campaign(solo.raft), ERR_FORBIDDEN);
    raft_ready(solo.raft, &solo.ready);
    assert_non_null(solo.ready.snapshot);
    assert_int_equal(raft_campaign(solo.raft), ERR_FORBIDDEN);
    solo.log.compacted = snapshot.pos;
    raft_entries_clear(&solo.log.entries);
    raft_persisted(solo.raft, &solo.ready.mark);
    assert_int_equal(raft_campaign(solo.raft), OK);
    solo_deinit(&solo);
}

static void a_pre_vote_keeps_a_returning_node_from_disturbing(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.pre_vote = true;
    config.check_quorum = true;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    uint64_t term = group_raft(group, 1)->term;
    group_isolate(group, 3, true);
    for (int i = 0; i < 60; i++) {
        for (node_id id = 1; id <= 3; id++) {
            raft_tick(group_raft(group, id));
        }
        group_settle(group);
    }
    assert_int_equal(group_propose(group, 1, "x"), OK);
    group_settle(group);
    group_isolate(group, 3, false);
    for (int i = 0; i < 40; i++) {
        for (node_id id = 1; id <= 3; id++) {
            raft_tick(group_raft(group, id));
        }
        group_settle(group);
    }
    assert_int_equal(group_raft(group, 1)->role, RAFT_LEADER);
    assert_int_equal(group_raft(group, 1)->term, term);
    assert_int_equal(group->peers[3].applied, group->peers[1].applied);
    group_free(group);
}

static void only_an_entry_of_the_same_term_is_learnt_to_be_committed(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1, 1, 2};
    static const struct {
        bool is_hinting;
        struct raft_pos fact; /* of somebody else's log */
        uint64_t committed;
    } table[] = {
        {true, {.term = 2, .index = 3}, 3},  {true, {.term = 1, .index = 2}, 2},
        {true, {.term = 1, .index = 3}, 1},  {true, {.term = 2, .index = 2}, 1},
        {true, {.term = 2, .index = 4}, 1},  {true, {.term = 0, .index = 3}, 1},
        {false, {.term = 2, .index = 3}, 1},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        config.commit_hints = table[i].is_hinting;
        struct solo solo;
        solo_init(&solo, &config, 2, 1, terms, 3);
        struct message vote = {
            .type = MSG_PRE_VOTE,
            .from = 2,
            .to = 1,
            .term = 3,
            .commit = table[i].fact.index,
            .commit_term = table[i].fact.term,
        };
        assert_int_equal(raft_step(solo.raft, &vote), OK);
        assert_int_equal(solo.raft->log.committed, table[i].committed);
        solo_deinit(&solo);
    }
}

static void a_leader_that_hears_nobody_steps_down(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.check_quorum = true;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 1, true);
    for (int i = 0; i < 20; i++) {
        raft_tick(group_raft(group, 1));
        group_settle(group);
    }
    assert_int_equal(group_raft(group, 1)->role, RAFT_FOLLOWER);
    group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_leader_is_replaced_after_a_timeout),
        cmocka_unit_test(one_vote_a_term_and_only_for_a_log_that_is_up_to_date),
        cmocka_unit_test(a_candidate_wins_with_a_majority_and_gives_up_without_one),
        cmocka_unit_test(learners_and_strangers_do_not_campaign),
        cmocka_unit_test(a_follower_waits_on_for_a_leader_that_is_alive_and_for_nobody_else),
        cmocka_unit_test(a_leader_counts_who_is_alive_unless_a_lease_rests_on_it),
        cmocka_unit_test(whose_storage_does_not_answer_stands_back_but_votes),
        cmocka_unit_test(nobody_campaigns_before_a_committed_change_is_applied),
        cmocka_unit_test(a_pre_vote_keeps_a_returning_node_from_disturbing),
        cmocka_unit_test(only_an_entry_of_the_same_term_is_learnt_to_be_committed),
        cmocka_unit_test(a_leader_that_hears_nobody_steps_down),
        cmocka_unit_test(nobody_campaigns_before_a_snapshot_is_installed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
