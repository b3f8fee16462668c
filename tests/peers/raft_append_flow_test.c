/* What a leader sends to one follower and when: probing, streaming, windows, rejections. */
#include "network.h"

/* Follower 2 has acknowledged the leader's whole log and gets a stream. */
static void stream_to_2(struct solo *solo)
{
    acknowledge(solo->raft, 2, raft_log_last_index(&solo->raft->log));
    (void)solo_ready(solo);
    assert_int_equal(progress_of(solo->raft, 2)->state, RAFT_PROGRESS_REPLICATE);
}

/* peers: etcd/TestProgressLeader, raftrs/test_progress_leader, tinykv/TestProgressLeader2AB */
static void a_leaders_own_progress_follows_its_disk(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_blank(&solo, 2, &config);
    raft_become_candidate(solo.raft);
    raft_become_leader(solo.raft);
    for (int i = 0; i < 5; i++) {
        solo_propose(&solo, "foo");
    }
    assert_int_equal(progress_of(solo.raft, 1)->match, 0);
    uint32_t count = 0;
    const struct entry *entries = raft_unstable_next_entries(&solo.raft->log.unstable, &count);
    assert_int_equal(count, 6);
    assert_int_equal(entry_size(&entries[0]), 0);
    assert_int_equal(entry_size(&entries[5]), 3);
    (void)solo_ready(&solo);
    assert_int_equal(progress_of(solo.raft, 1)->match, 6);
    assert_int_equal(progress_of(solo.raft, 1)->next, 7);
    solo_deinit(&solo);
}

/* peers: etcd/TestProgressResumeByHeartbeatResp, raftrs/test_progress_resume_by_heartbeat_resp */
static void a_heartbeats_answer_ends_a_pause_and_a_heartbeat_does_not(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_leader(&solo, 2, &config);
    struct raft_progress *two = progress_of(solo.raft, 2);
    two->is_append_paused = true;
    raft_tick(solo.raft);
    assert_true(two->is_append_paused);
    raft_progress_become_replicate(two);
    assert_false(two->is_append_paused);
    acknowledge(solo.raft, 2, 1);
    two->is_append_paused = true;
    struct message answer = answer_of(solo.raft, MSG_HEARTBEAT_RESP, 2);
    assert_int_equal(raft_step(solo.raft, &answer), OK);
    assert_false(two->is_append_paused);
    solo_deinit(&solo);
}

/* peers: etcd/TestProgressPaused, raftrs/test_progress_paused */
static void a_probe_gets_one_message_however_much_is_proposed(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_blank(&solo, 2, &config);
    raft_become_candidate(solo.raft);
    raft_become_leader(solo.raft);
    for (int i = 0; i < 3; i++) {
        solo_propose(&solo, "x");
    }
    assert_int_equal(count_all_sent(solo_ready(&solo)), 1);
    solo_deinit(&solo);
}

/* Acknowledges, and checks the numbers of entries in the messages that follow, 0 at their end. The
 * last index sent. */
static uint64_t ack_and_expect(struct solo *solo, uint64_t index, const uint32_t *counts)
{
    acknowledge(solo->raft, 2, index);
    const struct raft_ready *ready = solo_ready(solo);
    uint32_t sent = 0;
    for (uint32_t i = 0; i < ready->message_count; i++) {
        assert_int_equal(ready->messages[i].type, MSG_APP);
        if (ready->messages[i].entry_count == 0) {
            continue; /* tells the commit index */
        }
        assert_int_equal(ready->messages[i].entry_count, counts[sent]);
        index = ready->messages[i].index + ready->messages[i].entry_count;
        sent++;
    }
    assert_int_equal(counts[sent], 0);
    return index;
}

