/* Replication over a whole group: what is committed, what is not, and what old or strange messages
 * do to it. Flow to one follower: raft_append_flow_test.c. */
#include "network.h"

/* The texts of the entries with data that a node has applied, one after another. */
static void expect_applied_texts(struct group *group, node_id id, const char *const *texts,
                                 uint32_t count)
{
    const struct memlog *log = &group->peers[id].log;
    uint32_t found = 0;
    for (uint32_t i = 0; i < log->entries.count; i++) {
        const struct entry *entry = &log->entries.items[i];
        if (entry->pos.index <= group->peers[id].applied && entry_size(entry) > 0) {
            assert_true(found < count);
            struct slice expected = slice_from_text(texts[found]);
            assert_true(slice_equal(buf_slice(entry->data), expected));
            found++;
        }
    }
    assert_int_equal(found, count);
}

/* peers: etcd/TestLogReplication, raftrs/test_log_replication, tinykv/TestLogReplication2AB */
static void everybody_applies_all_proposals_in_order_whoever_leads(void **state)
{
    (void)state;
    static const char *const texts[] = {"one", "two"};
    for (int changes = 0; changes <= 1; changes++) {
        struct raft_config config = default_config();
        struct group *group = group_new(3, &config);
        campaign(group, 1);
        propose(group, 1, texts[0]);
        if (changes == 1) {
            campaign(group, 2);
            propose(group, 2, texts[1]);
        }
        for (node_id id = 1; id <= 3; id++) {
            assert_int_equal(group_committed(group, id), changes == 1 ? 4 : 2);
            expect_applied_texts(group, id, texts, changes == 1 ? 2 : 1);
        }
        group_free(group);
    }
}

/*
 * peers: etcd/TestSingleNodeCommit, raftrs/test_single_node_commit,
 * tinykv/TestSingleNodeCommit2AB
 */
static void a_single_voter_commits_alone(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(1, &config);
    campaign(group, 1);
    propose(group, 1, "x");
    propose(group, 1, "y");
    assert_int_equal(group_committed(group, 1), 3);
    assert_int_equal(group->peers[1].applied, 3);
    group_free(group);
}

/* 1 leads a group of five and has two entries of term 1 that only 2 got. */
static struct group *group_with_an_uncommitted_tail(void)
{
    struct raft_config config = default_config();
    struct group *group = group_new(5, &config);
    campaign(group, 1);
    for (node_id id = 3; id <= 5; id++) {
        cut(group, 1, id);
    }
    propose(group, 1, "x");
    propose(group, 1, "y");
    assert_int_equal(group_committed(group, 1), 1);
    heal(group);
    return group;
}

/*
 * peers: etcd/TestCannotCommitWithoutNewTermEntry,
 * raftrs/test_cannot_commit_without_new_term_entry
 */
static void a_new_leader_does_not_commit_what_is_of_an_earlier_term(void **state)
{
    (void)state;
    struct group *group = group_with_an_uncommitted_tail();
    group->ignored[MSG_APP] = true;
    campaign(group, 2);
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    assert_int_equal(group_committed(group, 2), 1);
    heal(group);
    beat(group, 2);
    propose(group, 2, "z");
    assert_int_equal(group_committed(group, 2), 5);
    group_free(group);
}

/*
 * peers: etcd/TestCommitWithoutNewTermEntry, raftrs/test_commit_without_new_term_entry,
 * tinykv/TestCommitWithoutNewTermEntry2AB
 */
static void a_new_leaders_empty_entry_commits_what_is_before_it(void **state)
{
    (void)state;
    struct group *group = group_with_an_uncommitted_tail();
    campaign(group, 2);
    assert_int_equal(group_committed(group, 1), 4);
    group_free(group);
}

/* peers: etcd/TestOldMessages, raftrs/test_old_messages, tinykv/TestOldMessages2AB */
static void an_old_leaders_append_changes_nothing(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    campaign(group, 1);
    campaign(group, 2);
    campaign(group, 1);
    struct entry old = make_entry(2, 3);
    struct message append = {.type = MSG_APP,
                             .from = 2,
                             .to = 1,
                             .term = 2,
                             .log_term = 2,
                             .index = 2,
                             .entries = &old,
                             .entry_count = 1};
    step(group, &append);
    propose(group, 1, "x");
    static const uint64_t terms[] = {1, 2, 3, 3};
    for (node_id id = 1; id <= 3; id++) {
        expect_terms(group_raft(group, id), terms, 4);
        expect_entry(group_raft(group, id), 4, "x");
        assert_int_equal(group_committed(group, id), 4);
    }
    group_free(group);
}

