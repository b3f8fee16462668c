/*
 * How far the log goes, against a log, a core and a store that say what each test wants: the rules
 * K1 to K3 of replica_compact.c. Whole nodes do the same in node_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "node/node_int.h"

#define BOUND 1000u

/* What the replica sees around it, and what it did. */
static struct {
    struct wal_bounds bounds;
    struct wal_stats wal;
    struct raft_status raft;
    struct store_region state;
    uint64_t cut; /* of the last wal_compact; 0: none */
    uint64_t told;
    int frames;
    uint64_t snapshot_floor;
    uint64_t now_ms;
} world;

uint64_t env_now_ms(struct env *env)
{
    (void)env;
    return world.now_ms;
}

struct wal_bounds wal_bounds(const struct wal *wal, region_id region)
{
    (void)wal;
    (void)region;
    return world.bounds;
}

const struct wal_stats *wal_stats(const struct wal *wal)
{
    (void)wal;
    return &world.wal;
}

err wal_term(const struct wal *wal, region_id region, uint64_t index, uint64_t *out_term)
{
    (void)wal;
    (void)region;
    assert_true(index <= world.bounds.last_index);
    *out_term = 1;
    return OK;
}

void wal_compact(struct wal *wal, region_id region, struct raft_pos pos)
{
    (void)wal;
    (void)region;
    world.cut = pos.index;
    world.bounds.compacted = pos;
}

void raft_status(const struct raft *raft, struct raft_status *out_status)
{
    (void)raft;
    *out_status = world.raft;
}

const struct store_region *store_region(const struct store *store, region_id region)
{
    (void)store;
    (void)region;
    return &world.state;
}

uint64_t snapshots_floor(struct replica *replica, const struct raft_status *status)
{
    (void)replica;
    (void)status;
    return world.snapshot_floor;
}

err net_send(struct net *net, node_id peer, enum frame_type type, region_id region,
             struct slice payload)
{
    (void)net;
    (void)peer;
    (void)region;
    assert_int_equal(type, FRAME_LOG_FLOOR);
    world.told = load_u64(payload.data);
    world.frames++;
    return OK;
}

struct fixture {
    struct node node;
    struct replica replica;
};

/* Node 1 of three; a log of 100 entries, 10 bytes each, all checkpointed. */
static int setup(void **state)
{
    static char net;
    static char raft;
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    memset(&world, 0, sizeof(world));
    world.bounds.last_index = 100;
    world.snapshot_floor = UINT64_MAX;
    world.wal.live_bytes = 1000;
    world.state.checkpoint.index = 100;
    world.raft.id = 1;
    fixture->node.identity.node = 1;
    fixture->node.options.log_keep_bytes_max = BOUND;
    fixture->node.options.log_keep_entries_max = BOUND;
    fixture->node.net = (struct net *)(void *)&net;
    fixture->replica.node = &fixture->node;
    fixture->replica.region = 1;
    fixture->replica.raft = (struct raft *)(void *)&raft;
    for (node_id id = 1; id <= 3; id++) {
        struct member member = {.id = id};
        assert_true(membership_put(&fixture->replica.membership, &member));
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    test_free(*state);
    return 0;
}

static void lead(uint64_t match_of_2, uint64_t match_of_3)
{
    world.raft.role = RAFT_LEADER;
    world.raft.member_count = 3;
    world.raft.members[0] = (struct raft_member_status){.id = 1, .match = 100};
    world.raft.members[1] = (struct raft_member_status){.id = 2, .match = match_of_2};
    world.raft.members[2] = (struct raft_member_status){.id = 3, .match = match_of_3};
}

static void a_leader_cuts_up_to_the_slowest_member_and_tells_the_others(void **state)
{
    struct fixture *fixture = *state;
    lead(90, 40);
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 40);
    assert_int_equal(world.told, 40);
    assert_int_equal(world.frames, 2);
}

/* The others have committed what this disk does not have yet: after a power cut it asks for that.
 */
static void what_the_leader_itself_has_not_durable_is_kept_by_all(void **state)
{
    struct fixture *fixture = *state;
    lead(90, 80);
    world.raft.members[0].match = 38;
    replica_compact(&fixture->replica);
    assert_int_equal(world.told, 38);
    assert_int_equal(world.cut, 38);
}

static void what_follows_a_snapshot_on_its_way_is_kept_whatever_the_bound(void **state)
{
    struct fixture *fixture = *state;
    lead(90, 0);
    world.snapshot_floor = 60;
    fixture->node.options.log_keep_bytes_max = 1;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 60);
    assert_int_equal(world.told, 60);
}

static void it_does_not_cut_past_the_checkpoint(void **state)
{
    struct fixture *fixture = *state;
    world.state.checkpoint.index = 30;
    lead(90, 40);
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 30);
}

static void a_member_that_has_not_answered_in_this_term_may_lack_everything(void **state)
{
    struct fixture *fixture = *state;
    lead(90, 0);
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 0);
}

static void past_the_bound_the_slowest_alone_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    world.wal.live_bytes = 10 * BOUND;
    lead(80, 0);
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 80);
    assert_true(id_set_has(&fixture->replica.given_up, 3));
    assert_false(id_set_has(&fixture->replica.given_up, 2));
    /* Not again for what is held for nobody else, and not the next one. */
    world.wal.live_bytes = BOUND; /* what was cut is gone */
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 80);
    assert_int_equal(fixture->replica.given_up.count, 1);
    lead(80, 85); /* it has caught up by other means */
    replica_compact(&fixture->replica);
    assert_int_equal(fixture->replica.given_up.count, 0);
}

