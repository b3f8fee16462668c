/* Damaged logs that become what they were, out of others' entries; and those that cannot. */
#include "wal/wal_mend.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 4096u
#define ENTRY_SIZE 150u
#define SEGMENT_COUNT 3u

struct world {
    struct fixture fixture;
    struct image image;  /* whole */
    struct image found;  /* of the directory, to be compared */
    uint64_t last_index; /* of region 1, whose entries are all of term 1 + index / 10 */
    struct wal_mend *mend;
    struct err_note note;
};

static uint64_t term_of(uint64_t index)
{
    return 1 + index / 10;
}

static void append_as_a_node_does(struct world *world, uint32_t count)
{
    struct fixture *fixture = &world->fixture;
    struct raft_pos first = {.index = world->last_index + 1};
    first.term = term_of(first.index);
    struct hard_state hard_state = {first.term, 2, world->last_index};
    (void)append(fixture, 1, first, count, ENTRY_SIZE);
    world->last_index += count;
    fixture_wait(fixture, wal_append(fixture->wal, &(struct wal_append){
                                                       .region = 1,
                                                       .hard_state = &hard_state,
                                                   }));
}

/* Batches of one to three entries with a hard state each, over some segments. */
static int setup(void **state)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    struct fixture *fixture = &world->fixture;
    fixture_init(fixture, SEGMENT_SIZE);
    fixture_open(fixture);
    while (wal_segments_current(&fixture->wal->segments)->sequence < SEGMENT_COUNT ||
           world->last_index % 10 != 6) {
        uint32_t count = 1 + (uint32_t)(world->last_index % 3);
        bool fits = world->last_index % 10 + count < 10;
        append_as_a_node_does(world, fits ? count : 1);
    }
    fixture_crash(fixture, &world->image);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    wal_mend_close(world->mend);
    image_deinit(&world->found);
    image_deinit(&world->image);
    fixture_deinit(&world->fixture);
    mem_free(world);
    return 0;
}

static struct file_image *segment_of(struct world *world, uint32_t sequence)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "%016x.seg", sequence);
    struct file_image *file = image_file(&world->image, name);
    assert_non_null(file);
    return file;
}

/* Behind the last byte that is not zero. */
static size_t used(const struct file_image *file)
{
    size_t size = file->size;
    while (size > 0 && file->data[size - 1] == 0) {
        size--;
    }
    return size;
}

/* Where the record of entry `pos` begins. */
static struct wal_place find_record(struct world *world, struct raft_pos pos)
{
    for (uint32_t sequence = 1;; sequence++) {
        const struct file_image *file = segment_of(world, sequence);
        struct wal_header header;
        struct wal_record record;
        assert_int_equal(wal_header_decode(file->data, &header), OK);
        for (size_t at = WAL_SECTOR_SIZE; at < file->size; at++) {
            struct slice bytes = {file->data + at, file->size - at};
            if (wal_record_decode(bytes, header.crc, at, &record) == OK &&
                record.kind == WAL_KIND_ENTRY && load_u64(record.payload.data) == pos.index &&
                load_u64(record.payload.data + 8) == pos.term) {
                return (struct wal_place){sequence, (uint32_t)at};
            }
        }
    }
}

static struct wal_place find_entry(struct world *world, uint64_t index)
{
    return find_record(world, (struct raft_pos){term_of(index), index});
}

static void flip(struct world *world, struct wal_place place, uint32_t offset)
{
    segment_of(world, place.segment)->data[place.offset + offset] ^= 0x40;
}

/* Puts the image there, as it is damaged. */
static err try_to_mend(struct world *world)
{
    struct fixture *fixture = &world->fixture;
    wal_mend_close(world->mend);
    world->mend = NULL;
    image_put(&world->image, fixture->directory);
    assert_int_equal(fixture_try_open(fixture), ERR_DAMAGED);
    return wal_mend_open(&world->mend, &fixture->options, 1, &world->note);
}

static bool offer(struct world *world, uint32_t number, struct raft_pos pos)
{
    struct entry entry = {
        .pos = pos,
        .type = (enum entry_type)(pos.index % 4),
        .data = entry_data(1, pos, ENTRY_SIZE),
    };
    bool is_filled = wal_mend_offer(world->mend, number, &entry, 1);
    buf_unref(entry.data);
    return is_filled;
}

/* What a peer does that has everything. */
static void offer_all(struct world *world)
{
    struct wal_mend_gap gap = {.number = 0};
    while (wal_mend_next(world->mend, gap.number, &gap)) {
        for (uint64_t i = gap.low; i < gap.high && i <= world->last_index; i++) {
            if (offer(world, gap.number, (struct raft_pos){term_of(i), i})) {
                break;
            }
        }
        gap.number++;
    }
}

/* Byte for byte. */
static void expect_whole(struct world *world, struct file_image *damaged, size_t offset, uint8_t by)
{
    struct fixture *fixture = &world->fixture;
    damaged->data[offset] ^= by;
    image_deinit(&world->found);
    image_take(&world->found, fixture->directory);
    for (size_t i = 0; i < world->image.count; i++) {
        const struct file_image *file = &world->image.files[i];
        if (strstr(file->name, ".seg") != NULL) {
            const struct file_image *now = image_file(&world->found, file->name);
            assert_non_null(now);
            assert_int_equal(now->size, file->size);
            assert_memory_equal(now->data, file->data, file->size);
        }
    }
    damaged->data[offset] ^= by;
}

