/* What damage and crashes do to a log: exhaustive sweeps over small ones, and each refusal by
 * itself. */
#include "base/codec.h"
#include "base/crc32c.h"
#include "wal/wal_recover.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 2048u /* header and three sectors of batches */
#define ROOMY_SEGMENT_SIZE 8192u
#define ENTRY_SIZE 150u

/* ---- a small log, and what was reported of it ---- */

/* Two regions, a truncation, hard states; one batch a line. Two segments. */
static void write_small_log(struct fixture *fixture)
{
    append_wait(fixture, 1, (struct raft_pos){1, 1}, 2, ENTRY_SIZE);
    vote_wait(fixture, 1, 2, 3);
    append_wait(fixture, 2, (struct raft_pos){4, 1}, 2, ENTRY_SIZE);
    append_wait(fixture, 1, (struct raft_pos){2, 2}, 2, ENTRY_SIZE);
    append_wait(fixture, 2, (struct raft_pos){4, 3}, 2, ENTRY_SIZE);
}

/* All but the last batch of it. */
static void expect_all_but_the_last_batch(struct fixture *fixture)
{
    expect_entry(fixture, 1, (struct raft_pos){1, 1}, ENTRY_SIZE);
    expect_entries(fixture, 1, (struct raft_pos){2, 2}, 2, ENTRY_SIZE);
    expect_bounds(fixture, 1, 0, 3);
    expect_entries(fixture, 2, (struct raft_pos){4, 1}, 2, ENTRY_SIZE);
    assert_int_equal(wal_hard_state(fixture->wal, 1).vote, 3);
    assert_int_equal(wal_hard_state(fixture->wal, 1).term, 2);
}

static void expect_small_log(struct fixture *fixture)
{
    expect_all_but_the_last_batch(fixture);
    expect_entries(fixture, 2, (struct raft_pos){4, 3}, 2, ENTRY_SIZE);
    expect_bounds(fixture, 2, 0, 4);
}

struct world {
    struct fixture fixture;
    struct image image; /* of the crashed small log */
};

static struct world *world_new(uint64_t segment_size, uint64_t segment_count)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    fixture_init(&world->fixture, segment_size);
    fixture_open(&world->fixture);
    write_small_log(&world->fixture);
    assert_int_equal(wal_stats(world->fixture.wal)->segments, segment_count);
    fixture_crash(&world->fixture, &world->image);
    return world;
}

static int setup(void **state)
{
    *state = world_new(SEGMENT_SIZE, 2);
    return 0;
}

/* One segment, and room behind the end. */
static int setup_roomy(void **state)
{
    *state = world_new(ROOMY_SEGMENT_SIZE, 1);
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    image_deinit(&world->image);
    fixture_deinit(&world->fixture);
    mem_free(world);
    return 0;
}

/* Puts the image into the directory and opens the log. */
static err try_open(struct world *world)
{
    image_put(&world->image, world->fixture.directory);
    return fixture_try_open(&world->fixture);
}

/* The refusal names the file and an offset, and says what to do. */
static void expect_refusal(struct world *world, err e, const char *name)
{
    const char *text = world->fixture.note.text;
    assert_int_equal(e, ERR_DAMAGED);
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(text, "offset"));
    assert_non_null(strstr(text, "restore"));
}

/* ---- the sweeps ---- */

struct sweep {
    size_t opened;
    size_t refused;
};

/* The log has all that was reported, or is refused. */
static void check_start(struct world *world, const char *name, struct sweep *sweep)
{
    err e = try_open(world);
    if (e == OK) {
        expect_small_log(&world->fixture);
        fixture_close(&world->fixture);
        sweep->opened++;
    } else {
        expect_refusal(world, e, name);
        sweep->refused++;
    }
}

static void every_flipped_byte_of_a_segment_is_refused_or_harmless(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < world->image.count; i++) {
        struct file_image *file = &world->image.files[i];
        struct sweep sweep = {0};
        if (strstr(file->name, ".seg") == NULL) {
            continue;
        }
        for (size_t at = 0; at < file->size; at++) {
            file->data[at] ^= (uint8_t)(1u << at % 8);
            check_start(world, file->name, &sweep);
            file->data[at] ^= (uint8_t)(1u << at % 8);
        }
        assert_true(sweep.refused > WAL_SECTOR_SIZE); /* the header, and then the records */
        assert_true(sweep.opened > 0);                /* padding */
    }
}

