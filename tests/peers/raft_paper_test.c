/* What the paper says of terms and elections (5.1, 5.2, 5.4.1), sentence by sentence. */
#include "one_core.h"

#define ELECTION_TICKS 10u /* those of default_config */

/* Enough for every randomised timeout, too short for a second one. */
static void tick_past_one_timeout(struct solo *solo)
{
    for (uint32_t i = 1; i < 2 * ELECTION_TICKS; i++) {
        raft_tick(solo->raft);
    }
}

/* peers: etcd/TestFollowerUpdateTermFromMessage, etcd/TestCandidateUpdateTermFromMessage,
 * etcd/TestLeaderUpdateTermFromMessage, raftrs/test_follower_update_term_from_message,
 * raftrs/test_candidate_update_term_from_message, raftrs/test_leader_update_term_from_message,
 * tinykv/TestFollowerUpdateTermFromMessage2AA, tinykv/TestCandidateUpdateTermFromMessage2AA,
 * tinykv/TestLeaderUpdateTermFromMessage2AA */
static void whoever_hears_of_a_higher_term_follows_in_it(void **state)
{
    (void)state;
    static const enum raft_role roles[] = {RAFT_FOLLOWER, RAFT_CANDIDATE, RAFT_LEADER};
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++) {
        struct raft_config config = config_of(3);
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        solo_become(&solo, roles[i], &trail);
        solo_hear(&solo, (struct message){.type = MSG_APP, .from = 3, .term = 2});
        assert_int_equal(solo.raft->term, 2);
        assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
        assert_int_equal(solo.raft->leader, 3);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestRejectStaleTermMessage */
static void an_append_of_an_earlier_term_leaves_no_trace(void **state)
{
    (void)state;
    struct raft_config config = config_of(3);
    config.hard_state.term = 2;
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    struct entry entry = make_entry(1, 1);
    solo_hear(&solo,
              (struct message){
                  .type = MSG_APP, .from = 2, .term = 1, .entries = &entry, .entry_count = 1});
    assert_int_equal(solo.raft->term, 2);
    assert_int_equal(solo.raft->leader, 0);
    assert_int_equal(raft_log_last_index(&solo.raft->log), 0);
    assert_false(raft_has_ready(solo.raft));
    solo_deinit(&solo);
}

/* peers: etcd/TestStartAsFollower, raftrs/test_start_as_follower, tinykv/TestStartAsFollower2AA */
static void a_node_begins_as_a_follower_whatever_it_remembers(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1, 4};
    for (uint32_t count = 0; count <= 2; count++) {
        struct raft_config config = config_of(3);
        config.hard_state = count == 0 ? (struct hard_state){0} : (struct hard_state){5, 1, 1};
        struct solo solo;
        solo_open_with(&solo, &config, terms, count);
        assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
        assert_int_equal(solo.raft->leader, 0);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestLeaderBcastBeat, raftrs/test_leader_bcast_beat, tinykv/TestLeaderBcastBeat2AA */
static void a_leaders_tick_is_one_bare_heartbeat_for_each_follower(void **state)
{
    (void)state;
    struct raft_config config = config_of(3);
    struct trail trail = {0};
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    solo_become(&solo, RAFT_LEADER, &trail);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(solo_propose(&solo, "x"), OK);
    }
    solo_run(&solo, &trail);
    raft_tick(solo.raft);
    solo_run(&solo, &trail);
    assert_int_equal(trail.sent.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct message *beat = &trail.sent.messages[i];
        assert_int_equal(beat->type, MSG_HEARTBEAT);
        assert_int_equal(beat->from, 1);
        assert_int_equal(beat->to, i + 2);
        assert_int_equal(beat->term, 1);
        assert_int_equal(beat->index, 0);
        assert_int_equal(beat->log_term, 0);
        assert_int_equal(beat->entry_count, 0);
        assert_int_equal(beat->commit, 0);
    }
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestFollowerStartElection, etcd/TestCandidateStartNewElection,
 * raftrs/test_follower_start_election, raftrs/test_candidate_start_new_election,
 * tinykv/TestFollowerStartElection2AA, tinykv/TestCandidateStartNewElection2AA */
static void who_hears_nobody_asks_all_others_for_their_votes(void **state)
{
    (void)state;
    static const enum raft_role roles[] = {RAFT_FOLLOWER, RAFT_CANDIDATE};
    for (size_t r = 0; r < ARRAY_COUNT(roles); r++) {
        struct raft_config config = config_of(3);
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        solo_become(&solo, roles[r], &trail);
        tick_past_one_timeout(&solo);
        solo_run(&solo, &trail);
        assert_int_equal(solo.raft->term, 2);
        assert_int_equal(solo.raft->role, RAFT_CANDIDATE);
        assert_int_equal(solo.raft->vote, 1);
        assert_int_equal(raft_tracker_find(&solo.raft->tracker, 1)->vote, RAFT_VOTE_YES);
        assert_int_equal(trail.sent.count, 2);
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(trail.sent.messages[i].type, MSG_VOTE);
            assert_int_equal(trail.sent.messages[i].to, i + 2);
            assert_int_equal(trail.sent.messages[i].term, 2);
            assert_int_equal(trail.sent.messages[i].index, 0);
            assert_int_equal(trail.sent.messages[i].log_term, 0);
        }
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestLeaderElectionInOneRoundRPC, raftrs/test_leader_election_in_one_round_rpc,
 * tinykv/TestLeaderElectionInOneRoundRPC2AA */
static void one_round_of_answers_is_a_win_a_loss_or_neither(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        const char *answers; /* of nodes 2, 3, ...: y, n or - */
        enum raft_role role;
    } cases[] = {
        {1, "", RAFT_LEADER},        {3, "yy", RAFT_LEADER},      {3, "y-", RAFT_LEADER},
        {3, "-y", RAFT_LEADER},      {5, "yyyy", RAFT_LEADER},    {5, "yyy-", RAFT_LEADER},
        {5, "yy--", RAFT_LEADER},    {3, "nn", RAFT_FOLLOWER},    {5, "nnnn", RAFT_FOLLOWER},
        {5, "ynnn", RAFT_FOLLOWER},  {3, "--", RAFT_CANDIDATE},   {3, "n-", RAFT_CANDIDATE},
        {5, "y---", RAFT_CANDIDATE}, {5, "nn--", RAFT_CANDIDATE}, {5, "----", RAFT_CANDIDATE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct raft_config config = config_of(cases[i].size);
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        assert_int_equal(raft_campaign(solo.raft), OK);
        solo_run(&solo, &trail);
        for (node_id id = 2; id <= cases[i].size; id++) {
            char answer = cases[i].answers[id - 2];
            if (answer != '-') {
                solo_hear(&solo, (struct message){
                                     .type = MSG_VOTE_RESP, .from = id, .reject = answer == 'n'});
            }
        }
        assert_int_equal(solo.raft->role, cases[i].role);
        assert_int_equal(solo.raft->term, 1);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestFollowerVote, raftrs/test_follower_vote, tinykv/TestFollowerVote2AA */
static void a_vote_goes_to_the_first_who_asks_in_a_term(void **state)
{
    (void)state;
    for (node_id vote = 0; vote <= 3; vote++) {
        for (node_id asks = 2; asks <= 3; asks++) {
            if (vote == 1) {
                continue;
            }
            struct raft_config config = config_of(3);
            config.hard_state = (struct hard_state){.term = 1, .vote = vote};
            struct trail trail = {0};
            struct solo solo;
            solo_open_with(&solo, &config, NULL, 0);
            solo_hear(&solo, (struct message){.type = MSG_VOTE, .from = asks});
            solo_run(&solo, &trail);
            assert_int_equal(trail.sent.count, 1);
            assert_int_equal(trail.sent.messages[0].type, MSG_VOTE_RESP);
            assert_int_equal(trail.sent.messages[0].to, asks);
            assert_int_equal(trail.sent.messages[0].term, 1);
            assert_int_equal(trail.sent.messages[0].reject, vote != 0 && vote != asks);
            assert_int_equal(solo.raft->vote, vote == 0 ? asks : vote);
            trail_deinit(&trail);
            solo_deinit(&solo);
        }
    }
}

/* peers: etcd/TestCandidateFallback, raftrs/test_candidate_fallback,
 * tinykv/TestCandidateFallback2AA */
static void a_candidate_yields_to_a_leader_of_its_term_or_a_later_one(void **state)
{
    (void)state;
    for (uint64_t term = 1; term <= 2; term++) {
        struct raft_config config = config_of(3);
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        solo_become(&solo, RAFT_CANDIDATE, &trail);
        solo_hear(&solo, (struct message){.type = MSG_APP, .from = 2, .term = term});
        assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
        assert_int_equal(solo.raft->term, term);
        assert_int_equal(solo.raft->leader, 2);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* Begins a new wait for the timeout, in the next term. */
static void wait_anew(struct solo *solo, enum raft_role role, struct trail *trail)
{
    if (role == RAFT_FOLLOWER) {
        struct message beat = {.type = MSG_HEARTBEAT, .from = 2, .term = solo->raft->term + 1};
        beat.from = solo->raft->id == 2 ? 1 : 2;
        solo_hear(solo, beat);
    } else {
        assert_int_equal(raft_campaign(solo->raft), OK);
    }
    solo_run(solo, trail);
    assert_int_equal(solo->raft->role, role);
}

/* One tick; whether it began an election. */
static bool tick_campaigns(struct solo *solo)
{
    uint64_t term = solo->raft->term;
    raft_tick(solo->raft);
    return solo->raft->term > term;
}

/* peers: etcd/TestFollowerElectionTimeoutRandomized, etcd/TestCandidateElectionTimeoutRandomized,
 * raftrs/test_follower_election_timeout_randomized,
 * raftrs/test_candidate_election_timeout_randomized,
 * tinykv/TestFollowerElectionTimeoutRandomized2AA,
 * tinykv/TestCandidateElectionTimeoutRandomized2AA */
static void timeouts_are_drawn_from_the_whole_range_and_no_further(void **state)
{
    (void)state;
    static const enum raft_role roles[] = {RAFT_FOLLOWER, RAFT_CANDIDATE};
    for (size_t r = 0; r < ARRAY_COUNT(roles); r++) {
        struct raft_config config = config_of(3);
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        uint32_t seen[2 * ELECTION_TICKS] = {0};
        for (uint32_t round = 0; round < 50 * ELECTION_TICKS; round++) {
            wait_anew(&solo, roles[r], &trail);
            uint32_t ticks = 1;
            while (!tick_campaigns(&solo)) {
                ticks++;
            }
            assert_in_range(ticks, ELECTION_TICKS, 2 * ELECTION_TICKS - 1);
            seen[ticks]++;
        }
        for (uint32_t ticks = ELECTION_TICKS; ticks < 2 * ELECTION_TICKS; ticks++) {
            assert_true(seen[ticks] > 0);
        }
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* Runs all until the first campaigns; how many did in the same tick. */
static uint32_t campaigns_at_once(struct solo *solos, uint32_t count)
{
    uint32_t campaigns = 0;
    while (campaigns == 0) {
        for (uint32_t i = 0; i < count; i++) {
            campaigns += tick_campaigns(&solos[i]) ? 1 : 0;
        }
    }
    return campaigns;
}

/* peers: etcd/TestFollowersElectionTimeoutNonconflict,
 * etcd/TestCandidatesElectionTimeoutNonconflict,
 * raftrs/test_follower_election_timeout_nonconflict,
 * raftrs/test_candidates_election_timeout_nonconf,
 * tinykv/TestFollowersElectionTimeoutNonconflict2AA,
 * tinykv/TestCandidatesElectionTimeoutNonconflict2AA */
static void mostly_one_node_alone_times_out_first(void **state)
{
    (void)state;
    static const enum raft_role roles[] = {RAFT_FOLLOWER, RAFT_CANDIDATE};
    for (size_t r = 0; r < ARRAY_COUNT(roles); r++) {
        struct solo solos[5];
        struct trail trail = {0};
        for (uint32_t i = 0; i < 5; i++) {
            struct raft_config config = config_of(5);
            config.id = i + 1;
            config.seed = i + 1;
            solo_open_with(&solos[i], &config, NULL, 0);
        }
        uint32_t conflicts = 0;
        for (int round = 0; round < 1000; round++) {
            for (uint32_t i = 0; i < 5; i++) {
                wait_anew(&solos[i], roles[r], &trail);
            }
            conflicts += campaigns_at_once(solos, 5) > 1 ? 1 : 0;
        }
        assert_in_range(conflicts, 1, 300);
        trail_deinit(&trail);
        for (uint32_t i = 0; i < 5; i++) {
            solo_deinit(&solos[i]);
        }
    }
}

/* peers: etcd/TestVoteRequest, raftrs/test_vote_request, tinykv/TestVoteRequest2AB */
static void a_vote_request_tells_where_the_log_ends(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2; count++) {
        struct entry entries[] = {make_entry(1, 1), make_entry(2, 2)};
        struct raft_config config = config_of(3);
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        solo_hear(&solo, (struct message){.type = MSG_APP,
                                          .from = 2,
                                          .term = count,
                                          .entries = entries,
                                          .entry_count = count});
        solo_run(&solo, &trail);
        tick_past_one_timeout(&solo);
        solo_run(&solo, &trail);
        assert_int_equal(trail.sent.count, 2);
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(trail.sent.messages[i].type, MSG_VOTE);
            assert_int_equal(trail.sent.messages[i].to, i + 2);
            assert_int_equal(trail.sent.messages[i].term, count + 1);
            assert_int_equal(trail.sent.messages[i].index, count);
            assert_int_equal(trail.sent.messages[i].log_term, count);
        }
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestVoter, raftrs/test_voter, tinykv/TestVoter2AB */
static void a_vote_is_refused_to_a_log_that_is_behind(void **state)
{
    (void)state;
    static const struct {
        uint64_t terms[2];
        uint32_t count;
        struct raft_pos candidate;
        bool reject;
    } cases[] = {
        {{1}, 1, {1, 1}, false},   {{1}, 1, {1, 2}, false},    {{1, 1}, 2, {1, 1}, true},
        {{1}, 1, {2, 1}, false},   {{1}, 1, {2, 2}, false},    {{1, 1}, 2, {2, 1}, false},
        {{2}, 1, {1, 1}, true},    {{2}, 1, {1, 2}, true},     {{2, 2}, 2, {1, 1}, true},
        {{2, 2}, 2, {2, 1}, true}, {{1, 2}, 2, {2, 2}, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct raft_config config = config_of(2);
        config.hard_state.term = 2;
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, cases[i].terms, cases[i].count);
        solo_hear(&solo, (struct message){.type = MSG_VOTE,
                                          .from = 2,
                                          .term = 3,
                                          .log_term = cases[i].candidate.term,
                                          .index = cases[i].candidate.index});
        solo_run(&solo, &trail);
        assert_int_equal(trail.sent.count, 1);
        assert_int_equal(trail.sent.messages[0].type, MSG_VOTE_RESP);
        assert_int_equal(trail.sent.messages[0].reject, cases[i].reject);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_hears_of_a_higher_term_follows_in_it),
        cmocka_unit_test(an_append_of_an_earlier_term_leaves_no_trace),
        cmocka_unit_test(a_node_begins_as_a_follower_whatever_it_remembers),
        cmocka_unit_test(a_leaders_tick_is_one_bare_heartbeat_for_each_follower),
        cmocka_unit_test(who_hears_nobody_asks_all_others_for_their_votes),
        cmocka_unit_test(one_round_of_answers_is_a_win_a_loss_or_neither),
        cmocka_unit_test(a_vote_goes_to_the_first_who_asks_in_a_term),
        cmocka_unit_test(a_candidate_yields_to_a_leader_of_its_term_or_a_later_one),
        cmocka_unit_test(timeouts_are_drawn_from_the_whole_range_and_no_further),
        cmocka_unit_test(mostly_one_node_alone_times_out_first),
        cmocka_unit_test(a_vote_request_tells_where_the_log_ends),
        cmocka_unit_test(a_vote_is_refused_to_a_log_that_is_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
