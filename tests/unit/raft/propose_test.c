#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static void a_batch_is_one_append_and_one_message_for_each_follower(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    struct entry entries[10] = {0};
    struct raft_pos first = {0};
    assert_int_equal(raft_propose(group_raft(group, 1), entries, 10, &first), OK);
    assert_int_equal(first.index, 2);
    assert_int_equal(entries[9].pos.index, 11);
    struct raft_ready ready;
    raft_ready(group_raft(group, 1), &ready);
    assert_int_equal(ready.entry_count, 10);
    assert_int_equal(ready.message_count, 2);
    assert_int_equal(ready.messages[0].entry_count, 10);
    group_free(group);
}

static void data_is_shared_and_given_back(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    struct entry entry = {.data = buf_copy(SLICE_LITERAL("x"))};
    assert_int_equal(raft_propose(group_raft(group, 1), &entry, 1, NULL), OK);
    assert_true(entry.data->ref_count > 1);
    group_settle(group);
    group_free(group);
    assert_int_equal(entry.data->ref_count, 1);
    buf_unref(entry.data);
}

static void a_follower_forwards_to_its_leader_unless_told_not_to(void **state)
{
    (void)state;
    for (int disabled = 0; disabled <= 1; disabled++) {
        struct raft_config config = default_config();
        config.disable_proposal_forwarding = disabled == 1;
        struct group *group = group_new(3, &config);
        assert_int_equal(group_propose(group, 2, "early"), ERR_NOT_LEADER);
        group_elect(group, 1);
        uint64_t applied = group->peers[1].applied;
        assert_int_equal(group_propose(group, 2, "x"), disabled == 1 ? ERR_NOT_LEADER : OK);
        group_settle(group);
        assert_int_equal(group->peers[1].applied, applied + (disabled == 1 ? 0 : 1));
        group_free(group);
    }
}

static void uncommitted_bytes_are_bounded_but_one_proposal_always_goes(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_uncommitted_size = 10;
    struct group *group = group_new(3, &config);
    group_elect(group, 1);
    assert_int_equal(group_propose(group, 1, "longer than ten bytes"), OK);
    assert_int_equal(group_propose(group, 1, "x"), ERR_OVERLOADED);
    assert_int_equal(group_propose(group, 1, ""), OK); /* nothing to count */
    group_settle(group);
    assert_int_equal(group_raft(group, 1)->uncommitted_size, 0);
    assert_int_equal(group_propose(group, 1, "12345"), OK);
    assert_int_equal(group_propose(group, 1, "12345"), OK);
    assert_int_equal(group_propose(group, 1, "1"), ERR_OVERLOADED);
    group_free(group);
}

/* Else a leader of a busy group would start its term with a limit that is none. */
static void applying_what_an_earlier_leader_took_makes_no_room_for_more(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.max_uncommitted_size = 10;
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo.log.entries.items[2].data = buf_copy(SLICE_LITERAL("of an earlier term"));
    solo_lead(&solo);
    struct entry entry = {.data = buf_copy(SLICE_LITERAL("ten bytes."))};
    struct message ack = {.type = MSG_APP_RESP, .from = 2, .to = 1, .term = 3, .index = 4};
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    assert_int_equal(raft_propose(solo.raft, &entry, 1, NULL), OK);
    (void)solo_ready(&solo); /* applies up to the empty entry */
    assert_int_equal(solo.raft->log.applied, 4);
    assert_int_equal(raft_propose(solo.raft, &entry, 1, NULL), ERR_OVERLOADED);
    ack.index = 5;
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    (void)solo_ready(&solo);
    assert_int_equal(solo.raft->uncommitted_size, 0);
    buf_unref(entry.data);
    solo_deinit(&solo);
}

static void a_conf_change_that_cannot_be_taken_becomes_an_empty_entry(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo_lead(&solo);
    struct conf_change leave = {0};
    struct conf_change add = {.count = 1, .changes = {{CONF_CHANGE_ADD_VOTER, 4}}};
    assert_int_equal(raft_check_conf_change(solo.raft, &add), ERR_BUSY); /* not all is applied */
    struct message ack = {.type = MSG_APP_RESP, .from = 2, .to = 1, .term = 3, .index = 4};
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    (void)solo_ready(&solo);
    assert_int_equal(raft_check_conf_change(solo.raft, &leave), ERR_CONFLICT);
    assert_int_equal(raft_check_conf_change(solo.raft, &add), OK);
    struct raft_pos pos = {0};
    assert_int_equal(raft_propose_conf_change(solo.raft, &add, false, &pos), OK);
    assert_int_equal(solo.raft->pending_conf_index, pos.index);
    assert_int_equal(raft_check_conf_change(solo.raft, &add), ERR_BUSY);
    assert_int_equal(raft_propose_conf_change(solo.raft, &add, true, &pos), OK);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_int_equal(ready->entries[0].type, ENTRY_CONF_CHANGE_V2);
    assert_int_equal(ready->entries[1].type, ENTRY_NORMAL);
    assert_null(ready->entries[1].data);
    assert_int_equal(ready->entries[1].pos.index, pos.index);
    assert_int_equal(raft_propose_conf_change(solo.raft, &leave, true, &pos), ERR_BAD_REQUEST);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_one_append_and_one_message_for_each_follower),
        cmocka_unit_test(data_is_shared_and_given_back),
        cmocka_unit_test(a_follower_forwards_to_its_leader_unless_told_not_to),
        cmocka_unit_test(uncommitted_bytes_are_bounded_but_one_proposal_always_goes),
        cmocka_unit_test(applying_what_an_earlier_leader_took_makes_no_room_for_more),
        cmocka_unit_test(a_conf_change_that_cannot_be_taken_becomes_an_empty_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
