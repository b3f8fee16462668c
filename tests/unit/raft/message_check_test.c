#include "base/prng.h"
#include "fixture.h"

static const uint64_t log_terms[] = {1, 1, 2};

/* What a core looks like from outside: nothing of it may move when a message is refused. */
static struct raft_status status_of(const struct raft *raft)
{
    struct raft_status status;
    raft_status(raft, &status);
    return status;
}

static void local_and_unknown_types_are_refused(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    (void)solo_ready(&solo);
    static const int types[] = {MSG_HUP,
                                MSG_BEAT,
                                MSG_UNREACHABLE,
                                MSG_SNAP_STATUS,
                                MSG_CHECK_QUORUM,
                                MSG_FORGET_LEADER,
                                MSG_TYPE_COUNT,
                                255,
                                -1};
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        struct message message = {.from = 2, .to = 1, .term = 9};
        memcpy(&message.type, &types[i], sizeof(message.type));
        assert_int_equal(raft_step(solo.raft, &message), ERR_MALFORMED);
    }
    assert_int_equal(solo.raft->term, 2);
    assert_false(raft_has_ready(solo.raft));
    solo_deinit(&solo);
}

static void envelopes_must_make_sense(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct message good = {.type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = 2, .commit = 1};
    struct message bad = good;
    bad.to = 3;
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    bad = good;
    bad.from = 0;
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    bad = good;
    bad.from = 1; /* we do not lead ourselves */
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    bad = good;
    bad.term = 0;
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    bad = good;
    bad.term = UINT64_MAX;
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    bad.term = UINT64_C(1) << 62; /* there would be no term after it */
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    struct entry entry = make_entry(1, 1);
    bad = good;
    bad.entries = &entry;
    bad.entry_count = 1;
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    bad = (struct message){.type = MSG_READ_INDEX, .from = 2, .to = 1};
    assert_int_equal(raft_step(solo.raft, &bad), ERR_MALFORMED);
    assert_int_equal(raft_step(solo.raft, &good), OK);
    solo_deinit(&solo);
}

static void an_answer_of_a_stranger_is_not_found(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo_lead(&solo);
    struct message answer = {
        .type = MSG_APP_RESP, .from = 9, .to = 1, .term = solo.raft->term, .index = 3};
    assert_int_equal(raft_step(solo.raft, &answer), ERR_NOT_FOUND);
    solo_deinit(&solo);
}

