#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "sim/plan.h"
#include "sim/world.h"

#define SEEDS 400u

static struct plan plan_of(enum plan_profile profile, uint64_t seed)
{
    struct plan plan;
    struct prng prng;
    memset(&plan, 0xAA, sizeof(plan));
    prng_init(&prng, seed);
    plan_draw(&plan, profile, &prng);
    return plan;
}

static void every_profile_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < PLAN_PROFILE_COUNT; i++) {
        enum plan_profile found = PLAN_PROFILE_COUNT;
        assert_true(plan_profile_find(plan_profile_name((enum plan_profile)i), &found));
        assert_int_equal(found, i);
    }
    enum plan_profile untouched = PLAN_DISK;
    assert_false(plan_profile_find("disks", &untouched));
    assert_int_equal(untouched, PLAN_DISK);
}

static void the_same_dice_draw_the_same_plan(void **state)
{
    (void)state;
    uint64_t different = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct plan one = plan_of(PLAN_SWARM, seed);
        struct plan again = plan_of(PLAN_SWARM, seed);
        struct plan other = plan_of(PLAN_SWARM, seed + 1);
        assert_memory_equal(&one.weights, &again.weights, sizeof(one.weights));
        assert_int_equal(one.duration_ns, again.duration_ns);
        assert_int_equal(one.tail_bytes_max, again.tail_bytes_max);
        assert_int_equal(one.value_size_max, again.value_size_max);
        different += one.latency_ns != other.latency_ns ? 1 : 0;
    }
    assert_true(different > 10);
}

/* Over some seeds somebody watches, somebody lists, and histories are both short and long. */
static void what_is_read_of_the_past_is_drawn_apart(void **state)
{
    (void)state;
    uint64_t watchers = 0;
    uint64_t listers = 0;
    uint64_t short_ones = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct plan plan = plan_of(PLAN_SWARM, seed);
        struct prng prng;
        assert_int_equal(plan.watcher_count + plan.lister_count, 0);
        prng_init(&prng, seed);
        plan_draw_past(&plan, &prng);
        assert_true(plan.history_revisions_max > 0);
        assert_true(plan.history_bytes_max > 0);
        assert_true(plan.watch_pause_ns_max >= 10 * SIM_MS);
        watchers += plan.watcher_count;
        listers += plan.lister_count;
        short_ones += plan.history_revisions_max < 100 ? 1 : 0;
    }
    assert_in_range(watchers, SEEDS, 2 * SEEDS);
    assert_in_range(listers, SEEDS / 2, 3 * SEEDS / 2);
    assert_in_range(short_ones, SEEDS / 10, SEEDS * 9 / 10);
}

/* What the rest of the simulator divides by, draws below or relies on. */
static void every_plan_can_be_run(void **state)
{
    (void)state;
    for (int profile = 0; profile < PLAN_PROFILE_COUNT; profile++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct plan plan = plan_of((enum plan_profile)profile, seed);
            assert_in_range(plan.founder_count, 1, 7);
            assert_true(plan.election_timeout_ms >= 4 * plan.heartbeat_ms);
            assert_true(plan.turn_ns > 0 && plan.delay_ns_max > 0 && plan.wall_skew_ms_max > 0);
            assert_true(plan.fault_gap_ns > 0 && plan.fault_length_ns > 0 && plan.down_ns > 0);
            assert_true(plan.think_ns > 0 && plan.client_count > 0 && plan.key_count > 0);
            assert_true(plan.burst > 0 && plan.timeout_ms > 0);
            assert_true(plan.put_share + plan.delete_share + plan.stale_share < 1100000);
            assert_in_range(plan.loss, 0, 200000);
            assert_in_range(plan.corruption, 0, 10000);
            assert_true(plan.clock_ppm_max < 1000000);
            assert_true(plan.changes.add > 0);
        }
    }
}

static void
a_quiet_plan_stalls_disks_below_the_election_timeout_and_cuts_followers_off(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct plan plan = plan_of(PLAN_QUIET, seed);
        struct plan_weights weights = {.disk_stall = 1, .cut = 1};
        assert_memory_equal(&plan.weights, &weights, sizeof(weights));
        assert_int_equal(
            plan.loss + plan.doubling + plan.reordering + plan.corruption + plan.delaying, 0);
        assert_true(plan.founder_count > 1);
        assert_true(plan.fault_length_ns < plan.election_timeout_ms * SIM_MS);
    }
}

static void a_swarm_has_every_weight_with_and_without(void **state)
{
    (void)state;
    enum {
        WEIGHTS = sizeof(struct plan_weights) / sizeof(uint32_t)
    };
    uint64_t with[WEIGHTS] = {0};
    uint64_t heavy = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct plan plan = plan_of(PLAN_SWARM, seed);
        uint32_t weights[WEIGHTS];
        memcpy(weights, &plan.weights, sizeof(weights));
        for (size_t i = 0; i < WEIGHTS; i++) {
            with[i] += weights[i] > 0 ? 1 : 0;
        }
        heavy += plan.is_crash_heavy ? 1 : 0;
    }
    for (size_t i = 0; i < WEIGHTS; i++) {
        assert_in_range(with[i], SEEDS / 3, SEEDS - 1);
    }
    assert_in_range(heavy, SEEDS / 3, 2 * SEEDS / 3);
}

static void a_profile_always_has_what_it_is_named_for(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct plan crash = plan_of(PLAN_CRASH, seed);
        struct plan network = plan_of(PLAN_NETWORK, seed);
        struct plan disk = plan_of(PLAN_DISK, seed);
        struct plan membership = plan_of(PLAN_MEMBERSHIP, seed);
        assert_true(crash.is_crash_heavy && crash.weights.crash_effect > 0);
        assert_true(network.weights.cut > 0 && network.loss > 0 && network.reordering > 0);
        assert_true(disk.weights.sync_error > 0 && disk.weights.rot > 0);
        assert_true(membership.weights.membership > 0 && membership.weights.wipe > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_is_found_by_its_name),
        cmocka_unit_test(the_same_dice_draw_the_same_plan),
        cmocka_unit_test(what_is_read_of_the_past_is_drawn_apart),
        cmocka_unit_test(every_plan_can_be_run),
        cmocka_unit_test(
            a_quiet_plan_stalls_disks_below_the_election_timeout_and_cuts_followers_off),
        cmocka_unit_test(a_swarm_has_every_weight_with_and_without),
        cmocka_unit_test(a_profile_always_has_what_it_is_named_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
