#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "store/checkpoint.h"
#include "store/record.h"
#include "store_testing.h"

#define MAP_SMALL (64u << 10)

struct bench {
    struct place place;
    struct checkpoint *checkpoint;
};

static err bench_open(struct bench *bench, struct err_note *note)
{
    struct checkpoint_options options = {.env = bench->place.env,
                                         .directory = bench->place.store_directory,
                                         .map_size_bytes = MAP_SMALL};
    return store_checkpoint_open(&bench->checkpoint, &options, note);
}

static void bench_make(struct bench *bench)
{
    struct err_note note = {""};
    place_make(&bench->place);
    assert_int_equal(bench_open(bench, &note), OK);
}

static void bench_remove(struct bench *bench)
{
    store_checkpoint_close(bench->checkpoint);
    place_remove(&bench->place);
}

static void put(struct store_tail *tail, struct slice key, struct slice value)
{
    struct buf *owner = buf_copy(value);
    struct store_record record = {
        .owner = owner, .value = buf_slice(owner), .mod_revision = 1, .version = 1};
    store_record_seal(&record, key);
    store_tail_put(tail, key, &record);
    buf_unref(owner);
}

/* A tail with `count` values of `size` bytes. */
static struct store_tail *tail_of(unsigned count, size_t size)
{
    struct store_tail *tail = store_tail_new();
    struct buf *value = buf_new(size);
    memset(value->data, 'v', size);
    for (unsigned i = 0; i < count; i++) {
        char key[KEY_TEXT_SIZE];
        put(tail, key_of(key, i), buf_slice(value));
    }
    buf_unref(value);
    return tail;
}

static err write_tail(struct bench *bench, struct store_tail *tail)
{
    struct checkpoint_batch batch = {.tails.of[STORE_SPACE_USER] = tail};
    return store_checkpoint_write(bench->checkpoint, &batch);
}

/* Reserves, writes, refreshes and frees the tail. */
static void write_and_free(struct bench *bench, struct store_tail *tail)
{
    struct checkpoint_batch batch = {.tails.of[STORE_SPACE_USER] = tail};
    store_checkpoint_reserve(bench->checkpoint, &batch);
    assert_int_equal(store_checkpoint_write(bench->checkpoint, &batch), OK);
    store_checkpoint_refresh(bench->checkpoint);
    store_tail_free(tail);
}

static err get(struct bench *bench, struct slice key)
{
    struct slice bytes;
    struct store_record record;
    err e = store_checkpoint_get(bench->checkpoint, STORE_SPACE_USER, key, &bytes);
    if (e == OK) {
        e = store_record_decode(bytes, key, &record);
    }
    return e == OK ? store_record_verify(&record, key) : e;
}

static bool gather_key(void *ctx, struct slice key, struct slice bytes)
{
    (void)bytes;
    struct writer *keys = ctx;
    writer_bytes(keys, key);
    writer_u8(keys, ' ');
    return key.data[0] != 'z';
}

static void assert_keys(struct bench *bench, struct slice from, const char *expected)
{
    struct writer keys = {0};
    assert_int_equal(
        store_checkpoint_each(bench->checkpoint, STORE_SPACE_USER, from, gather_key, &keys), OK);
    writer_u8(&keys, '\0');
    assert_string_equal(keys.data, expected);
    writer_deinit(&keys);
}

/* ---- writing and reading ---- */

