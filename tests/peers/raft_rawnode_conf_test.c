/* Membership changes, from the proposal to the configuration in force. */
#include "one_core.h"

static struct id_set ids(node_id a, node_id b)
{
    struct id_set set = {0};
    assert_true((a == 0 || id_set_add(&set, a)) && (b == 0 || id_set_add(&set, b)));
    return set;
}

/* Node 1, alone, leads; everything so far is applied and the trail is empty. */
static void lead_alone(struct solo *solo, struct trail *trail)
{
    struct raft_config config = config_of(1);
    *trail = (struct trail){0};
    solo_open_with(solo, &config, NULL, 0);
    solo_become(solo, RAFT_LEADER, trail);
    raft_entries_clear(&trail->applied);
}

/* What `change` stands as in an entry. Caller unrefs. */
static struct buf *encoded(const struct conf_change *change)
{
    struct writer writer = {0};
    conf_change_encode(change, &writer);
    struct buf *data = writer_to_buf(&writer);
    writer_deinit(&writer);
    return data;
}

/* The log on the disk must end with "some data" and the change, bit by bit. */
static void expect_log_end(const struct solo *solo, const struct conf_change *change, bool v1)
{
    const struct raft_entries *entries = &solo->log.entries;
    assert_true(entries->count >= 2);
    expect_data(&entries->items[entries->count - 2], "some data");
    const struct entry *last = &entries->items[entries->count - 1];
    assert_int_equal(last->type, v1 ? ENTRY_CONF_CHANGE : ENTRY_CONF_CHANGE_V2);
    struct buf *data = encoded(change);
    assert_true(slice_equal(buf_slice(last->data), buf_slice(data)));
    buf_unref(data);
}

/* Turns until one more change has come into force. */
static void run_to_change(struct solo *solo, struct trail *trail)
{
    uint32_t count = trail->conf_change_count;
    while (trail->conf_change_count == count) {
        assert_true(raft_has_ready(solo->raft));
        (void)solo_turn(solo, trail);
    }
}

struct change_case {
    struct conf_change change;
    bool v1;
    struct conf_state joint_or_final;
    bool is_joint; /* then the final one is without the outgoing half */
};

/* Takes the joint configuration, which is in force, to its end. */
static void leave_joint(struct solo *solo, const struct change_case *test, struct trail *trail)
{
    bool by_itself = test->joint_or_final.auto_leave;
    struct conf_change leave = {.context = by_itself ? SLICE_EMPTY : SLICE_LITERAL("manual")};
    if (!by_itself) {
        solo_run(solo, trail);
        assert_int_equal(raft_propose_conf_change(solo->raft, &leave, false, NULL), OK);
    }
    const struct raft_ready *ready = solo_turn(solo, trail);
    assert_int_equal(ready->entry_count, 1);
    assert_int_equal(ready->entries[0].type, ENTRY_CONF_CHANGE_V2);
    struct conf_change found;
    assert_int_equal(conf_change_decode(buf_slice(ready->entries[0].data), &found), OK);
    assert_int_equal(found.count, 0);
    assert_true(slice_equal(found.context, leave.context));
    /* As if it were committed: the other half of the quorum does not exist here. */
    struct conf_state conf;
    assert_int_equal(raft_apply_conf_change(solo->raft, &found, &conf), OK);
    struct conf_state final = test->joint_or_final;
    for (uint32_t i = 0; i < final.learners_next.count; i++) {
        assert_true(id_set_add(&final.learners, final.learners_next.ids[i]));
    }
    final.voters_outgoing = final.learners_next = (struct id_set){0};
    final.auto_leave = false;
    assert_true(conf_state_equal(&conf, &final));
}

