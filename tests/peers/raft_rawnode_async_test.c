/* Readies that overlap: what may be handed out while earlier ones are being written or applied. */
#include "one_core.h"

/* Node `id` takes an append from node 2, of `count` entries of `term` after `prev`. */
static void append(struct raft *raft, uint64_t term, struct raft_pos prev, uint32_t count,
                   uint64_t commit)
{
    struct entry entries[32];
    assert_true(count <= ARRAY_COUNT(entries));
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = make_entry(term, prev.index + 1 + i);
    }
    struct message message = {.type = MSG_APP,
                              .from = 2,
                              .to = raft->id,
                              .term = term,
                              .log_term = prev.term,
                              .index = prev.index,
                              .entries = entries,
                              .entry_count = count,
                              .commit = commit};
    assert_int_equal(raft_step(raft, &message), OK);
}

static void snapshot(struct raft *raft, uint64_t term, struct raft_pos pos)
{
    struct snapshot snapshot = {.pos = pos, .conf.voters = ids_to(2)};
    struct message message = {
        .type = MSG_SNAP, .from = 2, .to = raft->id, .term = term, .snapshot = &snapshot};
    assert_int_equal(raft_step(raft, &message), OK);
}

static void ack(struct raft *raft, node_id from, uint64_t index)
{
    struct message message = {
        .type = MSG_APP_RESP, .from = from, .to = raft->id, .term = raft->term, .index = index};
    assert_int_equal(raft_step(raft, &message), OK);
}

/* Node 1 takes readies until it has none; nothing becomes durable. */
static void take_readies(struct group *group)
{
    while (raft_has_ready(group_raft(group, 1))) {
        group_ready(group, 1);
    }
}

static void persist(struct group *group, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        group_persist(group, 1);
    }
    take_readies(group);
}

static void persist_all(struct group *group)
{
    while (group->peers[1].batch_count > 0) {
        persist(group, 1);
    }
}

/* ---- Appending ---- */

static struct group *async_group(uint32_t size)
{
    struct raft_config config = default_config();
    config.async_storage_writes = true;
    return group_new(size, &config);
}

static void propose_batch(struct group *group, uint32_t count)
{
    struct entry entries[16] = {0};
    assert_true(count <= ARRAY_COUNT(entries));
    assert_int_equal(raft_propose(group_raft(group, 1), entries, count, NULL), OK);
}

/* All appends in the network must carry `commit`; they are lost. */
static void lose_appends(struct group *group, uint64_t commit)
{
    assert_true(group->network.count > 0);
    for (uint32_t i = 0; i < group->network.count; i++) {
        assert_int_equal(group->network.messages[i].type, MSG_APP);
        assert_int_equal(group->network.messages[i].commit, commit);
    }
    raft_outbox_clear(&group->network);
}

/* peers: raftrs/test_async_ready_leader */
static void a_leader_counts_itself_and_applies_as_far_as_it_has_written(void **state)
{
    (void)state;
    struct group *group = async_group(3);
    struct peer *leader = &group->peers[1];
    group_elect(group, 1);
    uint64_t first = leader->applied;
    assert_int_equal(first, 1);
    for (uint64_t i = 0; i < 10; i++) {
        propose_batch(group, 10);
        take_readies(group);
        assert_int_equal(leader->batch_count, i + 1);
        lose_appends(group, first); /* sent before any of it is durable here */
    }
    persist(group, 3);
    assert_int_equal(group_committed(group, 1), first); /* nobody else has them */
    ack(leader->raft, 2, first + 100);
    take_readies(group);
    assert_int_equal(group_committed(group, 1), first + 30);
    assert_int_equal(leader->applied, first + 30);
    lose_appends(group, first + 30);
    persist(group, 4);
    assert_int_equal(group_committed(group, 1), first + 70);
    assert_int_equal(leader->applied, first + 70);
    persist_all(group);
    assert_int_equal(group_committed(group, 1), first + 100);
    assert_int_equal(leader->applied, first + 100);
    raft_outbox_clear(&group->network);

    /* Two others are a majority without the leader: committed, and not yet applied here. */
    propose_batch(group, 10);
    take_readies(group);
    lose_appends(group, first + 100);
    ack(leader->raft, 2, first + 109);
    ack(leader->raft, 3, first + 110);
    take_readies(group);
    assert_int_equal(group_committed(group, 1), first + 109);
    assert_int_equal(leader->applied, first + 100);
    lose_appends(group, first + 109);
    persist_all(group);
    assert_int_equal(group_committed(group, 1), first + 110);
    assert_int_equal(leader->applied, first + 110);
    group_free(group);
}

