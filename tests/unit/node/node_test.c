/* Whole nodes in one process and one loop: what they promise to whoever writes and reads. */
#include "history_testing.h"
#include "node/node_int.h"
#include "node_testing.h"

static void a_node_alone_writes_reads_and_remembers(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    struct command_result result = put(&cluster, 0, "foo", "bar");
    assert_int_equal(result.e, OK);
    assert_false(result.existed);
    assert_value(&cluster, 0, "foo", "bar");
    assert_true(put(&cluster, 0, "foo", "baz").existed);
    stop_node(&cluster, 0);
    start_node(&cluster, 0);
    assert_value(&cluster, 0, "foo", "baz");
    struct reading missing;
    begin_get(&cluster, 0, &missing, "nothing", READ_STALE, 0);
    assert_int_equal(missing.answers, 1);
    assert_int_equal(missing.e, ERR_NOT_FOUND);
    cluster_deinit(&cluster);
}

static bool has_newest(void *ctx)
{
    struct cluster *cluster = ctx;
    return history_newest(node_history(cluster->nodes[0])) == 5;
}

/* Five revisions, three of them in a checkpoint; then the node stops. */
static void write_over_a_checkpoint(struct cluster *cluster)
{
    cluster_init(cluster, 1);
    (void)put(cluster, 0, "a", "1");
    (void)put(cluster, 0, "a", "2");
    (void)put(cluster, 0, "b", "3");
    assert_int_equal(history_oldest(node_history(cluster->nodes[0])), 0);
    store_checkpoint(cluster->nodes[0]->store);
    struct checkpoint_wait wait = {cluster, 0, cluster->nodes[0]->replica->applied, false};
    assert_true(turn_until(cluster, is_checkpointed, &wait));
    (void)put(cluster, 0, "a", "4");
    (void)put(cluster, 0, "a", "5");
    stop_node(cluster, 0);
}

static void assert_was(const struct history *history, uint64_t revision, const char *key,
                       const char *value)
{
    struct store_record record = {.owner = NULL};
    enum was expected = value != NULL ? WAS_RECORD : WAS_ABSENT;
    assert_int_equal(was_at(history, revision, slice_from_text(key), &record), expected);
    if (value != NULL) {
        assert_true(slice_equal(record.value, slice_from_text(value)));
    }
}

/* What came before the checkpoint is its journal's, what came after it the log's. */
static void a_restart_has_the_changes_before_and_after_the_checkpoint(void **state)
{
    (void)state;
    struct cluster cluster;
    write_over_a_checkpoint(&cluster);
    start_node(&cluster, 0);
    assert_true(turn_until(&cluster, has_newest, &cluster));
    const struct history *history = node_history(cluster.nodes[0]);
    assert_int_equal(history_oldest(history), 0);
    assert_int_equal(history_end(history) - history_first(history), 5);
    assert_was(history, 0, "a", NULL);
    assert_was(history, 1, "a", "1");
    assert_was(history, 2, "a", "2");
    assert_was(history, 2, "b", NULL);
    assert_was(history, 4, "a", "4");
    cluster_deinit(&cluster);
}

static void remove_name(void *ctx, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)ctx, name);
    assert_int_equal(unlink(path), 0);
}

static void without_its_journal_a_restart_has_the_changes_since_the_checkpoint(void **state)
{
    (void)state;
    struct cluster cluster;
    write_over_a_checkpoint(&cluster);
    char directory[400];
    (void)snprintf(directory, sizeof(directory), "%s/history", cluster.directories[0]);
    assert_int_equal(env_dir_list(cluster.env, directory, remove_name, directory), OK);
    start_node(&cluster, 0);
    assert_true(turn_until(&cluster, has_newest, &cluster));
    const struct history *history = node_history(cluster.nodes[0]);
    assert_int_equal(history_oldest(history), 3);
    assert_was(history, 3, "a", "2");
    assert_was(history, 4, "a", "4");
    struct store_record record;
    assert_int_equal(was_at(history, 3, SLICE_LITERAL("b"), &record), WAS_SAME);
    cluster_deinit(&cluster);
}

