#include "wal/wal_segment.h"
#include "wal_testing.h"

static void names_are_parsed_as_they_are_made(void **state)
{
    (void)state;
    const enum wal_file_type types[] = {WAL_FILE_SEGMENT, WAL_FILE_SPARE, WAL_FILE_NEW};
    const uint64_t numbers[] = {0, 1, 0xabcdef, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(numbers); j++) {
            char path[WAL_PATH_SIZE];
            wal_path_format(path, "some/where", types[i], numbers[j]);
            uint64_t number = 1234;
            assert_int_equal(wal_name_parse(path + strlen("some/where/"), &number), types[i]);
            assert_int_equal(number, numbers[j]);
        }
    }
}

static void other_names_are_strangers(void **state)
{
    (void)state;
    const char *const names[] = {"",
                                 "synced",
                                 "0000000000000001",
                                 "000000000000001.seg",
                                 "00000000000000001.seg",
                                 "000000000000000A.seg",
                                 "0000000000000001.seg~",
                                 "0000000000000001.SEG",
                                 "x000000000000001.seg"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        uint64_t number;
        assert_int_equal(wal_name_parse(names[i], &number), WAL_FILE_OTHER);
    }
}

static void a_new_file_is_full_of_zeros_and_must_be_new(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 0);
    char path[WAL_PATH_SIZE];
    wal_path_format(path, fixture.directory, WAL_FILE_NEW, 5);
    const uint64_t size = (3u << 20) + WAL_SECTOR_SIZE; /* more than one write */
    struct env_file *file;
    assert_int_equal(wal_file_create(fixture.env, path, 0, size, &file, &fixture.note), OK);
    env_file_close(file);
    struct file_image image;
    file_read(path, &image);
    assert_int_equal(image.size, size);
    for (size_t i = 0; i < image.size; i++) {
        assert_int_equal(image.data[i], 0);
    }
    mem_free(image.data);
    assert_int_equal(wal_file_create(fixture.env, path, 0, size, &file, &fixture.note), ERR_EXISTS);
    assert_non_null(strstr(fixture.note.text, path));
    fixture_deinit(&fixture);
}

static void zeroing_touches_its_range_only(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 0);
    char path[WAL_PATH_SIZE];
    wal_path_format(path, fixture.directory, WAL_FILE_NEW, 5);
    struct env_file *file;
    assert_int_equal(wal_file_create(fixture.env, path, 0, 4096, &file, &fixture.note), OK);
    uint8_t bytes[4096];
    memset(bytes, 0xee, sizeof(bytes));
    struct iovec part = {bytes, sizeof(bytes)};
    assert_int_equal(env_file_write(file, 0, &part, 1), OK);
    assert_int_equal(wal_file_zero(file, 1000, 500), OK);
    size_t size;
    assert_int_equal(env_file_read(file, 0, bytes, sizeof(bytes), &size), OK);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(bytes[i], i >= 1000 && i < 1500 ? 0 : 0xee);
    }
    env_file_close(file);
    fixture_deinit(&fixture);
}

static void the_table_counts_what_is_live(void **state)
{
    (void)state;
    struct wal_segments segments = {0};
    for (uint64_t sequence = 5; sequence < 30; sequence++) {
        wal_segments_push(&segments, &(struct wal_segment){.sequence = sequence, .size = 4096});
    }
    assert_int_equal(segments.size_bytes, 25 * 4096);
    assert_int_equal(wal_segments_current(&segments)->sequence, 29);
    wal_segments_hold(&segments, 7, 100);
    wal_segments_hold(&segments, 7, 50);
    wal_segments_hold(&segments, 8, 10);
    assert_int_equal(segments.live_bytes, 160);
    assert_int_equal(wal_segments_at(&segments, 7)->live_bytes, 150);
    wal_segments_release(&segments, 7, 100, 44);
    wal_segments_release(&segments, 7, 50, 43);
    assert_int_equal(wal_segments_at(&segments, 7)->live_bytes, 0);
    assert_int_equal(wal_segments_at(&segments, 7)->release_batch, 44); /* the later one counts */
    assert_int_equal(segments.live_bytes, 10);
    assert_int_equal(wal_segments_pop(&segments).sequence, 5);
    assert_int_equal(wal_segments_at(&segments, 8)->live_bytes, 10);
    assert_int_equal(segments.size_bytes, 24 * 4096);
    wal_segments_deinit(&segments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_parsed_as_they_are_made),
        cmocka_unit_test(other_names_are_strangers),
        cmocka_unit_test(a_new_file_is_full_of_zeros_and_must_be_new),
        cmocka_unit_test(zeroing_touches_its_range_only),
        cmocka_unit_test(the_table_counts_what_is_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
