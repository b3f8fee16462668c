/* Disks without room for another segment: this program's posix_fallocate is the one below. */
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "node/node_int.h"
#include "node_testing.h"

#define VALUE_SIZE 2000u

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char full[128]; /* files below this directory get no blocks; "": all do */

static void fill(const char *directory)
{
    (void)pthread_mutex_lock(&mutex);
    snprintf(full, sizeof(full), "%s", directory);
    (void)pthread_mutex_unlock(&mutex);
}

/* In the place of the C library's, for the threads of the log. */
int posix_fallocate(int fd, off_t offset, off_t size)
{
    char link[64];
    char path[256];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    (void)pthread_mutex_lock(&mutex);
    bool is_full = full[0] != '\0' && strncmp(path, full, strlen(full)) == 0;
    (void)pthread_mutex_unlock(&mutex);
    if (is_full) {
        return ENOSPC;
    }
    return syscall(SYS_fallocate, fd, 0, offset, size) == 0 ? 0 : errno;
}

static err put_large(struct cluster *cluster, uint32_t i, uint32_t number)
{
    char key[16];
    char value[VALUE_SIZE + 1];
    memset(value, 'v', VALUE_SIZE);
    value[VALUE_SIZE] = '\0';
    snprintf(key, sizeof(key), "%u", number % 8);
    err e = put(cluster, i, key, value).e;
    while (e == ERR_NO_LEADER || e == ERR_OUTCOME_UNKNOWN) { /* until somebody decides */
        e = put(cluster, i, key, value).e;
    }
    return e;
}

/* S4: the disk has room; whoever leads may still believe otherwise, until its log asks again. */
static void put_until_taken(struct cluster *cluster, uint32_t i, const char *key, const char *value)
{
    uint64_t deadline_ms = env_now_ms(cluster->env) + PATIENCE_MS;
    err e = put(cluster, i, key, value).e;
    while (e != OK && env_now_ms(cluster->env) < deadline_ms) {
        assert_true(e == ERR_NO_SPACE || e == ERR_NO_LEADER || e == ERR_OUTCOME_UNKNOWN);
        env_uv_run_once(cluster->env, true);
        e = put(cluster, i, key, value).e;
    }
    assert_int_equal(e, OK);
}

static err erase(struct cluster *cluster, uint32_t i, const char *key)
{
    struct writing writing = {.answers = 0};
    struct command command = {.type = COMMAND_DELETE, .key = slice_from_text(key)};
    writing.write = (struct node_write){
        .command = command_encode(&command),
        .deadline_ms = env_now_ms(cluster->env) + PATIENCE_MS,
        .done = write_done,
    };
    node_write(cluster->nodes[i], command.key, &writing.write);
    assert_true(turn_until(cluster, is_written, &writing));
    return writing.result.e;
}

static bool is_short(void *ctx)
{
    const struct wait *wait = ctx;
    return wait->cluster->nodes[wait->node]->replica->space.is_short;
}

static bool has_room_again(void *ctx)
{
    return !is_short(ctx);
}

static bool is_nobody_known_to_be_full(void *ctx)
{
    const struct cluster *cluster = ctx;
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        count += cluster->nodes[i]->replica->condition.peer_count;
    }
    return count == 0;
}

static void when_all_disks_are_full_puts_are_refused_and_deletes_are_not(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "kept", "1");
    fill(cluster.directory);
    err e = OK;
    for (uint32_t i = 0; i < 1000 && e != ERR_NO_SPACE; i++) {
        e = put_large(&cluster, i % 3, i);
    }
    assert_int_equal(e, ERR_NO_SPACE);
    for (uint32_t i = 0; i < 3; i++) {
        assert_value(&cluster, i, "kept", "1");
        assert_int_equal(put_large(&cluster, i, i), ERR_NO_SPACE);
    }
    assert_int_equal(erase(&cluster, leader_of(&cluster), "kept"), OK);
    struct wait wait = {&cluster, leader_of(&cluster), 0};
    assert_true(turn_until(&cluster, is_short, &wait));
    fill("");
    uint64_t refused = 0;
    for (wait.node = 0; wait.node < 3; wait.node++) {
        assert_true(turn_until(&cluster, has_room_again, &wait));
        refused += cluster.nodes[wait.node]->replica->space.refused.value;
    }
    assert_true(refused >= 4);
    assert_true(turn_until(&cluster, is_nobody_known_to_be_full, &cluster));
    put_until_taken(&cluster, 0, "kept", "2");
    cluster_deinit(&cluster);
}

static void a_full_leader_holds_up_nobody(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    struct wait wait = {&cluster, leader_of(&cluster), 0};
    fill(cluster.directories[wait.node]);
    uint32_t taken = 0;
    uint64_t deadline_ms = env_now_ms(cluster.env) + PATIENCE_MS;
    /* Beyond the end of what it has: it refuses until it has handed over, or has cut its log by
     * then, and goes on in what that gave back. How often one is refused meanwhile is a matter of
     * how fast one asks. */
    for (uint32_t i = 0; taken < 200 && env_now_ms(cluster.env) < deadline_ms; i++) {
        err e = put_large(&cluster, (wait.node + 1 + i % 2) % 3, i);
        assert_true(e == OK || e == ERR_NO_SPACE);
        taken += e == OK ? 1 : 0;
    }
    assert_int_equal(taken, 200);
    fill("");
    assert_true(turn_until(&cluster, has_room_again, &wait));
    assert_true(turn_until(&cluster, is_nobody_known_to_be_full, &cluster));
    put_until_taken(&cluster, wait.node, "end", "1");
    assert_value(&cluster, wait.node, "end", "1");
    cluster_deinit(&cluster);
}

static void what_a_peer_says_is_believed_for_a_while(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    struct replica *replica = cluster.nodes[leader]->replica;
    node_id peers[2] = {1 + (leader + 1) % 3, 1 + (leader + 2) % 3};
    condition_receive(replica, peers[0], SLICE_LITERAL("\1"));
    condition_receive(replica, peers[0], SLICE_LITERAL("\1more")); /* malformed */
    assert_int_equal(replica->condition.peer_count, 1);
    put_at_least_once(&cluster, leader, "a", "1"); /* two have room */
    condition_receive(replica, peers[1], SLICE_LITERAL("\1"));
    assert_int_equal(put(&cluster, leader, "a", "2").e, ERR_NO_SPACE);
    assert_int_equal(erase(&cluster, leader, "a"), OK);
    condition_receive(replica, peers[1], SLICE_LITERAL("\0"));
    put_at_least_once(&cluster, leader, "a", "3");
    condition_receive(replica, peers[1], SLICE_LITERAL("\1"));
    condition_tick(replica, env_now_ms(cluster.env) + 10000);
    assert_int_equal(replica->condition.peer_count, 0);
    put_at_least_once(&cluster, leader, "a", "4");
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_all_disks_are_full_puts_are_refused_and_deletes_are_not),
        cmocka_unit_test(a_full_leader_holds_up_nobody),
        cmocka_unit_test(what_a_peer_says_is_believed_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
