/* Quotas that differ from node to node: all decide alike, by the one of who leads. */
#include "node/node_int.h"
#include "node_testing.h"

#define QUOTA 220u

static bool is_reached_everywhere(void *ctx)
{
    const struct cluster *cluster = ctx;
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct node_status status;
        node_status(cluster->nodes[i], &status);
        count += status.is_quota_reached ? 1 : 0;
    }
    return count == cluster->count;
}

static bool is_reached_nowhere(void *ctx)
{
    const struct cluster *cluster = ctx;
    bool is_reached = false;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct node_status status;
        node_status(cluster->nodes[i], &status);
        is_reached = is_reached || status.is_quota_reached;
    }
    return !is_reached;
}

/* As put, but again as long as nobody decides. */
static err put_decided(struct cluster *cluster, uint32_t i, const char *key, const char *value)
{
    err e = put(cluster, i, key, value).e;
    while (e == ERR_NO_LEADER || e == ERR_OUTCOME_UNKNOWN) {
        e = put(cluster, i, key, value).e;
    }
    return e;
}

/* At one applied index one quota counts, and one state stands, whatever each node was told. */
static bool are_alike(void *ctx)
{
    const struct cluster *cluster = ctx;
    struct node_status first;
    node_status(cluster->nodes[0], &first);
    for (uint32_t i = 1; i < cluster->count; i++) {
        struct node_status status;
        node_status(cluster->nodes[i], &status);
        if (status.applied_index != first.applied_index) {
            return false;
        }
        assert_int_equal(status.quota_bytes, first.quota_bytes);
        assert_int_equal(status.is_quota_reached, first.is_quota_reached);
        assert_true(hash128_equal(status.state->state_hash, first.state->state_hash));
        assert_int_equal(cluster->nodes[i]->replica->quota.refused.value,
                         cluster->nodes[0]->replica->quota.refused.value);
    }
    return true;
}

static void every_replica_refuses_what_the_leader_s_quota_forbids(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    for (uint32_t i = 0; i < 3; i++) {
        stop_node(&cluster, i);
    }
    cluster.quota_bytes = QUOTA;
    for (uint32_t i = 0; i < 3; i++) {
        start_node(&cluster, i);
    }
    char value[61];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(put_decided(&cluster, 0, "a", value), OK); /* 1 + 60 + 64 */
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(put_decided(&cluster, i, "b", value), ERR_QUOTA);
    }
    assert_true(turn_until(&cluster, is_reached_everywhere, &cluster));
    assert_true(turn_until(&cluster, are_alike, &cluster));
    assert_true(cluster.nodes[0]->replica->quota.refused.value >= 3);
    /* What does not grow is taken, and makes room. */
    assert_int_equal(put_decided(&cluster, 1, "a", "small"), OK);
    assert_int_equal(put_decided(&cluster, 2, "b", value), OK);
    assert_true(turn_until(&cluster, is_reached_nowhere, &cluster));
    assert_true(turn_until(&cluster, are_alike, &cluster));
    cluster_deinit(&cluster);
}

static void start_with_quota(struct cluster *cluster, uint64_t quota_bytes)
{
    stop_node(cluster, 0);
    cluster->quota_bytes = quota_bytes;
    start_node(cluster, 0);
}

static void a_lowered_quota_is_reached_before_anything_is_refused(void **state)
{
    (void)state;
    static const char value[] = "0123456789012345678901234567890123456789";
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_int_equal(put_decided(&cluster, 0, "a", value), OK);
    assert_int_equal(put_decided(&cluster, 0, "b", value), OK); /* 210 by now */
    start_with_quota(&cluster, QUOTA);
    assert_int_equal(put_decided(&cluster, 0, "b", value), OK);
    assert_true(is_reached_nowhere(&cluster));
    start_with_quota(&cluster, QUOTA / 2);
    assert_int_equal(put_decided(&cluster, 0, "b", value), OK); /* as large as it is */
    assert_true(is_reached_everywhere(&cluster));
    /* By more than a tenth, which is not enough. */
    assert_int_equal(put_decided(&cluster, 0, "b", "0123456789"), OK);
    assert_true(is_reached_everywhere(&cluster));
    start_with_quota(&cluster, QUOTA / 2 + 1); /* nor is that */
    assert_int_equal(put_decided(&cluster, 0, "b", "0123456789"), OK);
    assert_true(is_reached_everywhere(&cluster));
    start_with_quota(&cluster, QUOTA);
    assert_int_equal(put_decided(&cluster, 0, "b", "0123456789"), OK);
    assert_true(is_reached_nowhere(&cluster));
    assert_int_equal(cluster.nodes[0]->replica->quota.refused.value, 0);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lowered_quota_is_reached_before_anything_is_refused),
        cmocka_unit_test(every_replica_refuses_what_the_leader_s_quota_forbids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
