/* The last act before an orderly end. */
#include "node/node_int.h"
#include "node_testing.h"

struct finishing {
    int done;
};

static void on_finished(void *ctx)
{
    ((struct finishing *)ctx)->done++;
}

static bool is_finished(void *ctx)
{
    return ((struct finishing *)ctx)->done > 0;
}

static const struct store_region *state_of(const struct cluster *cluster, uint32_t node)
{
    struct node_status status;
    node_status(cluster->nodes[node], &status);
    return status.state;
}

static void all_that_was_applied_is_in_the_checkpoint(void **state)
{
    (void)state;
    struct cluster cluster;
    struct finishing finishing = {.done = 0};
    cluster_init(&cluster, 1);
    put_at_least_once(&cluster, 0, "a", "1");
    put_at_least_once(&cluster, 0, "b", "2");
    assert_true(state_of(&cluster, 0)->checkpoint.index < state_of(&cluster, 0)->applied.index);
    node_finish(cluster.nodes[0], on_finished, &finishing);
    assert_true(turn_until(&cluster, is_finished, &finishing));
    assert_int_equal(state_of(&cluster, 0)->checkpoint.index, state_of(&cluster, 0)->applied.index);
    assert_int_equal(finishing.done, 1);
    stop_node(&cluster, 0);
    start_node(&cluster, 0);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    finishing.done = 0;
    node_finish(cluster.nodes[0], on_finished, &finishing);
    assert_true(turn_until(&cluster, is_finished, &finishing));
    cluster_deinit(&cluster);
}

static void what_does_not_succeed_is_not_waited_for(void **state)
{
    (void)state;
    struct cluster cluster;
    struct finishing finishing = {.done = 0};
    cluster_init(&cluster, 1);
    put_at_least_once(&cluster, 0, "a", "1");
    struct node *node = cluster.nodes[0];
    node_finish(node, on_finished, &finishing);
    assert_int_equal(finishing.done, 0);
    node->finish.index = UINT64_MAX; /* no checkpoint will have that */
    finish_check(node);
    assert_int_equal(finishing.done, 0);
    node->finish.begun_ms -= FINISH_MS_MAX;
    finish_check(node);
    assert_int_equal(finishing.done, 1);
    finish_check(node);
    assert_int_equal(finishing.done, 1);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_was_applied_is_in_the_checkpoint),
        cmocka_unit_test(what_does_not_succeed_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
