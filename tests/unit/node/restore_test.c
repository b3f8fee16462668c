#include "backups_testing.h"
#include "node/identity.h"
#include "node/node_int.h"
#include "node/restore.h"

/* A file with the backup of a node that had a few keys, and a cluster to be made of it. */
struct bench {
    char path[96];
    struct store_region state; /* what it is of */
    struct cluster cluster;    /* whose nodes do not run yet */
};

static void make_backup(struct bench *bench)
{
    struct cluster source;
    struct taking taking;
    cluster_init(&source, 1);
    for (int i = 0; i < 10; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key-%d", i);
        put(&source, leader_of(&source), key, "value");
    }
    begin_well(&source, &taking);
    bench->state = *taking.backup.state;
    read_all(&taking);
    FILE *file = fopen(bench->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(taking.bytes.data, 1, taking.bytes.size, file), taking.bytes.size);
    assert_int_equal(fclose(file), 0);
    (void)finish(&taking);
    cluster_deinit(&source);
}

static void bench_make(struct bench *bench, uint32_t count)
{
    cluster_init(&bench->cluster, 0);
    bench->cluster.count = count;
    bench->cluster.members[0].peer_address[0] = '\0';
    if (count > 1) {
        free_address(bench->cluster.members[0].peer_address);
    }
    (void)snprintf(bench->path, sizeof(bench->path), "%s/backup", bench->cluster.directory);
    make_backup(bench);
}

static err restore(struct bench *bench, uint32_t i, struct restored *out_restored,
                   struct err_note *note)
{
    struct node_options node = options_of(&bench->cluster, i);
    const struct restore_options options = {
        .env = bench->cluster.env,
        .backup_path = bench->path,
        .data_directory = node.data_directory,
        .id = node.id,
        .cluster_name = node.cluster_name,
        .members = node.members,
        .member_count = node.member_count,
    };
    return restore_data_directory(&options, out_restored, note);
}

static struct restored restore_well(struct bench *bench, uint32_t i)
{
    struct restored restored;
    struct err_note note = {""};
    if (restore(bench, i, &restored, &note) != OK) {
        fail_msg("%s", note.text);
    }
    return restored;
}

static void assert_restored(struct bench *bench, uint32_t i)
{
    struct node_status status;
    node_status(bench->cluster.nodes[i], &status);
    assert_true(hash128_equal(status.state->state_hash, bench->state.state_hash));
    assert_int_equal(status.state->keys, 10);
    assert_int_equal(status.state->revision, bench->state.revision + RESTORE_REVISION_STEP);
}

static void a_node_alone_goes_on_behind_the_backup(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench, 1);
    struct restored restored = restore_well(&bench, 0);
    assert_int_equal(restored.backup.state.revision, bench.state.revision);
    for (int i = 0; i < 2; i++) { /* and again after a restart */
        start_node(&bench.cluster, 0);
        assert_restored(&bench, 0);
        assert_int_equal(leader_of(&bench.cluster), 0);
        assert_value(&bench.cluster, 0, "key-3", "value");
        struct node_status status;
        node_status(bench.cluster.nodes[0], &status);
        assert_true(status.term > bench.state.applied.term);
        assert_true(status.first_index > bench.state.applied.index);
        assert_true(status.cluster_id == restored.cluster_id);
        stop_node(&bench.cluster, 0);
    }
    start_node(&bench.cluster, 0);
    struct command_result result = put(&bench.cluster, leader_of(&bench.cluster), "new", "value");
    assert_int_equal(result.revision, bench.state.revision + RESTORE_REVISION_STEP + 1);
    cluster_deinit(&bench.cluster);
}

