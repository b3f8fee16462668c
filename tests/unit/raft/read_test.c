#include "fixture.h"

static struct read_ctx ctx(node_id node, uint64_t sequence)
{
    return (struct read_ctx){.node = node, .sequence = sequence};
}

static void a_read_waits_for_a_round_of_heartbeats(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, 1)), OK);
    (void)group_work(group);
    assert_int_equal(group->peers[1].read_state_count, 0);
    group_settle(group);
    assert_int_equal(group->peers[1].read_state_count, 1);
    assert_int_equal(group->peers[1].read_states[0].index, group_committed(group, 1));
    group_free(group);
}

static void a_leader_without_a_quorum_answers_no_read(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 1, true);
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, 1)), OK);
    for (int i = 0; i < 5; i++) {
        raft_tick(group_raft(group, 1));
        group_settle(group);
    }
    assert_int_equal(group->peers[1].read_state_count, 0);
    group_free(group);
}

static void one_round_confirms_all_reads_before_it_in_order(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 1, true);
    for (uint64_t i = 1; i <= 4; i++) {
        assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, i)), OK);
        group_settle(group); /* these rounds are lost */
    }
    group_isolate(group, 1, false);
    raft_tick(group_raft(group, 1)); /* carries the newest context */
    group_settle(group);
    assert_int_equal(group->peers[1].read_state_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(group->peers[1].read_states[i].ctx.sequence, i + 1);
    }
    group_free(group);
}

/* Takes every answer to a heartbeat out of the network, into `held`. */
static void hold_heartbeat_answers(struct group *group, struct raft_outbox *held)
{
    while (group_work(group) || group->network.count > 0) {
        for (uint32_t left = group->network.count; left > 0; left--) {
            const struct message *message = &group->network.messages[0];
            if (message->type == MSG_HEARTBEAT_RESP) {
                outbox_copy(held, message);
            } else {
                group_deliver(group, 0);
            }
            group_drop(group, 0);
        }
    }
}

/*
 * The network may deliver a follower's request once more, and late answers to its heartbeats after
 * that: they are from before a later request and confirm nothing of it. Else a leader that has been
 * deposed meanwhile would answer the later one with its old commit index.
 */
static void a_request_that_comes_twice_confirms_no_later_one(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    struct raft_outbox held = {0};
    struct message ask = {.type = MSG_READ_INDEX, .from = 2, .to = 1, .read = ctx(2, 1)};
    assert_int_equal(raft_step(group_raft(group, 1), &ask), OK);
    hold_heartbeat_answers(group, &held);
    assert_int_equal(held.count, 2);
    raft_tick(group_raft(group, 1));
    group_settle(group);
    assert_int_equal(group->peers[2].read_state_count, 1);

    group_isolate(group, 1, true);
    group_elect(group, 2);
    assert_int_equal(group_propose(group, 2, "x"), OK);
    group_settle(group);
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, 1)), OK);
    assert_int_equal(raft_step(group_raft(group, 1), &ask), OK);
    for (uint32_t i = 0; i < held.count; i++) {
        assert_int_equal(raft_step(group_raft(group, 1), &held.messages[i]), OK);
    }
    group_settle(group);
    assert_int_equal(group->peers[1].read_state_count, 0);
    raft_outbox_deinit(&held);
    group_free(group);
}

static void followers_ask_the_leader_and_equal_sequences_do_not_mix(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    assert_int_equal(raft_read_index(group_raft(group, 2), ctx(2, 7)), ERR_NO_LEADER);
    group_elect(group, 1);
    for (node_id id = 1; id <= 3; id++) {
        assert_int_equal(raft_read_index(group_raft(group, id), ctx(id, 7)), OK);
    }
    group_settle(group);
    for (node_id id = 1; id <= 3; id++) {
        assert_int_equal(group->peers[id].read_state_count, 1);
        assert_int_equal(group->peers[id].read_states[0].ctx.node, id);
    }
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, 0)), ERR_BAD_REQUEST);
    group_free(group);
}

