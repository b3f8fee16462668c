/* What a leader knows of a member, its window, and configurations. More: progress_test.c,
 * inflights_test.c, conf_change_test.c and quorum_test.c in tests/unit/raft. */
#include "base/prng.h"
#include "base_testing.h"
#include "network.h"

static struct raft_progress make(enum raft_progress_state mode, uint64_t match, uint64_t next)
{
    struct raft_progress progress = {.id = 2};
    raft_inflights_init(&progress.inflights, 256, 0);
    raft_progress_reset(&progress, match, next);
    progress.state = mode;
    return progress;
}

/* peers: etcd/TestProgressIsPaused, raftrs/test_progress_is_paused */
static void a_pause_holds_in_every_state_and_a_snapshot_is_one(void **state)
{
    (void)state;
    /* raft-rs lets a stream go on despite the flag, which its streams never carry. */
    for (int i = 0; i < 6; i++) {
        enum raft_progress_state mode = (enum raft_progress_state)(i / 2);
        struct raft_progress progress = make(mode, 0, 1);
        progress.is_append_paused = i % 2 == 1;
        bool expected = mode == RAFT_PROGRESS_SNAPSHOT || i % 2 == 1;
        assert_int_equal(raft_progress_is_paused(&progress), expected);
    }
}

/* peers: etcd/TestProgressResume, raftrs/test_progress_resume */
static void news_of_either_kind_ends_a_pause(void **state)
{
    (void)state;
    struct raft_progress progress = make(RAFT_PROGRESS_PROBE, 0, 2);
    progress.is_append_paused = true;
    assert_true(raft_progress_maybe_decrease(&progress, 1, 1));
    assert_false(progress.is_append_paused);
    progress.is_append_paused = true;
    assert_true(raft_progress_maybe_update(&progress, 2));
    assert_false(progress.is_append_paused);
}

/*
 * peers: etcd/TestProgressBecomeProbe, raftrs/test_progress_become_probe,
 * etcd/TestProgressBecomeReplicate, raftrs/test_progress_become_replicate,
 * etcd/TestProgressBecomeSnapshot, raftrs/test_progress_become_snapshot
 */
static void each_state_begins_where_the_member_is_known_to_be(void **state)
{
    (void)state;
    struct raft_progress progress = make(RAFT_PROGRESS_REPLICATE, 1, 5);
    raft_progress_become_probe(&progress);
    assert_int_equal(progress.state, RAFT_PROGRESS_PROBE);
    assert_int_equal(progress.next, 2);
    for (uint64_t pending = 0; pending <= 10; pending += 10) { /* failed, delivered */
        progress = make(RAFT_PROGRESS_SNAPSHOT, 1, 5);
        progress.pending_snapshot = pending;
        raft_progress_become_probe(&progress);
        assert_int_equal(progress.state, RAFT_PROGRESS_PROBE);
        assert_int_equal(progress.match, 1);
        assert_int_equal(progress.next, pending == 0 ? 2 : 11);
    }
    progress = make(RAFT_PROGRESS_PROBE, 1, 5);
    raft_progress_become_replicate(&progress);
    assert_int_equal(progress.state, RAFT_PROGRESS_REPLICATE);
    assert_int_equal(progress.match, 1);
    assert_int_equal(progress.next, 2);
    raft_progress_become_snapshot(&progress, 10);
    assert_int_equal(progress.state, RAFT_PROGRESS_SNAPSHOT);
    assert_int_equal(progress.match, 1);
    assert_int_equal(progress.pending_snapshot, 10);
    assert_int_equal(progress.next, 11);
}

/* peers: etcd/TestProgressUpdate, raftrs/test_progress_update */
static void an_acknowledgement_never_takes_anything_back(void **state)
{
    (void)state;
    for (uint64_t index = 2; index <= 5; index++) {
        struct raft_progress progress = make(RAFT_PROGRESS_PROBE, 3, 5);
        assert_int_equal(raft_progress_maybe_update(&progress, index), index > 3);
        assert_int_equal(progress.match, index > 3 ? index : 3);
        assert_int_equal(progress.next, index == 5 ? 6 : 5);
    }
}

static struct raft_inflights full;

static void add_to_a_full_window(void)
{
    raft_inflights_add(&full, 100, 1024);
}

