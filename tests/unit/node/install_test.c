/* A snapshot on its way into store and log, and what a crash leaves of it. */
#include <dirent.h>
#include <sys/stat.h>

#include "snapshots_testing.h"

static void an_installation_that_is_interrupted_is_finished_at_the_next_start(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 400, 1024);
    start_node(&cluster, behind);
    struct progress progress = {cluster.nodes[behind], 0};
    assert_true(turn_until(&cluster, is_installing, &progress));
    struct raft_pos pos = progress.node->replica->install.pos;
    assert_int_equal(progress.node->identity.installing.index, pos.index);
    /* Until the store has it the log knows nothing of it, and nobody is told: a crash leaves the
     * old state. */
    struct raft_status status;
    raft_status(progress.node->replica->raft, &status);
    assert_true(status.applied < pos.index);
    assert_true(wal_hard_state(progress.node->wal, REGION_FIRST).commit < pos.index);
    stop_node(&cluster, behind);
    start_node(&cluster, behind);
    assert_true(cluster.nodes[behind]->replica->applied >= pos.index);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_value(&cluster, behind, "first", "1");
    cluster_deinit(&cluster);
}

static void history_begins_with_what_was_installed(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 400, 1024);
    start_node(&cluster, behind);
    struct history *history = node_history(cluster.nodes[behind]);
    uint64_t end = history_end(history);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    uint64_t oldest = history_oldest(history);
    assert_true(oldest > 1);                   /* it had the first write */
    assert_true(end < history_first(history)); /* whoever watched from there has missed something */
    put_at_least_once(&cluster, behind, "after", "1");
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_int_equal(history_newest(history), node_revision(cluster.nodes[behind]));
    assert_true(history_covers(history, oldest));
    cluster_deinit(&cluster);
}

static void copy_file(const char *from, const char *to)
{
    char bytes[4096];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_true(in != NULL && out != NULL);
    size_t size;
    while ((size = fread(bytes, 1, sizeof(bytes), in)) > 0) {
        assert_int_equal(fwrite(bytes, 1, size, out), size);
    }
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
}

/* Makes part `to` of a node's data a copy of part `from`, a directory of files. */
static void copy_data(const struct cluster *cluster, uint32_t i, const char *from, const char *to)
{
    char source[400];
    char target[400];
    snprintf(target, sizeof(target), "%s/%s", cluster->directories[i], to);
    (void)nftw(target, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(mkdir(target, 0700), 0);
    snprintf(source, sizeof(source), "%s/%s", cluster->directories[i], from);
    DIR *directory = opendir(source);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            snprintf(source, sizeof(source), "%s/%s/%.100s", cluster->directories[i], from,
                     entry->d_name);
            snprintf(target, sizeof(target), "%s/%s/%.100s", cluster->directories[i], to,
                     entry->d_name);
            copy_file(source, target);
        }
    }
    assert_int_equal(closedir(directory), 0);
}

static void a_store_ahead_of_its_log_is_right_only_where_that_was_announced(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t behind = leave_behind(&cluster, 400, 1024);
    copy_data(&cluster, behind, "wal", "wal.old");
    start_node(&cluster, behind);
    struct progress progress = {cluster.nodes[behind], 0};
    assert_true(turn_until(&cluster, is_installing, &progress));
    struct raft_pos pos = progress.node->replica->install.pos;
    stop_node(&cluster, behind);
    /* Finished by the store, and then: a crash before the log was reset, without the news of it. */
    start_node(&cluster, behind);
    progress.node = cluster.nodes[behind];
    assert_true(turn_until(&cluster, is_unannounced, &progress));
    stop_node(&cluster, behind);
    copy_data(&cluster, behind, "wal.old", "wal");
    struct identity identity;
    struct err_note note = {.text = ""};
    struct node_options options = options_of(&cluster, behind);
    assert_int_equal(node_open(&cluster.nodes[behind], &options, &note), ERR_DAMAGED);
    cluster.nodes[behind] = NULL;
    struct membership founders = {.member_count = 0};
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(membership_put(&founders, &cluster.members[i]));
    }
    struct identity_claim claim = {.node = behind + 1, .cluster_name = "", .founders = &founders};
    assert_int_equal(
        identity_open(cluster.env, cluster.directories[behind], &claim, &identity, &note), OK);
    identity.installing_region = REGION_FIRST;
    identity.installing = (struct raft_pos){.term = pos.term, .index = pos.index + 1};
    assert_int_equal(identity_save(cluster.env, cluster.directories[behind], &identity, &note), OK);
    assert_int_equal(node_open(&cluster.nodes[behind], &options, &note), ERR_DAMAGED);
    cluster.nodes[behind] = NULL;
    identity.installing = pos;
    assert_int_equal(identity_save(cluster.env, cluster.directories[behind], &identity, &note), OK);
    start_node(&cluster, behind);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    assert_int_equal(cluster.nodes[behind]->identity.installing_region, 0);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_installation_that_is_interrupted_is_finished_at_the_next_start),
        cmocka_unit_test(history_begins_with_what_was_installed),
        cmocka_unit_test(a_store_ahead_of_its_log_is_right_only_where_that_was_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
