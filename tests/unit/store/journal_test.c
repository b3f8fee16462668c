#include "../env/env_testing.h"
#include "base/prng.h"
#include "store/journal.h"
#include "store/record.h"

#define CHANGES_MAX 400u
#define REGION 7u

/* One change as it was told, kept. */
struct kept {
    struct store_change change;
    struct store_record record;
    struct store_record replaced;
    char key[16];
    char value[64];
    char old[64];
};

struct fixture {
    struct env *env;
    char directory[DIRECTORY_PATH_SIZE];
    struct err_note note;
    struct store_journal *journal;
    struct kept changes[CHANGES_MAX]; /* number i has revision i / 2 + 1 */
    uint32_t next;                    /* of the part that is being told */
    uint32_t end;
    /* What was read. */
    uint32_t parts;
    uint32_t read;
    uint64_t after;
    uint64_t through;
};

static struct store_record make_record(char *text, struct slice key, uint64_t revision)
{
    struct store_record record = {.value = slice_from_text(text),
                                  .content_type = slice_from_text(revision % 3 == 0 ? "a/b" : ""),
                                  .create_revision = revision,
                                  .mod_revision = revision,
                                  .version = 1};
    store_record_seal(&record, key);
    return record;
}

static void fill(struct kept *kept, uint32_t number)
{
    uint64_t revision = number / 2 + 1;
    (void)snprintf(kept->key, sizeof(kept->key), "key-%u", number % 17);
    (void)snprintf(kept->value, sizeof(kept->value), "value %u of revision %u", number, number / 2);
    (void)snprintf(kept->old, sizeof(kept->old), "old %u", number);
    struct slice key = slice_from_text(kept->key);
    kept->change = (struct store_change){.kind = (enum store_change_kind)(number % 3),
                                         .revision = revision,
                                         .clock_ms = revision * 10,
                                         .key = key};
    if (kept->change.kind == STORE_CHANGE_PUT) {
        kept->record = make_record(kept->value, key, revision);
        kept->change.record = &kept->record;
    }
    if (number % 2 == 0) {
        kept->replaced = make_record(kept->old, key, revision);
        kept->change.replaced = &kept->replaced;
    }
}

static void open_journal(struct fixture *fixture, uint64_t file_bytes)
{
    const struct store_journal_options options = {.env = fixture->env,
                                                  .directory = fixture->directory,
                                                  .region = REGION,
                                                  .file_bytes = file_bytes};
    store_journal_close(fixture->journal);
    assert_int_equal(store_journal_open(&fixture->journal, &options, &fixture->note), OK);
}

static void init(struct fixture *fixture, uint64_t file_bytes)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->env = env_uv_open();
    directory_make(fixture->directory);
    for (uint32_t i = 0; i < CHANGES_MAX; i++) {
        fill(&fixture->changes[i], i);
    }
    open_journal(fixture, file_bytes);
}

static void deinit(struct fixture *fixture)
{
    store_journal_close(fixture->journal);
    env_uv_close(fixture->env);
    directory_remove(fixture->directory);
}

static bool next(void *ctx, struct store_change *out_change)
{
    struct fixture *fixture = ctx;
    if (fixture->next == fixture->end) {
        return false;
    }
    *out_change = fixture->changes[fixture->next++].change;
    return true;
}

/* The changes of the revisions after one up to another. */
static bool append(struct fixture *fixture, uint64_t after, uint64_t through)
{
    fixture->next = (uint32_t)(2 * after);
    fixture->end = (uint32_t)(2 * through);
    const struct store_journal_part part = {
        .after = after, .through = through, .next = next, .ctx = fixture};
    return store_journal_append(fixture->journal, &part);
}

static void on_begin(void *ctx, uint64_t after)
{
    struct fixture *fixture = ctx;
    fixture->after = fixture->parts == 0 ? after : fixture->after;
    fixture->next = (uint32_t)(2 * after);
    fixture->parts++;
}

static void assert_records(const struct store_record *record, const struct store_record *expected)
{
    assert_int_equal(record == NULL, expected == NULL);
    if (record != NULL && expected != NULL) {
        assert_true(slice_equal(record->value, expected->value));
        assert_true(slice_equal(record->content_type, expected->content_type));
        assert_int_equal(record->mod_revision, expected->mod_revision);
        assert_int_equal(record->value_crc, expected->value_crc);
    }
}