/* peers: etcd/TestProposal, raftrs/test_proposal, tinykv/TestProposal2AB */
static void a_proposal_is_committed_if_a_majority_is_there(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        uint32_t dead;
        bool succeeds;
    } table[] = {{3, 0, true}, {3, 1, true}, {3, 2, false}, {4, 2, false}, {5, 2, true}};
    static const uint64_t terms[] = {1, 1};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        struct group *group = group_new(table[i].count, &config);
        for (uint32_t d = 0; d < table[i].dead; d++) {
            group_crash(group, 2 + d);
        }
        campaign(group, 1);
        err e = group_propose(group, 1, "x");
        assert_int_equal(e, table[i].succeeds ? OK : ERR_NOT_LEADER);
        group_settle(group);
        for (node_id id = 1; id <= table[i].count; id++) {
            if (group_raft(group, id) != NULL) {
                expect_terms(group_raft(group, id), terms, table[i].succeeds ? 2 : 0);
                assert_int_equal(group->peers[id].applied, table[i].succeeds ? 2 : 0);
            }
        }
        assert_int_equal(group_raft(group, 1)->term, 1);
        group_free(group);
    }
}

/* peers: etcd/TestProposalByProxy, raftrs/test_proposal_by_proxy */
static void a_proposal_to_a_follower_goes_through_the_leader(void **state)
{
    (void)state;
    for (int dead = 0; dead <= 1; dead++) {
        struct raft_config config = default_config();
        struct group *group = group_new(3, &config);
        if (dead == 1) {
            group_crash(group, 3);
        }
        campaign(group, 1);
        propose(group, 2, "x");
        static const uint64_t terms[] = {1, 1};
        for (node_id id = 1; id <= 3 - (uint32_t)dead; id++) {
            expect_terms(group_raft(group, id), terms, 2);
            expect_entry(group_raft(group, id), 2, "x");
            assert_int_equal(group->peers[id].applied, 2);
        }
        group_free(group);
    }
}