static void every_node_takes_writes_and_reads_what_any_other_wrote(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    for (uint32_t i = 0; i < 3; i++) {
        char value[16];
        snprintf(value, sizeof(value), "from %u", i + 1);
        assert_int_equal(put(&cluster, i, "key", value).e, OK);
        for (uint32_t j = 0; j < 3; j++) {
            assert_value(&cluster, j, "key", value);
        }
    }
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    struct node_status status;
    node_status(cluster.nodes[leader_of(&cluster)], &status);
    assert_int_equal(status.peer_count, 2);
    assert_string_equal(status.peers[0].progress, "replicate");
    assert_int_equal(status.state->revision, 3);
    cluster_deinit(&cluster);
}

/* A reading of `key` at node `i` that has not begun. */
static struct reading reading_of(const struct cluster *cluster, const char *key)
{
    return (struct reading){.read = {.key = slice_from_text(key),
                                     .deadline_ms = env_now_ms(cluster->env) + PATIENCE_MS,
                                     .done = read_done}};
}

static void a_read_on_a_follower_waits_for_the_revision_that_it_names(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    for (uint32_t i = 0; i < 3; i++) {
        char value[16];
        snprintf(value, sizeof(value), "value %u", i);
        struct command_result written = put(&cluster, leader, "key", value);
        assert_int_equal(written.e, OK);
        struct reading reading = reading_of(&cluster, "key");
        reading.read.consistency = READ_STALE;
        reading.read.revision_min = written.revision;
        node_read(cluster.nodes[(leader + 1) % 3], &reading.read);
        assert_true(turn_until(&cluster, is_read, &reading));
        assert_int_equal(reading.e, OK);
        assert_string_equal(reading.value, value);
    }
    const enum read_consistency both[] = {READ_STALE, READ_LINEARIZABLE};
    for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
        struct reading reading = reading_of(&cluster, "key");
        reading.read.consistency = both[i];
        reading.read.revision_min = 1000;
        reading.read.deadline_ms = env_now_ms(cluster.env) + 2 * ELECTION_TIMEOUT_MS;
        node_read(cluster.nodes[i], &reading.read);
        assert_true(turn_until(&cluster, is_read, &reading));
        assert_int_equal(reading.e, ERR_BEHIND);
    }
    cluster_deinit(&cluster);
}

static void a_new_leader_is_found_and_the_old_one_catches_up(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "a", "1");
    uint32_t old = leader_of(&cluster);
    stop_node(&cluster, old);
    uint32_t other = (old + 1) % 3;
    put_at_least_once(&cluster, other, "b", "2");
    assert_value(&cluster, (old + 2) % 3, "b", "2");
    start_node(&cluster, old);
    assert_value(&cluster, old, "a", "1");
    assert_value(&cluster, old, "b", "2");
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void without_a_quorum_nothing_is_promised_and_it_comes_back_by_itself(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing writing;
    struct reading reading;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    put_at_least_once(&cluster, leader, "a", "1");
    stop_node(&cluster, (leader + 1) % 3);
    stop_node(&cluster, (leader + 2) % 3);
    /* Both connections are seen to break within a turn or two; then nothing is proposed any
     * more. */
    begin_get(&cluster, leader, &reading, "a", READ_LINEARIZABLE, 300);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_NO_LEADER);
    begin_put(&cluster, leader, &writing, "b", "2", 300);
    assert_true(turn_until(&cluster, is_written, &writing));
    assert_int_equal(writing.result.e, ERR_NO_LEADER);
    begin_get(&cluster, leader, &reading, "a", READ_STALE, 0);
    assert_int_equal(reading.answers, 1);
    assert_int_equal(reading.e, OK);
    const char *why_not = NULL;
    assert_false(node_is_ready(cluster.nodes[leader], &why_not));
    assert_non_null(why_not);
    start_node(&cluster, (leader + 1) % 3);
    put_at_least_once(&cluster, leader, "c", "3");
    begin_get(&cluster, leader, &reading, "b", READ_LINEARIZABLE, 10000);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_NOT_FOUND); /* 503 not-applied was true */
    cluster_deinit(&cluster);
}

