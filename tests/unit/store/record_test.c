#include "base/crc32c.h"
#include "store/record.h"
#include "store_testing.h"

#define KEY SLICE_LITERAL("a/key")

static struct store_record some_record(void)
{
    struct store_record record = {
        .value = SLICE_LITERAL("the value\0\xff"),
        .content_type = SLICE_LITERAL("text/plain"),
        .create_revision = 3,
        .mod_revision = 0x0102030405060708,
        .version = 9,
        .modified_ms = 1700000000123,
        .expires_ms = 5,
        .flags = 1,
    };
    store_record_seal(&record, KEY);
    return record;
}

static struct buf *encoded(const struct store_record *record, struct slice key)
{
    struct buf *bytes = buf_new(store_record_size(record));
    store_record_encode(record, key, bytes->data);
    return bytes;
}

static err decode_and_verify(struct slice bytes, struct slice key)
{
    struct store_record record;
    err e = store_record_decode(bytes, key, &record);
    return e == OK ? store_record_verify(&record, key) : e;
}

static void a_record_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct store_record record = some_record();
    struct buf *bytes = encoded(&record, KEY);
    struct store_record decoded;
    assert_int_equal(store_record_decode(buf_slice(bytes), KEY, &decoded), OK);
    assert_int_equal(store_record_verify(&decoded, KEY), OK);
    assert_null(decoded.owner);
    assert_true(slice_equal(decoded.value, record.value));
    assert_true(slice_equal(decoded.content_type, record.content_type));
    assert_int_equal(decoded.create_revision, 3);
    assert_int_equal(decoded.mod_revision, 0x0102030405060708);
    assert_int_equal(decoded.version, 9);
    assert_int_equal(decoded.modified_ms, 1700000000123);
    assert_int_equal(decoded.expires_ms, 5);
    assert_int_equal(decoded.flags, 1);
    assert_int_equal(decoded.value_crc, record.value_crc);
    buf_unref(bytes);
}

static void the_bytes_are_those_of_the_readme(void **state)
{
    (void)state;
    struct store_record record = {.value = SLICE_LITERAL("v"),
                                  .content_type = SLICE_LITERAL("t"),
                                  .create_revision = 1,
                                  .mod_revision = 2,
                                  .version = 3,
                                  .modified_ms = 4};
    struct slice key = SLICE_LITERAL("k");
    store_record_seal(&record, key);
    struct buf *bytes = encoded(&record, key);
    const uint8_t fixed[48] = {1, 0, 1, 0, 1, [8] = 1, [16] = 2, [24] = 3, [32] = 4};
    assert_int_equal(bytes->size, 56 + 1 + 1);
    assert_memory_equal(bytes->data, fixed, sizeof(fixed));
    assert_int_equal(load_u32(bytes->data + 48), crc32c(0, "k\2\0\0\0\0\0\0\0v", 10));
    uint32_t head_crc = crc32c(crc32c(0, bytes->data, 52), "tk", 2);
    assert_int_equal(load_u32(bytes->data + 52), head_crc);
    assert_memory_equal(bytes->data + 56, "tv", 2);
    buf_unref(bytes);
}

static void an_empty_value_without_a_content_type_is_a_record(void **state)
{
    (void)state;
    struct store_record record = {.create_revision = 1, .mod_revision = 1, .version = 1};
    store_record_seal(&record, KEY);
    struct buf *bytes = encoded(&record, KEY);
    assert_int_equal(bytes->size, STORE_RECORD_HEAD_SIZE);
    assert_int_equal(decode_and_verify(buf_slice(bytes), KEY), OK);
    buf_unref(bytes);
}

static void any_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct store_record record = some_record();
    struct buf *bytes = encoded(&record, KEY);
    size_t value_offset = STORE_RECORD_HEAD_SIZE + record.content_type.size;
    for (size_t bit = 0; bit < 8 * bytes->size; bit++) {
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct store_record decoded;
        err e = store_record_decode(buf_slice(bytes), KEY, &decoded);
        if (bit / 8 >= value_offset) { /* the head alone does not know */
            assert_int_equal(e, OK);
            e = store_record_verify(&decoded, KEY);
        }
        assert_int_equal(e, ERR_CORRUPT);
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(decode_and_verify(buf_slice(bytes), KEY), OK);
    buf_unref(bytes);
}

static void a_record_of_another_key_is_not_taken(void **state)
{
    (void)state;
    struct store_record record = some_record();
    struct buf *bytes = encoded(&record, KEY);
    struct store_record decoded;
    struct slice other = SLICE_LITERAL("a/kez");
    assert_int_equal(store_record_decode(buf_slice(bytes), other, &decoded), ERR_CORRUPT);
    assert_int_equal(store_record_verify(&record, other), ERR_CORRUPT);
    buf_unref(bytes);
}

static void any_other_size_is_refused(void **state)
{
    (void)state;
    struct store_record record = some_record();
    struct buf *bytes = encoded(&record, KEY);
    for (size_t size = 0; size <= bytes->size + 1; size++) {
        struct buf *cut = buf_new(size); /* of that size, so that a read past it is seen */
        memset(cut->data, 0, size);
        memcpy(cut->data, bytes->data, size < bytes->size ? size : bytes->size);
        err expected = size == bytes->size ? OK : ERR_CORRUPT;
        assert_int_equal(decode_and_verify(buf_slice(cut), KEY), expected);
        buf_unref(cut);
    }
    buf_unref(bytes);
}

