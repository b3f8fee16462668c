#include "fixture.h"
#include "raft/tracker.h"

static void members_that_stay_keep_their_progress(void **state)
{
    (void)state;
    struct raft_tracker tracker;
    raft_tracker_init(&tracker, 4, 0);
    struct conf_state conf = {.voters = ids_to(4)};
    raft_tracker_adopt(&tracker, &conf, NULL, 7);
    for (node_id id = 1; id <= 4; id++) {
        struct raft_progress *progress = raft_tracker_find(&tracker, id);
        assert_int_equal(progress->next, 7);
        raft_inflights_add(&progress->inflights, 7, 1);
        progress->match = id;
    }
    id_set_remove(&conf.voters, 2);
    id_set_remove(&conf.voters, 4);
    assert_true(id_set_add(&conf.learners, 4));
    assert_true(id_set_add(&conf.voters, 9));
    struct id_set renewed = {.count = 1, .ids = {3}};
    raft_tracker_adopt(&tracker, &conf, &renewed, 20);
    assert_int_equal(tracker.count, 4);
    assert_null(raft_tracker_find(&tracker, 2));
    assert_int_equal(raft_tracker_find(&tracker, 1)->match, 1);
    assert_int_equal(raft_tracker_find(&tracker, 1)->inflights.count, 1);
    assert_int_equal(raft_tracker_find(&tracker, 3)->match, 0);
    assert_true(raft_tracker_find(&tracker, 4)->is_learner);
    assert_int_equal(raft_tracker_find(&tracker, 4)->match, 4);
    assert_int_equal(raft_tracker_find(&tracker, 9)->next, 20);
    raft_tracker_deinit(&tracker);
}

static void learners_neither_commit_nor_vote_nor_keep_a_quorum_alive(void **state)
{
    (void)state;
    struct raft_tracker tracker;
    raft_tracker_init(&tracker, 0, 0);
    struct conf_state conf = {.voters = ids_to(3), .learners = {2, {4, 5}}};
    raft_tracker_adopt(&tracker, &conf, NULL, 1);
    for (node_id id = 3; id <= 5; id++) {
        raft_tracker_find(&tracker, id)->match = 9;
        raft_tracker_record_vote(&tracker, id, true);
    }
    for (node_id id = 1; id <= 2; id++) {
        raft_tracker_find(&tracker, id)->recent_active = false;
    }
    assert_int_equal(raft_tracker_committed(&tracker), 0);
    assert_int_equal(raft_tracker_tally(&tracker), RAFT_VOTE_PENDING);
    assert_false(raft_tracker_quorum_active(&tracker));
    raft_tracker_record_vote(&tracker, 1, true);
    raft_tracker_record_vote(&tracker, 1, false); /* the first counts */
    assert_int_equal(raft_tracker_tally(&tracker), RAFT_VOTE_WON);
    raft_tracker_reset_votes(&tracker);
    assert_int_equal(raft_tracker_tally(&tracker), RAFT_VOTE_PENDING);
    raft_tracker_deinit(&tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_that_stay_keep_their_progress),
        cmocka_unit_test(learners_neither_commit_nor_vote_nor_keep_a_quorum_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
