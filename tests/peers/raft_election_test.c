/* Elections with the network whole, broken, and lying behind: who wins, who gives up, in which
 * term. */
#include "base_testing.h"
#include "network.h"

static const uint64_t of_term_1[] = {1, 1};
static const uint64_t of_term_2[] = {2};

static struct raft_config config_of(bool pre_vote)
{
    struct raft_config config = default_config();
    config.pre_vote = pre_vote;
    return config;
}

/*
 * peers: etcd/TestLeaderElection, etcd/TestLeaderElectionPreVote, raftrs/test_leader_election,
 * raftrs/test_leader_election_pre_vote, tinykv/TestLeaderElection2AA
 */
static void who_reaches_a_majority_leads_and_who_does_not_waits(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        uint32_t dead; /* nodes 2 to 1 + dead */
        bool wins;
    } table[] = {{3, 0, true}, {3, 1, true}, {3, 2, false}, {4, 2, false}, {5, 2, true}};
    for (size_t i = 0; i < 2 * ARRAY_COUNT(table); i++) {
        bool pre_vote = i % 2 == 1;
        struct raft_config config = config_of(pre_vote);
        struct group *group = group_new(table[i / 2].count, &config);
        for (uint32_t d = 0; d < table[i / 2].dead; d++) {
            group_crash(group, 2 + d);
        }
        campaign(group, 1);
        if (table[i / 2].wins) {
            expect_role(group, 1, RAFT_LEADER, 1);
        } else {
            enum raft_role waiting = pre_vote ? RAFT_PRE_CANDIDATE : RAFT_CANDIDATE;
            expect_role(group, 1, waiting, pre_vote ? 0 : 1);
        }
        group_free(group);
    }
}

/* The last case of the same tests. */
static void who_has_less_than_a_majority_gives_up_and_learns_the_term(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = config_of(pre_vote == 1);
        struct group *group = group_new(5, &config);
        struct past one = {.term = 1, .terms = of_term_1, .count = 1};
        struct past two = {.term = 1, .terms = of_term_1, .count = 2};
        give_past(group, 2, &one);
        give_past(group, 3, &one);
        give_past(group, 4, &two);
        campaign(group, 1);
        expect_role(group, 1, RAFT_FOLLOWER, 1);
        group_free(group);
    }
}

/*
 * peers: etcd/TestLeaderCycle, etcd/TestLeaderCyclePreVote, raftrs/test_leader_cycle,
 * raftrs/test_leader_cycle_pre_vote, tinykv/TestLeaderCycle2AA
 */
static void each_node_can_lead_in_its_turn(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = config_of(pre_vote == 1);
        struct group *group = group_new(3, &config);
        for (node_id id = 1; id <= 3; id++) {
            campaign(group, id);
            expect_leader(group, id);
            expect_role(group, id, RAFT_LEADER, id);
        }
        group_free(group);
    }
}

/*
 * peers: etcd/TestLeaderElectionOverwriteNewerLogs,
 * etcd/TestLeaderElectionOverwriteNewerLogsPreVote,
 * raftrs/test_leader_election_overwrite_newer_logs,
 * raftrs/test_leader_election_overwrite_newer_logs_pre_vote,
 * tinykv/TestLeaderElectionOverwriteNewerLogs2AB
 */
static void a_leader_may_replace_an_entry_of_a_newer_term_that_no_majority_has(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = config_of(pre_vote == 1);
        struct group *group = group_new(5, &config);
        struct past older = {.term = 1, .terms = of_term_1, .count = 1};
        struct past newer = {.term = 2, .vote = 3, .terms = of_term_2, .count = 1};
        struct past voted = {.term = 2, .vote = 3};
        give_past(group, 1, &older);
        give_past(group, 2, &older);
        give_past(group, 3, &newer);
        give_past(group, 4, &voted);
        give_past(group, 5, &voted);
        campaign(group, 1); /* a majority has seen term 2 */
        expect_role(group, 1, RAFT_FOLLOWER, 2);
        campaign(group, 1);
        expect_role(group, 1, RAFT_LEADER, 3);
        static const uint64_t agreed[] = {1, 3};
        for (node_id id = 1; id <= 5; id++) {
            expect_terms(group_raft(group, id), agreed, 2);
        }
        group_free(group);
    }
}

