#include "base/prng.h"
#include "fixture.h"
#include "raft/conf_change.h"

static struct conf_change one(enum conf_change_type type, node_id id)
{
    struct conf_change change = {.count = 1};
    change.changes[0] = (struct conf_change_single){type, id};
    return change;
}

static void a_simple_change_changes_one_voter(void **state)
{
    (void)state;
    struct conf_state conf = {.voters = ids_to(3)};
    struct raft_conf_plan plan;
    struct conf_change add = one(CONF_CHANGE_ADD_VOTER, 4);
    assert_int_equal(raft_conf_apply(&conf, &add, &plan), RAFT_CONF_OK);
    assert_int_equal(plan.conf.voters.count, 4);
    assert_int_equal(plan.conf.voters_outgoing.count, 0);
    add.count = 2;
    add.changes[1] = (struct conf_change_single){CONF_CHANGE_REMOVE, 1};
    assert_int_equal(raft_conf_simple(&conf, &add, &plan), RAFT_CONF_TOO_MANY_VOTERS);
}

static void several_changes_go_through_a_joint_configuration(void **state)
{
    (void)state;
    struct conf_state conf = {.voters = ids_to(3)};
    struct conf_change change = one(CONF_CHANGE_ADD_LEARNER, 1);
    change.count = 2;
    change.changes[1] = (struct conf_change_single){CONF_CHANGE_ADD_VOTER, 4};
    struct raft_conf_plan plan;
    assert_int_equal(raft_conf_apply(&conf, &change, &plan), RAFT_CONF_OK);
    assert_true(plan.conf.auto_leave);
    assert_true(id_set_has(&plan.conf.learners_next, 1)); /* votes on until it is left */
    assert_false(id_set_has(&plan.conf.learners, 1));
    struct conf_change leave = {0};
    assert_int_equal(raft_conf_apply(&plan.conf, &leave, &plan), RAFT_CONF_OK);
    assert_true(id_set_has(&plan.conf.learners, 1));
    assert_false(raft_conf_is_joint(&plan.conf));
    assert_false(plan.conf.auto_leave);
    assert_int_equal(raft_conf_apply(&plan.conf, &leave, &plan), RAFT_CONF_NOT_JOINT);
}

static void what_does_not_fit_says_why(void **state)
{
    (void)state;
    struct conf_state alone = {.voters = ids_to(1)};
    struct conf_state empty = {0};
    struct raft_conf_plan plan;
    struct conf_change remove = one(CONF_CHANGE_REMOVE, 1);
    assert_int_equal(raft_conf_apply(&alone, &remove, &plan), RAFT_CONF_NO_VOTERS);
    struct conf_change learner = one(CONF_CHANGE_ADD_LEARNER, 1);
    assert_int_equal(raft_conf_apply(&alone, &learner, &plan), RAFT_CONF_NO_VOTERS);
    struct conf_change add = one(CONF_CHANGE_ADD_VOTER, 2);
    add.transition = CONF_TRANSITION_EXPLICIT;
    assert_int_equal(raft_conf_apply(&empty, &add, &plan), RAFT_CONF_JOINT_FROM_EMPTY);
    assert_int_equal(raft_conf_apply(&alone, &add, &plan), RAFT_CONF_OK);
    assert_false(plan.conf.auto_leave);
    struct conf_state joint = plan.conf;
    assert_int_equal(raft_conf_apply(&joint, &add, &plan), RAFT_CONF_ALREADY_JOINT);
    assert_int_equal(raft_conf_apply(&joint, &remove, &plan), RAFT_CONF_SIMPLE_IN_JOINT);
    struct conf_state full = {.voters = ids_to(MEMBERS_MAX)};
    struct conf_change more = one(CONF_CHANGE_ADD_LEARNER, MEMBERS_MAX + 1);
    assert_int_equal(raft_conf_apply(&full, &more, &plan), RAFT_CONF_TOO_MANY_MEMBERS);
    for (int fault = RAFT_CONF_OK; fault <= RAFT_CONF_TOO_MANY_MEMBERS; fault++) {
        assert_non_null(raft_conf_fault_text((enum raft_conf_fault)fault));
    }
}

static void a_member_that_leaves_and_comes_back_is_a_new_one(void **state)
{
    (void)state;
    struct conf_state conf = {.voters = ids_to(3)};
    struct conf_change change = one(CONF_CHANGE_REMOVE, 3);
    change.count = 2;
    change.changes[1] = (struct conf_change_single){CONF_CHANGE_ADD_VOTER, 3};
    struct raft_conf_plan plan;
    assert_int_equal(raft_conf_simple(&conf, &change, &plan), RAFT_CONF_OK);
    assert_true(id_set_has(&plan.renewed, 3));
    assert_int_equal(raft_conf_enter_joint(&conf, &change, true, &plan), RAFT_CONF_OK);
    assert_false(id_set_has(&plan.renewed, 3)); /* it is an outgoing voter all the time */
}

static void foreign_configurations_are_checked(void **state)
{
    (void)state;
    struct conf_state good = {.voters = ids_to(3)};
    assert_true(raft_conf_is_valid(&good));
    struct conf_state bad = good;
    bad.auto_leave = true;
    assert_false(raft_conf_is_valid(&bad));
    bad = good;
    bad.learners = ids_to(1);
    assert_false(raft_conf_is_valid(&bad));
    bad = good;
    bad.learners_next = ids_to(1);
    assert_false(raft_conf_is_valid(&bad));
    bad = good;
    bad.voters.ids[1] = 1;
    assert_false(raft_conf_is_valid(&bad));
    bad = good;
    bad.voters.count = MEMBERS_MAX + 1;
    assert_false(raft_conf_is_valid(&bad));
    bad = (struct conf_state){.learners = ids_to(2)};
    assert_false(raft_conf_is_valid(&bad));
    bad = (struct conf_state){.voters = ids_to(2), .voters_outgoing = ids_to(3)};
    bad.learners_next = (struct id_set){.count = 1, .ids = {3}};
    assert_true(raft_conf_is_valid(&bad));
    bad.learners_next.ids[0] = 2; /* would be voter and learner once the joint state is left */
    assert_false(raft_conf_is_valid(&bad));
    bad = (struct conf_state){.voters = ids_to(3)};
    bad.voters.ids[0] = 0;
    assert_false(raft_conf_is_valid(&bad));
}

/* Any changes in any order: what comes out is valid, and two steps of one voter always overlap. */
static void random_changes_keep_configurations_valid(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    struct conf_state conf = {.voters = ids_to(1)};
    for (int round = 0; round < 20000; round++) {
        struct conf_change change = {.count = (uint32_t)prng_below(&prng, 5)};
        change.transition = (enum conf_transition)prng_below(&prng, 3);
        for (uint32_t i = 0; i < change.count; i++) {
            change.changes[i].type = (enum conf_change_type)prng_below(&prng, 4);
            change.changes[i].id = prng_below(&prng, 7);
        }
        struct raft_conf_plan plan;
        if (raft_conf_apply(&conf, &change, &plan) == RAFT_CONF_OK) {
            assert_true(raft_conf_is_valid(&plan.conf));
            conf = plan.conf;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_simple_change_changes_one_voter),
        cmocka_unit_test(several_changes_go_through_a_joint_configuration),
        cmocka_unit_test(what_does_not_fit_says_why),
        cmocka_unit_test(a_member_that_leaves_and_comes_back_is_a_new_one),
        cmocka_unit_test(foreign_configurations_are_checked),
        cmocka_unit_test(random_changes_keep_configurations_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