/* peers: etcd/TestProgressFlowControl, raftrs/test_progress_flow_control */
static void a_stream_is_bounded_in_messages_and_in_bytes(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_inflight_messages = 3;
    config.max_size_per_message = 2 * (1000 + RAFT_ENTRY_OVERHEAD);
    config.max_inflight_bytes = 9000;
    struct solo solo;
    solo_leader(&solo, 2, &config);
    raft_progress_become_probe(progress_of(solo.raft, 2));
    char text[5001];
    memset(text, 'a', sizeof(text));
    for (int i = 0; i < 22; i++) {
        uint32_t size = i >= 10 && i < 16 ? 5000 : 1000;
        text[size] = '\0';
        solo_propose(&solo, text);
        text[size] = 'a';
    }
    const struct message *probe = only_sent(solo_ready(&solo));
    assert_int_equal(probe->entry_count, 2); /* the empty one and the first */
    assert_int_equal(entry_size(&probe->entries[1]), 1000);
    static const uint32_t rounds[][4] = {{2, 2, 2}, {2, 1, 1}, {1, 1}, {1, 1}, {1, 2, 2}, {2}};
    uint64_t index = probe->index + 2;
    for (size_t i = 0; i < ARRAY_COUNT(rounds); i++) {
        index = ack_and_expect(&solo, index, rounds[i]);
    }
    assert_int_equal(index, raft_log_last_index(&solo.raft->log));
    solo_deinit(&solo);
}

/* peers: etcd/TestUncommittedEntryLimit, raftrs/test_uncommitted_entries_size_limit */
static void proposals_are_bounded_until_they_are_applied(void **state)
{
    (void)state;
    enum {
        COUNT = 1024
    };
    struct raft_config config = default_config();
    config.max_uncommitted_size = (uint64_t)COUNT * 8;
    struct solo solo;
    solo_leader(&solo, 3, &config);
    acknowledge(solo.raft, 2, 1);
    acknowledge(solo.raft, 3, 1);
    (void)solo_ready(&solo);
    assert_int_equal(solo.raft->uncommitted_size, 0);
    struct entry one = {.data = buf_copy(SLICE_LITERAL("testdata"))};
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(raft_propose(solo.raft, &one, 1, NULL), OK);
    }
    assert_int_equal(raft_propose(solo.raft, &one, 1, NULL), ERR_OVERLOADED);
    assert_int_equal(count_sent(solo_ready(&solo), MSG_APP), 2 * COUNT);
    acknowledge(solo.raft, 2, 1 + COUNT);
    (void)solo_ready(&solo); /* committed and applied */
    assert_int_equal(solo.raft->uncommitted_size, 0);

    struct entry *many = mem_calloc(2 * COUNT, sizeof(*many));
    for (int i = 0; i < 2 * COUNT; i++) {
        many[i].data = one.data;
    }
    assert_int_equal(raft_propose(solo.raft, many, 2 * COUNT, NULL), OK);
    assert_int_equal(raft_propose(solo.raft, &one, 1, NULL), ERR_OVERLOADED);
    struct entry empty = {0};
    assert_int_equal(raft_propose(solo.raft, &empty, 1, NULL), OK);
    (void)solo_ready(&solo);
    acknowledge(solo.raft, 2, 1 + 3 * COUNT + 1);
    (void)solo_ready(&solo);
    assert_int_equal(solo.raft->uncommitted_size, 0);
    mem_free(many);
    buf_unref(one.data);
    solo_deinit(&solo);
}

/* peers: raftrs/test_uncommitted_entry_after_leader_election */
static void a_new_leader_counts_only_what_is_proposed_to_it(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_uncommitted_size = 12;
    struct group *group = group_new(5, &config);
    campaign(group, 1);
    for (node_id id = 3; id <= 5; id++) {
        cut(group, 1, id);
    }
    propose(group, 1, "hello world!");
    group_isolate(group, 1, true);
    group->ignored[MSG_APP] = true;
    campaign(group, 2);
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    assert_int_equal(group_raft(group, 2)->uncommitted_size, 0);
    assert_int_equal(group_raft(group, 1)->uncommitted_size, 12);
    heal(group);
    beat(group, 2);
    assert_int_equal(group_raft(group, 1)->role, RAFT_FOLLOWER);
    assert_int_equal(group_raft(group, 1)->uncommitted_size, 0);
    group_free(group);
}

/* peers: raftrs/test_uncommitted_state_advance_ready_from_last_term */
static void what_was_proposed_to_another_leader_is_not_given_back(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_uncommitted_size = 12;
    struct group *group = group_new(3, &config);
    campaign(group, 1);
    group->peers[2].is_apply_held = true;
    propose(group, 1, "hello world!");
    propose(group, 1, "hello again!");
    campaign(group, 2);
    assert_int_equal(group_raft(group, 2)->role, RAFT_LEADER);
    group_isolate(group, 2, true);
    propose(group, 2, "hello world!");
    group_apply_all(group, 2); /* those of the last term */
    assert_int_equal(group_raft(group, 2)->uncommitted_size, 12);
    group_free(group);
}