/*
 * peers: etcd/TestVoteFromAnyState, etcd/TestPreVoteFromAnyState,
 * raftrs/test_vote_from_any_state, raftrs/test_prevote_from_any_state,
 * tinykv/TestVoteFromAnyState2AA
 */
static void a_later_term_gets_a_vote_whatever_role_one_is_in(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * (RAFT_LEADER + 1); i++) {
        enum raft_role role = (enum raft_role)(i / 2);
        bool is_pre = i % 2 == 1;
        struct raft_config config = default_config();
        config.conf.voters = ids_to(3);
        struct solo solo;
        solo_init(&solo, &config, 1, 0, NULL, 0);
        force_role(solo.raft, role);
        (void)solo_ready(&solo);
        uint64_t term = solo.raft->term;
        node_id vote = solo.raft->vote;
        struct message ask = {.type = is_pre ? MSG_PRE_VOTE : MSG_VOTE,
                              .from = 2,
                              .to = 1,
                              .term = term + 1,
                              .log_term = term + 1,
                              .index = 42};
        assert_int_equal(raft_step(solo.raft, &ask), OK);
        const struct message *answer = only_sent(solo_ready(&solo));
        assert_int_equal(answer->type, is_pre ? MSG_PRE_VOTE_RESP : MSG_VOTE_RESP);
        assert_int_equal(answer->term, term + 1);
        assert_false(answer->reject);
        assert_int_equal(solo.raft->role, is_pre ? role : RAFT_FOLLOWER);
        assert_int_equal(solo.raft->term, is_pre ? term : term + 1);
        assert_int_equal(solo.raft->vote, is_pre ? vote : 2);
        solo_deinit(&solo);
    }
}

/*
 * peers: etcd/TestDuelingCandidates, raftrs/test_dueling_candidates,
 * tinykv/TestDuelingCandidates2AB
 */
static void a_candidate_with_a_short_log_deposes_a_leader_and_does_not_win(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    cut(group, 1, 3);
    campaign(group, 1);
    campaign(group, 3); /* its own vote, and a refusal */
    expect_role(group, 1, RAFT_LEADER, 1);
    expect_role(group, 3, RAFT_CANDIDATE, 1);
    heal(group);
    campaign(group, 3);
    static const uint64_t lengths[] = {0, 1, 1, 0};
    for (node_id id = 1; id <= 3; id++) {
        expect_role(group, id, RAFT_FOLLOWER, 2);
        assert_int_equal(raft_log_last_index(&group_raft(group, id)->log), lengths[id]);
        assert_int_equal(group_committed(group, id), lengths[id]);
    }
    group_free(group);
}

/* peers: etcd/TestDuelingPreCandidates, raftrs/test_dueling_pre_candidates */
static void a_pre_candidate_with_a_short_log_deposes_nobody(void **state)
{
    (void)state;
    struct raft_config config = config_of(true);
    struct group *group = group_new(3, &config);
    cut(group, 1, 3);
    campaign(group, 1);
    campaign(group, 3);
    expect_role(group, 1, RAFT_LEADER, 1);
    assert_int_equal(group_raft(group, 3)->role, RAFT_FOLLOWER);
    heal(group);
    campaign(group, 3);
    expect_leader(group, 1);
    static const uint64_t lengths[] = {0, 1, 1, 0};
    for (node_id id = 1; id <= 3; id++) {
        assert_int_equal(group_raft(group, id)->term, 1);
        assert_int_equal(raft_log_last_index(&group_raft(group, id)->log), lengths[id]);
    }
    group_free(group);
}

/*
 * peers: etcd/TestCandidateConcede, raftrs/test_candidate_concede, tinykv/TestCandidateConcede2AB
 */
