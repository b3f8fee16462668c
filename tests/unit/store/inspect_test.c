/* A look at a store: what it tells, that it finds what was damaged, and that it changes nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "damage_testing.h"
#include "store/inspect.h"
#include "system_testing.h"

#define RECORDS 40u
#define SYSTEM_RECORDS 6u
#define VALUE_SIZE 300u
#define LARGE_SIZE 20000u /* on pages of its own */

struct found {
    unsigned regions;
    struct store_region region;
    unsigned records;
    unsigned system_records;
    unsigned heads;
    unsigned faults;
    char fault_key[KEY_TEXT_SIZE];
    const char *fault;
    unsigned files;
    unsigned complete;
    uint64_t file_records;
    err file_error;
    char text[ERR_NOTE_SIZE];
};

/* ---- a store that nobody has open ---- */

/* Bytes that stand nowhere else. */
static void value_of(uint8_t *value, unsigned number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t place[8];
        store_u64(place, (uint64_t)number << 32 | i);
        value[i] = (uint8_t)hash64((struct slice){place, sizeof(place)}, 0);
    }
}

static void make(struct world *world)
{
    uint8_t *value = mem_alloc(LARGE_SIZE);
    world_make(world);
    for (unsigned i = 0; i < RECORDS; i++) {
        char key[KEY_TEXT_SIZE];
        size_t size = i % 8 == 0 ? LARGE_SIZE : VALUE_SIZE;
        value_of(value, i, size);
        (void)world_put(world, key_of(key, i), (struct slice){value, size});
    }
    mem_free(value);
    fill_system(world, SYSTEM_RECORDS);
    world_checkpoint(world);
}

static void stop(struct world *world)
{
    store_close(world->store);
    world->store = NULL;
}

/* ---- the look ---- */

static void on_region(void *ctx, const struct store_region *region, err e)
{
    struct found *found = ctx;
    assert_int_equal(e, OK);
    found->regions++;
    found->region = *region;
}

static void on_record(void *ctx, const struct store_inspect_record *record)
{
    struct found *found = ctx;
    if (record->space == STORE_SPACE_SYSTEM) {
        found->system_records++;
    } else {
        found->records++;
    }
    found->heads += record->record != NULL ? 1 : 0;
    if (record->fault != NULL) {
        found->faults++;
        found->fault = record->fault;
        (void)snprintf(found->fault_key, sizeof(found->fault_key), "%.*s", (int)record->key.size,
                       (const char *)record->key.data);
    }
}

static void on_file(void *ctx, const struct store_inspect_incoming *file)
{
    struct found *found = ctx;
    found->files++;
    found->complete += file->is_complete ? 1 : 0;
    found->file_records = file->records;
    found->file_error = file->e;
    (void)snprintf(found->text, sizeof(found->text), "%s", file->text);
}

static bool look(struct world *world, struct slice prefix, struct found *found)
{
    struct store_inspect *inspect;
    struct err_note note = {""};
    *found = (struct found){0};
    err e = store_inspect_open(&inspect, world->place.env, world->place.store_directory, &note);
    if (e != OK) {
        fail_msg("%s", note.text);
    }
    assert_string_equal(store_inspect_path(inspect), world->place.data_path);
    assert_int_equal(store_inspect_regions(inspect, on_region, found, &note), OK);
    assert_int_equal(found->regions, 1);
    for (enum store_space space = 0; space < STORE_SPACES; space++) {
        assert_int_equal(store_inspect_records(inspect, space, prefix, on_record, found, &note),
                         OK);
    }
    bool agrees = store_inspect_agrees(inspect, &found->region, &note);
    assert_int_equal(agrees, strstr(note.text, "keys of") == NULL);
    store_inspect_close(inspect);
    return agrees;
}