/* peers: etcd/TestHandleHeartbeatResp, raftrs/test_handle_heartbeat_resp */
static void a_heartbeats_answer_sends_the_log_again_until_it_is_acknowledged(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 2, 3};
    struct raft_config config = default_config();
    config.conf.voters = ids_to(2);
    struct solo solo;
    solo_init(&solo, &config, 3, 3, log_terms, 3);
    solo_lead(&solo);
    uint64_t last = raft_log_last_index(&solo.raft->log);
    struct message answer = answer_of(solo.raft, MSG_HEARTBEAT_RESP, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(raft_step(solo.raft, &answer), OK);
        const struct message *sent = only_sent(solo_ready(&solo));
        assert_int_equal(sent->type, MSG_APP);
        assert_int_equal(sent->index + sent->entry_count, last);
    }
    acknowledge(solo.raft, 2, last);
    (void)solo_ready(&solo);
    assert_int_equal(raft_step(solo.raft, &answer), OK);
    assert_int_equal(count_all_sent(solo_ready(&solo)), 0);
    solo_deinit(&solo);
}

/* peers: etcd/TestMsgAppRespWaitReset, raftrs/test_msg_append_response_wait_reset */
static void an_acknowledgement_ends_the_pause_of_its_sender_only(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_leader(&solo, 3, &config);
    acknowledge(solo.raft, 2, 1);
    assert_int_equal(solo.raft->log.committed, 1);
    (void)solo_ready(&solo);
    struct entry empty = {0};
    assert_int_equal(raft_propose(solo.raft, &empty, 1, NULL), OK);
    for (node_id id = 2; id <= 3; id++) {
        if (id == 3) {
            acknowledge(solo.raft, 3, 1);
        }
        const struct message *sent = only_sent(solo_ready(&solo));
        assert_int_equal(sent->type, MSG_APP);
        assert_int_equal(sent->to, id);
        assert_int_equal(sent->entry_count, 1);
        assert_int_equal(sent->entries[0].pos.index, 2);
    }
    solo_deinit(&solo);
}

/* peers: etcd/TestLeaderAppResp, raftrs/test_leader_append_response */
static void answers_move_a_follower_on_or_back_unless_they_are_stale(void **state)
{
    (void)state;
    static const struct {
        uint64_t index;
        bool reject;
        uint64_t match;
        uint64_t next;
        uint32_t sent;
        uint64_t sent_index;
        uint64_t sent_commit;
    } table[] = {
        {3, true, 0, 3, 0, 0, 0},  /* not what was probed */
        {2, true, 0, 2, 1, 1, 0},  /* goes back and probes */
        {2, false, 2, 4, 2, 2, 2}, /* commits, and tells both */
        {0, false, 0, 3, 0, 0, 0}, /* no answer to this probe (the reference begins from 1 here) */
    };
    static const uint64_t log_terms[] = {1, 1};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 0, 0, log_terms, 2);
        raft_become_candidate(solo.raft);
        raft_become_leader(solo.raft);
        raft_broadcast_append(solo.raft);
        (void)solo_ready(&solo);
        progress_of(solo.raft, 3)->is_append_paused = table[i].sent != 2;
        struct message answer = answer_of(solo.raft, MSG_APP_RESP, 2);
        answer.index = table[i].index;
        answer.reject = table[i].reject;
        answer.reject_hint = table[i].reject ? table[i].index : 0;
        assert_int_equal(raft_step(solo.raft, &answer), OK);
        assert_int_equal(progress_of(solo.raft, 2)->match, table[i].match);
        assert_int_equal(progress_of(solo.raft, 2)->next, table[i].next);
        const struct raft_ready *ready = solo_ready(&solo);
        assert_int_equal(count_sent(ready, MSG_APP), table[i].sent);
        for (uint32_t m = 0; m < ready->message_count; m++) {
            assert_int_equal(ready->messages[m].index, table[i].sent_index);
            assert_int_equal(ready->messages[m].commit, table[i].sent_commit);
        }
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestBcastBeat, raftrs/test_bcast_beat */
static void a_heartbeat_tells_no_more_than_its_receiver_has(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_after_snapshot(&solo, 3, 1000, &config);
    solo_lead(&solo);
    for (int i = 0; i < 10; i++) {
        solo_propose(&solo, "x");
    }
    (void)solo_ready(&solo);
    progress_of(solo.raft, 2)->match = 5;
    progress_of(solo.raft, 2)->next = 6;
    progress_of(solo.raft, 3)->match = 1011;
    progress_of(solo.raft, 3)->next = 1012;
    raft_tick(solo.raft);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_int_equal(ready->message_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct message *beat = &ready->messages[i];
        assert_int_equal(beat->type, MSG_HEARTBEAT);
        assert_int_equal(beat->index, 0);
        assert_int_equal(beat->log_term, 0);
        assert_int_equal(beat->entry_count, 0);
        assert_int_equal(beat->commit, beat->to == 2 ? 5 : 1000);
    }
    solo_deinit(&solo);
}