static void on_change(void *ctx, const struct store_change *change)
{
    struct fixture *fixture = ctx;
    const struct store_change *expected = &fixture->changes[fixture->next++].change;
    assert_int_equal(change->kind, expected->kind);
    assert_int_equal(change->revision, expected->revision);
    assert_int_equal(change->clock_ms, expected->clock_ms);
    assert_true(slice_equal(change->key, expected->key));
    assert_records(change->record, expected->record);
    assert_records(change->replaced, expected->replaced);
    if (change->record != NULL) {
        assert_non_null(change->record->owner);
    }
    fixture->read++;
}

static void on_end(void *ctx, uint64_t through)
{
    struct fixture *fixture = ctx;
    assert_int_equal(fixture->next, 2 * through);
    fixture->through = through;
}

/* Opens it as a later life does, and reads. Returns how many files ended early. */
static uint32_t read_all(struct fixture *fixture, uint64_t file_bytes)
{
    const struct store_journal_reader reader = {
        .begin = on_begin, .change = on_change, .end = on_end, .ctx = fixture};
    open_journal(fixture, file_bytes);
    fixture->parts = 0;
    fixture->read = 0;
    fixture->through = 0;
    return store_journal_read(fixture->journal, &reader);
}

static void count_name(void *ctx, const char *name)
{
    (void)name;
    ++*(uint32_t *)ctx;
}

static uint32_t count_files(const struct fixture *fixture)
{
    uint32_t count = 0;
    assert_int_equal(env_dir_list(fixture->env, fixture->directory, count_name, &count), OK);
    return count;
}

static void what_was_appended_is_read_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 0);
    assert_int_equal(read_all(&fixture, 0), 0);
    assert_int_equal(fixture.parts, 0);
    assert_true(append(&fixture, 0, 50));
    assert_true(append(&fixture, 50, 50)); /* revisions without a change have parts, too */
    assert_true(append(&fixture, 50, 120));
    assert_int_equal(read_all(&fixture, 0), 0);
    assert_int_equal(fixture.read, 240);
    assert_int_equal(fixture.after, 0);
    assert_int_equal(fixture.through, 120);
    assert_true(append(&fixture, 120, 130)); /* another life: a file of its own */
    assert_int_equal(count_files(&fixture), 2);
    assert_int_equal(read_all(&fixture, 0), 0);
    assert_int_equal(fixture.through, 130);
    deinit(&fixture);
}

static void files_that_are_too_old_are_removed(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 4096);
    for (uint64_t revision = 0; revision < 200; revision += 10) {
        assert_true(append(&fixture, revision, revision + 10));
    }
    uint32_t files = count_files(&fixture);
    assert_true(files > 3);
    store_journal_trim(fixture.journal, 100);
    assert_true(count_files(&fixture) < files);
    assert_int_equal(read_all(&fixture, 4096), 0);
    assert_true(fixture.after <= 100);
    assert_true(fixture.after > 50);
    assert_int_equal(fixture.through, 200);
    store_journal_trim(fixture.journal, 150); /* those of another life */
    assert_true(store_journal_bytes(fixture.journal) > 0);
    assert_int_equal(read_all(&fixture, 4096), 0);
    assert_true(fixture.after > 100);
    assert_int_equal(store_journal_drop(fixture.journal), OK);
    assert_int_equal(count_files(&fixture), 0);
    assert_int_equal(store_journal_bytes(fixture.journal), 0);
    assert_true(append(&fixture, 10, 20));
    assert_int_equal(read_all(&fixture, 4096), 0);
    assert_int_equal(fixture.after, 10);
    deinit(&fixture);
}

/* So that what is too old can go, and what is not stays, whatever came at once. */
static void a_large_part_has_several_files(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 4096);
    assert_true(append(&fixture, 0, 200));
    uint32_t files = count_files(&fixture);
    assert_true(files > 5);
    store_journal_trim(fixture.journal, 100);
    assert_true(count_files(&fixture) < files * 2 / 3);
    assert_int_equal(read_all(&fixture, 4096), 0);
    assert_true(fixture.after <= 100);
    assert_true(fixture.after > 70);
    assert_int_equal(fixture.through, 200);
    deinit(&fixture);
}