static void a_candidate_that_was_cut_off_follows_the_leader_of_its_term(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_isolate(group, 1, true);
    campaign(group, 1);
    campaign(group, 3);
    expect_role(group, 1, RAFT_CANDIDATE, 1);
    heal(group);
    beat(group, 3);
    propose(group, 3, "follow");
    beat(group, 3);
    expect_role(group, 1, RAFT_FOLLOWER, 1);
    static const uint64_t terms[] = {1, 1};
    for (node_id id = 1; id <= 3; id++) {
        expect_terms(group_raft(group, id), terms, 2);
        expect_entry(group_raft(group, id), 2, "follow");
        assert_int_equal(group->peers[id].applied, 2);
    }
    group_free(group);
}

/*
 * peers: etcd/TestSingleNodeCandidate, etcd/TestSingleNodePreCandidate,
 * raftrs/test_single_node_candidate, raftrs/test_sinle_node_pre_candidate,
 * tinykv/TestSingleNodeCandidate2AA
 */
static void a_single_voter_elects_itself(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = config_of(pre_vote == 1);
        struct group *group = group_new(1, &config);
        campaign(group, 1);
        expect_role(group, 1, RAFT_LEADER, 1);
        group_free(group);
    }
}

/*
 * peers: etcd/TestCampaignWhileLeader, etcd/TestPreCampaignWhileLeader,
 * raftrs/test_campaign_while_leader, raftrs/test_pre_campaign_while_leader,
 * tinykv/TestCampaignWhileLeader2AA
 */
static void a_leader_that_is_asked_to_campaign_goes_on_leading(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = config_of(pre_vote == 1);
        struct group *group = group_new(1, &config);
        expect_role(group, 1, RAFT_FOLLOWER, 0);
        campaign(group, 1);
        expect_role(group, 1, RAFT_LEADER, 1);
        campaign(group, 1);
        expect_role(group, 1, RAFT_LEADER, 1);
        group_free(group);
    }
}

/* peers: etcd/TestPastElectionTimeout, raftrs/test_pass_election_timeout */
static void patience_is_spread_evenly(void **state)
{
    (void)state;
    static const struct {
        uint32_t elapsed;
        double share;
    } table[] = {{5, 0}, {10, 0.1}, {13, 0.4}, {15, 0.6}, {18, 0.9}, {20, 1}};
    struct raft_config config = default_config();
    struct solo solo;
    solo_blank(&solo, 1, &config);
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        int past = 0;
        for (int round = 0; round < 10000; round++) {
            raft_become_follower(solo.raft, solo.raft->term, 0);
            past += table[i].elapsed >= solo.raft->randomized_election_ticks ? 1 : 0;
        }
        double share = past / 10000.0;
        assert_true(share > table[i].share - 0.03 && share < table[i].share + 0.03);
    }
    solo_deinit(&solo);
}

/*
 * peers: etcd/TestRecvMsgVote, etcd/TestRecvMsgPreVote, raftrs/test_recv_msg_request_vote,
 * tinykv/TestRecvMessageType_MsgRequestVote2AB
 */
static void a_vote_depends_on_the_last_term_then_the_length_then_the_vote_given(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {2, 2};
    for (uint64_t i = 0; i < 2 * 16; i++) {
        uint64_t index = i / 2 / 4;
        uint64_t log_term = i / 2 % 4;
        bool is_pre = i % 2 == 1;
        uint64_t term = log_term > 2 ? log_term : 2;
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, term, 0, log_terms, 2);
        struct message ask = {.type = is_pre ? MSG_PRE_VOTE : MSG_VOTE,
                              .from = 2,
                              .to = 1,
                              .term = term,
                              .log_term = log_term,
                              .index = index};
        assert_int_equal(raft_step(solo.raft, &ask), OK);
        bool grant = log_term == 3 || (log_term == 2 && index >= 2);
        assert_int_equal(only_sent(solo_ready(&solo))->reject, !grant);
        solo_deinit(&solo);
    }
}

