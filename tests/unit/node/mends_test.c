/* Damaged records of whole nodes: found, never served, mended from another member. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "node/mends.h"
#include "node/node_int.h"
#include "node_testing.h"
#include "store/store_int.h"

#define VALUE "a value that stands in the file as it is"

/* Changes a byte of every copy of `text` in the data file of node i; it shows at once. */
static void spoil(struct cluster *cluster, uint32_t i, const char *text, size_t at)
{
    char path[160];
    struct stat status;
    snprintf(path, sizeof(path), "%s/store/data.mdb", cluster->directories[i]);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    size_t size = (size_t)status.st_size < (4u << 20) ? (size_t)status.st_size : 4u << 20;
    uint8_t *bytes = test_malloc(size);
    assert_int_equal(pread(fd, bytes, size, 0), size);
    unsigned count = 0;
    for (uint8_t *found = memmem(bytes, size, text, strlen(text)); found != NULL;
         found = memmem(found + 1, (size_t)(bytes + size - found - 1), text, strlen(text))) {
        uint8_t wrong = found[at] ^ 1;
        assert_int_equal(pwrite(fd, &wrong, 1, (off_t)(found + at - bytes)), 1);
        count++;
    }
    assert_true(count > 0);
    test_free(bytes);
    assert_int_equal(close(fd), 0);
}

static bool is_all_checkpointed(void *ctx)
{
    struct wait *wait = ctx;
    struct node *node = wait->cluster->nodes[wait->node];
    store_checkpoint_soon(node->store);
    return store_stats(node->store)->tail_records == 0 &&
           store_region(node->store, REGION_FIRST)->checkpoint.index >= wait->least;
}

/* A value a node, all of them in every node's checkpoint. */
static void start(struct cluster *cluster, uint32_t count, const char *const *keys,
                  const char *const *values, uint32_t key_count)
{
    cluster_init(cluster, count);
    assert_true(turn_until(cluster, has_leader_everywhere, cluster));
    for (uint32_t i = 0; i < key_count; i++) {
        put_at_least_once(cluster, 0, keys[i], values[i]);
    }
    assert_true(turn_until(cluster, is_state_equal, cluster));
    for (uint32_t i = 0; i < count; i++) {
        struct wait wait = {cluster, i, cluster->nodes[i]->replica->applied};
        assert_true(turn_until(cluster, is_all_checkpointed, &wait));
    }
}

static const char *const keys[] = {"one", "two", "three"};
static const char *const values[] = {VALUE " 1", VALUE " 2", VALUE " 3"};

static void get(struct cluster *cluster, uint32_t i, struct reading *reading, const char *key,
                enum read_consistency consistency)
{
    begin_get(cluster, i, reading, key, consistency, 10000);
    assert_true(turn_until(cluster, is_read, reading));
    assert_int_equal(reading->answers, 1);
}

static void a_read_waits_until_its_record_is_mended(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading readings[3];
    start(&cluster, 3, keys, values, 1);
    spoil(&cluster, 1, values[0], 5);
    begin_get(&cluster, 1, &readings[0], "one", READ_STALE, 10000);
    begin_get(&cluster, 1, &readings[1], "one", READ_STALE, 10000);
    get(&cluster, 1, &readings[2], "one", READ_LINEARIZABLE);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(turn_until(&cluster, is_read, &readings[i]));
        assert_int_equal(readings[i].e, OK);
        assert_string_equal(readings[i].value, values[0]);
    }
    assert_int_equal(store_stats(cluster.nodes[1]->store)->mended_records, 1);
    assert_int_equal(cluster.nodes[1]->replica->mends.count, 0);
    char hash[64];
    snprintf(hash, sizeof(hash), " key_hash=%016" PRIx64 " ", hash64(SLICE_LITERAL("one"), 0));
    assert_non_null(strstr(cluster.record_line, hash));
    assert_null(strstr(cluster.record_line, "one"));
    assert_true(turn_until(&cluster, is_state_equal, &cluster));
    cluster_deinit(&cluster);
}

