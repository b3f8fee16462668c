/* What the paper says of replication and commitment (sections 5.3, 5.4.2), sentence by sentence. */
#include "one_core.h"

/* Node 1 leads a group of this size in term 1; its first entry is committed everywhere. */
static void lead_from_nothing(struct solo *solo, uint32_t size, struct trail *trail)
{
    struct raft_config config = config_of(size);
    solo_open_with(solo, &config, NULL, 0);
    solo_become(solo, RAFT_LEADER, trail);
    solo_agree(solo, trail);
    assert_int_equal(solo->raft->log.committed, 1);
    raft_entries_clear(&trail->written);
    raft_entries_clear(&trail->applied);
}

/* peers: etcd/TestLeaderStartReplication, raftrs/test_leader_start_replication,
 * tinykv/TestLeaderStartReplication2AB */
static void a_proposal_is_written_and_sent_with_what_precedes_it(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    lead_from_nothing(&solo, 3, &trail);
    assert_int_equal(solo_propose(&solo, "some data"), OK);
    assert_int_equal(raft_log_last_index(&solo.raft->log), 2);
    solo_run(&solo, &trail);
    assert_int_equal(solo.raft->log.committed, 1);
    assert_int_equal(trail.written.count, 1);
    expect_pos(&trail.written.items[0], 1, 2);
    expect_data(&trail.written.items[0], "some data");
    assert_int_equal(trail.sent.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct message *append = &trail.sent.messages[i];
        assert_int_equal(append->type, MSG_APP);
        assert_int_equal(append->to, i + 2);
        assert_int_equal(append->term, 1);
        assert_int_equal(append->index, 1);
        assert_int_equal(append->log_term, 1);
        assert_int_equal(append->commit, 1);
        assert_int_equal(append->entry_count, 1);
        expect_pos(&append->entries[0], 1, 2);
        expect_data(&append->entries[0], "some data");
    }
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestLeaderCommitEntry, raftrs/test_leader_commit_entry,
 * tinykv/TestLeaderCommitEntry2AB */
static void a_replicated_entry_is_applied_and_the_others_are_told(void **state)
{
    (void)state;
    struct trail trail = {0};
    struct solo solo;
    lead_from_nothing(&solo, 3, &trail);
    assert_int_equal(solo_propose(&solo, "some data"), OK);
    solo_run(&solo, &trail);
    assert_true(solo_accept(&solo, &trail, EVERYBODY));
    solo_run(&solo, &trail);
    assert_int_equal(solo.raft->log.committed, 2);
    assert_int_equal(trail.applied.count, 1);
    expect_pos(&trail.applied.items[0], 1, 2);
    expect_data(&trail.applied.items[0], "some data");
    assert_int_equal(trail.sent.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(trail.sent.messages[i].type, MSG_APP);
        assert_int_equal(trail.sent.messages[i].to, i + 2);
        assert_int_equal(trail.sent.messages[i].commit, 2);
    }
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: etcd/TestLeaderAcknowledgeCommit, raftrs/test_leader_acknowledge_commit,
 * tinykv/TestLeaderAcknowledgeCommit2AB */
static void an_entry_is_committed_by_a_majority_that_has_it(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        uint32_t acceptors; /* bits of the others' ids */
        bool committed;
    } cases[] = {
        {1, 0, true},
        {3, 0, false},
        {3, 1 << 2, true},
        {3, 1 << 2 | 1 << 3, true},
        {5, 0, false},
        {5, 1 << 2, false},
        {5, 1 << 2 | 1 << 3, true},
        {5, 1 << 4 | 1 << 5, true},
        {5, 1 << 2 | 1 << 3 | 1 << 4, true},
        {5, EVERYBODY, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct trail trail = {0};
        struct solo solo;
        lead_from_nothing(&solo, cases[i].size, &trail);
        assert_int_equal(solo_propose(&solo, "some data"), OK);
        solo_run(&solo, &trail);
        (void)solo_accept(&solo, &trail, cases[i].acceptors);
        assert_int_equal(solo.raft->log.committed, cases[i].committed ? 2 : 1);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestLeaderCommitPrecedingEntries, raftrs/test_leader_commit_preceding_entries,
 * tinykv/TestLeaderCommitPrecedingEntries2AB */
static void committing_an_entry_commits_those_of_earlier_leaders_before_it(void **state)
{
    (void)state;
    static const struct {
        uint64_t terms[2];
        uint32_t count;
    } cases[] = {{{0}, 0}, {{2}, 1}, {{1, 2}, 2}, {{1}, 1}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct raft_config config = config_of(3);
        config.hard_state.term = 2;
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, cases[i].terms, cases[i].count);
        solo_win(&solo, &trail);
        assert_int_equal(solo_propose(&solo, "some data"), OK);
        solo_agree(&solo, &trail);
        uint64_t expected[4];
        memcpy(expected, cases[i].terms, sizeof(cases[i].terms));
        expected[cases[i].count] = 3;
        expected[cases[i].count + 1] = 3;
        expect_terms(&trail.applied, 1, expected, cases[i].count + 2);
        expect_data(&trail.applied.items[cases[i].count + 1], "some data");
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestFollowerCommitEntry, raftrs/test_follower_commit_entry,
 * tinykv/TestFollowerCommitEntry2AB */
static void a_follower_applies_in_order_what_it_is_told_is_committed(void **state)
{
    (void)state;
    static const struct {
        const char *texts[2];
        uint32_t count;
        uint64_t commit;
    } cases[] = {
        {{"some data"}, 1, 1},
        {{"some data", "some data2"}, 2, 2},
        {{"some data2", "some data"}, 2, 2},
        {{"some data", "some data2"}, 2, 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct raft_config config = config_of(3);
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, NULL, 0);
        solo_become(&solo, RAFT_FOLLOWER, &trail);
        struct entry entries[2] = {0};
        for (uint32_t k = 0; k < cases[i].count; k++) {
            entries[k] = make_entry(1, k + 1);
            entries[k].data = buf_copy(slice_from_text(cases[i].texts[k]));
        }
        solo_hear(&solo, (struct message){.type = MSG_APP,
                                          .from = 2,
                                          .entries = entries,
                                          .entry_count = cases[i].count,
                                          .commit = cases[i].commit});
        solo_run(&solo, &trail);
        assert_int_equal(solo.raft->log.committed, cases[i].commit);
        assert_int_equal(trail.applied.count, cases[i].commit);
        for (uint32_t k = 0; k < trail.applied.count; k++) {
            expect_data(&trail.applied.items[k], cases[i].texts[k]);
        }
        buf_unref(entries[0].data);
        buf_unref(entries[1].data);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestFollowerCheckMsgApp, raftrs/test_follower_check_msg_append,
 * tinykv/TestFollowerCheckMessageType_MsgAppend2AB */
static void an_append_is_refused_unless_what_precedes_it_is_there(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1, 2};
    static const struct {
        struct raft_pos prev;
        uint64_t index;
        bool reject;
        struct raft_pos hint;
    } cases[] = {
        {{0, 0}, 1, false, {0}}, /* before the commit index: that is told */
        {{1, 1}, 1, false, {0}},   {{2, 2}, 2, false, {0}},
        {{1, 2}, 2, true, {1, 1}}, /* another entry stands there */
        {{3, 3}, 3, true, {2, 2}}, /* none does */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct raft_config config = config_of(3);
        config.hard_state = (struct hard_state){.term = 2, .commit = 1};
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, terms, 2);
        solo_hear(&solo, (struct message){.type = MSG_APP,
                                          .from = 2,
                                          .term = 3,
                                          .log_term = cases[i].prev.term,
                                          .index = cases[i].prev.index});
        solo_run(&solo, &trail);
        assert_int_equal(trail.sent.count, 1);
        const struct message *answer = &trail.sent.messages[0];
        assert_int_equal(answer->type, MSG_APP_RESP);
        assert_int_equal(answer->to, 2);
        assert_int_equal(answer->term, 3);
        assert_int_equal(answer->index, cases[i].index);
        assert_int_equal(answer->reject, cases[i].reject);
        assert_int_equal(answer->reject_hint, cases[i].hint.index);
        assert_int_equal(answer->log_term, cases[i].hint.term);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestFollowerAppendEntries, raftrs/test_follower_append_entries,
 * tinykv/TestFollowerAppendEntries2AB */
static void a_conflict_cuts_the_log_and_only_what_is_new_is_written(void **state)
{
    (void)state;
    static const uint64_t before[] = {1, 2};
    static const struct {
        struct raft_pos prev;
        uint64_t sent[2];
        uint32_t sent_count;
        uint64_t after[3];
        uint32_t after_count;
        uint32_t written; /* at the end of `after` */
    } cases[] = {
        {{2, 2}, {3}, 1, {1, 2, 3}, 3, 1},
        {{1, 1}, {3, 4}, 2, {1, 3, 4}, 3, 2},
        {{0, 0}, {1}, 1, {1, 2}, 2, 0},
        {{0, 0}, {3}, 1, {3}, 1, 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct raft_config config = config_of(3);
        config.hard_state.term = 2;
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, before, 2);
        struct entry entries[2];
        for (uint32_t k = 0; k < cases[i].sent_count; k++) {
            entries[k] = make_entry(cases[i].sent[k], cases[i].prev.index + 1 + k);
        }
        /* In term 4: entries of terms after their leader's are malformed here. */
        solo_hear(&solo, (struct message){.type = MSG_APP,
                                          .from = 2,
                                          .term = 4,
                                          .log_term = cases[i].prev.term,
                                          .index = cases[i].prev.index,
                                          .entries = entries,
                                          .entry_count = cases[i].sent_count});
        solo_run(&solo, &trail);
        expect_terms(&solo.log.entries, 1, cases[i].after, cases[i].after_count);
        uint32_t kept = cases[i].after_count - cases[i].written;
        expect_terms(&trail.written, kept + 1, cases[i].after + kept, cases[i].written);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* Node `id` of a group starts again with a log and a hard state of its own. */
static void restart_with(struct group *group, node_id id, const uint64_t *terms, uint32_t count,
                         struct hard_state hard_state)
{
    group_crash(group, id);
    memlog_fill(&group->peers[id].log, terms, count);
    group->peers[id].durable = hard_state;
    group_start(group, id);
}

/* The follower's log of each letter of the paper's figure 7. */
static const struct {
    uint64_t terms[12];
    uint32_t count;
} figure_7[] = {
    {{1, 1, 1, 4, 4, 5, 5, 6, 6}, 9},
    {{1, 1, 1, 4}, 4},
    {{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}, 11},
    {{1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, 12},
    {{1, 1, 1, 4, 4, 4, 4}, 7},
    {{1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}, 11},
};

/* peers: etcd/TestLeaderSyncFollowerLog, raftrs/test_leader_sync_follower_log,
 * tinykv/TestLeaderSyncFollowerLog2AB */
static void a_leader_brings_every_log_of_figure_7_in_line_with_its_own(void **state)
{
    (void)state;
    static const uint64_t leaders[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 9, 9};
    for (size_t i = 0; i < ARRAY_COUNT(figure_7); i++) {
        struct raft_config config = default_config();
        struct group *group = group_new(3, &config);
        restart_with(group, 1, leaders, 10, (struct hard_state){.term = 8, .commit = 10});
        restart_with(group, 2, figure_7[i].terms, figure_7[i].count,
                     (struct hard_state){.term = 7});
        group_elect(group, 1); /* by the vote of node 3: node 2 may have the longer log */
        assert_int_equal(group_raft(group, 1)->term, 9);
        assert_int_equal(group_propose(group, 1, ""), OK);
        group_settle(group);
        for (node_id id = 1; id <= 3; id++) {
            expect_terms(&group->peers[id].log.entries, 1, leaders, 12);
            assert_int_equal(group->peers[id].applied, 12);
        }
        group_free(group);
    }
}

/* peers: etcd/TestLeaderOnlyCommitsLogFromCurrentTerm,
 * raftrs/test_leader_only_commits_log_from_current_term,
 * tinykv/TestLeaderOnlyCommitsLogFromCurrentTerm2AB */
static void counting_copies_commits_nothing_of_an_earlier_term(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1, 2};
    static const uint64_t commits[] = {0, 0, 3, 4}; /* if node 2 has 1, 2, 3, 4 entries */
    for (uint64_t index = 1; index <= 4; index++) {
        struct raft_config config = config_of(2);
        config.hard_state.term = 2;
        struct trail trail = {0};
        struct solo solo;
        solo_open_with(&solo, &config, terms, 2);
        solo_win(&solo, &trail);
        assert_int_equal(solo.raft->term, 3);
        assert_int_equal(solo_propose(&solo, "x"), OK);
        solo_run(&solo, &trail);
        solo_ack(&solo, 2, index);
        solo_run(&solo, &trail);
        assert_int_equal(solo.raft->log.committed, commits[index - 1]);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proposal_is_written_and_sent_with_what_precedes_it),
        cmocka_unit_test(a_replicated_entry_is_applied_and_the_others_are_told),
        cmocka_unit_test(an_entry_is_committed_by_a_majority_that_has_it),
        cmocka_unit_test(committing_an_entry_commits_those_of_earlier_leaders_before_it),
        cmocka_unit_test(a_follower_applies_in_order_what_it_is_told_is_committed),
        cmocka_unit_test(an_append_is_refused_unless_what_precedes_it_is_there),
        cmocka_unit_test(a_conflict_cuts_the_log_and_only_what_is_new_is_written),
        cmocka_unit_test(a_leader_brings_every_log_of_figure_7_in_line_with_its_own),
        cmocka_unit_test(counting_copies_commits_nothing_of_an_earlier_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
