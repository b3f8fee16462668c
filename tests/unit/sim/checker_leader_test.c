/* K10: what a leader is, and how it commits. */
#include "node_testing.h"

static void leads_as_a_learner(struct sim *sim)
{
    leads(sim, 1, 2);
    node_of(sim, 1)->raft.tracker.members[0].is_learner = true;
    leads(sim, 1, 2);
}

static void leads_removed(struct sim *sim)
{
    leads(sim, 1, 2);
    node_of(sim, 1)->raft.tracker.count = 0;
    leads(sim, 1, 2);
}

static void hands_over(struct sim *sim, node_id target, uint64_t last)
{
    struct raft *raft = &node_of(sim, 1)->raft;
    raft->transfer_target = target;
    raft->election_elapsed++;
    for (uint64_t index = 4; index <= last; index++) {
        node_of(sim, 1)->terms[index] = 2;
    }
    raft_unstable_deinit(&raft->log.unstable);
    raft_unstable_init(&raft->log.unstable, last);
    leads(sim, 1, 2);
}

static void proposes_while_it_hands_over(struct sim *sim)
{
    leads(sim, 1, 2);
    hands_over(sim, 3, 4);
    hands_over(sim, 3, 5);
}

static void hands_over_once_more(struct sim *sim)
{
    leads(sim, 1, 2);
    hands_over(sim, 3, 4);
    node_of(sim, 1)->raft.election_elapsed = 0;
    hands_over(sim, 3, 4);
    hands_over(sim, 3, 4);
    node_of(sim, 1)->raft.election_elapsed = 0; /* begun anew, after what was proposed */
    hands_over(sim, 3, 5);
}

static void a_leader_that_must_not_lead_or_propose_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), leads_as_a_learner, "node 1 leads term 2 and is no voter");
    assert_fails(three_nodes(), leads_removed, "node 1 leads term 2 and is no voter");
    assert_fails(three_nodes(), proposes_while_it_hands_over,
                 "node 1 hands term 2 over to node 3 and goes on proposing, up to index 5");
    hands_over_once_more(three_nodes());
}

/* Node 1 leads term 2, and has a change of term 1 at index 3 in its log. */
static void proposes_a_change(struct sim *sim, uint64_t applied)
{
    struct entry old = {.pos = {.term = 1, .index = 3}, .type = ENTRY_CONF_CHANGE_V2};
    struct entry own = {.pos = {.term = 2, .index = 4}, .type = ENTRY_CONF_CHANGE_V2};
    struct wal_append append = {.region = REGION_FIRST, .entries = &old, .entry_count = 1};
    checker_logged(sim->checker, sim->hosts[1], &append);
    leads(sim, 1, 2);
    node_of(sim, 1)->raft.log.applied = applied;
    append.entries = &own;
    checker_logged(sim->checker, sim->hosts[1], &append);
}

static void proposes_a_change_before_the_last(struct sim *sim)
{
    proposes_a_change(sim, 2);
}

static void a_change_before_the_last_one_is_applied_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), proposes_a_change_before_the_last,
                 "node 1 leads term 2 and proposes a change of members at index 4 before it has "
                 "applied the one at index 3");
    proposes_a_change(three_nodes(), 3);
}

static void commits_by_an_entry_of_an_older_term(struct sim *sim)
{
    leads(sim, 1, 2);
    commits(sim, 1, 3);
}

/* Nodes 1 and 4 of 1, 4 and, on the way out, 1 to 3. */
static void commits_with_half_of_a_joint_configuration(struct sim *sim)
{
    struct raft_tracker *tracker = &node_of(sim, 1)->raft.tracker;
    tracker->conf.voters = (struct id_set){.count = 2, .ids = {1, 4}};
    tracker->conf.voters_outgoing = (struct id_set){.count = 3, .ids = {1, 2, 3}};
    tracker->members[0].match = 4;
    tracker->members[1] = (struct raft_progress){.id = 4, .match = 4};
    tracker->count = 2;
    leads(sim, 1, 2);
    commits(sim, 1, 4);
}

static void a_commit_by_an_older_entry_or_without_a_quorum_is_found(void **state)
{
    assert_fails(three_nodes(), commits_with_half_of_a_joint_configuration,
                 "commit rule: node 1 leads term 2 and commits up to index 4, which no quorum has");
    (void)state;
    assert_fails(three_nodes(), commits_by_an_entry_of_an_older_term,
                 "commit rule: node 1 leads term 2 and commits up to index 3, which is of term 1");
}

static void older_entries_are_committed_with_one_of_the_term_or_before_the_election(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    node_of(sim, 1)->raft.log.committed = 2; /* heard in the turn in which it is elected */
    leads(sim, 1, 2);
    node_of(sim, 1)->terms[4] = 2;
    commits(sim, 1, 4);
    commits(sim, 2, 3); /* as a follower */
    assert_int_equal(checker_committed(sim->checker), 4);
}

/* Disk 7100002506: it committed and, by the same turn's tick, missed its quorum. */
static void who_has_stepped_down_in_the_same_turn_does_not_know_who_had_what(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    struct raft *raft = &node_of(sim, 1)->raft;
    raft->tracker.conf.voters = (struct id_set){.count = 3, .ids = {1, 2, 3}};
    leads(sim, 1, 2);
    node_of(sim, 1)->terms[4] = 2;
    raft->role = RAFT_FOLLOWER;
    for (uint32_t i = 0; i < raft->tracker.count; i++) {
        raft->tracker.members[i].match = 0;
    }
    commits(sim, 1, 4);
    assert_int_equal(checker_committed(sim->checker), 4);
}

static void a_leader_may_propose_until_it_hands_over_and_after_it_has_given_up(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    leads(sim, 1, 2);
    hands_over(sim, 3, 4);
    hands_over(sim, 3, 4);
    hands_over(sim, 0, 5);
    hands_over(sim, 2, 6);
}

/* Node 1 has a committed change at index 3. */
static void stands(struct sim *sim, uint64_t applied)
{
    struct entry change = {.pos = {.term = 1, .index = 3}, .type = ENTRY_CONF_CHANGE_V2};
    struct wal_append append = {.region = REGION_FIRST, .entries = &change, .entry_count = 1};
    checker_logged(sim->checker, sim->hosts[1], &append);
    commits(sim, 1, 3);
    node_of(sim, 1)->raft.log.applied = applied;
    node_of(sim, 1)->raft.term = 2;
    node_of(sim, 1)->raft.role = RAFT_CANDIDATE;
    checker_after_turn(sim->checker, sim->hosts[1]);
}

static void stands_with_the_members_of_before(struct sim *sim)
{
    stands(sim, 2);
}

static void who_stands_before_a_committed_change_is_applied_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), stands_with_the_members_of_before,
                 "node 1 stands in term 2 before it has applied the committed change of members at "
                 "index 3");
    stands(three_nodes(), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_that_must_not_lead_or_propose_is_found),
        cmocka_unit_test(who_has_stepped_down_in_the_same_turn_does_not_know_who_had_what),
        cmocka_unit_test(a_leader_may_propose_until_it_hands_over_and_after_it_has_given_up),
        cmocka_unit_test(a_change_before_the_last_one_is_applied_is_found),
        cmocka_unit_test(a_commit_by_an_older_entry_or_without_a_quorum_is_found),
        cmocka_unit_test(older_entries_are_committed_with_one_of_the_term_or_before_the_election),
        cmocka_unit_test(who_stands_before_a_committed_change_is_applied_is_found),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