/* What is in the padding no CRC covers: there it is no damage. */
static void each_flipped_byte_of_a_record_is_mended(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = &world->fixture;
    uint32_t mended = 0;
    uint32_t left = 0;
    for (uint32_t sequence = 1; sequence <= SEGMENT_COUNT; sequence++) {
        struct file_image *file = segment_of(world, sequence);
        for (size_t at = WAL_SECTOR_SIZE; at < used(file); at++) {
            file->data[at] ^= 0x10;
            image_put(&world->image, fixture->directory);
            err e = fixture_try_open(fixture);
            if (e == OK) { /* padding */
                fixture_close(fixture);
            } else if (try_to_mend(world) == OK) {
                offer_all(world);
                if (wal_mend_left(world->mend) == 0) {
                    expect_whole(world, file, at, 0x10);
                    mended++;
                } else {
                    left++;
                }
            } else {
                fail_msg("%zu: %s", at, world->note.text);
            }
            file->data[at] ^= 0x10;
        }
    }
    assert_true(mended > 4000);
    /* The compaction mark at the end of each segment's first batch but the first's. */
    assert_int_equal(left, (SEGMENT_COUNT - 1) * (WAL_RECORD_HEAD_SIZE + WAL_POS_PAYLOAD_SIZE));
}

static void what_was_mended_is_opened_as_if_nothing_had_been(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = &world->fixture;
    for (uint64_t index = 2; index <= world->last_index; index += 3) { /* one node of three */
        flip(world, find_entry(world, index), 60);
    }
    assert_int_equal(try_to_mend(world), OK);
    assert_int_equal(wal_mend_count(world->mend), (world->last_index + 1) / 3);
    offer_all(world);
    assert_int_equal(wal_mend_left(world->mend), 0);
    wal_mend_close(world->mend);
    world->mend = NULL;
    fixture_open(fixture);
    expect_bounds(fixture, 1, 0, world->last_index);
    for (uint64_t index = 1; index <= world->last_index; index++) {
        expect_entry(fixture, 1, (struct raft_pos){term_of(index), index}, ENTRY_SIZE);
    }
    assert_int_equal(wal_hard_state(fixture->wal, 1).vote, 2);
}

static void neighbours_are_mended_together_from_whoever_has_them(void **state)
{
    struct world *world = *state;
    struct wal_mend_gap gap;
    uint64_t index = 5; /* two entries of one batch: setup */
    struct wal_place place = find_entry(world, index);
    struct wal_place next = find_entry(world, index + 1);
    assert_int_equal(next.offset, place.offset + WAL_ENTRY_RECORD_SIZE(ENTRY_SIZE));
    flip(world, place, 24); /* its size */
    flip(world, next, 100);
    assert_int_equal(try_to_mend(world), OK);
    assert_true(wal_mend_next(world->mend, 0, &gap));
    assert_int_equal(gap.low, index);
    assert_int_equal(gap.segment, place.segment);
    assert_int_equal(gap.offset, place.offset);
    assert_false(offer(world, 0, (struct raft_pos){term_of(index + 1), index + 1}));
    assert_true(offer(world, 0, (struct raft_pos){term_of(index), index}));
    assert_int_equal(wal_mend_left(world->mend), 0);
    assert_false(wal_mend_next(world->mend, 0, &gap));
}

static void an_entry_and_the_hard_state_behind_it_are_mended_together(void **state)
{
    struct world *world = *state;
    struct wal_place place = find_entry(world, 1); /* alone with it: setup */
    flip(world, place, 50);
    flip(world, place, (uint32_t)WAL_ENTRY_RECORD_SIZE(ENTRY_SIZE) + 50);
    struct file_image *file = segment_of(world, place.segment);
    assert_int_equal(try_to_mend(world), OK);
    assert_int_equal(wal_mend_count(world->mend), 1);
    assert_true(offer(world, 0, (struct raft_pos){1, 1}));
    file->data[place.offset + 50] ^= 0x40;
    expect_whole(world, file, place.offset + WAL_ENTRY_RECORD_SIZE(ENTRY_SIZE) + 50, 0x40);
}