static void check_change(const struct change_case *test)
{
    struct trail trail;
    struct solo solo;
    lead_alone(&solo, &trail);
    assert_int_equal(solo_propose(&solo, "some data"), OK);
    assert_int_equal(raft_propose_conf_change(solo.raft, &test->change, test->v1, NULL), OK);
    run_to_change(&solo, &trail);
    expect_log_end(&solo, &test->change, test->v1);
    assert_true(conf_state_equal(&trail.conf, &test->joint_or_final));
    /* The change that leaves by itself is in the log already, if there is one. */
    uint64_t leaves = test->joint_or_final.auto_leave ? 1 : 0;
    assert_int_equal(solo.raft->pending_conf_index, memlog_last(&solo.log) + leaves);
    if (test->is_joint) {
        leave_joint(&solo, test, &trail);
    } else {
        raft_entries_clear(&trail.written);
        solo_run(&solo, &trail);
        assert_int_equal(trail.written.count, 0);
    }
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestRawNodeProposeAndConfChange, raftrs/test_raw_node_propose_and_conf_change */
static void changes_come_into_force_simply_or_through_a_joint_configuration(void **state)
{
    (void)state;
    struct conf_change voter = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, 2}}};
    struct conf_change learner = {.count = 1, .changes = {{CONF_CHANGE_ADD_LEARNER, 2}}};
    struct conf_change replace = {.count = 3,
                                  .changes = {{CONF_CHANGE_ADD_VOTER, 2},
                                              {CONF_CHANGE_ADD_LEARNER, 1},
                                              {CONF_CHANGE_ADD_LEARNER, 3}}};
    struct conf_state two = {.voters = ids(1, 2)};
    struct conf_state with_learner = {.voters = ids(1, 0), .learners = ids(2, 0)};
    struct conf_state joint_learner = with_learner;
    joint_learner.voters_outgoing = ids(1, 0);
    struct conf_state replaced = {.voters = ids(2, 0),
                                  .voters_outgoing = ids(1, 0),
                                  .learners = ids(3, 0),
                                  .learners_next = ids(1, 0)};
    struct change_case cases[] = {
        {voter, true, two, false},
        {voter, false, two, false},
        {learner, false, with_learner, false},
        {learner, false, joint_learner, true},
        {learner, false, joint_learner, true},
        {replace, false, replaced, true},
        {replace, false, replaced, true},
        {replace, false, replaced, true},
    };
    cases[3].change.transition = CONF_TRANSITION_EXPLICIT;
    cases[4].change.transition = CONF_TRANSITION_IMPLICIT;
    cases[4].joint_or_final.auto_leave = true;
    cases[5].joint_or_final.auto_leave = true; /* three changes cannot be simple */
    cases[6].change.transition = CONF_TRANSITION_EXPLICIT;
    cases[7].change.transition = CONF_TRANSITION_IMPLICIT;
    cases[7].joint_or_final.auto_leave = true;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        check_change(&cases[i]);
    }
}

/* peers: etcd/TestNodeProposeConfig, tinykv/TestRawNodeProposeAndConfChange3A */
static void a_proposed_change_stands_in_the_log_as_it_was_given(void **state)
{
    (void)state;
    struct conf_change again = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, 1}}};
    struct trail trail;
    struct solo solo;
    lead_alone(&solo, &trail);
    assert_int_equal(solo_propose(&solo, "some data"), OK);
    assert_int_equal(raft_propose_conf_change(solo.raft, &again, true, NULL), OK);
    (void)solo_turn(&solo, &trail);
    expect_log_end(&solo, &again, true);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestRawNodeProposeAddDuplicateNode, etcd/TestNodeProposeAddDuplicateNode,
 * raftrs/test_raw_node_propose_add_duplicate_node,
 * tinykv/TestRawNodeProposeAddDuplicateNode3A */
