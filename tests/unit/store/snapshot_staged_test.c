#include "store/snapshot_int.h"
#include "store_testing.h"

#define RECORDS 3u

/* A staged file as bytes, and where it is written to. */
struct bench {
    struct world world;
    struct chunks chunks;
    char path[128];
};

static void bench_make(struct bench *bench)
{
    world_make(&bench->world);
    for (unsigned i = 0; i < RECORDS; i++) {
        char key[KEY_TEXT_SIZE];
        world_put(&bench->world, key_of(key, i), SLICE_LITERAL("value"));
    }
    bench->chunks = world_export(&bench->world, 1);
    (void)snprintf(bench->path, sizeof(bench->path), "%s/staged", bench->world.place.directory);
}

static void bench_remove(struct bench *bench)
{
    (void)unlink(bench->path);
    writer_deinit(&bench->chunks.bytes);
    world_remove(&bench->world);
}

static void write_file(struct bench *bench, struct slice bytes)
{
    FILE *stream = fopen(bench->path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, stream), bytes.size);
    assert_int_equal(fclose(stream), 0);
}

/* Reads the file to its end, or to the error that stands in the way. */
static err read_file(struct bench *bench, unsigned *out_count)
{
    struct err_note note = {""};
    struct store_staged *staged;
    *out_count = 0;
    err e = store_staged_open(bench->world.place.env, bench->path, &staged, &note);
    if (e != OK) {
        assert_non_null(strstr(note.text, bench->path));
        return e;
    }
    assert_int_equal(store_staged_region(staged)->applied.index, bench->chunks.pos.index);
    enum store_space space;
    struct slice key;
    struct slice bytes;
    while ((e = store_staged_next(staged, &space, &key, &bytes)) == OK) {
        char text[KEY_TEXT_SIZE];
        assert_true(slice_equal(key, key_of(text, *out_count)));
        (*out_count)++;
    }
    store_staged_close(staged);
    return e;
}

static void a_whole_file_gives_its_records(void **state)
{
    (void)state;
    struct bench bench = {0};
    unsigned count;
    bench_make(&bench);
    write_file(&bench, writer_slice(&bench.chunks.bytes));
    assert_int_equal(read_file(&bench, &count), ERR_NOT_FOUND);
    assert_int_equal(count, RECORDS);
    bench_remove(&bench);
}

static void a_file_that_is_cut_or_longer_is_damaged(void **state)
{
    (void)state;
    struct bench bench = {0};
    unsigned count;
    bench_make(&bench);
    struct writer *bytes = &bench.chunks.bytes;
    for (size_t size = 0; size < bytes->size; size++) {
        write_file(&bench, (struct slice){bytes->data, size});
        assert_int_equal(read_file(&bench, &count), ERR_DAMAGED);
    }
    writer_u8(bytes, 0);
    write_file(&bench, writer_slice(bytes));
    assert_int_equal(read_file(&bench, &count), ERR_DAMAGED);
    bench_remove(&bench);
}

static void every_flipped_byte_is_damage(void **state)
{
    (void)state;
    struct bench bench = {0};
    unsigned count;
    bench_make(&bench);
    struct writer *bytes = &bench.chunks.bytes;
    for (size_t i = 0; i < bytes->size; i++) {
        bytes->data[i] ^= 0x10;
        write_file(&bench, writer_slice(bytes));
        assert_int_equal(read_file(&bench, &count), ERR_DAMAGED);
        bytes->data[i] ^= 0x10;
    }
    bench_remove(&bench);
}

static void a_file_that_is_not_there_is_told_apart(void **state)
{
    (void)state;
    struct bench bench = {0};
    unsigned count;
    bench_make(&bench);
    assert_int_equal(read_file(&bench, &count), ERR_NO_FILE);
    bench_remove(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_gives_its_records),
        cmocka_unit_test(a_file_that_is_cut_or_longer_is_damaged),
        cmocka_unit_test(every_flipped_byte_is_damage),
        cmocka_unit_test(a_file_that_is_not_there_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
