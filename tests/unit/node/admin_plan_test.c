#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "node/admin_plan.h"

/* Members 1 to 4 at "host:N"; 4 is a learner. Node 1 plans. Ids up to 6 were given. */
struct setup {
    struct membership membership;
    struct contact contact;
    struct admin_view view;
    node_id met;
    bool is_caught_up;
};

static bool was_met(void *ctx, node_id id)
{
    return ((struct setup *)ctx)->met == id;
}

static bool has_caught_up(void *ctx, node_id id)
{
    return id == 4 && ((struct setup *)ctx)->is_caught_up;
}

static void setup_init(struct setup *setup)
{
    *setup = (struct setup){.is_caught_up = true};
    for (node_id id = 1; id <= 4; id++) {
        struct member member = {.id = id};
        snprintf(member.peer_address, sizeof(member.peer_address), "host:%u", (unsigned)id);
        assert_true(membership_put(&setup->membership, &member));
        assert_true(id_set_add(
            id < 4 ? &setup->membership.conf.voters : &setup->membership.conf.learners, id));
        contact_heard(&setup->contact, id, 1000);
    }
    setup->membership.id_max = 6;
    setup->view = (struct admin_view){
        .self = 1,
        .membership = &setup->membership,
        .contact = &setup->contact,
        .now_ms = 1100,
        .window_ms = 400,
        .has_caught_up = has_caught_up,
        .was_met = was_met,
        .ctx = setup,
    };
}

static struct admin_spec spec_of(enum admin_op op, node_id id, node_id old, const char *address)
{
    struct admin_spec spec = {.op = op, .id = id, .old = old};
    snprintf(spec.address, sizeof(spec.address), "%s", address);
    return spec;
}

static void expect_single(const struct admin_plan *plan, uint32_t i, enum conf_change_type type,
                          node_id id)
{
    assert_true(i < plan->change.count);
    assert_int_equal(plan->change.changes[i].type, type);
    assert_int_equal(plan->change.changes[i].id, id);
}

static void what_does_not_fit_is_refused_with_a_reason(void **state)
{
    (void)state;
    const struct {
        struct admin_spec spec;
        err e;
        const char *why;
    } table[] = {
        {spec_of(ADMIN_ADD, 0, 0, "nowhere"), ERR_BAD_REQUEST, "no address"},
        {spec_of(ADMIN_ADD, 0, 0, "host:0"), ERR_BAD_REQUEST, "no address"},
        {spec_of(ADMIN_ADD, 0, 0, "0.0.0.0:4000"), ERR_BAD_REQUEST, "nobody can connect"},
        {spec_of(ADMIN_ADD, 2, 0, "host:9"), ERR_CONFLICT, "another member's"},
        {spec_of(ADMIN_ADD, 5, 0, "host:9"), ERR_CONFLICT, "not used again"},
        {spec_of(ADMIN_ADD, 9, 0, "host:2"), ERR_CONFLICT, "member 2's"},
        {spec_of(ADMIN_ADD, 0, 0, "host:1"), ERR_CONFLICT, "member 1's"},
        {spec_of(ADMIN_REMOVE, 9, 0, ""), ERR_NOT_FOUND, "no member 9"},
        {spec_of(ADMIN_REMOVE, 0, 0, ""), ERR_NOT_FOUND, "no member 0"},
        {spec_of(ADMIN_MOVE, 9, 0, "host:9"), ERR_NOT_FOUND, "no member 9"},
        {spec_of(ADMIN_MOVE, 2, 0, "host:3"), ERR_CONFLICT, "member 3's"},
        {spec_of(ADMIN_MOVE, 2, 0, "nowhere"), ERR_BAD_REQUEST, "no address"},
        {spec_of(ADMIN_PROMOTE, 9, 0, ""), ERR_NOT_FOUND, "no member 9"},
        {spec_of(ADMIN_REPLACE, 0, 9, "host:9"), ERR_NOT_FOUND, "no member 9"},
        {spec_of(ADMIN_REPLACE, 0, 2, "host:3"), ERR_CONFLICT, "member 3's"},
        {spec_of(ADMIN_REPLACE, 4, 2, "host:9"), ERR_CONFLICT, "another member's"},
    };
    struct setup setup;
    setup_init(&setup);
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct admin_plan plan;
        assert_int_equal(admin_plan(&setup.view, &table[i].spec, &plan), table[i].e);
        assert_non_null(strstr(plan.why, table[i].why));
    }
}

