#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

static void an_append_is_answered_with_what_was_compared(void **state)
{
    (void)state;
    static const struct {
        struct raft_pos prev;
        uint32_t count;
        uint64_t answer;
        bool reject;
        struct raft_pos hint;
    } table[] = {
        {{2, 3}, 2, 5, false, {0, 0}}, {{2, 3}, 0, 3, false, {0, 0}}, {{1, 2}, 1, 3, false, {0, 0}},
        {{1, 2}, 0, 2, false, {0, 0}}, /* not 3: the third was not compared */
        {{2, 4}, 1, 4, true, {2, 3}},  /* a gap */
        {{5, 3}, 1, 3, true, {2, 3}},  /* another term */
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct raft_config config = default_config();
        struct solo solo;
        solo_init(&solo, &config, 5, 1, log_terms, 3);
        struct entry entries[2];
        for (uint32_t e = 0; e < 2; e++) {
            entries[e] = make_entry(5, table[i].prev.index + 1 + e);
        }
        struct message append = {.type = MSG_APP,
                                 .from = 2,
                                 .to = 1,
                                 .term = 5,
                                 .log_term = table[i].prev.term,
                                 .index = table[i].prev.index,
                                 .entries = entries,
                                 .entry_count = table[i].count};
        assert_int_equal(raft_step(solo.raft, &append), OK);
        const struct message *answer = &solo_ready(&solo)->messages_after_persist[0];
        assert_int_equal(answer->type, MSG_APP_RESP);
        assert_int_equal(answer->index, table[i].answer);
        assert_int_equal(answer->reject, table[i].reject);
        assert_int_equal(answer->reject_hint, table[i].hint.index);
        assert_int_equal(answer->log_term, table[i].hint.term);
        solo_deinit(&solo);
    }
}

static void an_append_before_the_commit_index_is_answered_with_it(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 5, 3, log_terms, 3);
    (void)solo_ready(&solo);
    struct entry hostile = make_entry(5, 2);
    struct message append = {.type = MSG_APP,
                             .from = 2,
                             .to = 1,
                             .term = 5,
                             .log_term = 1,
                             .index = 1,
                             .entries = &hostile,
                             .entry_count = 1};
    assert_int_equal(raft_step(solo.raft, &append), OK);
    const struct raft_ready *ready = solo_ready(&solo);
    assert_int_equal(ready->entry_count, 0); /* what is committed is not replaced */
    assert_int_equal(ready->messages_after_persist[0].index, 3);
    assert_false(ready->messages_after_persist[0].reject);
    solo_deinit(&solo);
}

static void a_snapshot_without_us_or_behind_us_is_not_installed(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 5, 2, log_terms, 3);
    (void)solo_ready(&solo);
    struct snapshot snapshot = {.pos = {2, 9}, .conf.voters = {2, {2, 3}}};
    struct message message = {
        .type = MSG_SNAP, .from = 2, .to = 1, .term = 5, .snapshot = &snapshot};
    assert_int_equal(raft_step(solo.raft, &message), OK);
    assert_null(solo_ready(&solo)->snapshot);
    snapshot = (struct snapshot){.pos = {1, 1}, .conf.voters = ids_to(3)};
    assert_int_equal(raft_step(solo.raft, &message), OK);
    assert_null(solo_ready(&solo)->snapshot);
    snapshot.pos = (struct raft_pos){.term = 2, .index = 3}; /* the log has it: just commits */
    assert_int_equal(raft_step(solo.raft, &message), OK);
    assert_null(solo_ready(&solo)->snapshot);
    assert_int_equal(solo.raft->log.committed, 3);
    solo_deinit(&solo);
}

static void a_candidate_follows_the_leader_of_its_term(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    assert_int_equal(raft_campaign(solo.raft), OK);
    struct message append = {.type = MSG_APP,
                             .from = 3,
                             .to = 1,
                             .term = solo.raft->term,
                             .log_term = 2,
                             .index = 3,
                             .commit = 3};
    assert_int_equal(raft_step(solo.raft, &append), OK);
    assert_int_equal(solo.raft->role, RAFT_FOLLOWER);
    assert_int_equal(solo.raft->leader, 3);
    assert_int_equal(solo.raft->log.committed, 3);
    solo_deinit(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_is_answered_with_what_was_compared),
        cmocka_unit_test(an_append_before_the_commit_index_is_answered_with_it),
        cmocka_unit_test(a_snapshot_without_us_or_behind_us_is_not_installed),
        cmocka_unit_test(a_candidate_follows_the_leader_of_its_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