static void a_different_record_damaged_on_each_node_and_all_come_back(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    start(&cluster, 3, keys, values, 3);
    for (uint32_t i = 0; i < 3; i++) {
        spoil(&cluster, i, values[i], 7);
    }
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t k = 0; k < 3; k++) {
            get(&cluster, i, &reading, keys[k], READ_STALE);
            assert_int_equal(reading.e, OK);
            assert_string_equal(reading.value, values[k]);
        }
    }
    cluster_deinit(&cluster);
}

static void one_record_damaged_on_two_nodes_comes_from_the_third(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    start(&cluster, 3, keys, values, 1);
    spoil(&cluster, 0, values[0], 7);
    spoil(&cluster, 1, values[0], 9);
    for (uint32_t i = 0; i < 3; i++) {
        get(&cluster, i, &reading, "one", READ_STALE);
        assert_int_equal(reading.e, OK);
        assert_string_equal(reading.value, values[0]);
    }
    cluster_deinit(&cluster);
}

static void where_nobody_has_it_the_client_is_told_to_come_again(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    start(&cluster, 3, keys, values, 1);
    for (uint32_t i = 0; i < 3; i++) {
        spoil(&cluster, i, values[0], 7);
    }
    begin_get(&cluster, 0, &reading, "one", READ_STALE, 300);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_MENDING);
    /* A write ends it. */
    put_at_least_once(&cluster, 0, "one", "another");
    assert_value(&cluster, 0, "one", "another");
    assert_value(&cluster, 1, "one", "another");
    cluster_deinit(&cluster);
}

static void a_node_alone_says_that_it_is_damaged(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    start(&cluster, 1, keys, values, 1);
    spoil(&cluster, 0, values[0], 0);
    begin_get(&cluster, 0, &reading, "one", READ_STALE, 300);
    assert_int_equal(reading.answers, 1);
    assert_int_equal(reading.e, ERR_CORRUPT);
    assert_true(mends_found(cluster.nodes[0]->replica, SLICE_LITERAL("one"), 1));
    assert_non_null(strstr(cluster.record_line, "write it again"));
    assert_non_null(strstr(cluster.record_line, " key=one "));
    assert_int_equal(cluster.nodes[0]->replica->mends.count, 0);
    cluster_deinit(&cluster);
}

static bool is_condemned(void *ctx)
{
    struct wait *wait = ctx;
    return !divergence_is_trusted(wait->cluster->nodes[wait->node]->replica);
}

/* A record that the others deny is no single record's damage. */
static void who_has_a_key_that_nobody_knows_stops(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    start(&cluster, 3, keys, values, 1);
    spoil(&cluster, 1, "one", 2); /* "ond", with a head that is of another key */
    begin_get(&cluster, 1, &reading, "ond", READ_STALE, 10000);
    struct wait wait = {&cluster, 1, 0};
    assert_true(turn_until(&cluster, is_condemned, &wait));
    assert_int_equal(reading.answers, 1);
    assert_int_equal(reading.e, ERR_DIVERGED);
    assert_true(divergence_is_trusted(cluster.nodes[0]->replica));
    cluster_deinit(&cluster);
}

static void there_is_room_for_so_many_and_not_for_more(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "a", "1");
    struct replica *replica = cluster.nodes[0]->replica;
    for (uint32_t i = 0; i < MENDS_MAX; i++) {
        uint8_t key[2] = {'k', (uint8_t)i};
        assert_true(mends_found(replica, (struct slice){key, 2}, 0));
        assert_true(mends_found(replica, (struct slice){key, 2}, 0)); /* known */
        assert_true(replica->mends.asked_count <= MENDS_ASKED_MAX);
    }
    assert_int_equal(replica->mends.count, MENDS_MAX);
    assert_false(mends_found(replica, SLICE_LITERAL("more"), 0));
    mends_asked(replica, 2, SLICE_LITERAL("short"));
    mends_answered(replica, 2, SLICE_LITERAL("short"));
    /* None of them is damaged in truth: each answer says so, and it is forgotten. */
    while (replica->mends.count > 0) {
        env_uv_run_once(cluster.env, true);
    }
    cluster_deinit(&cluster);
}

