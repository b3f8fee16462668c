#include "packet.h"

#define IP_SIZE_MIN 20u
#define IP_FRAGMENT 6u /* offset of: flags and fragment offset, */
#define IP_PROTOCOL 9u
#define IP_SOURCE 12u
#define IP_TARGET_LAST 19u
#define IP_ADDRESSES_SIZE 8u
#define PROTOCOL_TCP 6u

#define TCP_SIZE_MIN 20u
#define TCP_DATA_OFFSET 12u
#define TCP_CHECKSUM 16u

static size_t ip_header_size(const uint8_t *data)
{
    return (size_t)(data[0] & 0x0f) * 4;
}

/* Whole, of one fragment, and with a TCP header in it. */
static bool is_tcp(const uint8_t *data, size_t size)
{
    if (packet_target(data, size) == 0 || data[IP_PROTOCOL] != PROTOCOL_TCP) {
        return false;
    }
    bool is_fragment = (data[IP_FRAGMENT] & 0x3f) != 0 || data[IP_FRAGMENT + 1] != 0;
    return !is_fragment && ip_header_size(data) >= IP_SIZE_MIN &&
           size >= ip_header_size(data) + TCP_SIZE_MIN;
}

unsigned packet_target(const uint8_t *data, size_t size)
{
    return size >= IP_SIZE_MIN && data[0] >> 4 == 4 ? data[IP_TARGET_LAST] : 0;
}

/* Sixteen bits at a time, in network order; an odd last byte is followed by a zero (RFC 1071). */
static uint32_t sum_of(const uint8_t *data, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    }
    return sum;
}

uint16_t packet_tcp_checksum(const uint8_t *data, size_t size)
{
    size_t begin = ip_header_size(data);
    const uint8_t *segment = data + begin;
    uint32_t sum = sum_of(data + IP_SOURCE, IP_ADDRESSES_SIZE) + PROTOCOL_TCP +
                   (uint32_t)(size - begin) + sum_of(segment, TCP_CHECKSUM) +
                   sum_of(segment + TCP_CHECKSUM + 2, size - begin - TCP_CHECKSUM - 2);
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

bool packet_damage(uint8_t *data, size_t size, struct prng *prng)
{
    if (!is_tcp(data, size)) {
        return false;
    }
    uint8_t *segment = data + ip_header_size(data);
    size_t payload = ip_header_size(data) + (size_t)(segment[TCP_DATA_OFFSET] >> 4) * 4;
    if (payload >= size) {
        return false;
    }
    data[payload + prng_below(prng, size - payload)] ^= (uint8_t)(1u << prng_below(prng, 8));
    uint16_t checksum = packet_tcp_checksum(data, size);
    segment[TCP_CHECKSUM] = (uint8_t)(checksum >> 8);
    segment[TCP_CHECKSUM + 1] = (uint8_t)checksum;
    return true;
}