static void a_directory_of_another_user_is_refused_with_what_to_do(void **state)
{
    (void)state;
    struct cluster cluster;
    struct env_lock *lock = NULL;
    struct err_note note = {.text = ""};
    cluster_init(&cluster, 0);
    assert_int_equal(chmod(cluster.directory, 0555), 0);
    bool is_root = geteuid() == 0;
    if (is_root) {
        assert_int_equal(seteuid(65534), 0);
    }
    err e = node_take_directory(cluster.env, cluster.directory, &lock, &note);
    if (is_root) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(chmod(cluster.directory, 0700), 0);
    assert_int_equal(e, ERR_PERMISSION);
    assert_non_null(strstr(note.text, "/lock: Permission denied; this user has to own it"));
    cluster_deinit(&cluster);
}

static void a_directory_in_use_is_refused_with_what_to_do(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    struct node_options options = options_of(&cluster, 0);
    struct err_note note = {.text = ""};
    struct node *second;
    char expected[ERR_NOTE_SIZE];
    (void)snprintf(expected, sizeof(expected),
                   "data directory: %s/lock is locked by process %ld; stop that process, or give "
                   "this one another --data",
                   cluster.directories[0], (long)getpid());
    assert_int_equal(node_open(&second, &options, &note), ERR_BUSY);
    assert_string_equal(note.text, expected);
    put_at_least_once(&cluster, 0, "the first", "goes on");
    cluster_deinit(&cluster);
}

static void draining_refuses_and_closing_answers_everybody(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing proposed;
    struct writing refused;
    struct drained drained;
    cluster_init(&cluster, 1);
    put_at_least_once(&cluster, 0, "a", "1");
    begin_put(&cluster, 0, &proposed, "b", "2", 10000);
    drain(cluster.nodes[0], &drained);
    assert_int_equal(drained.count, 1); /* alone, it has nobody to wait for */
    begin_put(&cluster, 0, &refused, "c", "3", 10000);
    assert_int_equal(refused.answers, 1);
    assert_int_equal(refused.result.e, ERR_DRAINING);
    stop_node(&cluster, 0);
    assert_int_equal(proposed.answers, 1);
    cluster_deinit(&cluster);
}

static void the_log_that_a_lagging_member_needs_is_kept(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init_with(&cluster, 3, 64u << 10, 0);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    uint32_t lagging = (leader + 1) % 3;
    stop_node(&cluster, lagging);
    write_much(&cluster, leader, 400);
    struct checkpoint_wait wait = {.cluster = &cluster, .node = leader, .least = 200};
    assert_true(turn_until(&cluster, is_checkpointed, &wait));
    struct node_status status;
    node_status(cluster.nodes[leader], &status);
    assert_true(status.first_index < 10);
    start_node(&cluster, lagging);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    /* Now that everyone has it, it goes: on the leader and, told by it, on the others. */
    for (uint32_t i = 0; i < 3; i++) {
        wait = (struct checkpoint_wait){&cluster, i, 200, true};
        assert_true(turn_until(&cluster, is_checkpointed, &wait));
    }
    assert_int_equal(cluster.lag_warnings, 0);
    cluster_deinit(&cluster);
}

static void past_the_bound_the_log_goes_and_a_warning_names_the_member(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init_with(&cluster, 3, 64u << 10, 128u << 10);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    uint32_t lagging = (leader + 1) % 3;
    stop_node(&cluster, lagging);
    write_much(&cluster, leader, 600);
    struct checkpoint_wait wait = {&cluster, leader, 200, true};
    assert_true(turn_until(&cluster, is_checkpointed, &wait));
    assert_int_not_equal(cluster.lag_warnings, 0);
    /* It is back, and catches up all the same. */
    start_node(&cluster, lagging);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void a_member_that_lost_its_data_neither_votes_nor_hides_what_was_acknowledged(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    uint32_t absent = (leader + 1) % 3;
    uint32_t wiped = (leader + 2) % 3;
    stop_node(&cluster, absent);
    put_at_least_once(&cluster, leader, "a", "1");
    stop_node(&cluster, leader);
    stop_node(&cluster, wiped);
    remove_data(&cluster, wiped, "");
    /* Together they would be a quorum that has never heard of the write. */
    start_node(&cluster, absent);
    start_node(&cluster, wiped);
    begin_get(&cluster, absent, &reading, "a", READ_LINEARIZABLE, 2000);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_NO_LEADER);
    start_node(&cluster, leader);
    assert_value(&cluster, absent, "a", "1");
    cluster_deinit(&cluster);
}

