#include <fcntl.h>
#include <lmdb.h>

#include "base/crc32c.h"
#include "store/checkpoint.h"
#include "store/record.h"
#include "store/store.h"
#include "system_testing.h"

/* ---- reading through the layers ---- */

static void the_newest_of_tail_frozen_tail_and_lmdb_is_read(void **state)
{
    (void)state;
    const struct slice keys[] = {SLICE_LITERAL("put"), SLICE_LITERAL("deleted"),
                                 SLICE_LITERAL("left alone")};
    struct world world = {0};
    world_make(&world);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        world_put(&world, keys[i], SLICE_LITERAL("in lmdb"));
    }
    world_checkpoint(&world);
    assert_int_equal(store_stats(world.store)->tail_records, 0);
    assert_value(&world, keys[0], SLICE_LITERAL("in lmdb"));
    world_put(&world, keys[0], SLICE_LITERAL("frozen"));
    world_delete(&world, keys[1]);
    store_checkpoint(world.store); /* under way until the loop runs */
    for (int i = 0; i < 100; i++) {
        assert_value(&world, keys[0], SLICE_LITERAL("frozen"));
        assert_no_value(&world, keys[1], ERR_NOT_FOUND);
        assert_value(&world, keys[2], SLICE_LITERAL("in lmdb"));
        assert_no_value(&world, SLICE_LITERAL("never there"), ERR_NOT_FOUND);
    }
    world_delete(&world, keys[0]);
    world_put(&world, keys[1], SLICE_LITERAL("in the tail"));
    assert_no_value(&world, keys[0], ERR_NOT_FOUND);
    assert_value(&world, keys[1], SLICE_LITERAL("in the tail"));
    for (int i = 0; i < 2; i++) {
        world_checkpoint(&world); /* first the one under way, then that of the tail */
        assert_no_value(&world, keys[0], ERR_NOT_FOUND);
        assert_value(&world, keys[1], SLICE_LITERAL("in the tail"));
        assert_value(&world, keys[2], SLICE_LITERAL("in lmdb"));
    }
    assert_int_equal(store_stats(world.store)->tail_records, 0);
    world_remove(&world);
}

static void values_of_every_size_come_back(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 1900, 2038, 2100, 4096, 100000, 8u << 20};
    struct world world = {0};
    world_make(&world);
    struct buf *bytes = buf_new(8u << 20);
    for (size_t i = 0; i < bytes->size; i++) {
        bytes->data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    for (int round = 0; round < 3; round++) { /* from the tail, from LMDB, from LMDB once more */
        for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
            char text[KEY_TEXT_SIZE];
            struct slice key = key_of(text, sizes[i]);
            struct slice value = {bytes->data, sizes[i]};
            if (round == 0) {
                world_put(&world, key, value);
            }
            assert_value(&world, key, value);
        }
        if (round == 0) {
            world_checkpoint(&world);
        } else if (round == 1) {
            world_reopen(&world);
        }
    }
    buf_unref(bytes);
    world_remove(&world);
}

static void keys_are_any_bytes_up_to_the_limit(void **state)
{
    (void)state;
    uint8_t longest[KEY_SIZE_MAX];
    uint8_t neighbour[KEY_SIZE_MAX];
    memset(longest, 0xff, sizeof(longest));
    memset(neighbour, 0xff, sizeof(neighbour));
    neighbour[KEY_SIZE_MAX - 1] = 0;
    const struct slice keys[] = {{longest, sizeof(longest)},  {neighbour, sizeof(neighbour)},
                                 {longest, KEY_SIZE_MAX - 1}, SLICE_LITERAL("\0"),
                                 SLICE_LITERAL("\0\0"),       SLICE_LITERAL("a"),
                                 SLICE_LITERAL("a\0"),        SLICE_LITERAL("a\0b"),
                                 SLICE_LITERAL("a/../b//c"),  SLICE_LITERAL("\xff")};
    struct world world = {0};
    world_make(&world);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
            uint8_t number = (uint8_t)i;
            if (round == 0) {
                world_put(&world, keys[i], (struct slice){&number, 1});
            }
        }
        for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
            uint8_t number = (uint8_t)i;
            assert_value(&world, keys[i], (struct slice){&number, 1});
        }
        world_checkpoint(&world);
        store_apply_nothing(world.store, REGION, world_next(&world));
    }
    assert_int_equal(world_region(&world)->keys, ARRAY_COUNT(keys));
    world_remove(&world);
}