static void a_tail_is_merged_into_what_is_there(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    struct store_tail *tail = store_tail_new();
    put(tail, SLICE_LITERAL("b"), SLICE_LITERAL("1"));
    put(tail, SLICE_LITERAL("d"), SLICE_LITERAL("2"));
    put(tail, SLICE_LITERAL("a"), SLICE_LITERAL("3"));
    write_and_free(&bench, tail);
    assert_keys(&bench, SLICE_EMPTY, "a b d ");
    tail = store_tail_new();
    store_tail_delete(tail, SLICE_LITERAL("b"));
    store_tail_delete(tail, SLICE_LITERAL("never there"));
    put(tail, SLICE_LITERAL("c"), SLICE_LITERAL("4"));
    put(tail, SLICE_LITERAL("d"), SLICE_LITERAL("another, longer value"));
    write_and_free(&bench, tail);
    assert_keys(&bench, SLICE_EMPTY, "a c d ");
    assert_int_equal(store_checkpoint_figures(bench.checkpoint).records[STORE_SPACE_USER], 3);
    assert_int_equal(get(&bench, SLICE_LITERAL("b")), ERR_NOT_FOUND);
    struct slice bytes;
    struct store_record record;
    assert_int_equal(
        store_checkpoint_get(bench.checkpoint, STORE_SPACE_USER, SLICE_LITERAL("d"), &bytes), OK);
    assert_int_equal(store_record_decode(bytes, SLICE_LITERAL("d"), &record), OK);
    assert_true(slice_equal(record.value, SLICE_LITERAL("another, longer value")));
    bench_remove(&bench);
}

static void iterating_begins_anywhere_and_stops_when_told(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    assert_keys(&bench, SLICE_EMPTY, "");
    struct store_tail *tail = store_tail_new();
    const char *keys[] = {"b", "d", "zebra", "zoo"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        put(tail, slice_from_text(keys[i]), SLICE_EMPTY);
    }
    write_and_free(&bench, tail);
    assert_keys(&bench, SLICE_LITERAL("b"), "b d zebra ");
    assert_keys(&bench, SLICE_LITERAL("c"), "d zebra ");
    assert_keys(&bench, SLICE_LITERAL("zz"), "");
    bench_remove(&bench);
}

static err gather_region(void *ctx, region_id region, struct slice state)
{
    struct writer *out = ctx;
    writer_format(out, "%llx=%.*s ", (unsigned long long)region, (int)state.size,
                  (const char *)state.data);
    return region == 0x300 ? ERR_MALFORMED : OK;
}

static void the_states_of_regions_come_in_the_order_of_their_ids(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    struct store_tail *tail = store_tail_new();
    const struct checkpoint_region regions[] = {
        {0x100, SLICE_LITERAL("a")}, {2, SLICE_LITERAL("b")}, {0x300, SLICE_LITERAL("c")}};
    struct checkpoint_batch batch = {
        .tails.of[STORE_SPACE_USER] = tail, .regions = regions, .region_count = 2};
    assert_int_equal(store_checkpoint_write(bench.checkpoint, &batch), OK);
    store_checkpoint_refresh(bench.checkpoint);
    struct writer out = {0};
    err e = store_checkpoint_each_region(bench.checkpoint, gather_region, &out);
    assert_int_equal(e, OK);
    writer_u8(&out, '\0');
    assert_string_equal(out.data, "2=b 100=a ");
    batch.region_count = 3;
    assert_int_equal(store_checkpoint_write(bench.checkpoint, &batch), OK);
    store_checkpoint_refresh(bench.checkpoint);
    e = store_checkpoint_each_region(bench.checkpoint, gather_region, &out);
    assert_int_equal(e, ERR_MALFORMED);
    assert_int_equal(store_checkpoint_figures(bench.checkpoint).records[STORE_SPACE_USER], 0);
    writer_deinit(&out);
    store_tail_free(tail);
    bench_remove(&bench);
}

static void readers_stay_at_the_old_state_until_they_are_refreshed(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    struct store_tail *tail = tail_of(10, 10);
    assert_int_equal(write_tail(&bench, tail), OK);
    assert_int_equal(get(&bench, SLICE_LITERAL("key-00000003")), ERR_NOT_FOUND);
    store_checkpoint_refresh(bench.checkpoint);
    assert_int_equal(get(&bench, SLICE_LITERAL("key-00000003")), OK);
    store_tail_free(tail);
    bench_remove(&bench);
}

