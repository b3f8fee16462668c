#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static struct message answer(struct solo *solo, uint64_t index)
{
    return (struct message){
        .type = MSG_APP_RESP, .from = 2, .to = 1, .term = solo->raft->term, .index = index};
}

/* One probe a term: five terms of ten entries each on both sides, none in common but the first. */
static void rejections_skip_whole_terms(void **state)
{
    (void)state;
    uint64_t terms[51] = {1};
    for (uint32_t i = 0; i < 50; i++) {
        terms[1 + i] = 10 + 2 * (i / 10);
    }
    struct raft_config config = default_config();
    struct group *group = group_new(2, &config);
    group_crash(group, 1);
    group_crash(group, 2);
    memlog_fill(&group->peers[1].log, terms, 51);
    for (uint32_t i = 0; i < 50; i++) {
        terms[1 + i] -= 1;
    }
    memlog_fill(&group->peers[2].log, terms, 51);
    group->peers[1].durable = (struct hard_state){.term = 30};
    group->peers[2].durable = (struct hard_state){.term = 30};
    group_start(group, 1);
    group_start(group, 2);
    assert_int_equal(raft_campaign(group_raft(group, 1)), OK);
    uint32_t rejections = 0;
    while (group_work(group) || group->network.count > 0) {
        if (group->network.count > 0) {
            const struct message *message = &group->network.messages[0];
            rejections += message->type == MSG_APP_RESP && message->reject ? 1 : 0;
            group_deliver(group, 0);
            group_drop(group, 0);
        }
    }
    assert_in_range(rejections, 1, 10);
    assert_int_equal(group_committed(group, 2), 52);
    group_free(group);
}

static void an_unreachable_member_is_probed(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    struct raft_progress *progress = raft_tracker_find(&group_raft(group, 1)->tracker, 2);
    assert_int_equal(progress->state, RAFT_PROGRESS_REPLICATE);
    raft_report_unreachable(group_raft(group, 1), 2);
    assert_int_equal(progress->state, RAFT_PROGRESS_PROBE);
    raft_tick(group_raft(group, 1)); /* a heartbeat's answer brings it back */
    group_settle(group);
    assert_int_equal(progress->state, RAFT_PROGRESS_REPLICATE);
    group_free(group);
}

static void a_reported_snapshot_is_probed_after_the_next_answer(void **state)
{
    (void)state;
    for (int ok = 0; ok <= 1; ok++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 2, 1, log_terms, 3);
        solo_lead(&solo);
        struct raft_progress *progress = raft_tracker_find(&solo.raft->tracker, 2);
        raft_progress_become_snapshot(progress, 3);
        raft_report_snapshot(solo.raft, 2, ok == 1);
        assert_int_equal(progress->state, RAFT_PROGRESS_PROBE);
        assert_int_equal(progress->next, ok == 1 ? 4 : 1);
        assert_true(raft_progress_is_paused(progress));
        solo_deinit(&solo);
    }
}

static void leadership_goes_to_a_member_once_it_has_everything(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.check_quorum = true;
    config.pre_vote = true;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group->blocked[1][2] = true;
    assert_int_equal(group_propose(group, 1, "x"), OK);
    group_settle(group);
    group->blocked[1][2] = false;
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 2), OK);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 2), ERR_BUSY);
    assert_int_equal(group_propose(group, 1, "y"), ERR_PROPOSAL_DROPPED);
    raft_tick(group_raft(group, 1));
    group_settle(group);
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    assert_int_equal(group_raft(group, 1)->role, RAFT_FOLLOWER);
    assert_int_equal(group_propose(group, 2, "z"), OK);
    group_settle(group);
    assert_int_equal(group->peers[1].applied, group->peers[2].applied);
    group_free(group);
}

static void a_transfer_is_given_up_after_an_election_timeout(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 2, true);
    assert_int_equal(group_propose(group, 1, "x"), OK);
    group_settle(group);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 2), OK);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(group_propose(group, 1, "y"), ERR_PROPOSAL_DROPPED);
        raft_tick(group_raft(group, 1));
        group_settle(group);
    }
    assert_int_equal(group_propose(group, 1, "y"), OK);
    group_free(group);
}

