#include <fcntl.h>

#include "store/snapshot_format.h"
#include "system_testing.h"

static void fill(struct world *world, unsigned count, size_t size)
{
    uint8_t *value = mem_calloc(1, size);
    for (unsigned i = 0; i < count; i++) {
        char key[KEY_TEXT_SIZE];
        value[0] = (uint8_t)i;
        world_put(world, key_of(key, i), (struct slice){value, size});
    }
    mem_free(value);
}

/* Checks the whole; the region's state that came with it. */
static struct store_region check_all(const struct chunks *chunks)
{
    struct store_snapshot_check check = {0};
    for (size_t i = 0; i < chunks->count; i++) {
        struct reader records;
        assert_int_equal(store_snapshot_check(&check, chunk_at(chunks, i), &records), OK);
    }
    assert_true(check.is_complete);
    return check.region;
}

static void there_is_nothing_to_send_before_the_first_checkpoint(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_snapshot *snapshot;
    world_make(&world);
    assert_int_equal(store_snapshot_open(world.store, REGION, &snapshot), ERR_UNAVAILABLE);
    world_checkpoint(&world);
    assert_int_equal(store_snapshot_open(world.store, REGION, &snapshot), OK);
    assert_int_equal(store_snapshot_pos(snapshot).index, 1);
    assert_int_equal(store_snapshot_membership(snapshot)->conf.voters.ids[0], 7);
    store_snapshot_close(snapshot);
    assert_int_equal(store_snapshot_open(world.store, 99, &snapshot), ERR_UNAVAILABLE);
    world_remove(&world);
}

static void only_so_many_are_open_at_a_time(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_snapshot *snapshots[STORE_SNAPSHOTS_MAX];
    struct store_snapshot *another;
    world_make(&world);
    world_checkpoint(&world);
    for (size_t i = 0; i < STORE_SNAPSHOTS_MAX; i++) {
        assert_int_equal(store_snapshot_open(world.store, REGION, &snapshots[i]), OK);
    }
    assert_int_equal(store_snapshot_open(world.store, REGION, &another), ERR_UNAVAILABLE);
    store_snapshot_close(snapshots[0]);
    assert_int_equal(store_snapshot_open(world.store, REGION, &snapshots[0]), OK);
    for (size_t i = 0; i < STORE_SNAPSHOTS_MAX; i++) {
        store_snapshot_close(snapshots[i]);
    }
    world_remove(&world);
}

static void an_empty_state_is_a_header_and_an_end(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    struct chunks chunks = world_export(&world, 1000);
    assert_int_equal(chunks.count, 2);
    assert_int_equal(check_all(&chunks).applied.index, 1);
    writer_deinit(&chunks.bytes);
    world_remove(&world);
}

static void chunks_keep_to_their_size_unless_a_record_is_larger(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 77};
    world_make(&world);
    fill(&world, 20, 300);
    world_put(&world, SLICE_LITERAL("key-00000010-large"),
              (struct slice){(uint8_t[5000]){0}, 5000});
    struct chunks chunks = world_export(&world, 1000);
    struct store_region region = check_all(&chunks);
    assert_int_equal(region.keys, 21);
    assert_int_equal(region.clock_ms, 77);
    assert_int_equal(region.revision, world_region(&world)->revision);
    assert_true(hash128_equal(region.state_hash, world_region(&world)->state_hash));
    unsigned large = 0;
    for (size_t i = 0; i < chunks.count; i++) {
        size_t size = chunk_at(&chunks, i).size;
        large += size > 1000;
        assert_true(size <= 1000 || size < 5200);
        /* two of the small ones fit, and come together */
        assert_true(i == 0 || i + 1 == chunks.count || size > 600 || i + 2 >= chunks.count ||
                    chunk_at(&chunks, i + 1).size > 1000);
    }
    assert_int_equal(large, 1);
    writer_deinit(&chunks.bytes);
    world_remove(&world);
}

