#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static void a_higher_term_makes_a_follower(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo_lead(&solo);
    struct message beat = {.type = MSG_HEARTBEAT, .from = 3, .to = 1, .term = 9};
    assert_int_equal(raft_step(solo.raft, &beat), OK);
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    assert_int_equal(solo.raft->term, 9);
    assert_int_equal(solo.raft->leader, 3);
    solo_deinit(&solo);
}

static void a_pre_vote_changes_nobodys_term(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct message ask = {
        .type = MSG_PRE_VOTE, .from = 2, .to = 1, .term = 9, .log_term = 2, .index = 3};
    assert_int_equal(raft_step(solo.raft, &ask), OK);
    assert_int_equal(solo.raft->term, 2);
    assert_int_equal(solo.raft->vote, 0);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_false(ready->has_hard_state);
    assert_int_equal(ready->messages_after_persist[0].type, MSG_PRE_VOTE_RESP);
    assert_int_equal(ready->messages_after_persist[0].term, 9);
    assert_false(ready->messages_after_persist[0].reject);
    solo_deinit(&solo);
}

static void a_leader_of_the_past_learns_that_it_is_over(void **state)
{
    (void)state;
    for (int option = 0; option <= 3; option++) {
        struct raft_config config = default_config();
        config.check_quorum = option == 1;
        config.pre_vote = option == 2;
        config.commit_hints = option == 3;
        struct solo solo;
        solo_init(&solo, &config, 5, 1, log_terms, 3);
        struct message beat = {.type = MSG_HEARTBEAT, .from = 3, .to = 1, .term = 3};
        assert_int_equal(raft_step(solo.raft, &beat), OK);
        const struct raft_ready *ready = solo_ready(&solo);
        assert_int_equal(ready->after_persist_count, option == 0 ? 0 : 1);
        assert_int_equal(solo.raft->leader, 0);
        solo_deinit(&solo);
    }
}

static void who_hears_a_leader_ignores_other_candidates_but_not_the_leaders_choice(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.check_quorum = true;
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct message beat = {.type = MSG_HEARTBEAT, .from = 3, .to = 1, .term = 2};
    assert_int_equal(raft_step(solo.raft, &beat), OK);
    struct message ask = {
        .type = MSG_VOTE, .from = 2, .to = 1, .term = 3, .log_term = 2, .index = 3};
    assert_int_equal(raft_step(solo.raft, &ask), OK);
    assert_int_equal(solo.raft->term, 2);
    ask.is_transfer = true;
    assert_int_equal(raft_step(solo.raft, &ask), OK);
    assert_int_equal(solo.raft->term, 3);
    assert_int_equal(solo.raft->vote, 2);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_higher_term_makes_a_follower),
        cmocka_unit_test(a_pre_vote_changes_nobodys_term),
        cmocka_unit_test(a_leader_of_the_past_learns_that_it_is_over),
        cmocka_unit_test(who_hears_a_leader_ignores_other_candidates_but_not_the_leaders_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