static void every_flipped_byte_of_the_synced_file_is_harmless(void **state)
{
    struct world *world = *state;
    struct file_image *file = image_file(&world->image, "synced");
    struct sweep sweep = {0};
    for (size_t at = 0; at < file->size; at++) {
        file->data[at] ^= 0x10;
        check_start(world, file->name, &sweep);
        file->data[at] ^= 0x10;
    }
    assert_int_equal(sweep.refused, 0);
}

static void a_segment_cut_at_any_offset_is_refused(void **state)
{
    struct world *world = *state;
    struct file_image *file = image_last_segment(&world->image);
    size_t size = file->size;
    struct sweep sweep = {0};
    for (size_t cut = 0; cut < size; cut++) {
        file->size = cut;
        check_start(world, file->name, &sweep);
    }
    file->size = size;
    assert_int_equal(sweep.refused, size);
}

static void a_segment_zeroed_from_any_offset_is_refused_or_has_all(void **state)
{
    struct world *world = *state;
    struct file_image *file = image_last_segment(&world->image);
    uint8_t *whole = mem_alloc(file->size);
    memcpy(whole, file->data, file->size);
    struct sweep sweep = {0};
    for (size_t cut = 0; cut < file->size; cut++) {
        memset(file->data + cut, 0, file->size - cut);
        check_start(world, file->name, &sweep);
        memcpy(file->data, whole, file->size);
    }
    mem_free(whole);
    assert_true(sweep.refused > WAL_SECTOR_SIZE);
    assert_true(sweep.opened > 0); /* cut behind the last record */
}

static void the_synced_file_cut_at_any_offset_is_harmless(void **state)
{
    struct world *world = *state;
    struct file_image *file = image_file(&world->image, "synced");
    size_t size = file->size;
    struct sweep sweep = {0};
    for (size_t cut = 0; cut <= size; cut++) {
        file->size = cut;
        check_start(world, file->name, &sweep);
    }
    assert_int_equal(sweep.refused, 0);
}

/* Then nothing tells a damaged last batch from a torn one; all before it still must be there. */
static void without_the_synced_file_only_the_last_batch_can_be_lost(void **state)
{
    struct world *world = *state;
    image_remove(&world->image, "synced");
    struct file_image *file = image_last_segment(&world->image);
    struct sweep sweep = {0};
    for (size_t at = 0; at < file->size; at++) {
        file->data[at] ^= 0x80;
        err e = try_open(world);
        if (e == OK) {
            expect_all_but_the_last_batch(&world->fixture);
            fixture_close(&world->fixture);
            sweep.opened++;
        } else {
            expect_refusal(world, e, file->name);
            sweep.refused++;
        }
        file->data[at] ^= 0x80;
    }
    assert_true(sweep.refused > WAL_SECTOR_SIZE);
    assert_true(sweep.opened > WAL_SECTOR_SIZE);
}

/* ---- refusals ---- */

static void damage_before_a_later_batch_is_refused_without_a_mark(void **state)
{
    struct world *world = *state;
    image_remove(&world->image, "synced");
    struct file_image *file = image_file(&world->image, "0000000000000001.seg");
    /* The second of three batches of one sector each. */
    file->data[2 * WAL_SECTOR_SIZE + 40] ^= 1;
    expect_refusal(world, try_open(world), file->name);
    assert_non_null(strstr(world->fixture.note.text, "at offset 1024"));
}

static void damage_in_the_last_segment_names_the_later_batch(void **state)
{
    struct world *world = *state;
    image_remove(&world->image, "synced");
    struct file_image *file = image_last_segment(&world->image);
    file->data[2 * WAL_SECTOR_SIZE + 40] ^= 1;
    expect_refusal(world, try_open(world), file->name);
    assert_non_null(strstr(world->fixture.note.text, "at offset 1024"));
    assert_non_null(strstr(world->fixture.note.text, "at offset 1536 something follows"));
}

/* A segment has its name only once its first batch is durable: that one is never torn. */
static void a_damaged_first_batch_is_refused_without_a_mark(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = &world->fixture;
    assert_int_equal(try_open(world), OK);
    append_wait(fixture, 2, (struct raft_pos){4, 5}, 1, ENTRY_SIZE);
    assert_int_equal(wal_stats(fixture->wal)->segments, 3);
    struct image image;
    fixture_crash(fixture, &image);
    image_remove(&image, "synced");
    struct file_image *file = image_last_segment(&image);
    assert_string_equal(file->name, "0000000000000003.seg");
    file->data[WAL_SECTOR_SIZE + 40] ^= 1;
    image_put(&image, fixture->directory);
    expect_refusal(world, fixture_try_open(fixture), file->name);
    image_deinit(&image);
}

