/* Replicas that compare their states: who stops, who goes on, and who decides. */
#include "node/divergence.h"
#include "node/node_int.h"
#include "node_testing.h"

/* What a bug or a flipped bit would do to a state: it is another one from here on. */
static void spoil_state(struct cluster *cluster, uint32_t i)
{
    const struct store_region *state = store_region(cluster->nodes[i]->store, REGION_FIRST);
    struct store_region *region = (struct store_region *)(uintptr_t)state;
    region->state_hash.low ^= 1;
}

static bool has_verdict(const struct cluster *cluster, uint32_t i, const char *verdict)
{
    struct node_status status;
    node_status(cluster->nodes[i], &status);
    return strcmp(status.divergence, verdict) == 0;
}

static bool is_diverged(void *ctx)
{
    struct wait *wait = ctx;
    if (!has_verdict(wait->cluster, wait->node, "diverged")) {
        return false;
    }
    /* It would end this process with it (V5): that is tests/integration's. */
    wait->cluster->nodes[wait->node]->replica->divergence.end_ms = UINT64_MAX;
    return true;
}

static bool is_disputed(void *ctx)
{
    struct wait *wait = ctx;
    return has_verdict(wait->cluster, wait->node, "disputed");
}

static bool is_cleared(void *ctx)
{
    struct wait *wait = ctx;
    return has_verdict(wait->cluster, wait->node, "none");
}

static bool has_agreed(void *ctx)
{
    struct wait *wait = ctx;
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return status.agreed_index >= wait->least;
}

static void assert_refuses(struct cluster *cluster, uint32_t i)
{
    struct reading reading;
    struct writing writing;
    const char *why_not = NULL;
    begin_get(cluster, i, &reading, "a", READ_STALE, 1000);
    assert_int_equal(reading.answers, 1);
    assert_int_equal(reading.e, ERR_DIVERGED);
    begin_get(cluster, i, &reading, "a", READ_LINEARIZABLE, 1000);
    assert_int_equal(reading.answers, 1);
    assert_int_equal(reading.e, ERR_DIVERGED);
    begin_put(cluster, i, &writing, "a", "wrong", 1000);
    assert_int_equal(writing.answers, 1);
    assert_int_equal(writing.result.e, ERR_DIVERGED);
    assert_false(node_is_ready(cluster->nodes[i], &why_not));
    assert_non_null(strstr(why_not, "differ"));
}

static uint32_t start_three(struct cluster *cluster)
{
    cluster_init(cluster, 3);
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    put_at_least_once(cluster, 0, "a", "1");
    return leader_of(cluster);
}

static void equal_states_agree_also_when_nothing_is_written(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = start_three(&cluster);
    struct node_status status;
    node_status(cluster.nodes[leader], &status);
    for (uint32_t i = 0; i < 3; i++) {
        struct wait wait = {&cluster, i, status.applied_index};
        assert_true(turn_until(&cluster, has_agreed, &wait));
        assert_true(has_verdict(&cluster, i, "none"));
    }
    /* One that comes back is compared without a new entry. */
    uint32_t other = (leader + 1) % 3;
    stop_node(&cluster, other);
    start_node(&cluster, other);
    struct wait wait = {&cluster, other, 1};
    assert_true(turn_until(&cluster, has_agreed, &wait));
    cluster_deinit(&cluster);
}

static void a_follower_that_differs_stops_and_the_others_go_on(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = start_three(&cluster);
    uint32_t odd = (leader + 1) % 3;
    spoil_state(&cluster, odd);
    put_at_least_once(&cluster, leader, "a", "2");
    struct wait wait = {&cluster, odd, 0};
    assert_true(turn_until(&cluster, is_diverged, &wait));
    assert_refuses(&cluster, odd);
    for (uint32_t i = 0; i < 3; i++) {
        if (i != odd) {
            put_at_least_once(&cluster, i, "b", "3");
            assert_value(&cluster, i, "b", "3");
            assert_true(has_verdict(&cluster, i, "none"));
        }
    }
    /* It still counts for the quorum, and puts nobody in doubt when it is one of two. */
    uint32_t third = 3 - leader - odd;
    stop_node(&cluster, third);
    put_at_least_once(&cluster, leader, "c", "4");
    struct checkpoint_wait pause = {&cluster, 0, env_now_ms(cluster.env) + 1500, false};
    assert_true(turn_until(&cluster, is_past, &pause));
    assert_true(has_verdict(&cluster, leader, "none"));
    assert_value(&cluster, leader, "c", "4");
    cluster_deinit(&cluster);
}

static void a_leader_that_differs_hands_over_and_stops(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t odd = start_three(&cluster);
    struct writing writing;
    spoil_state(&cluster, odd);
    begin_put(&cluster, odd, &writing, "b", "1", 10000);
    struct wait wait = {&cluster, odd, 0};
    assert_true(turn_until(&cluster, is_diverged, &wait));
    assert_int_equal(writing.answers, 1);
    assert_refuses(&cluster, odd);
    uint32_t next = leader_of(&cluster);
    assert_int_not_equal(next, odd);
    put_at_least_once(&cluster, next, "b", "2");
    put_at_least_once(&cluster, 3 - odd - next, "b", "3"); /* by way of the leader */
    assert_value(&cluster, next, "b", "3");
    cluster_deinit(&cluster);
}

