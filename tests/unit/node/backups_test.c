#include "backups_testing.h"
#include "node/node_int.h"

static void it_has_what_was_applied_when_it_was_asked_for(void **state)
{
    (void)state;
    struct cluster cluster;
    struct taking taking;
    cluster_init(&cluster, 1);
    put(&cluster, leader_of(&cluster), "key", "value"); /* in the tail: no checkpoint has it */
    struct node_status status;
    node_status(cluster.nodes[0], &status);
    struct store_region before = *status.state;
    begin_well(&cluster, &taking);
    put(&cluster, 0, "later", "value");
    read_all(&taking);
    struct store_backup backup = finish(&taking);
    assert_int_equal(backup.state.keys, 1);
    assert_int_equal(backup.state.revision, before.revision);
    assert_true(hash128_equal(backup.state.state_hash, before.state_hash));
    const struct backups *backups = &cluster.nodes[0]->backups;
    assert_int_equal(backups->completed.value, 1);
    assert_int_equal(backups->failed.value, 0);
    assert_int_equal(backups->bytes.value, backup.size_bytes);
    assert_true(backups->completed_at_ms > 0);
    cluster_deinit(&cluster);
}

static void only_one_is_made_at_a_time(void **state)
{
    (void)state;
    struct cluster cluster;
    struct taking first;
    struct taking second;
    cluster_init(&cluster, 1);
    begin_well(&cluster, &first);
    begin(&cluster, &second);
    assert_int_equal(second.e, ERR_BUSY);
    node_backup_close(&first.backup);
    assert_int_equal(cluster.nodes[0]->backups.failed.value, 1); /* it was not read to its end */
    begin_well(&cluster, &second);
    node_backup_close(&second.backup);
    cluster_deinit(&cluster);
}

static void one_that_is_read_too_slowly_is_cut(void **state)
{
    (void)state;
    struct cluster cluster;
    struct taking taking;
    cluster_init(&cluster, 1);
    begin_well(&cluster, &taking);
    taking.backup.begun_ms -= BACKUP_GRACE_MS - 20000;
    backups_turn(cluster.nodes[0]);
    assert_int_equal(taking.cuts, 0);
    taking.backup.begun_ms -= 20001;
    taking.backup.read_bytes = BACKUP_RATE_MIN; /* a second more */
    backups_turn(cluster.nodes[0]);
    assert_int_equal(taking.cuts, 0);
    taking.backup.begun_ms -= 1000;
    backups_turn(cluster.nodes[0]);
    assert_int_equal(taking.cuts, 1);
    assert_null(cluster.nodes[0]->backups.current);
    cluster_deinit(&cluster);
}

static void pieces_are_due_at_a_steady_pace(void **state)
{
    (void)state;
    struct cluster cluster;
    struct taking taking;
    bool is_last = false;
    cluster_init(&cluster, 1);
    cluster.nodes[0]->pace.bytes_per_second = 64u << 20;
    write_large(&cluster, leader_of(&cluster), 4, 1u << 20);
    begin_well(&cluster, &taking);
    assert_int_equal(node_backup_delay_ms(&taking.backup), 0);
    assert_int_equal(node_backup_read(&taking.backup, &taking.bytes, &is_last), OK); /* header */
    assert_int_equal(node_backup_read(&taking.backup, &taking.bytes, &is_last), OK);
    /* A megabyte and a little: a 64th of a second. The loop's time stands still. */
    assert_in_range(node_backup_delay_ms(&taking.backup), 15, 16);
    cluster.nodes[0]->pace.due_us -= 1000000;
    taking.backup.due_us -= 1000000; /* a second later no more than that is due */
    assert_int_equal(node_backup_read(&taking.backup, &taking.bytes, &is_last), OK);
    assert_in_range(node_backup_delay_ms(&taking.backup), 15, 16);
    node_backup_close(&taking.backup);
    writer_deinit(&taking.bytes);
    cluster_deinit(&cluster);
}

static void without_a_limit_pieces_are_due_at_once(void **state)
{
    (void)state;
    struct cluster cluster;
    struct taking taking;
    bool is_last = false;
    cluster_init(&cluster, 1);
    write_large(&cluster, leader_of(&cluster), 4, 1u << 20);
    begin_well(&cluster, &taking);
    while (!is_last) {
        assert_int_equal(node_backup_delay_ms(&taking.backup), 0);
        assert_int_equal(node_backup_read(&taking.backup, &taking.bytes, &is_last), OK);
    }
    node_backup_close(&taking.backup);
    writer_deinit(&taking.bytes);
    cluster_deinit(&cluster);
}

static void one_whose_checkpoint_does_not_come_is_refused(void **state)
{
    (void)state;
    struct cluster cluster;
    struct taking taking;
    cluster_init(&cluster, 1);
    put(&cluster, leader_of(&cluster), "key", "value");
    begin(&cluster, &taking);
    assert_false(taking.is_answered);
    taking.backup.begun_ms -= BACKUP_WAIT_MS_MAX + 1;
    backups_turn(cluster.nodes[0]);
    assert_int_equal(taking.e, ERR_UNAVAILABLE);
    assert_null(cluster.nodes[0]->backups.current);
    cluster_deinit(&cluster);
}

static void a_node_that_ends_ends_them(void **state)
{
    (void)state;
    struct cluster cluster;
    struct taking taking;
    cluster_init(&cluster, 1);
    begin_well(&cluster, &taking);
    stop_node(&cluster, 0);
    assert_int_equal(taking.cuts, 1);
    start_node(&cluster, 0);
    put(&cluster, leader_of(&cluster), "key", "value");
    begin(&cluster, &taking);
    stop_node(&cluster, 0);
    assert_int_equal(taking.e, ERR_DRAINING);
    start_node(&cluster, 0);
    struct drained drained;
    drain(cluster.nodes[0], &drained);
    begin(&cluster, &taking);
    assert_int_equal(taking.e, ERR_DRAINING);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_what_was_applied_when_it_was_asked_for),
        cmocka_unit_test(only_one_is_made_at_a_time),
        cmocka_unit_test(one_that_is_read_too_slowly_is_cut),
        cmocka_unit_test(without_a_limit_pieces_are_due_at_once),
        cmocka_unit_test(pieces_are_due_at_a_steady_pace),
        cmocka_unit_test(one_whose_checkpoint_does_not_come_is_refused),
        cmocka_unit_test(a_node_that_ends_ends_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