static void what_was_written_is_there_after_opening_again(void **state)
{
    (void)state;
    struct bench bench;
    struct err_note note = {""};
    bench_make(&bench);
    write_and_free(&bench, tail_of(1000, 100));
    struct checkpoint_figures before = store_checkpoint_figures(bench.checkpoint);
    store_checkpoint_close(bench.checkpoint);
    assert_int_equal(bench_open(&bench, &note), OK);
    struct checkpoint_figures after = store_checkpoint_figures(bench.checkpoint);
    assert_int_equal(after.records[STORE_SPACE_USER], 1000);
    assert_int_equal(after.size_bytes, before.size_bytes);
    assert_int_equal(after.map_size_bytes, before.map_size_bytes);
    assert_int_equal(get(&bench, SLICE_LITERAL("key-00000999")), OK);
    bench_remove(&bench);
}

/* ---- the map ---- */

static void a_full_map_leaves_no_trace_and_a_larger_one_takes_it(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    struct store_tail *tail = tail_of(1000, 1000);
    unsigned attempts = 0;
    while (write_tail(&bench, tail) == ERR_MAP_FULL) {
        store_checkpoint_refresh(bench.checkpoint);
        assert_keys(&bench, SLICE_EMPTY, "");
        store_checkpoint_grow(bench.checkpoint);
        attempts++;
        assert_true(attempts < 20);
    }
    assert_true(attempts >= 3);
    store_checkpoint_refresh(bench.checkpoint);
    assert_int_equal(store_checkpoint_figures(bench.checkpoint).records[STORE_SPACE_USER], 1000);
    assert_true(store_checkpoint_figures(bench.checkpoint).map_size_bytes > 1000000);
    assert_int_equal(get(&bench, SLICE_LITERAL("key-00000500")), OK);
    store_tail_free(tail);
    bench_remove(&bench);
}

static void reserving_makes_every_batch_fit(void **state)
{
    (void)state;
    const struct {
        unsigned count;
        size_t size;
    } cases[] = {{5000, 0}, {3000, 300}, {500, 2100}, {200, 4100}, {1, 8u << 20}};
    struct bench bench;
    bench_make(&bench);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        write_and_free(&bench, tail_of(cases[i].count, cases[i].size)); /* asserts OK */
        struct checkpoint_figures figures = store_checkpoint_figures(bench.checkpoint);
        assert_true(figures.size_bytes <= figures.map_size_bytes);
        assert_true(figures.used_bytes <= figures.size_bytes);
        struct stat file;
        assert_int_equal(stat(bench.place.data_path, &file), 0);
        assert_true((uint64_t)file.st_size >= figures.map_size_bytes); /* P4 */
    }
    bench_remove(&bench);
}

static uint64_t room_left(struct bench *bench)
{
    struct checkpoint_figures figures = store_checkpoint_figures(bench->checkpoint);
    return figures.map_size_bytes - figures.size_bytes;
}

/* Adds values of a few pages until less than `room` is left in the map, but not much less. */
static void fill_map(struct bench *bench, uint64_t room)
{
    struct buf *value = buf_new(50000);
    memset(value->data, 'f', value->size);
    for (unsigned i = 0; room_left(bench) >= room; i++) {
        char key[KEY_TEXT_SIZE];
        struct store_tail *tail = store_tail_new();
        put(tail, key_of(key, 1000000 + i), buf_slice(value));
        write_and_free(bench, tail);
    }
    buf_unref(value);
    assert_true(room_left(bench) > room - 100000);
}

static void the_estimate_knows_that_a_value_may_just_not_fit_into_a_page(void **state)
{
    (void)state;
    static const uint8_t value[2100];
    struct bench bench;
    bench_make(&bench);
    write_and_free(&bench, tail_of(1000, 2100));
    fill_map(&bench, 3900000); /* enough for the values, not for their pages */
    struct store_tail *tail = store_tail_new();
    for (unsigned i = 0; i < 1000; i++) {
        char key[KEY_TEXT_SIZE];
        put(tail, key_of(key, 500000 + i), (struct slice){value, sizeof(value)});
    }
    write_and_free(&bench, tail); /* asserts OK */
    bench_remove(&bench);
}