static void who_comes_is_a_learner_with_an_id_that_nobody_had(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    struct admin_spec spec = spec_of(ADMIN_ADD, 0, 0, "host:9");
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), OK);
    assert_false(plan.is_done);
    assert_int_equal(plan.id, 7);
    assert_int_equal(plan.change.count, 1);
    expect_single(&plan, 0, CONF_CHANGE_ADD_LEARNER, 7);
    assert_true(plan.members[0].wants_vote);
    assert_string_equal(plan.members[0].peer_address, "host:9");
    spec.is_learner = true;
    spec.id = 10;
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), OK);
    assert_int_equal(plan.id, 10);
    assert_false(plan.members[0].wants_vote);
}

static void ids_come_to_their_end_and_do_not_begin_again(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    struct admin_spec spec = spec_of(ADMIN_ADD, NODE_ID_MAX + 1, 0, "host:9");
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), ERR_BAD_REQUEST);
    assert_non_null(strstr(plan.why, "is above 9007199254740991"));
    setup.membership.id_max = NODE_ID_MAX - 1;
    spec.id = 0;
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), OK);
    assert_int_equal(plan.id, NODE_ID_MAX);
    const uint64_t ends[] = {NODE_ID_MAX,
                             UINT64_MAX}; /* the latter as somebody may have founded it */
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        setup.membership.id_max = ends[i];
        assert_int_equal(admin_plan(&setup.view, &spec, &plan), ERR_CONFLICT);
        assert_non_null(strstr(plan.why, "no ids left"));
        assert_non_null(strstr(plan.why, "restore a backup as a new one")); /* it fits */
    }
}

static void who_asks_again_finds_it_done(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    setup.met = 2;
    struct {
        struct admin_spec spec;
        bool is_again;
        err e;
        node_id id;
    } table[] = {
        {spec_of(ADMIN_ADD, 2, 0, "host:2"), false, OK, 2},
        {spec_of(ADMIN_ADD, 0, 0, "host:3"), false, OK, 3}, /* it was added, and never came */
        {spec_of(ADMIN_ADD, 0, 0, "host:2"), false, ERR_CONFLICT, 2}, /* it has lost its data */
        {spec_of(ADMIN_ADD, 0, 0, "host:2"), true, OK, 2},
        {spec_of(ADMIN_REMOVE, 5, 0, ""), true, OK, 5},
        {spec_of(ADMIN_REMOVE, 7, 0, ""), true, ERR_NOT_FOUND, 7},
        {spec_of(ADMIN_MOVE, 2, 0, "host:2"), false, OK, 2},
        {spec_of(ADMIN_PROMOTE, 2, 0, ""), false, OK, 2},
        {spec_of(ADMIN_REPLACE, 0, 5, "host:3"), true, OK, 3},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        table[i].spec.is_again = table[i].is_again;
        assert_int_equal(admin_plan(&setup.view, &table[i].spec, &plan), table[i].e);
        assert_int_equal(plan.is_done, table[i].e == OK);
        assert_int_equal(plan.id, table[i].id);
    }
}

/* The address was added before; member 3 is a voter, 4 stays a learner until `wants_vote`. */
static void who_asks_for_another_role_is_told(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    const struct {
        const char *address;
        bool is_learner;
        bool wants_vote;
        bool is_again;
        err e;
    } table[] = {
        {"host:4", false, true, false, ERR_CONFLICT},
        {"host:4", false, true, true, ERR_CONFLICT},
        {"host:4", true, false, false, OK},
        {"host:4", false, false, false, OK},
        {"host:3", true, false, false, ERR_CONFLICT},
        {"host:3", false, true, false, OK},
        {"host:3", true, false, true, OK}, /* promoted since it was added so */
    };
    setup_init(&setup);
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct admin_spec spec = spec_of(ADMIN_ADD, 0, 0, table[i].address);
        spec.is_learner = table[i].is_learner;
        spec.wants_vote = table[i].wants_vote;
        spec.is_again = table[i].is_again;
        assert_int_equal(admin_plan(&setup.view, &spec, &plan), table[i].e);
        assert_int_equal(plan.is_done, table[i].e == OK);
        if (table[i].e != OK) {
            assert_non_null(strstr(plan.why, table[i].wants_vote ? "/admin/members/4/promote"
                                                                 : "is a voter, or becomes one"));
        }
    }
    struct member *fourth = &setup.membership.members[3];
    assert_int_equal(fourth->id, 4);
    fourth->wants_vote = true;
    struct admin_spec spec = spec_of(ADMIN_ADD, 0, 0, "host:4");
    spec.wants_vote = true;
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), OK);
    spec = (struct admin_spec){.op = ADMIN_ADD, .is_learner = true, .address = "host:4"};
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), ERR_CONFLICT);
}