static void add_until_full(struct raft_inflights *window, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        assert_false(raft_inflights_is_full(window));
        raft_inflights_add(window, i, 100 + i);
    }
    assert_true(raft_inflights_is_full(window));
}

/* peers: etcd/TestInflightsFull */
static void a_window_is_full_by_count_or_bytes_and_again_after_room_was_made(void **state)
{
    (void)state;
    static const struct {
        uint32_t count_max;
        uint64_t bytes_max;
        uint64_t full_at;
        uint64_t freed;
        uint64_t again_at;
    } table[] = {
        {1, 0, 1, 1, 2},   {1, 10, 1, 1, 2},  {15, 0, 15, 6, 22},
        {8, 400, 4, 2, 7}, {8, 406, 4, 3, 8}, {15, 408, 5, 1, 6},
    };
    static struct death death;
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        raft_inflights_init(&full, table[i].count_max, table[i].bytes_max);
        add_until_full(&full, 0, table[i].full_at);
        raft_inflights_free_to(&full, table[i].freed);
        add_until_full(&full, table[i].full_at, table[i].again_at);
        death_of(add_to_a_full_window, &death);
        assert_true(WIFSIGNALED(death.status));
        raft_inflights_deinit(&full);
    }
}

/*
 * peers: etcd/TestInflightsAdd, raftrs/test_inflight_add, etcd/TestInflightFreeTo,
 * raftrs/test_inflight_free_to
 */
static void a_window_keeps_count_and_bytes_when_its_ring_wraps(void **state)
{
    (void)state;
    struct raft_inflights window;
    raft_inflights_init(&window, 10, 0);
    add_until_full(&window, 0, 10);
    assert_int_equal(window.bytes, 1045);
    static const struct {
        uint64_t freed;
        uint32_t count;
        uint64_t bytes;
    } table[] = {{0, 9, 945}, {4, 5, 535}, {8, 1, 109}};
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        raft_inflights_free_to(&window, table[i].freed);
        assert_int_equal(window.count, table[i].count);
        assert_int_equal(window.bytes, table[i].bytes);
    }
    for (uint64_t i = 10; i < 15; i++) {
        raft_inflights_add(&window, i, 100 + i);
    }
    raft_inflights_free_to(&window, 12);
    assert_int_equal(window.count, 2);
    assert_int_equal(window.bytes, 227);
    raft_inflights_free_to(&window, 14);
    assert_int_equal(window.count, 0);
    assert_int_equal(window.bytes, 0);
    raft_inflights_deinit(&window);
}

/* peers: etcd/TestInflightsReset */
static void a_reset_window_remembers_no_bytes(void **state)
{
    (void)state;
    struct raft_inflights window;
    raft_inflights_init(&window, 10, 1000);
    uint64_t index = 0;
    for (int epoch = 0; epoch < 100; epoch++) {
        raft_inflights_reset(&window);
        for (int i = 0; i < 5; i++) {
            assert_false(raft_inflights_is_full(&window));
            index++;
            raft_inflights_add(&window, index, 16);
        }
        raft_inflights_free_to(&window, index - 2);
        assert_false(raft_inflights_is_full(&window));
        assert_int_equal(window.count, 2);
    }
    raft_inflights_free_to(&window, index);
    assert_int_equal(window.count, 0);
    raft_inflights_deinit(&window);
}

/* Each change for itself. */
static struct conf_state one_by_one(struct conf_state conf, const struct conf_change *change)
{
    for (uint32_t i = 0; i < change->count; i++) {
        struct conf_change single = {.count = 1, .changes = {change->changes[i]}};
        struct raft_conf_plan plan;
        assert_int_equal(raft_conf_simple(&conf, &single, &plan), RAFT_CONF_OK);
        conf = plan.conf;
    }
    return conf;
}

/* All at once, through a joint configuration. */
static struct conf_state jointly(const struct conf_state *conf, const struct conf_change *change,
                                 bool auto_leave)
{
    struct raft_conf_plan joint;
    struct raft_conf_plan left;
    assert_int_equal(raft_conf_enter_joint(conf, change, auto_leave, &joint), RAFT_CONF_OK);
    assert_int_equal(joint.conf.auto_leave, auto_leave);
    assert_int_equal(raft_conf_leave_joint(&joint.conf, &left), RAFT_CONF_OK);
    return left.conf;
}

