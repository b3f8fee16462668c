/* Disks that do not answer: this program's fdatasync is the one below. */
#include <pthread.h>
#include <sys/syscall.h>

#include "node/node_int.h"
#include "node_testing.h"

#define BOUND_MS 5000u /* what was promised */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_changed = PTHREAD_COND_INITIALIZER;
static char stalled[128]; /* syncs of files below this directory wait; "": none */

static void stall(const char *directory)
{
    (void)pthread_mutex_lock(&mutex);
    snprintf(stalled, sizeof(stalled), "%s", directory);
    (void)pthread_cond_broadcast(&has_changed);
    (void)pthread_mutex_unlock(&mutex);
}

/* In the place of the C library's, for the threads of the log and of the checkpoints. */
int fdatasync(int fd)
{
    char link[64];
    char path[256];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    path[size > 0 ? size : 0] = '\0';
    (void)pthread_mutex_lock(&mutex);
    while (stalled[0] != '\0' && strncmp(path, stalled, strlen(stalled)) == 0) {
        (void)pthread_cond_wait(&has_changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
    return (int)syscall(SYS_fdatasync, fd);
}

static bool has_another_leader(void *ctx)
{
    const struct wait *wait = ctx;
    uint32_t leader = find_leader(wait->cluster);
    return leader < NODES_MAX && leader != wait->node;
}

static void a_leader_whose_disk_does_not_answer_hands_over(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing caught;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    struct wait wait = {&cluster, leader, 0};
    put_at_least_once(&cluster, leader, "a", "1");
    uint64_t begin_ms = env_now_ms(cluster.env);
    stall(cluster.directories[leader]);
    begin_put(&cluster, leader, &caught, "b", "2", PATIENCE_MS);
    assert_true(turn_until(&cluster, has_another_leader, &wait));
    assert_true(env_now_ms(cluster.env) - begin_ms < BOUND_MS);
    assert_int_equal(cluster.nodes[leader]->replica->stall_handovers.value, 1);
    put_at_least_once(&cluster, (leader + 1) % 3, "c", "3"); /* the others go on */
    assert_int_equal(caught.answers, 0);
    stall("");
    assert_true(turn_until(&cluster, is_written, &caught));
    assert_int_equal(caught.result.e, OK);
    assert_value(&cluster, leader, "c", "3");
    cluster_deinit(&cluster);
}

static bool is_writing(void *ctx)
{
    const struct wait *wait = ctx;
    return wal_writing(wait->cluster->nodes[wait->node]->wal) != 0;
}

/* As after SIGSTOP and SIGCONT: the clock has gone on, and the disk was ready long ago. */
static void a_pause_of_the_process_is_no_stall(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing caught;
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    struct wait wait = {&cluster, 0, 0};
    stall(cluster.directory);
    begin_put(&cluster, 0, &caught, "a", "1", PATIENCE_MS);
    assert_true(turn_until(&cluster, is_writing, &wait));
    (void)usleep(1000u * 1500u); /* the pause itself */
    stall("");
    const struct stall *found = &cluster.nodes[0]->replica->stall;
    uint32_t most = 0;
    while (caught.answers == 0) {
        most = found->ticks > most ? found->ticks : most;
        assert_false(found->is_stalled);
        env_uv_run_once(cluster.env, true);
    }
    assert_int_equal(caught.result.e, OK);
    assert_true(most <= 4); /* one of the pause, and a few while the disk does its work */
    cluster_deinit(&cluster);
}

static bool has_waited_for_its_disk(void *ctx)
{
    const struct wait *wait = ctx;
    return wait->cluster->nodes[wait->node]->replica->stall.ticks >= wait->least;
}

static void where_every_disk_is_slow_nobody_is_replaced(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing caught;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t ticks = BOUND_MS / 4 / cluster.nodes[0]->options.heartbeat_ms;
    struct wait wait = {&cluster, leader_of(&cluster), ticks};
    struct node_status before;
    node_status(cluster.nodes[wait.node], &before);
    stall(cluster.directory);
    begin_put(&cluster, wait.node, &caught, "a", "1", PATIENCE_MS);
    assert_true(turn_until(&cluster, has_waited_for_its_disk, &wait));
    stall("");
    assert_true(turn_until(&cluster, is_written, &caught));
    assert_int_equal(caught.result.e, OK);
    struct node_status after;
    node_status(cluster.nodes[wait.node], &after);
    assert_int_equal(after.role, NODE_LEADER);
    assert_int_equal(after.term, before.term);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_whose_disk_does_not_answer_hands_over),
        cmocka_unit_test(a_pause_of_the_process_is_no_stall),
        cmocka_unit_test(where_every_disk_is_slow_nobody_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
