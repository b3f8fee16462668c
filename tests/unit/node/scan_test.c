/* Keys in order, read from whole nodes. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/prng.h"
#include "node/node_int.h"
#include "node/scan.h"
#include "node_testing.h"

/* What a scan has told: "key=value " of each. */
struct scanning {
    struct node_read read;
    struct node *node;
    struct node_scan_options options;
    bool wants_values;
    const char *leap; /* after the first key; NULL: none */
    err e;
    err record_error; /* the first one */
    char text[256];
    int answers;
};

static void add_text(struct scanning *scanning, struct slice bytes, const char *end)
{
    size_t size = strlen(scanning->text);
    (void)snprintf(scanning->text + size, sizeof(scanning->text) - size, "%.*s%s", (int)bytes.size,
                   (const char *)bytes.data, end);
}

static void walk(struct scanning *scanning)
{
    struct node_scan scan;
    scanning->e = node_scan_open(scanning->node, &scanning->options, &scan);
    if (scanning->e != OK) {
        return;
    }
    while ((scanning->e = node_scan_next(&scan)) == OK) {
        struct store_record record;
        err e = node_scan_record(&scan, scanning->wants_values, &record);
        add_text(scanning, scan.key, "=");
        add_text(scanning, e == OK && scanning->wants_values ? record.value : SLICE_LITERAL(""),
                 " ");
        if (e != OK && scanning->record_error == OK) {
            scanning->record_error = e;
        }
        if (scanning->leap != NULL) {
            node_scan_skip(&scan, slice_from_text(scanning->leap));
            scanning->leap = NULL;
        }
    }
    node_scan_close(&scan);
}

static void scan_done(struct node_read *read, err e, struct store_record *record)
{
    struct scanning *scanning = CONTAINER_OF(read, struct scanning, read);
    assert_null(record);
    scanning->answers++;
    scanning->e = e;
    if (e == OK) {
        walk(scanning);
    }
}

static bool is_scanned(void *ctx)
{
    return ((struct scanning *)ctx)->answers > 0;
}

/* Of node i; what it tells is `expected`. */
static void assert_scan(struct cluster *cluster, uint32_t i, struct scanning scanning, err e,
                        const char *expected)
{
    scanning.node = cluster->nodes[i];
    scanning.read.is_scan = true;
    scanning.read.deadline_ms = env_now_ms(cluster->env) + 10000;
    scanning.read.done = scan_done;
    node_read(cluster->nodes[i], &scanning.read);
    assert_true(turn_until(cluster, is_scanned, &scanning));
    assert_int_equal(scanning.answers, 1);
    assert_int_equal(scanning.e, e);
    assert_string_equal(scanning.text, expected);
}

static void every_node_tells_what_was_written_by_then(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 3);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "b", "2");
    put_at_least_once(&cluster, 1, "a", "1");
    put_at_least_once(&cluster, 2, "c", "3");
    for (uint32_t i = 0; i < 3; i++) {
        assert_scan(&cluster, i, (struct scanning){.wants_values = true}, ERR_NOT_FOUND,
                    "a=1 b=2 c=3 ");
        assert_scan(&cluster, i, (struct scanning){.options = {.is_reverse = true}}, ERR_NOT_FOUND,
                    "c= b= a= ");
        assert_scan(&cluster, i, (struct scanning){.leap = "bb"}, ERR_NOT_FOUND, "a= c= ");
        struct node_scan_options part = {.range = {SLICE_LITERAL("aa"), SLICE_LITERAL("c")}};
        assert_scan(&cluster, i, (struct scanning){.options = part}, ERR_NOT_FOUND, "b= ");
    }
    cluster_deinit(&cluster);
}

static void keys_are_counted_unless_the_state_is_not_to_be_read(void **state)
{
    (void)state;
    struct cluster cluster;
    struct store_range range = {SLICE_LITERAL("aa"), SLICE_EMPTY};
    uint64_t count;
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "a", "1");
    put_at_least_once(&cluster, 0, "b", "2");
    struct node *node = cluster.nodes[0];
    assert_int_equal(node_scan_count(node, range, 0, &count), ERR_OVERLOADED); /* nobody has yet */
    assert_int_equal(node_scan_count(node, range, 1, &count), OK);
    assert_int_equal(count, 1);
    put_at_least_once(&cluster, 0, "c", "3");
    assert_int_equal(node_scan_count(node, range, 0, &count), OK);
    assert_int_equal(count, 2);
    node->replica->repair.is_waiting = true;
    assert_int_equal(node_scan_count(node, range, 0, &count), ERR_DIVERGED);
    node->replica->repair.is_waiting = false;
    cluster_deinit(&cluster);
}