static void a_missing_middle_segment_is_refused(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = &world->fixture;
    assert_int_equal(try_open(world), OK);
    for (uint64_t i = 5; i < 20; i++) {
        append_wait(fixture, 2, (struct raft_pos){4, i}, 1, ENTRY_SIZE);
    }
    assert_true(wal_stats(fixture->wal)->segments > 4);
    struct image image;
    fixture_crash(fixture, &image);
    image_remove(&image, "0000000000000003.seg");
    image_put(&image, fixture->directory);
    assert_int_equal(fixture_try_open(fixture), ERR_DAMAGED);
    assert_non_null(strstr(fixture->note.text, "0000000000000003.seg is missing"));
    image_deinit(&image);
}

static void a_missing_first_segment_that_had_live_entries_is_refused(void **state)
{
    struct world *world = *state;
    image_remove(&world->image, "0000000000000001.seg");
    assert_int_equal(try_open(world), ERR_DAMAGED);
    assert_non_null(strstr(world->fixture.note.text, "has no entries 1 to"));
}

static void a_missing_last_segment_is_refused(void **state)
{
    struct world *world = *state;
    image_remove(&world->image, "0000000000000002.seg");
    assert_int_equal(try_open(world), ERR_DAMAGED);
    assert_non_null(strstr(world->fixture.note.text, "0000000000000002.seg is missing"));
}

static void no_segment_at_all_is_refused_where_one_was_synced(void **state)
{
    struct world *world = *state;
    image_remove(&world->image, "0000000000000001.seg");
    image_remove(&world->image, "0000000000000002.seg");
    assert_int_equal(try_open(world), ERR_DAMAGED);
}

static void a_segment_under_another_ones_name_is_refused(void **state)
{
    struct world *world = *state;
    struct file_image *first = image_file(&world->image, "0000000000000001.seg");
    struct file_image *second = image_file(&world->image, "0000000000000002.seg");
    struct file_image swapped = *first;
    first->data = second->data;
    second->data = swapped.data;
    expect_refusal(world, try_open(world), first->name);
}

/* The same records at the same offsets, but of another life: an old copy put back. */
static void a_segment_of_another_log_is_refused(void **state)
{
    struct world *world = *state;
    struct world *other = world_new(SEGMENT_SIZE, 2);
    struct file_image *file = image_file(&world->image, "0000000000000001.seg");
    const struct file_image *foreign = image_file(&other->image, "0000000000000001.seg");
    assert_int_equal(file->size, foreign->size);
    memcpy(file->data, foreign->data, file->size);
    expect_refusal(world, try_open(world), file->name);
    assert_non_null(strstr(world->fixture.note.text, "another log"));
    void *discarded = other;
    assert_int_equal(teardown(&discarded), 0);
}

static void a_mark_of_another_log_is_refused(void **state)
{
    struct world *world = *state;
    struct world *other = world_new(SEGMENT_SIZE, 2);
    struct file_image *file = image_file(&world->image, "synced");
    memcpy(file->data, image_file(&other->image, "synced")->data, file->size);
    expect_refusal(world, try_open(world), "synced");
    void *discarded = other;
    assert_int_equal(teardown(&discarded), 0);
}

static void an_unknown_version_is_told_from_damage(void **state)
{
    struct world *world = *state;
    struct file_image *file = image_file(&world->image, "0000000000000001.seg");
    store_u32(file->data + 8, WAL_VERSION + 1);
    store_u32(file->data + WAL_SECTOR_SIZE - 4, crc32c(0, file->data, WAL_SECTOR_SIZE - 4));
    assert_int_equal(try_open(world), ERR_VERSION);
    assert_non_null(strstr(world->fixture.note.text, file->name));
}

static void a_record_of_an_unknown_kind_is_refused_by_its_version(void **state)
{
    struct world *world = *state;
    /* A batch of one such record, put behind the last one. */
    struct file_image *file = image_last_segment(&world->image);
    struct wal_header header;
    assert_int_equal(wal_header_decode(file->data, &header), OK);
    uint64_t offset = WAL_SECTOR_SIZE;
    uint32_t previous_crc = header.crc;
    uint64_t batch = header.first_batch;
    for (;;) {
        struct wal_record record;
        struct slice bytes = {file->data + offset, file->size - offset};
        if (wal_record_decode(bytes, header.crc, offset, &record) != OK) {
            break;
        }
        previous_crc = record.crc;
        batch = record.batch + 1;
        offset += wal_record_size(&record);
        if ((record.flags & WAL_FLAG_LAST) != 0) {
            offset = wal_sector_round(offset);
        }
    }
    assert_true(offset + WAL_SECTOR_SIZE <= file->size);
    struct wal_seal seal = {
        .header_crc = header.crc,
        .offset = offset,
        .batch = batch,
        .flags = WAL_FLAG_FIRST | WAL_FLAG_LAST,
        .previous_crc = previous_crc,
    };
    wal_record_encode(file->data + offset, WAL_KIND_CONFIGURATION, 1, 0);
    (void)wal_record_seal(file->data + offset, WAL_RECORD_HEAD_SIZE, SLICE_EMPTY, &seal);
    assert_int_equal(try_open(world), ERR_VERSION);
    assert_non_null(strstr(world->fixture.note.text, file->name));
}

