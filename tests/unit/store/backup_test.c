#include "store/backup.h"
#include "system_testing.h"

#define RECORDS 5u
#define SYSTEM_RECORDS 3u

/* A backup of a few records as bytes, and as a file. */
struct bench {
    struct world world;
    struct writer bytes;
    char path[128];
};

static void bench_make(struct bench *bench)
{
    *bench = (struct bench){.bytes = {0}};
    world_make(&bench->world);
    for (unsigned i = 0; i < RECORDS; i++) {
        char key[KEY_TEXT_SIZE];
        world_put(&bench->world, key_of(key, i), SLICE_LITERAL("value"));
    }
    fill_system(&bench->world, SYSTEM_RECORDS);
    struct chunks chunks = world_export(&bench->world, 200); /* several chunks of records */
    assert_true(chunks.count > 3);
    bench->bytes = chunks.bytes;
    (void)snprintf(bench->path, sizeof(bench->path), "%s/backup", bench->world.place.directory);
}

static void bench_remove(struct bench *bench)
{
    (void)unlink(bench->path);
    writer_deinit(&bench->bytes);
    world_remove(&bench->world);
}

static void write_file(const struct bench *bench, struct slice bytes)
{
    FILE *stream = fopen(bench->path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, stream), bytes.size);
    assert_int_equal(fclose(stream), 0);
}

/* The verdict on `bytes` that come in pieces of `step`. */
static err judge(struct slice bytes, size_t step, struct store_backup *out_backup)
{
    struct store_backup_check check = {.size_bytes = 0};
    err e = OK;
    for (size_t i = 0; i < bytes.size && e == OK; i += step) {
        size_t size = bytes.size - i < step ? bytes.size - i : step;
        e = store_backup_take(&check, (struct slice){bytes.data + i, size});
    }
    if (e == OK) {
        e = store_backup_finish(&check, out_backup);
    }
    store_backup_check_deinit(&check);
    return e;
}

static void a_whole_one_is_taken_however_it_comes(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    const struct store_region *region = world_region(&bench.world);
    const size_t steps[] = {1, 7, 16, 1000, bench.bytes.size};
    struct store_backup first;
    assert_int_equal(judge(writer_slice(&bench.bytes), bench.bytes.size, &first), OK);
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        struct store_backup backup;
        assert_int_equal(judge(writer_slice(&bench.bytes), steps[i], &backup), OK);
        assert_int_equal(backup.state.applied.index, region->applied.index);
        assert_int_equal(backup.state.revision, region->revision);
        assert_true(hash128_equal(backup.state.state_hash, region->state_hash));
        assert_int_equal(backup.size_bytes, bench.bytes.size);
        assert_true(hash128_equal(backup.whole, first.whole));
    }
    bench_remove(&bench);
}

static void count_record(void *ctx, struct slice key, const struct store_record *record)
{
    unsigned *count = ctx;
    char expected[KEY_TEXT_SIZE];
    assert_true(slice_equal(key, key_of(expected, *count)));
    assert_true(slice_equal(record->value, SLICE_LITERAL("value")));
    (*count)++;
}

static void its_users_records_are_handed_out_as_they_come(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    unsigned count = 0;
    struct store_backup_check check = {.record = count_record, .ctx = &count};
    struct slice bytes = writer_slice(&bench.bytes);
    bool was_between = false;
    for (size_t i = 0; i < bytes.size; i++) {
        assert_int_equal(store_backup_take(&check, (struct slice){bytes.data + i, 1}), OK);
        was_between = was_between || (count > 0 && count < RECORDS);
    }
    assert_true(was_between);
    assert_int_equal(count, RECORDS);
    store_backup_check_deinit(&check);
    bench_remove(&bench);
}

static void one_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    for (size_t size = 0; size < bench.bytes.size; size++) {
        struct store_backup backup;
        struct slice part = {bench.bytes.data, size};
        assert_int_equal(judge(part, 100, &backup), ERR_DAMAGED);
    }
    bench_remove(&bench);
}

static void one_with_a_byte_changed_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    for (size_t i = 0; i < bench.bytes.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct store_backup backup;
            bench.bytes.data[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(judge(writer_slice(&bench.bytes), 100, &backup), OK);
            bench.bytes.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    bench_remove(&bench);
}

static void one_with_something_behind_it_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    struct store_backup backup;
    bench_make(&bench);
    writer_u8(&bench.bytes, 0);
    assert_int_equal(judge(writer_slice(&bench.bytes), 100, &backup), ERR_DAMAGED);
    bench_remove(&bench);
}