static void adding_a_member_twice_does_not_keep_the_next_one_out(void **state)
{
    (void)state;
    static const node_id added[] = {1, 1, 2};
    struct trail trail;
    struct solo solo;
    lead_alone(&solo, &trail);
    for (uint32_t i = 0; i < ARRAY_COUNT(added); i++) {
        struct conf_change add = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, added[i]}}};
        assert_int_equal(raft_propose_conf_change(solo.raft, &add, true, NULL), OK);
        solo_run(&solo, &trail);
        assert_int_equal(trail.conf_change_count, i + 1);
        struct buf *data = encoded(&add);
        assert_int_equal(trail.applied.count, i + 1);
        assert_int_equal(trail.applied.items[i].type, ENTRY_CONF_CHANGE);
        assert_true(slice_equal(buf_slice(trail.applied.items[i].data), buf_slice(data)));
        buf_unref(data);
    }
    struct id_set both = ids(1, 2);
    assert_true(id_set_equal(&trail.conf.voters, &both));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestNodeProposeAddLearnerNode, raftrs/test_raw_node_propose_add_learner_node */
static void an_added_learner_is_told_and_leaves_the_voters_alone(void **state)
{
    (void)state;
    struct conf_change add = {.count = 1, .changes = {{CONF_CHANGE_ADD_LEARNER, 2}}};
    struct trail trail;
    struct solo solo;
    lead_alone(&solo, &trail);
    assert_int_equal(raft_propose_conf_change(solo.raft, &add, true, NULL), OK);
    solo_run(&solo, &trail);
    struct conf_state expected = {.voters = ids(1, 0), .learners = ids(2, 0)};
    assert_true(conf_state_equal(&trail.conf, &expected));
    assert_true(raft_tracker_find(&solo.raft->tracker, 2)->is_learner);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestRawNodeJointAutoLeave, raftrs/test_raw_node_joint_auto_leave */
static void the_next_leader_leaves_a_joint_state_that_its_predecessor_could_not(void **state)
{
    (void)state;
    struct conf_change change = {.transition = CONF_TRANSITION_IMPLICIT,
                                 .count = 1,
                                 .changes = {{CONF_CHANGE_ADD_LEARNER, 2}}};
    struct trail trail;
    struct solo solo;
    lead_alone(&solo, &trail);
    assert_int_equal(solo_propose(&solo, "some data"), OK);
    assert_int_equal(raft_propose_conf_change(solo.raft, &change, false, NULL), OK);
    (void)solo_turn(&solo, &trail);
    expect_log_end(&solo, &change, false);
    /* The ready that commits it is taken, and then leadership is lost, before it is applied. */
    raft_ready(solo.raft, &solo.ready);
    assert_int_equal(solo.ready.committed_count, 2);
    solo_hear(&solo, (struct message){.type = MSG_VOTE, .from = 2, .term = 2});
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    solo_apply(&solo, &solo.ready.committed[1], &trail);
    struct conf_state joint = {.voters = ids(1, 0),
                               .voters_outgoing = ids(1, 0),
                               .learners = ids(2, 0),
                               .auto_leave = true};
    assert_true(conf_state_equal(&trail.conf, &joint));
    raft_applied(solo.raft, 3);
    assert_int_equal(solo.raft->pending_conf_index, 0);
    raft_entries_clear(&trail.written);
    solo_run(&solo, &trail);
    assert_int_equal(trail.written.count, 0); /* a follower proposes nothing */

    assert_int_equal(raft_campaign(solo.raft), OK);
    solo_run(&solo, &trail);
    assert_int_equal(solo.raft->role, RAFT_LEADER);
    assert_int_equal(trail.written.count, 2);
    assert_int_equal(trail.written.items[0].type, ENTRY_NORMAL);
    assert_int_equal(trail.written.items[1].type, ENTRY_CONF_CHANGE_V2);
    assert_null(trail.written.items[1].data);
    struct conf_state final = {.voters = ids(1, 0), .learners = ids(2, 0)};
    assert_true(conf_state_equal(&trail.conf, &final));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_come_into_force_simply_or_through_a_joint_configuration),
        cmocka_unit_test(a_proposed_change_stands_in_the_log_as_it_was_given),
        cmocka_unit_test(adding_a_member_twice_does_not_keep_the_next_one_out),
        cmocka_unit_test(an_added_learner_is_told_and_leaves_the_voters_alone),
        cmocka_unit_test(the_next_leader_leaves_a_joint_state_that_its_predecessor_could_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