/* Names, sizes and bytes of a directory, in any order. */
static struct hash128 hash_of(const char *directory)
{
    struct hash128 sum = {0};
    DIR *dir = opendir(directory);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[512];
        struct stat status;
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        assert_int_equal(stat(path, &status), 0);
        if (S_ISREG(status.st_mode)) {
            struct writer bytes = {0};
            writer_bytes(&bytes, slice_from_text(entry->d_name));
            uint8_t *target = writer_extend(&bytes, (size_t)status.st_size);
            int file = open(path, O_RDONLY);
            assert_int_equal(read(file, target, (size_t)status.st_size), status.st_size);
            (void)close(file);
            sum = hash128_add(sum, hash128(writer_slice(&bytes)));
            writer_deinit(&bytes);
        }
    }
    (void)closedir(dir);
    return sum;
}

/* Flips a bit of record `number` in every copy of it that the file has: `at` bytes into its value,
 * or, below 0, before it. */
static void spoil_record(struct world *world, unsigned number, long at)
{
    uint8_t value[VALUE_SIZE];
    value_of(value, number, VALUE_SIZE);
    int file = open(world->place.data_path, O_RDWR);
    struct stat status;
    assert_int_equal(fstat(file, &status), 0);
    uint8_t *bytes = mem_alloc((size_t)status.st_size);
    assert_int_equal(pread(file, bytes, (size_t)status.st_size, 0), status.st_size);
    unsigned count = 0;
    for (uint8_t *place = bytes; (place = memmem(place, (size_t)(bytes + status.st_size - place),
                                                 value, VALUE_SIZE)) != NULL;
         place++) {
        uint8_t byte = place[at] ^ 4;
        assert_int_equal(pwrite(file, &byte, 1, place - bytes + at), 1);
        count++;
    }
    assert_true(count > 0);
    mem_free(bytes);
    (void)close(file);
}

/* ---- the tests ---- */

static void a_whole_store_is_told_and_left_as_it_is(void **state)
{
    (void)state;
    struct world world = {0};
    struct found found;
    make(&world);
    uint64_t applied = world.index;
    stop(&world);
    struct hash128 before = hash_of(world.place.store_directory);
    assert_true(look(&world, SLICE_EMPTY, &found));
    assert_int_equal(found.region.applied.index, applied);
    assert_int_equal(found.records, RECORDS);
    assert_int_equal(found.system_records, SYSTEM_RECORDS);
    assert_int_equal(found.region.system_keys, SYSTEM_RECORDS);
    assert_int_equal(found.heads, RECORDS + SYSTEM_RECORDS);
    assert_int_equal(found.faults, 0);
    assert_true(hash128_equal(before, hash_of(world.place.store_directory)));
    world_remove(&world);
}

static void a_prefix_bounds_the_look(void **state)
{
    (void)state;
    struct world world = {0};
    struct found found;
    make(&world);
    stop(&world);
    (void)look(&world, SLICE_LITERAL("key-0000001"), &found);
    assert_int_equal(found.records, 10);
    (void)look(&world, SLICE_LITERAL("kez"), &found);
    assert_int_equal(found.records, 0);
    world_remove(&world);
}

static void a_damaged_value_is_told_with_its_key(void **state)
{
    (void)state;
    struct world world = {0};
    struct found found;
    make(&world);
    stop(&world);
    spoil_record(&world, 7, 100);
    assert_false(look(&world, SLICE_EMPTY, &found));
    assert_int_equal(found.records, RECORDS);
    assert_int_equal(found.heads, RECORDS + SYSTEM_RECORDS);
    assert_int_equal(found.faults, 1);
    assert_string_equal(found.fault_key, "key-00000007");
    assert_non_null(strstr(found.fault, "value"));
    world_remove(&world);
}

static void a_damaged_head_is_told_with_its_key(void **state)
{
    (void)state;
    struct world world = {0};
    struct found found;
    make(&world);
    stop(&world);
    spoil_record(&world, 9, -40);
    assert_false(look(&world, SLICE_EMPTY, &found));
    assert_int_equal(found.heads, RECORDS + SYSTEM_RECORDS - 1);
    assert_int_equal(found.faults, 1);
    assert_string_equal(found.fault_key, "key-00000009");
    assert_non_null(strstr(found.fault, "head"));
    world_remove(&world);
}