static void the_estimate_knows_that_small_changes_write_whole_leaves(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    write_and_free(&bench, tail_of(20000, 100));
    fill_map(&bench, 2000000);
    struct store_tail *tail = store_tail_new();
    for (unsigned i = 0; i < 20000; i += 11) { /* every leaf */
        char key[KEY_TEXT_SIZE];
        put(tail, key_of(key, i), SLICE_LITERAL("v"));
    }
    assert_true(store_tail_bytes(tail) < 450000);
    write_and_free(&bench, tail); /* asserts OK */
    bench_remove(&bench);
}

static void writing_the_same_keys_again_reuses_pages(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    uint64_t size_after_five = 0;
    for (int i = 0; i < 30; i++) {
        write_and_free(&bench, tail_of(500, 500));
        if (i == 5) {
            size_after_five = store_checkpoint_figures(bench.checkpoint).size_bytes;
        }
    }
    assert_int_equal(store_checkpoint_figures(bench.checkpoint).size_bytes, size_after_five);
    bench_remove(&bench);
}

/* ---- a new file ---- */

static void draft_path(const struct bench *bench, char path[128])
{
    (void)snprintf(path, 128, "%s/new.mdb", bench->place.store_directory);
}

/* Opens, looks for what must not be left, writes, opens again. */
static void assert_new_store_works(struct bench *bench)
{
    struct err_note note = {""};
    char draft[128];
    draft_path(bench, draft);
    assert_int_equal(bench_open(bench, &note), OK);
    assert_int_equal(access(draft, F_OK), -1);
    assert_keys(bench, SLICE_EMPTY, "");
    write_and_free(bench, tail_of(10, 10));
    store_checkpoint_close(bench->checkpoint);
    assert_int_equal(bench_open(bench, &note), OK);
    assert_int_equal(store_checkpoint_figures(bench->checkpoint).records[STORE_SPACE_USER], 10);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void what_is_left_of_a_file_in_the_making_is_thrown_away(void **state)
{
    (void)state;
    static uint8_t page[5 * 4096];
    const size_t sizes[] = {0, 1, 4096, 8192, sizeof(page)};
    memset(page, 'x', sizeof(page));
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        struct bench bench;
        char draft[128];
        place_make(&bench.place);
        draft_path(&bench, draft);
        assert_int_equal(mkdir(bench.place.store_directory, 0700), 0);
        write_file(draft, page, sizes[i]);
        assert_new_store_works(&bench);
        bench_remove(&bench);
    }
}

static void an_empty_file_counts_as_none(void **state)
{
    (void)state;
    struct bench bench;
    place_make(&bench.place);
    assert_int_equal(mkdir(bench.place.store_directory, 0700), 0);
    write_file(bench.place.data_path, "", 0);
    assert_new_store_works(&bench);
    bench_remove(&bench);
}

struct short_disk {
    struct bench *bench;
    rlim_t file_size_max;
};

static void open_on_a_short_disk(void *ctx)
{
    struct short_disk *disk = ctx;
    struct err_note note = {""};
    limit_file_size(disk->file_size_max);
    _exit(bench_open(disk->bench, &note) == OK ? 3 : 0);
}

/* From one page to what the map needs: whatever is in the file by then stays in it. */
static void a_file_whose_making_fails_midway_is_made_anew(void **state)
{
    (void)state;
    for (rlim_t size = 4096; size < MAP_SMALL; size += 4096) {
        struct bench bench;
        bench_make(&bench);
        store_checkpoint_close(bench.checkpoint);
        assert_int_equal(unlink(bench.place.data_path), 0); /* lock.mdb stays: it needs no room */
        struct short_disk disk = {&bench, size};
        assert_true(exited_with(status_of(open_on_a_short_disk, &disk), 0));
        assert_new_store_works(&bench);
        bench_remove(&bench);
    }
}

/* ---- what must not be opened ---- */

static void expect_refusal(struct bench *bench, err expected, const char *said)
{
    struct err_note note = {""};
    bench->checkpoint = NULL;
    assert_int_equal(bench_open(bench, &note), expected);
    assert_non_null(strstr(note.text, said));
    assert_non_null(strstr(note.text, bench->place.store_directory));
}