/* The other rows of the same tests: the log would do, the vote is given. */
static void a_vote_that_is_given_is_given_only_to_the_same_again(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {2, 2};
    static const struct {
        enum raft_role role;
        node_id vote;
        bool reject;
    } table[] = {{RAFT_FOLLOWER, 2, false},
                 {RAFT_FOLLOWER, 3, true},
                 {RAFT_PRE_CANDIDATE, 3, true},
                 {RAFT_CANDIDATE, 1, true},
                 {RAFT_LEADER, 1, true}};
    for (size_t i = 0; i < 2 * ARRAY_COUNT(table); i++) {
        bool is_pre = i % 2 == 1;
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 2, 0, log_terms, 2);
        force_role(solo.raft, table[i / 2].role);
        solo.raft->vote = table[i / 2].vote;
        (void)solo_ready(&solo);
        struct message ask = {.type = is_pre ? MSG_PRE_VOTE : MSG_VOTE,
                              .from = 2,
                              .to = 1,
                              .term = solo.raft->term,
                              .log_term = solo.raft->term,
                              .index = 9};
        assert_int_equal(raft_step(solo.raft, &ask), OK);
        const struct message *answer = only_sent(solo_ready(&solo));
        assert_int_equal(answer->type, is_pre ? MSG_PRE_VOTE_RESP : MSG_VOTE_RESP);
        assert_int_equal(answer->reject, table[i / 2].reject);
        solo_deinit(&solo);
    }
}

static void become(struct raft *raft, enum raft_role role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        raft_become_follower(raft, raft->term, 0);
        break;
    case RAFT_PRE_CANDIDATE:
        raft_become_pre_candidate(raft);
        break;
    case RAFT_CANDIDATE:
        raft_become_candidate(raft);
        break;
    case RAFT_LEADER:
        raft_become_leader(raft);
        break;
    }
}

static struct {
    enum raft_role from;
    enum raft_role to;
} forbidden;

static void make_a_forbidden_move(void)
{
    struct raft_config config = default_config();
    struct solo solo;
    solo_blank(&solo, 1, &config);
    force_role(solo.raft, forbidden.from);
    become(solo.raft, forbidden.to);
}

/* peers: etcd/TestStateTransition, raftrs/test_state_transition */
static void roles_change_only_along_the_arrows(void **state)
{
    (void)state;
    /* To: follower, pre-candidate, candidate, leader. The peers also let a pre-candidate and a
     * leader become leader, which their own callers never do. */
    static const bool exists[4][4] = {[RAFT_FOLLOWER] = {true, true, true, false},
                                      [RAFT_PRE_CANDIDATE] = {true, true, true, false},
                                      [RAFT_CANDIDATE] = {true, true, true, true},
                                      [RAFT_LEADER] = {true, false, false, false}};
    static struct death death;
    for (int i = 0; i < 16; i++) {
        forbidden.from = (enum raft_role)(i / 4);
        forbidden.to = (enum raft_role)(i % 4);
        if (!exists[forbidden.from][forbidden.to]) {
            death_of(make_a_forbidden_move, &death);
            assert_true(WIFSIGNALED(death.status));
            assert_non_null(strstr(death.text, "assert failed"));
            continue;
        }
        struct raft_config config = default_config();
        struct solo solo;
        solo_blank(&solo, 1, &config);
        force_role(solo.raft, forbidden.from);
        uint64_t term = solo.raft->term;
        become(solo.raft, forbidden.to);
        assert_int_equal(solo.raft->role, forbidden.to);
        assert_int_equal(solo.raft->term, term + (forbidden.to == RAFT_CANDIDATE ? 1 : 0));
        assert_int_equal(solo.raft->leader, forbidden.to == RAFT_LEADER ? 1 : 0);
        solo_deinit(&solo);
    }
}

/*
 * peers: etcd/TestAllServerStepdown, raftrs/test_all_server_stepdown,
 * tinykv/TestAllServerStepdown2AB
 */
static void a_later_term_makes_a_follower_of_everybody(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * (RAFT_LEADER + 1); i++) {
        enum raft_role role = (enum raft_role)(i / 2);
        enum message_type type = i % 2 == 0 ? MSG_VOTE : MSG_APP;
        struct raft_config config = default_config();
        struct solo solo;
        solo_blank(&solo, 3, &config);
        force_role(solo.raft, role);
        struct message message = {.type = type, .from = 2, .to = 1, .term = 3};
        if (type == MSG_VOTE) {
            message.log_term = 3;
            message.index = 9;
        }
        assert_int_equal(raft_step(solo.raft, &message), OK);
        assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
        assert_int_equal(solo.raft->term, 3);
        assert_int_equal(raft_log_last_index(&solo.raft->log), role == RAFT_LEADER ? 1 : 0);
        assert_int_equal(solo.raft->leader, type == MSG_APP ? 2 : 0);
        solo_deinit(&solo);
    }
}

