/* Batches as wal_batch lays them out, as wal_scan finds them again. */
#include "wal/wal_scan.h"
#include "wal_testing.h"

#define IMAGE_SIZE 8192u

/* A segment's bytes and where its next batch goes. */
struct segment {
    uint8_t bytes[IMAGE_SIZE];
    struct wal_header header;
    struct wal_seal seal;
};

static void segment_init(struct segment *segment)
{
    memset(segment, 0, sizeof(*segment));
    segment->header = (struct wal_header){
        .cluster_id = CLUSTER,
        .node = NODE,
        .sequence = 1,
        .size = IMAGE_SIZE,
        .first_batch = 10,
        .salt = 42,
    };
    wal_header_encode(&segment->header, segment->bytes);
    segment->seal = (struct wal_seal){
        .header_crc = segment->header.crc,
        .offset = WAL_SECTOR_SIZE,
        .batch = 10,
        .previous_crc = segment->header.crc,
    };
}

/* Adds a batch of `count` entries from `index` on, of `size` bytes each. */
static void add_batch(struct segment *segment, uint64_t index, uint32_t count, size_t size)
{
    struct wal_batch batch = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry = {.pos = {.term = 1, .index = index + i}, .type = ENTRY_NORMAL};
        entry.data = entry_data(1, entry.pos, size);
        wal_batch_add_entry(&batch, 1, &entry);
        buf_unref(entry.data);
    }
    int part_count;
    uint32_t crc = wal_batch_seal(&batch, &segment->seal, SLICE_EMPTY, &part_count);
    uint64_t offset = segment->seal.offset;
    for (int i = 0; i < part_count; i++) {
        memcpy(segment->bytes + offset, batch.parts[i].iov_base, batch.parts[i].iov_len);
        offset += batch.parts[i].iov_len;
    }
    assert_int_equal(offset, segment->seal.offset + wal_batch_size(&batch));
    segment->seal.offset = offset;
    segment->seal.batch++;
    segment->seal.previous_crc = crc;
    wal_batch_deinit(&batch);
}

static struct wal_scan begin(const struct segment *segment)
{
    return wal_scan_begin((struct slice){segment->bytes, IMAGE_SIZE}, &segment->header);
}

static err count_record(void *ctx, const struct wal_record *record, uint64_t offset)
{
    size_t *count = ctx;
    assert_int_equal(record->kind, WAL_KIND_ENTRY);
    assert_true(offset >= WAL_SECTOR_SIZE);
    (*count)++;
    return OK;
}

static void whole_batches_are_walked_to_the_end(void **state)
{
    (void)state;
    struct segment segment;
    segment_init(&segment);
    add_batch(&segment, 1, 3, 100);
    add_batch(&segment, 4, 1, 0);
    add_batch(&segment, 5, 2, 1000);
    struct wal_scan scan = begin(&segment);
    struct wal_scan next;
    struct wal_fault fault;
    size_t count = 0;
    while (wal_scan_batch(&scan, &next, &fault)) {
        assert_int_equal(wal_scan_apply(&scan, count_record, &count), OK);
        scan = next;
    }
    assert_int_equal(count, 6);
    assert_int_equal(scan.offset, segment.seal.offset);
    assert_int_equal(scan.batch, 13);
    assert_int_equal(scan.previous_crc, segment.seal.previous_crc);
    assert_int_equal(fault.offset, segment.seal.offset);
    assert_false(wal_scan_has_torn_batch(&scan));
    assert_int_equal(wal_scan_later_batch(&scan), 0);
}

static void a_batch_with_a_bad_record_is_not_believed_at_all(void **state)
{
    (void)state;
    struct segment segment;
    segment_init(&segment);
    add_batch(&segment, 1, 4, 300);
    size_t third = WAL_SECTOR_SIZE + 2 * WAL_ENTRY_RECORD_SIZE(300);
    segment.bytes[third + 60] ^= 1;
    struct wal_scan scan = begin(&segment);
    struct wal_scan next;
    struct wal_fault fault;
    assert_false(wal_scan_batch(&scan, &next, &fault));
    assert_int_equal(fault.offset, third);
    assert_true(wal_scan_has_torn_batch(&scan));
    assert_int_equal(wal_scan_later_batch(&scan), 0); /* its own records prove nothing */
}

