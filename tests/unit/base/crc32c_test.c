#include "base/crc32c.h"
#include "base_testing.h"

/* The bare definition: the reflected polynomial, bit by bit. */
static uint32_t bitwise(const uint8_t *data, size_t size)
{
    uint32_t remainder = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        remainder ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            remainder = remainder >> 1 ^ ((remainder & 1) != 0 ? 0x82f63b78u : 0);
        }
    }
    return ~remainder;
}

static void the_vectors_of_rfc_3720_hold(void **state)
{
    (void)state;
    uint8_t block[32];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    memset(block, 0, sizeof(block));
    assert_int_equal(crc32c(0, block, sizeof(block)), 0x8a9136aa);
    memset(block, 0xff, sizeof(block));
    assert_int_equal(crc32c(0, block, sizeof(block)), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++) {
        block[i] = i;
    }
    assert_int_equal(crc32c(0, block, sizeof(block)), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++) {
        block[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c(0, block, sizeof(block)), 0x113fdb5c);
}

static void every_size_and_alignment_agrees_with_the_definition(void **state)
{
    (void)state;
    uint8_t block[600];
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (uint8_t)(i * 167 + 13);
    }
    for (size_t begin = 0; begin < 9; begin++) {
        for (size_t size = 0; begin + size <= sizeof(block); size += 1 + size / 16) {
            assert_int_equal(crc32c(0, block + begin, size), bitwise(block + begin, size));
        }
    }
}

static void a_crc_continues_from_any_cut(void **state)
{
    (void)state;
    const char text[] = "the log is the truth, the store is a checkpoint of it";
    uint32_t whole = crc32c(0, text, sizeof(text));
    for (size_t cut = 0; cut <= sizeof(text); cut++) {
        assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, sizeof(text) - cut), whole);
    }
}

static void no_bytes_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, NULL, 0), 0);
    assert_int_equal(crc32c(0x12345678, NULL, 0), 0x12345678);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_3720_hold),
        cmocka_unit_test(every_size_and_alignment_agrees_with_the_definition),
        cmocka_unit_test(a_crc_continues_from_any_cut),
        cmocka_unit_test(no_bytes_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