/* peers: etcd/TestRecvMsgBeat, raftrs/test_recv_msg_beat, tinykv/TestRecvMessageType_MsgBeat2AA */
static void only_a_leader_sends_heartbeats(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 1};
    for (int role = RAFT_FOLLOWER; role <= RAFT_LEADER; role++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 1, 0, log_terms, 2);
        force_role(solo.raft, (enum raft_role)role);
        (void)solo_ready(&solo);
        raft_tick(solo.raft);
        const struct raft_ready *ready = solo_ready(&solo);
        assert_int_equal(count_all_sent(ready), role == RAFT_LEADER ? 2 : 0);
        assert_int_equal(count_sent(ready, MSG_HEARTBEAT), role == RAFT_LEADER ? 2 : 0);
        solo_deinit(&solo);
    }
}

/*
 * peers: etcd/TestLeaderIncreaseNext, raftrs/test_leader_increase_next,
 * tinykv/TestLeaderIncreaseNext2AB
 */
static void a_stream_runs_ahead_and_a_probe_does_not(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 2, 3};
    for (int streams = 0; streams <= 1; streams++) {
        struct raft_config config = default_config();
        config.conf.voters = ids_to(2);
        struct solo solo;
        solo_init(&solo, &config, 3, 0, log_terms, 3);
        solo_lead(&solo);
        struct raft_progress *two = progress_of(solo.raft, 2);
        raft_progress_become_probe(two);
        two->state = streams == 1 ? RAFT_PROGRESS_REPLICATE : RAFT_PROGRESS_PROBE;
        two->next = 2;
        solo_propose(&solo, "x");
        assert_int_equal(two->next, streams == 1 ? 6 : 2);
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestSendAppendForProgressProbe, raftrs/test_send_append_for_progress_probe */
static void a_probe_is_sent_again_only_after_a_heartbeats_answer(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_leader(&solo, 2, &config);
    struct raft_progress *two = progress_of(solo.raft, 2);
    raft_progress_become_probe(two);
    for (int round = 0; round < 3; round++) {
        if (round == 0) {
            solo_propose(&solo, "x");
            assert_int_equal(only_sent(solo_ready(&solo))->index, 0);
        }
        assert_true(two->is_append_paused);
        for (int i = 0; i < 10; i++) {
            solo_propose(&solo, "x");
            assert_int_equal(count_all_sent(solo_ready(&solo)), 0);
        }
        raft_tick(solo.raft);
        assert_true(two->is_append_paused);
        assert_int_equal(only_sent(solo_ready(&solo))->type, MSG_HEARTBEAT);
    }
    struct message answer = answer_of(solo.raft, MSG_HEARTBEAT_RESP, 2);
    assert_int_equal(raft_step(solo.raft, &answer), OK);
    const struct message *sent = only_sent(solo_ready(&solo));
    assert_int_equal(sent->type, MSG_APP);
    assert_int_equal(sent->index, 0);
    assert_true(two->is_append_paused);
    solo_deinit(&solo);
}

/*
 * peers: etcd/TestSendAppendForProgressReplicate, raftrs/test_send_append_for_progress_replicate,
 * etcd/TestSendAppendForProgressSnapshot, raftrs/test_send_append_for_progress_snapshot
 */
static void a_stream_sends_each_proposal_and_a_snapshot_under_way_none(void **state)
{
    (void)state;
    for (int snapshot = 0; snapshot <= 1; snapshot++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_leader(&solo, 2, &config);
        if (snapshot == 1) {
            raft_progress_become_snapshot(progress_of(solo.raft, 2), 10);
        } else {
            raft_progress_become_replicate(progress_of(solo.raft, 2));
        }
        for (int i = 0; i < 10; i++) {
            solo_propose(&solo, "x");
            assert_int_equal(count_all_sent(solo_ready(&solo)), snapshot == 1 ? 0 : 1);
        }
        solo_deinit(&solo);
    }
}

/* peers: etcd/TestRecvMsgUnreachable, raftrs/test_recv_msg_unreachable */
static void an_unreachable_follower_is_probed_from_what_it_has(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 2, 3};
    struct raft_config config = default_config();
    config.conf.voters = ids_to(2);
    struct solo solo;
    solo_init(&solo, &config, 3, 0, log_terms, 3);
    solo_lead(&solo);
    struct raft_progress *two = progress_of(solo.raft, 2);
    two->match = 3;
    raft_progress_become_replicate(two);
    two->next = 6;
    raft_report_unreachable(solo.raft, 2);
    assert_int_equal(two->state, RAFT_PROGRESS_PROBE);
    assert_int_equal(two->next, 4);
    solo_deinit(&solo);
}