static void a_record_outlives_what_it_was_read_from(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_record from_tail;
    struct store_record from_lmdb;
    world_make(&world);
    world_put(&world, SLICE_LITERAL("k"), SLICE_LITERAL("value"));
    assert_int_equal(store_get(world.store, SLICE_LITERAL("k"), &from_tail), OK);
    world_checkpoint(&world);
    assert_int_equal(store_get(world.store, SLICE_LITERAL("k"), &from_lmdb), OK);
    world_remove(&world);
    assert_true(slice_equal(from_tail.value, SLICE_LITERAL("value")));
    assert_true(slice_equal(from_lmdb.value, SLICE_LITERAL("value")));
    buf_unref(from_tail.owner);
    buf_unref(from_lmdb.owner);
}

/* ---- opening again ---- */

static void a_checkpoint_survives_and_the_tail_comes_from_the_log(void **state)
{
    (void)state;
    struct world world = {.stamp_ms = 1000};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    world_put(&world, SLICE_LITERAL("b"), SLICE_LITERAL("2"));
    world_checkpoint(&world);
    struct store_region durable = *world_region(&world);
    assert_int_equal(durable.checkpoint.index, 3);
    world.stamp_ms = 2000;
    world_delete(&world, SLICE_LITERAL("a"));
    world_put(&world, SLICE_LITERAL("b"), SLICE_LITERAL("3"));
    struct store_region last = *world_region(&world);
    assert_int_equal(last.applied.index, 5);
    assert_int_equal(last.checkpoint.index, 3);

    world_reopen(&world); /* a crash: the tail is gone */
    assert_int_equal(world.index, 3);
    const struct store_region *region = world_region(&world);
    assert_true(hash128_equal(region->state_hash, durable.state_hash));
    assert_int_equal(region->checkpoint.index, 3);
    assert_int_equal(region->revision, 2);
    assert_int_equal(region->clock_ms, 1000);
    assert_int_equal(region->keys, 2);
    assert_int_equal(region->key_bytes, 2);
    assert_int_equal(region->value_bytes, 2);
    assert_string_equal(membership_find(&region->membership, 7)->peer_address, "127.0.0.1:4000");
    assert_value(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));

    world_delete(&world, SLICE_LITERAL("a")); /* the log's entries 4 and 5 */
    world_put(&world, SLICE_LITERAL("b"), SLICE_LITERAL("3"));
    assert_true(hash128_equal(world_region(&world)->state_hash, last.state_hash));
    assert_int_equal(world_region(&world)->revision, last.revision);
    world_remove(&world);
}