static void an_empty_log_under_a_known_identity_is_refused(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    put_at_least_once(&cluster, 0, "a", "1");
    stop_node(&cluster, 0);
    remove_data(&cluster, 0, "wal");
    struct node_options options = options_of(&cluster, 0);
    struct err_note note = {.text = ""};
    assert_int_equal(node_open(&cluster.nodes[0], &options, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, "data is lost"));
    cluster.nodes[0] = NULL;
    cluster_deinit(&cluster);
}

static bool is_no_leader(void *ctx)
{
    return !node_is_leader(ctx);
}

static void a_leader_that_steps_down_does_not_forget_who_needs_its_log(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init_with(&cluster, 3, 64u << 10, 0);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    stop_node(&cluster, (leader + 1) % 3);
    write_much(&cluster, leader, 300);
    struct checkpoint_wait wait = {&cluster, leader, 200, false};
    assert_true(turn_until(&cluster, is_checkpointed, &wait));
    stop_node(&cluster, (leader + 2) % 3);
    assert_true(turn_until(&cluster, is_no_leader, cluster.nodes[leader]));
    wait.least = env_now_ms(cluster.env) + 2000;
    assert_true(turn_until(&cluster, is_past, &wait));
    struct node_status status;
    node_status(cluster.nodes[leader], &status);
    assert_true(status.first_index < 10);
    cluster_deinit(&cluster);
}

#define TOGETHER 8

static bool are_written(void *ctx)
{
    const struct writing *writings = ctx;
    int answers = 0;
    for (int i = 0; i < TOGETHER; i++) {
        answers += writings[i].answers;
    }
    return answers == TOGETHER;
}

static void begin_puts(struct cluster *cluster, struct writing *writings, int from, int to)
{
    for (int i = from; i < to; i++) {
        begin_put(cluster, 0, &writings[i], "key", "value", 10000);
    }
}

static uint64_t last_index(const struct cluster *cluster)
{
    struct node_status status;
    node_status(cluster->nodes[0], &status);
    return status.last_index;
}

/* gather.h. A turn may take longer than the bound: then two are not waited with. */
static void who_writes_together_is_waited_for_together(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_int_equal(put(&cluster, 0, "key", "value").e, OK);
    struct writing writings[TOGETHER];
    begin_puts(&cluster, writings, 0, TOGETHER);
    assert_true(turn_until(&cluster, are_written, writings));
    bool have_waited = false;
    for (int tries = 0; tries < 100 && !have_waited; tries++) {
        uint64_t before = last_index(&cluster);
        begin_puts(&cluster, writings, 0, 2);
        env_uv_run_once(cluster.env, false);
        have_waited = last_index(&cluster) == before;
        begin_puts(&cluster, writings, 2, TOGETHER);
        assert_true(turn_until(&cluster, are_written, writings));
        assert_int_equal(last_index(&cluster), before + TOGETHER);
    }
    assert_true(have_waited);
    cluster_deinit(&cluster);
}

static bool are_read(void *ctx)
{
    const struct reading *readings = ctx;
    int answers = 0;
    for (int i = 0; i < TOGETHER; i++) {
        answers += readings[i].answers;
    }
    return answers == TOGETHER;
}

static void begin_gets(struct cluster *cluster, uint32_t node, struct reading *readings, int from,
                       int to)
{
    for (int i = from; i < to; i++) {
        begin_get(cluster, node, &readings[i], "key", READ_LINEARIZABLE, 10000);
    }
}

/* Eight reads, two of them a turn earlier: for how many read indexes was asked? */
static uint64_t read_in_two_parts(struct cluster *cluster, uint32_t node)
{
    struct reading readings[TOGETHER];
    const struct reads *reads = &node_replica(cluster->nodes[node], 1)->reads;
    uint64_t before = reads->next_sequence;
    begin_gets(cluster, node, readings, 0, 2);
    env_uv_run_once(cluster->env, false);
    begin_gets(cluster, node, readings, 2, TOGETHER);
    assert_true(turn_until(cluster, are_read, readings));
    return reads->next_sequence - before;
}

