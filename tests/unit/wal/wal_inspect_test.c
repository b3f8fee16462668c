/* A look at a log: what it tells, that it says what a start would say and changes nothing. */
#include "wal/wal_inspect.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 2048u /* header and three sectors of batches */
#define ROOMY_SEGMENT_SIZE 8192u
#define ENTRY_SIZE 150u
#define FAULTS_MAX 16u

struct world {
    struct fixture fixture;
    struct image image; /* of a crashed log */
    struct wal_inspect *inspect;
    /* What was told. */
    size_t entries;
    size_t hard_states;
    size_t marks;
    size_t segments;
    bool is_torn;
    uint64_t last_data_size;
    char faults[FAULTS_MAX][ERR_NOTE_SIZE];
    size_t fault_count;
};

/* One batch a line. */
static struct world *world_new(uint64_t segment_size)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    struct fixture *fixture = &world->fixture;
    fixture_init(fixture, segment_size);
    fixture_open(fixture);
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 2, ENTRY_SIZE);
    vote_wait(fixture, 1, 2, 3);
    append_wait(fixture, 2, (struct raft_pos){4, 1}, 2, ENTRY_SIZE);
    append_wait(fixture, 1, (struct raft_pos){2, 2}, 2, ENTRY_SIZE);
    append_wait(fixture, 2, (struct raft_pos){4, 3}, 4, ENTRY_SIZE);
    fixture_crash(fixture, &world->image);
    return world;
}

static int setup(void **state)
{
    *state = world_new(SEGMENT_SIZE);
    return 0;
}

static int setup_roomy(void **state)
{
    *state = world_new(ROOMY_SEGMENT_SIZE);
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    wal_inspect_close(world->inspect);
    image_deinit(&world->image);
    fixture_deinit(&world->fixture);
    mem_free(world);
    return 0;
}

static void on_record(void *ctx, const struct wal_inspect_record *record)
{
    struct world *world = ctx;
    world->entries += record->kind == WAL_KIND_ENTRY ? 1 : 0;
    world->hard_states += record->kind == WAL_KIND_HARD_STATE ? 1 : 0;
    world->marks += record->kind == WAL_KIND_COMPACTION ? 1 : 0;
    if (record->kind == WAL_KIND_ENTRY) {
        world->last_data_size = record->data.size;
        assert_int_equal(record->type, record->pos.index % 4);
    }
}

static void on_segment(void *ctx, const struct wal_inspect_segment *segment)
{
    struct world *world = ctx;
    world->segments++;
    world->is_torn = segment->is_torn;
}

static void on_fault(void *ctx, err e, const char *text)
{
    struct world *world = ctx;
    assert_true(e != OK);
    assert_true(world->fault_count < FAULTS_MAX);
    (void)snprintf(world->faults[world->fault_count], ERR_NOTE_SIZE, "%s", text);
    world->fault_count++;
}

/* Looks at what is in the directory. */
static err look(struct world *world, bool is_thorough)
{
    static const struct wal_inspect_handler handler = {on_record, on_segment, on_fault};
    const struct fixture *fixture = &world->fixture;
    wal_inspect_close(world->inspect);
    world->entries = world->hard_states = world->marks = world->segments = 0;
    world->fault_count = 0;
    struct wal_marks_view view;
    assert_int_equal(wal_marks_look(fixture->env, fixture->directory, &view, NULL), OK);
    struct wal_inspect_options options = {
        .env = fixture->env,
        .directory = fixture->directory,
        .cluster_id = CLUSTER,
        .node = NODE,
        .mark = view.mark,
        .is_thorough = is_thorough,
    };
    err e = wal_inspect_open(&world->inspect, &options, &handler, world);
    assert_int_equal(e == OK, world->fault_count == 0);
    return e;
}

static err put_and_look(struct world *world)
{
    image_put(&world->image, world->fixture.directory);
    return look(world, true);
}

/* The directory is as the image: the same names, the same bytes. */
static void expect_unchanged(const struct world *world)
{
    struct image found;
    image_take(&found, world->fixture.directory);
    assert_int_equal(found.count, world->image.count);
    for (size_t i = 0; i < found.count; i++) {
        assert_string_equal(found.files[i].name, world->image.files[i].name);
        assert_int_equal(found.files[i].size, world->image.files[i].size);
        if (found.files[i].size > 0) {
            assert_memory_equal(found.files[i].data, world->image.files[i].data,
                                found.files[i].size);
        }
    }
    image_deinit(&found);
}

static void expect_fault(const struct world *world, size_t i, const char *name, const char *words)
{
    assert_true(i < world->fault_count);
    if (strstr(world->faults[i], name) == NULL || strstr(world->faults[i], words) == NULL) {
        fail_msg("\"%s\" and \"%s\" are not in \"%s\"", name, words, world->faults[i]);
    }
}

static void a_whole_log_is_told_and_left_as_it_is(void **state)
{
    struct world *world = *state;
    assert_int_equal(look(world, true), OK);
    assert_true(world->segments >= 2);
    assert_int_equal(world->entries, 10);
    assert_true(world->hard_states >= 1); /* and those of the state blocks */
    assert_true(world->marks >= 2);
    assert_int_equal(world->last_data_size, ENTRY_SIZE);
    assert_false(world->is_torn);
    const struct wal *log = wal_inspect_log(world->inspect);
    assert_int_equal(wal_bounds(log, 1).last_index, 3);
    assert_int_equal(wal_bounds(log, 2).last_index, 6);
    assert_int_equal(wal_hard_state(log, 1).vote, 3);
    uint64_t term;
    assert_int_equal(wal_term(log, 1, 2, &term), OK);
    assert_int_equal(term, 2);
    expect_unchanged(world);
}