/* A leader's and a follower's log, what the follower hints at when it rejects the leader's last
 * entry, and where the leader then probes. */
struct rejection {
    uint64_t leader[10];
    uint64_t follower[12];
    struct raft_pos hint;
    struct raft_pos next;
};

static uint32_t length_of(const uint64_t *terms)
{
    uint32_t count = 0;
    while (terms[count] != 0) {
        count++;
    }
    return count;
}

static void reject_once(const struct rejection *row)
{
    uint32_t count = length_of(row->leader);
    uint64_t term = row->leader[count - 1];
    struct raft_config config = default_config();
    struct solo leader;
    struct solo follower;
    solo_init(&leader, &config, term, count, row->leader, count);
    solo_init(&follower, &config, 0, 0, row->follower, length_of(row->follower));
    solo_lead(&leader);
    struct message beat_answer = answer_of(leader.raft, MSG_HEARTBEAT_RESP, 2);
    assert_int_equal(raft_step(leader.raft, &beat_answer), OK);
    struct message append = *only_sent(solo_ready(&leader));
    assert_int_equal(append.index, count);
    append.from = 2; /* both are node 1 to themselves */
    append.to = 1;
    assert_int_equal(raft_step(follower.raft, &append), OK);
    struct message rejection = *only_sent(solo_ready(&follower));
    assert_true(rejection.reject);
    assert_int_equal(rejection.log_term, row->hint.term);
    assert_int_equal(rejection.reject_hint, row->hint.index);
    rejection.from = 2;
    rejection.to = 1;
    assert_int_equal(raft_step(leader.raft, &rejection), OK);
    const struct message *probe = only_sent(solo_ready(&leader));
    assert_int_equal(probe->log_term, row->next.term);
    assert_int_equal(probe->index, row->next.index);
    solo_deinit(&leader);
    solo_deinit(&follower);
}