/*
 * peers: etcd/TestCandidateResetTermMsgHeartbeat, etcd/TestCandidateResetTermMsgApp,
 * raftrs/test_candidate_reset_term_msg_heartbeat, raftrs/test_candidate_reset_term_msg_append,
 * tinykv/TestCandidateResetTermMessageType_MsgHeartbeat2AA,
 * tinykv/TestCandidateResetTermMessageType_MsgAppend2AA
 */
static void a_candidate_that_fell_behind_takes_over_the_leaders_term(void **state)
{
    (void)state;
    static const enum message_type types[] = {MSG_HEARTBEAT, MSG_APP};
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        struct raft_config config = default_config();
        struct group *group = group_new(3, &config);
        campaign(group, 1);
        expect_leader(group, 1);
        group_isolate(group, 3, true);
        campaign(group, 2);
        campaign(group, 1);
        expect_role(group, 1, RAFT_LEADER, 3);
        tick_until_it_campaigns(group_raft(group, 3));
        group_settle(group);
        expect_role(group, 3, RAFT_CANDIDATE, 2);
        heal(group);
        struct message message = {.type = types[i], .from = 1, .to = 3, .term = 3};
        step(group, &message);
        expect_role(group, 3, RAFT_FOLLOWER, 3);
        assert_int_equal(group_raft(group, 3)->leader, 1);
        group_free(group);
    }
}

/*
 * peers: etcd/TestCandidateSelfVoteAfterLostElection,
 * etcd/TestCandidateSelfVoteAfterLostElectionPreVote
 */
static void a_vote_for_oneself_that_comes_after_the_election_is_nothing(void **state)
{
    (void)state;
    for (int pre_vote = 0; pre_vote <= 1; pre_vote++) {
        struct raft_config config = config_of(pre_vote == 1);
        config.conf.voters = ids_to(3);
        struct solo solo;
        solo_init(&solo, &config, 1, 0, NULL, 0);
        assert_int_equal(raft_campaign(solo.raft), OK);
        raft_ready(solo.raft, &solo.ready); /* being written */
        struct message beat = {.type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = solo.raft->term};
        assert_int_equal(raft_step(solo.raft, &beat), OK);
        assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
        bool found = false;
        for (uint32_t i = 0; i < solo.ready.after_persist_count; i++) {
            if (solo.ready.messages_after_persist[i].to == 1) {
                assert_int_equal(raft_step(solo.raft, &solo.ready.messages_after_persist[i]), OK);
                found = true;
            }
        }
        assert_true(found);
        assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
        assert_int_equal(progress_of(solo.raft, 1)->vote, RAFT_VOTE_NONE);
        solo_deinit(&solo);
    }
}

/* Steps what the last ready sends to the node itself. */
static void deliver_own(struct solo *solo)
{
    for (uint32_t i = 0; i < solo->ready.after_persist_count; i++) {
        if (solo->ready.messages_after_persist[i].to == 1) {
            assert_int_equal(raft_step(solo->raft, &solo->ready.messages_after_persist[i]), OK);
        }
    }
}

