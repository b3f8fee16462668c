/* Whole nodes in one process and one loop: what they promise to whoever writes and reads. */
#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "env/uv.h"
#include "node/node.h"

#define NODES_MAX 3
#define PATIENCE_MS 20000u

struct cluster {
    struct env *env;
    char directory[64];
    uint32_t count;
    struct member members[NODES_MAX];
    struct node *nodes[NODES_MAX];
    char directories[NODES_MAX][96]; /* borrowed by the nodes, as the next */
    char clients[NODES_MAX][32];
    uint64_t tail_bytes_max; /* 0: the default */
    uint64_t log_keep_bytes_max;
    struct log *log; /* of all nodes; counts warnings that tell of a lagging member */
    int lag_warnings;
};

static uint16_t free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

static struct node_options options_of(struct cluster *cluster, uint32_t i)
{
    snprintf(cluster->directories[i], sizeof(cluster->directories[i]), "%s/%u", cluster->directory,
             i + 1);
    snprintf(cluster->clients[i], sizeof(cluster->clients[i]), "127.0.0.1:%u", 3001 + i);
    return (struct node_options){
        .env = cluster->env,
        .data_directory = cluster->directories[i],
        .version = "test",
        .id = i + 1,
        .cluster_name = "",
        .members = cluster->members,
        .member_count = cluster->count,
        .client_address = cluster->clients[i],
        .heartbeat_ms = 20,
        .election_timeout_ms = 200,
        .segment_size_bytes = 64u << 10,
        .tail_bytes_max = cluster->tail_bytes_max,
        .log_keep_bytes_max = cluster->log_keep_bytes_max,
        .log = cluster->log,
    };
}

static void start_node(struct cluster *cluster, uint32_t i)
{
    struct node_options options = options_of(cluster, i);
    struct err_note note = {.text = ""};
    err e = node_open(&cluster->nodes[i], &options, &note);
    if (e != OK) {
        fail_msg("node %u: %s: %s", i + 1, err_name(e), note.text);
    }
}

static void on_log_line(void *ctx, enum log_level level, const char *line, size_t size)
{
    struct cluster *cluster = ctx;
    (void)level;
    (void)size;
    cluster->lag_warnings += strstr(line, "lags behind") != NULL;
}

static uint64_t log_clock(void *ctx)
{
    return env_wall_ms(ctx);
}

