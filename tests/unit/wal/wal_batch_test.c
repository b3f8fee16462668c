#include "wal/wal_batch.h"
#include "wal_testing.h"

static void an_entrys_bytes_are_shared_and_given_back(void **state)
{
    (void)state;
    struct wal_batch batch = {0};
    struct entry entry = {.pos = {.term = 1, .index = 1}, .type = ENTRY_NORMAL};
    entry.data = entry_data(1, entry.pos, 100);
    wal_batch_add_entry(&batch, 1, &entry);
    assert_int_equal(entry.data->ref_count, 2);
    struct wal_seal seal = {.offset = 512, .batch = 1};
    int part_count;
    (void)wal_batch_seal(&batch, &seal, SLICE_EMPTY, &part_count);
    assert_int_equal(part_count, 3); /* head, data, padding */
    assert_ptr_equal(batch.parts[1].iov_base, entry.data->data);
    wal_batch_reset(&batch);
    assert_true(wal_batch_is_empty(&batch));
    assert_int_equal(entry.data->ref_count, 1);
    buf_unref(entry.data);
    wal_batch_deinit(&batch);
}

struct found {
    region_id regions[4];
    struct raft_pos pos[4];
    uint64_t offsets[4];
    size_t count;
};

static void on_entry(void *ctx, region_id region, struct raft_pos pos, uint64_t offset)
{
    struct found *found = ctx;
    found->regions[found->count] = region;
    found->pos[found->count] = pos;
    found->offsets[found->count] = offset;
    found->count++;
}

static void every_entry_is_found_with_its_offset(void **state)
{
    (void)state;
    struct wal_batch batch = {0};
    struct hard_state hard_state = {.term = 1};
    struct entry entry = {.pos = {.term = 5, .index = 6}, .type = ENTRY_NORMAL};
    entry.data = entry_data(1, entry.pos, 100);
    wal_batch_add_entry(&batch, 1, &entry);
    wal_batch_add_hard_state(&batch, 1, &hard_state);
    wal_batch_add_pos(&batch, WAL_KIND_COMPACTION, 1, (struct raft_pos){1, 2});
    entry.pos.index = 7;
    wal_batch_add_entry(&batch, 2, &entry);
    buf_unref(entry.data);
    struct found found = {.count = 0};
    wal_batch_each_entry(&batch, on_entry, &found);
    assert_int_equal(found.count, 2);
    assert_int_equal(batch.entry_count, 2);
    assert_int_equal(found.regions[0], 1);
    assert_int_equal(found.pos[0].index, 6);
    assert_int_equal(found.pos[0].term, 5);
    assert_int_equal(found.offsets[0], 0);
    assert_int_equal(found.regions[1], 2);
    assert_int_equal(found.pos[1].index, 7);
    assert_int_equal(found.offsets[1], WAL_ENTRY_RECORD_SIZE(100) + 2 * WAL_RECORD_HEAD_SIZE +
                                           WAL_HARD_STATE_PAYLOAD_SIZE + WAL_POS_PAYLOAD_SIZE);
    assert_int_equal(batch.size, found.offsets[1] + WAL_ENTRY_RECORD_SIZE(100));
    wal_batch_deinit(&batch);
}

static void parts_make_up_whole_sectors_behind_the_prefix(void **state)
{
    (void)state;
    for (size_t size = 0; size < 1200; size += 7) {
        struct wal_batch batch = {0};
        struct entry entry = {.pos = {.term = 5, .index = 6}, .type = ENTRY_NORMAL};
        entry.data = entry_data(1, entry.pos, size);
        wal_batch_add_entry(&batch, 1, &entry);
        buf_unref(entry.data);
        struct wal_seal seal = {.offset = 512, .batch = 1};
        int part_count;
        uint8_t prefix[WAL_SECTOR_SIZE] = {0};
        (void)wal_batch_seal(&batch, &seal, (struct slice){prefix, sizeof(prefix)}, &part_count);
        uint64_t total = 0;
        for (int i = 0; i < part_count; i++) {
            total += batch.parts[i].iov_len;
        }
        assert_ptr_equal(batch.parts[0].iov_base, prefix);
        assert_int_equal(total, WAL_SECTOR_SIZE + wal_batch_size(&batch));
        assert_int_equal(total % WAL_SECTOR_SIZE, 0);
        wal_batch_deinit(&batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entrys_bytes_are_shared_and_given_back),
        cmocka_unit_test(every_entry_is_found_with_its_offset),
        cmocka_unit_test(parts_make_up_whole_sectors_behind_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