/* As of a store whose first pass goes on for long: what node i does not find may be hidden. */
static void is_not_proven(struct cluster *cluster, uint32_t i)
{
    struct store *store = cluster->nodes[i]->store;
    store->options.scrub_rate = 1;
    store->scrub.is_proven = false;
    store->scrub.due_ms = UINT64_MAX;
}

static void what_is_not_found_is_asked_of_another_at_once(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading readings[MENDS_DOUBTS_MAX * 3];
    char names[MENDS_DOUBTS_MAX * 3][16];
    start(&cluster, 3, keys, values, 1);
    is_not_proven(&cluster, 1);
    struct mends *mends = &cluster.nodes[1]->replica->mends;
    for (uint32_t i = 0; i < MENDS_DOUBTS_MAX * 3; i++) {
        snprintf(names[i], sizeof(names[i]), "none %u", i / 2);
        begin_get(&cluster, 1, &readings[i], names[i], READ_STALE, 10000);
        assert_true(mends->doubt_count <= MENDS_DOUBTS_MAX);
    }
    assert_int_equal(mends->doubt_count, MENDS_DOUBTS_MAX);
    assert_true(mends_found(cluster.nodes[1]->replica, SLICE_LITERAL("one"), 0)); /* has room */
    for (uint32_t i = 0; i < MENDS_DOUBTS_MAX * 3; i++) {
        assert_true(turn_until(&cluster, is_read, &readings[i]));
        assert_int_equal(readings[i].e, ERR_NOT_FOUND);
    }
    assert_int_equal(mends->doubt_count, 0);
    cluster_deinit(&cluster);
}

static void what_is_hidden_from_one_is_found_by_the_others(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    start(&cluster, 3, keys, values, 1);
    is_not_proven(&cluster, 1);
    spoil(&cluster, 1, "one", 2);
    begin_get(&cluster, 1, &reading, "one", READ_STALE, 10000);
    struct wait wait = {&cluster, 1, 0};
    assert_true(turn_until(&cluster, is_condemned, &wait));
    assert_int_equal(reading.answers, 1);
    assert_int_equal(reading.e, ERR_DIVERGED);
    cluster_deinit(&cluster);
}

static bool is_nothing_asked(void *ctx)
{
    const struct cluster *cluster = ctx;
    return cluster->nodes[0]->replica->mends.count == 0;
}

static void a_doubt_that_nobody_ends_is_not_kept(void **state)
{
    (void)state;
    struct cluster cluster;
    struct reading reading;
    start(&cluster, 3, keys, values, 1);
    is_not_proven(&cluster, 0);
    stop_node(&cluster, 1);
    stop_node(&cluster, 2);
    begin_get(&cluster, 0, &reading, "none", READ_STALE, 10000);
    assert_int_equal(cluster.nodes[0]->replica->mends.doubt_count, 1);
    assert_true(turn_until(&cluster, is_read, &reading));
    assert_int_equal(reading.e, ERR_MENDING);
    assert_true(turn_until(&cluster, is_nothing_asked, &cluster));
    cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_waits_until_its_record_is_mended),
        cmocka_unit_test(a_different_record_damaged_on_each_node_and_all_come_back),
        cmocka_unit_test(one_record_damaged_on_two_nodes_comes_from_the_third),
        cmocka_unit_test(where_nobody_has_it_the_client_is_told_to_come_again),
        cmocka_unit_test(a_node_alone_says_that_it_is_damaged),
        cmocka_unit_test(who_has_a_key_that_nobody_knows_stops),
        cmocka_unit_test(there_is_room_for_so_many_and_not_for_more),
        cmocka_unit_test(what_is_not_found_is_asked_of_another_at_once),
        cmocka_unit_test(what_is_hidden_from_one_is_found_by_the_others),
        cmocka_unit_test(a_doubt_that_nobody_ends_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
