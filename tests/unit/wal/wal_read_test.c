#include "wal/wal_int.h"
#include "wal_testing.h"

#define SEGMENT_SIZE 65536u
#define CACHE_SIZE 4000u

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    fixture_init(fixture, SEGMENT_SIZE);
    fixture->options.cache_bytes_max = CACHE_SIZE;
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    mem_free(*state);
    return 0;
}

static void entries_that_left_the_memory_are_read_back(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t i = 1; i <= 300; i += 3) {
        (void)append(fixture, 1, (struct raft_pos){2, i}, 3, 200);
        append_wait(fixture, 2, (struct raft_pos){3, i}, 3, 90);
    }
    assert_true(wal_stats(fixture->wal)->cached_bytes <= CACHE_SIZE + 3 * 290);
    for (int restart = 0; restart < 2; restart++) {
        expect_entries(fixture, 1, (struct raft_pos){2, 1}, 300, 200);
        expect_entries(fixture, 2, (struct raft_pos){3, 1}, 300, 90);
        fixture_reopen(fixture);
    }
    assert_true(wal_stats(fixture->wal)->cached_bytes <= CACHE_SIZE);
}

static void what_is_not_durable_stays_in_memory(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ticket = append(fixture, 1, (struct raft_pos){2, 1}, 100, 200);
    assert_int_equal(wal_stats(fixture->wal)->cached_bytes, 20000);
    fixture_wait(fixture, ticket);
    (void)append(fixture, 1, (struct raft_pos){2, 101}, 1, 1);
    assert_true(wal_stats(fixture->wal)->cached_bytes <= CACHE_SIZE + 1);
    expect_entries(fixture, 1, (struct raft_pos){2, 1}, 100, 200);
}

static void one_read_gives_many_entries_from_disk_and_memory(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t i = 1; i <= 200; i++) {
        (void)append(fixture, 1, (struct raft_pos){2, i}, 1, i % 7 == 0 ? 0 : 100);
        append_wait(fixture, 2, (struct raft_pos){3, i}, 1, 10);
    }
    struct entry entries[200];
    uint32_t count = 0;
    assert_int_equal(
        wal_read(fixture->wal, &(struct wal_range){1, 1, 201, UINT64_MAX}, entries, 200, &count),
        OK);
    assert_int_equal(count, 200);
    for (uint32_t i = 0; i < count; i++) {
        struct raft_pos pos = {2, i + 1};
        struct buf *expected = entry_data(1, pos, pos.index % 7 == 0 ? 0 : 100);
        assert_int_equal(entries[i].pos.index, pos.index);
        assert_int_equal(entries[i].type, pos.index % 4);
        assert_true(slice_equal(buf_slice(entries[i].data), buf_slice(expected)));
        buf_unref(expected);
        buf_unref(entries[i].data);
    }
}

static void a_read_gives_at_least_one_entry_and_keeps_its_bounds(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){2, 1}, 10, 100);
    const struct {
        uint64_t size_max;
        uint32_t count_max;
        uint32_t expected;
    } cases[] = {{0, 10, 1},   {99, 10, 1},  {100, 10, 1},  {199, 10, 1},
                 {200, 10, 2}, {1000, 3, 3}, {10000, 10, 9}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct entry entries[10];
        uint32_t count = 0;
        assert_int_equal(wal_read(fixture->wal, &(struct wal_range){1, 2, 11, cases[i].size_max},
                                  entries, cases[i].count_max, &count),
                         OK);
        assert_int_equal(count, cases[i].expected);
        for (uint32_t k = 0; k < count; k++) {
            buf_unref(entries[k].data);
        }
    }
}

static void a_damaged_record_is_not_handed_out(void **state)
{
    struct fixture *fixture = *state;
    append_wait(fixture, 1, (struct raft_pos){2, 1}, 10, 1000);
    append_wait(fixture, 1, (struct raft_pos){2, 11}, 1, 1);
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/0000000000000001.seg", fixture->directory);
    FILE *stream = fopen(path, "r+b");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, WAL_SECTOR_SIZE + 1500, SEEK_SET), 0); /* in entry 2 */
    assert_int_not_equal(fputc('?', stream), EOF);
    assert_int_equal(fclose(stream), 0);
    struct entry entries[3];
    uint32_t count = 0;
    assert_int_equal(
        wal_read(fixture->wal, &(struct wal_range){1, 1, 4, UINT64_MAX}, entries, 3, &count),
        ERR_DAMAGED);
    assert_int_equal(count, 0);
    expect_entry(fixture, 1, (struct raft_pos){2, 1}, 1000);
    expect_entry(fixture, 1, (struct raft_pos){2, 3}, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_that_left_the_memory_are_read_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_durable_stays_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(one_read_gives_many_entries_from_disk_and_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_read_gives_at_least_one_entry_and_keeps_its_bounds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_damaged_record_is_not_handed_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
