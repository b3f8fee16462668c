/* A core and the program round it: starting, restarting, proposing, reading, readies. */
#include "one_core.h"

/* A node that is its own quorum, leading in term 1 with its first entry applied. */
static void lead_alone(struct solo *solo, const struct raft_config *config, struct trail *trail)
{
    solo_open_with(solo, config, NULL, 0);
    solo_become(solo, RAFT_LEADER, trail);
    assert_int_equal(solo->raft->log.applied, 1);
    raft_entries_clear(&trail->written);
    raft_entries_clear(&trail->applied);
}

/* peers: etcd/TestRawNodeStep, etcd/TestNodeStep, etcd/TestIsLocalMsg, raftrs/test_raw_node_step,
 * raftrs/test_is_local_msg */
static void what_never_travels_is_refused_and_nothing_that_does_is_fatal(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1};
    static const bool is_local[MSG_TYPE_COUNT] = {
        [MSG_HUP] = true,         [MSG_BEAT] = true,         [MSG_UNREACHABLE] = true,
        [MSG_SNAP_STATUS] = true, [MSG_CHECK_QUORUM] = true, [MSG_FORGET_LEADER] = true,
    };
    for (int type = 0; type < MSG_TYPE_COUNT; type++) {
        struct raft_config config = config_of(2);
        config.hard_state = (struct hard_state){.term = 1, .commit = 1};
        struct solo solo;
        solo_open_with(&solo, &config, terms, 1);
        /* Bare, as from somewhere else; and again with the least that makes sense. */
        struct message message = {.type = (enum message_type)type};
        solo_expect(&solo, message, ERR_MALFORMED);
        message.to = 1;
        message.from = 2;
        message.term = type == MSG_PROP || type == MSG_READ_INDEX ? 0 : 1;
        message.read.sequence = 1;
        struct snapshot snapshot = {.pos = {1, 1}, .conf = config.conf};
        message.snapshot = type == MSG_SNAP ? &snapshot : NULL;
        struct entry entry = {0};
        message.entries = &entry;
        message.entry_count = type == MSG_PROP ? 1 : 0;
        err e = raft_step(solo.raft, &message);
        assert_int_equal(e == ERR_MALFORMED, is_local[type]);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestIsResponseMsg */
static void only_answers_have_to_come_from_a_member(void **state)
{
    (void)state;
    static const bool is_answer[MSG_TYPE_COUNT] = {
        [MSG_APP_RESP] = true,      [MSG_VOTE_RESP] = true,       [MSG_HEARTBEAT_RESP] = true,
        [MSG_PRE_VOTE_RESP] = true, [MSG_READ_INDEX_RESP] = true,
    };
    for (int type = 0; type < MSG_TYPE_COUNT; type++) {
        struct raft_config config = config_of(2);
        config.hard_state.term = 1;
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        struct message message = {
            .type = (enum message_type)type, .to = 1, .from = 9, .term = 1, .read.sequence = 1};
        assert_int_equal(raft_step(solo.raft, &message) == ERR_NOT_FOUND, is_answer[type]);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestNodePropose */
static void what_is_proposed_to_a_leader_is_in_its_log(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    struct trail trail = {0};
    struct solo solo;
    lead_alone(&solo, &config, &trail);
    assert_int_equal(solo_propose(&solo, "some data"), OK);
    const struct raft_ready *ready = solo_turn(&solo, &trail);
    assert_int_equal(ready->entry_count, 1);
    expect_pos(&ready->entries[0], 1, 2);
    expect_data(&ready->entries[0], "some data");
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestNodeProposeWaitDropped */
static void who_proposes_is_told_that_it_was_dropped(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    uint64_t last = raft_log_last_index(&group_raft(group, 1)->log);
    assert_int_equal(raft_transfer_leader(group_raft(group, 1), 2), OK);
    assert_int_equal(group_propose(group, 1, "dropped"), ERR_PROPOSAL_DROPPED);
    assert_int_equal(raft_log_last_index(&group_raft(group, 1)->log), last);
    group_free(group);
}

/* peers: etcd/TestNodeTick */
static void a_tick_counts(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    uint32_t elapsed = solo.raft->election_elapsed;
    raft_tick(solo.raft);
    assert_int_equal(solo.raft->election_elapsed, elapsed + 1);
    assert_false(raft_has_ready(solo.raft));
    solo_deinit(&solo);
}

/* peers: etcd/TestNodeAdvance */
static void writing_a_proposal_down_leads_to_the_next_ready(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    struct trail trail = {0};
    struct solo solo;
    lead_alone(&solo, &config, &trail);
    assert_int_equal(solo_propose(&solo, "foo"), OK);
    (void)solo_turn(&solo, &trail);
    assert_true(raft_has_ready(solo.raft));
    assert_int_equal(solo_turn(&solo, &trail)->committed_count, 1);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestSoftStateEqual, etcd/TestIsHardStateEqual */
static void a_ready_tells_states_only_if_part_of_them_has_changed(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1};
    static const struct {
        struct message message;
        bool soft;
        bool hard;
    } steps[] = {
        /* term and leader */
        {{.type = MSG_HEARTBEAT, .from = 2, .term = 2}, true, true},
        {{.type = MSG_HEARTBEAT, .from = 2, .term = 2}, false, false},
        /* commit alone */
        {{.type = MSG_HEARTBEAT, .from = 2, .term = 2, .commit = 1}, false, true},
        /* term, and the leader is forgotten */
        {{.type = MSG_VOTE, .from = 3, .term = 3}, true, true},
        {{.type = MSG_VOTE, .from = 3, .term = 3}, false, false},
        /* vote alone */
        {{.type = MSG_VOTE, .from = 3, .term = 3, .log_term = 1, .index = 1}, false, true},
        {{.type = MSG_VOTE, .from = 3, .term = 3, .log_term = 1, .index = 1}, false, false},
        /* leader alone */
        {{.type = MSG_HEARTBEAT, .from = 3, .term = 3, .commit = 1}, true, false},
    };
    struct raft_config config = config_of(3);
    config.hard_state.term = 1;
    struct trail trail = {0};
    struct solo solo;
    solo_open_with(&solo, &config, terms, 1);
    assert_false(raft_has_ready(solo.raft));
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        solo_hear(&solo, steps[i].message);
        const struct raft_ready *ready = solo_turn(&solo, &trail);
        assert_int_equal(ready->has_soft_state, steps[i].soft);
        assert_int_equal(ready->has_hard_state, steps[i].hard);
    }
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestRawNodeConsumeReady */
static void asking_whether_there_is_a_ready_takes_nothing_out(void **state)
{
    (void)state;
    struct raft_config config = config_of(3);
    struct trail trail = {0};
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    solo_hear(&solo, (struct message){.type = MSG_HEARTBEAT, .from = 2, .term = 1});
    for (int i = 0; i < 2; i++) {
        assert_true(raft_has_ready(solo.raft));
        assert_int_equal(solo.raft->outbox.count, 1);
    }
    raft_ready(solo.raft, &solo.ready);
    assert_int_equal(solo.ready.message_count, 1);
    assert_int_equal(solo.raft->outbox.count, 0);
    /* What comes while that ready is carried out waits for the next one. */
    solo_hear(&solo, (struct message){.type = MSG_HEARTBEAT, .from = 2, .commit = 0});
    assert_int_equal(solo.ready.message_count, 1);
    assert_int_equal(solo_turn(&solo, &trail)->message_count, 1);
    assert_false(raft_has_ready(solo.raft));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* Elects the node, proposes "foo", and checks each ready on the way; `last` was there before. */
static void elect_and_propose(struct solo *solo, struct raft_pos last, struct trail *trail)
{
    uint64_t term = last.term + 1;
    assert_int_equal(raft_campaign(solo->raft), OK);
    const struct raft_ready *ready = solo_turn(solo, trail); /* the vote */
    assert_int_equal(ready->hard_state.term, term);
    assert_int_equal(ready->hard_state.vote, 1);
    assert_true(ready->must_sync);
    assert_int_equal(solo_propose(solo, "foo"), OK);
    ready = solo_turn(solo, trail);
    assert_true(ready->has_soft_state);
    assert_int_equal(ready->role, RAFT_LEADER);
    assert_int_equal(ready->leader, 1);
    assert_true(ready->must_sync);
    assert_int_equal(ready->entry_count, 2);
    expect_pos(&ready->entries[0], term, last.index + 1);
    assert_null(ready->entries[0].data);
    expect_pos(&ready->entries[1], term, last.index + 2);
    expect_data(&ready->entries[1], "foo");
    assert_int_equal(ready->committed_count, 0);
    ready = solo_turn(solo, trail);
    assert_true(ready->has_hard_state);
    assert_int_equal(ready->hard_state.commit, last.index + 2);
    assert_false(ready->must_sync);
    assert_int_equal(ready->entry_count, 0);
    assert_int_equal(ready->committed_count, 2);
    expect_pos(&ready->committed[0], term, last.index + 1);
    expect_data(&ready->committed[1], "foo");
    assert_int_equal(ready->message_count + ready->after_persist_count, 0);
    assert_false(raft_has_ready(solo->raft));
}

/* peers: etcd/TestRawNodeStart, raftrs/test_raw_node_start, tinykv/TestRawNodeStart2AC */
static void a_node_whose_state_begins_with_members_starts_and_serves(void **state)
{
    (void)state;
    for (uint64_t begins = 0; begins <= 10; begins += 10) { /* in nothing, or in a snapshot */
        struct raft_config config = config_of(1);
        config.applied = begins;
        config.hard_state = (struct hard_state){.term = begins / 10, .commit = begins};
        struct trail trail = {0};
        struct solo solo = {.log.compacted = {begins / 10, begins}};
        solo_open(&solo, &config);
        assert_false(raft_has_ready(solo.raft));
        elect_and_propose(&solo, solo.log.compacted, &trail);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestNodeStart */
static void a_node_finds_its_first_members_in_its_log_and_starts(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.id = 1;
    config.hard_state = (struct hard_state){.term = 1, .commit = 1};
    struct trail trail = {.bootstrap.voters = ids_to(1)};
    struct solo solo = {0};
    struct entry first = make_entry(1, 1);
    first.type = ENTRY_BOOTSTRAP;
    raft_entries_push(&solo.log.entries, &first);
    solo_open(&solo, &config);
    assert_int_equal(raft_campaign(solo.raft), ERR_FORBIDDEN);
    const struct raft_ready *ready = solo_turn(&solo, &trail);
    assert_int_equal(ready->committed_count, 1);
    assert_int_equal(ready->committed[0].type, ENTRY_BOOTSTRAP);
    assert_true(conf_state_equal(&solo.raft->tracker.conf, &trail.bootstrap));
    elect_and_propose(&solo, first.pos, &trail);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* Only what is committed and not applied comes out, once. */
static void expect_committed_only(struct solo *solo, uint64_t first, uint32_t count)
{
    struct trail trail = {0};
    const struct raft_ready *ready = solo_turn(solo, &trail);
    assert_false(ready->has_hard_state);
    assert_false(ready->has_soft_state);
    assert_false(ready->must_sync);
    assert_false(ready->has_mark);
    assert_int_equal(ready->entry_count, 0);
    assert_int_equal(ready->message_count + ready->after_persist_count, 0);
    assert_null(ready->snapshot);
    assert_int_equal(ready->committed_count, count);
    assert_int_equal(ready->committed[0].pos.index, first);
    assert_false(raft_has_ready(solo->raft));
    trail_deinit(&trail);
}

/* peers: etcd/TestRawNodeRestart, etcd/TestNodeRestart, raftrs/test_raw_node_restart,
 * tinykv/TestRawNodeRestart2AC */
static void after_a_restart_what_was_committed_is_applied(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1, 1};
    for (uint32_t voters = 0; voters <= 1; voters++) { /* even one who knows of no members */
        struct raft_config config = config_of(voters);
        config.hard_state = (struct hard_state){.term = 1, .commit = 1};
        struct solo solo;
        solo_open_with(&solo, &config, terms, 2);
        expect_committed_only(&solo, 1, 1);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestRawNodeRestartFromSnapshot, etcd/TestNodeRestartFromSnapshot,
 * raftrs/test_raw_node_restart_from_snapshot, tinykv/TestRawNodeRestartFromSnapshot2C */
static void after_a_restart_only_what_follows_the_snapshot_is_applied(void **state)
{
    (void)state;
    for (uint64_t applied = 0; applied <= 2; applied += 2) { /* told of, or seen in the log */
        struct raft_config config = config_of(2);
        config.hard_state = (struct hard_state){.term = 1, .commit = 3};
        config.applied = applied;
        struct solo solo = {.log.compacted = {1, 2}};
        struct entry entry = make_entry(1, 3);
        raft_entries_push(&solo.log.entries, &entry);
        solo_open(&solo, &config);
        expect_committed_only(&solo, 3, 1);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestRawNodeStatus */
static void the_status_tells_of_members_while_the_node_leads(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    struct trail trail = {0};
    struct solo solo;
    struct raft_status status;
    solo_open_with(&solo, &config, NULL, 0);
    raft_status(solo.raft, &status);
    assert_int_equal(status.member_count, 0);
    assert_int_equal(status.leader, 0);
    solo_become(&solo, RAFT_LEADER, &trail);
    raft_status(solo.raft, &status);
    const struct raft_progress *self = raft_tracker_find(&solo.raft->tracker, 1);
    assert_int_equal(status.leader, 1);
    assert_int_equal(status.role, RAFT_LEADER);
    assert_true(conf_state_equal(&status.conf, &config.conf));
    assert_int_equal(status.member_count, 1);
    assert_int_equal(status.members[0].id, 1);
    assert_int_equal(status.members[0].state, self->state);
    assert_int_equal(status.members[0].match, self->match);
    assert_int_equal(status.members[0].next, self->next);
    assert_int_equal(status.members[0].recent_active, self->recent_active);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestRawNodeReadIndex, raftrs/test_raw_node_read_index */
static void a_read_is_answered_in_a_ready_once(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    struct trail trail = {0};
    struct solo solo;
    lead_alone(&solo, &config, &trail);
    assert_int_equal(raft_read_index(solo.raft, (struct read_ctx){1, 7}), OK);
    assert_true(raft_has_ready(solo.raft));
    solo_run(&solo, &trail);
    assert_int_equal(trail.read_count, 1);
    assert_int_equal(trail.reads[0].ctx.sequence, 7);
    assert_int_equal(trail.reads[0].index, 1);
    assert_int_equal(solo.raft->read_state_count, 0);
    assert_false(raft_has_ready(solo.raft));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* The one message in the next ready of `raft`, a question for a read index, put into `outbox`. */
static void take_question(struct raft *raft, node_id leader, struct raft_outbox *outbox)
{
    struct raft_ready ready;
    raft_ready(raft, &ready);
    assert_int_equal(ready.message_count, 1);
    assert_int_equal(ready.messages[0].type, MSG_READ_INDEX);
    assert_int_equal(ready.messages[0].to, leader);
    assert_int_equal(ready.messages[0].term, 0);
    outbox_copy(outbox, &ready.messages[0]);
}

/* peers: etcd/TestNodeReadIndexToOldLeader, raftrs/test_raw_node_read_index_to_old_leader */
static void a_question_to_an_old_leader_finds_its_way_to_the_new_one(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    struct raft_outbox questions = {0};
    group_elect(group, 1);
    for (node_id id = 2; id <= 3; id++) {
        struct read_ctx ctx = {.node = id, .sequence = 5};
        assert_int_equal(raft_read_index(group_raft(group, id), ctx), OK);
        take_question(group_raft(group, id), 1, &questions);
    }
    group_elect(group, 3);
    struct raft_ready ready;
    assert_int_equal(raft_step(group_raft(group, 1), &questions.messages[0]), OK);
    assert_int_equal(raft_step(group_raft(group, 1), &questions.messages[1]), OK);
    raft_ready(group_raft(group, 1), &ready);
    assert_int_equal(ready.message_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ready.messages[i].type, MSG_READ_INDEX);
        assert_int_equal(ready.messages[i].to, 3);
        assert_int_equal(ready.messages[i].from, i + 2);
        assert_int_equal(ready.messages[i].term, 0);
        assert_int_equal(ready.messages[i].read.node, i + 2);
        assert_int_equal(raft_step(group_raft(group, 3), &ready.messages[i]), OK);
    }
    group_settle(group); /* and both are answered */
    assert_int_equal(group->peers[2].read_state_count, 1);
    assert_int_equal(group->peers[3].read_state_count, 1);
    raft_outbox_deinit(&questions);
    group_free(group);
}

/* peers: etcd/TestRawNodeBoundedLogGrowthWithPartition,
 * raftrs/test_bounded_uncommitted_entries_growth_with_partition */
static void a_leader_that_commits_nothing_takes_a_bounded_number_of_bytes(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    config.max_uncommitted_size = 16 * strlen("testdata");
    struct trail trail = {0};
    struct solo solo;
    lead_alone(&solo, &config, &trail);
    for (int i = 0; i < 1024; i++) {
        assert_int_equal(solo_propose(&solo, "testdata"), i < 16 ? OK : ERR_OVERLOADED);
    }
    assert_int_equal(solo.raft->uncommitted_size, config.max_uncommitted_size);
    assert_int_equal(solo_turn(&solo, &trail)->entry_count, 16);
    assert_int_equal(solo.raft->uncommitted_size, config.max_uncommitted_size);
    const struct raft_ready *ready = solo_turn(&solo, &trail);
    assert_int_equal(ready->entry_count, 0);
    assert_int_equal(ready->committed_count, 16);
    assert_int_equal(solo.raft->uncommitted_size, 0);
    assert_int_equal(solo_propose(&solo, "testdata"), OK);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestPayloadSizeOfEmptyEntry */
static void an_empty_entry_counts_nothing_against_that_bound(void **state)
{
    (void)state;
    struct raft_config config = config_of(3);
    config.max_uncommitted_size = 1;
    struct trail trail = {0};
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    solo_become(&solo, RAFT_LEADER, &trail);
    assert_int_equal(solo.raft->uncommitted_size, 0);
    assert_int_equal(solo_propose(&solo, "x"), OK);
    assert_int_equal(solo_propose(&solo, "y"), ERR_OVERLOADED);
    assert_int_equal(solo_propose(&solo, ""), OK);
    assert_int_equal(solo.raft->uncommitted_size, 1);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_never_travels_is_refused_and_nothing_that_does_is_fatal),
        cmocka_unit_test(only_answers_have_to_come_from_a_member),
        cmocka_unit_test(what_is_proposed_to_a_leader_is_in_its_log),
        cmocka_unit_test(who_proposes_is_told_that_it_was_dropped),
        cmocka_unit_test(a_tick_counts),
        cmocka_unit_test(writing_a_proposal_down_leads_to_the_next_ready),
        cmocka_unit_test(a_ready_tells_states_only_if_part_of_them_has_changed),
        cmocka_unit_test(asking_whether_there_is_a_ready_takes_nothing_out),
        cmocka_unit_test(a_node_whose_state_begins_with_members_starts_and_serves),
        cmocka_unit_test(a_node_finds_its_first_members_in_its_log_and_starts),
        cmocka_unit_test(after_a_restart_what_was_committed_is_applied),
        cmocka_unit_test(after_a_restart_only_what_follows_the_snapshot_is_applied),
        cmocka_unit_test(the_status_tells_of_members_while_the_node_leads),
        cmocka_unit_test(a_read_is_answered_in_a_ready_once),
        cmocka_unit_test(a_question_to_an_old_leader_finds_its_way_to_the_new_one),
        cmocka_unit_test(a_leader_that_commits_nothing_takes_a_bounded_number_of_bytes),
        cmocka_unit_test(an_empty_entry_counts_nothing_against_that_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