/* peers: etcd/TestCommit, raftrs/test_commit */
static void a_majority_commits_up_to_what_it_shares_if_that_is_of_the_term(void **state)
{
    (void)state;
    static const struct {
        uint32_t voters;
        uint64_t match[4];
        uint64_t log[2];
        uint64_t term;
        uint64_t committed;
    } table[] = {
        {1, {1}, {1, 0}, 1, 1},          {1, {1}, {1, 0}, 2, 0},
        {1, {2}, {1, 2}, 2, 2},          {1, {1}, {2, 0}, 2, 1},
        {3, {2, 1, 1}, {1, 2}, 2, 0},    {3, {2, 1, 1}, {1, 1}, 1, 1},
        {3, {2, 1, 1}, {1, 1}, 2, 0},    {3, {2, 1, 2}, {1, 2}, 2, 2},
        {3, {2, 1, 2}, {1, 1}, 2, 0},    {4, {2, 1, 1, 1}, {1, 1}, 1, 1},
        {4, {2, 1, 1, 1}, {1, 1}, 2, 0}, {4, {2, 1, 1, 2}, {1, 1}, 1, 1},
        {4, {2, 1, 1, 2}, {1, 2}, 2, 0}, {4, {2, 1, 1, 2}, {1, 1}, 2, 0},
        {4, {2, 1, 2, 2}, {1, 2}, 2, 2}, {4, {2, 1, 2, 2}, {1, 1}, 2, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        config.conf.voters = ids_to(table[i].voters);
        struct solo solo;
        uint32_t count = table[i].log[1] == 0 ? 1 : 2;
        solo_init(&solo, &config, table[i].term, 0, table[i].log, count);
        solo.raft->role = RAFT_LEADER;
        for (uint32_t v = 0; v < table[i].voters; v++) {
            progress_of(solo.raft, v + 1)->match = table[i].match[v];
            progress_of(solo.raft, v + 1)->next = table[i].match[v] + 1;
        }
        assert_int_equal(raft_maybe_commit(solo.raft), table[i].committed > 0);
        assert_int_equal(solo.raft->log.committed, table[i].committed);
        solo_deinit(&solo);
    }
}

/*
 * peers: etcd/TestHandleMsgApp, raftrs/test_handle_msg_append,
 * tinykv/TestHandleMessageType_MsgAppend2AB
 */
static void an_append_is_taken_after_its_previous_entry_and_commits_what_it_compared(void **state)
{
    (void)state;
    static const struct {
        struct raft_pos prev;
        uint32_t count; /* of entries of term 2 */
        uint64_t commit;
        uint64_t last;
        uint64_t committed;
        bool reject;
    } table[] = {
        {{3, 2}, 0, 3, 2, 0, true},  {{3, 3}, 0, 3, 2, 0, true},  {{1, 1}, 0, 1, 2, 1, false},
        {{0, 0}, 1, 1, 1, 1, false}, {{2, 2}, 2, 3, 4, 3, false}, {{2, 2}, 1, 4, 3, 3, false},
        {{1, 1}, 1, 4, 2, 2, false}, {{1, 1}, 0, 3, 2, 1, false}, {{1, 1}, 1, 3, 2, 2, false},
        {{2, 2}, 0, 3, 2, 2, false}, {{2, 2}, 0, 4, 2, 2, false},
    };
    static const uint64_t log_terms[] = {1, 2};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 2, 0, log_terms, 2);
        struct entry entries[2];
        for (uint32_t e = 0; e < 2; e++) {
            entries[e] = make_entry(2, table[i].prev.index + 1 + e);
        }
        struct message append = {.type = MSG_APP,
                                 .from = 2,
                                 .to = 1,
                                 .term = table[i].prev.term > 2 ? 3 : 2,
                                 .log_term = table[i].prev.term,
                                 .index = table[i].prev.index,
                                 .commit = table[i].commit,
                                 .entries = entries,
                                 .entry_count = table[i].count};
        assert_int_equal(raft_step(solo.raft, &append), OK);
        assert_int_equal(raft_log_last_index(&solo.raft->log), table[i].last);
        assert_int_equal(solo.raft->log.committed, table[i].committed);
        assert_int_equal(only_sent(solo_ready(&solo))->reject, table[i].reject);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestHandleHeartbeat, raftrs/test_handle_heartbeat */
static void a_heartbeat_moves_the_commit_index_forward_only(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 2, 3};
    static const uint64_t told[] = {3, 1};
    for (size_t i = 0; i < ARRAY_COUNT(told); i++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 3, 2, log_terms, 3);
        struct message beat = {
            .type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = 3, .commit = told[i]};
        assert_int_equal(raft_step(solo.raft, &beat), OK);
        assert_int_equal(solo.raft->log.committed, told[i] == 3 ? 3 : 2);
        assert_int_equal(only_sent(solo_ready(&solo))->type, MSG_HEARTBEAT_RESP);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestLeaderMsgAppSelfAckAfterTermChange */
static void a_leaders_own_acknowledgement_is_nothing_once_it_follows(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_leader(&solo, 3, &config);
    solo_propose(&solo, "x");
    raft_ready(solo.raft, &solo.ready); /* being written */
    struct message beat = {.type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = 2};
    assert_int_equal(raft_step(solo.raft, &beat), OK);
    const struct message *own = find_message(solo.ready.messages_after_persist,
                                             solo.ready.after_persist_count, MSG_APP_RESP);
    assert_non_null(own);
    assert_int_equal(own->to, 1);
    assert_int_equal(raft_step(solo.raft, own), OK);
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    assert_int_equal(solo.raft->term, 2);
    solo_deinit(&solo);
}

/* peers: tinykv/TestCommitWithHeartbeat2AB */
static void a_node_that_was_away_gets_everything_after_one_heartbeat(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(5, &config);
    campaign(group, 1);
    group_isolate(group, 5, true);
    propose(group, 1, "x");
    propose(group, 1, "y");
    assert_int_equal(group_committed(group, 5), 1);
    heal(group);
    beat(group, 1);
    assert_int_equal(group_committed(group, 5), 3);
    group_free(group);
}

/* peers: tinykv/TestHeartbeatUpdateCommit2AB */
static void a_heartbeat_commits_nothing_that_was_not_compared(void **state)
{
    (void)state;
    static const struct {
        int lost;
        int kept;
    } table[] = {{1, 1}, {5, 3}, {5, 10}};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        struct group *group = group_new(3, &config);
        campaign(group, 1);
        group_isolate(group, 1, true);
        for (int p = 0; p < table[i].lost; p++) {
            propose(group, 1, "lost");
        }
        assert_int_equal(group_committed(group, 1), 1);
        campaign(group, 2);
        for (int p = 0; p < table[i].kept; p++) {
            propose(group, 2, "kept");
        }
        assert_int_equal(group_committed(group, 2), 2 + table[i].kept);
        assert_int_equal(group_committed(group, 3), 2 + table[i].kept);
        heal(group);
        group->ignored[MSG_APP] = true;
        beat(group, 2);
        assert_int_equal(group_committed(group, 1), 1);
        heal(group);
        beat(group, 2);
        assert_int_equal(group_committed(group, 1), 2 + table[i].kept);
        group_free(group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_applies_all_proposals_in_order_whoever_leads),
        cmocka_unit_test(a_single_voter_commits_alone),
        cmocka_unit_test(a_new_leader_does_not_commit_what_is_of_an_earlier_term),
        cmocka_unit_test(a_new_leaders_empty_entry_commits_what_is_before_it),
        cmocka_unit_test(an_old_leaders_append_changes_nothing),
        cmocka_unit_test(a_proposal_is_committed_if_a_majority_is_there),
        cmocka_unit_test(a_proposal_to_a_follower_goes_through_the_leader),
        cmocka_unit_test(a_majority_commits_up_to_what_it_shares_if_that_is_of_the_term),
        cmocka_unit_test(an_append_is_taken_after_its_previous_entry_and_commits_what_it_compared),
        cmocka_unit_test(a_heartbeat_moves_the_commit_index_forward_only),
        cmocka_unit_test(a_leaders_own_acknowledgement_is_nothing_once_it_follows),
        cmocka_unit_test(a_node_that_was_away_gets_everything_after_one_heartbeat),
        cmocka_unit_test(a_heartbeat_commits_nothing_that_was_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