static void with_no_majority_both_stop_until_a_third_decides(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = start_three(&cluster);
    uint32_t away = (leader + 1) % 3;
    uint32_t odd = 3 - leader - away;
    stop_node(&cluster, away);
    spoil_state(&cluster, odd);
    put_at_least_once(&cluster, leader, "a", "2");
    struct wait right = {&cluster, leader, 0};
    struct wait wrong = {&cluster, odd, 0};
    assert_true(turn_until(&cluster, is_disputed, &right));
    assert_true(turn_until(&cluster, is_disputed, &wrong));
    assert_refuses(&cluster, leader);
    assert_refuses(&cluster, odd);
    start_node(&cluster, away);
    assert_true(turn_until(&cluster, is_diverged, &wrong));
    assert_true(turn_until(&cluster, is_cleared, &right));
    assert_refuses(&cluster, odd);
    put_at_least_once(&cluster, leader, "a", "3");
    assert_value(&cluster, away, "a", "3");
    cluster_deinit(&cluster);
}

/* Of two, nobody but a person can tell which is wrong; removing it is possible all the while. */
static void of_two_the_one_that_is_left_serves_again(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 2);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "a", "1");
    uint32_t leader = leader_of(&cluster);
    spoil_state(&cluster, 1 - leader);
    struct writing writing; /* what becomes of it does not matter */
    begin_put(&cluster, leader, &writing, "b", "1", 10000);
    struct wait wait = {&cluster, leader, 0};
    assert_true(turn_until(&cluster, is_disputed, &wait));
    assert_int_equal(writing.answers, 1);
    struct changing changing;
    struct conf_change conf = change_of(CONF_CHANGE_REMOVE, 2 - leader);
    begin_change(&cluster, leader, &changing, &conf, NULL, 0);
    assert_true(turn_until(&cluster, is_changed, &changing));
    assert_int_equal(changing.e, OK);
    assert_true(turn_until(&cluster, is_cleared, &wait));
    assert_value(&cluster, leader, "a", "1");
    cluster_deinit(&cluster);
}

static void it_is_found_within_a_thousand_entries(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = start_three(&cluster);
    uint32_t odd = (leader + 1) % 3;
    spoil_state(&cluster, odd);
    struct wait wait = {&cluster, odd, 0};
    for (uint32_t i = 0; i < 2000 && !is_diverged(&wait); i++) {
        /* However long that takes: no round is begun because of the time. */
        struct divergence *divergence = &cluster.nodes[leader]->replica->divergence;
        divergence->begun_ms = env_now_ms(cluster.env) + 60000;
        put_at_least_once(&cluster, leader, "a", "1");
    }
    assert_true(turn_until(&cluster, is_diverged, &wait)); /* it may lag */
    cluster_deinit(&cluster);
}

static uint64_t sent_to(struct cluster *cluster, uint32_t i, node_id peer)
{
    struct net_peer_info info;
    assert_true(net_peer_info(cluster->nodes[i]->net, peer, &info));
    return info.bytes_sent + info.queued_bytes;
}

/* Else two that ask each other would never end. */
static void only_a_question_is_answered(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = start_three(&cluster);
    uint32_t follower = (leader + 1) % 3;
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    struct replica *replica = cluster.nodes[follower]->replica;
    struct frame_mark mark = replica->divergence.notes[replica->applied % DIVERGENCE_NOTES];
    assert_int_equal(mark.index, replica->applied);
    struct writer out = {0};
    uint64_t before = sent_to(&cluster, follower, leader + 1);
    for (uint32_t i = 0; i < 2; i++) { /* the second time it knows the index */
        writer_reset(&out);
        frame_mark_encode(&mark, &out);
        divergence_receive(replica, leader + 1, writer_slice(&out));
        assert_int_equal(sent_to(&cluster, follower, leader + 1), before);
    }
    mark.is_question = true;
    writer_reset(&out);
    frame_mark_encode(&mark, &out);
    divergence_receive(replica, leader + 1, writer_slice(&out));
    assert_true(sent_to(&cluster, follower, leader + 1) > before);
    writer_deinit(&out);
    cluster_deinit(&cluster);
}

/* What a peer sends is not trusted: nothing in it makes a node stop that has its own majority. */
static void marks_that_make_no_sense_change_nothing(void **state)
{
    (void)state;
    struct cluster cluster;
    uint32_t leader = start_three(&cluster);
    struct replica *replica = cluster.nodes[leader]->replica;
    struct divergence *divergence = &replica->divergence;
    uint64_t applied = replica->applied;
    struct writer out = {0};
    divergence_receive(replica, 1 + (leader + 1) % 3, SLICE_LITERAL("?"));
    for (uint64_t i = 1; i < 100; i++) {
        struct frame_mark mark = {.index = applied + 1000000 + i};
        writer_reset(&out);
        frame_mark_encode(&mark, &out);
        divergence_receive(replica, 1 + (leader + 1) % 3, writer_slice(&out)); /* never reached */
        divergence_receive(replica, 77, writer_slice(&out));                   /* no member */
    }
    put_at_least_once(&cluster, leader, "a", "2");
    struct wait wait = {&cluster, leader, replica->applied};
    assert_true(turn_until(&cluster, has_agreed, &wait));
    assert_int_equal(divergence->verdict, DIVERGENCE_NONE);
    writer_deinit(&out);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_states_agree_also_when_nothing_is_written),
        cmocka_unit_test(a_follower_that_differs_stops_and_the_others_go_on),
        cmocka_unit_test(a_leader_that_differs_hands_over_and_stops),
        cmocka_unit_test(with_no_majority_both_stop_until_a_third_decides),
        cmocka_unit_test(of_two_the_one_that_is_left_serves_again),
        cmocka_unit_test(it_is_found_within_a_thousand_entries),
        cmocka_unit_test(only_a_question_is_answered),
        cmocka_unit_test(marks_that_make_no_sense_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
