#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/contact.h"

static struct conf_state voters(node_id a, node_id b, node_id c)
{
    struct conf_state conf = {.auto_leave = false};
    assert_true(id_set_add(&conf.voters, a));
    assert_true(id_set_add(&conf.voters, b));
    assert_true(id_set_add(&conf.voters, c));
    return conf;
}

static void one_peer_of_two_is_a_quorum_while_it_was_heard_lately(void **state)
{
    (void)state;
    struct contact contact = {.count = 0};
    struct conf_state conf = voters(1, 2, 3);
    assert_false(contact_has_quorum(&contact, &conf, 1, 1000, 200));
    contact_heard(&contact, 2, 1000);
    assert_true(contact_has_quorum(&contact, &conf, 1, 1200, 200));
    assert_false(contact_has_quorum(&contact, &conf, 1, 1201, 200));
    contact_heard(&contact, 3, 1201);
    assert_true(contact_has_quorum(&contact, &conf, 1, 1300, 200));
    contact_lost(&contact, 3);
    assert_false(contact_has_quorum(&contact, &conf, 1, 1300, 200));
}

static void a_stranger_does_not_count(void **state)
{
    (void)state;
    struct contact contact = {.count = 0};
    struct conf_state conf = voters(1, 2, 3);
    contact_heard(&contact, 7, 1000);
    assert_false(contact_has_quorum(&contact, &conf, 1, 1000, 200));
    /* Nor does this node where it is no voter. */
    contact_heard(&contact, 2, 1000);
    assert_false(contact_has_quorum(&contact, &conf, 9, 1000, 200));
}

static void a_joint_configuration_needs_both_halves(void **state)
{
    (void)state;
    struct contact contact = {.count = 0};
    struct conf_state conf = voters(1, 2, 3);
    assert_true(id_set_add(&conf.voters_outgoing, 4));
    contact_heard(&contact, 2, 1000);
    assert_false(contact_has_quorum(&contact, &conf, 1, 1000, 200));
    contact_heard(&contact, 4, 1000);
    assert_true(contact_has_quorum(&contact, &conf, 1, 1000, 200));
}

static void a_node_alone_is_its_own_quorum(void **state)
{
    (void)state;
    struct contact contact = {.count = 0};
    struct conf_state conf = {.auto_leave = false};
    assert_true(id_set_add(&conf.voters, 1));
    assert_true(contact_has_quorum(&contact, &conf, 1, 5, 200));
}

static void who_was_heard_within_the_window_is_not_lost(void **state)
{
    (void)state;
    struct contact contact = {.count = 0};
    assert_true(contact_is_lost(&contact, 2, 1000, 200));
    assert_true(contact_is_quiet(&contact, 1000, 200));
    contact_heard(&contact, 2, 900);
    assert_false(contact_is_lost(&contact, 2, 1100, 200));
    assert_true(contact_is_lost(&contact, 3, 1100, 200));
    assert_false(contact_is_quiet(&contact, 1100, 200));
    assert_true(contact_is_lost(&contact, 2, 1101, 200));
    assert_true(contact_is_quiet(&contact, 1101, 200));
}

static void who_is_in_repair_is_not_in_contact_until_its_core_speaks(void **state)
{
    (void)state;
    struct contact contact = {.count = 0};
    struct conf_state conf = voters(1, 2, 3);
    contact_heard(&contact, 2, 1000);
    assert_false(contact_is_mending(&contact, 2));
    contact_mends(&contact, 2); /* what it said before it died came in a moment ago */
    assert_true(contact_is_mending(&contact, 2));
    assert_true(contact_is_lost(&contact, 2, 1000, 200));
    assert_false(contact_has_quorum(&contact, &conf, 1, 1000, 200));
    contact_heard(&contact, 2, 1001);
    assert_false(contact_is_mending(&contact, 2));
    assert_true(contact_has_quorum(&contact, &conf, 1, 1001, 200));
    /* One that never was heard otherwise, and whose connection ends. Before the window's length has
     * passed on this clock, too. */
    contact_mends(&contact, 3);
    assert_true(contact_is_lost(&contact, 3, 100, 200));
    assert_true(contact_is_mending(&contact, 3));
    contact_lost(&contact, 3);
    assert_false(contact_is_mending(&contact, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_peer_of_two_is_a_quorum_while_it_was_heard_lately),
        cmocka_unit_test(a_stranger_does_not_count),
        cmocka_unit_test(a_joint_configuration_needs_both_halves),
        cmocka_unit_test(a_node_alone_is_its_own_quorum),
        cmocka_unit_test(who_was_heard_within_the_window_is_not_lost),
        cmocka_unit_test(who_is_in_repair_is_not_in_contact_until_its_core_speaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