static void a_damaged_record_of_the_systems_is_told_too(void **state)
{
    (void)state;
    struct world world = {0};
    struct found found;
    make(&world);
    stop(&world);
    assert_true(spoil(&world, SLICE_LITERAL("the system's 000003"), 2, 1) > 0);
    assert_false(look(&world, SLICE_EMPTY, &found));
    assert_int_equal(found.records, RECORDS);
    assert_int_equal(found.system_records, SYSTEM_RECORDS);
    assert_int_equal(found.faults, 1);
    assert_string_equal(found.fault_key, "key-00000003");
    world_remove(&world);
}

static void a_store_that_is_not_there_is_not_made(void **state)
{
    (void)state;
    struct place place;
    struct store_inspect *inspect;
    struct err_note note = {""};
    place_make(&place);
    assert_int_equal(store_inspect_open(&inspect, place.env, place.store_directory, &note),
                     ERR_NO_FILE);
    assert_int_equal(access(place.store_directory, F_OK), -1);
    place_remove(&place);
}

static void a_file_that_was_cut_is_refused(void **state)
{
    (void)state;
    struct world world = {0};
    struct store_inspect *inspect;
    struct err_note note = {""};
    make(&world);
    stop(&world);
    assert_int_equal(truncate(world.place.data_path, 16384), 0);
    assert_int_equal(
        store_inspect_open(&inspect, world.place.env, world.place.store_directory, &note),
        ERR_DAMAGED);
    assert_non_null(strstr(note.text, "it has been cut"));
    struct stat status;
    assert_int_equal(stat(world.place.data_path, &status), 0);
    assert_int_equal(status.st_size, 16384);
    world_remove(&world);
}

static void what_was_coming_in_is_verified(void **state)
{
    (void)state;
    struct world world = {0};
    struct world source = {0};
    struct found found = {0};
    struct err_note note = {""};
    make(&source);
    struct chunks chunks = world_export(&source, 4096);
    world_make(&world);
    struct store_incoming *incoming = world_stage(&world, &chunks);
    store_incoming_close(incoming);
    assert_int_equal(store_inspect_each_incoming(world.place.env, world.place.store_directory,
                                                 on_file, &found, &note),
                     OK);
    assert_int_equal(found.files, 1);
    assert_int_equal(found.complete, 1);
    assert_int_equal(found.file_error, OK);
    assert_int_equal(found.file_records, RECORDS + SYSTEM_RECORDS);

    DIR *dir = opendir(world.place.incoming_directory);
    char path[512];
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        (void)snprintf(path, sizeof(path), "%s/%s", world.place.incoming_directory, entry->d_name);
        if (entry->d_name[0] != '.') {
            break;
        }
    }
    (void)closedir(dir);
    int file = open(path, O_RDWR);
    off_t at = (off_t)chunks.begins[3] + 30;
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    (void)close(file);
    found = (struct found){0};
    assert_int_equal(store_inspect_each_incoming(world.place.env, world.place.store_directory,
                                                 on_file, &found, &note),
                     OK);
    assert_int_equal(found.file_error, ERR_DAMAGED);
    char place[64];
    (void)snprintf(place, sizeof(place), "at offset %zu: ", chunks.begins[3]);
    assert_non_null(strstr(found.text, place));
    assert_non_null(strstr(found.text, path));
    assert_int_equal(unlink(path), 0);
    writer_deinit(&chunks.bytes);
    world_remove(&world);
    world_remove(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_store_is_told_and_left_as_it_is),
        cmocka_unit_test(a_prefix_bounds_the_look),
        cmocka_unit_test(a_damaged_value_is_told_with_its_key),
        cmocka_unit_test(a_damaged_head_is_told_with_its_key),
        cmocka_unit_test(a_damaged_record_of_the_systems_is_told_too),
        cmocka_unit_test(a_store_that_is_not_there_is_not_made),
        cmocka_unit_test(a_file_that_was_cut_is_refused),
        cmocka_unit_test(what_was_coming_in_is_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