static void what_was_not_there_is_never_taken(void **state)
{
    struct world *world = *state;
    struct raft_pos pos = {term_of(7), 7};
    flip(world, find_entry(world, 7), 40);
    assert_int_equal(try_to_mend(world), OK);
    image_take(&world->found, world->fixture.directory);
    assert_false(offer(world, 0, (struct raft_pos){pos.term + 1, 7})); /* of another term */
    assert_false(offer(world, 0, (struct raft_pos){term_of(8), 8}));   /* another entry */
    for (size_t byte = 0; byte < ENTRY_SIZE; byte++) {
        struct entry entry = {.pos = pos, .type = (enum entry_type)(7 % 4)};
        entry.data = entry_data(1, pos, ENTRY_SIZE);
        entry.data->data[byte] ^= 1;
        assert_false(wal_mend_offer(world->mend, 0, &entry, 1));
        buf_unref(entry.data);
    }
    struct entry other_type = {.pos = pos, .type = ENTRY_NORMAL};
    other_type.data = entry_data(1, pos, ENTRY_SIZE);
    assert_false(wal_mend_offer(world->mend, 0, &other_type, 1));
    buf_unref(other_type.data);
    struct image now;
    image_take(&now, world->fixture.directory); /* nothing was written */
    for (size_t i = 0; i < now.count; i++) {
        assert_memory_equal(now.files[i].data, world->found.files[i].data, now.files[i].size);
    }
    image_deinit(&now);
    assert_true(offer(world, 0, pos));
}

/* Of what a later leader replaced, on both sides of the cut. */
static void a_truncation_is_mended_as_well(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = &world->fixture;
    const struct raft_pos cases[] = {{3, 46}, {4, 43}, {4, 46}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        directory_clear(fixture->directory);
        fixture_open(fixture);
        append_wait(fixture, 1, (struct raft_pos){3, 1}, 42, 0);
        append_wait(fixture, 1, (struct raft_pos){3, 43}, 4, ENTRY_SIZE);
        append_wait(fixture, 1, (struct raft_pos){4, i < 2 ? 43 : 46}, 2, ENTRY_SIZE);
        image_deinit(&world->image);
        fixture_crash(fixture, &world->image);
        struct wal_place place = find_record(world, cases[i]);
        flip(world, place, 70);
        assert_int_equal(try_to_mend(world), OK);
        assert_int_equal(wal_mend_left(world->mend), 1);
        assert_false(offer(world, 0, (struct raft_pos){1, cases[i].index}));
        assert_true(offer(world, 0, cases[i]));
        expect_whole(world, segment_of(world, place.segment), place.offset + 70, 0x40);
    }
}

static void what_is_whole_in_a_damaged_log_can_be_read(void **state)
{
    struct world *world = *state;
    struct entry entries[10];
    flip(world, find_entry(world, 4), 90);
    assert_int_equal(try_to_mend(world), OK);
    struct wal_range range = {.region = 1, .low = 1, .high = 9, .size_max = 1 << 20};
    uint32_t count = wal_mend_read(world->mend, &range, entries);
    assert_int_equal(count, 7);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = i < 3 ? i + 1 : i + 2;
        assert_int_equal(entries[i].pos.index, index);
        assert_int_equal(entries[i].pos.term, term_of(index));
        struct buf *expected = entry_data(1, entries[i].pos, ENTRY_SIZE);
        assert_true(slice_equal(buf_slice(entries[i].data), buf_slice(expected)));
        buf_unref(expected);
        buf_unref(entries[i].data);
    }
    range.size_max = 1;
    assert_int_equal(wal_mend_read(world->mend, &range, entries), 1);
    buf_unref(entries[0].data);
    range = (struct wal_range){.region = 1, .low = 4, .high = 5};
    assert_int_equal(wal_mend_read(world->mend, &range, entries), 0);
    assert_true(offer(world, 0, (struct raft_pos){term_of(4), 4}));
    assert_int_equal(wal_mend_read(world->mend, &range, entries), 1);
    buf_unref(entries[0].data);
}

static void other_damage_is_left_to_others(void **state)
{
    struct world *world = *state;
    struct file_image *file = segment_of(world, 2);
    file->data[100] ^= 1; /* a header */
    assert_int_equal(try_to_mend(world), ERR_UNAVAILABLE);
    file->data[100] ^= 1;
    memset(file->data + WAL_SECTOR_SIZE, 0xff, 2048); /* more than a batch */
    assert_int_equal(try_to_mend(world), ERR_UNAVAILABLE);
    assert_non_null(strstr(world->note.text, "0000000000000002.seg: at offset 512"));
    image_remove(&world->image, file->name); /* a file */
    assert_int_equal(try_to_mend(world), ERR_UNAVAILABLE);
}

static void what_may_be_torn_is_no_hole(void **state)
{
    struct world *world = *state;
    struct file_image *file = image_last_segment(&world->image);
    image_remove(&world->image, "synced");
    file = image_last_segment(&world->image);
    file->data[used(file) - 1] ^= 1; /* of the last batch: torn, for all that can be told */
    flip(world, find_entry(world, 2), 60);
    assert_int_equal(try_to_mend(world), OK);
    assert_int_equal(wal_mend_count(world->mend), 1);
    offer_all(world);
    assert_int_equal(wal_mend_left(world->mend), 0);
    wal_mend_close(world->mend);
    world->mend = NULL;
    fixture_open(&world->fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_flipped_byte_of_a_record_is_mended, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_mended_is_opened_as_if_nothing_had_been, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(neighbours_are_mended_together_from_whoever_has_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_entry_and_the_hard_state_behind_it_are_mended_together,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_there_is_never_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncation_is_mended_as_well, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_whole_in_a_damaged_log_can_be_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_damage_is_left_to_others, setup, teardown),
        cmocka_unit_test_setup_teardown(what_may_be_torn_is_no_hole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