static void entries_must_follow_each_other(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    static const struct {
        struct entry entries[2];
    } table[] = {
        {{{.pos = {2, 4}}, {.pos = {2, 6}}}}, /* a gap */
        {{{.pos = {2, 5}}, {.pos = {2, 6}}}}, /* not after the previous one */
        {{{.pos = {2, 4}}, {.pos = {1, 5}}}}, /* terms fall */
        {{{.pos = {1, 4}}, {.pos = {2, 5}}}}, /* below the previous one's term */
        {{{.pos = {2, 4}}, {.pos = {3, 5}}}}, /* above the message's */
        {{{.pos = {2, 4}, .type = (enum entry_type)9}, {.pos = {2, 5}}}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct message message = {.type = MSG_APP,
                                  .from = 2,
                                  .to = 1,
                                  .term = 2,
                                  .log_term = 2,
                                  .index = 3,
                                  .entries = table[i].entries,
                                  .entry_count = 2};
        assert_int_equal(raft_step(solo.raft, &message), ERR_MALFORMED);
    }
    assert_int_equal(raft_log_last_index(&solo.raft->log), 3);
    solo_deinit(&solo);
}

static void an_acknowledgement_beyond_the_log_is_refused(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    solo_lead(&solo);
    struct message ack = {
        .type = MSG_APP_RESP, .from = 2, .to = 1, .term = solo.raft->term, .index = 1000};
    assert_int_equal(raft_step(solo.raft, &ack), ERR_MALFORMED);
    assert_int_equal(raft_tracker_find(&solo.raft->tracker, 2)->match, 0);
    ack.reject = true;
    ack.reject_hint = UINT64_MAX;
    ack.log_term = 5;
    assert_int_equal(raft_step(solo.raft, &ack), OK); /* stale: harmless */
    ack.index = raft_tracker_find(&solo.raft->tracker, 2)->next - 1;
    assert_int_equal(raft_step(solo.raft, &ack), OK);
    solo_deinit(&solo);
}

static void nobody_knows_of_commits_in_later_terms(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    config.commit_hints = true;
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct message vote = {
        .type = MSG_VOTE, .from = 2, .to = 1, .term = 3, .commit = 3, .commit_term = 4};
    assert_int_equal(raft_step(solo.raft, &vote), ERR_MALFORMED);
    assert_int_equal(solo.raft->term, 2);
    solo_deinit(&solo);
}

static void a_heartbeat_cannot_commit_what_is_not_there(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct message beat = {.type = MSG_HEARTBEAT, .from = 2, .to = 1, .term = 7, .commit = 4};
    assert_int_equal(raft_step(solo.raft, &beat), ERR_MALFORMED);
    assert_int_equal(solo.raft->term, 2);
    assert_int_equal(solo.raft->log.committed, 1);
    solo_deinit(&solo);
}

static void a_snapshot_needs_a_position_and_a_valid_configuration(void **state)
{
    (void)state;
    struct raft_config config = default_config();
    struct solo solo;
    solo_init(&solo, &config, 2, 1, log_terms, 3);
    struct snapshot good = {.pos = {2, 9}, .conf.voters = ids_to(3)};
    struct message message = {.type = MSG_SNAP, .from = 2, .to = 1, .term = 2, .snapshot = NULL};
    assert_int_equal(raft_step(solo.raft, &message), ERR_MALFORMED);
    struct snapshot bad = good;
    message.snapshot = &bad;
    bad.pos.term = 3;
    assert_int_equal(raft_step(solo.raft, &message), ERR_MALFORMED);
    bad = good;
    bad.conf.voters.count = 0;
    assert_int_equal(raft_step(solo.raft, &message), ERR_MALFORMED);
    bad = good;
    bad.conf.learners = ids_to(1);
    assert_int_equal(raft_step(solo.raft, &message), ERR_MALFORMED);
    bad = good;
    assert_int_equal(raft_step(solo.raft, &message), OK);
    assert_int_equal(solo.raft->log.committed, 9);
    solo_deinit(&solo);
}

static struct message random_message(struct prng *prng, struct entry *entries,
                                     struct snapshot *snapshot)
{
    struct message message = {
        .type = (enum message_type)prng_below(prng, MSG_TYPE_COUNT + 2),
        .to = prng_below(prng, 20) == 0 ? 2 : 1,
        .from = prng_below(prng, 5),
        .term = prng_below(prng, 6),
        .log_term = prng_below(prng, 6),
        .index = prng_below(prng, 12),
        .commit = prng_below(prng, 12),
        .reject = prng_below(prng, 2) == 0,
        .reject_hint = prng_below(prng, 12),
        .is_transfer = prng_below(prng, 4) == 0,
        .read = {prng_below(prng, 4), prng_below(prng, 3)},
        .entries = entries,
        .entry_count = (uint32_t)prng_below(prng, 4),
    };
    uint64_t term = message.log_term;
    for (uint32_t i = 0; i < message.entry_count; i++) {
        term += prng_below(prng, 2);
        entries[i] = make_entry(term, message.index + 1 + i);
        entries[i].type = prng_below(prng, 12) == 0 ? ENTRY_CONF_CHANGE_V2 : ENTRY_NORMAL;
    }
    snapshot->pos = (struct raft_pos){.term = prng_below(prng, 6), .index = prng_below(prng, 14)};
    message.snapshot = message.type == MSG_SNAP ? snapshot : NULL;
    return message;
}

/* Anything may come: no assert, and what is committed and acknowledged stays as it is. */
static void random_messages_do_no_harm(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        struct raft_config config = default_config();
        config.election_ticks = 3;
        config.check_quorum = seed % 2 == 0;
        config.pre_vote = seed % 3 == 0;
        config.conf.voters = ids_to(seed % 5 == 0 ? 1 : 3);
        struct solo solo;
        solo_init(&solo, &config, 2, 1, log_terms, 3);
        uint64_t committed = 1;
        for (int i = 0; i < 200; i++) {
            struct entry entries[4];
            struct snapshot snapshot = {.conf.voters = ids_to(3)};
            struct message message = random_message(&prng, entries, &snapshot);
            if (message.from == 1 && message.type != MSG_PROP) {
                message.from = 2; /* the transport's promise: nobody speaks for us */
            }
            struct raft_status before = status_of(solo.raft);
            if (raft_step(solo.raft, &message) == ERR_MALFORMED && message.type != MSG_PROP) {
                struct raft_status after = status_of(solo.raft);
                assert_int_equal(after.role, before.role);
                assert_int_equal(after.hard_state.term, before.hard_state.term);
                assert_int_equal(after.last_index, before.last_index);
            }
            assert_true(solo.raft->log.committed >= committed);
            committed = solo.raft->log.committed;
            if (prng_below(&prng, 3) == 0) {
                raft_tick(solo.raft);
            }
            while (raft_has_ready(solo.raft)) {
                raft_ready(solo.raft, &solo.ready);
                if (solo.ready.snapshot != NULL) {
                    raft_entries_clear(&solo.log.entries);
                    solo.log.compacted = solo.ready.snapshot->pos;
                }
                memlog_append(&solo.log, solo.ready.entries, solo.ready.entry_count);
                if (solo.ready.has_mark) {
                    raft_persisted(solo.raft, &solo.ready.mark);
                }
                if (solo.ready.committed_count > 0) {
                    raft_applied(solo.raft,
                                 solo.ready.committed[solo.ready.committed_count - 1].pos.index);
                }
            }
        }
        solo_deinit(&solo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_and_unknown_types_are_refused),
        cmocka_unit_test(envelopes_must_make_sense),
        cmocka_unit_test(an_answer_of_a_stranger_is_not_found),
        cmocka_unit_test(entries_must_follow_each_other),
        cmocka_unit_test(an_acknowledgement_beyond_the_log_is_refused),
        cmocka_unit_test(nobody_knows_of_commits_in_later_terms),
        cmocka_unit_test(a_heartbeat_cannot_commit_what_is_not_there),
        cmocka_unit_test(a_snapshot_needs_a_position_and_a_valid_configuration),
        cmocka_unit_test(random_messages_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
