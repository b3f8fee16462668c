/* Handing over before the end: nobody who writes notices much of it. */
#include "node/node_int.h"
#include "node_testing.h"

struct draining {
    struct cluster *cluster;
    uint32_t node;
    struct drained drained;
};

static bool is_drained(void *ctx)
{
    return ((struct draining *)ctx)->drained.count > 0;
}

static void begin_drain(struct draining *draining, struct cluster *cluster, uint32_t node)
{
    *draining = (struct draining){.cluster = cluster, .node = node};
    drain(cluster->nodes[node], &draining->drained);
}

static bool leads_itself(void *ctx)
{
    const struct wait *wait = ctx;
    return node_is_leader(wait->cluster->nodes[wait->node]);
}

static struct node_status status_of(const struct cluster *cluster, uint32_t node)
{
    struct node_status status;
    node_status(cluster->nodes[node], &status);
    return status;
}

static void a_leader_hands_over_and_takes_writes_until_another_one_leads(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    struct writing own;
    struct writing forwarded;
    struct writing late;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    put_at_least_once(&cluster, leader, "a", "1");
    uint64_t term = status_of(&cluster, leader).term;
    begin_drain(&draining, &cluster, leader);
    assert_int_equal(draining.drained.count, 0);
    assert_true(status_of(&cluster, leader).is_draining);
    begin_put(&cluster, leader, &own, "b", "2", 10000);
    begin_put(&cluster, (leader + 1) % 3, &forwarded, "c", "3", 10000);
    assert_int_equal(own.answers, 0);
    assert_true(turn_until(&cluster, is_drained, &draining));
    struct node_status after = status_of(&cluster, leader);
    assert_int_equal(after.role, NODE_FOLLOWER);
    assert_int_not_equal(after.leader, 0);
    assert_int_equal(after.term, term + 1);
    begin_put(&cluster, leader, &late, "d", "4", 10000);
    assert_int_equal(late.result.e, ERR_DRAINING);
    assert_true(turn_until(&cluster, is_written, &own));
    assert_true(turn_until(&cluster, is_written, &forwarded));
    assert_int_equal(own.result.e, OK);
    assert_int_equal(forwarded.result.e, OK);
    assert_int_equal(draining.drained.count, 1);
    cluster_deinit(&cluster);
}

static void a_follower_does_not_wait(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    begin_drain(&draining, &cluster, (leader + 1) % 3);
    assert_int_equal(draining.drained.count, 1);
    assert_int_equal(find_leader(&cluster), leader);
    cluster_deinit(&cluster);
}

static bool has_lost_its_quorum(void *ctx)
{
    const struct draining *draining = ctx;
    return !node_is_leader(draining->cluster->nodes[draining->node]);
}

static void a_leader_without_a_quorum_does_not_wait(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    struct draining draining = {.cluster = &cluster, .node = leader_of(&cluster)};
    stop_node(&cluster, (draining.node + 1) % 3);
    stop_node(&cluster, (draining.node + 2) % 3);
    assert_true(turn_until(&cluster, has_lost_its_quorum, &draining));
    begin_drain(&draining, &cluster, draining.node);
    assert_int_equal(draining.drained.count, 1);
    cluster_deinit(&cluster);
}

static bool are_both_level(void *ctx)
{
    const struct wait *wait = ctx;
    struct node_status status = status_of(wait->cluster, wait->node);
    return status.peer_count == 2 && status.peers[0].is_active && status.peers[1].is_active &&
           status.peers[0].match_index == status.last_index &&
           status.peers[1].match_index == status.last_index;
}

static void who_is_asked_to_lead_has_its_time(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    struct wait wait = {&cluster, leader, 0};
    assert_true(turn_until(&cluster, are_both_level, &wait));
    node_id asked = leader == 2 ? 2 : 3; /* of two alike the other one would be chosen */
    assert_int_equal(node_transfer_leader(cluster.nodes[leader], asked), OK);
    begin_drain(&draining, &cluster, leader);
    assert_int_equal(status_of(&cluster, leader).transfer_target, asked);
    drain_tick(cluster.nodes[leader]);
    assert_int_equal(status_of(&cluster, leader).transfer_target, asked);
    assert_true(turn_until(&cluster, is_drained, &draining));
    cluster_deinit(&cluster);
}