static void what_could_cost_the_quorum_is_refused_unless_it_is_forced(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    struct admin_spec remove = spec_of(ADMIN_REMOVE, 2, 0, "");
    struct admin_spec replace = spec_of(ADMIN_REPLACE, 0, 2, "host:9");
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), OK);
    expect_single(&plan, 0, CONF_CHANGE_REMOVE, 2);
    contact_lost(&setup.contact, 3);
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), ERR_CONFLICT);
    assert_true(plan.lacks_quorum);
    assert_string_equal(plan.why,
                        "of the 2 voters that there would be only 1 can vote now: member 3 "
                        "is not heard; that is no majority: wait until one is back, or "
                        "force it");
    assert_int_equal(admin_plan(&setup.view, &replace, &plan), ERR_CONFLICT);
    remove.id = 3; /* the dead one itself */
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), OK);
    replace.old = 3;
    assert_int_equal(admin_plan(&setup.view, &replace, &plan), OK);
    expect_single(&plan, 0, CONF_CHANGE_ADD_VOTER, 7);
    expect_single(&plan, 1, CONF_CHANGE_REMOVE, 3);
    remove.id = 4; /* a learner */
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), OK);
    remove.id = 2;
    remove.is_forced = true;
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), OK);
    id_set_remove(&setup.membership.conf.voters, 2);
    id_set_remove(&setup.membership.conf.voters, 3);
    remove.id = 1;
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "last voter"));
}

static void who_is_there_is_replaced_by_a_learner_that_has_caught_up(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    struct admin_spec new = spec_of(ADMIN_REPLACE, 0, 1, "host:9"); /* the leader, say */
    struct admin_spec learner = spec_of(ADMIN_REPLACE, 0, 1, "host:4");
    assert_int_equal(admin_plan(&setup.view, &new, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "member 1 is there"));
    assert_false(plan.lacks_quorum);
    new.is_forced = true;
    assert_int_equal(admin_plan(&setup.view, &new, &plan), OK);
    expect_single(&plan, 0, CONF_CHANGE_ADD_VOTER, 7);
    expect_single(&plan, 1, CONF_CHANGE_REMOVE, 1);
    assert_int_equal(admin_plan(&setup.view, &learner, &plan), OK);
    assert_int_equal(plan.id, 4);
    assert_int_equal(plan.change.count, 2);
    expect_single(&plan, 0, CONF_CHANGE_ADD_VOTER, 4);
    expect_single(&plan, 1, CONF_CHANGE_REMOVE, 1);
    assert_int_equal(plan.member_count, 0); /* its address is known */
    learner.id = 5;
    assert_int_equal(admin_plan(&setup.view, &learner, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "member 4's"));
    learner.id = 0;
    contact_lost(&setup.contact, 3); /* of 2, 3 and 4 two can vote */
    assert_int_equal(admin_plan(&setup.view, &learner, &plan), OK);
    setup.is_caught_up = false;
    assert_int_equal(admin_plan(&setup.view, &learner, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "member 4 has not caught up"));
    contact_lost(&setup.contact, 4);
    assert_int_equal(admin_plan(&setup.view, &learner, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "member 3 is not heard, member 4 is not heard"));
}

static void who_moves_is_not_counted_on_until_it_is_met_there(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    struct admin_spec move = spec_of(ADMIN_MOVE, 2, 0, "host:9");
    assert_int_equal(admin_plan(&setup.view, &move, &plan), OK);
    expect_single(&plan, 0, CONF_CHANGE_UPDATE, 2);
    contact_lost(&setup.contact, 3);
    for (node_id id = 1; id <= 2; id++) { /* the leader as well */
        move.id = id;
        assert_int_equal(admin_plan(&setup.view, &move, &plan), ERR_CONFLICT);
        assert_true(plan.lacks_quorum);
        assert_non_null(
            strstr(plan.why, "of the 3 voters that there would be only 1 can vote now"));
        assert_non_null(strstr(plan.why, "is moving"));
        assert_non_null(strstr(plan.why, "member 3 is not heard"));
    }
    move.is_forced = true;
    assert_int_equal(admin_plan(&setup.view, &move, &plan), OK);
    move.is_forced = false;
    move.id = 3; /* where it was moved to by mistake, it is not heard: it can be moved back */
    assert_int_equal(admin_plan(&setup.view, &move, &plan), OK);
    move.id = 4; /* a learner */
    assert_int_equal(admin_plan(&setup.view, &move, &plan), OK);
    id_set_remove(&setup.membership.conf.voters, 3);
    move.id = 2;
    assert_int_equal(admin_plan(&setup.view, &move, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "see that it gets there, or force it"));
    id_set_remove(&setup.membership.conf.voters, 2);
    move.id = 1; /* nobody looks for it */
    assert_int_equal(admin_plan(&setup.view, &move, &plan), OK);
}

