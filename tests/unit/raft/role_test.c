#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static void every_role_change_draws_a_new_timeout_within_bounds(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    bool seen[20] = {false};
    for (int i = 0; i < 1000; i++) {
        raft_become_follower(solo.raft, solo.raft->term, 0);
        uint32_t ticks = solo.raft->randomized_election_ticks;
        assert_in_range(ticks, 10, 19);
        seen[ticks] = true;
    }
    for (int ticks = 10; ticks < 20; ticks++) {
        assert_true(seen[ticks]);
    }
    solo_deinit(&solo);
}

static void a_pre_candidate_keeps_term_and_vote(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo.raft->vote = 3;
    raft_become_pre_candidate(solo.raft);
    assert_int_equal(solo.raft->term, 2);
    assert_int_equal(solo.raft->vote, 3);
    raft_become_candidate(solo.raft);
    assert_int_equal(solo.raft->term, 3);
    assert_int_equal(solo.raft->vote, 1);
    solo_deinit(&solo);
}

static void a_leader_starts_its_term_with_an_empty_entry(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    raft_become_candidate(solo.raft);
    raft_become_leader(solo.raft);
    struct raft_pos last = raft_log_last(&solo.raft->log);
    assert_int_equal(last.index, 4);
    assert_int_equal(last.term, 3);
    for (node_id id = 2; id <= 3; id++) {
        assert_int_equal(raft_tracker_find(&solo.raft->tracker, id)->match, 0);
        assert_int_equal(raft_tracker_find(&solo.raft->tracker, id)->next, 4);
    }
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_change_draws_a_new_timeout_within_bounds),
        cmocka_unit_test(a_pre_candidate_keeps_term_and_vote),
        cmocka_unit_test(a_leader_starts_its_term_with_an_empty_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