static void a_file_is_told_from_what_is_none(void **state)
{
    (void)state;
    struct bench bench;
    struct store_backup backup;
    struct err_note note = {""};
    bench_make(&bench);
    struct env *env = bench.world.place.env;
    assert_int_equal(store_backup_read(env, bench.path, &backup, &note), ERR_NO_FILE);
    write_file(&bench, writer_slice(&bench.bytes));
    assert_int_equal(store_backup_read(env, bench.path, &backup, &note), OK);
    assert_int_equal(backup.state.keys, RECORDS);
    assert_int_equal(backup.state.system_keys, SYSTEM_RECORDS);
    write_file(&bench, (struct slice){bench.bytes.data, bench.bytes.size * 99 / 100});
    assert_int_equal(store_backup_read(env, bench.path, &backup, &note), ERR_DAMAGED);
    assert_non_null(strstr(note.text, bench.path));
    assert_non_null(strstr(note.text, "cut short"));
    write_file(&bench, SLICE_LITERAL(""));
    assert_int_equal(store_backup_read(env, bench.path, &backup, &note), ERR_DAMAGED);
    bench_remove(&bench);
}

/* What the backup says, with other members and a later revision. */
static struct store_region changed(const struct store_backup *backup)
{
    struct store_region region = backup->state;
    struct member member = {.id = 3, .peer_address = "127.0.0.1:5000"};
    region.membership = (struct membership){.conf = {.voters = {.count = 1, .ids = {3}}}};
    assert_true(membership_put(&region.membership, &member));
    region.revision += 1000;
    return region;
}

static void a_restored_store_has_the_records_and_the_new_members(void **state)
{
    (void)state;
    struct bench bench;
    struct world other = {0};
    struct store_backup backup;
    struct err_note note = {""};
    bench_make(&bench);
    write_file(&bench, writer_slice(&bench.bytes));
    place_make(&other.place);
    assert_int_equal(store_backup_read(other.place.env, bench.path, &backup, &note), OK);
    struct store_region wanted = changed(&backup);
    assert_int_equal(store_backup_restore(other.place.env, bench.path, other.place.store_directory,
                                          &wanted, &note),
                     OK);
    world_open(&other);
    const struct store_region *region = world_region(&other);
    assert_int_equal(region->applied.index, backup.state.applied.index);
    assert_int_equal(region->checkpoint.index, backup.state.applied.index);
    assert_int_equal(region->revision, backup.state.revision + 1000);
    assert_int_equal(region->membership.conf.voters.ids[0], 3);
    assert_true(hash128_equal(region->state_hash, world_region(&bench.world)->state_hash));
    for (unsigned i = 0; i < RECORDS; i++) {
        char key[KEY_TEXT_SIZE];
        struct store_record record;
        assert_int_equal(store_get(other.store, key_of(key, i), &record), OK);
        assert_true(slice_equal(record.value, SLICE_LITERAL("value")));
        buf_unref(record.owner);
    }
    char key[KEY_TEXT_SIZE];
    assert_system_value(&other, key_of(key, 2), SLICE_LITERAL("the system's 000002"));
    assert_int_equal(region->system_keys, SYSTEM_RECORDS);
    world_remove(&other);
    bench_remove(&bench);
}

static void what_is_damaged_leaves_nothing_in_the_store(void **state)
{
    (void)state;
    struct bench bench;
    struct world other = {0};
    struct store_backup backup;
    struct err_note note = {""};
    bench_make(&bench);
    write_file(&bench, writer_slice(&bench.bytes));
    place_make(&other.place);
    assert_int_equal(store_backup_read(other.place.env, bench.path, &backup, &note), OK);
    struct store_region wanted = changed(&backup);
    write_file(&bench, (struct slice){bench.bytes.data, bench.bytes.size - 1});
    assert_int_equal(store_backup_restore(other.place.env, bench.path, other.place.store_directory,
                                          &wanted, &note),
                     ERR_DAMAGED);
    world_open(&other);
    assert_null(store_region(other.store, REGION));
    world_remove(&other);
    bench_remove(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_one_is_taken_however_it_comes),
        cmocka_unit_test(its_users_records_are_handed_out_as_they_come),
        cmocka_unit_test(one_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(one_with_a_byte_changed_is_refused),
        cmocka_unit_test(one_with_something_behind_it_is_refused),
        cmocka_unit_test(a_file_is_told_from_what_is_none),
        cmocka_unit_test(a_restored_store_has_the_records_and_the_new_members),
        cmocka_unit_test(what_is_damaged_leaves_nothing_in_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
