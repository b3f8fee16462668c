/* Nodes whose logs are damaged, mended out of the others' logs. */
#include <fcntl.h>
#include <sys/stat.h>

#include "proto/log_frame.h"
#include "snapshots_testing.h"
#include "wal/wal_inspect.h"
#include "wal/wal_mend.h"
#include "wal/wal_segment.h"

#define DAMAGED_MAX 1000u
#define SEGMENT_BYTES (64u << 10)

static void path_in_log(const struct cluster *cluster, uint32_t i, uint64_t segment, char path[200])
{
    snprintf(path, 200, "%s/wal/%016llx.seg", cluster->directories[i], (unsigned long long)segment);
}

/* Which entries' records are damaged: those of indexes in [low, high) that leave `rest`. */
struct choice {
    uint64_t low;
    uint64_t high;
    uint64_t modulus;
    uint64_t rest;
    uint32_t most; /* so many of them; 0: all */
    uint32_t count;
    struct {
        uint64_t segment;
        uint64_t offset;
    } places[DAMAGED_MAX];
};

static void on_record(void *ctx, const struct wal_inspect_record *record)
{
    struct choice *choice = ctx;
    if (record->kind == WAL_KIND_ENTRY && record->pos.index >= choice->low &&
        record->pos.index < choice->high && record->pos.index % choice->modulus == choice->rest) {
        assert_true(choice->count < DAMAGED_MAX);
        choice->places[choice->count].segment = record->segment;
        choice->places[choice->count].offset = record->offset;
        choice->count++;
    }
}

static void flip(const struct cluster *cluster, uint32_t i, uint64_t segment, uint64_t offset)
{
    char path[200];
    uint8_t byte;
    path_in_log(cluster, i, segment, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    assert_int_equal(close(fd), 0);
}

/* Damages the stopped node's records of `choice`; returns how many. */
static uint32_t damage(const struct cluster *cluster, uint32_t i, struct choice choice)
{
    static const struct wal_inspect_handler handler = {.record = on_record};
    char directory[160];
    snprintf(directory, sizeof(directory), "%s/wal", cluster->directories[i]);
    const struct wal_inspect_options options = {.env = cluster->env, .directory = directory};
    struct wal_inspect *inspect = NULL;
    assert_int_equal(wal_inspect_open(&inspect, &options, &handler, &choice), OK);
    wal_inspect_close(inspect);
    choice.count = choice.most > 0 && choice.count > choice.most ? choice.most : choice.count;
    for (uint32_t k = 0; k < choice.count; k++) {
        flip(cluster, i, choice.places[k].segment, choice.places[k].offset + 45);
    }
    return choice.count;
}

/* All of [low, high). */
static struct choice entries_from(uint64_t low, uint64_t high)
{
    return (struct choice){.low = low, .high = high, .modulus = 1};
}

/* What is in the first segment of a stopped node; returns its used size. */
static size_t read_first_segment(const struct cluster *cluster, uint32_t i,
                                 uint8_t bytes[SEGMENT_BYTES])
{
    char path[200];
    path_in_log(cluster, i, 1, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, SEGMENT_BYTES), SEGMENT_BYTES);
    assert_int_equal(close(fd), 0);
    size_t size = SEGMENT_BYTES;
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    return size;
}

static bool is_log_open(void *ctx)
{
    const struct node *node = ctx;
    return node->log_mend.mend == NULL;
}

static bool has_new_log(void *ctx)
{
    const struct node *node = ctx;
    return node->replica->raft != NULL && node->replica->repair.logs.value > 0;
}

static void stop_all(struct cluster *cluster)
{
    for (uint32_t i = 0; i < 3; i++) {
        stop_node(cluster, i);
    }
}

static void assert_all_equal(struct cluster *cluster)
{
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    put_at_least_once(cluster, 0, "last", "2");
    assert_true(turn_until(cluster, is_state_equal, cluster));
    for (uint32_t i = 0; i < 3; i++) {
        assert_value(cluster, i, "first", "1");
        assert_int_equal(cluster->nodes[i]->replica->repair.logs.value, 0);
    }
}