/* peers: etcd/TestConfChangeQuick */
static void changes_one_by_one_and_jointly_lead_to_the_same(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    for (int round = 0; round < 2000; round++) {
        struct conf_change setup = {.count = 1 + (uint32_t)prng_below(&prng, 5)};
        for (uint32_t i = 0; i < setup.count; i++) {
            setup.changes[i].id = 1 + prng_below(&prng, 5);
        }
        struct conf_state conf = {.voters = ids_to(1)}; /* 1 stays: there is always a voter */
        conf = one_by_one(conf, &setup);
        struct conf_change change = {.count = 1 + (uint32_t)prng_below(&prng, 9)};
        for (uint32_t i = 0; i < change.count; i++) {
            change.changes[i].type = (enum conf_change_type)prng_below(&prng, 4);
            change.changes[i].id = 2 + prng_below(&prng, 9);
        }
        struct conf_state simple = one_by_one(conf, &change);
        for (int auto_leave = 0; auto_leave <= 1; auto_leave++) {
            struct conf_state joint = jointly(&conf, &change, auto_leave == 1);
            assert_true(conf_state_equal(&simple, &joint));
        }
    }
}

/* Voters, learners and voters that go, without overlap; some voters were voters before. */
static struct conf_state random_conf(struct prng *prng)
{
    struct conf_state conf = {0};
    node_id ids[20];
    for (uint32_t i = 0; i < 20; i++) {
        ids[i] = i + 1;
        uint64_t other = prng_below(prng, i + 1);
        node_id moved = ids[other];
        ids[other] = ids[i];
        ids[i] = moved;
    }
    uint32_t voters = 1 + (uint32_t)prng_below(prng, 5);
    uint32_t learners = (uint32_t)prng_below(prng, 5);
    uint32_t removed = (uint32_t)prng_below(prng, 3);
    uint32_t kept = (uint32_t)prng_below(prng, voters + 1);
    for (uint32_t i = 0; i < voters + learners + removed; i++) {
        bool is_voter = i < voters;
        bool is_learner = !is_voter && i < voters + learners;
        struct id_set *set = is_voter     ? &conf.voters
                             : is_learner ? &conf.learners
                                          : &conf.voters_outgoing;
        assert_true(id_set_add(set, ids[i]));
        if (is_voter && i < kept) {
            assert_true(id_set_add(&conf.voters_outgoing, ids[i]));
        }
        if (!is_voter && !is_learner && prng_below(prng, 2) == 0) {
            assert_true(id_set_add(&conf.learners_next, ids[i]));
        }
    }
    conf.auto_leave = conf.voters_outgoing.count > 0 && prng_below(prng, 2) == 0;
    return conf;
}

/* peers: etcd/confchange/TestRestore */
static void any_valid_configuration_is_taken_over_as_it_is(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    for (int round = 0; round < 1000; round++) {
        struct conf_state conf = random_conf(&prng);
        assert_true(raft_conf_is_valid(&conf));
        struct raft_tracker tracker;
        raft_tracker_init(&tracker, 20, 0);
        raft_tracker_adopt(&tracker, &conf, NULL, 10);
        assert_true(conf_state_equal(&tracker.conf, &conf));
        struct id_set members;
        assert_true(raft_conf_members(&conf, &members));
        assert_int_equal(tracker.count, members.count);
        for (uint32_t i = 0; i < members.count; i++) {
            const struct raft_progress *member = &tracker.members[i];
            assert_int_equal(member->id, members.ids[i]);
            assert_int_equal(member->is_learner, id_set_has(&conf.learners, member->id));
        }
        raft_tracker_deinit(&tracker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_holds_in_every_state_and_a_snapshot_is_one),
        cmocka_unit_test(news_of_either_kind_ends_a_pause),
        cmocka_unit_test(each_state_begins_where_the_member_is_known_to_be),
        cmocka_unit_test(an_acknowledgement_never_takes_anything_back),
        cmocka_unit_test(a_window_is_full_by_count_or_bytes_and_again_after_room_was_made),
        cmocka_unit_test(a_window_keeps_count_and_bytes_when_its_ring_wraps),
        cmocka_unit_test(a_reset_window_remembers_no_bytes),
        cmocka_unit_test(changes_one_by_one_and_jointly_lead_to_the_same),
        cmocka_unit_test(any_valid_configuration_is_taken_over_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