static void a_new_leader_answers_only_after_its_first_commit(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    assert_int_equal(raft_campaign(group_raft(group, 1)), OK);
    while (group_raft(group, 1)->role != RAFT_LEADER) {
        (void)group_work(group);
        group_deliver(group, 0);
        group_drop(group, 0);
    }
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, 1)), OK);
    assert_int_equal(group_raft(group, 1)->early_reads.count, 1);
    group_settle(group);
    assert_int_equal(group->peers[1].read_state_count, 1);
    assert_int_equal(group->peers[1].read_states[0].index, 1); /* the empty entry */
    group_free(group);
}

static void a_single_voter_that_restarts_answers_only_after_its_first_commit(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 1, 1};
    struct raft_config config = default_config();
    config.conf.voters = ids_to(1);
    struct solo solo;
    solo_init(&solo, &config, 1, 1, log_terms, 3); /* the commit index on the disk is behind */
    assert_int_equal(raft_campaign(solo.raft), OK);
    (void)solo_ready(&solo);
    assert_int_equal(solo.raft->role, RAFT_LEADER);
    assert_int_equal(raft_read_index(solo.raft, ctx(1, 1)), OK);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_int_equal(ready->read_state_count, 0);
    ready = solo_ready(&solo);
    assert_int_equal(ready->read_state_count, 1);
    assert_int_equal(ready->read_states[0].index, 4);
    solo_deinit(&solo);
}

static void a_learner_reads_through_its_leader(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    struct conf_change change = {.count = 1, .changes = {{CONF_CHANGE_ADD_LEARNER, 3}}};
    assert_int_equal(raft_propose_conf_change(group_raft(group, 1), &change, true, NULL), OK);
    group_settle(group);
    assert_int_equal(raft_read_index(group_raft(group, 3), ctx(3, 1)), OK);
    group_settle(group);
    assert_int_equal(group->peers[3].read_state_count, 1);
    assert_int_equal(group->peers[3].read_states[0].index, group_committed(group, 1));
    group_isolate(group, 2, true); /* a learner's answer is no confirmation */
    assert_int_equal(raft_read_index(group_raft(group, 3), ctx(3, 2)), OK);
    group_settle(group);
    assert_int_equal(group->peers[3].read_state_count, 1);
    group_free(group);
}

static void a_lease_begins_with_the_first_commit_of_the_term(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 1, 1};
    struct raft_config config = default_config();
    config.check_quorum = true;
    config.read_mode = RAFT_READ_LEASE;
    struct solo solo;
    solo_init(&solo, &config, 1, 1, log_terms, 3);
    solo_lead(&solo);
    assert_int_equal(raft_read_index(solo.raft, ctx(1, 1)), OK);
    assert_int_equal(solo.raft->read_state_count, 0);
    struct message ack = {.type = MSG_APP_RESP, .from = 2, .to = 1, .term = 2, .index = 4};
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    assert_int_equal(solo.raft->read_state_count, 1);
    assert_int_equal(solo.raft->read_states[0].index, 4);
    solo_deinit(&solo);
}

static void a_lease_answers_at_once_but_not_while_leadership_moves(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.check_quorum = true;
    config.read_mode = RAFT_READ_LEASE;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, 1)), OK);
    assert_int_equal(group_raft(group, 1)->read_state_count, 1);
    group_isolate(group, 2, true);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 2), OK);
    assert_int_equal(raft_read_index(group_raft(group, 1), ctx(1, 2)), OK);
    assert_int_equal(group_raft(group, 1)->read_state_count, 1);
    group_settle(group);
    assert_int_equal(group->peers[1].read_state_count, 2);
    assert_int_equal(raft_forget_leader(group_raft(group, 3)), ERR_FORBIDDEN);
    group_free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_waits_for_a_round_of_heartbeats),
        cmocka_unit_test(a_leader_without_a_quorum_answers_no_read),
        cmocka_unit_test(one_round_confirms_all_reads_before_it_in_order),
        cmocka_unit_test(a_request_that_comes_twice_confirms_no_later_one),
        cmocka_unit_test(followers_ask_the_leader_and_equal_sequences_do_not_mix),
        cmocka_unit_test(a_new_leader_answers_only_after_its_first_commit),
        cmocka_unit_test(a_single_voter_that_restarts_answers_only_after_its_first_commit),
        cmocka_unit_test(a_lease_answers_at_once_but_not_while_leadership_moves),
        cmocka_unit_test(a_learner_reads_through_its_leader),
        cmocka_unit_test(a_lease_begins_with_the_first_commit_of_the_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