/* As if the one that was asked to lead could not. */
static void a_handover_that_does_not_happen_is_waited_for_no_longer_than_an_election(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    struct node *node = cluster.nodes[leader];
    node->forwarded_count++; /* a peer's write whose answer never comes */
    uint64_t begin_ms = env_now_ms(cluster.env);
    begin_drain(&draining, &cluster, leader);
    assert_true(turn_until(&cluster, is_drained, &draining));
    assert_true(env_now_ms(cluster.env) - begin_ms >= ELECTION_TIMEOUT_MS);
    node->forwarded_count--;
    cluster_deinit(&cluster);
}

/* Somebody else than wait->node leads, in a term of its own. */
static bool has_passed_on(void *ctx)
{
    const struct wait *wait = ctx;
    uint32_t leader = find_leader(wait->cluster);
    return leader < NODES_MAX && leader != wait->node &&
           status_of(wait->cluster, leader).term >= wait->least;
}

static void who_is_elected_while_it_drains_hands_over_again(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    uint32_t follower = (leader + 1) % 3;
    begin_drain(&draining, &cluster, follower);
    assert_int_equal(node_transfer_leader(cluster.nodes[leader], follower + 1), OK);
    uint64_t term = status_of(&cluster, leader).term;
    struct wait wait = {&cluster, follower, term + 2};
    assert_true(turn_until(&cluster, has_passed_on, &wait));
    assert_int_equal(draining.drained.count, 1);
    cluster_deinit(&cluster);
}

/* D5: two of them had done that thirty times a second. */
static void those_that_drain_do_not_hand_the_lead_to_and_fro(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining[3];
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "a", "1");
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t leader = leader_of(&cluster);
        bool is_known =
            condition_is(cluster.nodes[leader]->replica, leader + 1, CONDITION_DRAINING);
        assert_false(is_known); /* it goes to those that do not drain, as long as there are any */
        begin_drain(&draining[i], &cluster, leader);
        assert_true(turn_until(&cluster, is_drained, &draining[i]));
        assert_true(turn_until(&cluster, has_leader, &cluster));
    }
    uint32_t last = leader_of(&cluster);
    uint64_t term = status_of(&cluster, last).term;
    struct checkpoint_wait wait = {&cluster, 0, env_now_ms(cluster.env) + 500, false};
    assert_true(turn_until(&cluster, is_past, &wait));
    assert_int_equal(leader_of(&cluster), last);
    assert_int_equal(status_of(&cluster, last).term, term);
    /* As soon as one is back, it leads. */
    uint32_t back = (last + 1) % 3;
    assert_int_equal(node_undrain(cluster.nodes[back]), OK);
    struct wait leads = {&cluster, back, 0};
    assert_true(turn_until(&cluster, leads_itself, &leads));
    cluster_deinit(&cluster);
}

static void it_can_be_undone(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    struct drained again;
    struct writing writing;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t follower = (leader_of(&cluster) + 1) % 3;
    assert_int_equal(node_undrain(cluster.nodes[follower]), OK); /* it was not draining */
    begin_drain(&draining, &cluster, follower);
    begin_put(&cluster, follower, &writing, "a", "1", 10000);
    assert_int_equal(writing.result.e, ERR_DRAINING);
    drain(cluster.nodes[follower], &again);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.e, OK);
    assert_int_equal(node_undrain(cluster.nodes[follower]), OK);
    assert_false(status_of(&cluster, follower).is_draining);
    put_at_least_once(&cluster, follower, "a", "1");
    cluster_deinit(&cluster);
}

static void who_waits_is_told_that_it_was_undone(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    begin_drain(&draining, &cluster, leader);
    assert_int_equal(draining.drained.count, 0);
    assert_int_equal(node_undrain(cluster.nodes[leader]), OK);
    assert_int_equal(draining.drained.count, 1);
    assert_int_equal(draining.drained.e, ERR_CONFLICT);
    put_at_least_once(&cluster, leader, "a", "1");
    assert_int_equal(draining.drained.count, 1);
    cluster_deinit(&cluster);
}