static void it_stays_at_its_state_while_checkpoints_go_on(void **state)
{
    (void)state;
    struct world world = {.options = {.map_size_bytes = 16u << 20}};
    struct store_snapshot *snapshot;
    struct chunks chunks = {0};
    world_make(&world);
    fill(&world, 100, 500);
    world_checkpoint(&world);
    struct store_region before = *world_region(&world);
    assert_int_equal(store_snapshot_open(world.store, REGION, &snapshot), OK);
    bool is_last = false;
    for (unsigned round = 0; !is_last; round++) {
        chunks.begins[chunks.count++] = chunks.bytes.size;
        assert_int_equal(store_snapshot_read(snapshot, 4000, &chunks.bytes, &is_last), OK);
        chunks.begins[chunks.count] = chunks.bytes.size;
        fill(&world, 100, 100 + round);
        char key[KEY_TEXT_SIZE];
        world_delete(&world, key_of(key, round));
        world_checkpoint(&world);
    }
    assert_true(chunks.count > 10);
    struct store_region region = check_all(&chunks);
    assert_int_equal(region.applied.index, before.applied.index);
    assert_true(hash128_equal(region.state_hash, before.state_hash));
    store_snapshot_close(snapshot);
    writer_deinit(&chunks.bytes);
    world_remove(&world);
}

/* A chunk has records of one space, and those of the system's come last. */
static void the_systems_records_have_chunks_of_their_own(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    fill_system(&world, 10);
    for (unsigned users = 0; users < 2; users++) {
        fill(&world, 5 * users, 30);
        struct chunks chunks = world_export(&world, 100000);
        assert_int_equal(chunks.count, 3 + users);
        assert_int_equal(chunk_at(&chunks, 1 + users).data[8], STORE_SNAPSHOT_SYSTEM_RECORDS);
        struct store_region region = check_all(&chunks);
        assert_int_equal(region.keys, 5 * users);
        assert_int_equal(region.system_keys, 10);
        assert_int_equal(region.system_bytes, world_region(&world)->system_bytes);
        writer_deinit(&chunks.bytes);
    }
    struct chunks chunks = world_export(&world, 200); /* several of each */
    assert_true(chunks.count > 6);
    assert_int_equal(check_all(&chunks).system_keys, 10);
    writer_deinit(&chunks.bytes);
    world_remove(&world);
}

/* One round of churn: a third is deleted, the rest gets other values, of another size. */
static void churn(struct world *world, unsigned round)
{
    uint8_t value[6000] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        char key[KEY_TEXT_SIZE];
        unsigned draw = (i * 2654435761u + round * 40503u) >> 8;
        size_t size = draw % 8 == 0 ? sizeof(value) - draw % 1900 : 50 + draw % 700;
        if (draw % 3 == 0) {
            world_delete(world, key_of(key, i));
        } else {
            world_put(world, key_of(key, i), (struct slice){value, size});
        }
    }
    world_checkpoint(world);
}

/* Every page that a reader has let go is used again: the file ends to grow. There is always one, a
 * new one each `patience` rounds; without an end to it, the file would have all rounds in it. */
static uint64_t size_after_churn(unsigned rounds, unsigned patience, uint64_t *out_used)
{
    struct world world = {.options = {.map_size_bytes = 64u << 20}};
    struct store_snapshot *snapshot = NULL;
    struct writer bytes = {0};
    bool is_last = true;
    world_make(&world);
    for (unsigned round = 0; round < rounds; round++) {
        churn(&world, round);
        if (round % patience == 0) {
            store_snapshot_close(snapshot);
            assert_int_equal(store_snapshot_open(world.store, REGION, &snapshot), OK);
            is_last = false;
        }
        if (!is_last) {
            writer_reset(&bytes);
            assert_int_equal(store_snapshot_read(snapshot, 64u << 10, &bytes, &is_last), OK);
        }
    }
    uint64_t size = store_stats(world.store)->size_bytes;
    *out_used = store_stats(world.store)->used_bytes;
    store_snapshot_close(snapshot);
    writer_deinit(&bytes);
    world_remove(&world);
    return size;
}