static void change_bytes(struct bench *bench, off_t offset, const void *bytes, size_t size)
{
    int fd = open(bench->place.data_path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, offset), size);
    close(fd);
}

static void a_second_opener_is_told_that_it_is_busy(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    struct bench second = bench;
    expect_refusal(&second, ERR_BUSY, "owner.lock");
    assert_int_equal(get(&bench, SLICE_LITERAL("k")), ERR_NOT_FOUND);
    bench_remove(&bench);
}

static void a_file_that_was_cut_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    struct err_note note = {""};
    bench_make(&bench);
    write_and_free(&bench, tail_of(200, 100));
    off_t size = (off_t)store_checkpoint_figures(bench.checkpoint).size_bytes;
    store_checkpoint_close(bench.checkpoint);
    assert_int_equal(truncate(bench.place.data_path, size), 0); /* only the hole */
    assert_int_equal(bench_open(&bench, &note), OK);
    store_checkpoint_close(bench.checkpoint);
    for (off_t cut = size - 1; cut > 0; cut -= 1500) {
        assert_int_equal(truncate(bench.place.data_path, cut), 0);
        expect_refusal(&bench, ERR_DAMAGED, "data.mdb");
    }
    place_remove(&bench.place);
}

static void a_file_of_something_else_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    store_checkpoint_close(bench.checkpoint);
    char text[10000];
    memset(text, 'x', sizeof(text));
    change_bytes(&bench, 0, text, sizeof(text));
    expect_refusal(&bench, ERR_DAMAGED, "meta page 0");
    place_remove(&bench.place);
}

/* Nothing of ours leaves such a file in the place: it is not taken for a new one. */
static void a_file_without_our_databases_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    MDB_env *env;
    place_make(&bench.place);
    assert_int_equal(mkdir(bench.place.store_directory, 0700), 0);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, bench.place.store_directory, 0, 0600), 0);
    mdb_env_close(env);
    expect_refusal(&bench, ERR_DAMAGED, "data.mdb");
    place_remove(&bench.place);
}

static void another_version_of_lmdb_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    store_checkpoint_close(bench.checkpoint);
    uint8_t version = 2;
    change_bytes(&bench, 20, &version, 1);
    expect_refusal(&bench, ERR_DAMAGED, "version");
    place_remove(&bench.place);
}

static void a_page_size_that_cannot_be_is_refused_before_lmdb_divides_by_it(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 3, 128, 4095, 8192, 1u << 16, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (off_t page = 0; page < 2; page++) {
            struct bench bench;
            bench_make(&bench);
            store_checkpoint_close(bench.checkpoint);
            change_bytes(&bench, page * 4096 + 40, &sizes[i], 4);
            expect_refusal(&bench, ERR_DAMAGED, "meta page");
            place_remove(&bench.place);
        }
    }
}