static void path_of_first(const struct fixture *fixture, char path[TESTING_PATH_SIZE])
{
    (void)snprintf(path, TESTING_PATH_SIZE, "%s/%016x-%016x", fixture->directory, REGION, 1);
}

/* Whatever its length, a file that was cut tells whole blocks from its beginning. */
static void a_torn_file_is_read_up_to_its_end(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 0);
    for (uint64_t revision = 0; revision < 20; revision += 5) {
        assert_true(append(&fixture, revision, revision + 5));
    }
    char path[TESTING_PATH_SIZE];
    path_of_first(&fixture, path);
    uint64_t whole = store_journal_bytes(fixture.journal);
    uint64_t last = 20;
    for (uint64_t size = whole; size-- > 0;) {
        assert_int_equal(truncate(path, (off_t)size), 0);
        uint32_t failed = read_all(&fixture, 0);
        assert_true(fixture.through <= last);
        assert_int_equal(fixture.through % 5, 0);
        last = fixture.through;
        assert_true(failed == 1 || last < 20);
    }
    assert_int_equal(last, 0);
    deinit(&fixture);
}

/* A byte that was changed costs the block that it is in, and what is behind it in that file. */
static void damage_is_never_told(void **state)
{
    (void)state;
    struct fixture fixture;
    struct prng prng;
    prng_init(&prng, 5);
    init(&fixture, 0);
    assert_true(append(&fixture, 0, 10));
    assert_true(append(&fixture, 10, 20));
    char path[TESTING_PATH_SIZE];
    path_of_first(&fixture, path);
    uint64_t whole = store_journal_bytes(fixture.journal);
    for (uint32_t i = 0; i < 300; i++) {
        uint64_t place = prng_below(&prng, whole);
        FILE *file = fopen(path, "r+");
        assert_non_null(file);
        assert_int_equal(fseek(file, (long)place, SEEK_SET), 0);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, (long)place, SEEK_SET), 0);
        (void)fputc(byte ^ 0x20, file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(read_all(&fixture, 0), 1); /* on_change compares all that is told */
        assert_true(fixture.through == 0 || fixture.through == 10);
        file = fopen(path, "r+");
        assert_non_null(file);
        assert_int_equal(fseek(file, (long)place, SEEK_SET), 0);
        (void)fputc(byte, file);
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(read_all(&fixture, 0), 0);
    assert_int_equal(fixture.through, 20);
    deinit(&fixture);
}

/* It gives its space back, and can be begun anew (J4). */
static void for_want_of_space_all_of_it_goes(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 4096);
    assert_true(append(&fixture, 0, 50));
    assert_true(append(&fixture, 50, 60));
    assert_true(count_files(&fixture) > 1);
    limit_file_size(1000);
    assert_false(append(&fixture, 60, 200));
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(count_files(&fixture), 0);
    assert_int_equal(store_journal_bytes(fixture.journal), 0);
    assert_true(append(&fixture, 200, 200));
    assert_true(append(&fixture, 200, 200));
    assert_int_equal(read_all(&fixture, 4096), 0);
    assert_int_equal(fixture.after, 200);
    deinit(&fixture);
}

static void files_of_others_are_left_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, 0);
    static const char *const names[] = {"README", "0000000000000008-0000000000000001",
                                        "0000000000000007-0000000000000001~"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[TESTING_PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/%s", fixture.directory, names[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(read_all(&fixture, 0), 0);
    assert_true(append(&fixture, 0, 1));
    assert_int_equal(store_journal_drop(fixture.journal), OK);
    assert_int_equal(count_files(&fixture), ARRAY_COUNT(names));
    deinit(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_is_read_in_order),
        cmocka_unit_test(files_that_are_too_old_are_removed),
        cmocka_unit_test(a_large_part_has_several_files),
        cmocka_unit_test(a_torn_file_is_read_up_to_its_end),
        cmocka_unit_test(damage_is_never_told),
        cmocka_unit_test(for_want_of_space_all_of_it_goes),
        cmocka_unit_test(files_of_others_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