static void three_nodes_restored_from_one_file_are_one_cluster(void **state)
{
    (void)state;
    struct bench bench;
    struct restored restored[3];
    bench_make(&bench, 3);
    for (uint32_t i = 0; i < 3; i++) {
        restored[i] = restore_well(&bench, i);
        assert_true(restored[i].cluster_id == restored[0].cluster_id);
    }
    for (uint32_t i = 0; i < 3; i++) {
        start_node(&bench.cluster, i);
        assert_restored(&bench, i);
    }
    assert_true(turn_until(&bench.cluster, has_leader_everywhere, &bench.cluster));
    put_at_least_once(&bench.cluster, leader_of(&bench.cluster), "new", "value");
    for (uint32_t i = 0; i < 3; i++) {
        assert_value(&bench.cluster, i, "new", "value");
        assert_value(&bench.cluster, i, "key-9", "value");
    }
    assert_true(turn_until(&bench.cluster, is_state_equal, &bench.cluster));
    cluster_deinit(&bench.cluster);
}

static void the_cluster_is_another_one_than_its_founders_had(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench, 3);
    struct restored restored = restore_well(&bench, 0);
    start_node(&bench.cluster, 1); /* a founder with nothing */
    struct node_status status;
    node_status(bench.cluster.nodes[1], &status);
    assert_true(status.cluster_id != restored.cluster_id);
    make_backup(&bench); /* another one, of the same keys */
    assert_true(restore_well(&bench, 2).cluster_id != restored.cluster_id);
    cluster_deinit(&bench.cluster);
}

static void a_node_alone_is_another_cluster_each_time(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench, 1);
    struct restored first = restore_well(&bench, 0);
    remove_data(&bench.cluster, 0, "");
    assert_true(restore_well(&bench, 0).cluster_id != first.cluster_id);
    cluster_deinit(&bench.cluster);
}

static void a_directory_that_has_something_is_left_alone(void **state)
{
    (void)state;
    struct bench bench;
    struct restored restored;
    struct err_note note = {""};
    bench_make(&bench, 1);
    start_node(&bench.cluster, 0);
    put(&bench.cluster, leader_of(&bench.cluster), "key", "mine");
    assert_int_equal(restore(&bench, 0, &restored, &note), ERR_BUSY);
    stop_node(&bench.cluster, 0);
    assert_int_equal(restore(&bench, 0, &restored, &note), ERR_EXISTS);
    assert_non_null(strstr(note.text, "is not empty"));
    start_node(&bench.cluster, 0);
    assert_value(&bench.cluster, 0, "key", "mine");
    cluster_deinit(&bench.cluster);
}

static void a_damaged_file_makes_no_directory(void **state)
{
    (void)state;
    struct bench bench;
    struct restored restored;
    struct err_note note = {""};
    bench_make(&bench, 1);
    assert_int_equal(truncate(bench.path, 300), 0);
    assert_int_equal(restore(&bench, 0, &restored, &note), ERR_DAMAGED);
    assert_int_not_equal(access(bench.cluster.directories[0], F_OK), 0);
    cluster_deinit(&bench.cluster);
}

static void one_that_was_not_finished_is_not_started_on(void **state)
{
    (void)state;
    struct bench bench;
    struct err_note note = {""};
    bench_make(&bench, 1);
    (void)restore_well(&bench, 0);
    struct node_options options = options_of(&bench.cluster, 0);
    const struct membership founders = node_founders(options.members, 1);
    const struct identity_claim claim = {.node = 1, .cluster_name = "", .founders = &founders};
    struct identity identity;
    assert_int_equal(
        identity_open(bench.cluster.env, options.data_directory, &claim, &identity, &note), OK);
    identity.is_restoring = true; /* as it stands there while the rest is made */
    assert_int_equal(identity_save(bench.cluster.env, options.data_directory, &identity, &note),
                     OK);
    assert_int_equal(node_open(&bench.cluster.nodes[0], &options, &note), ERR_IDENTITY);
    assert_non_null(strstr(note.text, "not finished"));
    bench.cluster.nodes[0] = NULL;
    cluster_deinit(&bench.cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_alone_goes_on_behind_the_backup),
        cmocka_unit_test(three_nodes_restored_from_one_file_are_one_cluster),
        cmocka_unit_test(the_cluster_is_another_one_than_its_founders_had),
        cmocka_unit_test(a_node_alone_is_another_cluster_each_time),
        cmocka_unit_test(a_directory_that_has_something_is_left_alone),
        cmocka_unit_test(a_damaged_file_makes_no_directory),
        cmocka_unit_test(one_that_was_not_finished_is_not_started_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
