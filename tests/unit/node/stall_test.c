/* Disks that do not answer: this program's fdatasync is the one below. */
#include <pthread.h>
#include <sys/syscall.h>

#include "node/node_int.h"
#include "node_testing.h"

#define BOUND_MS 5000u /* what was promised */
#define PAUSE_MS 1500u /* of the process */

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

static bool knows_of_stall(void *ctx)
{
    const struct wait *wait = ctx;
    return condition_is(wait->cluster->nodes[wait->node]->replica, wait->least, CONDITION_STALLED);
}

/* Whether it was handed over: on a busy machine there may be an election first. */
static bool is_handed_over(void)
{
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
    bool is_done = cluster.nodes[leader]->replica->stall_handovers.value == 1;
    put_at_least_once(&cluster, (leader + 1) % 3, "c", "3"); /* the others go on */
    assert_int_equal(caught.answers, 0);
    struct wait told = {&cluster, (leader + 1) % 3, leader + 1};
    assert_true(turn_until(&cluster, knows_of_stall, &told)); /* and do not hand over to it */
    stall("");
    assert_true(turn_until(&cluster, is_written, &caught));
    assert_true(caught.result.e == OK || !is_done);
    assert_value(&cluster, leader, "c", "3");
    cluster_deinit(&cluster);
    return is_done;
}

static void a_leader_whose_disk_does_not_answer_hands_over(void **state)
{
    (void)state;
    bool is_done = false;
    for (int tries = 0; tries < 5 && !is_done; tries++) {
        is_done = is_handed_over();
    }
    assert_true(is_done);
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
    (void)usleep(1000u * PAUSE_MS);
    stall("");
    const struct stall *found = &cluster.nodes[0]->replica->stall;
    uint32_t most = 0;
    while (caught.answers == 0) {
        most = found->ticks > most ? found->ticks : most;
        assert_false(found->is_stalled);
        env_uv_run_once(cluster.env, true);
    }
    assert_int_equal(caught.result.e, OK);
    /* One of the pause, and what the disk takes for its work. */
    assert_true(most < PAUSE_MS / 2 / cluster.nodes[0]->options.heartbeat_ms);
    cluster_deinit(&cluster);
}

static bool has_waited_for_its_disk(void *ctx)
{
    const struct wait *wait = ctx;
    return wait->cluster->nodes[wait->node]->replica->stall.ticks >= wait->least;
}

/* Else one disk could have something that the leader's has not, and show that it is the better. */
static bool is_all_durable(void *ctx)
{
    const struct cluster *cluster = ctx;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct wal_stats *stats = wal_stats(cluster->nodes[i]->wal);
        if (stats->durable_ticket != stats->last_ticket) {
            return false;
        }
    }
    return true;
}

static void where_every_disk_is_slow_nobody_is_replaced(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing caught;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, leader_of(&cluster), "a", "0");
    assert_true(turn_until(&cluster, is_all_durable, &cluster));
    uint32_t ticks = BOUND_MS / 4 / cluster.nodes[0]->options.heartbeat_ms;
    struct wait wait = {&cluster, leader_of(&cluster), ticks};
    struct node_status before;
    node_status(cluster.nodes[wait.node], &before);
    stall(cluster.directory);
    begin_put(&cluster, wait.node, &caught, "a", "1", PATIENCE_MS);
    assert_true(turn_until(&cluster, has_waited_for_its_disk, &wait));
    stall("");
    assert_true(turn_until(&cluster, is_written, &caught));
    struct node_status after;
    node_status(cluster.nodes[wait.node], &after);
    /* An election is no replacement: turns of this process that were late. */
    assert_true(caught.result.e == OK || after.term != before.term);
    for (uint32_t i = 0; i < cluster.count; i++) {
        assert_int_equal(cluster.nodes[i]->replica->stall_handovers.value, 0);
    }
    cluster_deinit(&cluster);
}

struct follower {
    struct cluster *cluster;
    uint32_t node;
    uint64_t last_index;
    uint64_t commit;
};

static void look_at(struct follower *follower)
{
    struct raft_status status;
    raft_status(follower->cluster->nodes[follower->node]->replica->raft, &status);
    follower->last_index = status.last_index;
    follower->commit = status.hard_state.commit;
}

static bool has_more_than_is_committed(void *ctx)
{
    struct follower *follower = ctx;
    look_at(follower);
    return follower->last_index > follower->commit;
}

static void hear_of(struct follower *follower, struct raft_pos pos)
{
    struct node *node = follower->cluster->nodes[follower->node];
    const struct frame_repair frame = {
        .kind = FRAME_REPAIR_SEND, .term = pos.term, .index = pos.index};
    struct writer payload = {0};
    frame_repair_encode(&frame, &payload);
    repair_heard(node->replica, 1 + (follower->node + 1) % 2, writer_slice(&payload));
    writer_deinit(&payload);
    look_at(follower);
}

/* A leader whose disk does not answer stands for one in repair that was the other half of a quorum
 * (repair.h, G2): who is left has the entry, and cannot commit it alone. */
static void what_one_in_repair_knows_to_be_committed_is_committed(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing caught;
    cluster_init(&cluster, 2);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    put_at_least_once(&cluster, leader, "a", "1");
    assert_true(turn_until(&cluster, is_all_durable, &cluster));
    stall(cluster.directories[leader]);
    begin_put(&cluster, leader, &caught, "b", "2", PATIENCE_MS);
    struct follower follower = {&cluster, (leader + 1) % 2, 0, 0};
    assert_true(turn_until(&cluster, has_more_than_is_committed, &follower));
    uint64_t term = cluster.nodes[leader]->replica->term;
    uint64_t last_index = follower.last_index;
    uint64_t commit = follower.commit;
    hear_of(&follower, (struct raft_pos){0, last_index}); /* it is not known to be */
    assert_int_equal(follower.commit, commit);
    hear_of(&follower, (struct raft_pos){term + 1, last_index}); /* another entry */
    assert_int_equal(follower.commit, commit);
    hear_of(&follower, (struct raft_pos){term, last_index});
    assert_int_equal(follower.commit, last_index);
    stall("");
    assert_true(turn_until(&cluster, is_written, &caught));
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_whose_disk_does_not_answer_hands_over),
        cmocka_unit_test(a_pause_of_the_process_is_no_stall),
        cmocka_unit_test(where_every_disk_is_slow_nobody_is_replaced),
        cmocka_unit_test(what_one_in_repair_knows_to_be_committed_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