/* ---- torn batches ---- */

#define TORN_SECTORS 7u

/* Where the log of the image ends: what the newest mark says. */
static uint64_t image_end(struct image *image)
{
    const struct file_image *file = image_file(image, "synced");
    struct wal_mark newest = {0};
    for (size_t i = 0; i < WAL_MARK_SLOT_COUNT; i++) {
        struct wal_mark mark;
        if (wal_mark_decode(file->data + i * WAL_SECTOR_SIZE, &mark) == OK &&
            mark.count > newest.count) {
            newest = mark;
        }
    }
    return newest.end;
}

/* Writes those sectors from `end` on that are in `subset` as they are in `after`'s last segment. */
static void write_sectors(struct fixture *fixture, struct image *after, uint64_t end,
                          unsigned subset)
{
    const struct file_image *source = image_last_segment(after);
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture->directory, source->name);
    FILE *stream = fopen(path, "r+b");
    assert_non_null(stream);
    for (unsigned i = 0; i < TORN_SECTORS; i++) {
        if ((subset & 1u << i) != 0) {
            size_t at = end + (size_t)i * WAL_SECTOR_SIZE;
            assert_int_equal(fseek(stream, (long)at, SEEK_SET), 0);
            assert_int_equal(fwrite(source->data + at, 1, WAL_SECTOR_SIZE, stream),
                             WAL_SECTOR_SIZE);
        }
    }
    assert_int_equal(fclose(stream), 0);
}

/* Puts `before` with some of the sectors of `after`. */
static void put_torn(struct fixture *fixture, struct image *before, struct image *after,
                     uint64_t end, unsigned subset)
{
    image_put(before, fixture->directory);
    write_sectors(fixture, after, end, subset);
}

/* After the start: goes on with other batches, crashes, and everything must be as it was left. */
static void go_on_after_tear(struct fixture *fixture, uint64_t last)
{
    append_wait(fixture, 1, (struct raft_pos){5, last + 1}, 1, 20);
    struct image image;
    fixture_crash(fixture, &image);
    image_deinit(&image);
    fixture_open(fixture);
    append_wait(fixture, 1, (struct raft_pos){5, last + 2}, 1, 700);
    fixture_reopen(fixture);
    expect_bounds(fixture, 1, 0, last + 2);
    expect_entries(fixture, 1, (struct raft_pos){1, 1}, 4, ENTRY_SIZE);
    expect_entry(fixture, 1, (struct raft_pos){5, last + 1}, 20);
    expect_entry(fixture, 1, (struct raft_pos){5, last + 2}, 700);
    fixture_close(fixture);
}

/* A log before and after one batch of TORN_SECTORS. */
struct torn {
    struct fixture fixture;
    struct image before;
    struct image after;
    uint64_t end; /* where the batch begins */
};

static int setup_torn(void **state)
{
    struct torn *torn = mem_calloc(1, sizeof(*torn));
    fixture_init(&torn->fixture, ROOMY_SEGMENT_SIZE);
    fixture_open(&torn->fixture);
    append_wait(&torn->fixture, 1, (struct raft_pos){1, 1}, 4, ENTRY_SIZE);
    fixture_crash(&torn->fixture, &torn->before);
    fixture_open(&torn->fixture);
    append_wait(&torn->fixture, 1, (struct raft_pos){2, 5}, 5, 600);
    fixture_crash(&torn->fixture, &torn->after);
    torn->end = image_end(&torn->before);
    assert_int_equal(image_end(&torn->after) - torn->end, TORN_SECTORS * WAL_SECTOR_SIZE);
    *state = torn;
    return 0;
}

static int teardown_torn(void **state)
{
    struct torn *torn = *state;
    image_deinit(&torn->before);
    image_deinit(&torn->after);
    fixture_deinit(&torn->fixture);
    mem_free(torn);
    return 0;
}

#define ALL_SECTORS ((1u << TORN_SECTORS) - 1)