static void each_record_damaged_on_one_of_three_nodes_is_mended_without_a_leader(void **state)
{
    (void)state;
    static uint8_t whole[3][SEGMENT_BYTES];
    static uint8_t now[SEGMENT_BYTES];
    size_t sizes[3];
    struct cluster cluster;
    a_cluster(&cluster);
    for (int i = 0; i < 60; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key-%d", i);
        put_at_least_once(&cluster, 0, key, "value");
    }
    stop_all(&cluster);
    for (uint32_t i = 0; i < 3; i++) {
        sizes[i] = read_first_segment(&cluster, i, whole[i]);
        struct choice choice = {.low = 1, .high = UINT64_MAX, .modulus = 3, .rest = i};
        assert_true(damage(&cluster, i, choice) >= 20);
    }
    for (uint32_t i = 0; i < 3; i++) {
        start_node(&cluster, i);
        assert_null(cluster.nodes[i]->replica->raft); /* J1 */
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(turn_until(&cluster, is_log_open, cluster.nodes[i]));
        assert_true(cluster.nodes[i]->log_mend.records.value >= 20);
    }
    assert_all_equal(&cluster);
    stop_all(&cluster);
    for (uint32_t i = 0; i < 3; i++) {
        (void)read_first_segment(&cluster, i, now);
        assert_memory_equal(now, whole[i], sizes[i]);
    }
    cluster_deinit(&cluster);
}

