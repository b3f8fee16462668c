/* The option commit_hints: what votes, their answers and reads tell of what is committed. */
#include "network.h"

static struct raft_config hinting(bool pre_vote)
{
    struct raft_config config = default_config();
    config.commit_hints = true;
    config.pre_vote = pre_vote;
    config.check_quorum = true;
    config.step_down_on_removal = true;
    return config;
}

/*
 * Node 1 leads, and alone with node 2 knows that its entry 2 is committed; all have it, and node 3
 * has one more if it is `ahead`. `change`: the entry removes node 1, else it is a plain one.
 */
static struct group *group_where_3_knows_less(bool pre_vote, bool change)
{
    struct raft_config config = hinting(pre_vote);
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group->ignored[MSG_APP_RESP] = true;
    if (change) {
        struct conf_change removal = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 1}}};
        err e = raft_propose_conf_change(group_raft(group, 1), &removal, false, NULL);
        assert_int_equal(e, OK);
        group_settle(group);
    } else {
        propose(group, 1, "entry");
    }
    uint64_t index = group_committed(group, 1) + 1;
    struct raft_pos fact = {.term = group_raft(group, 1)->term, .index = index};
    raft_learn_committed(group_raft(group, 2), fact);
    group_settle(group);
    assert_int_equal(group_committed(group, 2), index);
    assert_int_equal(group_committed(group, 3), index - 1);
    group_crash(group, 1);
    heal(group);
    return group;
}

static void lose_patience(struct group *group)
{
    for (node_id id = 2; id <= 3; id++) {
        assert_int_equal(raft_forget_leader(group_raft(group, id)), OK);
    }
}

/*
 * peers: raftrs/test_advance_commit_index_by_direct_vote_request,
 * raftrs/test_advance_commit_index_by_prevote_request
 */
static void who_is_asked_for_its_vote_learns_what_is_committed(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct group *group = group_where_3_knows_less(round % 2 == 1, round / 2 == 1);
        lose_patience(group);
        group->ignored[MSG_VOTE_RESP] = true; /* nobody is elected by this */
        group->ignored[MSG_PRE_VOTE_RESP] = true;
        campaign(group, 2);
        assert_int_equal(group_committed(group, 3), group_committed(group, 2));
        group_free(group);
    }
}

/*
 * peers: raftrs/test_advance_commit_index_by_direct_vote_response,
 * raftrs/test_advance_commit_index_by_prevote_response
 */
static void who_asks_for_a_vote_learns_what_is_committed(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct group *group = group_where_3_knows_less(round % 2 == 1, round / 2 == 1);
        lose_patience(group);
        if (round / 2 == 1) {
            /* What it learns is that it asked in the name of members that are none. */
            group->peers[3].is_apply_held = true;
        }
        campaign(group, 3);
        if (round / 2 == 1) {
            assert_int_equal(group_raft(group, 3)->role, RAFT_FOLLOWER);
            assert_int_equal(raft_campaign(group_raft(group, 3)), ERR_FORBIDDEN);
            group->peers[3].is_apply_held = false;
            group_apply_all(group, 3);
            lose_patience(group);
            campaign(group, 3);
        }
        assert_int_equal(group_raft(group, 3)->role, RAFT_LEADER);
        assert_true(group_committed(group, 3) >= group_committed(group, 2));
        group_free(group);
    }
}

/* peers: raftrs/test_advance_commit_index_by_read_index_response */
static void the_answer_to_a_read_tells_what_is_committed(void **state)
{
    (void)state;
    struct raft_config config = hinting(true);
    config.read_mode = RAFT_READ_LEASE; /* answered at once, with no other message */
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group->ignored[MSG_APP_RESP] = true;
    propose(group, 1, "entry");
    group->ignored[MSG_APP] = true;
    heal(group);
    group->ignored[MSG_APP] = true;
    struct message ack = {.type = MSG_APP_RESP, .from = 2, .to = 1, .term = 1, .index = 2};
    step(group, &ack);
    assert_int_equal(group_committed(group, 1), 2);
    assert_int_equal(group_committed(group, 3), 1);
    assert_int_equal(raft_read_index(group_raft(group, 3), (struct read_ctx){3, 1}), OK);
    group_settle(group);
    assert_int_equal(group->peers[3].read_state_count, 1);
    assert_int_equal(group_committed(group, 3), 2);
    group_free(group);
}

/*
 * Two members, one of which has removed itself and has more in its log than the other, which does
 * not know of it: neither may lead, and no vote but the one that is refused is there to be asked
 * for. It was found by the simulator (swarm 1208496148).
 */
static void who_needs_the_vote_of_a_removed_leader_learns_that_it_does_not(void **state)
{
    (void)state;
    for (int is_hinting = 0; is_hinting < 2; is_hinting++) {
        struct raft_config config = hinting(true);
        config.commit_hints = is_hinting == 1;
        struct group *group = group_new(2, &config);
        group_elect(group, 1);
        struct conf_change removal = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 1}}};
        struct raft *leader = group_raft(group, 1);
        assert_int_equal(raft_propose_conf_change(leader, &removal, false, NULL), OK);
        (void)group_work(group);
        assert_int_equal(group_propose(group, 1, "more"), OK);
        (void)group_work(group);
        group_deliver(group, 0); /* the change alone reaches node 2 */
        raft_outbox_clear(&group->network);
        (void)group_work(group);
        group_deliver(group, 0); /* and node 1 hears of that alone */
        raft_outbox_clear(&group->network);
        (void)group_work(group);
        raft_outbox_clear(&group->network);
        assert_int_equal(leader->role, RAFT_FOLLOWER);
        assert_int_equal(group_committed(group, 2), 1);
        for (int i = 0; i < 200; i++) {
            tick(group_raft(group, 1), 1);
            tick(group_raft(group, 2), 1);
            group_settle(group);
        }
        bool leads = group_raft(group, 2)->role == RAFT_LEADER;
        assert_int_equal(leads, is_hinting == 1);
        group_free(group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_asked_for_its_vote_learns_what_is_committed),
        cmocka_unit_test(who_asks_for_a_vote_learns_what_is_committed),
        cmocka_unit_test(the_answer_to_a_read_tells_what_is_committed),
        cmocka_unit_test(who_needs_the_vote_of_a_removed_leader_learns_that_it_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