static void transfers_to_nobody_are_refused(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.conf.voters = ids_to(2);
    config.conf.learners = (struct id_set){.count = 1, .ids = {3}};
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    assert_int_equal(raft_transfer_leader(solo.raft, 2), ERR_NO_LEADER);
    struct message heartbeat = {.type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = 2};
    assert_int_equal(raft_step(solo.raft, &heartbeat), OK);
    assert_int_equal(raft_transfer_leader(solo.raft, 0), ERR_NOT_FOUND);
    assert_int_equal(solo.raft->outbox.count, 1); /* the heartbeat's answer, no wish of our own */
    solo_lead(&solo);
    assert_int_equal(raft_transfer_leader(solo.raft, 3), ERR_NOT_FOUND);
    assert_int_equal(raft_transfer_leader(solo.raft, 9), ERR_NOT_FOUND);
    assert_int_equal(raft_transfer_leader(solo.raft, 1), OK);
    assert_int_equal(solo.raft->transfer_target, 0);
    solo_deinit(&solo);
}

static void a_transfer_ends_when_its_target_leaves(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 2, true);
    struct raft *leader = group_raft(group, 1);
    struct conf_change change = {.count = 1, .changes = {{CONF_CHANGE_REMOVE, 2}}};
    assert_int_equal(raft_propose_conf_change(leader, &change, true, NULL), OK);
    assert_int_equal(raft_transfer_leader(leader, 2), OK);
    assert_int_equal(leader->transfer_target, 2);
    group_settle(group);
    assert_int_equal(leader->tracker.conf.voters.count, 2);
    assert_int_equal(leader->transfer_target, 0);
    assert_int_equal(group_propose(group, 1, "x"), OK);
    group_free(group);
}

static void a_later_transfer_replaces_an_earlier_one(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 2, true);
    assert_int_equal(group_propose(group, 1, "x"), OK);
    group_settle(group);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 2), OK);
    group_settle(group);
    assert_int_equal(group_raft(group, 1)->role, RAFT_LEADER);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 3), OK);
    group_settle(group);
    assert_int_equal(group_raft(group, 3)->role, RAFT_LEADER);
    group_free(group);
}

static void a_stale_acknowledgement_is_no_news(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo_lead(&solo);
    struct message ack = answer(&solo, 4);
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    assert_int_equal(solo.raft->log.committed, 4);
    (void)solo_ready(&solo);
    ack = answer(&solo, 2);
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    assert_int_equal(raft_tracker_find(&solo.raft->tracker, 2)->match, 4);
    assert_false(raft_has_ready(solo.raft));
    solo_deinit(&solo);
}

/* Simulator, seed 181: node 2 met a message of an old term, and said so to who leads by now. It was
 * then taken for a member with an empty log, whose first entries were compacted away long ago. */
static void an_answer_to_an_old_term_does_not_end_a_probe(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 3, log_terms, 3);
    solo_lead(&solo);
    struct raft_progress *progress = raft_tracker_find(&solo.raft->tracker, 2);
    struct message stray = answer(&solo, 0);
    assert_int_equal(raft_step(solo.raft, &stray), OK);
    assert_int_equal(progress->state, RAFT_PROGRESS_PROBE);
    assert_int_equal(progress->next, 4);
    solo_deinit(&solo);
}

/* A network that was cut delivers them all when it heals, and each may ask for megabytes. */
static void heartbeats_answered_all_at_once_are_worth_one_probe(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.pace_probes = true;
    struct solo solo;
    solo_init(&solo, &config, 2, 3, log_terms, 3);
    solo_lead(&solo);
    raft_tick(solo.raft);
    (void)solo_ready(&solo);
    struct message heard = {
        .type = MSG_HEARTBEAT_RESP, .from = 2, .to = 1, .term = solo.raft->term};
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(raft_step(solo.raft, &heard), OK);
    }
    assert_int_equal(solo_ready(&solo)->message_count, 1);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rejections_skip_whole_terms),
        cmocka_unit_test(an_unreachable_member_is_probed),
        cmocka_unit_test(a_reported_snapshot_is_probed_after_the_next_answer),
        cmocka_unit_test(leadership_goes_to_a_member_once_it_has_everything),
        cmocka_unit_test(a_transfer_is_given_up_after_an_election_timeout),
        cmocka_unit_test(transfers_to_nobody_are_refused),
        cmocka_unit_test(a_stale_acknowledgement_is_no_news),
        cmocka_unit_test(an_answer_to_an_old_term_does_not_end_a_probe),
        cmocka_unit_test(heartbeats_answered_all_at_once_are_worth_one_probe),
        cmocka_unit_test(a_transfer_ends_when_its_target_leaves),
        cmocka_unit_test(a_later_transfer_replaces_an_earlier_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