static void records_of_the_systems_are_kept_with_the_users(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    fill_system(&world, 10);
    world_put(&world, SLICE_LITERAL("key-00000003"), SLICE_LITERAL("a user's"));
    world_checkpoint(&world);
    struct store_region durable = *world_region(&world);
    assert_int_equal(durable.keys, 1);
    assert_int_equal(durable.system_keys, 10);
    assert_int_equal(durable.system_bytes, 10 * (12 + 19));
    world_put_system(&world, SLICE_LITERAL("lost"), SLICE_EMPTY); /* with the tail */
    world_delete_system(&world, SLICE_LITERAL("key-00000003"));
    assert_int_equal(world_region(&world)->system_keys, 10);
    world_reopen(&world);
    const struct store_region *region = world_region(&world);
    assert_true(hash128_equal(region->state_hash, durable.state_hash));
    assert_int_equal(region->system_keys, 10);
    assert_int_equal(region->system_bytes, durable.system_bytes);
    assert_no_system_value(&world, SLICE_LITERAL("lost"));
    assert_system_value(&world, SLICE_LITERAL("key-00000003"),
                        SLICE_LITERAL("the system's 000003"));
    assert_value(&world, SLICE_LITERAL("key-00000003"), SLICE_LITERAL("a user's"));
    assert_int_equal(store_stats(world.store)->checkpoint_records, 11);
    /* Without them it has the hash that it has without them. */
    for (unsigned i = 0; i < 10; i++) {
        char key[KEY_TEXT_SIZE];
        world_delete_system(&world, key_of(key, i));
    }
    world_checkpoint(&world);
    assert_int_equal(world_region(&world)->system_keys, 0);
    assert_int_equal(world_region(&world)->system_bytes, 0);
    assert_int_equal(store_stats(world.store)->checkpoint_records, 1);
    struct store_record record;
    assert_int_equal(store_get(world.store, SLICE_LITERAL("key-00000003"), &record), OK);
    assert_true(hash128_equal(world_region(&world)->state_hash,
                              store_record_hash(&record, SLICE_LITERAL("key-00000003"))));
    buf_unref(record.owner);
    world_remove(&world);
}

/* What the version before the system's space would have left: no such database, a state of format
 * 1, which ends its figures at byte 81 (README.md). */
