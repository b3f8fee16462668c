#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static err try_new(struct raft_config *config, struct memlog *log)
{
    struct raft *raft = NULL;
    config->storage = memlog_storage(log);
    err e = raft_new(&raft, config);
    raft_free(raft);
    return e;
}

static void options_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    struct memlog log = {0};
    struct raft_config good = default_config();
    good.id = 1;
    good.conf.voters = ids_to(3);
    assert_int_equal(try_new(&good, &log), OK);
    struct raft_config bad = good;
    bad.id = 0;
    assert_int_equal(try_new(&bad, &log), ERR_BAD_REQUEST);
    bad = good;
    bad.heartbeat_ticks = bad.election_ticks;
    assert_int_equal(try_new(&bad, &log), ERR_BAD_REQUEST);
    bad = good;
    bad.heartbeat_ticks = 0;
    assert_int_equal(try_new(&bad, &log), ERR_BAD_REQUEST);
    bad = good;
    bad.read_mode = RAFT_READ_LEASE;
    assert_int_equal(try_new(&bad, &log), ERR_BAD_REQUEST);
    bad.check_quorum = true;
    assert_int_equal(try_new(&bad, &log), OK);
}

static void a_log_that_does_not_fit_its_state_is_damaged(void **state)
{
    (void)state;
    struct memlog log = {0};
    memlog_fill(&log, log_terms, 3);
    struct raft_config config = default_config();
    config.id = 1;
    config.conf.voters = ids_to(3);
    config.hard_state = (struct hard_state){.term = 2, .commit = 4};
    assert_int_equal(try_new(&config, &log), ERR_DAMAGED);
    config.hard_state.commit = 2;
    config.applied = 4;
    assert_int_equal(try_new(&config, &log), ERR_DAMAGED);
    config.applied = 3; /* applied is committed, whatever the hard state remembers */
    assert_int_equal(try_new(&config, &log), OK);
    memlog_compact(&log, 2);
    config.applied = 1;
    assert_int_equal(try_new(&config, &log), ERR_DAMAGED);
    config.applied = 2;
    config.conf.learners = ids_to(1);
    assert_int_equal(try_new(&config, &log), ERR_DAMAGED);
    raft_entries_deinit(&log.entries);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    assert_int_equal(group_propose(group, 1, "x"), OK);
    group_settle(group);
    uint64_t term = group_raft(group, 2)->term;
    group_crash(group, 2);
    group_start(group, 2);
    assert_int_equal(group_raft(group, 2)->term, term);
    assert_int_equal(group_raft(group, 2)->vote, 1);
    assert_int_equal(group_raft(group, 2)->log.applied, 2);
    assert_false(raft_has_ready(group_raft(group, 2)));
    assert_int_equal(group_propose(group, 1, "y"), OK);
    group_settle(group);
    assert_int_equal(group->peers[2].applied, 3);
    group_free(group);
}

static void the_status_tells_what_the_leader_knows(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    struct raft_status status;
    raft_status(group_raft(group, 1), &status);
    assert_int_equal(status.member_count, 3);
    assert_int_equal(status.members[2].match, 1);
    assert_int_equal(status.members[2].state, RAFT_PROGRESS_REPLICATE);
    assert_int_equal(status.hard_state.commit, 1);
    assert_int_equal(status.leader, 1);
    raft_status(group_raft(group, 2), &status);
    assert_int_equal(status.member_count, 0);
    assert_int_equal(status.leader, 1);
    group_free(group);
}

static void a_follower_that_forgets_its_leader_may_vote(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.check_quorum = true;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 1, true);
    assert_int_equal(raft_campaign(group_raft(group, 2)), OK);
    group_settle(group);
    assert_int_equal(group_raft(group, 2)->role, RAFT_CANDIDATE);
    assert_int_equal(raft_forget_leader(group_raft(group, 3)), OK);
    assert_int_equal(raft_campaign(group_raft(group, 2)), OK);
    group_settle(group);
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    assert_int_equal(raft_forget_leader(group_raft(group, 2)), OK); /* nothing for a leader */
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_log_that_does_not_fit_its_state_is_damaged),
        cmocka_unit_test(a_restart_goes_on_where_it_was),
        cmocka_unit_test(the_status_tells_what_the_leader_knows),
        cmocka_unit_test(a_follower_that_forgets_its_leader_may_vote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
