#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "packet.h"

/* As a kernel made them, from 10.99.0.1 to 10.99.0.2. A SYN, which has options and no payload: */
static const uint8_t syn[] = {
    0x45, 0x00, 0x00, 0x3c, 0xfb, 0xa7, 0x40, 0x00, 0x40, 0x06, 0x2a, 0x4c, 0x0a, 0x63, 0x00,
    0x01, 0x0a, 0x63, 0x00, 0x02, 0xd3, 0xca, 0x1b, 0x58, 0x64, 0x47, 0xd3, 0x11, 0x00, 0x00,
    0x00, 0x00, 0xa0, 0x02, 0xfa, 0xf0, 0xaf, 0xa1, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04,
    0x02, 0x08, 0x0a, 0x5e, 0xd5, 0x03, 0x51, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x0a};
/* A segment with "hello", whose size is odd: */
static const uint8_t hello[] = {
    0x45, 0x00, 0x00, 0x39, 0xfb, 0xa9, 0x40, 0x00, 0x40, 0x06, 0x2a, 0x4d, 0x0a, 0x63, 0x00,
    0x01, 0x0a, 0x63, 0x00, 0x02, 0xd3, 0xca, 0x1b, 0x58, 0x64, 0x47, 0xd3, 0x12, 0x1f, 0x79,
    0xbf, 0xe5, 0x80, 0x18, 0x00, 0x3f, 0x5e, 0xd7, 0x00, 0x00, 0x01, 0x01, 0x08, 0x0a, 0x5e,
    0xd5, 0x03, 0x52, 0xf2, 0x20, 0x64, 0xdb, 0x68, 0x65, 0x6c, 0x6c, 0x6f};
/* And UDP: */
static const uint8_t datagram[] = {0x45, 0x00, 0x00, 0x1e, 0xa2, 0x86, 0x40, 0x00, 0x40, 0x11,
                                   0x83, 0x80, 0x0a, 0x63, 0x00, 0x01, 0x0a, 0x63, 0x00, 0x02,
                                   0x84, 0x17, 0x00, 0x09, 0x00, 0x0a, 0xee, 0x77, 0x78, 0x79};

#define HELLO_PAYLOAD 52u
#define TCP_CHECKSUM 36u /* without IP options */

static uint16_t checksum_in(const uint8_t *data)
{
    return (uint16_t)(data[TCP_CHECKSUM] << 8 | data[TCP_CHECKSUM + 1]);
}

static void the_checksum_is_the_kernels(void **state)
{
    (void)state;
    assert_int_equal(packet_tcp_checksum(syn, sizeof(syn)), checksum_in(syn));
    assert_int_equal(packet_tcp_checksum(hello, sizeof(hello)), checksum_in(hello));
}

static void the_target_is_the_last_byte_of_the_address(void **state)
{
    (void)state;
    assert_int_equal(packet_target(syn, sizeof(syn)), 2);
    assert_int_equal(packet_target(syn, 19), 0);
    uint8_t ipv6[40] = {0x60};
    assert_int_equal(packet_target(ipv6, sizeof(ipv6)), 0);
}

static void damage_is_one_bit_of_the_payload_and_the_checksum_is_right(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    unsigned hit[sizeof(hello)] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t data[sizeof(hello)];
        memcpy(data, hello, sizeof(data));
        assert_true(packet_damage(data, sizeof(data), &prng));
        assert_int_equal(packet_tcp_checksum(data, sizeof(data)), checksum_in(data));
        assert_int_not_equal(checksum_in(data), checksum_in(hello));
        assert_memory_equal(data, hello, TCP_CHECKSUM);
        assert_memory_equal(data + TCP_CHECKSUM + 2, hello + TCP_CHECKSUM + 2,
                            HELLO_PAYLOAD - TCP_CHECKSUM - 2);
        int bits = 0;
        for (unsigned j = HELLO_PAYLOAD; j < sizeof(data); j++) {
            bits += __builtin_popcount((unsigned)(data[j] ^ hello[j]));
            hit[j] += data[j] != hello[j];
        }
        assert_int_equal(bits, 1);
    }
    for (unsigned j = HELLO_PAYLOAD; j < sizeof(hello); j++) {
        assert_true(hit[j] > 100);
    }
}

static void what_has_no_tcp_payload_is_left_alone(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    uint8_t data[sizeof(syn)];
    memcpy(data, syn, sizeof(syn));
    assert_false(packet_damage(data, sizeof(syn), &prng));
    assert_memory_equal(data, syn, sizeof(syn));
    memcpy(data, datagram, sizeof(datagram));
    assert_false(packet_damage(data, sizeof(datagram), &prng));
    assert_memory_equal(data, datagram, sizeof(datagram));
}

static void what_is_cut_or_nonsense_is_left_alone(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    uint8_t data[sizeof(hello)];
    memcpy(data, hello, sizeof(hello));
    for (size_t size = 0; size <= HELLO_PAYLOAD; size++) {
        assert_false(packet_damage(data, size, &prng));
    }
    data[0] = 0x4f; /* an IP header that ends beyond the packet */
    assert_false(packet_damage(data, sizeof(data), &prng));
    data[0] = 0x41; /* and one that is shorter than it can be */
    assert_false(packet_damage(data, sizeof(data), &prng));
    memcpy(data, hello, sizeof(hello));
    data[7] = 1; /* a later fragment, which has no TCP header */
    assert_false(packet_damage(data, sizeof(data), &prng));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_the_kernels),
        cmocka_unit_test(the_target_is_the_last_byte_of_the_address),
        cmocka_unit_test(damage_is_one_bit_of_the_payload_and_the_checksum_is_right),
        cmocka_unit_test(what_has_no_tcp_payload_is_left_alone),
        cmocka_unit_test(what_is_cut_or_nonsense_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