/* K2, and K1: whatever byte is flipped. */
static void it_finds_damage_where_a_start_does(void **state)
{
    struct world *world = *state;
    size_t refused = 0;
    for (size_t i = 0; i < world->image.count; i++) {
        struct file_image *file = &world->image.files[i];
        bool is_segment = strstr(file->name, ".seg") != NULL;
        for (size_t at = 0; is_segment && at < file->size; at++) {
            file->data[at] ^= (uint8_t)(1u << at % 8);
            err seen = put_and_look(world);
            expect_unchanged(world);
            err started = fixture_try_open(&world->fixture);
            assert_int_equal(seen, started);
            if (started == OK) {
                fixture_close(&world->fixture);
            } else {
                assert_ptr_equal(strstr(world->fixture.note.text, world->faults[0]),
                                 world->fixture.note.text);
                refused++;
            }
            file->data[at] ^= (uint8_t)(1u << at % 8);
        }
    }
    assert_true(refused > WAL_SECTOR_SIZE);
}

static void every_damaged_batch_of_a_segment_is_named(void **state)
{
    struct world *world = *state;
    struct file_image *file = image_last_segment(&world->image);
    file->data[WAL_SECTOR_SIZE + 40] ^= 1;
    file->data[3 * WAL_SECTOR_SIZE + 40] ^= 1;
    assert_int_equal(put_and_look(world), ERR_DAMAGED);
    assert_int_equal(world->fault_count, 2);
    expect_fault(world, 0, file->name, "at offset 512: ");
    expect_fault(world, 1, file->name, "at offset 1536: ");
    assert_int_equal(world->entries, 6); /* those of the two other batches */
    expect_unchanged(world);
    assert_int_equal(look(world, false), ERR_DAMAGED);
    assert_int_equal(world->fault_count, 1);
    assert_int_equal(world->entries, 0);
}

static void what_is_behind_a_damaged_header_is_looked_at(void **state)
{
    struct world *world = *state;
    image_file(&world->image, "0000000000000001.seg")->data[100] ^= 1;
    struct file_image *last = image_last_segment(&world->image);
    last->data[WAL_SECTOR_SIZE + 40] ^= 1;
    assert_int_equal(put_and_look(world), ERR_DAMAGED);
    assert_int_equal(world->fault_count, 2);
    expect_fault(world, 0, "0000000000000001.seg", "the header is damaged");
    expect_fault(world, 1, last->name, "at offset 512: ");
    /* The one before a damaged header ends wherever it ends. */
    image_file(&world->image, "0000000000000001.seg")->data[100] ^= 1;
    last->data[100] ^= 1;
    assert_int_equal(put_and_look(world), ERR_DAMAGED);
    assert_int_equal(world->fault_count, 1);
    assert_true(world->entries > 0);
}

static void a_missing_segment_is_named_and_the_others_are_looked_at(void **state)
{
    struct world *world = *state;
    assert_string_equal(image_last_segment(&world->image)->name, "0000000000000003.seg");
    image_remove(&world->image, "0000000000000002.seg");
    assert_int_equal(put_and_look(world), ERR_DAMAGED);
    assert_int_equal(world->fault_count, 1);
    expect_fault(world, 0, "0000000000000002.seg", "is missing");
    assert_int_equal(world->segments, 2);
    image_remove(&world->image, "0000000000000003.seg");
    assert_int_equal(put_and_look(world), ERR_DAMAGED);
    expect_fault(world, 0, "0000000000000003.seg", "which has been synced");
}

static void a_torn_tail_is_told_and_not_cut(void **state)
{
    struct world *world = *state;
    image_remove(&world->image, "synced");
    struct file_image *file = image_last_segment(&world->image);
    size_t size = file->size;
    while (file->data[size - 1] == 0) {
        size--;
    }
    file->data[size - 1] ^= 1; /* in the last batch, behind its first head */
    assert_int_equal(put_and_look(world), OK);
    assert_true(world->is_torn);
    assert_int_equal(world->entries, 6);
    expect_unchanged(world);
}

static void another_nodes_log_is_told(void **state)
{
    struct world *world = *state;
    struct wal_inspect_options options = {
        .env = world->fixture.env,
        .directory = world->fixture.directory,
        .cluster_id = CLUSTER,
        .node = NODE + 1,
    };
    static const struct wal_inspect_handler handler = {.fault = on_fault};
    assert_int_equal(wal_inspect_open(&world->inspect, &options, &handler, world), ERR_IDENTITY);
    expect_fault(world, 0, "0000000000000001.seg", "belongs to node 3 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_log_is_told_and_left_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(it_finds_damage_where_a_start_does, setup, teardown),
        cmocka_unit_test_setup_teardown(every_damaged_batch_of_a_segment_is_named, setup_roomy,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_behind_a_damaged_header_is_looked_at, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_missing_segment_is_named_and_the_others_are_looked_at,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_told_and_not_cut, setup_roomy, teardown),
        cmocka_unit_test_setup_teardown(another_nodes_log_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