#define REVISIONS 120u
#define KEYS 8u

static void change_key(struct cluster *cluster, const char *key, const char *value)
{
    struct command command = {.type = value != NULL ? COMMAND_PUT : COMMAND_DELETE,
                              .key = slice_from_text(key),
                              .value = slice_from_text(value != NULL ? value : "")};
    struct writing writing = {.answers = 0};
    writing.write.command = command_encode(&command);
    writing.write.deadline_ms = env_now_ms(cluster->env) + 10000;
    writing.write.done = write_done;
    node_write(cluster->nodes[0], command.key, &writing.write);
    assert_true(turn_until(cluster, is_written, &writing));
    assert_int_equal(writing.result.e, OK);
}

/* What there is, as a scan of `options` tells it. */
static void tell(struct cluster *cluster, struct node_scan_options options, char text[256])
{
    struct scanning scanning = {
        .wants_values = true, .node = cluster->nodes[0], .options = options};
    walk(&scanning);
    assert_int_equal(scanning.e, ERR_NOT_FOUND);
    assert_int_equal(scanning.record_error, OK);
    memcpy(text, scanning.text, sizeof(scanning.text));
}

/* Puts and deletes, a checkpoint now and then; each state told when it was there, and later. */
static void the_past_is_told_as_it_was(void **state)
{
    (void)state;
    static char told[2][REVISIONS][256];
    static const struct store_range ranges[] = {{{NULL, 0}, {NULL, 0}},
                                                {SLICE_INIT("k2"), SLICE_INIT("k6")}};
    struct cluster cluster;
    struct prng prng;
    uint64_t revisions[REVISIONS];
    prng_init(&prng, 9);
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    for (unsigned i = 0; i < REVISIONS; i++) {
        char key[8];
        char value[8];
        (void)snprintf(key, sizeof(key), "k%u", (unsigned)prng_below(&prng, KEYS));
        (void)snprintf(value, sizeof(value), "%u", i);
        change_key(&cluster, key, prng_below(&prng, 3) == 0 ? NULL : value);
        if (prng_below(&prng, 10) == 0) {
            store_checkpoint_soon(cluster.nodes[0]->store);
        }
        revisions[i] = node_revision(cluster.nodes[0]);
        for (size_t j = 0; j < 2; j++) {
            struct node_scan_options now = {.range = ranges[j]};
            tell(&cluster, now, told[j][i]);
        }
    }
    for (unsigned i = 0; i < REVISIONS; i++) {
        for (size_t j = 0; j < 2; j++) {
            char text[256];
            struct node_scan_options then = {.range = ranges[j], .revision = revisions[i]};
            tell(&cluster, then, text);
            assert_string_equal(text, told[j][i]);
            then.is_reverse = true;
            tell(&cluster, then, text);
            assert_int_equal(strlen(text), strlen(told[j][i]));
            bool is_same = node_scan_is_same(cluster.nodes[0], ranges[j], revisions[i]);
            assert_true(!is_same || strcmp(told[j][i], told[j][REVISIONS - 1]) == 0);
        }
    }
    cluster_deinit(&cluster);
}

static void a_leap_leaves_out_what_was_too(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    change_key(&cluster, "a", "1");
    change_key(&cluster, "b", "2");
    change_key(&cluster, "c", "3");
    change_key(&cluster, "d", "4");
    struct scanning then = {
        .wants_values = true, .leap = "c", .options.revision = node_revision(cluster.nodes[0])};
    change_key(&cluster, "b", "new");
    change_key(&cluster, "c", NULL);
    change_key(&cluster, "e", "5");
    assert_scan(&cluster, 0, then, ERR_NOT_FOUND, "a=1 c=3 d=4 ");
    then.options.is_reverse = true;
    assert_scan(&cluster, 0, then, ERR_NOT_FOUND, "d=4 b=2 a=1 ");
    struct store_range rest = {SLICE_LITERAL("f"), SLICE_EMPTY};
    assert_true(node_scan_is_same(cluster.nodes[0], rest, then.options.revision));
    rest.begin = SLICE_LITERAL("e");
    assert_false(node_scan_is_same(cluster.nodes[0], rest, then.options.revision));
    cluster_deinit(&cluster);
}