static void make_older(const struct world *world)
{
    MDB_env *mdb;
    MDB_txn *txn;
    MDB_dbi system;
    MDB_dbi meta;
    uint8_t name[] = "region/\0\0\0\0\0\0\0\1";
    MDB_val key = {sizeof(name) - 1, name};
    MDB_val value;
    uint8_t state[1024];
    assert_int_equal(mdb_env_create(&mdb), 0);
    assert_int_equal(mdb_env_set_maxdbs(mdb, 3), 0);
    assert_int_equal(mdb_env_open(mdb, world->place.store_directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(mdb, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "system", 0, &system), 0);
    assert_int_equal(mdb_drop(txn, system, 1), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_get(txn, meta, &key, &value), 0);
    assert_true(value.mv_size <= sizeof(state));
    const uint8_t *bytes = value.mv_data;
    size_t size = value.mv_size - 40;
    memcpy(state, bytes, 81);
    memcpy(state + 81, bytes + 81 + 40, size - 81);
    state[0] = 1;
    store_u32(state + size - 4, crc32c(0, state, size - 4));
    value = (MDB_val){size, state};
    assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(mdb);
}

static bool never_called(void *ctx, struct slice key, struct slice bytes)
{
    (void)ctx;
    (void)key;
    (void)bytes;
    fail();
    return false;
}

/* Nobody has written to it: it has no such database, which is as good as an empty one. */
static void assert_looks_empty(const struct world *world)
{
    struct checkpoint *checkpoint;
    struct slice key;
    struct slice bytes;
    struct checkpoint_options options = {
        .env = world->place.env, .directory = world->place.store_directory, .is_read_only = true};
    assert_int_equal(store_checkpoint_open(&checkpoint, &options, NULL), OK);
    struct checkpoint_figures figures = store_checkpoint_figures(checkpoint);
    assert_int_equal(figures.records[STORE_SPACE_USER], 1);
    assert_int_equal(figures.records[STORE_SPACE_SYSTEM], 0);
    enum store_space space = STORE_SPACE_SYSTEM;
    err e = store_checkpoint_get(checkpoint, space, SLICE_LITERAL("a"), &bytes);
    assert_int_equal(e, ERR_NOT_FOUND);
    e = store_checkpoint_seek(checkpoint, space, SLICE_EMPTY, &key, &bytes);
    assert_int_equal(e, ERR_NOT_FOUND);
    e = store_checkpoint_each(checkpoint, space, SLICE_EMPTY, never_called, NULL);
    assert_int_equal(e, OK);
    e = store_checkpoint_get(checkpoint, STORE_SPACE_USER, SLICE_LITERAL("a"), &bytes);
    assert_int_equal(e, OK);
    store_checkpoint_close(checkpoint);
}

static void a_file_that_is_older_than_the_systems_space_gets_it(void **state)
{
    (void)state;
    struct world world = {.options = {.map_size_bytes = 1}};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    world_checkpoint(&world);
    struct store_region before = *world_region(&world);
    store_close(world.store);
    make_older(&world);
    assert_looks_empty(&world);
    for (unsigned i = 0; i < 2; i++) { /* the second time it has the space, and still that state */
        world_open(&world);
        assert_int_equal(world.index, before.applied.index);
        assert_true(hash128_equal(world_region(&world)->state_hash, before.state_hash));
        assert_int_equal(world_region(&world)->system_keys, 0);
        assert_value(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
        assert_no_system_value(&world, SLICE_LITERAL("a"));
        store_close(world.store);
        assert_looks_empty(&world);
    }
    world_open(&world);
    world_put_system(&world, SLICE_LITERAL("a"), SLICE_LITERAL("the system's"));
    world_checkpoint(&world);
    world_reopen(&world);
    assert_system_value(&world, SLICE_LITERAL("a"), SLICE_LITERAL("the system's"));
    assert_value(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    world_remove(&world);
}

static void note_region(void *ctx, const struct store_region *region)
{
    struct writer *out = ctx;
    writer_format(out, "%llu@%llu ", (unsigned long long)region->id,
                  (unsigned long long)region->checkpoint.index);
}

static void regions_are_kept_apart_and_in_order(void **state)
{
    (void)state;
    const region_id ids[] = {300, 2, 41};
    struct membership membership = {.conf = {.voters = {.count = 1, .ids = {7}}}};
    struct world world = {0};
    world_make(&world);
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        for (uint64_t index = 1; index <= i + 1; index++) {
            store_apply_membership(world.store, ids[i], (struct raft_pos){1, index}, &membership);
        }
    }
    world_checkpoint(&world);
    store_apply_membership(world.store, 41, (struct raft_pos){1, 4}, &membership);
    world_checkpoint(&world); /* only one has moved */
    world_reopen(&world);
    struct writer out = {0};
    store_regions(world.store, note_region, &out);
    writer_u8(&out, '\0');
    assert_string_equal(out.data, "1@1 2@2 41@4 300@1 ");
    assert_null(store_region(world.store, 42));
    writer_deinit(&out);
    world_remove(&world);
}

/* ---- damage ---- */

/* Where `bytes` stand in the data file: once. */
static off_t find_in_file(const char *path, struct slice bytes)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    size_t size = (size_t)lseek(fd, 0, SEEK_END);
    uint8_t *file = mem_alloc(size);
    assert_int_equal(pread(fd, file, size, 0), size);
    close(fd);
    const uint8_t *found = memmem(file, size, bytes.data, bytes.size);
    assert_non_null(found);
    size_t rest = size - (size_t)(found - file) - 1;
    assert_null(memmem(found + 1, rest, bytes.data, bytes.size));
    off_t offset = found - file;
    mem_free(file);
    return offset;
}

static void flip(const char *path, off_t offset, unsigned bit)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= (uint8_t)(1u << bit);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

#define TARGET SLICE_LITERAL("target")
#define TARGET_VALUE SLICE_LITERAL("a value that stands nowhere else")
#define TARGET_TYPE SLICE_LITERAL("text/x-target")

/* Puts three keys into LMDB; returns where the record of the second begins, and its size. */
static off_t put_target(struct world *world, size_t *out_size)
{
    struct command command = {
        .type = COMMAND_PUT, .key = TARGET, .value = TARGET_VALUE, .content_type = TARGET_TYPE};
    world_put(world, SLICE_LITERAL("before"), SLICE_LITERAL("first neighbour"));
    world_apply(world, &command);
    world_put(world, SLICE_LITERAL("zafter"), SLICE_LITERAL("second neighbour"));
    world_checkpoint(world);
    *out_size = STORE_RECORD_HEAD_SIZE + TARGET_TYPE.size + TARGET_VALUE.size;
    off_t value = find_in_file(world->place.data_path, TARGET_VALUE);
    return value - (off_t)(STORE_RECORD_HEAD_SIZE + TARGET_TYPE.size);
}

static void a_flipped_bit_in_a_record_is_an_error_of_that_key_alone(void **state)
{
    (void)state;
    struct world world = {0};
    size_t size;
    world_make(&world);
    off_t begin = put_target(&world, &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        off_t offset = begin + (off_t)(bit / 8);
        flip(world.place.data_path, offset, bit % 8);
        assert_no_value(&world, TARGET, ERR_CORRUPT);
        assert_value(&world, SLICE_LITERAL("before"), SLICE_LITERAL("first neighbour"));
        assert_value(&world, SLICE_LITERAL("zafter"), SLICE_LITERAL("second neighbour"));
        flip(world.place.data_path, offset, bit % 8);
    }
    assert_value(&world, TARGET, TARGET_VALUE);
    assert_int_equal(store_stats(world.store)->corrupt_records, 8 * size);
    world_remove(&world);
}

static void writing_over_a_damaged_value_heals_it(void **state)
{
    (void)state;
    struct world world = {0};
    size_t size;
    world_make(&world);
    off_t begin = put_target(&world, &size);
    struct store_region before = *world_region(&world);
    flip(world.place.data_path, begin + (off_t)size - 1, 0);
    assert_no_value(&world, TARGET, ERR_CORRUPT);
    struct command_result result = world_put(&world, TARGET, SLICE_LITERAL("new"));
    assert_true(result.existed);
    assert_int_equal(result.create_revision, 2);
    assert_int_equal(result.version, 2);
    assert_value(&world, TARGET, SLICE_LITERAL("new"));
    world_checkpoint(&world);
    assert_value(&world, TARGET, SLICE_LITERAL("new"));
    assert_int_equal(world_region(&world)->value_bytes, before.value_bytes - TARGET_VALUE.size + 3);
    world_remove(&world);
}

static void write_over_a_damaged_head(void *ctx)
{
    struct world *world = ctx;
    size_t size;
    world_make_in_child(world);
    off_t begin = put_target(world, &size);
    flip(world->place.data_path, begin + 30, 0);
    world_put(world, TARGET, SLICE_LITERAL("new"));
}

static void writing_over_a_damaged_head_ends_the_process(void **state)
{
    (void)state;
    struct world world = {0};
    place_make(&world.place);
    assert_true(exited_with(status_of(write_over_a_damaged_head, &world), 1));
    place_remove(&world.place);
}

static void expect_refusal(struct world *world, err expected, const char *said)
{
    struct err_note note = {""};
    assert_int_equal(store_open(&world->store, &world->options, &note), expected);
    assert_non_null(strstr(note.text, said));
    world->store = NULL;
}

static void a_damaged_region_state_is_refused_at_opening(void **state)
{
    (void)state;
    struct world world = {0};
    size_t size;
    world_make(&world);
    (void)put_target(&world, &size);
    store_close(world.store);
    off_t address = find_in_file(world.place.data_path, SLICE_LITERAL("127.0.0.1:4000"));
    flip(world.place.data_path, address, 3);
    expect_refusal(&world, ERR_DAMAGED, "region's state");
    flip(world.place.data_path, address, 3);
    world_open(&world);
    world_remove(&world);
}

static void a_state_that_does_not_fit_the_records_is_refused(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    world_put(&world, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    world_checkpoint(&world);
    store_close(world.store);
    struct checkpoint *checkpoint;
    struct checkpoint_options options = {.env = world.place.env,
                                         .directory = world.place.store_directory,
                                         .map_size_bytes = 1 << 20};
    assert_int_equal(store_checkpoint_open(&checkpoint, &options, NULL), OK);
    struct store_tail *tail = store_tail_new();
    store_tail_delete(tail, SLICE_LITERAL("a")); /* the record goes, the state stays */
    struct checkpoint_batch batch = {.tails.of[STORE_SPACE_USER] = tail};
    assert_int_equal(store_checkpoint_write(checkpoint, &batch), OK);
    store_tail_free(tail);
    store_checkpoint_close(checkpoint);
    expect_refusal(&world, ERR_DAMAGED, "number of records");
    place_remove(&world.place);
}

static void a_state_that_does_not_fit_the_systems_records_is_refused(void **state)
{
    (void)state;
    struct world world = {0};
    world_make(&world);
    fill_system(&world, 3);
    store_find_region(world.store, REGION)->system_keys++;
    world_checkpoint(&world);
    store_close(world.store);
    expect_refusal(&world, ERR_DAMAGED, "number of records");
    place_remove(&world.place);
}

static void a_cut_file_is_refused_and_nothing_is_kept_open(void **state)
{
    (void)state;
    struct world world = {0};
    size_t size;
    world_make(&world);
    (void)put_target(&world, &size);
    store_close(world.store);
    assert_int_equal(truncate(world.place.data_path, 12288), 0);
    expect_refusal(&world, ERR_DAMAGED, "cut");
    expect_refusal(&world, ERR_DAMAGED, "cut"); /* not busy */
    place_remove(&world.place);
}

/* ---- the rest ---- */

static void the_figures_are_those_of_the_file(void **state)
{
    (void)state;
    struct world world = {.options = {.map_size_bytes = 1 << 20}};
    world_make(&world);
    const struct store_stats *stats = store_stats(world.store);
    assert_int_equal(stats->map_size_bytes, 1 << 20);
    assert_int_equal(stats->checkpoints, 0);
    uint64_t empty = stats->size_bytes;
    struct buf *value = buf_new(3 << 20);
    memset(value->data, 0, value->size);
    world_put(&world, SLICE_LITERAL("k"), buf_slice(value));
    assert_true(stats->tail_bytes > value->size);
    assert_int_equal(stats->tail_records, 1);
    world_checkpoint(&world);
    assert_true(stats->tail_bytes < 10000);
    assert_int_equal(stats->tail_records, 0);
    assert_true(stats->size_bytes >= empty + value->size);
    assert_true(stats->used_bytes >= value->size);
    assert_true(stats->used_bytes <= stats->size_bytes);
    assert_true(stats->map_size_bytes >= stats->size_bytes); /* it grew from a MiB */
    assert_int_equal(stats->checkpoints, 1);
    assert_int_equal(stats->checkpoint_us.count, 1);
    world_delete(&world, SLICE_LITERAL("k"));
    world_checkpoint(&world);
    assert_true(stats->used_bytes < value->size);
    assert_string_equal(store_engine(), "lmdb");
    assert_string_equal(store_path(world.store), world.place.data_path);
    buf_unref(value);
    world_remove(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_tail_frozen_tail_and_lmdb_is_read),
        cmocka_unit_test(values_of_every_size_come_back),
        cmocka_unit_test(keys_are_any_bytes_up_to_the_limit),
        cmocka_unit_test(a_record_outlives_what_it_was_read_from),
        cmocka_unit_test(a_checkpoint_survives_and_the_tail_comes_from_the_log),
        cmocka_unit_test(records_of_the_systems_are_kept_with_the_users),
        cmocka_unit_test(a_file_that_is_older_than_the_systems_space_gets_it),
        cmocka_unit_test(regions_are_kept_apart_and_in_order),
        cmocka_unit_test(a_flipped_bit_in_a_record_is_an_error_of_that_key_alone),
        cmocka_unit_test(writing_over_a_damaged_value_heals_it),
        cmocka_unit_test(writing_over_a_damaged_head_ends_the_process),
        cmocka_unit_test(a_damaged_region_state_is_refused_at_opening),
        cmocka_unit_test(a_state_that_does_not_fit_the_records_is_refused),
        cmocka_unit_test(a_state_that_does_not_fit_the_systems_records_is_refused),
        cmocka_unit_test(a_cut_file_is_refused_and_nothing_is_kept_open),
        cmocka_unit_test(the_figures_are_those_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