/* peers: etcd/TestFastLogRejection, raftrs/test_fast_log_rejection */
static void a_rejection_finds_the_conflict_in_one_step(void **state)
{
    (void)state;
    static const struct rejection table[] = {
        {{1, 2, 2, 4, 4, 4, 4}, {1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3}, {3, 7}, {2, 3}},
        {{1, 2, 2, 3, 4, 4, 4, 5}, {1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3}, {3, 8}, {3, 4}},
        {{1, 1, 1, 1}, {1, 2, 2, 4}, {1, 1}, {1, 1}},
        {{1, 1, 1, 1, 1, 1}, {1, 2, 2, 4}, {1, 1}, {1, 1}},
        {{1, 1, 1, 1}, {1, 2, 2, 4, 4, 4}, {1, 1}, {1, 1}},
        {{1, 1, 1, 4, 5}, {1, 1, 1, 4}, {4, 4}, {4, 4}},
        {{2, 5, 5, 5, 5, 5, 5, 5, 5}, {2, 4, 4, 4, 4, 4}, {4, 6}, {2, 1}},
        {{2, 2, 2, 2, 2}, {2, 4, 4, 4, 4, 4, 4, 4}, {2, 1}, {2, 1}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        reject_once(&table[i]);
    }
}

/*
 * The last case of the same tests, where the follower has compacted what the leader asks about and
 * does not know that it is committed. With us such a node does not start (ERR_DAMAGED); one that
 * knows answers with its commit index.
 */
static void a_stale_append_before_the_followers_log_is_answered_with_its_commit_index(void **state)
{
    (void)state;
    static const uint64_t log_terms[] = {1, 1, 3, 3, 3};
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 3, 5, log_terms, 5);
    (void)solo_ready(&solo);
    memlog_compact(&solo.log, 5);
    struct entry entry = make_entry(3, 4);
    struct message append = {.type = MSG_APP,
                             .from = 2,
                             .to = 1,
                             .term = 3,
                             .log_term = 3,
                             .index = 3,
                             .entries = &entry,
                             .entry_count = 1};
    assert_int_equal(raft_step(solo.raft, &append), OK);
    const struct message *answer = only_sent(solo_ready(&solo));
    assert_false(answer->reject);
    assert_int_equal(answer->index, 5);
    solo_deinit(&solo);
}

/*
 * peers: etcd/TestLogReplicationWithReorderedMessage,
 * raftrs/test_log_replication_with_reordered_message
 */
static void a_late_rejection_takes_a_probe_back_no_further_than_what_is_known(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_leader(&solo, 2, &config);
    stream_to_2(&solo);
    solo_propose(&solo, "x");
    solo_propose(&solo, "y");
    assert_int_equal(count_sent(solo_ready(&solo), MSG_APP), 2);
    /* The second came first and was rejected; that answer is late. The first was taken. */
    acknowledge(solo.raft, 2, 2);
    (void)solo_ready(&solo);
    assert_int_equal(progress_of(solo.raft, 2)->match, 2);
    raft_report_unreachable(solo.raft, 2);
    assert_int_equal(progress_of(solo.raft, 2)->state, RAFT_PROGRESS_PROBE);
    struct message late = answer_of(solo.raft, MSG_APP_RESP, 2);
    late.reject = true;
    late.index = 2;
    late.reject_hint = 1;
    late.log_term = 1;
    assert_int_equal(raft_step(solo.raft, &late), OK);
    assert_int_equal(only_sent(solo_ready(&solo))->index, 2);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leaders_own_progress_follows_its_disk),
        cmocka_unit_test(a_heartbeats_answer_ends_a_pause_and_a_heartbeat_does_not),
        cmocka_unit_test(a_probe_gets_one_message_however_much_is_proposed),
        cmocka_unit_test(a_stream_is_bounded_in_messages_and_in_bytes),
        cmocka_unit_test(proposals_are_bounded_until_they_are_applied),
        cmocka_unit_test(a_new_leader_counts_only_what_is_proposed_to_it),
        cmocka_unit_test(what_was_proposed_to_another_leader_is_not_given_back),
        cmocka_unit_test(a_heartbeats_answer_sends_the_log_again_until_it_is_acknowledged),
        cmocka_unit_test(an_acknowledgement_ends_the_pause_of_its_sender_only),
        cmocka_unit_test(answers_move_a_follower_on_or_back_unless_they_are_stale),
        cmocka_unit_test(a_heartbeat_tells_no_more_than_its_receiver_has),
        cmocka_unit_test(only_a_leader_sends_heartbeats),
        cmocka_unit_test(a_stream_runs_ahead_and_a_probe_does_not),
        cmocka_unit_test(a_probe_is_sent_again_only_after_a_heartbeats_answer),
        cmocka_unit_test(a_stream_sends_each_proposal_and_a_snapshot_under_way_none),
        cmocka_unit_test(an_unreachable_follower_is_probed_from_what_it_has),
        cmocka_unit_test(a_rejection_finds_the_conflict_in_one_step),
        cmocka_unit_test(a_stale_append_before_the_followers_log_is_answered_with_its_commit_index),
        cmocka_unit_test(a_late_rejection_takes_a_probe_back_no_further_than_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