static void cluster_init_with(struct cluster *cluster, uint32_t count, uint64_t tail_bytes_max,
                              uint64_t log_keep_bytes_max)
{
    *cluster = (struct cluster){
        .env = env_uv_open(),
        .count = count,
        .tail_bytes_max = tail_bytes_max,
        .log_keep_bytes_max = log_keep_bytes_max,
    };
    struct log_options options = {
        .level = LOG_LEVEL_WARN,
        .sink = on_log_line,
        .sink_ctx = cluster,
        .clock = log_clock,
        .clock_ctx = cluster->env,
    };
    cluster->log = log_new(&options);
    snprintf(cluster->directory, sizeof(cluster->directory), "/tmp/pontoon-node-XXXXXX");
    assert_non_null(mkdtemp(cluster->directory));
    for (uint32_t i = 0; i < count; i++) {
        cluster->members[i].id = i + 1;
        if (count > 1) {
            snprintf(cluster->members[i].peer_address, sizeof(cluster->members[i].peer_address),
                     "127.0.0.1:%u", free_port());
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        start_node(cluster, i);
    }
}

static void cluster_init(struct cluster *cluster, uint32_t count)
{
    cluster_init_with(cluster, count, 0, 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void stop_node(struct cluster *cluster, uint32_t i)
{
    node_close(cluster->nodes[i]);
    cluster->nodes[i] = NULL;
}

static void cluster_deinit(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        stop_node(cluster, i);
    }
    env_uv_close(cluster->env);
    log_free(cluster->log);
    assert_int_equal(nftw(cluster->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Turns the loop until `is_so`, for PATIENCE_MS at most. */
static bool turn_until(struct cluster *cluster, bool (*is_so)(void *ctx), void *ctx)
{
    uint64_t end_ms = env_now_ns(cluster->env) / 1000000 + PATIENCE_MS;
    while (!is_so(ctx)) {
        if (env_now_ns(cluster->env) / 1000000 > end_ms) {
            return false;
        }
        env_uv_run_once(cluster->env, true);
    }
    return true;
}

static bool has_leader_everywhere(void *ctx)
{
    struct cluster *cluster = ctx;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const char *why_not = NULL;
        if (cluster->nodes[i] != NULL && !node_is_ready(cluster->nodes[i], &why_not)) {
            return false;
        }
    }
    return true;
}

static uint32_t leader_of(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i] != NULL && node_is_leader(cluster->nodes[i])) {
            return i;
        }
    }
    fail_msg("no leader");
    return 0;
}

struct writing {
    struct node_write write;
    struct command_result result;
    int answers;
};

static void write_done(struct node_write *write, const struct command_result *result)
{
    struct writing *writing = CONTAINER_OF(write, struct writing, write);
    writing->result = *result;
    writing->answers++;
}

static bool is_written(void *ctx)
{
    return ((struct writing *)ctx)->answers > 0;
}

static void begin_put(struct cluster *cluster, uint32_t i, struct writing *writing, const char *key,
                      const char *value, uint64_t timeout_ms)
{
    struct command command = {
        .type = COMMAND_PUT,
        .key = slice_from_text(key),
        .value = slice_from_text(value),
    };
    *writing = (struct writing){.answers = 0};
    writing->write.command = command_encode(&command);
    writing->write.deadline_ms = env_now_ms(cluster->env) + timeout_ms;
    writing->write.done = write_done;
    node_write(cluster->nodes[i], command.key, &writing->write);
}

static struct command_result put(struct cluster *cluster, uint32_t i, const char *key,
                                 const char *value)
{
    struct writing writing;
    begin_put(cluster, i, &writing, key, value, 10000);
    assert_true(turn_until(cluster, is_written, &writing));
    assert_int_equal(writing.answers, 1);
    return writing.result;
}

/* As a client does that can afford to write twice: again while the outcome is unknown. */
static void put_at_least_once(struct cluster *cluster, uint32_t i, const char *key,
                              const char *value)
{
    err e = put(cluster, i, key, value).e;
    for (int tries = 0; e == ERR_OUTCOME_UNKNOWN && tries < 5; tries++) {
        e = put(cluster, i, key, value).e;
    }
    assert_int_equal(e, OK);
}

struct reading {
    struct node_read read;
    err e;
    char value[64];
    int answers;
};

static void read_done(struct node_read *read, err e, struct store_record *record)
{
    struct reading *reading = CONTAINER_OF(read, struct reading, read);
    reading->e = e;
    reading->answers++;
    if (e == OK) {
        assert_true(record->value.size < sizeof(reading->value));
        memcpy(reading->value, record->value.data, record->value.size);
        buf_unref(record->owner);
    }
}

static bool is_read(void *ctx)
{
    return ((struct reading *)ctx)->answers > 0;
}

static void begin_get(struct cluster *cluster, uint32_t i, struct reading *reading, const char *key,
                      enum read_consistency consistency, uint64_t timeout_ms)
{
    *reading = (struct reading){.answers = 0};
    reading->read.key = slice_from_text(key);
    reading->read.consistency = consistency;
    reading->read.deadline_ms = env_now_ms(cluster->env) + timeout_ms;
    reading->read.done = read_done;
    node_read(cluster->nodes[i], &reading->read);
}

static void assert_value(struct cluster *cluster, uint32_t i, const char *key, const char *value)
{
    struct reading reading;
    begin_get(cluster, i, &reading, key, READ_LINEARIZABLE, 10000);
    assert_true(turn_until(cluster, is_read, &reading));
    assert_int_equal(reading.e, OK);
    assert_string_equal(reading.value, value);
}

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

static bool is_state_equal(void *ctx)
{
    struct cluster *cluster = ctx;
    struct node_status first;
    node_status(cluster->nodes[0], &first);
    for (uint32_t i = 1; i < cluster->count; i++) {
        struct node_status other;
        node_status(cluster->nodes[i], &other);
        if (first.state == NULL || other.state == NULL ||
            first.applied_index != other.applied_index) {
            return false;
        }
        assert_true(hash128_equal(first.state->state_hash, other.state->state_hash));
    }
    return true;
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

static void a_new_leader_is_found_and_the_old_one_catches_up(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    assert_int_equal(put(&cluster, 0, "a", "1").e, OK);
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
    assert_int_equal(put(&cluster, leader, "a", "1").e, OK);
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
    assert_int_equal(put(&cluster, leader, "c", "3").e, OK);
    begin_get(&cluster, leader, &reading, "b", READ_LINEARIZABLE, 10000);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_NOT_FOUND); /* 503 not-applied was true */
    cluster_deinit(&cluster);
}

static void draining_refuses_and_closing_answers_everybody(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writing proposed;
    struct writing refused;
    cluster_init(&cluster, 1);
    assert_int_equal(put(&cluster, 0, "a", "1").e, OK);
    begin_put(&cluster, 0, &proposed, "b", "2", 10000);
    node_drain(cluster.nodes[0]);
    begin_put(&cluster, 0, &refused, "c", "3", 10000);
    assert_int_equal(refused.answers, 1);
    assert_int_equal(refused.result.e, ERR_DRAINING);
    stop_node(&cluster, 0);
    assert_int_equal(proposed.answers, 1);
    cluster_deinit(&cluster);
}

/* The log's beginning on the leader, once its checkpoint has gone beyond `ctx`->least. */
struct checkpoint_wait {
    struct cluster *cluster;
    uint32_t node;
    uint64_t least;
    bool is_log_cut; /* wait for the log to be cut there as well */
};

static bool is_checkpointed(void *ctx)
{
    struct checkpoint_wait *wait = ctx;
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return status.snapshot_index >= wait->least &&
           (!wait->is_log_cut || status.first_index > wait->least);
}

static void write_much(struct cluster *cluster, uint32_t i, int count)
{
    char value[1024];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int n = 0; n < count; n++) {
        char key[32];
        snprintf(key, sizeof(key), "key %d", n % 50);
        put_at_least_once(cluster, i, key, value);
    }
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
    /* It is back, cannot catch up from the log, and harms nobody. */
    start_node(&cluster, lagging);
    write_much(&cluster, leader, 50);
    struct node_status behind;
    node_status(cluster.nodes[lagging], &behind);
    assert_true(behind.applied_index < 200);
    cluster_deinit(&cluster);
}

