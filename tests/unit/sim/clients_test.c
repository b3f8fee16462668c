#include "sim_testing.h"

static struct writer value_of(uint64_t request, size_t size)
{
    struct writer value = {0};
    clients_encode_value(&value, request, size);
    return value;
}

static void a_value_carries_its_request(void **state)
{
    (void)state;
    static const uint64_t requests[] = {1, 2, 255, 256, UINT64_C(1) << 40};
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        for (size_t size = 0; size < 40; size += 13) {
            struct writer value = value_of(requests[i], size);
            assert_int_equal(clients_request_of(writer_slice(&value)), requests[i]);
            assert_true(clients_is_whole(writer_slice(&value)));
            writer_deinit(&value);
        }
    }
}

static void no_byte_of_a_value_can_change_unseen(void **state)
{
    (void)state;
    struct writer value = value_of(4711, 100);
    for (size_t at = 0; at < value.size; at++) {
        value.data[at] ^= 0x10;
        assert_false(clients_is_whole(writer_slice(&value)));
        value.data[at] ^= 0x10;
    }
    assert_true(clients_is_whole(writer_slice(&value)));
    writer_deinit(&value);
}

static void what_is_too_short_or_not_ours_carries_no_request(void **state)
{
    (void)state;
    struct writer value = value_of(4711, 0);
    assert_int_equal(clients_request_of((struct slice){value.data, value.size - 1}), 0);
    assert_false(clients_is_whole((struct slice){value.data, value.size - 1}));
    assert_int_equal(clients_request_of(SLICE_LITERAL("a value of somebody else")), 0);
    assert_int_equal(clients_request_of(SLICE_EMPTY), 0);
    writer_deinit(&value);
}

/* A longer value's beginning with another one's end. */
static void a_mixture_of_two_values_is_not_whole(void **state)
{
    (void)state;
    struct writer one = value_of(10, 700);
    struct writer other = value_of(11, 700);
    memcpy(one.data + 512, other.data + 512, one.size - 512);
    assert_false(clients_is_whole(writer_slice(&one)));
    writer_deinit(&one);
    writer_deinit(&other);
}

static void a_value_is_found_in_a_file_where_it_can_be_spoilt(void **state)
{
    (void)state;
    struct disk *disk = disk_new();
    struct inode *inode = disk_create(disk, "file", false);
    struct prng prng;
    prng_init(&prng, 1);
    uint64_t offset = 0;
    assert_false(clients_find_value(inode, &prng, &offset));
    struct writer value = value_of(10, 60);
    inode_write(inode, 1000, writer_slice(&value), false);
    inode_write(inode, 3000, writer_slice(&value), false);
    bool has_first = false;
    bool has_second = false;
    for (int i = 0; i < 100; i++) {
        assert_true(clients_find_value(inode, &prng, &offset));
        bool is_first = offset >= 1000 && offset < 1000 + value.size;
        bool is_second = offset >= 3000 && offset < 3000 + value.size;
        assert_true(is_first || is_second);
        has_first = has_first || is_first;
        has_second = has_second || is_second;
    }
    assert_true(has_first && has_second);
    writer_deinit(&value);
    disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_carries_its_request),
        cmocka_unit_test(no_byte_of_a_value_can_change_unseen),
        cmocka_unit_test(what_is_too_short_or_not_ours_carries_no_request),
        cmocka_unit_test(a_mixture_of_two_values_is_not_whole),
        cmocka_unit_test(a_value_is_found_in_a_file_where_it_can_be_spoilt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
