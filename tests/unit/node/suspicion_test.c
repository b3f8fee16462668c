/* Leaders whose process is gone, and leaders of whom it only looks so. */
#include "node/node_int.h"
#include "node_testing.h"

/* Longer than any test is patient: whoever is elected was not waited for. */
#define LONG_TIMEOUT_MS (10 * PATIENCE_MS)

static void start_patient(struct cluster *cluster, uint32_t i)
{
    struct node_options options = options_of(cluster, i);
    options.election_timeout_ms = LONG_TIMEOUT_MS;
    open_node(cluster, i, &options);
}

static bool are_all_connected(void *ctx)
{
    const struct cluster *cluster = ctx;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct node_status status;
        node_status(cluster->nodes[i], &status);
        for (uint32_t j = 0; j < status.peer_count; j++) {
            if (!status.peers[j].is_connected) {
                return false;
            }
        }
    }
    return true;
}

/* Three nodes that never time out; the first of them leads. */
static void cluster_init_patient(struct cluster *cluster)
{
    cluster_init(cluster, 3);
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    for (uint32_t i = 0; i < 3; i++) {
        stop_node(cluster, i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        start_patient(cluster, i);
    }
    assert_true(turn_until(cluster, are_all_connected, cluster));
    assert_int_equal(node_campaign(cluster->nodes[0]), OK);
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    assert_int_equal(leader_of(cluster), 0);
}

static uint64_t term_of(const struct cluster *cluster, uint32_t i)
{
    struct node_status status;
    node_status(cluster->nodes[i], &status);
    return status.term;
}

static bool is_suspected(void *ctx)
{
    const struct wait *wait = ctx;
    return wait->cluster->nodes[wait->node]->replica->suspicion.pause_ms != 0;
}

static void a_leader_whose_process_is_gone_is_replaced_without_a_timeout(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init_patient(&cluster);
    put_at_least_once(&cluster, 1, "a", "1");
    stop_node(&cluster, 0);
    put_at_least_once(&cluster, 1, "b", "2");
    assert_int_not_equal(leader_of(&cluster), 0);
    start_patient(&cluster, 0);
    assert_value(&cluster, 0, "b", "2");
    cluster_deinit(&cluster);
}

static bool is_connected_again(void *ctx)
{
    const struct wait *wait = ctx;
    struct net_peer_info info;
    const struct net *net = wait->cluster->nodes[wait->node]->net;
    return net_peer_info(net, 1, &info) && info.is_up && info.connects >= wait->least;
}

static void a_leader_whose_connections_break_keeps_the_lead(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init_patient(&cluster);
    uint64_t term = term_of(&cluster, 0);
    for (uint64_t breaks = 1; breaks <= 3; breaks++) {
        for (uint32_t i = 1; i < 3; i++) {
            net_peer_remove(cluster.nodes[0]->net, i + 1);
            assert_int_equal(
                node_peer_set(cluster.nodes[0], i + 1, cluster.members[i].peer_address), OK);
        }
        for (uint32_t i = 1; i < 3; i++) {
            struct wait wait = {&cluster, i, breaks + 1};
            assert_true(turn_until(&cluster, is_connected_again, &wait));
            assert_false(is_suspected(&wait));
        }
    }
    put_at_least_once(&cluster, 1, "a", "1");
    assert_int_equal(leader_of(&cluster), 0);
    assert_int_equal(term_of(&cluster, 1), term);
    cluster_deinit(&cluster);
}

static bool is_trusted(void *ctx)
{
    const struct wait *wait = ctx;
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return !is_suspected(ctx) && status.leader == 1;
}

/* As a broken machine between them could have it; the other one hears the leader all the time. */
static void one_that_is_wrong_about_it_disturbs_nobody(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init_patient(&cluster);
    uint64_t term = term_of(&cluster, 0);
    struct wait wait = {&cluster, 1, 0};
    replica_peer_gone(cluster.nodes[1]->replica, 3); /* it does not lead */
    assert_false(is_suspected(&wait));
    replica_peer_gone(cluster.nodes[1]->replica, 1);
    assert_true(is_suspected(&wait));
    assert_true(turn_until(&cluster, is_trusted, &wait));
    put_at_least_once(&cluster, 1, "a", "1");
    assert_int_equal(leader_of(&cluster), 0);
    assert_int_equal(term_of(&cluster, 1), term);
    cluster_deinit(&cluster);
}

static bool has_given_up(void *ctx)
{
    const struct wait *wait = ctx;
    return !is_suspected(ctx) && env_now_ms(wait->cluster->env) >= wait->least;
}

static void without_a_quorum_the_attempts_end_and_raise_no_term(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    struct wait wait = {&cluster, (leader_of(&cluster) + 1) % 3, env_now_ms(cluster.env)};
    uint64_t term = term_of(&cluster, wait.node);
    stop_node(&cluster, (wait.node + 1) % 3);
    stop_node(&cluster, (wait.node + 2) % 3);
    assert_true(turn_until(&cluster, is_suspected, &wait));
    wait.least = env_now_ms(cluster.env) + 2 * ELECTION_TIMEOUT_MS;
    assert_true(turn_until(&cluster, has_given_up, &wait));
    assert_int_equal(term_of(&cluster, wait.node), term);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_whose_process_is_gone_is_replaced_without_a_timeout),
        cmocka_unit_test(a_leader_whose_connections_break_keeps_the_lead),
        cmocka_unit_test(one_that_is_wrong_about_it_disturbs_nobody),
        cmocka_unit_test(without_a_quorum_the_attempts_end_and_raise_no_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
