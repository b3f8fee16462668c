/* What may have stood in a damaged stretch of the log, and what cannot have. */
#include "wal/wal_hole.h"
#include "wal_testing.h"

#define HEADER_CRC 0x12345678u
#define AT 1024u

/* One batch as an append writes it: two entries and a hard state. */
struct world {
    struct wal_batch batch;
    struct writer bytes;  /* with the padding */
    uint32_t crcs[3];     /* of its records */
    uint64_t offsets[3];  /* in the bytes */
    struct entry told[2]; /* entries 5 and 6 */
    struct writer out;
};

static const struct hard_state promised = {.term = 4, .vote = 2, .commit = 3};

static int setup(void **state)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    for (uint64_t i = 0; i < 2; i++) {
        struct raft_pos pos = {.term = 4, .index = 5 + i};
        world->told[i] = (struct entry){pos, ENTRY_NORMAL, entry_data(1, pos, 20 + i)};
        wal_batch_add_entry(&world->batch, 1, &world->told[i]);
    }
    wal_batch_add_hard_state(&world->batch, 1, &promised);
    struct wal_seal seal = {HEADER_CRC, AT, 7, 0, 0xabcdu};
    int part_count = 0;
    uint32_t last_crc = wal_batch_seal(&world->batch, &seal, SLICE_EMPTY, &part_count);
    for (int i = 0; i < part_count; i++) {
        const struct iovec *part = &world->batch.parts[i];
        writer_bytes(&world->bytes, (struct slice){part->iov_base, part->iov_len});
    }
    uint64_t offset = 0;
    for (int i = 0; i < 3; i++) {
        struct slice rest = {world->bytes.data + offset, world->bytes.size - offset};
        struct wal_record record;
        assert_int_equal(wal_record_decode(rest, HEADER_CRC, AT + offset, &record), OK);
        world->offsets[i] = offset;
        world->crcs[i] = record.crc;
        offset += wal_record_size(&record);
    }
    assert_int_equal(world->crcs[2], last_crc);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    buf_unref(world->told[0].data);
    buf_unref(world->told[1].data);
    wal_batch_deinit(&world->batch);
    writer_deinit(&world->bytes);
    writer_deinit(&world->out);
    mem_free(world);
    return 0;
}

/* Records [first, last]. */
static struct wal_hole hole_of(const struct world *world, int first, int last)
{
    return (struct wal_hole){
        .header_crc = HEADER_CRC,
        .offset = AT + world->offsets[first],
        .end = AT + (last == 2 ? world->bytes.size : world->offsets[last + 1]),
        .batch = 7,
        .is_first = first == 0,
        .is_last = last == 2,
        .previous_crc = first == 0 ? 0xabcdu : world->crcs[first - 1],
        .crc = world->crcs[last],
        .region = 1,
        .low = 5,
        .high = 7,
        .before = {.term = 4, .vote = 2, .commit = 1},
        .after = {.term = 4, .vote = 2, .commit = 6},
        .has_after = true,
    };
}

static bool fill(struct world *world, const struct wal_hole *hole)
{
    writer_reset(&world->out);
    return wal_hole_fill(hole, world->told, &world->out);
}

/* A hard state alone: no entry is known. */
static bool fill_alone(struct world *world, const struct wal_hole *hole)
{
    static const struct entry none[2];
    writer_reset(&world->out);
    return wal_hole_fill(hole, none, &world->out);
}

static void whatever_one_append_wrote_is_found(void **state)
{
    struct world *world = *state;
    for (int first = 0; first < 3; first++) {
        for (int last = first; last < 3; last++) {
            struct wal_hole hole = hole_of(world, first, last);
            assert_true(first == 2 ? fill_alone(world, &hole) : fill(world, &hole));
            assert_int_equal(world->out.size, hole.end - hole.offset);
            assert_memory_equal(world->out.data, world->bytes.data + world->offsets[first],
                                world->out.size);
        }
    }
}

static void a_filling_with_another_crc_is_none(void **state)
{
    struct world *world = *state;
    for (int first = 0; first < 3; first++) {
        struct wal_hole hole = hole_of(world, first, 2);
        hole.crc ^= 1;
        assert_false(fill(world, &hole));
        assert_int_equal(world->out.size, 0);
        hole.crc ^= 1;
        hole.offset -= 16; /* another place, and another size */
        assert_false(fill(world, &hole));
        hole.offset += 16;
        hole.batch++;
        assert_false(fill(world, &hole));
    }
}

static void without_its_entries_a_hole_stays(void **state)
{
    struct world *world = *state;
    struct wal_hole hole = hole_of(world, 0, 2);
    world->told[0].pos.index = 0;
    assert_false(fill(world, &hole));
    hole = hole_of(world, 1, 1);
    assert_true(fill(world, &hole));
    world->told[1].pos.term++;
    assert_false(fill(world, &hole));
}

static void a_hard_state_is_found_between_its_neighbours_alone(void **state)
{
    struct world *world = *state;
    struct wal_hole hole = hole_of(world, 2, 2);
    assert_false(fill(world, &hole)); /* it was looked for before */
    hole.before = (struct hard_state){.term = 3, .vote = 1, .commit = 0};
    assert_true(fill_alone(world, &hole)); /* as behind it */
    hole.after.vote = 3;
    assert_false(fill_alone(world, &hole));
    hole.after = (struct hard_state){.term = 4, .vote = 2, .commit = 2};
    assert_false(fill_alone(world, &hole));
    hole.before = (struct hard_state){.term = 4, .vote = 2, .commit = 3};
    hole.has_after = false;
    assert_true(fill_alone(world, &hole)); /* as before it */
    hole.before.commit = 4;
    assert_false(fill_alone(world, &hole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_one_append_wrote_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filling_with_another_crc_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(without_its_entries_a_hole_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hard_state_is_found_between_its_neighbours_alone, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