static void a_whole_record_of_an_unknown_version_is_refused(void **state)
{
    (void)state;
    struct store_record record = {0};
    struct slice key = SLICE_LITERAL("k");
    store_record_seal(&record, key);
    struct buf *bytes = encoded(&record, key);
    bytes->data[0] = 2;
    store_u32(bytes->data + 52, crc32c(crc32c(0, bytes->data, 52), "k", 1));
    struct store_record decoded;
    assert_int_equal(store_record_decode(buf_slice(bytes), key, &decoded), ERR_CORRUPT);
    buf_unref(bytes);
}

static void the_hash_depends_on_everything_but_never_reads_the_value(void **state)
{
    (void)state;
    struct store_record base = some_record();
    base.value.data = NULL; /* would fault */
    struct hash128 hash = store_record_hash(&base, KEY);
    assert_true(hash128_equal(hash, store_record_hash(&base, KEY)));
    assert_false(hash128_equal(hash, store_record_hash(&base, SLICE_LITERAL("a/kez"))));
    struct store_record others[] = {base, base, base, base, base, base, base, base, base};
    others[0].create_revision++;
    others[1].mod_revision++;
    others[2].version++;
    others[3].modified_ms++;
    others[4].expires_ms++;
    others[5].flags++;
    others[6].value_crc++;
    others[7].value.size++;
    others[8].content_type = SLICE_LITERAL("text/plaid");
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        assert_false(hash128_equal(hash, store_record_hash(&others[i], KEY)));
    }
}

/* As every version before has it: nodes compare it, and it stands in files. */
static void the_hash_is_what_it_always_was(void **state)
{
    (void)state;
    struct store_record record = {
        .value = SLICE_LITERAL("value"),
        .content_type = SLICE_LITERAL("text/plain"),
        .create_revision = 1,
        .mod_revision = 2,
        .version = 3,
        .modified_ms = 4,
    };
    store_record_seal(&record, KEY);
    struct hash128 hash = store_record_hash(&record, KEY);
    assert_int_equal(hash.low, UINT64_C(0x0c5dd123bd4d12ab));
    assert_int_equal(hash.high, UINT64_C(0x280234b91d9d1821));
}

static void a_record_is_of_one_space_by_its_flag(void **state)
{
    (void)state;
    struct store_record record = some_record();
    struct store_record decoded;
    struct hash128 user = store_record_hash(&record, KEY);
    struct buf *bytes = encoded(&record, KEY);
    assert_int_equal(store_record_decode_in(buf_slice(bytes), STORE_SPACE_USER, KEY, &decoded), OK);
    assert_int_equal(store_record_decode_in(buf_slice(bytes), STORE_SPACE_SYSTEM, KEY, &decoded),
                     ERR_CORRUPT);
    buf_unref(bytes);
    record.flags |= STORE_RECORD_SYSTEM;
    assert_false(hash128_equal(user, store_record_hash(&record, KEY)));
    bytes = encoded(&record, KEY);
    assert_int_equal(store_record_decode_in(buf_slice(bytes), STORE_SPACE_USER, KEY, &decoded),
                     ERR_CORRUPT);
    assert_int_equal(store_record_decode_in(buf_slice(bytes), STORE_SPACE_SYSTEM, KEY, &decoded),
                     OK);
    assert_int_equal(decoded.flags, record.flags);
    buf_unref(bytes);
}

static void the_longest_key_of_the_systems_has_a_record_and_a_hash(void **state)
{
    (void)state;
    uint8_t key_bytes[STORE_SYSTEM_KEY_SIZE_MAX];
    struct slice key = {key_bytes, sizeof(key_bytes)};
    memset(key_bytes, 'k', sizeof(key_bytes));
    struct store_record record = some_record();
    record.flags = STORE_RECORD_SYSTEM;
    store_record_seal(&record, key);
    struct buf *bytes = encoded(&record, key);
    assert_int_equal(decode_and_verify(buf_slice(bytes), key), OK);
    struct hash128 hash = store_record_hash(&record, key);
    key_bytes[sizeof(key_bytes) - 1] = 'l';
    assert_false(hash128_equal(hash, store_record_hash(&record, key)));
    assert_int_equal(decode_and_verify(buf_slice(bytes), key), ERR_CORRUPT);
    buf_unref(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was_encoded),
        cmocka_unit_test(the_bytes_are_those_of_the_readme),
        cmocka_unit_test(an_empty_value_without_a_content_type_is_a_record),
        cmocka_unit_test(any_flipped_bit_is_noticed),
        cmocka_unit_test(a_record_of_another_key_is_not_taken),
        cmocka_unit_test(any_other_size_is_refused),
        cmocka_unit_test(a_whole_record_of_an_unknown_version_is_refused),
        cmocka_unit_test(the_hash_depends_on_everything_but_never_reads_the_value),
        cmocka_unit_test(the_hash_is_what_it_always_was),
        cmocka_unit_test(a_record_is_of_one_space_by_its_flag),
        cmocka_unit_test(the_longest_key_of_the_systems_has_a_record_and_a_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
