/*
 * Whole nodes in one process and one loop, with real sockets and files: what the node's tests
 * share.
 */
#ifndef NODE_TESTING_H
#define NODE_TESTING_H

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

#define NODES_MAX 5
#define PATIENCE_MS 20000u
/* Under a sanitizer a turn takes longer, and a test that is not about elections should see none. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ELECTION_TIMEOUT_MS 600u
#else
#define ELECTION_TIMEOUT_MS 200u
#endif

struct cluster {
    struct env *env;
    char directory[64];
    uint32_t count; /* the first so many nodes are the founders, and run from the start */
    struct member members[NODES_MAX];
    struct node *nodes[NODES_MAX];
    char directories[NODES_MAX][96]; /* borrowed by the nodes, as the next */
    char clients[NODES_MAX][32];
    uint64_t tail_bytes_max; /* 0: the default */
    uint64_t log_keep_bytes_max;
    uint64_t snapshot_rate_bytes;
    uint64_t quota_bytes; /* of the first node; each of the others has a byte more; 0: none */
    struct log *log;      /* of all nodes */
    int lag_warnings;
    int removal_warnings;
    char record_line[512]; /* the last one about a damaged record */
    char vote_line[512];   /* the last one about a vote that was lost */
    uint64_t cluster_id;   /* of who joins */
};

/* A port that stays free while no node listens: the loopback address is of this process and this
 * call alone. On 127.0.0.1 another test's connection may have taken it before the node is back, and
 * two calls may have been given the same. */
static inline void free_address(char out[ADDRESS_SIZE_MAX + 1])
{
    static uint32_t calls;
    uint32_t number = (uint32_t)getpid() * 64 + calls++ % 64;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(0x7f000000u | ((number + 2) & 0xffffffu));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(close(fd), 0);
    char host[INET_ADDRSTRLEN];
    assert_non_null(inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host)));
    snprintf(out, ADDRESS_SIZE_MAX + 1, "%s:%u", host, ntohs(address.sin_port));
}

static inline struct node_options options_of(struct cluster *cluster, uint32_t i)
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
        .heartbeat_ms = ELECTION_TIMEOUT_MS / 10,
        .election_timeout_ms = ELECTION_TIMEOUT_MS,
        .segment_size_bytes = 64u << 10,
        .tail_bytes_max = cluster->tail_bytes_max,
        .log_keep_bytes_max = cluster->log_keep_bytes_max,
        .snapshot_rate_bytes = cluster->snapshot_rate_bytes,
        .quota_bytes = cluster->quota_bytes > 0 ? cluster->quota_bytes + i : 0,
        .log = cluster->log,
    };
}

static inline void open_node(struct cluster *cluster, uint32_t i,
                             const struct node_options *options)
{
    struct err_note note = {.text = ""};
    err e = node_open(&cluster->nodes[i], options, &note);
    if (e != OK) {
        fail_msg("node %u: %s: %s", i + 1, err_name(e), note.text);
    }
}

static inline void start_node(struct cluster *cluster, uint32_t i)
{
    struct node_options options = options_of(cluster, i);
    open_node(cluster, i, &options);
}

static inline struct node_options joining_options_of(struct cluster *cluster, uint32_t i)
{
    struct node_options options = options_of(cluster, i);
    options.is_joining = true;
    options.cluster_id = cluster->cluster_id;
    options.peer_listen = cluster->members[i].peer_address;
    return options;
}

/* One that is no founder; its leader has to be told of it as well. */
static inline void start_joining(struct cluster *cluster, uint32_t i)
{
    struct node_options options = joining_options_of(cluster, i);
    open_node(cluster, i, &options);
}

static inline struct node_options joined_options_of(struct cluster *cluster, uint32_t i)
{
    struct node_options options = options_of(cluster, i);
    options.members = &cluster->members[i];
    options.member_count = 1;
    options.peer_listen = cluster->members[i].peer_address;
    return options;
}