static void a_later_batch_is_found_behind_a_bad_one(void **state)
{
    (void)state;
    struct segment segment;
    segment_init(&segment);
    add_batch(&segment, 1, 4, 300);
    uint64_t second = segment.seal.offset;
    add_batch(&segment, 5, 1, 10);
    memset(segment.bytes + WAL_SECTOR_SIZE, 0, WAL_SECTOR_SIZE);
    struct wal_scan scan = begin(&segment);
    struct wal_scan next;
    struct wal_fault fault;
    assert_false(wal_scan_batch(&scan, &next, &fault));
    assert_int_equal(wal_scan_later_batch(&scan), second);
}

static void an_earlier_batch_is_not_a_later_one(void **state)
{
    (void)state;
    struct segment segment;
    segment_init(&segment);
    add_batch(&segment, 1, 4, 300);
    segment.seal.batch = 9; /* what a life before this one could have left */
    add_batch(&segment, 5, 1, 10);
    segment.bytes[WAL_SECTOR_SIZE + 40] ^= 1;
    struct wal_scan scan = begin(&segment);
    assert_int_equal(wal_scan_later_batch(&scan), 0);
}

static void a_batch_that_does_not_continue_the_chain_is_not_believed(void **state)
{
    (void)state;
    struct segment segment;
    struct wal_scan next;
    struct wal_fault fault;
    segment_init(&segment);
    segment.seal.previous_crc++;
    add_batch(&segment, 1, 1, 10);
    struct wal_scan scan = begin(&segment);
    assert_false(wal_scan_batch(&scan, &next, &fault));
    assert_non_null(strstr(fault.what, "chain"));
    segment_init(&segment);
    segment.seal.batch++;
    add_batch(&segment, 1, 1, 10);
    scan = begin(&segment);
    assert_false(wal_scan_batch(&scan, &next, &fault));
    assert_non_null(strstr(fault.what, "number"));
}

static void a_segment_may_be_full_to_its_last_byte(void **state)
{
    (void)state;
    struct segment segment;
    segment_init(&segment);
    add_batch(&segment, 1, 1, IMAGE_SIZE - WAL_SECTOR_SIZE - WAL_ENTRY_RECORD_SIZE(0));
    struct wal_scan scan = begin(&segment);
    struct wal_scan next;
    struct wal_fault fault;
    assert_true(wal_scan_batch(&scan, &next, &fault));
    assert_int_equal(next.offset, IMAGE_SIZE);
    scan = next;
    assert_false(wal_scan_batch(&scan, &next, &fault));
    assert_false(wal_scan_has_torn_batch(&scan));
    assert_int_equal(wal_scan_later_batch(&scan), 0);
}

static void a_scan_goes_on_behind_a_bad_batch(void **state)
{
    (void)state;
    struct segment segment;
    segment_init(&segment);
    add_batch(&segment, 1, 4, 300);
    add_batch(&segment, 5, 1, 300);
    add_batch(&segment, 6, 1, 300);
    segment.bytes[WAL_SECTOR_SIZE + 60] ^= 1;
    struct wal_scan scan = begin(&segment);
    struct wal_scan next;
    struct wal_fault fault;
    assert_false(wal_scan_batch(&scan, &next, &fault));
    assert_true(wal_scan_resume(&scan, &scan));
    assert_int_equal(scan.batch, 11);
    assert_true(wal_scan_batch(&scan, &scan, &fault));
    assert_true(wal_scan_batch(&scan, &scan, &fault));
    assert_int_equal(scan.offset, segment.seal.offset);
    assert_false(wal_scan_resume(&scan, &next));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_batches_are_walked_to_the_end),
        cmocka_unit_test(a_batch_with_a_bad_record_is_not_believed_at_all),
        cmocka_unit_test(a_later_batch_is_found_behind_a_bad_one),
        cmocka_unit_test(an_earlier_batch_is_not_a_later_one),
        cmocka_unit_test(a_batch_that_does_not_continue_the_chain_is_not_believed),
        cmocka_unit_test(a_segment_may_be_full_to_its_last_byte),
        cmocka_unit_test(a_scan_goes_on_behind_a_bad_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