static void a_revision_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    put_at_least_once(&cluster, 0, "a", "1");
    uint64_t revision = node_revision(cluster.nodes[0]);
    struct scanning now = {.options = {.revision = revision}};
    struct scanning later = {.options = {.revision = revision + 1}};
    assert_scan(&cluster, 0, now, ERR_NOT_FOUND, "a= ");
    assert_scan(&cluster, 0, later, ERR_BAD_REQUEST, "");
    cluster_deinit(&cluster);
}

static void a_revision_that_is_not_kept_any_more_is_gone(void **state)
{
    (void)state;
    struct cluster cluster;
    cluster_init(&cluster, 1);
    assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
    change_key(&cluster, "a", "1");
    change_key(&cluster, "a", "2");
    uint64_t revision = node_revision(cluster.nodes[0]);
    assert_true(node_scan_oldest(cluster.nodes[0]) < revision);
    history_restart(cluster.nodes[0]->replica->history, revision); /* as a snapshot does */
    assert_int_equal(node_scan_oldest(cluster.nodes[0]), revision);
    struct scanning before = {.options.revision = revision - 1};
    assert_scan(&cluster, 0, before, ERR_GONE, "");
    assert_false(node_scan_is_same(cluster.nodes[0], before.options.range, revision - 1));
    cluster_deinit(&cluster);
}

/* Changes the value in the data file of node 0 itself; it shows at once. */
static void spoil(struct cluster *cluster, const char *value)
{
    char path[160];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/store/data.mdb", cluster->directories[0]);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    size_t size = (size_t)status.st_size < (4u << 20) ? (size_t)status.st_size : 4u << 20;
    uint8_t *bytes = test_malloc(size);
    assert_int_equal(pread(fd, bytes, size, 0), size);
    const uint8_t *found = memmem(bytes, size, value, strlen(value));
    assert_non_null(found);
    uint8_t wrong = *found ^ 1;
    assert_int_equal(pwrite(fd, &wrong, 1, found - bytes), 1);
    test_free(bytes);
    assert_int_equal(close(fd), 0);
}

static bool is_in_the_file(void *ctx)
{
    const struct cluster *cluster = ctx;
    store_checkpoint_soon(cluster->nodes[0]->store);
    const struct store_region *region = store_region(cluster->nodes[0]->store, REGION_FIRST);
    return region->keys > 0 && region->checkpoint.index == region->applied.index;
}

static bool is_mended(void *ctx)
{
    const struct cluster *cluster = ctx;
    return store_stats(cluster->nodes[0]->store)->mended_records > 0;
}

#define VALUE "a value that stands in the file as it is"

static err record_error_of(struct cluster *cluster)
{
    struct scanning scanning = {.wants_values = true, .node = cluster->nodes[0]};
    walk(&scanning);
    assert_int_equal(scanning.e, ERR_NOT_FOUND);
    return scanning.record_error;
}

static void what_is_damaged_is_mended_and_not_told(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 3; count += 2) {
        struct cluster cluster;
        cluster_init(&cluster, count);
        assert_true(turn_until(&cluster, has_leader_everywhere, &cluster));
        put_at_least_once(&cluster, 0, "k", VALUE);
        assert_true(turn_until(&cluster, is_in_the_file, &cluster));
        spoil(&cluster, VALUE);
        assert_int_equal(record_error_of(&cluster), count == 1 ? ERR_CORRUPT : ERR_MENDING);
        if (count > 1) {
            assert_true(turn_until(&cluster, is_mended, &cluster));
            assert_int_equal(record_error_of(&cluster), OK);
        }
        cluster_deinit(&cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_tells_what_was_written_by_then),
        cmocka_unit_test(keys_are_counted_unless_the_state_is_not_to_be_read),
        cmocka_unit_test(the_past_is_told_as_it_was),
        cmocka_unit_test(a_leap_leaves_out_what_was_too),
        cmocka_unit_test(a_revision_that_is_not_kept_any_more_is_gone),
        cmocka_unit_test(a_revision_that_is_not_there_is_refused),
        cmocka_unit_test(what_is_damaged_is_mended_and_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