/* Puts `size` bytes in the place of the format record. */
static void change_format(struct bench *bench, const void *bytes, size_t size)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta;
    MDB_val key = {.mv_size = 6, .mv_data = (char[]){"format"}};
    uint8_t copy[16];
    memcpy(copy, bytes, size);
    MDB_val value = {.mv_size = size, .mv_data = copy};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 2), 0);
    assert_int_equal(mdb_env_open(env, bench->place.store_directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_format_from_the_future_is_refused_by_its_number(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    store_checkpoint_close(bench.checkpoint);
    uint8_t format[8] = {2};
    store_u32(format + 4, crc32c(crc32c(0, "format", 6), format, 4));
    change_format(&bench, format, sizeof(format));
    expect_refusal(&bench, ERR_VERSION, "format 2");
    format[0] = 1; /* now its checksum is wrong */
    change_format(&bench, format, sizeof(format));
    expect_refusal(&bench, ERR_DAMAGED, "format record");
    change_format(&bench, format, 3);
    expect_refusal(&bench, ERR_DAMAGED, "format record");
    place_remove(&bench.place);
}

/* ---- damage that shows only later ---- */

/* The only branch page of the file, read into `page`; returns where it stands, 0: there is none. */
static off_t find_branch(struct bench *bench, uint8_t *page)
{
    const uint16_t is_branch = 1;
    int fd = open(bench->place.data_path, O_RDONLY);
    off_t found = 0;
    for (off_t at = 8192; found == 0 && pread(fd, page, 4096, at) == 4096; at += 4096) {
        found = load_u16(page + 10) == is_branch ? at : 0;
    }
    close(fd);
    return found;
}

static void a_page_that_cannot_be_is_an_error_of_its_keys_alone(void **state)
{
    (void)state;
    struct bench bench;
    struct err_note note = {""};
    bench_make(&bench);
    write_and_free(&bench, tail_of(1000, 100));
    store_checkpoint_close(bench.checkpoint);
    uint8_t page[4096];
    off_t offset = find_branch(&bench, page);
    assert_true(offset > 0);
    size_t count = (load_u16(page + 12) - 16u) / 2;
    uint8_t *last_node = page + load_u16(page + 16 + 2 * (count - 1));
    store_u16(last_node + 4, UINT16_MAX); /* bits 32 to 47 of the child's page number */
    change_bytes(&bench, offset, page, sizeof(page));
    assert_int_equal(bench_open(&bench, &note), OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(&bench, SLICE_LITERAL("key-00000999")), ERR_CORRUPT);
        assert_int_equal(get(&bench, SLICE_LITERAL("key-00000000")), OK);
    }
    struct writer keys = {0};
    err e =
        store_checkpoint_each(bench.checkpoint, STORE_SPACE_USER, SLICE_EMPTY, gather_key, &keys);
    assert_int_equal(e, ERR_CORRUPT);
    assert_int_equal(get(&bench, SLICE_LITERAL("key-00000000")), OK);
    writer_deinit(&keys);
    bench_remove(&bench);
}

/* ---- the end of the process ---- */

/* A branch with one child: LMDB asserts that there is no such thing. */
static void read_an_impossible_branch(void *ctx)
{
    struct bench *bench = ctx;
    struct err_note note = {""};
    uint8_t page[4096];
    off_t offset = find_branch(bench, page);
    store_u16(page + 12, 18);
    change_bytes(bench, offset, page, sizeof(page));
    if (offset == 0 || bench_open(bench, &note) != OK) {
        _exit(2);
    }
    _exit(get(bench, SLICE_LITERAL("key-00000000")) == OK ? 3 : 4);
}

static void what_lmdb_asserts_ends_the_process_with_our_line(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    write_and_free(&bench, tail_of(1000, 100));
    store_checkpoint_close(bench.checkpoint);
    assert_true(exited_with(status_of(read_an_impossible_branch, &bench), 1));
    place_remove(&bench.place);
}

/* Every page after the meta pages becomes zeros, under a store that is open. */
static void read_zeroed_pages(void *ctx)
{
    struct bench *bench = ctx;
    struct err_note note = {""};
    if (bench_open(bench, &note) != OK) {
        _exit(2);
    }
    uint64_t size = store_checkpoint_figures(bench->checkpoint).size_bytes;
    void *zeros = mem_calloc(1, size);
    change_bytes(bench, 8192, zeros, size - 8192);
    mem_free(zeros);
    _exit(get(bench, SLICE_LITERAL("key-00000000")) == ERR_CORRUPT ? 0 : 3);
}

static void pages_of_zeros_are_an_error_and_never_data(void **state)
{
    (void)state;
    struct bench bench;
    bench_make(&bench);
    write_and_free(&bench, tail_of(1000, 100));
    store_checkpoint_close(bench.checkpoint);
    assert_true(exited_with(status_of(read_zeroed_pages, &bench), 0));
    place_remove(&bench.place);
}

/* A disk that is full after `room` bytes more, and then is not. Exits with the line that failed. */
static void write_to_a_full_disk(void *ctx, uint64_t room)
{
    struct bench *bench = ctx;
    struct err_note note = {""};
    if (bench_open(bench, &note) != OK) {
        _exit(2);
    }
    struct store_tail *tail = tail_of(300, 1000);
    struct checkpoint_batch batch = {.tails.of[STORE_SPACE_USER] = tail};
    store_checkpoint_reserve(bench->checkpoint, &batch);
    limit_file_size(store_checkpoint_figures(bench->checkpoint).size_bytes + room);
    for (int i = 0; i < 3; i++) {
        if (store_checkpoint_write(bench->checkpoint, &batch) != ERR_NO_SPACE) {
            _exit(3);
        }
        store_checkpoint_refresh(bench->checkpoint);
        if (store_checkpoint_figures(bench->checkpoint).records[STORE_SPACE_USER] != 100) {
            _exit(4);
        }
    }
    limit_file_size(RLIM_INFINITY);
    if (store_checkpoint_write(bench->checkpoint, &batch) != OK) {
        _exit(5);
    }
    store_checkpoint_refresh(bench->checkpoint);
    if (get(bench, SLICE_LITERAL("key-00000299")) != OK) {
        _exit(6);
    }
    store_tail_free(tail);
    store_checkpoint_close(bench->checkpoint);
}

static void fill_at_once(void *ctx)
{
    write_to_a_full_disk(ctx, 0); /* EFBIG */
}

static void fill_midway(void *ctx)
{
    write_to_a_full_disk(ctx, 10000); /* a short write: EIO */
}

static void a_full_disk_is_told_from_a_broken_one_and_leaves_no_trace(void **state)
{
    (void)state;
    void (*const children[])(void *ctx) = {fill_at_once, fill_midway};
    for (size_t i = 0; i < ARRAY_COUNT(children); i++) {
        struct bench bench;
        struct err_note note = {""};
        bench_make(&bench);
        write_and_free(&bench, tail_of(100, 1000));
        store_checkpoint_close(bench.checkpoint);
        int status = status_of(children[i], &bench);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(bench_open(&bench, &note), OK);
        assert_int_equal(store_checkpoint_figures(bench.checkpoint).records[STORE_SPACE_USER], 300);
        bench_remove(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_is_merged_into_what_is_there),
        cmocka_unit_test(iterating_begins_anywhere_and_stops_when_told),
        cmocka_unit_test(the_states_of_regions_come_in_the_order_of_their_ids),
        cmocka_unit_test(readers_stay_at_the_old_state_until_they_are_refreshed),
        cmocka_unit_test(what_was_written_is_there_after_opening_again),
        cmocka_unit_test(a_full_map_leaves_no_trace_and_a_larger_one_takes_it),
        cmocka_unit_test(reserving_makes_every_batch_fit),
        cmocka_unit_test(the_estimate_knows_that_a_value_may_just_not_fit_into_a_page),
        cmocka_unit_test(the_estimate_knows_that_small_changes_write_whole_leaves),
        cmocka_unit_test(writing_the_same_keys_again_reuses_pages),
        cmocka_unit_test(what_is_left_of_a_file_in_the_making_is_thrown_away),
        cmocka_unit_test(an_empty_file_counts_as_none),
        cmocka_unit_test(a_file_whose_making_fails_midway_is_made_anew),
        cmocka_unit_test(a_second_opener_is_told_that_it_is_busy),
        cmocka_unit_test(a_file_that_was_cut_is_refused),
        cmocka_unit_test(a_file_of_something_else_is_refused),
        cmocka_unit_test(a_file_without_our_databases_is_refused),
        cmocka_unit_test(another_version_of_lmdb_is_refused),
        cmocka_unit_test(a_page_size_that_cannot_be_is_refused_before_lmdb_divides_by_it),
        cmocka_unit_test(a_format_from_the_future_is_refused_by_its_number),
        cmocka_unit_test(a_page_that_cannot_be_is_an_error_of_its_keys_alone),
        cmocka_unit_test(what_lmdb_asserts_ends_the_process_with_our_line),
        cmocka_unit_test(pages_of_zeros_are_an_error_and_never_data),
        cmocka_unit_test(a_full_disk_is_told_from_a_broken_one_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