/* Every subset of the last batch's sectors may have come to the disk, in any order. */
static void a_torn_batch_is_cut_and_never_comes_back(void **state)
{
    struct torn *torn = *state;
    for (unsigned subset = 0; subset <= ALL_SECTORS; subset++) {
        put_torn(&torn->fixture, &torn->before, &torn->after, torn->end, subset);
        fixture_open(&torn->fixture);
        uint64_t last = subset == ALL_SECTORS ? 9 : 4;
        expect_bounds(&torn->fixture, 1, 0, last);
        expect_entries(&torn->fixture, 1, (struct raft_pos){1, 1}, 4, ENTRY_SIZE);
        go_on_after_tear(&torn->fixture, last);
    }
}

/* R3, whatever the disk does with the rest of it. */
static void sectors_that_come_late_do_not_bring_a_cut_batch_back(void **state)
{
    struct torn *torn = *state;
    put_torn(&torn->fixture, &torn->before, &torn->after, torn->end, ALL_SECTORS & ~8u);
    fixture_open(&torn->fixture);
    expect_bounds(&torn->fixture, 1, 0, 4);
    fixture_close(&torn->fixture);
    write_sectors(&torn->fixture, &torn->after, torn->end, 8u);
    fixture_open(&torn->fixture);
    expect_bounds(&torn->fixture, 1, 0, 4);
}

static void a_damaged_batch_that_was_reported_is_not_taken_for_a_torn_one(void **state)
{
    struct torn *torn = *state;
    for (unsigned subset = 0; subset < ALL_SECTORS; subset++) {
        put_torn(&torn->fixture, &torn->before, &torn->after, torn->end, subset);
        file_write(torn->fixture.directory, image_file(&torn->after, "synced"));
        assert_int_equal(fixture_try_open(&torn->fixture), ERR_DAMAGED);
    }
}

static void files_half_made_are_deleted_and_strangers_left_alone(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = &world->fixture;
    image_put(&world->image, fixture->directory);
    static const char *const names[] = {"00000000000000ff.new", "00000000000000fe.spare", "notes"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[2 * PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/%s", fixture->directory, names[i]);
        FILE *stream = fopen(path, "wb");
        assert_non_null(stream);
        assert_int_equal(fclose(stream), 0);
    }
    fixture_open(fixture);
    expect_small_log(fixture);
    fixture_close(fixture);
    struct image image;
    image_take(&image, fixture->directory);
    assert_null(image_file(&image, names[0]));
    assert_null(image_file(&image, names[1])); /* not of a segment's size */
    assert_non_null(image_file(&image, names[2]));
    image_deinit(&image);
}

#define ROOMY_TEST(name) cmocka_unit_test_setup_teardown(name, setup_roomy, teardown)
#define TORN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_torn, teardown_torn)
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(every_flipped_byte_of_a_segment_is_refused_or_harmless),
        WORLD_TEST(every_flipped_byte_of_the_synced_file_is_harmless),
        WORLD_TEST(a_segment_cut_at_any_offset_is_refused),
        WORLD_TEST(a_segment_zeroed_from_any_offset_is_refused_or_has_all),
        WORLD_TEST(the_synced_file_cut_at_any_offset_is_harmless),
        WORLD_TEST(without_the_synced_file_only_the_last_batch_can_be_lost),
        WORLD_TEST(damage_before_a_later_batch_is_refused_without_a_mark),
        ROOMY_TEST(damage_in_the_last_segment_names_the_later_batch),
        WORLD_TEST(a_damaged_first_batch_is_refused_without_a_mark),
        WORLD_TEST(a_missing_middle_segment_is_refused),
        WORLD_TEST(a_missing_first_segment_that_had_live_entries_is_refused),
        WORLD_TEST(a_missing_last_segment_is_refused),
        WORLD_TEST(no_segment_at_all_is_refused_where_one_was_synced),
        WORLD_TEST(a_segment_under_another_ones_name_is_refused),
        WORLD_TEST(a_segment_of_another_log_is_refused),
        WORLD_TEST(a_mark_of_another_log_is_refused),
        WORLD_TEST(an_unknown_version_is_told_from_damage),
        ROOMY_TEST(a_record_of_an_unknown_kind_is_refused_by_its_version),
        TORN_TEST(a_torn_batch_is_cut_and_never_comes_back),
        TORN_TEST(sectors_that_come_late_do_not_bring_a_cut_batch_back),
        TORN_TEST(a_damaged_batch_that_was_reported_is_not_taken_for_a_torn_one),
        WORLD_TEST(files_half_made_are_deleted_and_strangers_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