static void the_end_of_the_process_cannot_be_undone(void **state)
{
    (void)state;
    struct cluster cluster;
    struct draining draining;
    struct drained end = {.drain = {.is_final = true, .done = on_drained}};
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    begin_drain(&draining, &cluster, leader);
    node_drain(cluster.nodes[leader], &end.drain);
    assert_int_equal(node_undrain(cluster.nodes[leader]), ERR_DRAINING);
    assert_true(status_of(&cluster, leader).is_draining);
    stop_node(&cluster, leader); /* before anybody else leads */
    assert_int_equal(draining.drained.count, 1);
    assert_int_equal(draining.drained.e, ERR_DRAINING);
    assert_int_equal(end.count, 1);
    cluster_deinit(&cluster);
}

static void assert_explains(const struct node *node, const char *why, const char *where,
                            const char *not_where)
{
    const char *text = node_explain_draining(node);
    assert_non_null(strstr(text, why));
    assert_non_null(strstr(text, where));
    assert_null(strstr(text, not_where));
}

static void it_says_what_helps(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 3; count += 2) {
        struct cluster cluster;
        struct draining draining;
        cluster_init(&cluster, count);
        assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
        begin_drain(&draining, &cluster, 0);
        assert_true(turn_until(&cluster, is_drained, &draining));
        const char *other = "another member";
        assert_explains(cluster.nodes[0], "is draining", count == 1 ? "--undo" : other,
                        count == 1 ? other : "shutting down");
        struct drained end = {.drain = {.is_final = true, .done = on_drained}};
        node_drain(cluster.nodes[0], &end.drain);
        assert_explains(cluster.nodes[0], "shutting down", count == 1 ? "started again" : other,
                        count == 1 ? other : "--undo");
        cluster_deinit(&cluster);
    }
}

struct watching {
    struct watch watch;
    struct node *node;
    uint64_t seen; /* the revision up to which it was told */
    bool is_ended;
};

static uint64_t told(struct watch *watch)
{
    struct watching *watching = CONTAINER_OF(watch, struct watching, watch);
    watching->is_ended = watch_ended(watch) != OK;
    watching->seen = node_revision(watching->node);
    if (!watching->is_ended) {
        watch_rest(watch);
    }
    return 0;
}

static bool has_ended(void *ctx)
{
    return ((struct watching *)ctx)->is_ended;
}

static void set_flag(void *ctx)
{
    *(bool *)ctx = true;
}

static bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

/* D6; integration/eventsource found a 410 there. */
static void who_watches_a_node_that_ends_goes_on_in_its_next_life(void **state)
{
    (void)state;
    struct cluster cluster;
    struct watching watching = {.watch = {.pattern = SLICE_LITERAL("k"), .ready = told}};
    struct drained end = {.drain = {.is_final = true, .done = on_drained}};
    bool is_finished = false;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    uint32_t other = (leader + 1) % 3;
    struct node *node = cluster.nodes[other];
    watching.node = node;
    put_at_least_once(&cluster, leader, "k", "1");
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    watch_open(node_watches(node), &watching.watch, history_end(node_history(node)));
    node_drain(node, &end.drain);
    assert_true(turn_until(&cluster, has_ended, &watching));
    watch_close(&watching.watch);
    for (int i = 0; i < 20; i++) {
        put_at_least_once(&cluster, leader, "k", "2");
    }
    assert_int_equal(node_revision(node), watching.seen);
    node_finish(node, set_flag, &is_finished);
    assert_true(turn_until(&cluster, is_set, &is_finished));
    stop_node(&cluster, other);
    start_node(&cluster, other);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    node = cluster.nodes[other];
    assert_true(node_revision(node) >= watching.seen + 20);
    assert_true(history_covers(node_history(node), watching.seen));
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_hands_over_and_takes_writes_until_another_one_leads),
        cmocka_unit_test(a_follower_does_not_wait),
        cmocka_unit_test(a_leader_without_a_quorum_does_not_wait),
        cmocka_unit_test(a_handover_that_does_not_happen_is_waited_for_no_longer_than_an_election),
        cmocka_unit_test(who_is_asked_to_lead_has_its_time),
        cmocka_unit_test(who_is_elected_while_it_drains_hands_over_again),
        cmocka_unit_test(those_that_drain_do_not_hand_the_lead_to_and_fro),
        cmocka_unit_test(it_can_be_undone),
        cmocka_unit_test(who_waits_is_told_that_it_was_undone),
        cmocka_unit_test(the_end_of_the_process_cannot_be_undone),
        cmocka_unit_test(it_says_what_helps),
        cmocka_unit_test(who_watches_a_node_that_ends_goes_on_in_its_next_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