/* Ten appends of three entries after `prev`, each committed by its message; none is durable. */
static struct raft_pos stream_thirty(struct group *group, struct raft_pos prev)
{
    for (int i = 0; i < 10; i++) {
        uint32_t batches = group->peers[1].batch_count;
        append(group_raft(group, 1), 2, prev, 3, prev.index + 3);
        take_readies(group);
        const struct batch *batch = &group->peers[1].batches[batches];
        assert_int_equal(group->peers[1].batch_count, batches + 1);
        assert_int_equal(batch->hard_state.commit, prev.index + 3);
        assert_int_equal(batch->entries.count, 3);
        assert_int_equal(batch->after.count, 1);
        assert_int_equal(batch->after.messages[0].type, MSG_APP_RESP);
        assert_int_equal(batch->after.messages[0].index, prev.index + 3);
        prev = (struct raft_pos){2, prev.index + 3};
    }
    assert_int_equal(group->network.count, 0);
    return prev;
}

/* peers: raftrs/test_async_ready_follower */
static void a_follower_answers_and_applies_as_far_as_it_has_written(void **state)
{
    (void)state;
    struct group *group = async_group(2);
    struct peer *follower = &group->peers[1];
    struct raft_pos prev = {0};
    for (int round = 0; round < 3; round++) {
        uint64_t first = prev.index;
        prev = stream_thirty(group, prev);
        assert_int_equal(follower->applied, first);
        persist(group, 4);
        assert_int_equal(follower->applied, first + 12);
        assert_int_equal(group->network.count, 4);
        persist_all(group);
        assert_int_equal(follower->applied, first + 30);
        raft_outbox_clear(&group->network);
    }

    struct raft_pos at = {2, prev.index + 5};
    snapshot(follower->raft, 2, at);
    take_readies(group);
    assert_true(follower->batches[0].has_snapshot);
    assert_int_equal(follower->batches[0].hard_state.commit, at.index);
    append(follower->raft, 2, at, 9, at.index + 3);
    take_readies(group);
    assert_int_equal(follower->batch_count, 2);
    assert_int_equal(follower->applied, prev.index);
    persist(group, 1);
    assert_int_equal(follower->applied, at.index);
    persist(group, 1);
    assert_int_equal(follower->applied, at.index + 3);
    assert_int_equal(memlog_last(&follower->log), at.index + 9);
    group_free(group);
}