static void the_file_is_of_a_size_after_churn_while_snapshots_are_read(void **state)
{
    (void)state;
    uint64_t used = 0;
    uint64_t early = size_after_churn(30, 3, &used);
    uint64_t late = size_after_churn(120, 3, &used);
    assert_true(late <= early + early / 4);
    assert_true(late <= 8 * used);
    /* It is the readers' end that does it. */
    assert_true(size_after_churn(30, 100, &used) > 2 * late);
}

/* Flips one bit of the record in which the file has `needle`. */
static void damage(const char *path, struct slice needle)
{
    static uint8_t bytes[4u << 20];
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t size = pread(fd, bytes, sizeof(bytes), 0);
    assert_true(size > 0);
    const uint8_t *found = memmem(bytes, (size_t)size, needle.data, needle.size);
    assert_non_null(found);
    uint8_t byte = *found ^ 1;
    assert_int_equal(pwrite(fd, &byte, 1, found - bytes), 1);
    assert_int_equal(close(fd), 0);
}

static void a_damaged_record_is_never_sent(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_snapshot *snapshot;
    struct writer out = {0};
    bool is_last = false;
    world_make(&world);
    fill(&world, 3, 10);
    world_put(&world, SLICE_LITERAL("x"), SLICE_LITERAL("the needle"));
    world_checkpoint(&world);
    damage(world.place.data_path, SLICE_LITERAL("the needle"));
    assert_int_equal(store_snapshot_open(world.store, REGION, &snapshot), OK);
    assert_int_equal(store_snapshot_read(snapshot, 100, &out, &is_last), OK);
    err e;
    size_t size;
    do {
        size = out.size;
        e = store_snapshot_read(snapshot, 100, &out, &is_last);
    } while (e == OK);
    assert_int_equal(e, ERR_CORRUPT);
    assert_int_equal(out.size, size);
    assert_false(is_last);
    assert_null(memmem(out.data, out.size, "he needle", 9));
    assert_int_equal(store_stats(world.store)->corrupt_records, 1);
    assert_int_equal(store_snapshot_read(snapshot, 100, &out, &is_last), ERR_CORRUPT);
    store_snapshot_close(snapshot);
    writer_deinit(&out);
    world_remove(&world);
}

static void a_map_that_grows_cuts_it_off_and_another_can_be_opened(void **state)
{
    (void)state;
    struct world world = {.options = {.map_size_bytes = 1}};
    struct store_snapshot *snapshot;
    struct writer out = {0};
    bool is_last = false;
    world_make(&world);
    fill(&world, 10, 10);
    world_checkpoint(&world);
    assert_int_equal(store_snapshot_open(world.store, REGION, &snapshot), OK);
    assert_int_equal(store_snapshot_read(snapshot, 10, &out, &is_last), OK);
    assert_int_equal(store_snapshot_read(snapshot, 10, &out, &is_last), OK);
    size_t size = out.size;
    uint64_t map_size = store_stats(world.store)->map_size_bytes;
    fill(&world, 3000, 1000);
    world_checkpoint(&world);
    assert_true(store_stats(world.store)->map_size_bytes > map_size);
    assert_int_equal(store_snapshot_read(snapshot, 10, &out, &is_last), ERR_UNAVAILABLE);
    assert_int_equal(out.size, size);
    struct chunks chunks = world_export(&world, 100000);
    assert_int_equal(check_all(&chunks).keys, 3000);
    store_snapshot_close(snapshot);
    writer_deinit(&chunks.bytes);
    writer_deinit(&out);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_nothing_to_send_before_the_first_checkpoint),
        cmocka_unit_test(only_so_many_are_open_at_a_time),
        cmocka_unit_test(an_empty_state_is_a_header_and_an_end),
        cmocka_unit_test(chunks_keep_to_their_size_unless_a_record_is_larger),
        cmocka_unit_test(the_file_is_of_a_size_after_churn_while_snapshots_are_read),
        cmocka_unit_test(it_stays_at_its_state_while_checkpoints_go_on),
        cmocka_unit_test(the_systems_records_have_chunks_of_their_own),
        cmocka_unit_test(a_damaged_record_is_never_sent),
        cmocka_unit_test(a_map_that_grows_cuts_it_off_and_another_can_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