/* One that has joined before: nobody is named to it. */
static inline void start_joined(struct cluster *cluster, uint32_t i)
{
    struct node_options options = joined_options_of(cluster, i);
    open_node(cluster, i, &options);
}

static inline void on_log_line(void *ctx, enum log_level level, const char *line, size_t size)
{
    struct cluster *cluster = ctx;
    (void)level;
    (void)size;
    if (strstr(line, "record is damaged") != NULL || strstr(line, "damaged record") != NULL) {
        snprintf(cluster->record_line, sizeof(cluster->record_line), "%s", line);
    }
    if (strstr(line, "lost its vote") != NULL) {
        snprintf(cluster->vote_line, sizeof(cluster->vote_line), "%s", line);
    }
    cluster->lag_warnings += strstr(line, "lags behind") != NULL;
    cluster->removal_warnings += strstr(line, "was removed from the cluster") != NULL;
}

static inline uint64_t log_clock(void *ctx)
{
    return env_wall_ms(ctx);
}

static inline void cluster_init_with(struct cluster *cluster, uint32_t count,
                                     uint64_t tail_bytes_max, uint64_t log_keep_bytes_max)
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
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        cluster->members[i].id = i + 1;
        if (count > 1 || i > 0) { /* a node alone has no peers */
            free_address(cluster->members[i].peer_address);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        start_node(cluster, i);
    }
}

static inline void cluster_init(struct cluster *cluster, uint32_t count)
{
    cluster_init_with(cluster, count, 0, 0);
}

