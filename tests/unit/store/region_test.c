#include "base/crc32c.h"
#include "store/region.h"
#include "store_testing.h"

static struct store_region some_region(void)
{
    struct store_region region = {
        .id = 5,
        .applied = {.term = 3, .index = 77},
        .revision = REVISION_MAX,
        .clock_ms = 1700000000123,
        .elapsed_ms = 5000000,
        .last_token = 12,
        .keys = 2,
        .key_bytes = 10,
        .value_bytes = 300,
        .system_keys = 7,
        .system_bytes = 400,
        .state_hash = {.low = UINT64_MAX, .high = 1},
        .membership = {.conf = {.voters = {.count = 2, .ids = {4, 9}},
                                .learners = {.count = 1, .ids = {11}}}},
    };
    const struct member members[] = {{.id = 4, .peer_address = "a:1"},
                                     {.id = 9, .peer_address = "b:2"},
                                     {.id = 11, .peer_address = "[::1]:3"}};
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        assert_true(membership_put(&region.membership, &members[i]));
    }
    return region;
}

/* A copy that ends where its block ends. */
static struct buf *encoded(const struct store_region *region)
{
    struct writer out = {0};
    store_region_encode(region, &out);
    struct buf *state = writer_to_buf(&out);
    writer_deinit(&out);
    return state;
}

static void seal(struct buf *state)
{
    store_u32(state->data + state->size - 4, crc32c(0, state->data, state->size - 4));
}

static void a_state_comes_back_as_it_was_encoded(void **state)
{
    (void)state;
    struct store_region region = some_region();
    struct buf *bytes = encoded(&region);
    struct store_region decoded;
    assert_int_equal(store_region_decode(buf_slice(bytes), 5, &decoded), OK);
    assert_int_equal(decoded.id, 5);
    assert_int_equal(decoded.applied.term, 3);
    assert_int_equal(decoded.applied.index, 77);
    assert_int_equal(decoded.checkpoint.term, 3);
    assert_int_equal(decoded.checkpoint.index, 77);
    assert_int_equal(decoded.revision, REVISION_MAX);
    assert_int_equal(decoded.clock_ms, 1700000000123);
    assert_int_equal(decoded.keys, 2);
    assert_int_equal(decoded.key_bytes, 10);
    assert_int_equal(decoded.value_bytes, 300);
    assert_int_equal(decoded.system_keys, 7);
    assert_int_equal(decoded.system_bytes, 400);
    assert_int_equal(decoded.elapsed_ms, 5000000);
    assert_int_equal(decoded.last_token, 12);
    assert_true(hash128_equal(decoded.state_hash, region.state_hash));
    assert_true(conf_state_equal(&decoded.membership.conf, &region.membership.conf));
    assert_int_equal(decoded.membership.member_count, 3);
    assert_string_equal(membership_find(&decoded.membership, 11)->peer_address, "[::1]:3");
    buf_unref(bytes);
}

static void any_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct store_region region = some_region();
    struct buf *bytes = encoded(&region);
    for (size_t bit = 0; bit < 8 * bytes->size; bit++) {
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct store_region decoded;
        assert_int_equal(store_region_decode(buf_slice(bytes), 5, &decoded), ERR_CORRUPT);
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_unref(bytes);
}

static void a_state_that_was_cut_is_refused_whatever_its_checksum_says(void **state)
{
    (void)state;
    struct store_region region = some_region();
    struct buf *bytes = encoded(&region);
    for (size_t size = 0; size < bytes->size; size++) {
        struct buf *cut = buf_copy((struct slice){bytes->data, size});
        struct store_region decoded;
        assert_int_not_equal(store_region_decode(buf_slice(cut), 5, &decoded), OK);
        if (size >= 4) {
            seal(cut);
            assert_int_not_equal(store_region_decode(buf_slice(cut), 5, &decoded), OK);
        }
        buf_unref(cut);
    }
    buf_unref(bytes);
}

/* README.md: format 1 ends its figures with the hash, at byte 81. */
static void a_state_that_is_older_than_the_systems_space_has_nothing_in_it(void **state)
{
    (void)state;
    struct store_region region = some_region();
    struct buf *bytes = encoded(&region);
    memmove(bytes->data + 81, bytes->data + 81 + 40, bytes->size - 81 - 40);
    bytes->size -= 40;
    bytes->data[0] = 1;
    seal(bytes);
    struct store_region decoded;
    assert_int_equal(store_region_decode(buf_slice(bytes), 5, &decoded), OK);
    assert_int_equal(decoded.system_keys, 0);
    assert_int_equal(decoded.system_bytes, 0);
    assert_int_equal(decoded.elapsed_ms, 0);
    assert_int_equal(decoded.last_token, 0);
    assert_int_equal(decoded.value_bytes, 300);
    assert_true(hash128_equal(decoded.state_hash, region.state_hash));
    assert_int_equal(decoded.membership.member_count, 3);
    buf_unref(bytes);
}

static void what_is_used_counts_both_spaces(void **state)
{
    (void)state;
    struct store_region region = some_region();
    assert_int_equal(store_region_used(&region),
                     10 + 300 + 2 * STORE_RECORD_COST + 400 + 7 * STORE_RECORD_COST);
}

static void a_whole_state_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    const struct {
        size_t offset;
        uint8_t value;
        err expected;
    } cases[] = {
        {0, 3, ERR_VERSION},    /* format */
        {0, 0, ERR_VERSION},    /* there never was such a one */
        {1, 6, ERR_CORRUPT},    /* another region's id */
        {17, 0, ERR_MALFORMED}, /* applied index 0 */
        {25, 1, ERR_MALFORMED}, /* revision above the maximum */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct store_region region = some_region();
        struct buf *bytes = encoded(&region);
        bytes->data[cases[i].offset] = cases[i].value;
        seal(bytes);
        struct store_region decoded;
        assert_int_equal(store_region_decode(buf_slice(bytes), 5, &decoded), cases[i].expected);
        buf_unref(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_comes_back_as_it_was_encoded),
        cmocka_unit_test(any_flipped_bit_is_noticed),
        cmocka_unit_test(a_state_that_was_cut_is_refused_whatever_its_checksum_says),
        cmocka_unit_test(a_state_that_is_older_than_the_systems_space_has_nothing_in_it),
        cmocka_unit_test(what_is_used_counts_both_spaces),
        cmocka_unit_test(a_whole_state_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