static void remove_data(struct cluster *cluster, uint32_t i, const char *part)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", cluster->directories[i], part);
    assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
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
    assert_int_equal(put(&cluster, leader, "a", "1").e, OK);
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
    assert_int_equal(put(&cluster, 0, "a", "1").e, OK);
    stop_node(&cluster, 0);
    remove_data(&cluster, 0, "wal");
    struct node_options options = options_of(&cluster, 0);
    struct err_note note = {.text = ""};
    assert_int_equal(node_open(&cluster.nodes[0], &options, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, "data is lost"));
    cluster.nodes[0] = NULL;
    cluster_deinit(&cluster);
}

/* Long enough for several looks at how far the log can go. */
static bool is_past(void *ctx)
{
    struct checkpoint_wait *wait = ctx;
    return env_now_ms(wait->cluster->env) >= wait->least;
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
    wait.least = env_now_ms(cluster.env) + 3000;
    assert_true(turn_until(&cluster, is_past, &wait));
    struct node_status status;
    node_status(cluster.nodes[leader], &status);
    assert_int_not_equal(status.role, NODE_LEADER);
    assert_true(status.first_index < 10);
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_alone_writes_reads_and_remembers),
        cmocka_unit_test(every_node_takes_writes_and_reads_what_any_other_wrote),
        cmocka_unit_test(a_new_leader_is_found_and_the_old_one_catches_up),
        cmocka_unit_test(without_a_quorum_nothing_is_promised_and_it_comes_back_by_itself),
        cmocka_unit_test(draining_refuses_and_closing_answers_everybody),
        cmocka_unit_test(the_log_that_a_lagging_member_needs_is_kept),
        cmocka_unit_test(a_member_that_lost_its_data_neither_votes_nor_hides_what_was_acknowledged),
        cmocka_unit_test(an_empty_log_under_a_known_identity_is_refused),
        cmocka_unit_test(a_leader_that_steps_down_does_not_forget_who_needs_its_log),
        cmocka_unit_test(past_the_bound_the_log_goes_and_a_warning_names_the_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