/* gather.h; as above. */
static void who_reads_together_is_waited_for_together(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    uint32_t leader = leader_of(&cluster);
    assert_int_equal(put(&cluster, leader, "key", "value").e, OK);
    struct reading readings[TOGETHER];
    begin_gets(&cluster, leader, readings, 0, TOGETHER);
    assert_true(turn_until(&cluster, are_read, readings));
    bool have_waited = false;
    for (int tries = 0; tries < 100 && !have_waited; tries++) {
        have_waited = read_in_two_parts(&cluster, leader) == 1;
    }
    assert_true(have_waited);
    cluster_deinit(&cluster);
}

/* It asks nobody. */
static void who_is_alone_does_not_gather_reads(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_int_equal(put(&cluster, 0, "key", "value").e, OK);
    struct reading readings[TOGETHER];
    begin_gets(&cluster, 0, readings, 0, TOGETHER);
    assert_true(turn_until(&cluster, are_read, readings));
    assert_int_equal(read_in_two_parts(&cluster, 0), 2);
    cluster_deinit(&cluster);
}

static void more_than_may_wait_is_refused_at_once_and_for_sure(void **state)
{
    (void)state;
    enum {
        COUNT = 16384
    };
    struct writing *writings = calloc(COUNT + 1, sizeof(*writings));
    struct reading *readings = calloc(COUNT + 1, sizeof(*readings));
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    for (size_t i = 0; i <= COUNT; i++) {
        assert_int_equal(writings[COUNT].answers, 0);
        begin_put(&cluster, 0, &writings[i], "key", "value", 10000);
        begin_get(&cluster, 0, &readings[i], "key", READ_LINEARIZABLE, 10000);
    }
    assert_int_equal(writings[COUNT - 1].answers, 0);
    assert_int_equal(writings[COUNT].answers, 1);
    assert_int_equal(writings[COUNT].result.e, ERR_OVERLOADED);
    assert_int_equal(readings[COUNT - 1].answers, 0);
    assert_int_equal(readings[COUNT].answers, 1);
    assert_int_equal(readings[COUNT].e, ERR_OVERLOADED);
    assert_non_null(strstr(node_explain_overload(cluster.nodes[0]), "--max-pending-requests"));
    assert_true(turn_until(&cluster, is_written, &writings[COUNT - 1]));
    assert_int_equal(writings[COUNT - 1].result.e, OK);
    assert_int_equal(put(&cluster, 0, "key", "after").e, OK);
    cluster_deinit(&cluster);
    free(writings);
    free(readings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_alone_writes_reads_and_remembers),
        cmocka_unit_test(a_restart_has_the_changes_before_and_after_the_checkpoint),
        cmocka_unit_test(without_its_journal_a_restart_has_the_changes_since_the_checkpoint),
        cmocka_unit_test(every_node_takes_writes_and_reads_what_any_other_wrote),
        cmocka_unit_test(a_read_on_a_follower_waits_for_the_revision_that_it_names),
        cmocka_unit_test(a_new_leader_is_found_and_the_old_one_catches_up),
        cmocka_unit_test(without_a_quorum_nothing_is_promised_and_it_comes_back_by_itself),
        cmocka_unit_test(a_directory_of_another_user_is_refused_with_what_to_do),
        cmocka_unit_test(a_directory_in_use_is_refused_with_what_to_do),
        cmocka_unit_test(draining_refuses_and_closing_answers_everybody),
        cmocka_unit_test(the_log_that_a_lagging_member_needs_is_kept),
        cmocka_unit_test(a_member_that_lost_its_data_neither_votes_nor_hides_what_was_acknowledged),
        cmocka_unit_test(an_empty_log_under_a_known_identity_is_refused),
        cmocka_unit_test(a_leader_that_steps_down_does_not_forget_who_needs_its_log),
        cmocka_unit_test(who_writes_together_is_waited_for_together),
        cmocka_unit_test(who_reads_together_is_waited_for_together),
        cmocka_unit_test(who_is_alone_does_not_gather_reads),
        cmocka_unit_test(past_the_bound_the_log_goes_and_a_warning_names_the_member),
        cmocka_unit_test(more_than_may_wait_is_refused_at_once_and_for_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
