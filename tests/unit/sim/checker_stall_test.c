#include "node_testing.h"

#define PATIENCE_TICKS 11u /* with a tick of 100 ms */

/* Node 1 begins to stand after its disk has had one batch for so many ticks. */
static void stands_after(struct sim *sim, uint64_t ticks)
{
    struct a_node *node = node_of(sim, 1);
    sim->plan.heartbeat_ms = 100;
    sim->plan.election_timeout_ms = 500;
    node->wal.is_writing = true;
    node->wal.last_batch = 7;
    checker_after_turn(sim->checker, sim->hosts[1]);
    node->replica.ticks += ticks;
    node->raft.role = RAFT_PRE_CANDIDATE;
    checker_after_turn(sim->checker, sim->hosts[1]);
}

static void stands_without_its_disk(struct sim *sim)
{
    stands_after(sim, PATIENCE_TICKS);
}

static void who_stands_while_its_disk_does_not_answer_is_found(void **state)
{
    (void)state;
    assert_fails(three_nodes(), stands_without_its_disk,
                 "node 1 stands in term 1, and its disk has not answered for 11 ticks");
    stands_after(three_nodes(), PATIENCE_TICKS - 1);
}

static void who_stood_before_and_who_got_another_batch_pass(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    stands_after(sim, PATIENCE_TICKS - 1);
    struct a_node *node = node_of(sim, 1);
    node->replica.ticks += PATIENCE_TICKS;
    node->raft.role = RAFT_CANDIDATE;
    checker_after_turn(sim->checker, sim->hosts[1]);
    node->wal.last_batch = 8;
    follows(sim, 1, 2);
    node->replica.ticks += PATIENCE_TICKS - 1;
    node->raft.role = RAFT_CANDIDATE;
    checker_after_turn(sim->checker, sim->hosts[1]);
}

/* With nobody to hand over to, as it has no connections. */
static void a_leader_that_is_alone_with_its_disk_may_lead_on(void **state)
{
    (void)state;
    struct sim *sim = three_nodes();
    sim->plan.heartbeat_ms = 100;
    node_of(sim, 1)->wal.is_writing = true;
    node_of(sim, 1)->wal.last_batch = 7;
    for (int i = 0; i < 3; i++) {
        leads(sim, 1, 4);
        node_of(sim, 1)->replica.ticks += PATIENCE_TICKS;
    }
    assert_int_equal(sim->counts[SIM_STALL_HANDOVER], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_stands_while_its_disk_does_not_answer_is_found),
        cmocka_unit_test(who_stood_before_and_who_got_another_batch_pass),
        cmocka_unit_test(a_leader_that_is_alone_with_its_disk_may_lead_on),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