/* peers: raftrs/test_async_ready_become_leader */
static void a_new_leaders_first_entry_is_sent_before_it_is_written(void **state)
{
    (void)state;
    struct raft_config config = config_of(3);
    config.hard_state = (struct hard_state){.term = 5, .commit = 5};
    config.async_storage_writes = true;
    struct trail trail = {0};
    struct solo solo = {.log.compacted = {5, 5}};
    solo_open(&solo, &config);
    for (int i = 0; i < 19; i++) {
        raft_tick(solo.raft);
    }
    const struct raft_ready *ready = solo_turn(&solo, &trail);
    assert_int_equal(ready->role, RAFT_CANDIDATE);
    assert_int_equal(ready->hard_state.term, 6);
    assert_int_equal(ready->message_count, 0);
    assert_int_equal(ready->after_persist_count, 3); /* and its own vote */
    for (node_id id = 2; id <= 3; id++) {
        solo_hear(&solo, (struct message){.type = MSG_VOTE, .from = id, .log_term = 4, .index = 4});
        ready = solo_turn(&solo, &trail);
        assert_false(ready->must_sync);
        assert_int_equal(ready->messages_after_persist[0].type, MSG_VOTE_RESP);
        assert_true(ready->messages_after_persist[0].reject);
    }
    solo_hear(&solo, (struct message){.type = MSG_VOTE_RESP, .from = 2});
    raft_ready(solo.raft, &solo.ready);
    assert_int_equal(solo.ready.role, RAFT_LEADER);
    assert_int_equal(solo.ready.entry_count, 1);
    assert_true(solo.ready.must_sync);
    assert_int_equal(solo.ready.committed_count, 0);
    assert_int_equal(solo.ready.message_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(solo.ready.messages[i].type, MSG_APP);
        assert_int_equal(solo.ready.messages[i].entry_count, 1);
    }
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: raftrs/test_async_ready_multiple_snapshot */
static void a_second_snapshot_may_come_while_the_first_is_being_installed(void **state)
{
    (void)state;
    struct group *group = async_group(2);
    struct peer *follower = &group->peers[1];
    snapshot(follower->raft, 2, (struct raft_pos){2, 10});
    append(follower->raft, 2, (struct raft_pos){2, 10}, 3, 12);
    take_readies(group);
    assert_int_equal(follower->batch_count, 1);
    assert_true(follower->batches[0].has_snapshot);
    assert_int_equal(follower->batches[0].entries.count, 3);
    assert_int_equal(follower->batches[0].hard_state.commit, 12);
    assert_int_equal(follower->applied, 0);

    snapshot(follower->raft, 2, (struct raft_pos){2, 20});
    group_persist(group, 1); /* of the first: confirms nothing of the second */
    assert_true(follower->raft->log.unstable.has_snapshot);
    assert_int_equal(follower->raft->log.unstable.snapshot.pos.index, 20);
    take_readies(group);
    assert_int_equal(follower->batch_count, 1);
    assert_int_equal(follower->batches[0].snapshot.pos.index, 20);
    assert_int_equal(follower->batches[0].entries.count, 0);
    persist_all(group);
    assert_false(follower->raft->log.unstable.has_snapshot);
    assert_int_equal(follower->applied, 20);
    assert_int_equal(follower->raft->log.applied, 20);
    assert_int_equal(raft_log_first_index(&follower->raft->log), 21);
    group_free(group);
}

/* peers: raftrs/test_raw_node_entries_after_snapshot */
static void entries_behind_a_snapshot_are_applied_only_once_it_is_installed(void **state)
{
    (void)state;
    struct raft_config config = config_of(2);
    config.hard_state = (struct hard_state){.term = 1, .commit = 1};
    struct trail trail = {0};
    struct solo solo = {.log.compacted = {1, 1}};
    solo_open(&solo, &config);
    append(solo.raft, 2, (struct raft_pos){1, 1}, 18, 5);
    const struct raft_ready *ready = solo_turn(&solo, &trail);
    assert_int_equal(ready->leader, 2);
    assert_int_equal(ready->hard_state.commit, 5);
    assert_int_equal(ready->entry_count, 18);
    assert_int_equal(ready->committed_count, 4); /* of a ready that is written before applied */

    snapshot(solo.raft, 3, (struct raft_pos){3, 10});
    append(solo.raft, 3, (struct raft_pos){3, 10}, 3, 12);
    ready = solo_turn(&solo, &trail);
    assert_non_null(ready->snapshot);
    assert_int_equal(ready->snapshot->pos.index, 10);
    assert_int_equal(ready->hard_state.term, 3);
    assert_int_equal(ready->hard_state.commit, 12);
    assert_int_equal(ready->entry_count, 3);
    assert_int_equal(ready->committed_count, 0);
    assert_int_equal(ready->messages_after_persist[0].type, MSG_APP_RESP);
    ready = solo_turn(&solo, &trail);
    assert_int_equal(ready->committed_count, 2);
    expect_pos(&ready->committed[0], 3, 11);
    assert_int_equal(memlog_last(&solo.log), 13);
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: raftrs/test_raw_node_overwrite_entries */
static void what_a_new_leader_replaces_is_written_anew_before_it_is_applied(void **state)
{
    (void)state;
    for (int async = 0; async <= 1; async++) {
        struct raft_config config = config_of(3);
        config.async_storage_writes = async == 1;
        config.hard_state = (struct hard_state){.term = 1, .commit = 1};
        struct trail trail = {0};
        struct solo solo = {.log.compacted = {1, 1}};
        solo_open(&solo, &config);
        append(solo.raft, 2, (struct raft_pos){1, 1}, 3, 1);
        const struct raft_ready *ready = solo_turn(&solo, &trail);
        assert_int_equal(ready->entry_count, 3);
        assert_int_equal(ready->committed_count, 0);
        assert_int_equal(ready->messages_after_persist[0].type, MSG_APP_RESP);
        raft_entries_clear(&trail.written);
        append(solo.raft, 3, (struct raft_pos){2, 3}, 3, 5);
        ready = solo_turn(&solo, &trail);
        assert_int_equal(ready->hard_state.term, 3);
        assert_int_equal(ready->hard_state.commit, 5);
        static const uint64_t replaced[] = {3, 3, 3};
        expect_terms(&trail.written, 4, replaced, 3);
        assert_int_equal(ready->committed_count, async == 1 ? 2 : 4);
        solo_run(&solo, &trail);
        static const uint64_t applied[] = {2, 2, 3, 3};
        expect_terms(&trail.applied, 2, applied, 4);
        trail_deinit(&trail);
        solo_deinit(&solo);
    }
}

/* ---- Applying ---- */

/* peers: raftrs/test_raw_node_with_async_apply */
static void how_far_is_applied_does_not_change_what_is_handed_out_next(void **state)
{
    (void)state;
    struct group *group = async_group(1);
    struct raft *raft = group_raft(group, 1);
    group_elect(group, 1);
    uint64_t last = raft_log_last_index(&raft->log);
    for (uint32_t round = 1; round < 10; round++) {
        uint32_t count = round * 7 % 10 + 1;
        propose_batch(group, count);
        struct raft_ready ready;
        raft_ready(raft, &ready);
        assert_int_equal(ready.entry_count, count);
        assert_int_equal(ready.entries[0].pos.index, last + 1);
        assert_int_equal(ready.committed_count, 0);
        memlog_append(&group->peers[1].log, ready.entries, ready.entry_count);
        assert_int_equal(raft_step(raft, &ready.messages_after_persist[0]), OK);
        raft_persisted(raft, &ready.mark);
        raft_ready(raft, &ready);
        assert_int_equal(ready.hard_state.commit, last + count);
        assert_int_equal(ready.committed_count, count);
        assert_int_equal(ready.committed[0].pos.index, last + 1);
        raft_applied(raft, last + 1); /* the rest is on its way */
        assert_false(raft_has_ready(raft));
        last += count;
    }
    group_free(group);
}

/* A storage that gives more than it was asked for. */
static err generous_entries(void *ctx, uint64_t low, uint64_t high, uint64_t size_max,
                            struct raft_entries *out)
{
    (void)size_max;
    return memlog_entries(ctx, low, high, UINT64_MAX, out);
}

/* peers: etcd/TestRawNodeCommitPaginationAfterRestart, etcd/TestNodeCommitPaginationAfterRestart,
 * raftrs/test_committed_entries_pagination_after_restart */
static void no_entry_is_skipped_if_the_storage_keeps_to_no_limit(void **state)
{
    (void)state;
    static const uint64_t terms[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct solo solo = {0};
    memlog_fill(&solo.log, terms, 11);
    struct raft_config config = config_of(2);
    config.hard_state = (struct hard_state){.term = 1, .vote = 1, .commit = 10};
    config.max_committed_size_per_ready = 9 * RAFT_ENTRY_OVERHEAD; /* one less than committed */
    config.storage = memlog_storage(&solo.log);
    config.storage.entries = generous_entries;
    assert_int_equal(raft_new(&solo.raft, &config), OK);
    uint64_t applied = 0;
    while (applied < 11) {
        assert_true(raft_has_ready(solo.raft));
        raft_ready(solo.raft, &solo.ready);
        assert_true(solo.ready.hard_state.commit >= 10);
        assert_true(solo.ready.committed_count > 0);
        assert_int_equal(solo.ready.committed[0].pos.index, applied + 1);
        applied += solo.ready.committed_count;
        assert_int_equal(solo.ready.committed[solo.ready.committed_count - 1].pos.index, applied);
        raft_applied(solo.raft, applied);
        solo_hear(&solo, (struct message){.type = MSG_HEARTBEAT, .from = 2, .commit = 11});
    }
    solo_deinit(&solo);
}

#define BLOB_SIZE 1000u
#define PAGE_SIZE 2100u /* two blobs fit, three do not */

static void propose_blob(struct raft *raft)
{
    struct entry entry = {.data = buf_new(BLOB_SIZE)};
    memset(entry.data->data, 'a', BLOB_SIZE);
    assert_int_equal(raft_propose(raft, &entry, 1, NULL), OK);
    buf_unref(entry.data);
}

/* peers: etcd/TestAppendPagination */
static void what_piled_up_for_a_follower_is_sent_in_bounded_messages(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_size_per_message = PAGE_SIZE;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    group_isolate(group, 1, true);
    for (int i = 0; i < 5; i++) {
        propose_blob(group_raft(group, 1));
        group_settle(group);
    }
    group_isolate(group, 1, false);
    raft_tick(group_raft(group, 1));
    uint32_t fullest = 0;
    while (group_work(group) || group->network.count > 0) {
        const struct message *message = &group->network.messages[0];
        uint32_t size = 0;
        for (uint32_t i = 0; i < message->entry_count; i++) {
            size += (uint32_t)entry_size(&message->entries[i]);
        }
        assert_true(size <= PAGE_SIZE);
        fullest = size > fullest ? size : fullest;
        group_deliver(group, 0);
        group_drop(group, 0);
    }
    assert_int_equal(fullest, 2 * BLOB_SIZE);
    assert_int_equal(group->peers[2].applied, 6);
    assert_int_equal(group->peers[3].applied, 6);
    group_free(group);
}

/* peers: etcd/TestCommitPagination */
static void what_is_committed_at_once_is_applied_in_bounded_pages(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    config.max_committed_size_per_ready = PAGE_SIZE;
    struct trail trail = {0};
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    solo_become(&solo, RAFT_LEADER, &trail);
    for (int i = 0; i < 3; i++) {
        propose_blob(solo.raft);
    }
    assert_int_equal(solo_turn(&solo, &trail)->entry_count, 3);
    assert_int_equal(solo_turn(&solo, &trail)->committed_count, 2);
    assert_int_equal(solo_turn(&solo, &trail)->committed_count, 1);
    assert_false(raft_has_ready(solo.raft));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* peers: raftrs/test_committed_entries_pagination */
static void the_smallest_page_is_one_entry_and_none_that_is_not_written(void **state)
{
    (void)state;
    struct raft_config config = config_of(3);
    config.async_storage_writes = true;
    config.max_committed_size_per_ready = 1;
    struct trail trail = {0};
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    append(solo.raft, 1, (struct raft_pos){0}, 9, 9);
    const struct raft_ready *ready = solo_turn(&solo, &trail);
    assert_int_equal(ready->entry_count, 9);
    assert_int_equal(ready->committed_count, 0);
    for (uint64_t index = 1; index <= 9; index++) {
        assert_true(raft_has_ready(solo.raft));
        ready = solo_turn(&solo, &trail);
        assert_int_equal(ready->committed_count, 1);
        assert_int_equal(ready->committed[0].pos.index, index);
    }
    assert_false(raft_has_ready(solo.raft));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

/* Proposes a blob and writes it down; then takes what may be applied, which stays under way. */
static uint32_t commit_blob(struct solo *solo)
{
    propose_blob(solo->raft);
    raft_ready(solo->raft, &solo->ready);
    uint32_t applying = solo->ready.committed_count;
    assert_int_equal(solo->ready.entry_count, 1);
    memlog_append(&solo->log, solo->ready.entries, 1);
    assert_int_equal(raft_step(solo->raft, &solo->ready.messages_after_persist[0]), OK);
    raft_persisted(solo->raft, &solo->ready.mark);
    return applying;
}

/* peers: etcd/TestCommitPaginationWithAsyncStorageWrites */
static void a_page_waits_until_enough_of_the_earlier_ones_is_applied(void **state)
{
    (void)state;
    struct raft_config config = config_of(1);
    config.max_committed_size_per_ready = PAGE_SIZE - BLOB_SIZE / 10; /* not quite two */
    config.async_storage_writes = true;
    struct trail trail = {0};
    struct solo solo;
    solo_open_with(&solo, &config, NULL, 0);
    solo_become(&solo, RAFT_LEADER, &trail); /* entry 1 is applied */
    assert_int_equal(commit_blob(&solo), 0);
    assert_int_equal(commit_blob(&solo), 1); /* the first is on its way */
    assert_int_equal(commit_blob(&solo), 1); /* there was room left: so is the second */
    raft_ready(solo.raft, &solo.ready);
    assert_int_equal(solo.ready.hard_state.commit, 4);
    assert_int_equal(solo.ready.committed_count, 0);
    assert_false(raft_has_ready(solo.raft));
    raft_applied(solo.raft, 2);
    assert_true(raft_has_ready(solo.raft));
    raft_ready(solo.raft, &solo.ready);
    assert_int_equal(solo.ready.committed_count, 1);
    assert_int_equal(solo.ready.committed[0].pos.index, 4);
    raft_applied(solo.raft, 4);
    assert_false(raft_has_ready(solo.raft));
    trail_deinit(&trail);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_counts_itself_and_applies_as_far_as_it_has_written),
        cmocka_unit_test(a_follower_answers_and_applies_as_far_as_it_has_written),
        cmocka_unit_test(a_new_leaders_first_entry_is_sent_before_it_is_written),
        cmocka_unit_test(a_second_snapshot_may_come_while_the_first_is_being_installed),
        cmocka_unit_test(entries_behind_a_snapshot_are_applied_only_once_it_is_installed),
        cmocka_unit_test(what_a_new_leader_replaces_is_written_anew_before_it_is_applied),
        cmocka_unit_test(how_far_is_applied_does_not_change_what_is_handed_out_next),
        cmocka_unit_test(no_entry_is_skipped_if_the_storage_keeps_to_no_limit),
        cmocka_unit_test(what_piled_up_for_a_follower_is_sent_in_bounded_messages),
        cmocka_unit_test(what_is_committed_at_once_is_applied_in_bounded_pages),
        cmocka_unit_test(the_smallest_page_is_one_entry_and_none_that_is_not_written),
        cmocka_unit_test(a_page_waits_until_enough_of_the_earlier_ones_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