static inline int remove_entry(const char *path, const struct stat *status, int type,
                               struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void stop_node(struct cluster *cluster, uint32_t i)
{
    node_close(cluster->nodes[i]);
    cluster->nodes[i] = NULL;
}

static inline void cluster_deinit(struct cluster *cluster)
{
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        stop_node(cluster, i);
    }
    env_uv_close(cluster->env);
    log_free(cluster->log);
    assert_int_equal(nftw(cluster->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Turns the loop until `is_so`, for PATIENCE_MS at most. */
static inline bool turn_until(struct cluster *cluster, bool (*is_so)(void *ctx), void *ctx)
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

static inline bool has_leader_everywhere(void *ctx)
{
    struct cluster *cluster = ctx;
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        const char *why_not = NULL;
        if (cluster->nodes[i] != NULL && !node_is_ready(cluster->nodes[i], &why_not) &&
            strstr(why_not, "removed") == NULL) {
            return false;
        }
    }
    return true;
}

/* NODES_MAX: none. */
static inline uint32_t find_leader(const struct cluster *cluster)
{
    uint32_t i = 0;
    while (i < NODES_MAX && (cluster->nodes[i] == NULL || !node_is_leader(cluster->nodes[i]))) {
        i++;
    }
    return i;
}

static inline bool has_leader(void *ctx)
{
    return find_leader(ctx) < NODES_MAX;
}

/* On a machine that stalled, the one that was there a moment ago may be gone. */
static inline uint32_t leader_of(struct cluster *cluster)
{
    assert_true(turn_until(cluster, has_leader, cluster));
    return find_leader(cluster);
}

struct writing {
    struct node_write write;
    struct command_result result;
    int answers;
};

static inline void write_done(struct node_write *write, const struct command_result *result)
{
    struct writing *writing = CONTAINER_OF(write, struct writing, write);
    writing->result = *result;
    writing->answers++;
}

static inline bool is_written(void *ctx)
{
    return ((struct writing *)ctx)->answers > 0;
}

static inline void begin_put(struct cluster *cluster, uint32_t i, struct writing *writing,
                             const char *key, const char *value, uint64_t timeout_ms)
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

static inline struct command_result put(struct cluster *cluster, uint32_t i, const char *key,
                                        const char *value)
{
    struct writing writing;
    begin_put(cluster, i, &writing, key, value, 10000);
    assert_true(turn_until(cluster, is_written, &writing));
    assert_int_equal(writing.answers, 1);
    return writing.result;
}

/* As a client does that can afford to write twice: again while the outcome is unknown, and while
 * the node asks for patience. */
static inline void put_at_least_once(struct cluster *cluster, uint32_t i, const char *key,
                                     const char *value)
{
    err e = put(cluster, i, key, value).e;
    for (int tries = 0; e == ERR_OVERLOADED || (e == ERR_OUTCOME_UNKNOWN && tries < 5);
         tries += e == ERR_OUTCOME_UNKNOWN) {
        env_uv_run_once(cluster->env, e == ERR_OVERLOADED);
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

static inline void read_done(struct node_read *read, err e, struct store_record *record)
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

static inline bool is_read(void *ctx)
{
    return ((struct reading *)ctx)->answers > 0;
}

static inline void begin_get(struct cluster *cluster, uint32_t i, struct reading *reading,
                             const char *key, enum read_consistency consistency,
                             uint64_t timeout_ms)
{
    *reading = (struct reading){.answers = 0};
    reading->read.key = slice_from_text(key);
    reading->read.consistency = consistency;
    reading->read.deadline_ms = env_now_ms(cluster->env) + timeout_ms;
    reading->read.done = read_done;
    node_read(cluster->nodes[i], &reading->read);
}

static inline void assert_value(struct cluster *cluster, uint32_t i, const char *key,
                                const char *value)
{
    struct reading reading;
    begin_get(cluster, i, &reading, key, READ_LINEARIZABLE, 10000);
    assert_true(turn_until(cluster, is_read, &reading));
    assert_int_equal(reading.e, OK);
    assert_string_equal(reading.value, value);
}

/* Of all that run and are members. */
static inline bool is_state_equal(void *ctx)
{
    struct cluster *cluster = ctx;
    struct node_status first = {.state = NULL};
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        struct node_status other;
        if (cluster->nodes[i] == NULL) {
            continue;
        }
        node_status(cluster->nodes[i], &other);
        if (other.is_removed) {
            continue;
        }
        if (other.state == NULL) {
            return false;
        }
        if (first.state == NULL) {
            first = other;
        } else if (first.applied_index != other.applied_index) {
            return false;
        }
        assert_true(hash128_equal(first.state->state_hash, other.state->state_hash));
    }
    return true;
}

/* The log's beginning on the leader, once its checkpoint has gone beyond `ctx`->least. */
struct checkpoint_wait {
    struct cluster *cluster;
    uint32_t node;
    uint64_t least;
    bool is_log_cut; /* wait for the log to be cut there as well */
};

static inline bool is_checkpointed(void *ctx)
{
    struct checkpoint_wait *wait = ctx;
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return status.snapshot_index >= wait->least &&
           (!wait->is_log_cut || status.first_index > wait->least);
}

static inline void write_large(struct cluster *cluster, uint32_t i, int count, size_t size)
{
    char *value = test_malloc(size);
    memset(value, 'v', size - 1);
    value[size - 1] = '\0';
    for (int n = 0; n < count; n++) {
        char key[32];
        snprintf(key, sizeof(key), "key %d", n % 50);
        put_at_least_once(cluster, i, key, value);
    }
    test_free(value);
}

static inline void write_much(struct cluster *cluster, uint32_t i, int count)
{
    write_large(cluster, i, count, 1024);
}

static inline void remove_data(struct cluster *cluster, uint32_t i, const char *part)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", cluster->directories[i], part);
    assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Long enough for several looks at how far the log can go. */
static inline bool is_past(void *ctx)
{
    struct checkpoint_wait *wait = ctx;
    return env_now_ms(wait->cluster->env) >= wait->least;
}

/* ---- changing the cluster ---- */

struct changing {
    struct node_change change;
    err e;
    int answers;
};

static inline void change_done(struct node_change *change, err e)
{
    struct changing *changing = CONTAINER_OF(change, struct changing, change);
    changing->e = e;
    changing->answers++;
}

static inline bool is_changed(void *ctx)
{
    return ((struct changing *)ctx)->answers > 0;
}

static inline void begin_change(struct cluster *cluster, uint32_t i, struct changing *changing,
                                const struct conf_change *change, const struct member *members,
                                uint32_t member_count)
{
    *changing = (struct changing){.answers = 0};
    changing->change.change = *change;
    changing->change.members = members;
    changing->change.member_count = member_count;
    changing->change.deadline_ms = env_now_ms(cluster->env) + 10000;
    changing->change.done = change_done;
    node_change_membership(cluster->nodes[i], &changing->change);
}

/* The leader has not known for long enough who is there, or not at all. */
static inline bool is_to_be_tried_again(err e)
{
    return e == ERR_BUSY || e == ERR_NO_LEADER;
}

static inline struct conf_change change_of(enum conf_change_type type, node_id id)
{
    return (struct conf_change){.count = 1, .changes = {{type, id}}};
}

/* By whoever leads, again while another change is under way or leadership moves, and if the outcome
 * is unknown; it fits, also a second time. */
static inline void change(struct cluster *cluster, const struct conf_change *change,
                          const struct member *members, uint32_t member_count)
{
    struct changing changing = {.e = ERR_BUSY};
    while (changing.e != OK) {
        begin_change(cluster, leader_of(cluster), &changing, change, members, member_count);
        assert_true(turn_until(cluster, is_changed, &changing));
        assert_int_equal(changing.answers, 1);
        assert_true(changing.e == OK || changing.e == ERR_BUSY || changing.e == ERR_NOT_LEADER ||
                    changing.e == ERR_NO_LEADER || changing.e == ERR_OUTCOME_UNKNOWN);
        env_uv_run_once(cluster->env, false);
    }
}

static inline void remove_member(struct cluster *cluster, uint32_t i)
{
    struct conf_change conf = change_of(CONF_CHANGE_REMOVE, i + 1);
    change(cluster, &conf, NULL, 0);
}

static inline void add_learner(struct cluster *cluster, uint32_t i, bool wants_vote)
{
    struct member member = cluster->members[i];
    struct conf_change conf = change_of(CONF_CHANGE_ADD_LEARNER, i + 1);
    member.wants_vote = wants_vote;
    change(cluster, &conf, &member, 1);
}

static inline void learn_cluster_id(struct cluster *cluster)
{
    struct node_status status;
    node_status(cluster->nodes[leader_of(cluster)], &status);
    cluster->cluster_id = status.cluster_id;
}

/* What is waited for of one node. */
struct wait {
    struct cluster *cluster;
    uint32_t node;
    uint64_t least;
};

static inline bool is_voter_itself(void *ctx)
{
    struct wait *wait = ctx;
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return status.role == NODE_FOLLOWER || status.role == NODE_LEADER;
}

static inline bool has_settled(void *ctx)
{
    struct wait *wait = ctx;
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return !status.is_joining;
}

static inline bool is_removed(void *ctx)
{
    struct wait *wait = ctx;
    struct node_status status;
    node_status(wait->cluster->nodes[wait->node], &status);
    return status.is_removed;
}

/* A node_drain in tests, and how it was answered. */
struct drained {
    struct node_drain drain;
    int count;
    err e;
};

static inline void on_drained(struct node_drain *drain, err e)
{
    struct drained *drained = CONTAINER_OF(drain, struct drained, drain);
    drained->count++;
    drained->e = e;
}

static inline void drain(struct node *node, struct drained *drained)
{
    *drained = (struct drained){.drain = {.done = on_drained}};
    node_drain(node, &drained->drain);
}

static inline bool leads(void *ctx)
{
    struct wait *wait = ctx;
    return node_is_leader(wait->cluster->nodes[wait->node]);
}

#endif