/* A3: it is connected, and its core was heard not long ago. */
static void a_member_in_repair_does_not_count_and_is_named(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    struct admin_spec remove = spec_of(ADMIN_REMOVE, 2, 0, "");
    struct admin_spec replace = spec_of(ADMIN_REPLACE, 0, 2, "host:9");
    contact_mends(&setup.contact, 3);
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), ERR_CONFLICT);
    assert_true(plan.lacks_quorum);
    assert_non_null(strstr(plan.why,
                           "only 1 can vote now: member 3 is mending its data; that is no "
                           "majority"));
    assert_int_equal(admin_plan(&setup.view, &replace, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "member 3 is mending its data"));
    remove.id = 3; /* itself can go */
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), OK);
    remove.id = 2;
    remove.is_forced = true;
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), OK);
    assert_false(plan.lacks_quorum);
    remove.is_forced = false;
    contact_heard(&setup.contact, 3, 1100);
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), OK);
}

static void the_refusal_names_as_many_as_fit(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    for (node_id id = 10; id < 40 && setup.membership.member_count < MEMBERS_MAX; id++) {
        struct member member = {.id = UINT64_MAX - id};
        assert_true(membership_put(&setup.membership, &member));
        assert_true(id_set_add(&setup.membership.conf.voters, member.id));
        contact_mends(&setup.contact, member.id);
    }
    struct admin_spec remove = spec_of(ADMIN_REMOVE, 2, 0, "");
    assert_int_equal(admin_plan(&setup.view, &remove, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "of the 30 voters"));
    assert_non_null(strstr(plan.why, "is mending its data and 26 more; that is no majority"));
    /* Who was alone and goes: there is nobody to be named but who is new. */
    setup_init(&setup);
    id_set_remove(&setup.membership.conf.voters, 2);
    id_set_remove(&setup.membership.conf.voters, 3);
    struct admin_spec replace = spec_of(ADMIN_REPLACE, 0, 1, "host:9");
    assert_int_equal(admin_plan(&setup.view, &replace, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "who is new does not count yet"));
    assert_non_null(strstr(plan.why, "add it first, or force it"));
}

static void a_learner_is_promoted_once_it_has_caught_up(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    struct admin_spec spec = spec_of(ADMIN_PROMOTE, 4, 0, "");
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), OK);
    expect_single(&plan, 0, CONF_CHANGE_ADD_VOTER, 4);
    setup.is_caught_up = false;
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), ERR_CONFLICT);
    spec.is_forced = true;
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), OK);
}

static void who_was_alone_gets_an_address_with_the_first_who_comes(void **state)
{
    (void)state;
    struct setup setup;
    struct admin_plan plan;
    setup_init(&setup);
    for (node_id id = 2; id <= 4; id++) {
        membership_remove(&setup.membership, id);
        id_set_remove(&setup.membership.conf.voters, id);
        id_set_remove(&setup.membership.conf.learners, id);
    }
    setup.membership.members[0].peer_address[0] = '\0';
    struct admin_spec spec = spec_of(ADMIN_ADD, 0, 0, "host:9");
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), ERR_CONFLICT);
    assert_non_null(strstr(plan.why, "--peer-listen"));
    setup.view.own_address = "host:1";
    assert_int_equal(admin_plan(&setup.view, &spec, &plan), OK);
    assert_int_equal(plan.id, 7);
    assert_int_equal(plan.member_count, 2);
    expect_single(&plan, 0, CONF_CHANGE_ADD_LEARNER, 7);
    expect_single(&plan, 1, CONF_CHANGE_UPDATE, 1);
    assert_string_equal(plan.members[1].peer_address, "host:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused_with_a_reason),
        cmocka_unit_test(who_comes_is_a_learner_with_an_id_that_nobody_had),
        cmocka_unit_test(ids_come_to_their_end_and_do_not_begin_again),
        cmocka_unit_test(who_asks_again_finds_it_done),
        cmocka_unit_test(who_asks_for_another_role_is_told),
        cmocka_unit_test(what_could_cost_the_quorum_is_refused_unless_it_is_forced),
        cmocka_unit_test(who_is_there_is_replaced_by_a_learner_that_has_caught_up),
        cmocka_unit_test(who_moves_is_not_counted_on_until_it_is_met_there),
        cmocka_unit_test(a_member_in_repair_does_not_count_and_is_named),
        cmocka_unit_test(the_refusal_names_as_many_as_fit),
        cmocka_unit_test(a_learner_is_promoted_once_it_has_caught_up),
        cmocka_unit_test(who_was_alone_gets_an_address_with_the_first_who_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