static void who_is_given_up_stays_so_although_it_has_all_that_was_cut_before(void **state)
{
    struct fixture *fixture = *state;
    lead(90, 40);
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 40);
    fixture->node.options.log_keep_bytes_max = 100;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 90);
}

static void a_log_that_is_large_for_other_reasons_costs_nobody(void **state)
{
    struct fixture *fixture = *state;
    world.wal.live_bytes = 10 * BOUND;
    world.state.checkpoint.index = 5; /* what is not checkpointed is not held for a member */
    lead(90, 1);
    replica_compact(&fixture->replica);
    assert_int_equal(fixture->replica.given_up.count, 0);
    assert_int_equal(world.cut, 1);
}

static void entries_are_counted_as_well(void **state)
{
    struct fixture *fixture = *state;
    fixture->node.options.log_keep_entries_max = 60;
    lead(90, 40);
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 40);
    fixture->node.options.log_keep_entries_max = 59;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 90);
    assert_true(id_set_has(&fixture->replica.given_up, 3));
    lead(90, 91); /* it has a snapshot */
    replica_compact(&fixture->replica);
    assert_int_equal(fixture->replica.given_up.count, 0);
}

static void who_lacks_what_is_older_than_the_bound_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    fixture->node.options.log_keep_age_ms_max = 31000;
    world.state.checkpoint.index = 50;
    lead(60, 40);
    replica_compact(&fixture->replica);
    world.state.checkpoint.index = 100; /* soon after; what is behind 50 is younger */
    world.now_ms += 2000;
    lead(90, 40);
    replica_compact(&fixture->replica);
    world.now_ms += 29000;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 40);
    world.now_ms += 1;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 90);
    assert_true(id_set_has(&fixture->replica.given_up, 3));
    /* The other one lacks only what is younger, until that is old too. */
    assert_int_equal(fixture->replica.given_up.count, 1);
    world.now_ms += 60000;
    lead(90, 100);
    replica_compact(&fixture->replica);
    assert_false(id_set_has(&fixture->replica.given_up, 3));
    assert_true(id_set_has(&fixture->replica.given_up, 2));
}

static void who_has_everything_is_not_given_up_however_old_it_is(void **state)
{
    struct fixture *fixture = *state;
    fixture->node.options.log_keep_age_ms_max = 31000;
    lead(100, 100);
    for (int i = 0; i < 100; i++) {
        world.now_ms += 1000;
        replica_compact(&fixture->replica);
    }
    assert_int_equal(fixture->replica.given_up.count, 0);
}

static void who_does_not_lead_does_as_it_was_told_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    world.raft.role = RAFT_FOLLOWER; /* whatever the replica believed a turn ago */
    fixture->replica.role = RAFT_LEADER;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 0);
    assert_int_equal(world.frames, 0);
    replica_keep_from(&fixture->replica, 60);
    replica_keep_from(&fixture->replica, 20);
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 60);
    replica_keep_from(&fixture->replica,
                      UINT64_MAX); /* beyond what this node has: not meant for it */
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 60);
}

static void untold_a_follower_cuts_only_far_beyond_the_bound(void **state)
{
    struct fixture *fixture = *state;
    world.wal.live_bytes = 4 * BOUND;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 0);
    world.wal.live_bytes = 6 * BOUND;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 100);
}

static void untold_a_follower_counts_entries_as_well(void **state)
{
    struct fixture *fixture = *state;
    fixture->node.options.log_keep_entries_max = 25;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 0);
    fixture->node.options.log_keep_entries_max = 19;
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 100);
}

static void a_node_that_is_alone_keeps_nothing_for_others(void **state)
{
    struct fixture *fixture = *state;
    membership_remove(&fixture->replica.membership, 2);
    membership_remove(&fixture->replica.membership, 3);
    world.raft.role = RAFT_LEADER;
    world.raft.member_count = 1;
    world.raft.members[0] = (struct raft_member_status){.id = 1, .match = 100};
    replica_compact(&fixture->replica);
    assert_int_equal(world.cut, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leader_cuts_up_to_the_slowest_member_and_tells_the_others),
        TEST(what_the_leader_itself_has_not_durable_is_kept_by_all),
        TEST(what_follows_a_snapshot_on_its_way_is_kept_whatever_the_bound),
        TEST(it_does_not_cut_past_the_checkpoint),
        TEST(a_member_that_has_not_answered_in_this_term_may_lack_everything),
        TEST(past_the_bound_the_slowest_alone_is_given_up),
        TEST(who_is_given_up_stays_so_although_it_has_all_that_was_cut_before),
        TEST(a_log_that_is_large_for_other_reasons_costs_nobody),
        TEST(entries_are_counted_as_well),
        TEST(who_lacks_what_is_older_than_the_bound_is_given_up),
        TEST(who_has_everything_is_not_given_up_however_old_it_is),
        TEST(who_does_not_lead_does_as_it_was_told_and_no_more),
        TEST(untold_a_follower_cuts_only_far_beyond_the_bound),
        TEST(untold_a_follower_counts_entries_as_well),
        TEST(a_node_that_is_alone_keeps_nothing_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
