#include "base/codec.h"
#include "base/crc32c.h"
#include "wal/wal_format.h"
#include "wal_testing.h"

static struct wal_header some_header(void)
{
    return (struct wal_header){
        .cluster_id = CLUSTER,
        .node = NODE,
        .sequence = 7,
        .size = 4096,
        .first_batch = 99,
        .previous_end = 2048,
        .previous_crc = 0xdeadbeef,
        .salt = 0x0123456789abcdef,
    };
}

static void a_header_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t sector[WAL_SECTOR_SIZE];
    struct wal_header header = some_header();
    wal_header_encode(&header, sector);
    struct wal_header decoded;
    assert_int_equal(wal_header_decode(sector, &decoded), OK);
    assert_int_equal(decoded.cluster_id, header.cluster_id);
    assert_int_equal(decoded.node, header.node);
    assert_int_equal(decoded.sequence, header.sequence);
    assert_int_equal(decoded.size, header.size);
    assert_int_equal(decoded.first_batch, header.first_batch);
    assert_int_equal(decoded.previous_end, header.previous_end);
    assert_int_equal(decoded.previous_crc, header.previous_crc);
    assert_int_equal(decoded.salt, header.salt);
    assert_int_equal(decoded.crc, header.crc);
}

static void every_flipped_bit_of_a_header_is_damage(void **state)
{
    (void)state;
    uint8_t sector[WAL_SECTOR_SIZE];
    struct wal_header header = some_header();
    wal_header_encode(&header, sector);
    for (size_t bit = 0; bit < 8 * sizeof(sector); bit++) {
        struct wal_header decoded;
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(wal_header_decode(sector, &decoded), ERR_DAMAGED);
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_whole_header_of_another_version_is_told_from_damage(void **state)
{
    (void)state;
    uint8_t sector[WAL_SECTOR_SIZE];
    struct wal_header header = some_header();
    wal_header_encode(&header, sector);
    store_u32(sector + 8, WAL_VERSION + 1);
    store_u32(sector + WAL_SECTOR_SIZE - 4, crc32c(0, sector, WAL_SECTOR_SIZE - 4));
    assert_int_equal(wal_header_decode(sector, &header), ERR_VERSION);
}

static void a_header_stands_on_disk_as_the_readme_says(void **state)
{
    (void)state;
    uint8_t sector[WAL_SECTOR_SIZE];
    struct wal_header header = some_header();
    wal_header_encode(&header, sector);
    assert_memory_equal(sector, "PONTOWAL", 8);
    assert_int_equal(load_u32(sector + 8), 1);
    assert_int_equal(load_u64(sector + 16), CLUSTER);
    assert_int_equal(load_u64(sector + 24), NODE);
    assert_int_equal(load_u64(sector + 32), 7);
    assert_int_equal(load_u64(sector + 40), 4096);
    assert_int_equal(load_u64(sector + 48), 99);
    assert_int_equal(load_u64(sector + 56), 2048);
    assert_int_equal(load_u32(sector + 64), 0xdeadbeef);
    assert_int_equal(load_u64(sector + 72), 0x0123456789abcdef);
    assert_int_equal(load_u32(sector + 508), header.crc);
}

#define DATA "hello, log"

/* An entry's record, whole in `bytes`; returns its size. */
static size_t make_record(uint8_t *bytes, const struct wal_seal *seal)
{
    size_t head_size = WAL_RECORD_HEAD_SIZE + WAL_ENTRY_HEAD_SIZE;
    struct slice data = SLICE_LITERAL(DATA);
    wal_record_encode(bytes, WAL_KIND_ENTRY, 5, WAL_ENTRY_HEAD_SIZE + data.size);
    wal_entry_encode(bytes + WAL_RECORD_HEAD_SIZE, (struct raft_pos){.term = 3, .index = 8},
                     ENTRY_CONF_CHANGE);
    (void)wal_record_seal(bytes, head_size, data, seal);
    memcpy(bytes + head_size, data.data, data.size);
    return head_size + data.size;
}

static const struct wal_seal SEAL = {
    .header_crc = 0xabcd1234,
    .offset = 1024,
    .batch = 17,
    .flags = WAL_FLAG_FIRST,
    .previous_crc = 0x5555aaaa,
};

static void a_record_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t size = make_record(bytes, &SEAL);
    struct wal_record record;
    assert_int_equal(
        wal_record_decode((struct slice){bytes, sizeof(bytes)}, 0xabcd1234, 1024, &record), OK);
    assert_int_equal(wal_record_size(&record), size);
    assert_int_equal(record.kind, WAL_KIND_ENTRY);
    assert_int_equal(record.flags, WAL_FLAG_FIRST);
    assert_int_equal(record.batch, 17);
    assert_int_equal(record.region, 5);
    assert_int_equal(record.previous_crc, 0x5555aaaa);
    struct wal_record again = wal_record_view((struct slice){bytes, sizeof(bytes)});
    assert_int_equal(again.batch, record.batch);
    assert_int_equal(again.crc, record.crc);
    assert_ptr_equal(again.payload.data, record.payload.data);
    assert_int_equal(again.payload.size, record.payload.size);
    struct entry entry;
    struct slice data;
    assert_int_equal(wal_entry_decode(record.payload, &entry, &data), OK);
    assert_int_equal(entry.pos.term, 3);
    assert_int_equal(entry.pos.index, 8);
    assert_int_equal(entry.type, ENTRY_CONF_CHANGE);
    assert_true(slice_equal(data, SLICE_LITERAL(DATA)));
}

static void every_flipped_bit_of_a_record_is_damage(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t size = make_record(bytes, &SEAL);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        struct wal_record record;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(wal_record_decode((struct slice){bytes, size}, 0xabcd1234, 1024, &record),
                         ERR_DAMAGED);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_record_verifies_only_in_its_own_place_and_life(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t size = make_record(bytes, &SEAL);
    struct slice slice = {bytes, size};
    struct wal_record record;
    assert_int_equal(wal_record_decode(slice, 0xabcd1234, 1536, &record), ERR_DAMAGED);
    assert_int_equal(wal_record_decode(slice, 0xabcd1235, 1024, &record), ERR_DAMAGED);
    assert_int_equal(wal_record_decode(slice, 0xabcd1234, 1024, &record), OK);
}

static void a_record_that_goes_past_its_bytes_is_damage(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t size = make_record(bytes, &SEAL);
    for (size_t cut = 0; cut < size; cut++) {
        struct wal_record record;
        assert_int_equal(wal_record_decode((struct slice){bytes, cut}, 0xabcd1234, 1024, &record),
                         ERR_DAMAGED);
    }
}

static void payloads_of_a_wrong_size_or_type_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[64] = {1};
    struct hard_state hard_state;
    struct raft_pos pos;
    struct entry entry;
    struct slice data;
    assert_int_equal(wal_hard_state_decode((struct slice){bytes, 23}, &hard_state), ERR_MALFORMED);
    assert_int_equal(wal_hard_state_decode((struct slice){bytes, 25}, &hard_state), ERR_MALFORMED);
    assert_int_equal(wal_pos_decode((struct slice){bytes, 15}, &pos), ERR_MALFORMED);
    assert_int_equal(wal_entry_decode((struct slice){bytes, 16}, &entry, &data), ERR_MALFORMED);
    assert_int_equal(wal_entry_decode((struct slice){bytes, 17}, &entry, &data), OK);
    bytes[16] = 200;
    assert_int_equal(wal_entry_decode((struct slice){bytes, 17}, &entry, &data), ERR_VERSION);
    bytes[0] = 0;
    assert_int_equal(wal_entry_decode((struct slice){bytes, 17}, &entry, &data), ERR_MALFORMED);
}

static void a_mark_comes_back_and_every_flipped_bit_of_it_is_damage(void **state)
{
    (void)state;
    uint8_t sector[WAL_SECTOR_SIZE];
    struct wal_mark mark = {.count = 4, .sequence = 2, .end = 1024, .last_crc = 0x77};
    struct wal_mark decoded;
    wal_mark_encode(&mark, sector);
    assert_int_equal(wal_mark_decode(sector, &decoded), OK);
    assert_int_equal(decoded.count, 4);
    assert_int_equal(decoded.sequence, 2);
    assert_int_equal(decoded.end, 1024);
    assert_int_equal(decoded.last_crc, 0x77);
    for (size_t bit = 0; bit < 8 * sizeof(sector); bit++) {
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(wal_mark_decode(sector, &decoded), ERR_DAMAGED);
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_comes_back_as_it_was),
        cmocka_unit_test(every_flipped_bit_of_a_header_is_damage),
        cmocka_unit_test(a_whole_header_of_another_version_is_told_from_damage),
        cmocka_unit_test(a_header_stands_on_disk_as_the_readme_says),
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(every_flipped_bit_of_a_record_is_damage),
        cmocka_unit_test(a_record_verifies_only_in_its_own_place_and_life),
        cmocka_unit_test(a_record_that_goes_past_its_bytes_is_damage),
        cmocka_unit_test(payloads_of_a_wrong_size_or_type_are_refused),
        cmocka_unit_test(a_mark_comes_back_and_every_flipped_bit_of_it_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