static void who_waits_for_peers_takes_no_part_and_survives_a_restart(void **state)
{
    (void)state;
    struct cluster cluster;
    const char *why = NULL;
    a_cluster(&cluster);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    stop_all(&cluster);
    struct choice choice = {.low = 1, .high = 4, .modulus = 2, .rest = 1};
    assert_int_equal(damage(&cluster, 0, choice), 2);
    for (int life = 0; life < 2; life++) {
        start_node(&cluster, 0);
        struct node *node = cluster.nodes[0];
        struct checkpoint_wait wait = {&cluster, 0, env_now_ms(cluster.env) + 1500, false};
        assert_true(turn_until(&cluster, is_past, &wait));
        assert_null(node->replica->raft);
        assert_true(node->replica->repair.is_waiting);
        assert_false(node_is_ready(node, &why));
        stop_node(&cluster, 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        start_node(&cluster, i);
    }
    assert_true(turn_until(&cluster, is_log_open, cluster.nodes[0]));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

/* It has what nobody has any more: what was compacted everywhere still stands in its oldest
 * segment. */
static void what_a_leader_does_not_have_ends_in_a_new_log(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    uint32_t leader = leader_of(&cluster);
    uint32_t i = (leader + 1) % 3;
    write_much(&cluster, leader, 600);
    for (uint32_t k = 0; k < 3; k++) {
        wait_for_cut(&cluster, k, 100);
    }
    uint32_t damaged = 0;
    while (damaged == 0) { /* unless a segment begins with the first one that is left */
        write_much(&cluster, leader, 20);
        uint64_t first = first_index(&cluster, 0);
        for (uint32_t k = 1; k < 3; k++) {
            first = first_index(&cluster, k) < first ? first_index(&cluster, k) : first;
        }
        stop_node(&cluster, i);
        struct choice choice = {.low = 1, .high = first, .modulus = 1, .most = 1};
        damaged = damage(&cluster, i, choice);
        start_node(&cluster, i);
    }
    assert_non_null(cluster.nodes[i]->log_mend.mend);
    assert_true(turn_until(&cluster, has_new_log, cluster.nodes[i]));
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "last", "2");
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

/* G7: it may be in a later term than it can tell. */
static void who_mends_its_log_does_not_tell_its_term(void **state)
{
    (void)state;
    struct cluster cluster;
    a_cluster(&cluster);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    stop_all(&cluster);
    flip(&cluster, 0, 1, 100); /* the only header: the vote is lost */
    assert_int_equal(damage(&cluster, 1, entries_from(2, 3)), 1);
    start_node(&cluster, 0);
    start_node(&cluster, 1);
    struct checkpoint_wait wait = {&cluster, 0, env_now_ms(cluster.env) + 2500, false};
    assert_true(turn_until(&cluster, is_past, &wait));
    assert_non_null(cluster.nodes[1]->log_mend.mend);
    assert_int_equal(cluster.nodes[0]->replica->repair.heard_count, 0);
    start_node(&cluster, 2);
    assert_true(turn_until(&cluster, is_log_open, cluster.nodes[1]));
    assert_true(turn_until(&cluster, has_new_log, cluster.nodes[0]));
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    cluster_deinit(&cluster);
}

/* Entries of the right indexes that are not those that were there, as a log has them that went
 * another way. */
static void who_has_a_hole_s_indexes_and_not_its_bytes_is_asked_no_further(void **state)
{
    (void)state;
    struct cluster cluster;
    struct writer payload = {.size = 0};
    struct wal_mend_gap gap;
    a_cluster(&cluster);
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    stop_all(&cluster);
    assert_int_equal(damage(&cluster, 0, entries_from(2, 3)), 1);
    start_node(&cluster, 0);
    struct node *node = cluster.nodes[0];
    assert_true(wal_mend_next(node->log_mend.mend, 0, &gap));
    struct log_frame_answer answer = {.number = 7, .count = (uint32_t)(gap.high - gap.low)};
    for (uint32_t k = 0; k < answer.count; k++) {
        answer.entries[k].pos = (struct raft_pos){.index = gap.low + k, .term = 99};
    }
    log_frame_answer_encode(&answer, &payload);
    node->log_mend.peers[0].number = answer.number;
    log_mend_answered(node->replica, node->identity.peers[0].id, writer_slice(&payload));
    assert_non_null(node->log_mend.mend);
    /* Nor who goes backwards: it would be asked for the same again, at once. */
    assert_true(wal_mend_next(node->log_mend.mend, 0, &gap));
    node->log_mend.peers[0] = (struct log_mend_peer){.hole = gap.number, .number = 8};
    answer = (struct log_frame_answer){.number = 8, .count = 1};
    answer.entries[0].pos = (struct raft_pos){.index = gap.low - 1, .term = 1};
    writer_reset(&payload);
    log_frame_answer_encode(&answer, &payload);
    log_mend_answered(node->replica, node->identity.peers[0].id, writer_slice(&payload));
    assert_int_equal(node->log_mend.peers[0].low, 0); /* the next hole, or the next round */
    writer_deinit(&payload);
    for (uint32_t i = 1; i < 3; i++) {
        start_node(&cluster, i);
    }
    assert_true(turn_until(&cluster, is_log_open, node));
    assert_all_equal(&cluster);
    cluster_deinit(&cluster);
}

static void a_node_alone_refuses_as_ever(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    put_at_least_once(&cluster, 0, "first", "1");
    stop_node(&cluster, 0);
    assert_int_equal(damage(&cluster, 0, entries_from(2, 3)), 1);
    struct node_options options = options_of(&cluster, 0);
    struct err_note note = {.text = ""};
    assert_int_equal(node_open(&cluster.nodes[0], &options, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, ".seg: at offset"));
    cluster.nodes[0] = NULL;
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_damaged_on_one_of_three_nodes_is_mended_without_a_leader),
        cmocka_unit_test(who_waits_for_peers_takes_no_part_and_survives_a_restart),
        cmocka_unit_test(what_a_leader_does_not_have_ends_in_a_new_log),
        cmocka_unit_test(who_mends_its_log_does_not_tell_its_term),
        cmocka_unit_test(who_has_a_hole_s_indexes_and_not_its_bytes_is_asked_no_further),
        cmocka_unit_test(a_node_alone_refuses_as_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