/* peers: etcd/TestCandidateDeliversPreCandidateSelfVoteAfterBecomingCandidate */
static void a_pre_vote_for_oneself_does_not_count_in_the_election(void **state)
{
    (void)state;
    struct raft_config config = config_of(true);
    struct solo solo;
    solo_blank(&solo, 3, &config);
    assert_int_equal(raft_campaign(solo.raft), OK);
    assert_int_equal(solo.raft->role, RAFT_PRE_CANDIDATE);
    struct message own = {.type = MSG_PRE_VOTE_RESP, .from = 1, .to = 1, .term = 1};
    for (node_id id = 2; id <= 3; id++) {
        struct message yes = {.type = MSG_PRE_VOTE_RESP, .from = id, .to = 1, .term = 1};
        assert_int_equal(raft_step(solo.raft, &yes), OK);
    }
    assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
    assert_int_equal(raft_step(solo.raft, &own), OK); /* was being written until now */
    assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
    assert_int_equal(progress_of(solo.raft, 1)->vote, RAFT_VOTE_NONE);
    raft_ready(solo.raft, &solo.ready);
    struct message yes = answer_of(solo.raft, MSG_VOTE_RESP, 2);
    assert_int_equal(raft_step(solo.raft, &yes), OK);
    assert_int_equal(solo.raft->role, RAFT_CANDIDATE); /* two votes, one of them not durable */
    deliver_own(&solo);
    assert_int_equal(solo.raft->role, RAFT_LEADER);
    solo_deinit(&solo);
}

/* peers: etcd/TestPromotable, raftrs/test_promotable */
static void only_a_member_campaigns(void **state)
{
    (void)state;
    static const struct {
        struct id_set voters;
        bool may;
    } table[] = {{{1, {1}}, true}, {{3, {1, 2, 3}}, true}, {{0, {0}}, false}, {{2, {2, 3}}, false}};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct memlog log = {0};
        struct raft_config config = default_config();
        config.id = 1;
        config.conf.voters = table[i].voters;
        config.storage = memlog_storage(&log);
        struct raft *raft = NULL;
        assert_int_equal(raft_new(&raft, &config), OK);
        assert_int_equal(raft_campaign(raft), table[i].may ? OK : ERR_FORBIDDEN);
        raft_free(raft);
    }
}

/* peers: etcd/TestStepIgnoreOldTermMsg */
static void a_message_of_an_earlier_term_reaches_no_role(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 0, NULL, 0);
    struct entry entry = make_entry(1, 1);
    struct message append = {.type = MSG_APP,
                             .from = 2,
                             .to = 1,
                             .term = 1,
                             .entries = &entry,
                             .entry_count = 1,
                             .commit = 1};
    assert_int_equal(raft_step(solo.raft, &append), OK);
    assert_false(raft_has_ready(solo.raft));
    assert_int_equal(raft_log_last_index(&solo.raft->log), 0);
    assert_int_equal(solo.raft->leader, 0);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_reaches_a_majority_leads_and_who_does_not_waits),
        cmocka_unit_test(who_has_less_than_a_majority_gives_up_and_learns_the_term),
        cmocka_unit_test(each_node_can_lead_in_its_turn),
        cmocka_unit_test(a_leader_may_replace_an_entry_of_a_newer_term_that_no_majority_has),
        cmocka_unit_test(a_later_term_gets_a_vote_whatever_role_one_is_in),
        cmocka_unit_test(a_candidate_with_a_short_log_deposes_a_leader_and_does_not_win),
        cmocka_unit_test(a_pre_candidate_with_a_short_log_deposes_nobody),
        cmocka_unit_test(a_candidate_that_was_cut_off_follows_the_leader_of_its_term),
        cmocka_unit_test(a_single_voter_elects_itself),
        cmocka_unit_test(a_leader_that_is_asked_to_campaign_goes_on_leading),
        cmocka_unit_test(patience_is_spread_evenly),
        cmocka_unit_test(a_vote_depends_on_the_last_term_then_the_length_then_the_vote_given),
        cmocka_unit_test(a_vote_that_is_given_is_given_only_to_the_same_again),
        cmocka_unit_test(roles_change_only_along_the_arrows),
        cmocka_unit_test(a_later_term_makes_a_follower_of_everybody),
        cmocka_unit_test(a_candidate_that_fell_behind_takes_over_the_leaders_term),
        cmocka_unit_test(a_vote_for_oneself_that_comes_after_the_election_is_nothing),
        cmocka_unit_test(a_pre_vote_for_oneself_does_not_count_in_the_election),
        cmocka_unit_test(only_a_member_campaigns),
        cmocka_unit_test(a_message_of_an_earlier_term_reaches_no_role),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
